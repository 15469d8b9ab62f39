package ledger_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
)

func TestAccountText(t *testing.T) {
	window := moongate.NewID(moongate.KindWindow, moongate.Hub{1, 2, 3}, [12]byte{9})
	for text, want := range map[string]ledger.Account{
		"shop/CNY/payable":                   payable("shop"),
		"yuebao@north/JPY/wallet":            {Owner: "yuebao@north", Currency: money.JPY, Purpose: ledger.Wallet},
		"/CNY/clearing/" + window.String():   {Currency: money.CNY, Purpose: ledger.Clearing, Of: window},
		"app/USD/accrual/" + window.String(): {Owner: "app", Currency: money.USD, Purpose: ledger.Accrual, Of: window},
	} {
		got, err := ledger.ParseAccount(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                        "is no account",
		"shop":                    "is no account",
		"shop/CNY":                "is no account",
		"shop/CNY/payable/x/y":    "is no account",
		"shop/cny/payable":        `currency "cny"`,
		"shop/CNY/purse":          `no account is for "purse"; write one of wallet, payable, fee`,
		"shop/CNY/purpose0":       "no account is for",
		"shop/CNY/payable/":       "is not an identifier",
		"a b/CNY/payable":         `"a b" is no participant's handle`,
		"甲/CNY/payable":           "is no participant's handle",
		strings.Repeat("/", 1000): "is no account",
		strings.Repeat("a", 1<<20) + "/CNY/payable": "is no account",
		strings.Repeat("a", 129) + "/CNY/payable":   "is no participant's handle",
	} {
		got, err := ledger.ParseAccount(text)
		if moongate.CodeOf(err) != moongate.Malformed || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %+v, %v; want %q", text, got, err, want)
		}
	}
}

func TestAccountJSON(t *testing.T) {
	b, err := json.Marshal(payable("shop"))
	if want := `{"owner":"shop","currency":"CNY","purpose":"payable"}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	var back ledger.Account
	if err := json.Unmarshal(b, &back); err != nil || back != payable("shop") {
		t.Errorf("%+v, %v", back, err)
	}
}

func FuzzParseAccount(f *testing.F) {
	for _, s := range []string{"shop/CNY/payable", "/CNY/clearing/win_aeaqc_mfrggzdfmztwq2lknnwa", "a//", "a/CNY/wallet/", "\xff/CNY/fee"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ledger.ParseAccount(text)
		if err == nil && a.String() != text {
			t.Fatalf("%q reads as %q", text, a)
		}
	})
}
