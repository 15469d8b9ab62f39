// Package wechatpay is a WeChat Pay wallet for tests and demonstrations: an http.Handler that speaks APIv3 closely enough
// that the official SDKs drive it unchanged. It moves no money. What it shares with other sandbox wallets (notifications,
// faults, the shopper's page, the state file) is in package sandbox.
//
// It verifies every request's WECHATPAY2-SHA256-RSA2048 signature, signs its answers with a platform certificate, hands
// certificates out under AES-256-GCM, takes native, H5, JSAPI and app orders, of a platform partner transactions and combined
// orders, queries, closes, refunds, splits, notifies with the documented schedule and publishes the next day's bills.
//
// # Verified and assumed
//
// docs/conformance.md lists it point by point.
//
// Error shapes, codes, the retry schedule, bill columns and the signatures follow the public documentation and answers
// that merchants have published. Assumed, because no public source says: that business errors are signed and answers to
// a bad signature are not (seen, not documented); the status of ORDERPAID; that a closed number which was never ordered
// is used up (seen); the code of two refunds within a minute.
package wechatpay
