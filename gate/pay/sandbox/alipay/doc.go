// Package alipay is an Alipay wallet for tests and demonstrations: an http.Handler that speaks the gateway's protocol
// (gateway.do, RSA2) closely enough that the official SDKs drive it unchanged. It moves no money. What it shares with
// other sandbox wallets (notifications, faults, the shopper's page, the state file) is in package sandbox.
//
// It verifies every request's signature, in public-key mode and in certificate mode, and signs the raw bytes of its
// answers; takes orders by page, phone page, app and QR code, single and combined; queries, closes, cancels, refunds,
// splits; notifies by form with the documented schedule; and publishes the next day's bills as zip archives of GBK text.
//
// An order does not exist until its shopper has opened it, by following the address or scanning the code: until then a
// query says ACQ.TRADE_NOT_EXIST. [Wallet.Visit] opens one as the page does; approving one opens it too.
//
// What is verified against public sources and what is assumed stands in docs/conformance.md.
package alipay
