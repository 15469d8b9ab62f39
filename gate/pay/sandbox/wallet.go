package sandbox

import (
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/moongate-hub/moongate"
)

// Bounds, so that a runaway client fills nothing.
const (
	maxBody       = 64 << 10
	maxFaults     = 1000
	maxViolations = 1000
)

// Config is the world a sandbox lives in.
type Config struct {
	Name    string // what shoppers read, such as "Lotus Pay"
	BaseURL string // where it is reached, scheme and host: shoppers' pages and bill downloads lie there

	Now     func() time.Time
	Random  io.Reader                         // for keys, numbers, nonces; used under the wallet's lock
	After   func(d time.Duration, run func()) // runs something later; nil for time.AfterFunc
	Carrier http.RoundTripper                 // how notifications travel; nil for http.DefaultTransport
	NewKey  func() (*rsa.PrivateKey, error)   // nil to make keys from Random, which takes a moment
	Scale   int                               // divides every documented wait; 1 where zero
	FeeRate int64                             // basis points of a payment; 60 where zero, none where negative
	Cap     int64                             // what may be split off an order, basis points; 3,000 where zero
	State   string                            // file that keeps the book across restarts; empty for memory only
	Limit   int                               // orders kept; 100,000 where zero
	AckTime time.Duration                     // how long a notification waits for its answer; 5 s where zero
}

// Wire is what makes a wallet one of its kind. Its functions are called under the wallet's lock, but for Acknowledged.
type Wire struct {
	Account  string          // what the control endpoints call an account, such as "mchid"
	Codes    []string        // error codes that a fault of kind [Refuse] can force
	Schedule []time.Duration // how long the wallet waits after each failed delivery of a notification

	Acknowledged func(status int, body []byte) bool // whether a shop's answer ends a notification
	Deliver      func(n *Notice, hit Hits) (Delivery, error)
	Load         func(kind string, into func(v any) error) error // puts a line of the state file back
	Start        func() error                                    // makes what is missing after the state file was read, and goes on where it stopped
	Approve      func(account, no string) error
	Decline      func(account, no string) error
	Book         func(account string) Book
	Page         func(token string) (Page, bool)
	Answer       func(token string, approved bool) // the shopper's, on the page
	Status       func(*Status)
}

// Wallet is what every sandbox wallet has. It is an http.Handler; its methods may be called at the same time, but for
// those that say that the caller holds the lock: they are for the package that speaks the wire.
type Wallet struct {
	cfg   Config
	wire  Wire
	mux   *http.ServeMux
	store *store // nil without a state file

	mu         sync.Mutex // guards what follows and the wire's own state; never held while something is sent or signed
	notices    map[string]*Notice
	held       []string // notices that wait for one to overtake them
	faults     []*Fault
	violations []Violation
	skew       time.Duration
	closed     bool
}

// New makes the common part of a wallet. The wire adds its endpoints with [Wallet.Handle], then calls [Wallet.Open].
func New(cfg Config, wire Wire) (*Wallet, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || strings.TrimSuffix(base.Path, "/") != "" {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "base_url", Message: fmt.Sprintf("%.80q is not scheme and host", cfg.BaseURL), Hint: "like http://127.0.0.1:7788"}
	}
	if cfg.Now == nil || cfg.Random == nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Message: "clock or randomness is not wired", Hint: "this is a mistake in the program"}
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.After == nil {
		cfg.After = func(d time.Duration, run func()) { time.AfterFunc(d, run) }
	}
	if cfg.Carrier == nil {
		cfg.Carrier = http.DefaultTransport
	}
	if cfg.NewKey == nil {
		cfg.NewKey = func() (*rsa.PrivateKey, error) { return newKey(cfg.Random) }
	}
	cfg.Scale = max(cfg.Scale, 1)
	if cfg.FeeRate == 0 {
		cfg.FeeRate = 60
	}
	cfg.FeeRate = max(cfg.FeeRate, 0)
	if cfg.Cap == 0 {
		cfg.Cap = 3000
	}
	if cfg.Limit == 0 {
		cfg.Limit = 100_000
	}
	if cfg.AckTime == 0 {
		cfg.AckTime = 5 * time.Second
	}
	w := &Wallet{cfg: cfg, wire: wire, mux: http.NewServeMux(), notices: map[string]*Notice{}}
	w.pages()
	w.controls()
	return w, nil
}

// Config is what the wallet was made with, defaults filled in.
func (w *Wallet) Config() Config { return w.cfg }

// SplitCap is what may be split off an order, basis points.
func (w *Wallet) SplitCap() int64 { return w.cfg.Cap }

// Handle adds an endpoint.
func (w *Wallet) Handle(pattern string, serve http.HandlerFunc) { w.mux.HandleFunc(pattern, serve) }

// Open reads the state file and starts the wire.
func (w *Wallet) Open() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.State != "" {
		s, err := openStore(w.cfg.State, w.load)
		if err != nil {
			return err
		}
		w.store = s
	}
	if err := w.wire.Start(); err != nil {
		return err
	}
	w.resume()
	return nil
}

// Close stops deliveries and closes the state file. Requests afterwards are answered 500.
func (w *Wallet) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.store == nil {
		return nil
	}
	return w.store.close()
}

// Approve pays an order, as its shopper would on the page.
func (w *Wallet) Approve(account, no string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wire.Approve(account, no)
}

// Decline records that the shopper said no. The order stays open: the shopper may think better of it.
func (w *Wallet) Decline(account, no string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wire.Decline(account, no)
}

// Lock guards the wire's state too.
func (w *Wallet) Lock() { w.mu.Lock() }

// Unlock ends [Wallet.Lock].
func (w *Wallet) Unlock() { w.mu.Unlock() }

// Now is the wallet's own clock, which may be wrong. The caller holds the lock.
func (w *Wallet) Now() time.Time { return w.cfg.Now().Add(w.skew) }

// Wait is a documented wait, scaled.
func (w *Wallet) Wait(d time.Duration) time.Duration { return d / time.Duration(w.cfg.Scale) }

// Later runs something after a scaled wait, unless the wallet was closed meanwhile. The caller holds the lock; run does
// not.
func (w *Wallet) Later(d time.Duration, run func()) {
	w.cfg.After(w.Wait(d), func() {
		w.mu.Lock()
		closed := w.closed
		w.mu.Unlock()
		if !closed {
			run()
		}
	})
}
