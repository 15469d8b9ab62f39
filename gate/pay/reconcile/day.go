package reconcile

import (
	"fmt"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/party"
)

// Name is the identity of a bill.
type Name struct {
	Wallet string       `cbor:"1,keyasint" json:"wallet"` // the participant
	Kind   pay.BillKind `cbor:"2,keyasint" json:"kind"`
	Day    string       `cbor:"3,keyasint" json:"day"`                      // YYYY-MM-DD by the wallet's calendar
	Hash   string       `cbor:"4,keyasint,omitempty" json:"hash,omitempty"` // sha256 of the unpacked text; "" where the wallet has none of that day
	Abroad bool         `cbor:"5,keyasint,omitempty" json:"utc,omitempty"`  // its days are those of UTC, not of Shanghai
}

// zone is by how much the wallet's days are ahead of UTC's. China has had one zone and no summer time since 1991.
func (n *Name) zone() moongate.Time {
	if n.Abroad {
		return 0
	}
	return 8 * moongate.Hour
}

// period is a bill's name with its day as moments.
type period struct {
	*Name
	from, until moongate.Time
}

// period opens a name that was checked.
func (n *Name) period() *period {
	t, _ := time.Parse(time.DateOnly, n.Day)
	from := moongate.At(t) - n.zone()
	return &period{n, from, from + moongate.Day}
}

// has tells whether a moment is in the day.
func (p *period) has(at moongate.Time) bool { return at >= p.from && at < p.until }

func (n *Name) check() error {
	if err := party.CheckText("wallet", n.Wallet, 1, 128); err != nil {
		return err
	}
	if n.Kind != pay.TradeBill && n.Kind != pay.FundBill {
		return malformed("kind", fmt.Sprintf("%.40q is no kind of bill", n.Kind), "trade or fund")
	}
	if t, err := time.Parse(time.DateOnly, n.Day); err != nil || t.Year() < 2000 || t.Year() > 2100 {
		return malformed("day", fmt.Sprintf("%.40q is no day", n.Day), "write it like 2026-03-04")
	}
	if len(n.Hash) > 80 {
		return malformed("hash", "it is too long", "sha256: and the digest in hexadecimal")
	}
	return nil
}

// dayOf is the day of a moment.
func dayOf(at, zone moongate.Time) string { return (at + zone).Go().Format(time.DateOnly) }

// nextDay is the day after.
func nextDay(day string, by int) string {
	t, _ := time.Parse(time.DateOnly, day)
	return t.AddDate(0, 0, by).Format(time.DateOnly)
}

// apart is how many days lie between two.
func apart(a, b string) int {
	x, _ := time.Parse(time.DateOnly, a)
	y, _ := time.Parse(time.DateOnly, b)
	n := int(x.Sub(y) / (24 * time.Hour))
	return max(n, -n)
}
