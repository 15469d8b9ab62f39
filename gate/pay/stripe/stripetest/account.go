// Package stripetest plays an account at Stripe, for tests: Checkout Sessions, payments that may be authorised first,
// refunds and transfers that remember, idempotency keys, lists and a search that lags, and signed events. The official
// mock, which knows Stripe's whole interface and remembers nothing, checks the form of requests elsewhere; here counts what
// becomes of them.
package stripetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	sdk "github.com/stripe/stripe-go/v84"
	"github.com/stripe/stripe-go/v84/webhook"
)

// What an account is reached with.
const (
	SecretKey     = "sk_test_51moongate" //nolint:gosec // of nobody
	WebhookSecret = "whsec_moongate"     //nolint:gosec // of nobody
)

// Hold is how long a reservation lasts before it lapses by itself, and lag how long the search does not know of a payment.
const (
	Hold = 7 * 24 * time.Hour
	lag  = time.Minute
)

// Object is something that the account keeps, as the interface shows it.
type Object = map[string]any

// Account is one account. It serves the interface over HTTP.
type Account struct {
	now func() time.Time
	url string // of the page on which shoppers pay

	mu        sync.Mutex // guards what follows
	sessions  []Object
	payments  []Object
	refunds   []Object
	transfers []Object
	done      map[string]answered // by idempotency key
	lose      string
	fall      string // requests that begin so are answered with 500,
	half      bool   // after what was asked is done
	calls     []string
	letters   []Letter
	events    int
}

// answered is a request and its answer, as they are remembered under a key.
type answered struct {
	request, answer string
	status          int
	at              time.Time
}

// remembers is how long the account remembers a key at least, and here no longer.
const remembers = 24 * time.Hour

// Letter is an event as it is delivered.
type Letter struct {
	Kind   string
	Header http.Header
	Body   []byte
}

// New opens an account under a clock.
func New(now func() time.Time) *Account {
	return &Account{now: now, url: "https://checkout.stripe.test", done: map[string]answered{}}
}

// Lose has the answers to requests whose method and path begin so get lost, after what was asked is done; "" ends it.
func (a *Account) Lose(call string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lose = call
}

// Fall has requests whose method and path begin so answered with 500, which is kept under their keys; "" ends it. What was
// asked is not done, or, half, done all the same.
func (a *Account) Fall(call string, half bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fall, a.half = call, half
}

// Keys counts the idempotency keys under which something was ever answered.
func (a *Account) Keys() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.done)
}

// Calls are the methods and paths that were called.
func (a *Account) Calls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// Sessions counts the sessions.
func (a *Account) Sessions() int { return a.count(&a.sessions) }

// Refunds counts the refunds.
func (a *Account) Refunds() int { return a.count(&a.refunds) }

func (a *Account) count(list *[]Object) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(*list)
}

// Transfers are the transfers.
func (a *Account) Transfers() []Object {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.transfers)
}

// Held is what the account has of an order for good, and whether more of it is reserved.
func (a *Account) Held(no string) (minor int64, reserved bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.paymentOf(no); p != nil {
		return p["amount_received"].(int64) - p["refunded"].(int64), p["status"] == "requires_capture"
	}
	return 0, false
}

// ServeHTTP implements [http.Handler].
func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lapse()
	call := r.Method + " " + r.URL.Path
	a.calls = append(a.calls, call)
	if r.Header.Get("Authorization") != "Bearer "+SecretKey {
		fail(w, http.StatusUnauthorized, "invalid_request_error", "", "no such key")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	key := r.Header.Get("Idempotency-Key")
	before, again := a.done[key]
	again = again && key != "" && a.now().Sub(before.at) < remembers
	if again && before.request != call+string(body) {
		fail(w, http.StatusBadRequest, "idempotency_error", "", "another request under this key")
		return
	}
	text, status := []byte(before.answer), before.status
	if again {
		w.Header().Set("Idempotent-Replayed", "true")
	} else {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			fail(w, http.StatusBadRequest, "invalid_request_error", "", "the body is no form")
			return
		}
		falls := a.fall != "" && strings.HasPrefix(call, a.fall)
		var answer any
		if !falls || a.half {
			if answer = a.answer(w, r, form); answer == nil {
				return
			}
			answer = shown(answer, expanded(r, form))
		}
		if status = http.StatusOK; falls {
			status, answer = http.StatusInternalServerError, Object{"error": Object{"type": "api_error", "message": "something went wrong"}}
		}
		if text, err = json.Marshal(answer); err != nil {
			panic(err) // objects are made of text and numbers
		}
		if key != "" {
			a.done[key] = answered{call + string(body), string(text), status, a.now()}
		}
	}
	if a.lose != "" && strings.HasPrefix(call, a.lose) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// RoundTrip implements [http.RoundTripper]: the account without a socket.
func (a *Account) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	defer func() {
		if recover() != nil {
			answer, err = nil, io.ErrUnexpectedEOF
		}
	}()
	a.ServeHTTP(rec, r)
	return &http.Response{
		StatusCode: rec.status, Status: http.StatusText(rec.status), Header: rec.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		ContentLength: int64(rec.body.Len()), Body: io.NopCloser(strings.NewReader(rec.body.String())),
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func fail(w http.ResponseWriter, status int, kind, code, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(Object{"error": Object{"type": kind, "code": code, "message": message}})
}

func number(form url.Values, name string) int64 {
	n, err := strconv.ParseInt(form.Get(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func meta(form url.Values, prefix string) map[string]string {
	m := map[string]string{}
	for k, v := range form {
		if name, ok := strings.CutPrefix(k, prefix+"["); ok {
			m[strings.TrimSuffix(name, "]")] = v[0]
		}
	}
	return m
}

func list(path string, data []Object) Object {
	if data == nil {
		data = []Object{}
	}
	return Object{"object": "list", "data": data, "has_more": false, "url": path}
}

// expanded lists what the request wants to see whole instead of named.
func expanded(r *http.Request, form url.Values) (names []string) {
	for _, values := range []url.Values{form, r.URL.Query()} {
		for k, v := range values {
			if strings.HasPrefix(k, "expand[") {
				names = append(names, v...)
			}
		}
	}
	return names
}

// shown is an object as the interface shows it: what belongs to it is named, unless it was asked for.
func shown(of any, expand []string) any {
	o, ok := of.(Object)
	if !ok {
		return of
	}
	whole := func(name string) (inside []string, ok bool) {
		for _, e := range expand {
			rest, below := strings.CutPrefix(e, name+".")
			if below {
				inside = append(inside, rest)
			}
			ok = ok || below || e == name
		}
		return inside, ok
	}
	out := Object{}
	for k, v := range o {
		switch one := v.(type) {
		case Object:
			if inside, ok := whole(k); ok || one["object"] == nil {
				out[k] = shown(one, inside)
			} else {
				out[k] = one["id"]
			}
		case []Object:
			inside, _ := whole(k)
			data := make([]any, 0, len(one))
			for _, item := range one {
				data = append(data, shown(item, inside))
			}
			out[k] = data
		default:
			out[k] = v
		}
	}
	return out
}

func (a *Account) answer(w http.ResponseWriter, r *http.Request, form url.Values) any {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	var found any
	switch parts[0] {
	case "checkout":
		found = a.session(w, r, form, parts[1:])
	case "payment_intents":
		found = a.payment(w, r, form, parts[1:])
	case "refunds":
		found = a.refund(w, r, form)
	case "transfers":
		found = a.transfer(r, form, parts)
	case "accounts":
		active := map[bool]string{true: "active", false: "pending"}[!strings.HasSuffix(parts[1], "new")]
		found = Object{"id": parts[1], "object": "account", "capabilities": map[string]string{"transfers": active}}
	}
	switch found {
	case refused:
		return nil
	case nil:
		fail(w, http.StatusNotFound, "invalid_request_error", "resource_missing", "no such object")
	}
	return found
}

// refused is the answer of what has written its own.
var refused any = new(int)

func refuse(w http.ResponseWriter, code, message string) any {
	fail(w, http.StatusBadRequest, "invalid_request_error", code, message)
	return refused
}

func (a *Account) session(w http.ResponseWriter, r *http.Request, form url.Values, parts []string) any {
	switch {
	case r.Method == http.MethodPost && len(parts) == 1:
		n := len(a.sessions) + 1
		m := meta(form, "metadata")
		s := Object{
			"id": fmt.Sprint("cs_", n), "object": "checkout.session", "status": "open", "payment_status": "unpaid",
			"client_reference_id": form.Get("client_reference_id"), "amount_total": number(form, "line_items[0][price_data][unit_amount]"),
			"currency": form.Get("line_items[0][price_data][currency]"), "url": fmt.Sprintf("%s/pay/cs_%d", a.url, n),
			"expires_at": a.now().Add(24 * time.Hour).Unix(), "created": a.now().Unix(), "metadata": m,
			"manual": form.Get("payment_intent_data[capture_method]") == "manual", "of_payment": meta(form, "payment_intent_data[metadata]"),
		}
		a.sessions = append(a.sessions, s)
		return s
	case len(parts) == 1:
		of := r.URL.Query().Get("payment_intent")
		since, err := strconv.ParseInt(r.URL.Query().Get("created[gte]"), 10, 64)
		if err != nil {
			since = 0
		}
		var newest []Object
		for _, s := range slices.Backward(a.sessions) {
			if p, ok := s["payment_intent"].(Object); s["created"].(int64) >= since && (of == "" || ok && p["id"] == of) {
				newest = append(newest, s)
			}
		}
		return list(r.URL.Path, newest)
	}
	for _, s := range a.sessions {
		if s["id"] != parts[1] {
			continue
		}
		if len(parts) == 3 {
			if s["status"] != "open" {
				return refuse(w, "", "Only Checkout Sessions with a status of open can be expired")
			}
			s["status"] = "expired"
		}
		return s
	}
	return nil
}

func (a *Account) payment(w http.ResponseWriter, r *http.Request, form url.Values, parts []string) any {
	if parts[0] == "search" {
		var found []Object
		for _, p := range a.payments {
			no := p["metadata"].(map[string]string)["moongate_order"]
			if r.URL.Query().Get("query") == fmt.Sprintf("metadata['moongate_order']:'%s'", no) && a.now().Unix() >= p["created"].(int64)+int64(lag/time.Second) {
				found = append(found, p)
			}
		}
		answer := list(r.URL.Path, found)
		answer["object"] = "search_result"
		return answer
	}
	for _, p := range a.payments {
		if p["id"] != parts[0] {
			continue
		}
		switch strings.Join(parts[1:], "") {
		case "capture":
			amount := number(form, "amount_to_capture")
			switch {
			case p["status"] != "requires_capture":
				return refuse(w, "payment_intent_unexpected_state", fmt.Sprintf("This PaymentIntent could not be captured because it has a status of %s.", p["status"]))
			case amount > p["amount"].(int64):
				return refuse(w, "amount_too_large", "The amount is greater than the amount that can be captured.")
			}
			p["status"], p["amount_received"], p["amount_capturable"] = "succeeded", amount, int64(0)
			a.tell("charge.captured", a.charge(p))
			a.tell("payment_intent.succeeded", p)
		case "cancel":
			if p["status"] != "requires_capture" {
				return refuse(w, "payment_intent_unexpected_state", fmt.Sprintf("You cannot cancel this PaymentIntent because it has a status of %s.", p["status"]))
			}
			a.cancel(p, "requested_by_customer")
		}
		return p
	}
	return nil
}

func (a *Account) cancel(p Object, why string) {
	p["status"], p["amount_capturable"], p["cancellation_reason"] = "canceled", int64(0), why
	a.tell("payment_intent.canceled", p)
}

// lapse lets go of what was reserved too long ago, and ends sessions in which nobody paid.
func (a *Account) lapse() {
	for _, s := range a.sessions {
		if s["status"] == "open" && a.now().Unix() >= s["expires_at"].(int64) {
			s["status"] = "expired"
		}
	}
	for _, p := range a.payments {
		if p["status"] == "requires_capture" && a.now().Unix() >= p["latest_charge"].(Object)["payment_method_details"].(Object)["card"].(Object)["capture_before"].(int64) {
			a.tell("charge.expired", a.charge(p))
			a.cancel(p, "automatic")
		}
	}
}

func (a *Account) charge(p Object) Object {
	return Object{"id": p["latest_charge"].(Object)["id"], "object": "charge", "payment_intent": p["id"], "metadata": p["metadata"], "amount": p["amount"], "currency": p["currency"]}
}

func (a *Account) refund(w http.ResponseWriter, r *http.Request, form url.Values) any {
	if r.Method != http.MethodPost {
		var of []Object
		for _, one := range a.refunds {
			if one["payment_intent"] == r.URL.Query().Get("payment_intent") {
				of = append(of, one)
			}
		}
		return list(r.URL.Path, of)
	}
	for _, p := range a.payments {
		if p["id"] != form.Get("payment_intent") {
			continue
		}
		amount := number(form, "amount")
		if amount+p["refunded"].(int64) > p["amount_received"].(int64) {
			return refuse(w, "charge_already_refunded", "more than is left")
		}
		p["refunded"] = p["refunded"].(int64) + amount
		one := Object{
			"id": fmt.Sprint("re_", len(a.refunds)+1), "object": "refund", "amount": amount, "currency": p["currency"], "status": "succeeded",
			"created": a.now().Unix(), "metadata": meta(form, "metadata"), "payment_intent": p["id"],
		}
		a.refunds = append(a.refunds, one)
		return one
	}
	return nil
}

func (a *Account) transfer(r *http.Request, form url.Values, parts []string) any {
	switch {
	case r.Method == http.MethodPost && len(parts) == 1:
		one := Object{
			"id": fmt.Sprint("tr_", len(a.transfers)+1), "object": "transfer", "amount": number(form, "amount"), "currency": form.Get("currency"), "created": a.now().Unix(),
			"metadata": meta(form, "metadata"), "destination": form.Get("destination"), "source_transaction": form.Get("source_transaction"), "transfer_group": form.Get("transfer_group"), "back": []Object{},
		}
		a.transfers = append(a.transfers, one)
		return one
	case len(parts) == 1:
		var of []Object
		for _, t := range a.transfers {
			if t["destination"] == r.URL.Query().Get("destination") && t["transfer_group"] == r.URL.Query().Get("transfer_group") {
				of = append(of, t)
			}
		}
		return list(r.URL.Path, of)
	}
	for _, t := range a.transfers {
		if t["id"] != parts[1] {
			continue
		}
		if r.Method != http.MethodPost {
			return list(r.URL.Path, t["back"].([]Object))
		}
		one := Object{"id": fmt.Sprint("trr_", a.events, len(t["back"].([]Object))), "object": "transfer_reversal", "amount": number(form, "amount"), "metadata": meta(form, "metadata")}
		t["back"] = append(t["back"].([]Object), one)
		return one
	}
	return nil
}

// Pay is the shopper on Stripe's page. It gives the session, nil where nothing is open under the number.
func (a *Account) Pay(no string) Object {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lapse()
	for _, s := range a.sessions {
		if s["client_reference_id"] != no || s["status"] != "open" {
			continue
		}
		id := fmt.Sprint("pi_", len(a.payments)+1)
		p := Object{
			"id": id, "object": "payment_intent", "status": "succeeded", "amount": s["amount_total"], "amount_received": s["amount_total"], "amount_capturable": int64(0),
			"currency": s["currency"], "created": a.now().Unix(), "metadata": s["of_payment"], "refunded": int64(0),
			"latest_charge": Object{"id": "ch_" + id, "object": "charge", "payment_method_details": Object{"card": Object{"capture_before": a.now().Add(Hold).Unix()}}},
		}
		a.payments = append(a.payments, p)
		s["status"], s["payment_status"], s["payment_intent"] = "complete", "paid", p
		if s["manual"] == true {
			p["status"], p["amount_received"], p["amount_capturable"], s["payment_status"] = "requires_capture", int64(0), s["amount_total"], "unpaid"
			a.tell("payment_intent.amount_capturable_updated", p)
		} else {
			a.tell("payment_intent.succeeded", p)
		}
		a.tell("checkout.session.completed", Object{"id": s["id"], "object": "checkout.session", "client_reference_id": no, "metadata": s["metadata"]})
		return s
	}
	return nil
}

func (a *Account) paymentOf(no string) Object {
	for _, p := range a.payments {
		if p["metadata"].(map[string]string)["moongate_order"] == no {
			return p
		}
	}
	return nil
}

func (a *Account) tell(kind string, object any) {
	a.events++
	a.letters = append(a.letters, Sign(fmt.Sprint("evt_", a.events), kind, object, a.now()))
}

// Letters are the events since it was last asked.
func (a *Account) Letters() []Letter {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lapse()
	all := a.letters
	a.letters = nil
	return all
}

// Sign makes an event of an object as it is now.
func Sign(id, kind string, object any, at time.Time) Letter {
	body, err := json.Marshal(Object{
		"id": id, "object": "event", "type": kind, "api_version": sdk.APIVersion, "created": at.Unix(), "data": Object{"object": shown(object, nil)},
	})
	if err != nil {
		panic(err) // objects are made of text and numbers
	}
	p := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: WebhookSecret, Timestamp: at})
	return Letter{Kind: kind, Header: http.Header{"Stripe-Signature": {p.Header}}, Body: body}
}
