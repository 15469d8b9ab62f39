package table

import "strings"

// Decimal reads a plain decimal number exactly: with places 2, "48.9" is 4890. It wants at least one digit before the
// point, and after a point one to places digits. Signs other than a leading minus, exponents, separators, spaces and
// words such as NaN are refused, as is anything larger than most (in the unit of the result) in either direction; the
// problem is then not empty and says what is wrong.
func Decimal(text string, places int, most int64) (value int64, problem string) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	switch {
	case text == "":
		return 0, "is empty"
	case whole == "" || !allDigits(whole) || !allDigits(fraction) || point && fraction == "":
		return 0, "is not a plain decimal number"
	case len(fraction) > places:
		return 0, "has too many digits after the point"
	}
	for i := range len(whole) + places {
		digit := int64(0)
		if i < len(whole) {
			digit = int64(whole[i] - '0')
		} else if i-len(whole) < len(fraction) {
			digit = int64(fraction[i-len(whole)] - '0')
		}
		if value > (most-digit)/10 {
			return 0, "is larger than any real one"
		}
		value = 10*value + digit
	}
	if negative {
		value = -value
	}
	return value, ""
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
