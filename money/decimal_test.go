package money_test

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

var (
	bhd = money.Currency{'B', 'H', 'D'} // three decimals
	chf = money.Currency{'C', 'H', 'F'} // no symbol of its own
	clf = money.Currency{'C', 'L', 'F'} // four decimals
)

func TestParseDecimal(t *testing.T) {
	for _, c := range []struct {
		text     string
		currency money.Currency
		want     int64
	}{
		{"19.99", money.CNY, 1999},
		{"0", money.CNY, 0},
		{"-0.01", money.CNY, -1},
		{"58.9", money.BRL, 5890},
		{"58", money.BRL, 5800},
		{"1999", money.JPY, 1999},
		{"1.999", bhd, 1999},
		{"1.9", clf, 19000},
		{"92233720368547758.07", money.CNY, math.MaxInt64},
		{"-92233720368547758.08", money.CNY, math.MinInt64},
		{"-9223372036854775808", money.JPY, math.MinInt64},
	} {
		got, err := money.ParseDecimal(c.text, c.currency)
		if err != nil || got != money.Of(c.want, c.currency) {
			t.Errorf("%s %s: %v, %v; want %d", c.text, c.currency, got, err, c.want)
		}
	}
}

func TestParseDecimalRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":                                   "not a decimal number",
		"-":                                  "not a decimal number",
		".":                                  "not a decimal number",
		".5":                                 "not a decimal number",
		"5.":                                 "not a decimal number",
		"--5":                                "not a decimal number",
		"+5":                                 "not a decimal number",
		"1 000":                              "not a decimal number",
		" 5":                                 "not a decimal number",
		"1,000":                              "not a decimal number",
		"1.2.3":                              "not a decimal number",
		"NaN":                                "not a decimal number",
		"Inf":                                "not a decimal number",
		"1e2":                                "not a decimal number",
		"1.e2":                               "not a decimal number",
		"0x10":                               "leading zero",
		"¥5":                                 "not a decimal number",
		"５":                                  "not a decimal number",
		"−5":                                 "not a decimal number",
		"1.2a4":                              "not a decimal number",
		"007":                                "leading zero",
		"00.10":                              "leading zero",
		"0.001":                              "finer than the 2 decimals of CNY",
		"1.000":                              "finer than the 2 decimals of CNY",
		"92233720368547758.08":               "too large",
		"92233720368547759":                  "too large",
		"99999999999999999999999":            "too large",
		"184467440737095516.16":              "too large",
		"1234567890123456789012345678901234": "longer than 32 characters",
		strings.Repeat("9", 1_000_000):       "longer than 32 characters",
		"0.0000000000000000000000000000000000000000000000000000001": "longer than 32 characters",
	} {
		got, err := money.ParseDecimal(text, money.CNY)
		if moongate.CodeOf(err) != moongate.Malformed || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: %v, %v; want %q", text, got, err, why)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%.60q: the error is as long as the input", text)
		}
	}
	if _, err := money.ParseDecimal("1", money.Currency{'X', 'A', 'U'}); err == nil || !strings.Contains(err.Error(), `"XAU"`) {
		t.Errorf("unknown currency: %v", err)
	}
}

func TestParse(t *testing.T) {
	if a, err := money.Parse("-19.99 CNY"); err != nil || a != money.Of(-1999, money.CNY) {
		t.Errorf("%v, %v", a, err)
	}
	for _, text := range []string{"", " ", "19.99", "19.99CNY", "CNY 19.99", "19.99  CNY", "19.99 CNY ", "19.99 cny", "x CNY"} {
		if a, err := money.Parse(text); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%q: %v, %v", text, a, err)
		}
	}
}

func TestTextGoesThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom([]money.Currency{money.CNY, money.JPY, bhd, clf}).Draw(t, "currency")
		a := money.Of(anyInt64().Draw(t, "minor"), c)
		back, err := money.Parse(a.String())
		if err != nil || back != a {
			t.Fatalf("%q became %v, %v", a.String(), back, err)
		}
		exponent, _ := c.Exponent()
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
		want := new(big.Rat).SetFrac(big.NewInt(a.Minor), scale).FloatString(exponent) // exact: the denominator is 10^exponent
		if a.Minor == 0 {
			want = strings.TrimPrefix(want, "-")
		}
		if a.Decimal() != want {
			t.Fatalf("%d minor units of %s: %q, want %q", a.Minor, c, a.Decimal(), want)
		}
		figures := strings.NewReplacer(",", "", "−", "-").Replace(a.Figures())
		if figures != want {
			t.Fatalf("figures %q of %q", a.Figures(), want)
		}
	})
}

func TestForPeople(t *testing.T) {
	for _, c := range []struct {
		amount               money.Amount
		figures, english, zh string
	}{
		{money.Of(0, money.CNY), "0.00", "CN¥0.00", "¥0.00"},
		{money.Of(99, money.CNY), "0.99", "CN¥0.99", "¥0.99"},
		{money.Of(-99_999, money.CNY), "−999.99", "−CN¥999.99", "−¥999.99"},
		{money.Of(100_000, money.CNY), "1,000.00", "CN¥1,000.00", "¥1,000.00"},
		{money.Of(-123_456_789, money.USD), "−1,234,567.89", "−$1,234,567.89", "−US$1,234,567.89"},
		{money.Of(1_234_567, money.JPY), "1,234,567", "¥1,234,567", "JP¥1,234,567"},
		{money.Of(1_234_567, bhd), "1,234.567", "BHD\u00a01,234.567", "BHD\u00a01,234.567"},
		{money.Of(1200, chf), "12.00", "CHF\u00a012.00", "CHF\u00a012.00"},
		{money.Of(math.MinInt64, money.BRL), "−92,233,720,368,547,758.08", "−R$92,233,720,368,547,758.08", "−R$92,233,720,368,547,758.08"},
	} {
		if got := c.amount.Figures(); got != c.figures {
			t.Errorf("figures of %s: %q, want %q", c.amount, got, c.figures)
		}
		for language, want := range map[string]string{"en": c.english, "en-GB": c.english, "xx": c.english, "": c.english, "zh": c.zh, "zh-CN": c.zh} {
			if got := c.amount.Display(language); got != want {
				t.Errorf("%s in %q: %q, want %q", c.amount, language, got, want)
			}
		}
	}
	if got := (money.Amount{Minor: -12, Currency: money.Currency{'?', '?', '?'}}).String(); got != `-12 minor units of "???"` {
		t.Errorf("unknown currency reads %q", got)
	}
}

func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"19.99", "-0.01", "0", "1e2", "NaN", "92233720368547758.08", "007", ".", "1.2.3", "１", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := money.ParseDecimal(text, money.CNY)
		if err != nil {
			return
		}
		// What is accepted is a plain decimal: big.Rat reads it as the same number.
		want, ok := new(big.Rat).SetString(text)
		if !ok || want.Cmp(big.NewRat(a.Minor, 100)) != 0 {
			t.Fatalf("%q read as %s", text, a)
		}
		if back, err := money.ParseDecimal(a.Decimal(), money.CNY); err != nil || back != a {
			t.Fatalf("%s became %v, %v", a.Decimal(), back, err)
		}
	})
}

func FuzzUnmarshalJSON(f *testing.F) {
	for _, s := range []string{`{"minor":1999,"currency":"CNY"}`, `{"minor":1e3}`, `null`, `{`, `{"minor":1,"minor":2,"currency":"CNY"}`, `{"minor":[[[[`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a money.Amount
		if a.UnmarshalJSON([]byte(text)) != nil {
			return
		}
		want := fmt.Sprintf(`{"minor":%d,"currency":%q}`, a.Minor, a.Currency)
		var back money.Amount
		if err := back.UnmarshalJSON([]byte(want)); err != nil || back != a {
			t.Fatalf("%q read as %v, which reads as %v, %v", text, a, back, err)
		}
	})
}
