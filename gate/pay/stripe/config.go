package stripe

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	sdk "github.com/stripe/stripe-go/v84"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Config names an account and the world the connector lives in. Secrets come from files or the environment; formatting a
// Config shows none.
type Config struct {
	SecretKey     string           // sk_… or rk_…
	WebhookSecret string           // whsec_… of the endpoint that Stripe notifies
	Currencies    []money.Currency // in which the account is charged
	Transfers     bool             // participants with connected accounts are paid by transfers

	BaseURL string            // empty for Stripe itself. No path. Plain http only to loopback.
	Carrier http.RoundTripper // how requests travel; nil for http.DefaultTransport
	Timeout time.Duration     // of one call; 15 s where zero
	Now     func() time.Time  // the clock
}

// String names the account without its secrets.
func (c Config) String() string { return "stripe account" }

// GoString is [Config.String], so that %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// odd are currencies that Stripe counts in other units than ISO 4217 does.
var odd = map[string]bool{"ISK": true, "UGX": true, "HUF": true, "TWD": true}

// Check says what is missing or wrong, naming the field.
func (c Config) Check() error {
	bad := func(field, message, hint string) error {
		return &moongate.Error{Code: moongate.Malformed, Field: field, Message: message, Hint: hint}
	}
	switch {
	case !strings.HasPrefix(c.SecretKey, "sk_") && !strings.HasPrefix(c.SecretKey, "rk_"):
		return bad("secret_key", "this is no secret key of Stripe's", "it begins with sk_ or rk_; the dashboard shows it under Developers")
	case !strings.HasPrefix(c.WebhookSecret, "whsec_"):
		return bad("webhook_secret", "this is no signing secret of a webhook endpoint", "it begins with whsec_; the dashboard shows it beside the endpoint")
	case len(c.Currencies) == 0:
		return bad("currencies", "no currency is given", "name those in which the account is charged, such as USD")
	case c.Now == nil:
		return bad("", "the clock is not wired", "this is a mistake in the program")
	}
	for _, cur := range c.Currencies {
		if odd[cur.String()] {
			return bad("currencies", fmt.Sprintf("Stripe counts %s in units of its own", cur), "leave it out")
		}
	}
	if c.BaseURL == "" {
		return nil
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.TrimSuffix(u.Path, "/") != "" ||
		u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return bad("base_url", fmt.Sprintf("%.80q cannot be a wallet's address", c.BaseURL), "write scheme and host only: https everywhere, http to loopback")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Wallet is a [pay.Wallet] at Stripe, with what it can do beyond.
//
// [pay.Wallet]: https://pkg.go.dev/github.com/moongate-hub/moongate/gate/pay#Wallet
type Wallet struct {
	cfg    Config
	client *sdk.Client

	mu    sync.Mutex        // guards what follows; never held during I/O
	known map[string]string // our number → the session, of the orders seen last
	order []string

	broken map[string]moongate.Time // idempotency key → when a 5xx under it was first met, of the last days
}

// maxKnown bounds the sessions that are remembered.
const maxKnown = 100_000

// maxAnswer is the most that is read of one answer, in bytes.
const maxAnswer = 4 << 20

// New makes a connector. It does no I/O.
func New(cfg Config) (*Wallet, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Carrier == nil {
		cfg.Carrier = http.DefaultTransport
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 15 * time.Second
	}
	backend := &sdk.BackendConfig{
		EnableTelemetry: sdk.Bool(false), MaxNetworkRetries: sdk.Int64(0), // the gate asks before it repeats
		LeveledLogger: &sdk.LeveledLogger{Level: sdk.LevelNull},
		HTTPClient: &http.Client{
			Transport: bounded{cfg.Carrier}, Timeout: cfg.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if cfg.BaseURL != "" {
		backend.URL = sdk.String(strings.TrimSuffix(cfg.BaseURL, "/"))
	}
	api := sdk.GetBackendWithConfig(sdk.APIBackend, backend)
	return &Wallet{
		cfg: cfg, known: map[string]string{}, broken: map[string]moongate.Time{},
		client: sdk.NewClient(cfg.SecretKey, sdk.WithBackends(&sdk.Backends{API: api, Connect: api, Uploads: api, MeterEvents: api})),
	}, nil
}

// bounded reads no more of an answer than one can be.
type bounded struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = &limited{Reader: io.LimitReader(answer.Body, maxAnswer), Closer: answer.Body}
	}
	return answer, err
}

type limited struct {
	io.Reader
	io.Closer
}

func (w *Wallet) remember(no, session string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.known[no]; !ok {
		if len(w.order) == maxKnown {
			delete(w.known, w.order[0])
			w.order = w.order[1:]
		}
		w.order = append(w.order, no)
	}
	w.known[no] = session
}

func (w *Wallet) remembered(no string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[no]
}
