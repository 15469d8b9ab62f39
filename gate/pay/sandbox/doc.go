// Package sandbox holds what every sandbox wallet has, for tests and demonstrations: clock and pace, notifications with
// a schedule of retries, faults on demand, violations, the page on which a shopper pays, the endpoints that drive it
// without a browser, and a state file. No money moves.
//
// A wallet's own wire, with its accounts and its book, stands in a package of its own: sandbox/wechatpay and
// sandbox/alipay. Each speaks closely enough that the official clients drive it unchanged.
//
// A shopper pays on the wallet's page, or a test calls [Wallet.Approve]. [Wallet.Inject] makes a wallet misbehave in
// the ways that wallets do. It is strict where a real one is silent: what a careful merchant would never ask (the same
// refund under two numbers, more back than was paid, one number with two amounts) is written down in
// [Wallet.Violations].
//
// Clock, randomness and waiting are given in [Config]. Without sockets, under a virtual clock and with seeded
// randomness, the same calls give the same bytes. Every documented wait is divided by Config.Scale.
package sandbox
