package hub_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/webhook"
)

// A quiet world is a hub with a store and an app whose terms give the store totals only. Time passes in steps; in each
// of them time passes at the hub in every world, as it does every second of a hub that runs, so that a step shows
// nothing.
type quietWorld struct {
	t       *testing.T
	h       *hub.Hub
	handler http.Handler
	now     time.Time
	store   string // token
	app     string
	code    string // of the store's link to the app
	hook    moongate.ID
	tokens  []string
	sold    int
	posted  mailbox
}

// mailbox is what the store's webhook got.
type mailbox struct {
	mu    sync.Mutex
	mails []string
}

func (m *mailbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	m.mu.Lock()
	defer m.mu.Unlock()
	var header bytes.Buffer
	for _, name := range []string{"Content-Type", "Content-Length", "User-Agent", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		fmt.Fprintf(&header, "%s: %s\n", name, r.Header.Get(name))
	}
	m.mails = append(m.mails, fmt.Sprintf("%s %v %s", header.String(), err, body))
}

const stepTime = 3 * time.Hour

func newQuietWorld(t *testing.T, seed byte) *quietWorld {
	t.Helper()
	random := rand.NewChaCha8([32]byte{seed})
	w := &quietWorld{t: t, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	var draw sync.Mutex
	fill := func(b []byte) {
		draw.Lock()
		defer draw.Unlock()
		random.Read(b)
	}
	c, err := hub.Init(t.TempDir(), hub.Config{Name: "hub.example", Listen: "127.0.0.1:8600", PublicURL: "http://127.0.0.1", Operator: "office"}, fill, w.now)
	if err != nil {
		t.Fatal(err)
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	w.h, err = hub.Open(t.Context(), hub.Options{Config: c, Secrets: s, Now: func() time.Time { return w.now }, Random: fill, Virtual: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.h.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.handler, err = surface(w.h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.h.Bootstrap(t.Context(), "Harbour Office"); err != nil {
		t.Fatal(err)
	}
	keys := map[string]ed25519.PrivateKey{}
	for _, p := range []struct {
		handle string
		kind   party.Kind
	}{{"pavilion-store", party.Platform}, {"tea-timer", party.App}, {"bystander", party.Merchant}} {
		var keySeed [32]byte
		fill(keySeed[:])
		keys[p.handle] = ed25519.NewKeyFromSeed(keySeed[:])
		proof, err := party.Prove(keys[p.handle], p.handle)
		if err != nil {
			t.Fatal(err)
		}
		quietly[party.Done](w, "", &party.Register{Handle: p.handle, Kind: p.kind, Name: p.handle, Keys: []party.NewKey{proof}})
	}
	d, err := agreement.Parse(agreement.Examples()["private-totals.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	terms := quietly[agreement.Proposal](w, "tea-timer", &agreement.Propose{Document: d.Canonical()})
	for _, side := range []struct {
		role agreement.Role
		who  string
	}{{agreement.Store, "pavilion-store"}, {agreement.App, "tea-timer"}} {
		signature, err := d.SignAs(keys[side.who], side.role, side.who)
		if err != nil {
			t.Fatal(err)
		}
		key := party.PublicKey(keys[side.who].Public().(ed25519.PublicKey)).ID()
		quietly[agreement.Standing](w, side.who, &agreement.Sign{Agreement: terms.Agreement, Version: 1, Role: side.role, Party: side.who, Key: key, Signature: party.Signature(signature)})
	}
	place := quietly[link.DestinationAnswer](w, "tea-timer", &link.RegisterDestination{Name: "Tea Timer", Addresses: []link.Address{{Device: link.Web, URL: "https://tea-timer.example/"}}})
	w.code = quietly[link.LinkAnswer](w, "pavilion-store", &link.PlaceLink{Destination: place.Destination, Agreement: terms.Agreement, Campaign: "spring"}).Code
	if w.store, err = w.h.IssueToken(t.Context(), "", "pavilion-store", "reading", party.AllScopes, 0); err != nil {
		t.Fatal(err)
	}
	if w.app, err = w.h.IssueToken(t.Context(), "", "tea-timer", "reading", party.AllScopes, 0); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&w.posted)
	t.Cleanup(server.Close)
	w.hook = quietly[webhook.Answer](w, "pavilion-store", &webhook.Create{URL: server.URL}).Webhook
	w.step()
	return w
}

// quietly submits a command and wants it done.
func quietly[A any](w *quietWorld, caller string, c replica.Command) A {
	w.t.Helper()
	a, err := hub.Do[A](w.t.Context(), w.h, caller, "", c)
	if err != nil {
		w.t.Fatalf("%T: %v", c, err)
	}
	return a
}

// step lets time pass, and has the hub do what it does by itself.
func (w *quietWorld) step() {
	w.t.Helper()
	w.now = w.now.Add(stepTime)
	ctx := w.t.Context()
	if err := w.h.Clicks.Flush(ctx); err != nil {
		w.t.Fatal(err)
	}
	for {
		due := quietly[int](w, "", &replica.Tick{})
		done, err := w.h.Effects.Drain(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		if due == 0 && done == 0 {
			break
		}
	}
}

// visit has somebody open the store's link: the manifest, the same in all worlds.
func (w *quietWorld) visit() {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://hub.example/l/"+w.code, nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	to, err := url.Parse(answer.Header().Get("Location"))
	if err != nil || answer.Code != http.StatusFound {
		w.t.Fatalf("a visit: %d %q, %v", answer.Code, answer.Header().Get("Location"), err)
	}
	w.tokens = append(w.tokens, to.Query().Get(link.ClickParameter))
}

// sell has the app sell something to somebody who came by the link.
func (w *quietWorld) sell(class string, minor int64) {
	w.t.Helper()
	click, err := w.h.Tokens.Open(w.tokens[len(w.tokens)-1])
	if err != nil {
		w.t.Fatal(err)
	}
	w.sold++
	quietly[link.ConversionAnswer](w, "tea-timer", &link.Convert{
		Click: click, Reference: fmt.Sprint("sale-", w.sold), Class: class, Amount: money.Amount{Minor: minor, Currency: money.EUR}, At: moongate.At(w.now),
	})
}

// live plays three months, and lets what was owed be paid. Four times in each month the link is opened; what is sold,
// when and how often, is each world's own.
func live(t *testing.T, seed byte, sales func(w *quietWorld, month, step int)) *quietWorld {
	t.Helper()
	w := newQuietWorld(t, seed)
	paid := map[moongate.ID]bool{}
	for w.now.Before(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)) {
		month, step := int(w.now.Month()-time.March), (w.now.Day()-1)*8+w.now.Hour()/3
		if month < 3 && step%48 == 4 {
			w.visit()
		}
		if month < 3 {
			sales(w, month, step)
		}
		for _, i := range w.instructions() {
			if !paid[i] {
				paid[i] = true
				quietly[settle.Answer](w, "office", &settle.Report{Instruction: i, Progress: settle.Paid, Ref: "bank 1"})
			}
		}
		w.step()
	}
	w.deliver()
	w.step()
	if _, err := w.h.Views.CatchUp(t.Context(), w.h.Node.Journal()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.h.Node.Log().Wait(w.h.Node.Machine().Position()+1), w.h.Publish()); err != nil {
		t.Fatal(err)
	}
	return w
}

// instructions are those that were ever sent.
func (w *quietWorld) instructions() (all []moongate.ID) {
	err := w.h.Node.Journal().EntriesOf(1, map[string]bool{"settle.instructed": true}, func(e journal.Entry) error {
		all = append(all, e.Event.(*settle.Instructed).ID)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// deliver has the store's webhook get all that there is.
func (w *quietWorld) deliver() {
	w.t.Helper()
	var last journal.Position
	for more := true; more; {
		events, next, left, err := w.h.Events(w.t.Context(), hub.Reader{Handle: "pavilion-store"}, last, 500)
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range events {
			last = events[i].Position
		}
		last, more = max(last, next), left
	}
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { w.h.Webhooks.Run(ctx); close(done) }()
	through := func() (at journal.Position) {
		w.h.Machine().Read(func() { e, _ := w.h.Webhook.Lookup(w.hook); at = e.Through })
		return at
	}
	for end := time.Now().Add(time.Minute); through() < last; {
		_, later := w.h.Node.Durable()
		if through() >= last {
			break
		}
		select {
		case <-later:
		case <-time.After(time.Until(end)):
			w.t.Fatalf("the webhook is at %d of %d", through(), last)
		}
	}
	stop()
	<-done
}

// seen is what somebody can fetch, and what the store was sent; and the paths at which there was nothing for it.
func (w *quietWorld) seen(token string) (all, shut []string) {
	w.t.Helper()
	all, shut = fetchable(w.t, w.handler, token, w.code)
	c := &crawler{t: w.t, names: map[string]string{}}
	c.name(w.code)
	w.posted.mu.Lock()
	defer w.posted.mu.Unlock()
	for _, mail := range w.posted.mails {
		all = append(all, "webhook: "+c.plain(mail))
	}
	return all, shut
}

// What is read at these paths is the operator's, a payment's, or leads elsewhere: a store has nothing there.
var notTheStores = []string{
	"/console/bills", "/console/bills/{id}", "/console/differences", "/console/differences/{id}", "/console/exceptions/{id}",
	"/console/links/{id}", "/console/payments/{id}", "/console/sign-out", "/console/system",
	"/v1/backup", "/v1/bills", "/v1/bills/fetches", "/v1/bills/{bill}", "/v1/differences", "/v1/differences/{difference}",
	"/v1/effects", "/v1/effects/buried", "/v1/health", "/v1/payments/{payment}", "/v1/payments/{payment}/events",
	"/v1/settlement/windows/{window}/positions",
}

// Whatever a host can fetch is the same in two worlds with the same manifest, totals and deadlines, and with different
// sales: API, pages, streams, webhooks, lists, cursors, receipts, errors, and the public log, by bytes and lengths.
func TestTwoWorldsOverEverySurface(t *testing.T) {
	if testing.Short() { // a minute and more under the race detector, which has nothing to find here
		t.Skip("crawls a hub five times; the statement room has a shorter test of two worlds")
	}
	few := live(t, 1, func(w *quietWorld, month, step int) {
		if month == 0 && step == 10 { // 12.00 + 12.00
			w.sell("one_time", 100_00)
			w.sell("subscription", 200_00)
		}
	})
	many := live(t, 2, func(w *quietWorld, month, step int) {
		if month == 1 || step < 5 {
			return
		}
		if step%3 == 0 {
			w.sell("tip", 7_77) // earns the store nothing
		}
		if month == 0 && step%20 == 5 && step < 160 { // eight times 3.00
			w.sell("one_time", 25_00)
		}
		if step%5 == 0 { // others go on with their lives
			quietly[party.Done](w, "bystander", &party.Rename{Handle: "bystander", Name: fmt.Sprint("Bystander ", step%7)})
			quietly[party.Done](w, "bystander", &party.Rename{Handle: "bystander", Name: "bystander"})
		}
	})
	host, shut := few.seen(few.store)
	others, _ := many.seen(many.store)
	alike(t, host, others)
	if diff := cmp.Diff(notTheStores, shut); diff != "" {
		t.Errorf("what was never seen, so that nothing is known of it (a new path belongs into the crawl): %s", diff)
	}
	text := strings.Join(host, "\n")
	for _, want := range []string{`"total":2400`, `"total":0`, "settle.reported", "/console/statements", "/log/tile/entries/", "webhook: ", "the stream of events → 200", `"campaign":"summer"} → 201`, "/v1/agreements/terminate", "reason\":\"we go our own ways\"} → 200"} {
		if !strings.Contains(text, want) {
			t.Errorf("the host does not even see %s", want)
		}
	}
	t.Logf("%d answers and messages, %d bytes", len(host), len(text))

	// The test can fail: the app sees the difference, and the host another total.
	own, _ := few.seen(few.app)
	others, _ = many.seen(many.app)
	if slices.Equal(own, others) {
		t.Error("the app's own books look the same")
	}
	more := live(t, 3, func(w *quietWorld, month, step int) {
		if month == 0 && step == 10 {
			w.sell("one_time", 100_00)
			w.sell("subscription", 200_17)
		}
	})
	if seen, _ := more.seen(more.store); slices.Equal(host, seen) {
		t.Error("another total looks the same")
	}
}

// alike tells where two worlds differ.
func alike(t *testing.T, a, b []string) {
	t.Helper()
	if len(a) != len(b) {
		t.Errorf("%d answers in one world, %d in the other", len(a), len(b))
	}
	shown := 0
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && shown < 5 {
			shown++
			t.Errorf("answer %d differs:\n%.3000s", i, cmp.Diff(strings.Split(a[i], "\n"), strings.Split(b[i], "\n")))
		}
	}
}
