// Package sim plays the seeded world (package world) against a hub, with sandbox wallets.
//
// [Once] plays it in virtual time, in memory but for the hub's own files: the real rooms, connectors and wallet
// handlers, the real journal. It ends with an audit of everything, and with a hash of the hub's state that depends on
// the seed alone.
package sim
