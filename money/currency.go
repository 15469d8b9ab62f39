package money

import (
	"fmt"

	"github.com/bojanz/currency"

	"github.com/moongate-hub/moongate"
)

// Currency is an ISO 4217 alphabetic code, such as CNY. The zero value names no currency. In CBOR it is a byte string
// of the three letters; in JSON, YAML and as a key of either, the text.
//
// A decoder of CBOR does not check the letters: code that takes an amount from outside asks [Amount.Check].
type Currency [3]byte

// Currencies that the project's own examples and connectors speak of.
var (
	BRL = Currency{'B', 'R', 'L'}
	CNY = Currency{'C', 'N', 'Y'}
	EUR = Currency{'E', 'U', 'R'}
	GBP = Currency{'G', 'B', 'P'}
	JPY = Currency{'J', 'P', 'Y'}
	USD = Currency{'U', 'S', 'D'}
)

// exponents holds every currency that has a minor unit. It is filled once and only read afterwards: a decision must
// not change because some package registered a currency at run time.
var exponents = func() map[Currency]uint8 {
	codes := currency.GetCurrencyCodes()
	m := make(map[Currency]uint8, len(codes))
	for _, code := range codes {
		digits, ok := currency.GetDigits(code)
		if !ok || digits == currency.DefaultDigits || len(code) != len(Currency{}) {
			continue
		}
		m[Currency([]byte(code))] = digits
	}
	return m
}()

// ParseCurrency reads three capital letters. A code that ISO 4217 does not list, or lists without a minor unit (gold,
// test codes), is refused.
func ParseCurrency(code string) (Currency, error) {
	if len(code) == len(Currency{}) {
		c := Currency([]byte(code))
		if _, known := exponents[c]; known {
			return c, nil
		}
	}
	return Currency{}, unknownCurrency(code)
}

func unknownCurrency(code string) error {
	return &moongate.Error{
		Code:    moongate.Malformed,
		Message: fmt.Sprintf("currency %.20q is not an ISO 4217 currency with a minor unit", code),
		Hint:    "write three capital letters, like CNY",
	}
}

// Exponent is the number of decimals of the minor unit: 2 for CNY, 0 for JPY, 3 for BHD.
func (c Currency) Exponent() (int, error) {
	e, known := exponents[c]
	if !known {
		return 0, unknownCurrency(c.String())
	}
	return int(e), nil
}

// IsZero tells whether the value names no currency.
func (c Currency) IsZero() bool { return c == Currency{} }

// String is the code, or the empty string for none.
func (c Currency) String() string {
	if c.IsZero() {
		return ""
	}
	return string(c[:])
}

// MarshalText writes the code.
func (c Currency) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the code; see [ParseCurrency].
func (c *Currency) UnmarshalText(b []byte) error {
	v, err := ParseCurrency(string(b))
	if err != nil {
		return err
	}
	*c = v
	return nil
}
