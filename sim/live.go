package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/sim/world"
)

// LiveOptions are those of a world on sockets and wall time.
type LiveOptions struct {
	Seed    uint64
	Sellers int    // 24 unless set
	Dir     string // of the hub's configuration, keys and data; it must be empty
	Listen  string // of the hub; a free port where it is taken
	Now     func() time.Time
	Random  func([]byte)
	Carrier http.RoundTripper // how the world reaches the hub; http.DefaultTransport where nil
}

// Live is the world around a hub that runs as a process of its own: wallets and gardens on sockets, and everybody's
// keys. The hub may go away and come back.
type Live struct {
	World  *world.World
	Loop   *world.Loop
	Config string // the hub's configuration file
	Hub    string // its address
	Token  string // its operator's
	LogKey string // under which its log verifies

	servers []*http.Server
	wallets map[string]*sandbox.Wallet
}

// LivePace is a story that a person can watch.
func LivePace(span time.Duration) world.Pace {
	return world.Pace{Span: span, Think: 400 * time.Millisecond, Life: 3 * time.Minute, Look: time.Second, Returns: span / 4, Evenly: true}
}

// NewLive opens wallets and gardens, and makes the configuration of a hub that is yet to be started.
func NewLive(ctx context.Context, o LiveOptions) (*Live, error) {
	if o.Sellers == 0 {
		o.Sellers = 24
	}
	if o.Carrier == nil {
		o.Carrier = http.DefaultTransport
	}
	l := &Live{Loop: world.Wall(o.Now), wallets: map[string]*sandbox.Wallet{}}
	if err := l.open(ctx, o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Live) open(ctx context.Context, o LiveOptions) error {
	chance := world.NewChance(o.Seed)
	cast := world.Settle(chance, o.Sellers)
	address, err := freeAddress(o.Listen)
	if err != nil {
		return err
	}
	l.Hub = "http://" + address
	config := hub.Config{Name: "demo.example/moongate", Listen: address, PublicURL: l.Hub, Operator: "operator"}
	walletURLs := map[string]string{}
	for _, p := range cast.Wallets {
		if walletURLs[p.Handle], err = l.openWallet(o, &config, chance, p); err != nil {
			return err
		}
	}
	gardens, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	c, err := hub.Init(o.Dir, config, o.Random, o.Now())
	if err != nil {
		return errors.Join(err, gardens.Close())
	}
	l.Config = filepath.Join(o.Dir, "moongate.yaml")
	if err := l.bootstrap(ctx, o, c); err != nil {
		return errors.Join(err, gardens.Close())
	}
	base := "http://" + gardens.Addr().String() + "/"
	l.World, err = world.New(world.Options{
		Chance: chance, Loop: l.Loop, Carrier: o.Carrier, Hub: l.Hub, Token: l.Token, Wallets: l.wallets, Sellers: o.Sellers,
		Address:   func(handle string) string { return base + handle },
		WalletURL: func(handle string) string { return walletURLs[handle] },
	})
	if err != nil {
		return errors.Join(err, gardens.Close())
	}
	l.serve(gardens, l.World.Gardens())
	return nil
}

// bootstrap makes the first operator, before the hub is started by itself.
func (l *Live) bootstrap(ctx context.Context, o LiveOptions, c *hub.Config) error {
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		return err
	}
	l.LogKey = s.Verifier
	h, err := hub.Open(ctx, hub.Options{Config: c, Secrets: s, Now: o.Now, Random: o.Random, Virtual: true})
	if err != nil {
		return err
	}
	if l.Token, err = h.Bootstrap(ctx, "Operator"); err == nil {
		_, err = hub.Do[party.Done](ctx, h, "operator", "demo/rename", &party.Rename{Handle: "operator", Name: "Harbour Office", NameZH: "港务处"})
	}
	return errors.Join(err, h.Close())
}

// openWallet serves a sandbox wallet and enters the hub's account there into the configuration.
func (l *Live) openWallet(o LiveOptions, c *hub.Config, chance world.Chance, p world.Purse) (string, error) {
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("sim: %w", err)
	}
	url := "http://" + at.Addr().String()
	w, err := sandbox.New(sandbox.Config{Name: p.Name, BaseURL: url, Now: o.Now, Random: chance.Stream("wallet " + p.Handle), Scale: 10})
	if err != nil {
		return "", errors.Join(err, at.Close())
	}
	l.wallets[p.Handle] = w
	l.serve(at, w)
	m, err := w.AddMerchant(p.MerchantID, p.AppID)
	if err != nil {
		return "", err
	}
	account, err := writeAccount(filepath.Join(o.Dir, "secrets", p.Handle), p, m, url)
	c.Wallets = append(c.Wallets, account)
	return url, err
}

func (l *Live) serve(at net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	l.servers = append(l.servers, s)
	go func() { _ = s.Serve(at) }() //nolint:errcheck // it ends with Close
}

// Violations are what the strict wallets found: effects that the hub asked for twice.
func (l *Live) Violations() int {
	n := 0
	for _, w := range l.wallets {
		n += len(w.Violations())
	}
	return n
}

// Close stops wallets and gardens.
func (l *Live) Close() error {
	var errs []error
	for _, s := range l.servers {
		errs = append(errs, s.Close())
	}
	for _, w := range l.wallets {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

// Up waits until the hub answers.
func (l *Live) Up(ctx context.Context, carrier http.RoundTripper) error {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.Hub+"/openapi.json", nil)
		if err != nil {
			return fmt.Errorf("sim: %w", err)
		}
		if resp, err := carrier.RoundTrip(r); err == nil {
			if err := resp.Body.Close(); err == nil && resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("sim: the hub at %s does not answer: %w", l.Hub, context.Cause(ctx))
		case <-t.C:
		}
	}
}

// freeAddress is the address asked for, or another port where that is taken.
func freeAddress(want string) (string, error) {
	if want == "" {
		want = "127.0.0.1:8600"
	}
	l, err := net.Listen("tcp", want)
	if err != nil && strings.HasPrefix(want, "127.0.0.1:") {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", fmt.Errorf("sim: %w", err)
	}
	address := l.Addr().String()
	return address, l.Close()
}

// Temporary is a directory for a demonstration that is thrown away.
func Temporary() (dir string, remove func(), err error) {
	root, err := os.MkdirTemp("", "moongate-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("sim: %w", err)
	}
	return filepath.Join(root, "hub"), func() { _ = os.RemoveAll(root) }, nil //nolint:errcheck // a temporary directory
}
