// Package pay is the payment gate: any marketplace can offer any wallet, and no cent is ever in doubt.
//
// A merchant asks for a payment ([Create]); the shopper chooses a wallet on the cashier page, which opens an attempt: one
// order at one wallet, under a number that is the attempt's own identifier. News of it come by the wallet's notification,
// by a query (because time has passed, or because the shopper came back) and by a close. They race, and meet in one
// place, where an attempt that has ended never changes back. When one is paid, the crossing is recorded in the same
// command. Money that cannot be divided, for terms or limits have changed, or came late or twice, stands in suspense with
// an [ExceptionOpened] that says why; what came too late or twice goes back to the shopper by itself.
//
// A missing answer is a state, not a failure. Such an attempt is asked about with growing pauses until the wallet says
// what became of it; no other wallet is tried before that. A refund reserves its amount before the wallet is asked, and
// is asked for again under its own number only where the wallet has surely not done it.
//
// The room ([State]) decides and keeps; the [Gate] in front of it calls wallets, hears their notifications and shows the
// cashier. A wallet is reached through a connector (package wechatpay is the first), which speaks the small interface
// [Wallet]. A connector decides nothing. It turns a wallet's wire format into three kinds of answers, and tells them
// apart with care, because money follows from the difference:
//
//   - an [Outcome] or [RefundOutcome]: the wallet said so and signed it;
//   - a [Failure] that is [Refused] or [NotDone]: certainly nothing happened;
//   - a [Failure] that is [Unknown]: nobody knows. The gate asks again by its own reference and never fails over to
//     another wallet before the close is confirmed.
package pay
