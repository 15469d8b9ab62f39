// Package sandbox is a WeChat Pay wallet for tests and demonstrations: an http.Handler that speaks APIv3 closely enough
// that the official SDKs drive it unchanged. It moves no money.
//
// It verifies every request's WECHATPAY2-SHA256-RSA2048 signature, signs its answers with a platform certificate, hands
// certificates out under AES-256-GCM, takes native and H5 orders, queries, closes, refunds, notifies with the
// documented schedule and publishes the next day's trade bill. A shopper pays on its page, or a test calls
// [Wallet.Approve]. [Wallet.Inject] makes it misbehave in the ways that wallets do.
//
// It is strict where a real wallet is silent: what a careful merchant would never ask (the same refund under two
// numbers, more back than was paid, one number with two amounts) is written down in [Wallet.Violations].
//
// Clock, randomness and waiting are given in [Config]. Without sockets, under a virtual clock and with seeded
// randomness, the same calls give the same bytes. Every documented wait is divided by Config.Scale.
//
// # Verified and assumed
//
// Error shapes, codes, the retry schedule, bill columns and the signatures follow the public documentation and answers
// that merchants have published. Assumed, because no public source says: that business errors are signed and answers to
// a bad signature are not (seen, not documented); the status of ORDERPAID; that a closed number which was never ordered
// is used up (seen); the code of two refunds within a minute.
package sandbox
