package crossing

import (
	"math"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/share"
)

// The way back from what cbor.go appends. See journal.Parsed.

// ParseCBOR reads what AppendCBOR writes.
func (s *Shared) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			p.ID(&s.ID)
		case 2:
			s.At = moongate.Time(p.Int())
		case 3:
			s.Kind = Kind(p.Uint(math.MaxUint8))
		case 4:
			p.ID(&s.Agreement)
		case 5:
			s.Version = int(p.Uint(math.MaxInt32))
		case 6:
			s.From = p.Text()
		case 7:
			s.To = p.Text()
		case 8:
			s.Class = p.Text()
		case 9:
			p.Bytes(s.Currency[:])
		case 10:
			s.Amount = p.Int()
		case 11:
			p.ID(&s.Reverses)
		case 12:
			p.ID(&s.Releases)
		case 13:
			s.Pending = p.Bool()
		default:
			p.Fail()
		}
	}
}

// ParseCBOR reads what AppendCBOR writes.
func (s *Side) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			s.Party = p.Text()
		case 2:
			p.ID(&s.Crossing)
		case 3:
			s.At = moongate.Time(p.Int())
		case 4:
			s.Kind = Kind(p.Uint(math.MaxUint8))
		case 5:
			p.ID(&s.Agreement)
		case 6:
			s.Version = int(p.Uint(math.MaxInt32))
		case 7:
			p.Bytes(s.Currency[:])
		case 8:
			s.Lines = journal.Items(p, parseLine)
		case 9:
			p.ID(&s.Reverses)
		case 10:
			s.Pending = p.Bool()
		case 11:
			p.ID(&s.Transfer)
		case 12:
			s.Postings = journal.Items(p, func(p *journal.Parser, posting *ledger.Posting) { posting.ParseCBOR(p) })
		default:
			p.Fail()
		}
	}
}

func parseLine(p *journal.Parser, l *Line) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			l.What = What(p.Uint(math.MaxUint8))
		case 2:
			l.Amount = p.Int()
		case 3:
			l.Fee = p.Text()
		case 4:
			l.Other = p.Text()
		case 5:
			l.Class = p.Text()
		case 6:
			l.Accrue = p.Bool()
		default:
			p.Fail()
		}
	}
}

// ParseCBOR reads what AppendCBOR writes.
func (k *Book) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			k.Before = journal.Position(p.Uint(math.MaxUint64))
		case 2:
			p.ID(&k.Transfer)
		case 3:
			k.Wallet = p.Text()
		case 4:
			k.Payees = journal.Items(p, parseSold)
		case 5:
			k.Cast = journal.Items(p, parseCast)
		case 6:
			k.Touches = journal.Items(p, parseTouch)
		case 7:
			k.Hidden = journal.Items(p, func(p *journal.Parser, who *string) { *who = p.Text() })
		case 8:
			k.Volumes = journal.Items(p, parseVolume)
		case 9:
			k.Subject = p.Text()
		case 10:
			k.Expires = moongate.Time(p.Int())
		case 11:
			k.Places.ParseCBOR(p)
		default:
			p.Fail()
		}
	}
}

// ParseCBOR reads what AppendCBOR writes.
func (o *Open) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			o.Shared.ParseCBOR(p)
		case 2:
			o.Position = journal.Position(p.Uint(math.MaxUint64))
		case 3:
			o.Book.ParseCBOR(p)
		case 4:
			o.Back = p.Int()
		case 5:
			o.Refunds = int(p.Uint(math.MaxInt32))
		case 6:
			o.Taken = journal.Items(p, parseSold)
		case 7:
			o.Keep = moongate.Time(p.Int())
		default:
			p.Fail()
		}
	}
}

func parseSold(p *journal.Parser, y *Sold) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			y.Party = p.Text()
		case 2:
			y.Class = p.Text()
		case 3:
			y.Amount = p.Int()
		case 4:
			y.Freight = p.Int()
		case 5:
			y.Tax = p.Int()
		case 6:
			y.Volume = p.Int()
		case 7:
			y.Free = p.Bool()
		case 8:
			y.Fees = journal.Items(p, func(p *journal.Parser, fee *int64) { *fee = p.Int() })
		case 9:
			y.Shares = journal.Items(p, parsePart)
		default:
			p.Fail()
		}
	}
}

func parseCast(p *journal.Parser, c *Part) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			c.Role = agreement.Role(p.Text())
		case 2:
			c.Party = p.Text()
		default:
			p.Fail()
		}
	}
}

func parseVolume(p *journal.Parser, v *Volume) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			v.Party = p.Text()
		case 2:
			v.Since = moongate.Time(p.Int())
		case 3:
			v.Gross = p.Int()
		default:
			p.Fail()
		}
	}
}

func parseTouch(p *journal.Parser, t *share.Touch) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			t.Party = p.Text()
		case 2:
			t.At = moongate.Time(p.Int())
		case 3:
			t.Channel = p.Text()
		case 4:
			t.Weight = p.Int()
		default:
			p.Fail()
		}
	}
}

func parsePart(p *journal.Parser, v *share.Part) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			v.Party = p.Text()
		case 2:
			v.Minor = p.Int()
		default:
			p.Fail()
		}
	}
}
