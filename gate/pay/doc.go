// Package pay is the payment gate: any marketplace can offer any wallet, and no cent is ever in doubt.
//
// A wallet is reached through a connector (package wechatpay is the first), which speaks the small interface [Wallet].
// A connector decides nothing. It turns a wallet's wire format into three kinds of answers, and tells them apart with
// care, because money follows from the difference:
//
//   - an [Outcome] or [RefundOutcome]: the wallet said so and signed it;
//   - a [Failure] that is [Refused] or [NotDone]: certainly nothing happened;
//   - a [Failure] that is [Unknown]: nobody knows. The gate asks again by its own reference and never fails over to
//     another wallet before the close is confirmed.
package pay
