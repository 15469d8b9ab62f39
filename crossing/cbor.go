package crossing

import (
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/share"
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
	w.SomeID(11, s.Transfer)
	appendSome(&w, 12, s.Postings, (*ledger.Posting).AppendCBOR)
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

// AppendCBOR writes the group as journal.Encoding would.
func (k *Book) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.SomeUint(1, uint64(k.Before))
	w.SomeID(2, k.Transfer)
	w.SomeText(3, k.Wallet)
	appendSome(&w, 4, k.Payees, (*Sold).appendCBOR)
	appendSome(&w, 5, k.Cast, (*Part).appendCBOR)
	appendSome(&w, 6, k.Touches, appendTouch)
	appendSome(&w, 7, k.Hidden, func(who *string, b []byte) []byte { return journal.AppendText(b, *who) })
	appendSome(&w, 8, k.Volumes, (*Volume).appendCBOR)
	w.SomeText(9, k.Subject)
	w.SomeInt(10, int64(k.Expires))
	if k.Places.Numbers != nil || k.Places.Before != nil {
		w.Key(11)
		w.Resume(k.Places.AppendCBOR(w.End()))
	}
	return w.End()
}

// AppendCBOR writes the crossing as journal.Encoding would: half of a snapshot's items are crossings.
func (o *Open) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Key(1)
	w.Resume(o.Shared.AppendCBOR(w.End()))
	w.Uint(2, uint64(o.Position))
	w.Key(3)
	w.Resume(o.Book.AppendCBOR(w.End()))
	w.SomeInt(4, o.Back)
	w.SomeInt(5, int64(o.Refunds))
	appendSome(&w, 6, o.Taken, (*Sold).appendCBOR)
	w.SomeInt(7, int64(o.Keep))
	return w.End()
}

// appendSome appends a list under a key, unless it is empty.
func appendSome[T any](w *journal.Map, key byte, list []T, item func(*T, []byte) []byte) {
	if len(list) == 0 {
		return
	}
	w.Array(key, len(list), false)
	b := w.End()
	for i := range list {
		b = item(&list[i], b)
	}
	w.Resume(b)
}

func (y *Sold) appendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Text(1, y.Party)
	w.SomeText(2, y.Class)
	w.Int(3, y.Amount)
	w.SomeInt(4, y.Freight)
	w.SomeInt(5, y.Tax)
	w.SomeInt(6, y.Volume)
	w.True(7, y.Free)
	appendSome(&w, 8, y.Fees, func(fee *int64, b []byte) []byte { return journal.AppendInt(b, *fee) })
	appendSome(&w, 9, y.Shares, appendPart)
	return w.End()
}

func (p *Part) appendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Text(1, string(p.Role))
	w.Text(2, p.Party)
	return w.End()
}

func (v *Volume) appendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Text(1, v.Party)
	w.Int(2, int64(v.Since))
	w.Int(3, v.Gross)
	return w.End()
}

func appendTouch(t *share.Touch, b []byte) []byte {
	w := journal.BeginMap(b)
	w.Text(1, t.Party)
	w.Int(2, int64(t.At))
	w.SomeText(3, t.Channel)
	w.SomeInt(4, t.Weight)
	return w.End()
}

func appendPart(p *share.Part, b []byte) []byte {
	w := journal.BeginMap(b)
	w.SomeText(1, p.Party)
	w.Int(2, p.Minor)
	return w.End()
}
