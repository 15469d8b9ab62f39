package ledger

import (
	"math"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Every payment passes through here, so these groups append and parse their encoding by hand; a test holds them against
// the library's. See journal.Appender and journal.Parsed.

// AppendCBOR writes the group as journal.Encoding would.
func (m *Movement) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.ID(1, m.ID)
	w.SomeID(2, m.Crossing)
	w.True(3, m.Pending)
	w.SomeInt(4, int64(m.Expires))
	return w.End()
}

// AppendCBOR writes the group as journal.Encoding would.
func (p *Places) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Array(1, len(p.Numbers), p.Numbers == nil)
	b = w.End()
	for _, n := range p.Numbers {
		b = journal.AppendUint(b, uint64(n))
	}
	w.Resume(b)
	w.Array(2, len(p.Before), p.Before == nil)
	b = w.End()
	for _, at := range p.Before {
		b = journal.AppendUint(b, uint64(at))
	}
	return b
}

// AppendCBOR writes the group as journal.Encoding would.
func (p *Posting) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Key(1)
	w.Resume(p.Account.AppendCBOR(w.End()))
	w.SomeInt(2, p.Debit)
	w.SomeInt(3, p.Credit)
	w.Key(4)
	return p.Balance.AppendCBOR(w.End())
}

// AppendCBOR writes the account as journal.Encoding would.
func (a *Account) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Text(1, a.Owner)
	w.Bytes(2, a.Currency[:])
	w.Uint(3, uint64(a.Purpose))
	w.SomeID(4, a.Of)
	return w.End()
}

// AppendCBOR writes the balance as journal.Encoding would.
func (v *Balance) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.SomeInt(1, v.Debits)
	w.SomeInt(2, v.Credits)
	w.SomeInt(3, v.DebitsPending)
	w.SomeInt(4, v.CreditsPending)
	return w.End()
}

// ParseCBOR reads what AppendCBOR writes.
func (m *Movement) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			p.ID(&m.ID)
		case 2:
			p.ID(&m.Crossing)
		case 3:
			m.Pending = p.Bool()
		case 4:
			m.Expires = moongate.Time(p.Int())
		default:
			p.Fail()
		}
	}
}

// ParseCBOR reads what AppendCBOR writes.
func (p *Places) ParseCBOR(from *journal.Parser) {
	last := -1
	for range from.Map() {
		switch from.Key(&last) {
		case 1:
			p.Numbers = journal.Items(from, func(p *journal.Parser, n *uint32) { *n = uint32(p.Uint(math.MaxUint32)) })
		case 2:
			p.Before = journal.Items(from, func(p *journal.Parser, at *journal.Position) { *at = journal.Position(p.Uint(math.MaxUint64)) })
		default:
			from.Fail()
		}
	}
}

// ParseCBOR reads what AppendCBOR writes.
func (p *Posting) ParseCBOR(from *journal.Parser) {
	last := -1
	for range from.Map() {
		switch from.Key(&last) {
		case 1:
			p.Account.ParseCBOR(from)
		case 2:
			p.Debit = from.Int()
		case 3:
			p.Credit = from.Int()
		case 4:
			p.Balance.ParseCBOR(from)
		default:
			from.Fail()
		}
	}
}

// ParseCBOR reads what AppendCBOR writes.
func (a *Account) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			a.Owner = p.Text()
		case 2:
			p.Bytes(a.Currency[:])
		case 3:
			a.Purpose = Purpose(p.Uint(math.MaxUint8))
		case 4:
			p.ID(&a.Of)
		default:
			p.Fail()
		}
	}
}

// ParseCBOR reads what AppendCBOR writes.
func (v *Balance) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			v.Debits = p.Int()
		case 2:
			v.Credits = p.Int()
		case 3:
			v.DebitsPending = p.Int()
		case 4:
			v.CreditsPending = p.Int()
		default:
			p.Fail()
		}
	}
}
