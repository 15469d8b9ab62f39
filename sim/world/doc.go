// Package world is a seeded world of gardens around a hub: publishers with readers, marketplaces with sellers of very
// different size, an app store with small apps, wallets of rival houses, shoppers, and everything that goes wrong.
//
// It knows the hub from outside only, as its participants do: signed requests, a browser's requests, wallets that speak
// their own protocol. So it runs in two modes, and cannot tell which: over sockets under the wall clock, or over a
// [Network] in memory under a [Loop] whose clock jumps from one thing that is due to the next. In the second the same
// seed gives the same world, byte for byte, whenever it runs.
//
// Beside it runs [Books], a ledger of a hundred lines that shares no code with the hub's: what the two disagree on is a
// fault in one of them.
package world
