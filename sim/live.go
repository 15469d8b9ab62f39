package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim/world"
)

// LiveOptions of a world over sockets, under the wall clock. The hub is another process.
type LiveOptions struct {
	Seed    uint64
	Sellers int    // 36 unless set
	Dir     string // where the credentials of the wallets' accounts are written
	Hub     string // URL
	Now     func() time.Time
}

// Live is wallets and gardens that serve on this machine, and the people who go about in them.
type Live struct {
	World   *world.World
	Wallets []hub.WalletConfig // for the hub's configuration
	Gardens string             // URL
	Loop    *world.Loop

	opt     LiveOptions
	chance  world.Chance
	sandbox map[string]*sandbox.Wallet
	urls    map[string]string // of the wallets
	gardens net.Listener
	servers []*http.Server
}

// haste divides every wait of the wallets: who watches does not want to wait a quarter of a minute for a second try.
const haste = 10

// LivePace is how time passes in a live story of some length.
func LivePace(span time.Duration) world.Pace {
	return world.Pace{
		Span: span, Think: 250 * time.Millisecond, Life: 150 * time.Second, Returns: 3 * time.Second, Look: 500 * time.Millisecond, Evenly: true,
	}
}

// OpenLive starts the wallets, and takes an address for the gardens.
func OpenLive(ctx context.Context, o LiveOptions) (*Live, error) {
	if o.Sellers == 0 {
		o.Sellers = 36
	}
	l := &Live{
		opt: o, Loop: world.Wall(o.Now), chance: world.NewChance(o.Seed), sandbox: map[string]*sandbox.Wallet{}, urls: map[string]string{},
	}
	cast := world.Settle(l.chance, o.Sellers)
	for _, p := range cast.Wallets {
		if err := l.openWallet(ctx, p); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	var err error
	if l.gardens, err = Listen(ctx, "127.0.0.1:8610"); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.Gardens = "http://" + l.gardens.Addr().String()
	return l, nil
}

// Listen takes an address, or, where somebody has it, another port of the same host.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return l, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, fmt.Errorf("sim: %w", splitErr)
	}
	if l, err = config.Listen(ctx, "tcp", net.JoinHostPort(host, "0")); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	return l, nil
}

func (l *Live) openWallet(ctx context.Context, p world.Purse) error {
	listener, err := Listen(ctx, fmt.Sprintf("127.0.0.1:%d", 8611+len(l.urls)))
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	w, account, err := openPurse(filepath.Join(l.opt.Dir, "secrets", p.Handle), p, sandbox.Config{BaseURL: url, Now: l.opt.Now, Random: l.chance.Stream("wallet " + p.Handle), Scale: haste})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	for _, file := range []*string{&account.PrivateKey, &account.APIKey, &account.PublicKey} {
		if *file == "" {
			continue
		}
		if *file, err = filepath.Rel(l.opt.Dir, *file); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	l.Wallets = append(l.Wallets, account)
	l.sandbox[p.Handle], l.urls[p.Handle] = w, url
	l.serve(listener, w)
	return nil
}

// serve answers on a listener until the world closes.
func (l *Live) serve(listener net.Listener, h http.Handler) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	l.servers = append(l.servers, s)
	go func() { _ = s.Serve(listener) }() // it ends when it is closed
}

// MoveIn makes the world once the hub answers, and has everybody settle there.
func (l *Live) MoveIn(ctx context.Context, token string) error {
	var err error
	l.World, err = world.New(world.Options{
		Chance: l.chance, Loop: l.Loop, Carrier: carrier(), Hub: l.opt.Hub, Token: token, Wallets: l.sandbox, Sellers: l.opt.Sellers,
		Address:   func(handle string) string { return l.Gardens + "/" + handle },
		WalletURL: func(handle string) string { return l.urls[handle] },
		Window:    moongate.Minute,
	})
	if err != nil {
		return err
	}
	if err := l.World.MoveIn(ctx); err != nil {
		return err
	}
	l.serve(l.gardens, l.World.Gardens())
	return nil
}

// carrier is the network of this machine. It gives up soon: a hub that was killed does not answer.
func carrier() *http.Transport {
	t := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		ResponseHeaderTimeout: 15 * time.Second, MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second,
	}
	return t
}

// Wallet gives a wallet by its handle.
func (l *Live) Wallet(handle string) *sandbox.Wallet { return l.sandbox[handle] }

// Close ends the servers and the wallets.
func (l *Live) Close() error {
	var errs []error
	for _, s := range l.servers {
		errs = append(errs, s.Close())
	}
	if l.gardens != nil && len(l.servers) == len(l.urls) { // nobody served on it yet
		errs = append(errs, l.gardens.Close())
	}
	for _, w := range l.sandbox {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}
