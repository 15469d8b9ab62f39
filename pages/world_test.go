package pages_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/pages"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/webhook"
)

// terms are those of the world; times are filled in.
const terms = `
moongate: agreement/1
id: three-gardens
version: 1
name: {en: Three gardens, zh: 三园一单}
parties:
  - {role: marketplace, id: mall}
  - {role: publisher, id: news}
  - {role: wallet, members: [crane-pay]}
  - {role: seller, members: [kiln]}
valid: {from: %q, until: %q, notice: 30d}
scope: {kinds: [link, payment, refund, conversion], currencies: [CNY], hosts: [mall.example], beneficiary: seller}
fees:
  - {id: commission, label: {en: Commission}, from: seller, to: marketplace, bps: 500}
  - {id: wallet_fee, label: {en: Wallet fee}, from: seller, to: wallet, bps: 60, min: {CNY: "0.01"}}
share: {rule: last_touch, from: marketplace, to: publisher, pool_bps: 4000, of: commission, window: 30d}
links: {open: direct, click_ttl: 5m, block: {reasons: [scams_and_fraud], longest: 7d, evidence: true, appeal: 3d, decide: 2d}}
settlement: {window: 1d, netting: multilateral}
offer: {kind: closed}
`

// garden is who lives in the world: a publisher, a marketplace and its seller, a wallet, and somebody with whom none of
// them deals.
var gardens = []struct {
	handle, name, nameZH string
	kind                 party.Kind
}{
	{"news", "Willow Reads", "柳岸阅读", party.Publisher},
	{"mall", "Lotus Market", "荷塘集市", party.Platform},
	{"kiln", "Old Kiln Pottery", "老窑陶坊", party.Merchant},
	{"crane-pay", "Crane Pay", "白鹤支付", party.Wallet},
	{"rival", "Rival Bazaar", "对岸集市", party.Platform},
}

// world is a hub that serves on loopback, a wallet beside it, and what has happened among the gardens.
type world struct {
	t       testing.TB
	hub     *hub.Hub
	url     string
	wallet  *wechatbox.Wallet
	account wechatbox.Merchant
	tokens  map[string]string // by handle
	keys    map[string]ed25519.PrivateKey
	log     *safeBuffer

	agreement moongate.ID
	code      string // of a link
	place     moongate.ID
	paid      moongate.ID // a payment that succeeded
	crossing  moongate.ID // its crossing
	visit     moongate.ID // crossing of a click
	hook      moongate.ID // the marketplace's webhook
	heard     heard

	ahead atomic.Int64 // by how much the hub's and the wallet's clocks run ahead of ours, in nanoseconds
}

// clock is the hub's and the wallet's.
func (w *world) clock() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// heard is what the marketplace's webhook got, by message.
type heard struct {
	mu    sync.Mutex
	times map[string]int
	deaf  bool // it answers 503
}

func (h *heard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.deaf {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if h.times == nil {
		h.times = map[string]int{}
	}
	h.times[r.Header.Get("Webhook-Id")]++
	w.WriteHeader(http.StatusNoContent)
}

// of is how often a message came.
func (h *heard) of(id string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.times[id]
}

// safeBuffer is the hub's log.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func random(b []byte) { rand.Read(b) }

// open starts the world.
func open(t testing.TB) *world {
	t.Helper()
	return openWith(t, func(string) []hub.WalletConfig { return nil })
}

// openWith starts a world that has more wallets; each has its files in a folder.
func openWith(t testing.TB, more func(dir string) []hub.WalletConfig) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, url: "http://" + listener.Addr().String(), tokens: map[string]string{}, keys: map[string]ed25519.PrivateKey{}, log: &safeBuffer{}}
	dir := t.TempDir()
	config, err := hub.Init(dir, hub.Config{Name: "hub.example", Listen: listener.Addr().String(), PublicURL: w.url, Operator: "office"}, random, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config.Wallets = append([]hub.WalletConfig{w.openWallet(dir)}, more(dir)...)
	secrets, err := hub.ReadSecrets(config.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	wallets, err := hub.Connect(config, nil, w.clock, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.hub, err = hub.Open(ctx, hub.Options{
		Config: config, Secrets: secrets, Now: w.clock, Random: random, NoSync: true, Wallets: wallets, WebhookPauses: []time.Duration{10 * time.Millisecond},
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Fatal: func(err error) { panic(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.hub.Close() })
	if w.tokens["office"], err = w.hub.Bootstrap(ctx, "Garden Office"); err != nil {
		t.Fatal(err)
	}
	draw, err := console.New(console.Words())
	if err != nil {
		t.Fatal(err)
	}
	a := api.New(w.hub, "test")
	pages.New(w.hub, draw, pages.Options{}).Register(a.Mux())
	server := api.Server(a.Handler(), w.hub.Log)
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return w
}

// openWallet starts a sandbox wallet with the hub's account there.
func (w *world) openWallet(dir string) hub.WalletConfig {
	w.t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	w.t.Cleanup(server.Close)
	var err error
	if w.wallet, err = wechatbox.New(sandbox.Config{Name: "Crane Pay", BaseURL: server.URL, Now: w.clock, Random: rand.Reader, Scale: 10}); err != nil {
		w.t.Fatal(err)
	}
	handler = w.wallet
	w.t.Cleanup(func() { w.wallet.Close() })
	if w.account, err = w.wallet.AddMerchant("1900000109", "wx8888888888888888"); err != nil {
		w.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(w.account.PrivateKey)
	if err != nil {
		w.t.Fatal(err)
	}
	c := hub.WalletConfig{
		Name: "crane-pay", Kind: "wechatpay", BaseURL: server.URL, MerchantID: w.account.MchID, AppID: w.account.AppID, Serial: w.account.SerialNo,
		PrivateKey: filepath.Join(dir, "apiclient_key.pem"), APIKey: filepath.Join(dir, "apiv3.key"),
	}
	for file, text := range map[string][]byte{c.PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), c.APIKey: []byte(w.account.APIv3Key)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	return c
}

// do has a command decided in somebody's name.
func do[A any](w *world, caller string, c interface{ CommandKind() string }) A {
	w.t.Helper()
	a, err := hub.Do[A](context.Background(), w.hub, caller, "", c)
	if err != nil {
		w.t.Fatalf("%s: %v", c.CommandKind(), err)
	}
	return a
}

func (w *world) now() moongate.Time { return moongate.At(w.clock()) }

// settle has the gardens move in, agree, place a link and sell once, by link and by payment.
func (w *world) settle() {
	w.t.Helper()
	for _, g := range gardens {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			w.t.Fatal(err)
		}
		key, err := party.Prove(private, g.handle)
		if err != nil {
			w.t.Fatal(err)
		}
		w.keys[g.handle] = private
		do[party.Done](w, "", &party.Register{Handle: g.handle, Kind: g.kind, Name: g.name, NameZH: g.nameZH, Keys: []party.NewKey{key}})
		w.tokens[g.handle] = w.issue(g.handle, party.AllScopes)
	}
	hooks := httptest.NewServer(&w.heard)
	w.t.Cleanup(hooks.Close)
	w.hook = do[webhook.Answer](w, "mall", &webhook.Create{URL: hooks.URL + "/events", Name: "orders", Kinds: []string{"pay.settled"}}).Webhook
	w.agree()
	w.place = do[link.DestinationAnswer](w, "mall", &link.RegisterDestination{Name: "Teapot No. 7", NameZH: "七号茶壶", Addresses: []link.Address{{Device: link.Web, URL: "https://mall.example/tea"}}}).Destination
	w.code = do[link.LinkAnswer](w, "news", &link.PlaceLink{Destination: w.place, Agreement: w.agreement, Campaign: "autumn"}).Code
	do[link.ClickAnswer](w, "news", &link.RecordClick{Link: w.code, Device: link.Web})
	w.paid = w.sell("ORDER-0417", 26800, "")
	w.pay(w.paid)
	w.hub.Machine().Read(func() {
		known, _ := w.hub.Pay.Lookup(w.paid)
		w.crossing = known.Crossing
	})
	w.level()
	clicks, _, err := crossing.List(context.Background(), w.hub.Views, crossing.Filter{Kind: crossing.Link}, "", 1)
	if err != nil || len(clicks) != 1 {
		w.t.Fatalf("the click is no crossing: %v %v", clicks, err)
	}
	w.visit = clicks[0].ID
}

func (w *world) issue(handle string, scopes party.Scopes) string {
	w.t.Helper()
	token, err := w.hub.IssueToken(context.Background(), "", handle, "test", scopes, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) agree() {
	w.t.Helper()
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.RFC3339) }
	d, err := agreement.Parse(fmt.Appendf(nil, terms, day(-40), day(100)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.agreement = w.signed(d, map[agreement.Role]string{agreement.Marketplace: "mall", agreement.Publisher: "news", agreement.Wallet: "crane-pay", agreement.Seller: "kiln"})
}

// signed has an agreement proposed by the marketplace and signed by everybody.
func (w *world) signed(d *agreement.Document, signers map[agreement.Role]string) moongate.ID {
	w.t.Helper()
	id := do[agreement.Proposal](w, "mall", &agreement.Propose{Document: d.Canonical()}).Agreement
	for role, handle := range signers {
		key := w.keys[handle]
		raw, err := d.SignAs(key, role, handle)
		if err != nil {
			w.t.Fatal(err)
		}
		do[agreement.Standing](w, handle, &agreement.Sign{
			Agreement: id, Version: 1, Role: role, Party: handle, Signature: party.Signature(raw),
			Key: party.PublicKey(key.Public().(ed25519.PublicKey)).ID(),
		})
	}
	return id
}

// sell asks for a payment in the marketplace's name.
func (w *world) sell(order string, amount int64, suspend string) moongate.ID {
	w.t.Helper()
	c := &pay.Create{
		Order: order, From: "news", To: "mall", Agreement: w.agreement, Amount: money.Of(amount, money.CNY), Title: "Teapot No. 7, celadon glaze",
		Payees: []crossing.Payee{{Party: "kiln", Amount: amount}}, ReturnURL: w.url + "/console", Suspend: suspend,
	}
	if suspend != "" {
		c.Payees = nil
	}
	if err := w.hub.Payments.Offer(c); err != nil {
		w.t.Fatal(err)
	}
	return do[pay.PaymentAnswer](w, "mall", c).Payment
}

// pay has the shopper choose the wallet and pay there.
func (w *world) pay(payment moongate.ID) {
	w.t.Helper()
	do[pay.WalletAnswer](w, "", &pay.ChooseWallet{Payment: payment, Wallet: "crane-pay"})
	w.approve(payment)
}

// approve pays at the wallet once it expects the order, and waits until the hub knows.
func (w *world) approve(payment moongate.ID) {
	w.t.Helper()
	var no string
	w.until("the wallet expects the order", func() bool {
		ready := false
		w.hub.Machine().Read(func() {
			p, _ := w.hub.Pay.Lookup(payment)
			a, _ := w.hub.Pay.Attempt(p.Attempt)
			no, ready = p.Attempt.String(), a.Status == pay.AttemptAwaiting
		})
		return ready
	})
	if err := w.wallet.Approve(w.account.MchID, no); err != nil {
		w.t.Fatal(err)
	}
	w.until("the hub knows of the money", func() bool {
		known := false
		w.hub.Machine().Read(func() {
			p, _ := w.hub.Pay.Lookup(payment)
			known = p.Status == pay.Succeeded || p.Status == pay.Held
		})
		return known
	})
}

// until waits for a condition.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-deadline:
			w.t.Fatalf("in vain: %s\n%s", what, w.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// level waits until the lists show all that happened.
func (w *world) level() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.hub.Views.Wait(ctx, w.hub.Machine().Position()); err != nil {
		w.t.Fatal(err)
	}
}

// visitor is somebody with a browser.
type visitor struct {
	w      *world
	client *http.Client
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (w *world) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &visitor{w: w, client: &http.Client{
		Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// as is a visitor who has signed in.
func (w *world) as(handle string) *visitor { return w.with(w.tokens[handle]) }

func (w *world) with(token string) *visitor {
	w.t.Helper()
	v := w.visitor()
	door := v.get("/console/sign-in")
	if in := v.post("/console/sign-in", url.Values{"token": {door.token(w.t)}, "credential": {token}}); in.status != http.StatusSeeOther {
		w.t.Fatalf("signing in: %d %s", in.status, in.body)
	}
	return v
}

func (v *visitor) get(path string) answer {
	v.w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, v.w.url+path, nil)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return v.send(r)
}

// post sends a form as a browser does from a page of the same origin.
func (v *visitor) post(path string, form url.Values, change ...func(*http.Request)) answer {
	v.w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, v.w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", v.w.url)
	for _, f := range change {
		f(r)
	}
	return v.send(r)
}

func (v *visitor) send(r *http.Request) answer {
	v.w.t.Helper()
	resp, err := v.client.Do(r)
	if err != nil {
		v.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// token is what the page's forms carry.
func (a answer) token(t testing.TB) string {
	t.Helper()
	m := tokenField.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no form on the page: %d %s", a.status, a.body)
	}
	return m[1]
}
