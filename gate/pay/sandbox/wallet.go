package sandbox

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moongate-hub/moongate"
)

// Documented waits; each is divided by Config.Scale.
const (
	notifyDelay  = time.Second      // until the first delivery
	refundTime   = 5 * time.Second  // until a refund is done
	refundGap    = time.Minute      // between two refunds of one order
	reorderPause = 10 * time.Second // how long a held-back notification waits for one to overtake it
)

// Bounds, so that a runaway client fills nothing.
const (
	maxBody       = 64 << 10
	maxFaults     = 1000
	maxViolations = 1000
	maxFiles      = 64
	maxMerchants  = 100
)

// beijing is the zone of every time the wallet writes.
var beijing = time.FixedZone("CST", 8*3600)

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
	State   string                            // file that keeps the book across restarts; empty for memory only
	Limit   int                               // orders kept; 100,000 where zero
	AckTime time.Duration                     // how long a notification waits for its answer; 5 s where zero
}

// Wallet is one sandbox wallet with its merchants' accounts. It is an http.Handler; its methods may be called at the
// same time.
type Wallet struct {
	cfg   Config
	mux   *http.ServeMux
	store *store // nil without a state file

	mu         sync.Mutex // guards what follows; never held while something is sent or signed
	platform   []*platform
	public     *platform // the public key, once somebody asked for it; it has no certificate
	merchants  map[string]*merchant
	handoffs   map[string]handoff
	files      map[string]billFile
	notices    map[string]*notice
	held       []string // notices that wait for one to overtake them
	faults     []*Fault
	violations []Violation
	orders     int // over all merchants
	skew       time.Duration
	closed     bool
}

// Merchant is what a merchant needs to reach its account, as the merchant platform would give it.
type Merchant struct {
	MchID      string
	AppID      string
	SerialNo   string
	PrivateKey *rsa.PrivateKey
	APIv3Key   string
}

// merchant is an account with its book.
type merchant struct {
	Merchant
	orders   map[string]*order  // by out_trade_no
	byRef    map[string]*order  // paid ones, by transaction_id
	byAttach map[string]string  // attach of the paid → the first out_trade_no
	refunds  map[string]*refund // by out_refund_no
	public   bool               // its last request asked for the public key
}

func newMerchant(m Merchant) *merchant {
	return &merchant{Merchant: m, orders: map[string]*order{}, byRef: map[string]*order{}, byAttach: map[string]string{}, refunds: map[string]*refund{}}
}

// New makes a wallet, or reads it back from Config.State.
func New(cfg Config) (*Wallet, error) {
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
	if cfg.Limit == 0 {
		cfg.Limit = 100_000
	}
	if cfg.AckTime == 0 {
		cfg.AckTime = 5 * time.Second
	}
	w := &Wallet{
		cfg: cfg, merchants: map[string]*merchant{}, handoffs: map[string]handoff{}, files: map[string]billFile{}, notices: map[string]*notice{},
	}
	w.routes()
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

// open reads the state file and makes what is missing.
func (w *Wallet) open() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.State != "" {
		s, err := openStore(w.cfg.State, w.load)
		if err != nil {
			return err
		}
		w.store = s
	}
	if len(w.platform) == 0 {
		if err := w.rotate(w.now()); err != nil {
			return err
		}
	}
	w.resume()
	return nil
}

// AddMerchant opens an account, or gives the credentials of one that is open already.
func (w *Wallet) AddMerchant(mchID, appID string) (Merchant, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m, ok := w.merchants[mchID]; ok {
		if m.AppID != appID {
			return Merchant{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("merchant %s is bound to app %s", mchID, m.AppID), Hint: "use that app id"}
		}
		return m.Merchant, nil
	}
	if len(w.merchants) >= maxMerchants || !digits(mchID, 8, 12) || appID == "" || len(appID) > 32 {
		return Merchant{}, &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("merchant %.20q with app %.40q cannot be opened", mchID, appID), Hint: "a merchant number is 8 to 12 digits; a hundred merchants at most"}
	}
	key, err := w.cfg.NewKey()
	if err != nil {
		return Merchant{}, err
	}
	m := newMerchant(Merchant{MchID: mchID, AppID: appID, SerialNo: w.hex(20), PrivateKey: key, APIv3Key: w.token(32)})
	w.merchants[mchID] = m
	w.keep(record{Merchant: m.saved()})
	return m.Merchant, nil
}

// Merchants lists the merchant numbers, sorted.
func (w *Wallet) Merchants() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.merchants))
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

// now is the wallet's own clock, which may be wrong.
func (w *Wallet) now() time.Time { return w.cfg.Now().Add(w.skew) }

// wait is a documented wait, scaled.
func (w *Wallet) wait(d time.Duration) time.Duration { return d / time.Duration(w.cfg.Scale) }

// later runs something after a scaled wait, unless the wallet was closed meanwhile. The caller holds the lock; run does
// not.
func (w *Wallet) later(d time.Duration, run func()) {
	w.cfg.After(w.wait(d), func() {
		w.mu.Lock()
		closed := w.closed
		w.mu.Unlock()
		if !closed {
			run()
		}
	})
}

// keep appends to the state file. A wallet that cannot write its book must not go on.
func (w *Wallet) keep(r record) {
	if w.store == nil {
		return
	}
	if err := w.store.append(r); err != nil && !errors.Is(err, os.ErrClosed) {
		panic(fmt.Sprintf("sandbox: state file %s: %v", w.cfg.State, err))
	}
}

func digits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == ""
}
