package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sort"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof"
)

// Receipt proves one event to somebody who may see the groups that sees says. The event's interval must be under a
// signed checkpoint: until then, about a second, it is [moongate.Busy].
func (l *Log) Receipt(pos Position, sees func(e Event, audience string) bool) (*proof.Receipt, error) {
	l.mu.Lock()
	i := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].Next > pos })
	if i == len(l.rows) || l.rows[i].First > pos || l.signed == nil {
		l.mu.Unlock()
		return nil, &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("event %d is not under a published checkpoint yet", pos), Hint: "ask again in two seconds"}
	}
	row, signed, seed := l.rows[i], l.best(l.rows[i].Entry), l.seed(i, l.rows[i].Number)
	c, err := proof.ReadSigned(signed)
	var hashes []proof.Hash
	if err == nil {
		if row.Entry >= c.Size {
			l.mu.Unlock()
			return nil, &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("event %d is not under a published checkpoint yet", pos), Hint: "ask again in two seconds"}
		}
		hashes, err = l.tree.Inclusion(row.Entry, c.Size)
	}
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	r, root, err := l.openEvent(seed, row, pos, sees)
	if err != nil {
		return nil, err
	}
	r.Origin = c.Origin
	r.Entry = string(proof.IntervalEntry(row.Number, root))
	if err := tlog.CheckRecord(hashes, c.Size, c.Root, row.Entry, tlog.RecordHash([]byte(r.Entry))); err != nil {
		return nil, &Damage{File: l.dir, Reason: fmt.Sprintf("entry %d and the tiles above it do not lead to the published root", row.Entry)}
	}
	r.Proof = (&proof.LogProof{Index: row.Entry, Hashes: hashes, Checkpoint: signed}).Text()
	return r, nil
}

// openEvent builds an interval again from the journal, for one event of it.
func (l *Log) openEvent(seed [32]byte, row interval, pos Position, sees func(Event, string) bool) (*proof.Receipt, proof.Hash, error) {
	tree := proof.NewInterval(&seed)
	r := &proof.Receipt{}
	number, found := uint64(0), false
	err := l.journal.FromPosition(row.First, func(rec *Record) error {
		at := rec.First
		for i := range rec.Done {
			d := &rec.Done[i]
			for ordinal, st := range d.Events {
				switch {
				case at >= row.Next:
					return errStop
				case at >= row.First:
					e := proof.Event{Position: uint64(at), Kind: st.Kind, Groups: proofGroups(nil, st)}
					if at == pos {
						decoded, err := l.journal.registry.Decode(st)
						if err != nil {
							return err
						}
						number, found = uint64(tree.Len()), true
						r.Kind = st.Kind
						r.Groups, r.Closed = e.Open(&d.Seed, uint64(ordinal), func(audience string) bool { return sees(decoded, audience) })
					}
					tree.Append(e.Leaf(&d.Seed, uint64(ordinal)))
				}
				at++
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, proof.Hash{}, err
	}
	if !found {
		return nil, proof.Hash{}, &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("the journal has no event %d", pos)}
	}
	index, path, err := tree.Proof(number)
	if err != nil {
		return nil, proof.Hash{}, err
	}
	r.Interval = proof.ReceiptInterval{Index: index, Proof: path}
	return r, tree.Root(), nil
}

// publicJSON is the public group of an event, in plain.
func (r *Registry) publicJSON(st Stored) ([]byte, error) {
	e, err := r.Decode(st)
	if err != nil {
		return nil, err
	}
	for _, p := range r.shapes[st.Kind].parts {
		if p.audience == Public {
			return json.Marshal(reflect.ValueOf(e).Elem().Field(p.field).Interface())
		}
	}
	return nil, fmt.Errorf("journal: event %s has no public group", st.Kind)
}
