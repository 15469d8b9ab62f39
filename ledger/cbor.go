package ledger

import (
	"github.com/moongate-hub/moongate/journal"
)

// Every payment passes through here, so these groups append their encoding by hand; a test holds them against the
// library's. See journal.Appender.

// AppendCBOR writes the group as journal.Encoding would.
func (m *Movement) AppendCBOR(b []byte) []byte {
	n := 1
	if !m.Crossing.IsZero() {
		n++
	}
	if m.Pending {
		n++
	}
	if m.Expires != 0 {
		n++
	}
	b = journal.AppendMap(b, n)
	b = journal.AppendID(journal.AppendUint(b, 1), m.ID)
	if !m.Crossing.IsZero() {
		b = journal.AppendID(journal.AppendUint(b, 2), m.Crossing)
	}
	if m.Pending {
		b = journal.AppendBool(journal.AppendUint(b, 3), true)
	}
	if m.Expires != 0 {
		b = journal.AppendInt(journal.AppendUint(b, 4), int64(m.Expires))
	}
	return b
}

// AppendCBOR writes the group as journal.Encoding would.
func (p *Places) AppendCBOR(b []byte) []byte {
	b = journal.AppendMap(b, 2)
	b = journal.AppendUint(b, 1)
	if p.Numbers == nil {
		b = journal.AppendNull(b)
	} else {
		b = journal.AppendArray(b, len(p.Numbers))
		for _, n := range p.Numbers {
			b = journal.AppendUint(b, uint64(n))
		}
	}
	b = journal.AppendUint(b, 2)
	if p.Before == nil {
		return journal.AppendNull(b)
	}
	b = journal.AppendArray(b, len(p.Before))
	for _, at := range p.Before {
		b = journal.AppendUint(b, uint64(at))
	}
	return b
}

// AppendCBOR writes the group as journal.Encoding would.
func (p *Posting) AppendCBOR(b []byte) []byte {
	n := 2
	if p.Debit != 0 {
		n++
	}
	if p.Credit != 0 {
		n++
	}
	b = journal.AppendMap(b, n)
	b = p.Account.AppendCBOR(journal.AppendUint(b, 1))
	if p.Debit != 0 {
		b = journal.AppendInt(journal.AppendUint(b, 2), p.Debit)
	}
	if p.Credit != 0 {
		b = journal.AppendInt(journal.AppendUint(b, 3), p.Credit)
	}
	return p.Balance.AppendCBOR(journal.AppendUint(b, 4))
}

// AppendCBOR writes the account as journal.Encoding would.
func (a *Account) AppendCBOR(b []byte) []byte {
	n := 3
	if !a.Of.IsZero() {
		n++
	}
	b = journal.AppendMap(b, n)
	b = journal.AppendText(journal.AppendUint(b, 1), a.Owner)
	b = journal.AppendBytes(journal.AppendUint(b, 2), a.Currency[:])
	b = journal.AppendUint(journal.AppendUint(b, 3), uint64(a.Purpose))
	if !a.Of.IsZero() {
		b = journal.AppendID(journal.AppendUint(b, 4), a.Of)
	}
	return b
}

// AppendCBOR writes the balance as journal.Encoding would.
func (v *Balance) AppendCBOR(b []byte) []byte {
	sums := [4]int64{v.Debits, v.Credits, v.DebitsPending, v.CreditsPending}
	n := 0
	for _, s := range sums {
		if s != 0 {
			n++
		}
	}
	b = journal.AppendMap(b, n)
	for i, s := range sums {
		if s != 0 {
			b = journal.AppendInt(journal.AppendUint(b, uint64(i)+1), s)
		}
	}
	return b
}
