package pay_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// childDir is the variable that makes this program a hub, to be killed.
const childDir = "MOONGATE_TEST_PAY_HUB"

// childConfig is what the hub reads from child.json in its directory.
type childConfig struct {
	Listen   string
	Wallet   string // address of the sandbox
	Merchant struct{ MchID, AppID, SerialNo, APIv3Key string }
	Key      []byte // of the merchant, PKCS #8
	Began    time.Time
}

// childAnswer is what the hub tells of a payment.
type childAnswer struct {
	Payment moongate.ID
	Cashier string
	Status  pay.Status
	Attempt moongate.ID
	Held    int64 // by the wallet, in the hub's books
}

// fast is a clock on which a minute passes in a second.
func fast(began time.Time) func() time.Time {
	return func() time.Time { return start.Add(time.Since(began) * 60) }
}

// loud is a tester where there is no test.
type loud struct{}

func (loud) Helper()                   { /* nobody counts lines */ }
func (loud) Failed() bool              { return false }
func (loud) Logf(f string, a ...any)   { log.Printf(f, a...) }
func (loud) Error(a ...any)            { log.Panic(a...) }
func (loud) Errorf(f string, a ...any) { log.Panicf(f, a...) }
func (loud) Fatal(a ...any)            { log.Panic(a...) }
func (loud) Fatalf(f string, a ...any) { log.Panicf(f, a...) }

// serve is a hub with one wallet, until it is killed.
func serve(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "child.json"))
	if err != nil {
		return err
	}
	var cfg childConfig
	if err := json.Unmarshal(text, &cfg); err != nil {
		return err
	}
	clock := fast(cfg.Began)
	now := func() moongate.Time { return moongate.At(clock()) }
	r := newRooms(pay.Limits{}, false)
	n, err := replica.Open(context.Background(), r.machine, replica.Options{
		Dir: dir, Hub: moongate.Hub{1, 2, 3}, Secret: []byte("0123456789abcdef"), Clock: now, TickEvery: 20 * time.Millisecond,
		Seed:  func(*replica.Request) (s [32]byte) { _, _ = rand.Read(s[:]); return s },
		Fatal: func(err error) { panic(err) },
	})
	if err != nil {
		return err
	}
	terms, err := childTerms(dir, n)
	if err != nil {
		return err
	}
	gate, err := childGate(&cfg, r, n, clock)
	if err != nil {
		return err
	}
	go effect.NewRunner(n, gate.Handlers(), effect.Options{First: 10 * time.Millisecond}).Run(context.Background())
	mux := http.NewServeMux()
	gate.Register(mux)
	tell := func(rw http.ResponseWriter, id moongate.ID) {
		a := childAnswer{Payment: id, Cashier: gate.Address(id)}
		r.machine.Read(func() {
			p, _ := r.payments.Lookup(id)
			a.Status, a.Attempt = p.Status, p.Attempt
			a.Held = r.books.Balance(ledger.Account{Owner: "crane-pay", Currency: money.CNY, Purpose: ledger.Wallet}).Net(ledger.Wallet)
		})
		_ = json.NewEncoder(rw).Encode(a)
	}
	mux.HandleFunc("POST /new/{order}", func(rw http.ResponseWriter, req *http.Request) {
		c := request(req.PathValue("order"), terms)
		c.Wallets = []string{"crane-pay"}
		a, err := n.Submit(req.Context(), replica.Request{Caller: "lotus-market", Command: c})
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		tell(rw, a.(pay.PaymentAnswer).Payment)
	})
	mux.HandleFunc("GET /payment/{id}", func(rw http.ResponseWriter, req *http.Request) {
		id, err := moongate.ParseID(req.PathValue("id"))
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		tell(rw, id)
	})
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	return (&http.Server{Handler: mux, ReadHeaderTimeout: time.Second}).Serve(l)
}

// childTerms makes the people and their agreement when the hub starts for the first time.
func childTerms(dir string, n *replica.Node) (id moongate.ID, err error) {
	path := filepath.Join(dir, "terms")
	if text, err := os.ReadFile(path); err == nil {
		return moongate.ParseID(string(text))
	}
	id = people(loud{}, func(caller string, c replica.Command) any {
		a, err := n.Submit(context.Background(), replica.Request{Caller: caller, Command: c})
		if err != nil {
			log.Panicf("%s: %v", c.CommandKind(), err)
		}
		return a
	})
	return id, os.WriteFile(path, []byte(id.String()), 0o600)
}

func childGate(cfg *childConfig, r rooms, n *replica.Node, clock func() time.Time) (*pay.Gate, error) {
	key, err := x509.ParsePKCS8PrivateKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	m := cfg.Merchant
	wallet, err := wechatpay.New(wechatpay.Config{
		MchID: m.MchID, AppID: m.AppID, SerialNo: m.SerialNo, APIv3Key: m.APIv3Key, PrivateKey: key.(*rsa.PrivateKey),
		BaseURL: cfg.Wallet, Now: clock, Random: rand.Reader, Timeout: 2 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return pay.NewGate(pay.Options{
		State: r.payments, Read: r.machine.Read, Submit: n.Submit, URL: "http://" + cfg.Listen, Secret: make([]byte, 32),
		Now: func() moongate.Time { return moongate.At(clock()) }, Wallets: map[string]pay.Wallet{"crane-pay": wallet},
	})
}

// hub is the process that is killed, as its shoppers and its wallet see it.
type hub struct {
	t    *testing.T
	dir  string
	base string
	mu   sync.Mutex
	run  *exec.Cmd
}

func (h *hub) start() {
	h.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+h.dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // a leash
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.run = cmd
	h.mu.Unlock()
}

func (h *hub) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.run.Process.Kill()
	_ = h.run.Wait()
}

// ask asks until the hub answers, as a shopper reloads.
func (h *hub) ask(ctx context.Context, method, address, form string) string {
	h.t.Helper()
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
		if err != nil {
			h.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil && resp.StatusCode < 500 {
				return string(body)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond): // the hub is starting again
		}
	}
	h.t.Errorf("%s %s: %v", method, address, ctx.Err())
	return ""
}

func (h *hub) tell(ctx context.Context, method, path string) (a childAnswer) {
	h.t.Helper()
	text := h.ask(ctx, method, h.base+path, "")
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		h.t.Errorf("%s: %v in %q", path, err, text)
	}
	return a
}

// The hub is killed again and again while shoppers pay and the wallet drops connections after doing its work. Started
// again, it brings every payment to what the wallet says of it.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	began := time.Now()
	var box *wechatbox.Wallet
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { box.ServeHTTP(rw, r) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	base := "http://" + srv.Listener.Addr().String()
	box, err := wechatbox.New(sandbox.Config{
		Name: "Crane Pay", BaseURL: base, Now: fast(began), Random: rand.Reader, AckTime: time.Second,
		After: func(d time.Duration, run func()) { time.AfterFunc(d/60, run) },
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := box.AddMerchant(accounts["crane-pay"], appID)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.Close()
	h := &hub{t: t, dir: t.TempDir()}
	h.configure(m, base, began)
	h.start()
	defer h.kill()

	for _, op := range []sandbox.Op{sandbox.OpCreate, sandbox.OpCreate, sandbox.OpQuery} {
		if err := box.Inject(sandbox.Fault{Kind: sandbox.DropAfter, Op: op, Times: 2}); err != nil {
			t.Fatal(err)
		}
	}
	const shoppers = 12
	var done sync.WaitGroup
	paid := make(chan struct{}, shoppers)
	for i := range shoppers {
		done.Go(func() {
			h.shop(ctx, box.Wallet, i)
			paid <- struct{}{}
		})
	}
	for n := 1; n <= shoppers; n++ {
		select {
		case <-paid:
		case <-ctx.Done():
		}
		if n == 1 || n == 4 || n == 8 {
			h.kill()
			h.start()
		}
	}
	done.Wait()
	var held int64
	for _, p := range box.Book(m.MchID).Payments {
		held += p.Total
	}
	if got := h.tell(ctx, http.MethodPost, "/new/o-0").Held; got != held || held != shoppers*10_000 {
		t.Errorf("the wallet holds %d, the hub says %d; %d were paid", held, got, shoppers*10_000)
	}
	for _, v := range box.Violations() {
		t.Errorf("%+v", v)
	}
}

// configure writes down what the hub needs to start, and to start again.
func (h *hub) configure(m wechatbox.Merchant, wallet string, began time.Time) {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	cfg := childConfig{Listen: l.Addr().String(), Wallet: wallet, Began: began}
	if err := l.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.base = "http://" + cfg.Listen
	cfg.Merchant.MchID, cfg.Merchant.AppID, cfg.Merchant.SerialNo, cfg.Merchant.APIv3Key = m.MchID, m.AppID, m.SerialNo, m.APIv3Key
	if cfg.Key, err = x509.MarshalPKCS8PrivateKey(m.PrivateKey); err != nil {
		h.t.Fatal(err)
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "child.json"), text, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// shop has a shopper order, choose, pay, and wait for the cashier to say so.
func (h *hub) shop(ctx context.Context, box *sandbox.Wallet, i int) {
	p := h.tell(ctx, http.MethodPost, "/new/o-"+strconv.Itoa(i))
	for ctx.Err() == nil {
		page := h.ask(ctx, http.MethodGet, p.Cashier, "")
		switch state, _, _ := strings.Cut(page, "\n"); state {
		case "choosing", "failed":
			h.ask(ctx, http.MethodPost, p.Cashier, "wallet=crane-pay")
		case "awaiting":
			now := h.tell(ctx, http.MethodGet, "/payment/"+p.Payment.String())
			_ = box.Approve(accounts["crane-pay"], now.Attempt.String())
		case "succeeded":
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // as long as a shopper looks at the page, on this clock
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	h.t.Errorf("shopper %d never saw the end: %+v", i, h.tell(last, http.MethodGet, "/payment/"+p.Payment.String()))
}
