// Package money counts in whole minor units (fen, cents) of one currency. There is no float in it, no operation
// overflows silently, and whatever is divided adds up again to the minor unit.
//
// Decimal text is exact: 19.99 CNY is 1999 fen, and 19.999 CNY is refused rather than rounded. Rates are
// [BasisPoints]; a division of a whole is [Allocate].
package money

import (
	"cmp"
	"fmt"
	"math"

	"github.com/moongate-hub/moongate"
)

// Amount is a number of minor units of a currency: {1999 CNY} is 19.99 yuan. Negative amounts are allowed; a rule
// that wants none checks for itself. Amounts compare with ==.
type Amount struct {
	Minor    int64    `json:"minor" cbor:"1,keyasint"`
	Currency Currency `json:"currency" cbor:"2,keyasint"`
}

// Of makes an amount.
func Of(minor int64, c Currency) Amount { return Amount{Minor: minor, Currency: c} }

// Check refuses an amount whose currency is unknown. Amounts decoded from CBOR have not been checked.
func (a Amount) Check() error {
	_, err := a.Currency.Exponent()
	return err
}

// IsZero tells whether the amount is nothing, in whatever currency.
func (a Amount) IsZero() bool { return a.Minor == 0 }

// Sign is −1, 0 or +1.
func (a Amount) Sign() int { return cmp.Compare(a.Minor, 0) }

// Cmp orders two amounts of one currency: −1, 0 or +1.
func (a Amount) Cmp(b Amount) (int, error) {
	if err := same(a, b); err != nil {
		return 0, err
	}
	return cmp.Compare(a.Minor, b.Minor), nil
}

// Add is a + b. Different currencies and results beyond 64 bits are errors.
func (a Amount) Add(b Amount) (Amount, error) {
	if err := same(a, b); err != nil {
		return Amount{}, err
	}
	sum, ok := Add(a.Minor, b.Minor)
	if !ok {
		return Amount{}, overflow("%d + %d %s", a.Minor, b.Minor, a.Currency)
	}
	return Amount{sum, a.Currency}, nil
}

// Sub is a − b, with the errors of [Amount.Add].
func (a Amount) Sub(b Amount) (Amount, error) {
	if err := same(a, b); err != nil {
		return Amount{}, err
	}
	diff, ok := Sub(a.Minor, b.Minor)
	if !ok {
		return Amount{}, overflow("%d − %d %s", a.Minor, b.Minor, a.Currency)
	}
	return Amount{diff, a.Currency}, nil
}

// Mul is a × n, such as a price times a quantity.
func (a Amount) Mul(n int64) (Amount, error) {
	product, ok := Mul(a.Minor, n)
	if !ok {
		return Amount{}, overflow("%d %s × %d", a.Minor, a.Currency, n)
	}
	return Amount{product, a.Currency}, nil
}

// Neg is −a. Only the smallest 64-bit number has no negative.
func (a Amount) Neg() (Amount, error) {
	if a.Minor == math.MinInt64 {
		return Amount{}, overflow("−(%d) %s", a.Minor, a.Currency)
	}
	return Amount{-a.Minor, a.Currency}, nil
}

// Add is a + b and whether it fits 64 bits. Rooms that hold bare minor units use it; so do [Sub] and [Mul].
func Add(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}

// Sub is a − b and whether it fits 64 bits.
func Sub(a, b int64) (int64, bool) {
	diff := a - b
	return diff, (diff < a) == (b > 0)
}

// Mul is a × b and whether it fits 64 bits.
func Mul(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	product := a * b
	if product/b != a || (a == math.MinInt64 && b == -1) || (b == math.MinInt64 && a == -1) {
		return product, false
	}
	return product, true
}

func same(a, b Amount) error {
	if a.Currency == b.Currency {
		return nil
	}
	return &moongate.Error{
		Code:    moongate.Malformed,
		Message: fmt.Sprintf("%q and %q are different currencies", a.Currency, b.Currency),
		Hint:    "convert one of the amounts first; there is no implicit rate",
	}
}

func overflow(format string, args ...any) error {
	return &moongate.Error{
		Code:    moongate.Malformed,
		Message: fmt.Sprintf(format, args...) + " does not fit 64 bits of minor units",
		Hint:    "no real amount is that large: check the input",
	}
}
