package stripe_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/stripe"
	"github.com/moongate-hub/moongate/money"
)

const (
	secret = "sk_test_51moongate"
	hook   = "whsec_moongate"
)

// account is Stripe as far as the connector sees it: sessions, payments, refunds and transfers that remember, with
// idempotency keys. The official mock, which remembers nothing, checks the requests elsewhere.
type account struct {
	*httptest.Server
	now time.Time

	mu        sync.Mutex
	sessions  []map[string]any
	payments  map[string]map[string]any
	refunds   []map[string]any
	transfers []map[string]any
	done      map[string][2]string // idempotency key → request and answer
	lose      string               // method and path of requests whose answers are lost
	calls     []string
}

func open(t testing.TB) (*account, *stripe.Wallet) {
	t.Helper()
	a := &account{now: time.Date(2026, 5, 4, 8, 0, 0, 0, time.UTC), payments: map[string]map[string]any{}, done: map[string][2]string{}}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a, a.connect(t)
}

// connect gives a connector that remembers nothing, as after a restart.
func (a *account) connect(t testing.TB) *stripe.Wallet {
	t.Helper()
	w, err := stripe.New(stripe.Config{
		SecretKey: secret, WebhookSecret: hook, Currencies: []money.Currency{{'U', 'S', 'D'}, {'E', 'U', 'R'}}, Transfers: true, BaseURL: a.URL,
		Now: func() time.Time { return a.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (a *account) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	call := r.Method + " " + r.URL.Path
	a.calls = append(a.calls, call)
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "+secret) {
		a.fail(w, 401, "invalid_request_error", "", "no such key")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if before, ok := a.done[key]; key != "" && ok {
		if before[0] != call+string(body) {
			a.fail(w, 400, "idempotency_error", "", "another request under this key")
			return
		}
		if a.lose != "" && strings.HasPrefix(call, a.lose) {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, before[1])
		return
	}
	form, _ := url.ParseQuery(string(body))
	answer := a.answer(w, r, form)
	if answer == nil {
		return
	}
	text, _ := json.Marshal(answer)
	if key != "" {
		a.done[key] = [2]string{call + string(body), string(text)}
	}
	if a.lose != "" && strings.HasPrefix(call, a.lose) {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}

func (a *account) fail(w http.ResponseWriter, status int, kind, code, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"type": kind, "code": code, "message": message}})
}

func (a *account) answer(w http.ResponseWriter, r *http.Request, form url.Values) any {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	number := func(name string) int64 { n, _ := strconv.ParseInt(form.Get(name), 10, 64); return n }
	meta := func(prefix string) map[string]string {
		m := map[string]string{}
		for k, v := range form {
			if name, ok := strings.CutPrefix(k, prefix+"["); ok {
				m[strings.TrimSuffix(name, "]")] = v[0]
			}
		}
		return m
	}
	switch {
	case r.Method == "POST" && r.URL.Path == "/v1/checkout/sessions":
		n := len(a.sessions) + 1
		s := map[string]any{
			"id": fmt.Sprint("cs_", n), "object": "checkout.session", "status": "open", "payment_status": "unpaid", "client_reference_id": form.Get("client_reference_id"),
			"amount_total": number("line_items[0][price_data][unit_amount]"), "currency": form.Get("line_items[0][price_data][currency]"),
			"url": fmt.Sprintf("%s/pay/cs_%d", a.URL, n), "expires_at": a.now.Add(24 * time.Hour).Unix(), "created": a.now.Unix(), "metadata": meta("metadata"),
			"manual": form.Get("payment_intent_data[capture_method]") == "manual",
		}
		a.sessions = append(a.sessions, s)
		return s
	case r.Method == "GET" && r.URL.Path == "/v1/checkout/sessions":
		list := []map[string]any{}
		for i := len(a.sessions) - 1; i >= 0; i-- { // newest first
			list = append(list, a.sessions[i])
		}
		return map[string]any{"object": "list", "data": list, "has_more": false, "url": "/v1/checkout/sessions"}
	case len(parts) >= 3 && parts[1] == "sessions":
		for _, s := range a.sessions {
			if s["id"] == parts[2] {
				if len(parts) == 4 { // expire
					if s["status"] != "open" {
						a.fail(w, 400, "invalid_request_error", "", "Only Checkout Sessions with a status of open can be expired")
						return nil
					}
					s["status"] = "expired"
				}
				return s
			}
		}
	case parts[0] == "payment_intents" && a.payments[parts[1]] != nil:
		p := a.payments[parts[1]]
		switch strings.Join(parts[2:], "") {
		case "capture":
			p["status"], p["amount_received"] = "succeeded", number("amount_to_capture")
		case "cancel":
			p["status"] = "canceled"
		}
		return p
	case r.Method == "POST" && parts[0] == "refunds":
		p := a.payments[form.Get("payment_intent")]
		if p == nil || number("amount")+p["refunded"].(int64) > p["amount_received"].(int64) {
			a.fail(w, 400, "invalid_request_error", "charge_already_refunded", "more than is left")
			return nil
		}
		p["refunded"] = p["refunded"].(int64) + number("amount")
		one := map[string]any{
			"id": fmt.Sprint("re_", len(a.refunds)+1), "object": "refund", "amount": number("amount"), "currency": p["currency"], "status": "succeeded",
			"created": a.now.Unix(), "metadata": meta("metadata"), "payment_intent": p["id"],
		}
		a.refunds = append(a.refunds, one)
		return one
	case parts[0] == "refunds":
		return map[string]any{"object": "list", "data": a.refunds, "has_more": false, "url": "/v1/refunds"}
	case r.Method == "POST" && parts[0] == "transfers" && len(parts) == 1:
		one := map[string]any{
			"id": fmt.Sprint("tr_", len(a.transfers)+1), "object": "transfer", "amount": number("amount"), "currency": form.Get("currency"), "created": a.now.Unix(),
			"metadata": meta("metadata"), "destination": form.Get("destination"), "source_transaction": form.Get("source_transaction"),
		}
		a.transfers = append(a.transfers, one)
		return one
	case parts[0] == "transfers":
		return map[string]any{"object": "list", "data": a.transfers, "has_more": false, "url": "/v1/transfers"}
	case parts[0] == "accounts":
		return map[string]any{"id": parts[1], "object": "account", "capabilities": map[string]string{"transfers": map[bool]string{true: "active", false: "pending"}[!strings.HasSuffix(parts[1], "new")]}}
	}
	a.fail(w, 404, "invalid_request_error", "resource_missing", "no such object")
	return nil
}

// pay is the shopper on Stripe's page.
func (a *account) pay(no string) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sessions {
		if s["client_reference_id"] == no && s["status"] == "open" {
			id := fmt.Sprint("pi_", len(a.payments)+1)
			p := map[string]any{
				"id": id, "object": "payment_intent", "status": "succeeded", "amount": s["amount_total"], "amount_received": s["amount_total"], "currency": s["currency"],
				"created": a.now.Unix(), "metadata": s["metadata"], "refunded": int64(0), "latest_charge": "ch_" + id,
			}
			s["status"], s["payment_status"], s["payment_intent"] = "complete", "paid", p
			if s["manual"] == true {
				p["status"], p["amount_received"], s["payment_status"] = "requires_capture", int64(0), "unpaid"
			}
			a.payments[id] = p
			return s
		}
	}
	return nil
}

// listening reads the address from what the official mock prints when it starts.
func listening(t *testing.T, out io.Reader) string {
	t.Helper()
	text := make([]byte, 0, 4096)
	buf := make([]byte, 512)
	for {
		n, err := out.Read(buf)
		text = append(text, buf[:n]...)
		if _, rest, ok := strings.Cut(string(text), "Listening for HTTP at address: "); ok {
			if address, _, ok := strings.Cut(rest, "\n"); ok {
				go io.Copy(io.Discard, out)
				address = strings.TrimSpace(address)
				return strings.Replace(address, "[::]", "127.0.0.1", 1)
			}
		}
		if err != nil {
			t.Fatalf("stripe-mock said: %s", text)
		}
	}
}
