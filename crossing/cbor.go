package crossing

import (
	"github.com/moongate-hub/moongate/journal"
)

// Every crossing passes through here, so its groups append their encoding by hand; a test holds them against the
// library's. See journal.Appender.

// AppendCBOR writes the group as journal.Encoding would.
func (s *Shared) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.ID(1, s.ID)
	w.Int(2, int64(s.At))
	w.Uint(3, uint64(s.Kind))
	w.SomeID(4, s.Agreement)
	w.SomeInt(5, int64(s.Version))
	w.Text(6, s.From)
	w.Text(7, s.To)
	w.SomeText(8, s.Class)
	if !s.Currency.IsZero() {
		w.Bytes(9, s.Currency[:])
	}
	w.SomeInt(10, s.Amount)
	w.SomeID(11, s.Reverses)
	w.SomeID(12, s.Releases)
	w.True(13, s.Pending)
	return w.End()
}

// AppendCBOR writes the group as journal.Encoding would.
func (s *Side) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Text(1, s.Party)
	w.ID(2, s.Crossing)
	w.Int(3, int64(s.At))
	w.Uint(4, uint64(s.Kind))
	w.SomeID(5, s.Agreement)
	w.SomeInt(6, int64(s.Version))
	if !s.Currency.IsZero() {
		w.Bytes(7, s.Currency[:])
	}
	w.Array(8, len(s.Lines), s.Lines == nil)
	b = w.End()
	for i := range s.Lines {
		b = s.Lines[i].appendCBOR(b)
	}
	w.Resume(b)
	w.SomeID(9, s.Reverses)
	w.True(10, s.Pending)
	return w.End()
}

func (l *Line) appendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Uint(1, uint64(l.What))
	w.Int(2, l.Amount)
	w.SomeText(3, l.Fee)
	w.SomeText(4, l.Other)
	w.SomeText(5, l.Class)
	w.True(6, l.Accrue)
	return w.End()
}
