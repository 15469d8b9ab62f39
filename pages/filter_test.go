package pages_test

import (
	"net/http"
	"strings"
	"testing"
)

// narrow tries each filter of the list of payments.
func narrow(t *testing.T, w *world) {
	today, tomorrow := w.now().Go().UTC().Format("2006-01-02"), w.now().Go().UTC().AddDate(0, 0, 1).Format("2006-01-02")
	for query, want := range map[string]bool{
		"": true, "state=succeeded": true, "state=open": false, "state=unknown": false, "wallet=crane-pay": true, "wallet=elsewhere": false,
		"order=ORDER-0417": true, "order=ORDER-9": false, "since=" + today: true, "since=" + tomorrow: false, "until=" + today: true, "until=2020-01-01": false,
		"merchant=mall": true, "merchant=kiln": false, "state=succeeded&wallet=crane-pay&order=ORDER-0417&merchant=mall&since=" + today: true,
	} {
		if got := w.as("office").get("/console/payments?" + query); got.status != http.StatusOK || strings.Contains(got.body, w.paid.String()) != want {
			t.Errorf("%q shows the payment: %v, want %v (%d)", query, !want, want, got.status)
		}
	}
	if got := w.as("office").get("/console/payments?since=yesterday"); got.status != http.StatusBadRequest {
		t.Errorf("a day that is none: %d", got.status)
	}
	if got := w.as("rival").get("/console/payments?merchant=mall"); strings.Contains(got.body, w.paid.String()) {
		t.Error("a stranger reads the marketplace's payments by naming it")
	}
}
