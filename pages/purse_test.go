package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/party"
)

// moveAccounts has a seller say on its page where it gets its money, an operator change it, and nobody else see it.
func moveAccounts(t *testing.T, w *world) {
	const page, target = "/console/participants/kiln", "/console/participants/kiln/accounts"
	form := func(v *visitor, account, sub string) url.Values {
		return url.Values{"token": {v.get(page).token(t)}, "wallet": {"crane-pay"}, "account": {account}, "sub_merchant": {sub}}
	}
	account := func() (list string) {
		w.hub.Machine().Read(func() {
			for _, r := range w.hub.Pay.Receivers("kiln") {
				list += r.Wallet + " " + r.Account
				if r.Sub {
					list += " sub"
				}
			}
		})
		return list
	}
	kiln, office, mall := w.as("kiln"), w.as("office"), w.as("mall")
	if got := kiln.get(page); !strings.Contains(got.body, "It has named no account at a wallet") || !strings.Contains(got.body, `action="`+target+`"`) {
		t.Errorf("the seller's page: %s", words(got.body))
	}
	if got := kiln.post(target, form(kiln, "1900000201", "yes")); got.status != http.StatusSeeOther || account() != "crane-pay 1900000201 sub" {
		t.Errorf("set: %d %s %q", got.status, words(got.body), account())
	}
	w.until("the account is admitted", func() (is bool) {
		w.hub.Machine().Read(func() { is = w.hub.Pay.Receivers("kiln")[0].Admitted })
		return is
	})
	for _, want := range []string{"1900000201", "sub-merchant: orders are paid into it", target + "/crane-pay/remove"} {
		if got := kiln.get(page); !strings.Contains(got.body, want) {
			t.Errorf("the seller does not see %q: %s", want, words(got.body))
		}
	}
	if got := office.post(target, form(office, "1900000209", "")); got.status != http.StatusSeeOther || account() != "crane-pay 1900000209" {
		t.Errorf("changed by the operator: %d %q", got.status, account())
	}
	if got := mall.get(page); strings.Contains(got.body, "1900000209") || strings.Contains(got.body, target) {
		t.Error("others see the account")
	}
	for _, path := range []string{target, target + "/crane-pay/remove", "/console/participants/nobody/accounts"} {
		if got := mall.post(path, form(mall, "1", "")); got.status != http.StatusNotFound {
			t.Errorf("somebody else at %s: %d", path, got.status)
		}
	}
	reader := w.with(w.issue("kiln", party.SettlementRead))
	if got := reader.get(page); !strings.Contains(got.body, "1900000209") || strings.Contains(got.body, target) {
		t.Errorf("a credential that may only read: %s", words(got.body))
	}
	if got := reader.post(target, form(reader, "1", "")); got.status != http.StatusForbidden {
		t.Errorf("a credential that may only read sets it: %d", got.status)
	}
	if got := kiln.post(target+"/crane-pay/remove", form(kiln, "", "")); got.status != http.StatusSeeOther || account() != "" {
		t.Errorf("removed: %d %q", got.status, account())
	}
	do[pay.Done](w, "kiln", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "kiln", Account: "1900000201"}})
	do[pay.Done](w, "kiln", &pay.RemoveReceiver{Wallet: "crane-pay", Participant: "kiln"})
}
