package pages_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate/gate/pay"
)

func resolveException(t *testing.T, w *world) {
	payment := w.sell("ORDER-0500", 5000, "the items do not add up")
	w.pay(payment)
	w.level()
	if got := w.as("mall").get("/console/exceptions"); !strings.Contains(got.body, "ORDER-0500") || strings.Contains(got.body, "give_back") {
		t.Errorf("the merchant's own queue: %s", words(got.body))
	}
	office := w.as("office")
	for age, want := range map[string]bool{"": true, "day": true, "three": false, "week": false, "older": false} {
		if got := office.get("/console/exceptions?age=" + age); strings.Contains(got.body, "ORDER-0500") != want {
			t.Errorf("among those of age %q it stands: %v", age, !want)
		}
	}
	if got := office.get("/console/exceptions?wallet=elsewhere"); strings.Contains(got.body, "ORDER-0500") {
		t.Error("it stands among those of another wallet")
	}
	queue := office.get("/console/exceptions")
	m := regexp.MustCompile(`action="(/console/exceptions/exc_[a-z0-9_]+/give_back)"`).FindStringSubmatch(queue.body)
	if m == nil {
		t.Fatalf("nothing to resolve: %s", words(queue.body))
	}
	if got := w.as("mall").post(m[1], url.Values{"token": {queue.token(t)}, "note": {"mine"}}); got.status != http.StatusForbidden {
		t.Errorf("the merchant resolves: %d", got.status)
	}
	if got := office.post(m[1], url.Values{"token": {queue.token(t)}}); got.status != http.StatusBadRequest {
		t.Errorf("without a note: %d", got.status)
	}
	if got := office.post(m[1], url.Values{"token": {queue.token(t)}, "note": {"the order was cancelled"}}); got.status != http.StatusSeeOther {
		t.Fatalf("give back: %d %s", got.status, words(got.body))
	}
	w.until("the money is back", func() bool {
		back := false
		w.hub.Machine().Read(func() {
			p, _ := w.hub.Pay.Lookup(payment)
			back = p.Status == pay.Returned
		})
		return back
	})
	w.level()
	if got := office.get("/console/exceptions?state=resolved"); !strings.Contains(got.body, payment.String()) {
		t.Errorf("the resolved one is gone: %s", words(got.body))
	}
	for _, want := range []string{"Garden Office", "given back", "the order was cancelled"} {
		if got := office.get("/console/exceptions?state=resolved"); !strings.Contains(got.body, want) {
			t.Errorf("how it was resolved does not show %q: %s", want, words(got.body))
		}
	}
	if got := w.as("mall").get("/console/refunds?state=succeeded"); !strings.Contains(got.body, payment.String()) || !strings.Contains(got.body, "50.00") {
		t.Errorf("its refund: %s", words(got.body))
	}
	if got := w.as("mall").get("/console/refunds?state=failed"); strings.Contains(got.body, payment.String()) {
		t.Error("a refund that succeeded is listed among those that failed")
	}
	if got := office.get("/console/payments/" + payment.String()); !strings.Contains(got.body, "back to the shopper") {
		t.Errorf("its story: %s", words(got.body))
	}
}
