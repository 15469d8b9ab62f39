package pay_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/ledger"
)

// A shopper pays: the cashier, the wallet, the notification, the books.
func TestPurchase(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	page := w.get(w.address(id))
	if body := page.Body.String(); page.Code != http.StatusOK || !strings.Contains(body, "choosing") || !strings.Contains(body, "carp-pay") {
		t.Fatalf("%d %s", page.Code, body)
	}
	chosen := w.post(w.address(id), url.Values{"wallet": {"crane-pay"}})
	if chosen.Code != http.StatusSeeOther || chosen.Header().Get("Location") != w.address(id) {
		t.Fatalf("%d %v", chosen.Code, chosen.Header())
	}
	w.settle()
	if body := w.get(w.address(id)).Body.String(); !strings.Contains(body, "awaiting") || !strings.Contains(body, "https://crane-pay.test/wxpay/bizpayurl?pr=") {
		t.Fatal(body)
	}
	w.approve("crane-pay", w.payment(id).Attempt)
	w.pass(10*time.Second, time.Second)
	w.stands(id, pay.Succeeded)
	if got, want := w.kinds(id), "created attempt_opened handed_over attempt_ended settled"; got != want {
		t.Errorf("history %q, want %q", got, want)
	}
	if body := w.get(w.address(id)).Body.String(); !strings.Contains(body, "succeeded") {
		t.Error(body)
	}
	for owner, want := range map[string]int64{"tea-shop": 9_440, "lotus-market": 500} {
		if got := w.owed(owner, ledger.Payable); got != want {
			t.Errorf("%s is owed %d, want %d", owner, got, want)
		}
	}
	if got := w.owed("crane-pay", ledger.Fee); got != 60 {
		t.Errorf("the wallet has earned %d", got)
	}
}

// News of a payment come by notification, by the query that the shopper's return causes, by the query that time causes,
// and by the close that a cancellation causes: in every order, once or twice each. It succeeds once.
func TestRaces(t *testing.T) {
	news := map[string]func(*world, *testing.T){
		"notification": func(w *world, t *testing.T) {
			if len(w.missed) == 0 {
				t.Fatal("the wallet has not told")
			}
			if code := w.bring(w.missed[0]); code != http.StatusNoContent {
				t.Errorf("notification: %d", code)
			}
		},
		"return": func(w *world, t *testing.T) {
			for id := range w.ids() {
				if got := w.get(w.address(id) + "/return"); got.Code != http.StatusSeeOther {
					t.Errorf("return: %d", got.Code)
				}
			}
		},
		"time": func(w *world, _ *testing.T) { w.pass(40*time.Second, 10*time.Second) },
		"close": func(w *world, _ *testing.T) {
			for id := range w.ids() {
				_, _ = w.cancel(id)
			}
		},
	}
	for _, order := range permutations([]string{"notification", "return", "time", "close"}) {
		for _, late := range []bool{false, true} { // effects run at once, or only after the next piece of news
			t.Run(fmt.Sprint(strings.Join(order, ","), late), func(t *testing.T) {
				w := newWorld(t)
				w.deaf = true
				id, attempt := w.opened("1001")
				w.approve("crane-pay", attempt)
				w.Advance(10 * time.Second)
				for range 2 {
					for _, what := range order {
						news[what](w, t)
						if !late {
							w.settle()
						}
					}
				}
				w.settle()
				w.stands(id, pay.Succeeded)
				if got := strings.Count(w.kinds(id), "settled"); got != 1 {
					t.Errorf("settled %d times: %s", got, w.kinds(id))
				}
				if n := len(w.troubles()); n != 0 {
					t.Errorf("%d exceptions", n)
				}
			})
		}
	}
}

func permutations(list []string) [][]string {
	if len(list) < 2 {
		return [][]string{list}
	}
	var all [][]string
	for i := range list {
		rest := append(append([]string{}, list[:i]...), list[i+1:]...)
		for _, p := range permutations(rest) {
			all = append(all, append([]string{list[i]}, p...))
		}
	}
	return all
}
