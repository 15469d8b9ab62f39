package pages_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/settle"
)

// A window's page says what is left of a payout, and lets those who may say what became of it.
func TestPayoutsOnThePage(t *testing.T) {
	w := open(t)
	w.settle()
	id, err := moongate.ParseID(w.window())
	if err != nil {
		t.Fatal(err)
	}
	path := "/console/windows/" + id.String()
	office := w.as("office")
	token := office.get(path).token(t)
	if got := office.post(path+"/close_window", url.Values{"token": {token}}); got.status != http.StatusSeeOther {
		t.Fatalf("closing: %d %s", got.status, words(got.body))
	}
	var payouts []settle.Payout
	w.until("every payout waits for a person", func() bool {
		w.level()
		if payouts, _, err = settle.Payouts(context.Background(), w.hub.Views, settle.PayoutFilter{Window: id}, "", 10); err != nil {
			t.Fatal(err)
		}
		waits := len(payouts) > 0
		for _, p := range payouts {
			waits = waits && p.Progress == "manual"
		}
		return waits
	})
	of := map[string]string{}
	for _, p := range payouts {
		of[p.To] = path + "/payouts/" + p.Instruction
	}
	if of["kiln"] == "" || of["mall"] == "" {
		t.Fatalf("%+v", payouts)
	}
	page := office.get(path)
	for _, says := range []string{"/paid", "/sent", "/returned"} {
		if !strings.Contains(page.body, of["kiln"]+says) {
			t.Errorf("an operator is not offered %s: %s", says, words(page.body))
		}
	}
	if strings.Contains(page.body, of["kiln"]+"/manual") {
		t.Error("what waits for a person may be left to one")
	}
	findPayouts(t, w, id, payouts)
	kiln := w.as("kiln")
	own := kiln.get(path)
	if !strings.Contains(own.body, of["kiln"]+"/paid") || strings.Contains(own.body, "/returned") || strings.Contains(own.body, of["mall"]) {
		t.Errorf("the payee is offered something else: %s", words(own.body))
	}
	for target, want := range map[string]int{of["kiln"] + "/returned": http.StatusForbidden, of["mall"] + "/paid": http.StatusNotFound, of["kiln"] + "/lost": http.StatusNotFound, path + "/payouts/x/paid": http.StatusNotFound} {
		if got := kiln.post(target, url.Values{"token": {own.token(t)}, "note": {"because"}}); got.status != want {
			t.Errorf("%s: %d, want %d", target, got.status, want)
		}
	}
	if got := kiln.post(of["kiln"]+"/paid", url.Values{"token": {own.token(t)}, "ref": {"bank 2291"}}); got.status != http.StatusSeeOther {
		t.Fatalf("the payee has it: %d %s", got.status, words(got.body))
	}
	if got := office.post(of["mall"]+"/sent", url.Values{"token": {page.token(t)}}); got.status != http.StatusSeeOther {
		t.Errorf("told again: %d %s", got.status, words(got.body))
	}
	if got := office.post(of["mall"]+"/manual", url.Values{"token": {page.token(t)}, "note": {"we pay it ourselves"}}); got.status != http.StatusSeeOther {
		t.Errorf("left to a person: %d %s", got.status, words(got.body))
	}
	if got := office.post(of["mall"]+"/returned", url.Values{"token": {page.token(t)}}); got.status != http.StatusBadRequest {
		t.Errorf("without a reason: %d", got.status)
	}
	if got := office.post(of["mall"]+"/returned", url.Values{"token": {page.token(t)}, "note": {"no such account"}}); got.status != http.StatusSeeOther {
		t.Errorf("returned: %d %s", got.status, words(got.body))
	}
	w.level()
	page = office.get(path)
	for _, want := range []string{"no such account", "settled"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("afterwards the page lacks %q: %s", want, words(page.body))
		}
	}
	for _, p := range payouts {
		if strings.Contains(page.body, "/payouts/"+p.Instruction) && (p.To == "kiln" || p.To == "mall") {
			t.Errorf("something may still be said of what ended: %s", words(page.body))
		}
	}
}

// findPayouts reads the list across windows: each filter, who sees what, and where a row leads.
func findPayouts(t *testing.T, w *world, window moongate.ID, payouts []settle.Payout) {
	const list = "/console/payouts"
	of := map[string]string{}
	for _, p := range payouts {
		of[p.To] = p.Instruction
	}
	for query, want := range map[string]bool{
		"": true, "?state=manual": true, "?state=paid": false, "?wallet=crane-pay": true, "?wallet=elsewhere": false,
		"?participant=kiln": true, "?participant=crane-pay": true, "?participant=mall": false, "?state=manual&wallet=crane-pay&participant=kiln": true,
	} {
		if got := w.as("office").get(list + query); got.status != http.StatusOK || strings.Contains(got.body, of["kiln"]) != want {
			t.Errorf("%q shows the seller's payout: %v, want %v (%d)", query, !want, want, got.status)
		}
	}
	if got := w.as("office").get(list + "?state=lost"); got.status != http.StatusBadRequest {
		t.Errorf("a state that is none: %d", got.status)
	}
	if got := w.as("kiln").get(list); !strings.Contains(got.body, of["kiln"]) || strings.Contains(got.body, of["mall"]) {
		t.Errorf("the payee reads another list than its own: %s", words(got.body))
	}
	if got := w.as("rival").get(list + "?participant=kiln"); got.status != http.StatusOK || strings.Contains(got.body, of["kiln"]) {
		t.Errorf("a stranger reads the seller's payouts by naming it: %d", got.status)
	}
	row := "/console/windows/" + window.String() + "?id=" + of["kiln"]
	if got := w.as("office").get(list); !strings.Contains(got.body, `href="`+row+`"`) || !strings.Contains(w.as("office").get("/console/windows").body, list) {
		t.Errorf("the list does not lead to %s, or nothing leads to the list", row)
	}
	if got := w.as("office").get(row); !strings.Contains(got.body, of["kiln"]+"/paid") || strings.Contains(got.body, of["mall"]) {
		t.Errorf("a row leads to something else than its payout: %s", words(got.body))
	}
	if got := w.as("kiln").get("/console/windows/" + window.String() + "?id=" + of["mall"]); got.status != http.StatusNotFound {
		t.Errorf("a payee reads another's payout by naming it: %d", got.status)
	}
}
