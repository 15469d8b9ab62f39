package ledger

import "github.com/moongate-hub/moongate/journal"

// Every payment passes through here, so these groups append their encoding by hand; a test holds them against the
// library's. See journal.Appender.

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
