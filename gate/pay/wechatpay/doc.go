// Package wechatpay connects a merchant account at WeChat Pay (微信支付 APIv3) to the payment gate: native (QR), H5 (redirect),
// JSAPI (inside the app) and app orders, query, close, refund, splits (分账), notifications and the daily trade and fund-flow
// bills; of a platform partner transactions, combined orders (合单支付) and what 电商收付通 needs. It stands on the official SDK
// (github.com/wechatpay-apiv3/wechatpay-go) for signing, checking, models and primitives.
//
// The SDK reads the wall clock and the system's randomness and knows one host. This package lays its own transport,
// which signs, and its own validator under the SDK's client, so that clock, randomness and host are given in [Config].
// The same connector then speaks to WeChat Pay, to a sandbox on loopback, and to one in memory under virtual time.
//
// # What is believed
//
// Only what the wallet signed. An answer with status 2xx without a good signature is no answer: the outcome is
// unknown. The SDK does not check the signature of error answers; this package does, because "order does not exist"
// frees the gate to try elsewhere. Without a signature only 401 and 429 are believed, and only to the effect that the
// same request may be sent again.
//
// Platform certificates are fetched on first use, decrypted with the APIv3 key, kept by serial, and fetched again every
// twelve hours or when an unknown serial turns up, then at most once a minute. Signatures that start with
// WECHATPAY/SIGNTEST/ are the wallet's probes of whether we check; they fail like any other bad signature.
package wechatpay
