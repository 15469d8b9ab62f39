package webhook_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/view"
	"github.com/moongate-hub/moongate/webhook"
)

// station is a hub whose webhooks are under test, on a directory that outlives it.
type station struct {
	*hub.Hub
	t      testing.TB
	config *hub.Config
	pauses []time.Duration
}

func openStation(t testing.TB, pauses ...time.Duration) *station {
	t.Helper()
	c, err := hub.Init(t.TempDir(), hub.Config{Name: "hub.example", Listen: "127.0.0.1:8600", PublicURL: "http://127.0.0.1:8600", Operator: "office"}, random, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := &station{t: t, config: c, pauses: pauses}
	s.start()
	t.Cleanup(func() { s.Close() })
	if _, err := s.Bootstrap(t.Context(), "Office"); err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{"shop", "rival"} {
		s.do("", &party.Register{Handle: h, Kind: party.Merchant, Name: h})
	}
	return s
}

func random(b []byte) { rand.Read(b) }

func (s *station) start() {
	s.t.Helper()
	secrets, err := hub.ReadSecrets(s.config.Secrets)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if s.Hub, err = hub.Open(ctx, hub.Options{
		Config: s.config, Secrets: secrets, Now: time.Now, Random: random, NoSync: true, WebhookPauses: s.pauses, Fatal: func(err error) { panic(err) },
	}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *station) do(caller string, c replica.Command) any {
	s.t.Helper()
	a, err := s.Node.Submit(s.t.Context(), replica.Request{Caller: caller, Command: c})
	if err != nil {
		s.t.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
	}
	return a
}

func (s *station) rename(handle, name string) {
	s.t.Helper()
	s.do(handle, &party.Rename{Handle: handle, Name: name})
}

// message is what an endpoint got.
type message struct {
	id, name string // event's id, and the name that the participant was given by it
	text     string
}

// shopfront is an endpoint that checks what it gets.
type shopfront struct {
	*httptest.Server
	t       testing.TB
	mu      sync.Mutex
	secrets []string
	got     []message // taken
	tried   []message // all
	answer  func(name string, n int) int
	arrived chan struct{}
}

func newShopfront(t testing.TB) *shopfront {
	f := &shopfront{t: t, arrived: make(chan struct{}, 1000), answer: func(string, int) int { return 200 }}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *shopfront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, secret := range f.secrets {
		wh, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			err = wh.Verify(body, r.Header)
		}
		if err != nil {
			f.t.Errorf("a message that does not verify: %v", err)
		}
	}
	var event struct {
		ID, Type string
		Data     map[string]any
	}
	if err := json.Unmarshal(body, &event); err != nil || event.ID != r.Header.Get("webhook-id") {
		f.t.Errorf("%v: %s", err, body)
	}
	m := message{event.ID, fmt.Sprint(cmpOr(event.Data["Name"], event.Data["name"])), string(body)}
	f.tried = append(f.tried, m)
	status := f.answer(m.name, len(f.tried))
	if status < 300 {
		f.got = append(f.got, m)
	}
	if status >= 300 && status < 400 {
		w.Header().Set("Location", f.URL)
	}
	w.WriteHeader(status)
	f.arrived <- struct{}{}
}

func cmpOr(values ...any) any {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return ""
}

func (f *shopfront) names(taken bool) (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.tried
	if taken {
		list = f.got
	}
	for _, m := range list {
		names = append(names, m.name)
	}
	return names
}

// wait returns when the endpoint has taken these, in order.
func (f *shopfront) wait(names ...string) {
	f.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		got := f.names(true)
		if slices.Equal(got, names) {
			return
		}
		if len(got) > len(names) {
			f.t.Fatalf("it took %v, not %v", got, names)
		}
		select {
		case <-f.arrived:
		case <-timeout:
			f.t.Fatalf("it took %v of %v", got, names)
		}
	}
}

func (s *station) hook(f *shopfront, owner string, kinds ...string) moongate.ID {
	s.t.Helper()
	a := s.do(owner, &webhook.Create{URL: f.URL + "/hooks", Kinds: kinds}).(webhook.Answer)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets = append(f.secrets, webhook.FormatSecret(s.WebhookKey(a.Webhook, a.Generation)))
	return a.Webhook
}

func (s *station) endpoint(id moongate.ID) (e webhook.Endpoint) {
	s.Machine().Read(func() { e, _ = s.Webhook.Lookup(id) })
	return e
}

// until waits for an endpoint to be as it should.
func (s *station) until(id moongate.ID, what string, ok func(webhook.Endpoint) bool) {
	s.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		_, moved := s.Node.Durable()
		if ok(s.endpoint(id)) {
			return
		}
		select {
		case <-moved:
		case <-timeout:
			s.t.Fatalf("it is not %s: %+v", what, s.endpoint(id))
		}
	}
}

// Events reach their own reader alone, in order, whether they happen before or after it looks, also over a restart.
func TestDeliveredInOrder(t *testing.T) {
	t.Parallel()
	s, f := openStation(t), newShopfront(t)
	s.rename("shop", "before there was a webhook")
	id := s.hook(f, "shop")
	for _, name := range []string{"1", "2", "3"} {
		s.rename("rival", "not for the shop")
		s.rename("shop", name)
	}
	f.wait("1", "2", "3")
	s.until(id, "noted", func(e webhook.Endpoint) bool { return e.Number == 3 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.rename("shop", "4")
	f.wait("1", "2", "3", "4")
	s.until(id, "noted", func(e webhook.Endpoint) bool { return e.Number == 4 && e.Delivered != 0 })
	rows, _, err := webhook.Deliveries(t.Context(), caughtUp(s), id, false, "", 2)
	if err != nil || len(rows) != 2 || rows[0].Kind != "party.renamed" || rows[0].Status != 200 || rows[0].Error != "" {
		t.Errorf("the list of deliveries: %+v, %v", rows, err)
	}
}

func caughtUp(s *station) view.DB {
	at, _ := s.Node.Durable()
	if err := s.Views.Wait(s.t.Context(), at); err != nil {
		s.t.Fatal(err)
	}
	return s.Views
}

// A message that fails is sent again, the same, and holds back what follows; after its last try it is laid aside.
func TestRetriesAndDeadLetters(t *testing.T) {
	t.Parallel()
	s, f := openStation(t, time.Millisecond, 2*time.Millisecond), newShopfront(t)
	f.answer = func(name string, n int) int {
		switch {
		case name == "slow to come" && n <= 2:
			return []int{500, 302}[n-1]
		case name == "never":
			return 418
		}
		return 204
	}
	id := s.hook(f, "shop")
	for _, name := range []string{"slow to come", "never", "after it"} {
		s.rename("shop", name)
	}
	f.wait("slow to come", "after it")
	if got, want := f.names(false), []string{"slow to come", "slow to come", "slow to come", "never", "never", "never", "after it"}; !slices.Equal(got, want) {
		t.Errorf("it was sent %v", got)
	}
	if a, b := f.tried[0], f.tried[2]; a != b {
		t.Errorf("the second try says something else: %v, %v", a, b)
	}
	s.until(id, "well again", func(e webhook.Endpoint) bool { return e.Number == 3 && e.Failing == 0 })
	rows, _, err := webhook.Deliveries(t.Context(), caughtUp(s), id, true, "", 10)
	if err != nil || len(rows) != 1 || rows[0].Tries != 3 || rows[0].Status != 418 || rows[0].Error != "it answered 418" {
		t.Errorf("dead letters: %+v, %v", rows, err)
	}

	// Once more, by request: the same message.
	f.mu.Lock()
	f.answer = func(string, int) int { return 200 }
	f.mu.Unlock()
	s.do("shop", &webhook.Redeliver{Webhook: id, Event: rows[0].Position})
	f.wait("slow to come", "after it", "never")
	if a, b := f.tried[3], f.tried[7]; a != b {
		t.Errorf("the redelivery says something else: %v, %v", a, b)
	}
	s.until(id, "noted", func(e webhook.Endpoint) bool { return e.Number == 4 })
	rows, _, err = webhook.Deliveries(t.Context(), caughtUp(s), id, false, "", 1)
	if err != nil || len(rows) != 1 || !rows[0].Again || rows[0].Error != "" {
		t.Errorf("the redelivery is noted as %+v, %v", rows, err)
	}
	s.do("shop", &webhook.Redeliver{Webhook: id, Event: 1}) // the operator's own event
	s.until(id, "noted", func(e webhook.Endpoint) bool { return e.Number == 5 })
	if n := len(f.names(false)); n != 8 {
		t.Errorf("somebody else's event was sent")
	}
}

// An endpoint that wants no more is left alone, and goes on where it stood when it is enabled again.
func TestGoneAndBack(t *testing.T) {
	t.Parallel()
	s, f := openStation(t, time.Millisecond), newShopfront(t)
	f.answer = func(string, int) int { return 410 }
	id := s.hook(f, "shop")
	s.rename("shop", "1")
	s.until(id, "disabled", func(e webhook.Endpoint) bool { return strings.Contains(e.Disabled, "410") })
	s.rename("shop", "2")
	f.mu.Lock()
	f.answer = func(string, int) int { return 200 }
	f.mu.Unlock()
	s.do("shop", &webhook.Enable{Webhook: id})
	f.wait("1", "2")
	s.do("shop", &webhook.Disable{Webhook: id, Reason: "holidays"})
	s.rename("shop", "3")
	other := newShopfront(t)
	s.do("shop", &webhook.Change{Webhook: id, URL: other.URL})
	s.do("shop", &webhook.Enable{Webhook: id})
	other.wait("3")
	s.do("shop", &webhook.Delete{Webhook: id})
	s.rename("shop", "4")
	last := newShopfront(t)
	s.hook(last, "shop", "party.renamed")
	s.rename("shop", "5")
	last.wait("5")
	if got := other.names(false); len(got) != 1 {
		t.Errorf("after it was deleted it got %v", got)
	}
}

// While a secret is being rotated, messages verify under both; kinds that were not asked for do not come; nor does
// anything for a suspended owner.
func TestRotatedSecretsKindsAndSuspension(t *testing.T) {
	t.Parallel()
	s, f := openStation(t), newShopfront(t)
	id := s.hook(f, "shop", "party.renamed")
	a := s.do("shop", &webhook.Rotate{Webhook: id}).(webhook.Answer)
	f.mu.Lock()
	f.secrets = append(f.secrets, webhook.FormatSecret(s.WebhookKey(id, a.Generation)))
	f.mu.Unlock()
	s.do("office", &party.Suspend{Handle: "shop", Reason: "papers"})
	s.do("office", &party.Rename{Handle: "shop", Name: "while suspended"})
	watch := newShopfront(t)
	s.hook(watch, "rival")
	s.rename("rival", "x")
	watch.wait("x") // the deliverer has seen all that came before
	if got := f.names(false); len(got) != 0 {
		t.Errorf("a suspended owner got %v", got)
	}
	s.do("office", &party.Resume{Handle: "shop"})
	f.wait("while suspended")
	if f.secrets[0] == f.secrets[1] {
		t.Error("the rotated secret is the same")
	}
}

// Two hubs on copies of the same journal say the same.
func TestTwoLeadersSayTheSame(t *testing.T) {
	t.Parallel()
	s, f := openStation(t), newShopfront(t)
	id := s.hook(f, "shop")
	s.rename("shop", "1")
	f.wait("1")
	s.until(id, "noted", func(e webhook.Endpoint) bool { return e.Number == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	at, _ := s.Node.Durable()
	var events []hub.Event
	for after := at; len(events) == 0 && after > 0; after-- { // back to the one that was sent
		var err error
		if events, _, _, err = s.Events(t.Context(), hub.Reader{Handle: "shop"}, after-1, 10); err != nil {
			t.Fatal(err)
		}
		events = slices.DeleteFunc(events, func(e hub.Event) bool { return e.Kind != "party.renamed" })
	}
	m := webhook.Message{ID: events[0].ID, Kind: events[0].Kind, At: events[0].At, Data: events[0].Data}
	payload, err := m.Payload()
	if err != nil || f.got[0].id != m.ID || !bytes.Equal(payload, []byte(f.got[0].text)) {
		t.Errorf("sent was %+v, the other would send %s", f.got[0], payload)
	}
	if got := s.WebhookKey(id, 1); webhook.FormatSecret(got) != f.secrets[0] {
		t.Error("the other signs with another secret")
	}
}
