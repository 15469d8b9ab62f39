// Package journal keeps events: once, in order, for good. It is the hub's book of original entry, and everything
// anyone sees, does or proves is read from it.
//
// An [Event] is a pointer to a struct whose kind and whose fields' meaning never change; fields are only added, with
// omitempty. A [Registry] knows every kind, so that what was written years ago still decodes. Events are stored as
// groups of fields, one group per audience: the public log commits to the groups one by one under salts of their own,
// so that a receipt can open one and leave the others shut.
//
// A [Record] is what one replicated entry came to: its commands, with their answers and their events. Records stand in
// segment files with checksums. A torn last record is cut off at start, since nobody was told of it; any other fault
// is named and stops the start.
package journal
