package share

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

// maxDenominator bounds a fraction's denominator, and the common one of a split's portions.
const maxDenominator = 1_000_000_000

// Portion is a fraction of the whole, between 0 and 1. Its text form is a percentage with at most two decimals
// ("2.5%") or a fraction ("1/3"). The zero value is no portion at all; 0% is one.
type Portion struct {
	Num int64 `cbor:"1,keyasint"`
	Den int64 `cbor:"2,keyasint"`
}

// Rate is a portion in basis points.
func Rate(r money.BasisPoints) Portion { return Portion{int64(r), int64(money.Whole)} }

// IsZero tells whether this is no portion at all.
func (p Portion) IsZero() bool { return p == Portion{} }

// String is the text form: a percentage where the denominator is 10,000, else a fraction.
func (p Portion) String() string {
	switch {
	case p.IsZero():
		return ""
	case p.Den == int64(money.Whole) && p.Num >= 0 && p.Num <= p.Den:
		return money.BasisPoints(p.Num).String()
	}
	return fmt.Sprintf("%d/%d", p.Num, p.Den)
}

// MarshalText writes the text form.
func (p Portion) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form and refuses what is not between 0 and 1.
func (p *Portion) UnmarshalText(b []byte) error {
	bad := func() error {
		return malformed("", fmt.Sprintf("%.40q is not a portion", b), "write a percentage like 2.5%, or a fraction like 1/3")
	}
	text := string(b[:min(len(b), 64)])
	if num, den, ok := strings.Cut(text, "/"); ok {
		n, err1 := strconv.ParseUint(num, 10, 31)
		d, err2 := strconv.ParseUint(den, 10, 31)
		if err1 != nil || err2 != nil {
			return bad()
		}
		v := Portion{int64(n), int64(d)}
		if err := v.check(""); err != nil {
			return err
		}
		*p = v
		return nil
	}
	rate, err := money.ParsePercent(text)
	if err != nil {
		return bad()
	}
	v := Rate(rate)
	if err := v.check(""); err != nil {
		return err
	}
	*p = v
	return nil
}

func (p Portion) check(field string) error {
	switch {
	case p.Den < 1 || p.Den > maxDenominator:
		return malformed(field, fmt.Sprintf("the denominator of %d/%d is not between 1 and %d", p.Num, p.Den, maxDenominator), "write a fraction like 1/3")
	case p.Num < 0:
		return malformed(field, fmt.Sprintf("the portion %s is negative", p), "a portion is between 0% and 100%")
	case p.Num > p.Den:
		return malformed(field, fmt.Sprintf("the portion %s is more than the whole", p), "a portion is between 0% and 100%")
	}
	return nil
}
