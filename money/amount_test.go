package money_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

func Example() {
	price, _ := money.ParseDecimal("19.99", money.CNY)
	total, _ := price.Mul(3)
	fee, _ := total.Of(60, money.HalfAway) // 60 basis points: 0.6 %
	parts, _ := money.Allocate(total.Minor-fee.Minor, []int64{1, 1, 1})
	fmt.Println(total, fee, parts)
	back, _ := money.Of(-1234567, money.CNY).Sub(total)
	fmt.Println(back.Display("zh"), back.Display("en"))
	// Output:
	// 59.97 CNY 0.36 CNY [1987 1987 1987]
	// −¥12,405.64 −CN¥12,405.64
}

// anyInt64 draws from all of int64, with its edges and small numbers often.
func anyInt64() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64(),
		rapid.Int64Range(-1000, 1000),
		rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}),
	)
}

func TestArithmeticAgreesWithBigInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := anyInt64().Draw(t, "x"), anyInt64().Draw(t, "y")
		a, b := money.Of(x, money.CNY), money.Of(y, money.CNY)
		bx, by := big.NewInt(x), big.NewInt(y)
		for _, op := range []struct {
			name string
			run  func() (money.Amount, error)
			want *big.Int
		}{
			{"add", func() (money.Amount, error) { return a.Add(b) }, new(big.Int).Add(bx, by)},
			{"sub", func() (money.Amount, error) { return a.Sub(b) }, new(big.Int).Sub(bx, by)},
			{"mul", func() (money.Amount, error) { return a.Mul(y) }, new(big.Int).Mul(bx, by)},
			{"neg", a.Neg, new(big.Int).Neg(bx)},
		} {
			got, err := op.run()
			if !op.want.IsInt64() {
				if moongate.CodeOf(err) != moongate.Malformed {
					t.Fatalf("%s of %d and %d is %s: want an error, got %v, %v", op.name, x, y, op.want, got, err)
				}
				continue
			}
			if err != nil || got != money.Of(op.want.Int64(), money.CNY) {
				t.Fatalf("%s of %d and %d: got %v, %v; want %s", op.name, x, y, got, err, op.want)
			}
		}
		if order, err := a.Cmp(b); err != nil || order != bx.Cmp(by) {
			t.Fatalf("cmp of %d and %d: %d, %v", x, y, order, err)
		}
		if a.Sign() != bx.Sign() || a.IsZero() != (x == 0) {
			t.Fatalf("sign of %d is %d", x, a.Sign())
		}
	})
}

func TestCurrenciesDoNotMix(t *testing.T) {
	a, b := money.Of(1, money.CNY), money.Of(1, money.USD)
	for name, err := range map[string]error{
		"add": second(a.Add(b)), "sub": second(a.Sub(b)), "cmp": second(a.Cmp(b)),
	} {
		if err == nil || !strings.Contains(err.Error(), `"CNY" and "USD"`) {
			t.Errorf("%s: %v does not name both currencies", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestCurrency(t *testing.T) {
	for code, want := range map[string]int{"CNY": 2, "JPY": 0, "KRW": 0, "BHD": 3, "CLF": 4, "USD": 2, "BRL": 2} {
		c, err := money.ParseCurrency(code)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Exponent(); err != nil || got != want || c.String() != code || c.IsZero() {
			t.Errorf("%s: exponent %d, %v; want %d", code, got, err, want)
		}
	}
	for _, code := range []string{"", "cny", "CN", "CNYY", "XAU", "XTS", "XXX", "人", "\x00\x00\x00", "RMB"} {
		_, err := money.ParseCurrency(code)
		if moongate.CodeOf(err) != moongate.Malformed || !strings.Contains(err.Error(), fmt.Sprintf("%q", code)) {
			t.Errorf("%q: %v does not name it", code, err)
		}
	}
	if err := (money.Amount{Minor: 5}).Check(); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("an amount without currency: %v", err)
	}
	if err := money.Of(5, money.JPY).Check(); err != nil {
		t.Error(err)
	}
}

func TestJSON(t *testing.T) {
	b, err := json.Marshal(money.Of(1999, money.CNY))
	if want := `{"minor":1999,"currency":"CNY"}`; err != nil || string(b) != want {
		t.Fatalf("%s, %v; want %s", b, err, want)
	}
	type payment struct {
		Price money.Amount            `json:"price"`
		ByUse map[money.Currency]bool `json:"by_use"`
	}
	var p payment
	in := `{"price": {"currency":"JPY", "minor": -9223372036854775808}, "by_use":{"EUR":true}}`
	if err := json.Unmarshal([]byte(in), &p); err != nil || p.Price != money.Of(math.MinInt64, money.JPY) || !p.ByUse[money.EUR] {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestJSONIsStrict(t *testing.T) {
	for in, want := range map[string]string{
		`null`:                                              "not an amount",
		`1999`:                                              "not an amount",
		`[]`:                                                "not an amount",
		`{}`:                                                "minor: the amount does not give it",
		`{"minor":1}`:                                       "currency: the amount does not give it",
		`{"currency":"CNY"}`:                                "minor: the amount does not give it",
		`{"minor":1,"currency":"cny"}`:                      `"cny"`,
		`{"minor":1,"currency":"XAU"}`:                      `"XAU"`,
		`{"minor":1,"currency":null}`:                       "not a text",
		`{"minor":null,"currency":"CNY"}`:                   "not a number",
		`{"minor":"1","currency":"CNY"}`:                    "not a number",
		`{"minor":{},"currency":"CNY"}`:                     "not a number",
		`{"minor":1.0,"currency":"CNY"}`:                    "1.0 is not a whole number",
		`{"minor":2e3,"currency":"CNY"}`:                    "2e3 is not a whole number",
		`{"minor":-0,"currency":"CNY"}`:                     "-0 is not a whole number",
		`{"Minor":1,"currency":"CNY"}`:                      `no member "Minor"`,
		`{"minor":1,"minor":1}`:                             "minor: the amount gives it twice",
		`{"currency":"CNY","currency":""}`:                  "currency: the amount gives it twice",
		`{"minor":1,"currency":"CNY","x":1}`:                "no member \"x\"",
		`{"minor":9223372036854775808,"currency":"CNY"}`:    "within 64 bits",
		`{"minor":1e999999999999999999999,"currency":"CNY"`: "not a whole number",
		`{"minor":1,"currency":"CNY"`:                       "not valid JSON",
		`{"minor":1,"currency":"CNY"} {}`:                   "something follows",
	} {
		var a money.Amount
		err := a.UnmarshalJSON([]byte(in))
		if moongate.CodeOf(err) != moongate.Malformed || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v; want %q", in, a, err, want)
		}
		if a != (money.Amount{}) {
			t.Errorf("%s: an error left %v behind", in, a)
		}
	}
}

func TestCBOR(t *testing.T) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := mode.Marshal(money.Of(1999, money.CNY))
	// A map of two: 1 → 1999, 2 → the three letters.
	if want := "a2011907cf0243434e59"; err != nil || hex.EncodeToString(b) != want {
		t.Fatalf("%x, %v; want %s", b, err, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := money.Of(anyInt64().Draw(t, "minor"), rapid.SampledFrom([]money.Currency{money.CNY, money.JPY, money.BRL, {}}).Draw(t, "currency"))
		b, err := mode.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back money.Amount
		if err := cbor.Unmarshal(b, &back); err != nil || back != a {
			t.Fatalf("%v became %v, %v", a, back, err)
		}
	})
}
