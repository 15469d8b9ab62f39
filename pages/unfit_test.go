package pages_test

import (
	"strings"
	"testing"

	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// leaveOut has a payment that one of the wallets named cannot take: its page tells the marketplace which, and why.
func leaveOut(t *testing.T, w *world) {
	do[party.Done](w, "", &party.Register{Handle: "heron-pay", Kind: party.Wallet, Name: "Heron Pay"})
	payment := do[pay.PaymentAnswer](w, "mall", &pay.Create{
		Order: "ORDER-0601", From: "news", To: "mall", Agreement: w.agreement, Amount: money.Of(9900, money.CNY), Title: "Teapot No. 7",
		Payees: []crossing.Payee{{Party: "kiln", Amount: 9900}}, Wallets: []string{"crane-pay", "heron-pay"},
	}).Payment
	for lang, says := range map[string]string{"en": "do not let this payment pass through it", "zh": "不允许本次付款经由该钱包"} {
		got := w.as("mall").get("/console/payments/" + payment.String() + "?lang=" + lang)
		if !strings.Contains(got.body, "Heron Pay") || !strings.Contains(got.body, says) {
			t.Errorf("%s: the page does not say why: %s", lang, words(got.body))
		}
	}
}
