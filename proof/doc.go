// Package proof is the cryptography of the journal: what is hashed, what is shown, and how anyone checks it. It is
// pure: no I/O, no clock, and randomness is passed in.
//
// Three trees stand on each other:
//
//   - An event's fields are split into groups, one per audience. Each group has a salted hash; the event's leaf is the
//     hash of its kind and of all group hashes (group.go, event.go).
//   - The events of one interval (a second) are leaves of a tree of fixed depth at random places; what is not an event
//     is a blinded blank (interval.go).
//   - The interval's root is one entry of the public log, an RFC 6962 tree published as C2SP tlog-tiles under C2SP
//     checkpoints (entry.go, tree.go, tile.go, checkpoint.go). Public acts are entries of their own, in plain.
//
// A [Receipt] leads from the groups its holder may see to a signed checkpoint. No number in it, and none in the public
// log, depends on how much happened: see docs/design/receipts.md.
//
// Domain separation. Every hash is SHA-256 over a first byte that says what it is:
//
//	0x00  leaf of a tree: an entry of the public log (RFC 6962), or an event's leaf in an interval
//	0x01  inner node of a tree (RFC 6962), in the public log and in an interval
//	0x02  group of fields
//	0x03  salt of the position
//	0x04  padding among an event's groups
//	0x05  blank node of an interval
//	0x06  draw of places in an interval
package proof

import "golang.org/x/mod/sumdb/tlog"

// Hash is SHA-256. Its JSON form is standard base64.
type Hash = tlog.Hash

const (
	tagLeaf     = 0x00
	tagNode     = 0x01
	tagGroup    = 0x02
	tagPosition = 0x03
	tagPadding  = 0x04
	tagSalt     = 0x05
	tagPlaces   = 0x06
)
