package money

import (
	"fmt"
	"math"
	"strings"

	"github.com/bojanz/currency"

	"github.com/moongate-hub/moongate"
)

// maxText bounds decimal text: a sign, nineteen digits and a point fit; what is longer is no amount.
const maxText = 32

// Parse reads an amount with its currency, as [Amount.String] writes it: "19.99 CNY".
func Parse(text string) (Amount, error) {
	number, code, ok := strings.Cut(text, " ")
	if !ok {
		return Amount{}, &moongate.Error{
			Code:    moongate.Malformed,
			Message: fmt.Sprintf("%.40q is not an amount", text),
			Hint:    "write a number, one space and a currency, like 19.99 CNY",
		}
	}
	c, err := ParseCurrency(code)
	if err != nil {
		return Amount{}, err
	}
	return ParseDecimal(number, c)
}

// ParseDecimal reads decimal text exactly: an optional hyphen-minus, digits without needless leading zeros, and, after
// a point, at most as many digits as the currency has. It refuses everything else (exponents, NaN, plus signs,
// separators, blanks, more decimals even if zero, what does not fit 64 bits): the caller knows its format, and a guess
// about money is worse than an error.
func ParseDecimal(text string, c Currency) (Amount, error) {
	exponent, err := c.Exponent()
	if err != nil {
		return Amount{}, err
	}
	if len(text) > maxText {
		return Amount{}, badDecimal(text, fmt.Sprintf("longer than %d characters", maxText), c)
	}
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	switch {
	case whole == "" || point && fraction == "":
		return Amount{}, badDecimal(text, "not a decimal number", c)
	case len(whole) > 1 && whole[0] == '0':
		return Amount{}, badDecimal(text, "written with a leading zero", c)
	case len(fraction) > exponent && onlyDigits(fraction):
		return Amount{}, badDecimal(text, fmt.Sprintf("finer than the %d decimals of %s", exponent, c), c)
	}
	var magnitude uint64
	for _, part := range []string{whole, fraction, "0000"[:max(0, min(4, exponent-len(fraction)))]} {
		for i := range len(part) {
			d := part[i] - '0'
			if d > 9 {
				return Amount{}, badDecimal(text, "not a decimal number", c)
			}
			if magnitude > (math.MaxUint64-uint64(d))/10 {
				return Amount{}, badDecimal(text, "too large", c)
			}
			magnitude = magnitude*10 + uint64(d)
		}
	}
	minor, ok := signed(magnitude, negative)
	if !ok {
		return Amount{}, badDecimal(text, "too large", c)
	}
	return Amount{minor, c}, nil
}

func onlyDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

func badDecimal(text, why string, c Currency) error {
	return &moongate.Error{
		Code:    moongate.Malformed,
		Message: fmt.Sprintf("amount %.40q is %s", text, why),
		Hint:    fmt.Sprintf("write %s like %s", c, Amount{123456, c}.Decimal()),
	}
}

// Decimal is the exact decimal text without currency, with a hyphen-minus and all decimals: "-1234.50". It is what
// [ParseDecimal] reads. Of an unknown currency it is the minor units.
func (a Amount) Decimal() string { return string(a.appendDecimal(make([]byte, 0, maxText), "-", "")) }

// String is decimal text and currency: "1999.00 CNY". Of an unknown currency it says that it shows minor units.
func (a Amount) String() string {
	if a.Check() != nil {
		return fmt.Sprintf("%d minor units of %q", a.Minor, a.Currency.String())
	}
	return a.Decimal() + " " + a.Currency.String()
}

// Figures is the amount for people, without currency, for a column whose head names it: "−1,234.50", with separators
// and a true minus (U+2212).
func (a Amount) Figures() string {
	return string(a.appendDecimal(make([]byte, 0, 2*maxText), minus, ","))
}

// Display is the amount for people in a language ("zh", "en"; a region after a hyphen is ignored, and another language
// reads as English): "¥1,234.50" in Chinese and "CN¥1,234.50" in English, with a true minus before the symbol. A
// currency without a symbol shows its code and a no-break space: "CHF 12.00".
func (a Amount) Display(language string) string {
	locale := "en"
	if language == "zh" || strings.HasPrefix(language, "zh-") {
		locale = "zh"
	}
	code := a.Currency.String()
	symbol, _ := currency.GetSymbol(code, currency.NewLocale(locale))
	if symbol == "" || symbol == code {
		symbol = code + "\u00a0"
	}
	figures := a.Figures()
	if positive, negative := strings.CutPrefix(figures, minus); negative {
		return minus + symbol + positive
	}
	return symbol + figures
}

const minus = "\u2212"

func (a Amount) appendDecimal(b []byte, sign, separator string) []byte {
	exponent, err := a.Currency.Exponent()
	if err != nil {
		exponent = 0
	}
	magnitude, negative := magnitudeOf(a.Minor)
	if negative {
		b = append(b, sign...)
	}
	digits := fmt.Sprintf("%0*d", exponent+1, magnitude)
	whole, fraction := digits[:len(digits)-exponent], digits[len(digits)-exponent:]
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b = append(b, separator...)
		}
		b = append(b, whole[i])
	}
	if exponent > 0 {
		b = append(b, '.')
		b = append(b, fraction...)
	}
	return b
}

// magnitudeOf splits a number into its size and sign; the size of the smallest int64 still fits.
func magnitudeOf(n int64) (uint64, bool) {
	if n < 0 {
		return -uint64(n), true // two's complement: this is |n|
	}
	return uint64(n), false
}

// signed is the inverse of magnitudeOf, and whether the number fits.
func signed(magnitude uint64, negative bool) (int64, bool) {
	if negative {
		return -int64(magnitude), magnitude <= 1<<63 // 2⁶³ becomes the smallest int64
	}
	return int64(magnitude), magnitude <= math.MaxInt64 // checked beside
}
