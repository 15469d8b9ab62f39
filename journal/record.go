package journal

import "github.com/moongate-hub/moongate"

// Record is what one replicated entry came to. An entry whose commands left no trace has an empty one.
type Record struct {
	_     struct{} `cbor:",toarray"`
	Index uint64   // of the raft entry
	Term  uint64
	Sum   uint32   // CRC-32C of the raft entry's bytes
	First Position // of the record's first event, or of the next one where it has none
	Done  []Done
}

// Done is a command that was decided.
type Done struct {
	_      struct{} `cbor:",toarray"`
	Key    [16]byte // zero: none
	Print  [16]byte // fingerprint of the request
	Kind   string
	Caller string
	At     moongate.Time
	Seed   [32]byte        // the salts of its events' groups come from it
	Answer []byte          // CBOR, where it was not refused
	Error  *moongate.Error // where it was
	Events []Stored
}

// Ref points at a command's outcome in the journal.
type Ref struct {
	_      struct{} `cbor:",toarray"`
	Index  uint64   // of the record
	Number uint32   // within it, from 0
}

// Events counts the record's events.
func (r *Record) Events() int {
	n := 0
	for i := range r.Done {
		n += len(r.Done[i].Events)
	}
	return n
}

// Next is the position after the record's last event.
func (r *Record) Next() Position { return r.First + Position(r.Events()) }

// decodeRecord reads a record and keeps nothing of the payload.
func decodeRecord(payload []byte) (*Record, error) {
	r := new(Record)
	if parse(payload, r.parse) {
		return r, nil
	}
	*r = Record{}
	return r, Decoding.Unmarshal(payload, r)
}
