package sim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/sim/world"
)

// Options of a play.
type Options struct {
	Seed    uint64
	Orders  int                                  // 300 unless set
	Sellers int                                  // 36 unless set
	Dir     string                               // to keep what the hub writes; "" for a temporary one
	Surface func(*hub.Hub) (http.Handler, error) // all that a hub serves
	Now     func() time.Time                     // the wall clock: only to say how long it took
	// Progress is told how many of the story's days are over; nil for nobody.
	Progress func(done, total time.Duration)
}

func (o *Options) defaults() {
	if o.Orders == 0 {
		o.Orders = 300
	}
	if o.Sellers == 0 {
		o.Sellers = 36
	}
}

// The virtual world begins at midnight of a Monday in Shanghai, two days before a month ends, and is looked at until
// everything that was owed then is settled.
var (
	beginning = time.Date(2026, 3, 29, 16, 0, 0, 0, time.UTC)
	pace      = world.Pace{Span: 36 * time.Hour, Think: 20 * time.Second, Life: 20 * time.Minute, Look: 10 * time.Minute, Returns: 2 * time.Hour}
)

const (
	quiet = 24 * time.Hour      // after the last shopper, until what they began has ended
	tail  = 50 * 24 * time.Hour // until every delay of the terms is over
)

const hubURL = "https://hub.example"

// stage is a hub and its wallets in memory.
type stage struct {
	opt     Options
	chance  world.Chance
	loop    *world.Loop
	network *world.Network
	config  *hub.Config
	secrets *hub.Secrets
	hub     *hub.Hub
	wallets map[string]*sandbox.Wallet
	world   *world.World
	pulse   time.Duration // until time passes by itself again
	due     int           // what the last tick found to do
	rest    bool          // the story is over
}

// Once plays a world from its beginning to its end, and audits it. An error means that it could not be played; what
// does not hold stands in the report.
func Once(ctx context.Context, o Options) (report *Report, err error) {
	o.defaults()
	began := o.Now()
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "moongate-demo-"); err != nil {
			return nil, fmt.Errorf("sim: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	s := &stage{opt: o, chance: world.NewChance(o.Seed), loop: world.Virtual(beginning), network: world.NewNetwork(), wallets: map[string]*sandbox.Wallet{}}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if err := s.play(ctx); err != nil {
		return nil, errors.Join(err, s.hub.Close())
	}
	report, err = s.audit(ctx)
	if err != nil {
		return nil, err
	}
	report.Seconds = o.Now().Sub(began).Seconds()
	return report, nil
}

// open makes the wallets, the hub and the world.
func (s *stage) open(ctx context.Context) error {
	cast := world.Settle(s.chance, s.opt.Sellers)
	s.config = &hub.Config{
		Name: "hub.example/demo", Data: filepath.Join(s.opt.Dir, "data"), Secrets: filepath.Join(s.opt.Dir, "secrets"),
		Listen: "127.0.0.1:0", PublicURL: hubURL, Operator: "operator",
	}
	for _, p := range cast.Wallets {
		if err := s.openWallet(p); err != nil {
			return err
		}
	}
	if err := hub.MakeSecrets(s.config.Secrets, s.config.Name, s.chance.Stream("secrets").Fill); err != nil {
		return err
	}
	var err error
	if s.secrets, err = hub.ReadSecrets(s.config.Secrets); err != nil {
		return err
	}
	random := s.chance.Stream("hub")
	connectors, err := hub.Connect(s.config, s.network, s.loop.Now, random)
	if err != nil {
		return err
	}
	seeds := s.chance.Stream("commands")
	s.hub, err = hub.Open(ctx, hub.Options{
		Config: s.config, Secrets: s.secrets, Now: s.loop.Now, Random: random.Fill, Virtual: true, NoSync: true,
		Seed:    func(*replica.Request) (seed [32]byte) { seeds.Fill(seed[:]); return seed },
		Wallets: connectors,
	})
	if err != nil {
		return err
	}
	token, err := s.hub.Bootstrap(ctx, "Operator")
	if err != nil {
		return err
	}
	handler, err := s.opt.Surface(s.hub)
	if err != nil {
		return err
	}
	s.network.Handle("hub.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Lists are as new as the answers that came before.
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/") && r.URL.Path != "/v1/events" {
			if _, err := s.hub.Views.CatchUp(r.Context(), s.hub.Node.Journal()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		handler.ServeHTTP(w, r)
	}))
	s.world, err = world.New(world.Options{
		Chance: s.chance, Loop: s.loop, Carrier: s.network, Hub: hubURL, Token: token, Wallets: s.wallets, Sellers: s.opt.Sellers,
		Address:   func(handle string) string { return "https://" + handle + ".example" },
		WalletURL: walletURL,
	})
	if err != nil {
		return errors.Join(err, s.hub.Close())
	}
	gardens := s.world.Gardens()
	for _, handle := range s.world.Handles() {
		s.network.Handle(handle+".example", under(handle, gardens))
	}
	return nil
}

func walletURL(handle string) string { return "https://" + handle + ".example" }

// under serves a garden's pages at the root of its host.
func under(handle string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := r.Clone(r.Context())
		in.URL.Path = "/" + handle + r.URL.Path
		h.ServeHTTP(w, in)
	})
}

// openWallet makes a sandbox wallet with the hub's account there.
func (s *stage) openWallet(p world.Purse) error {
	w, account, err := openPurse(filepath.Join(s.opt.Dir, "secrets", p.Handle), p, sandbox.Config{
		BaseURL: walletURL(p.Handle), Now: s.loop.Now, Random: s.chance.Stream("wallet " + p.Handle), After: s.loop.After, Carrier: s.network,
	})
	if err != nil {
		return err
	}
	s.config.Wallets = append(s.config.Wallets, account)
	s.wallets[p.Handle] = w
	s.network.Carry(p.Handle+".example", w.InMemory())
	return nil
}

// play lets the story happen.
func (s *stage) play(ctx context.Context) error {
	if err := s.world.MoveIn(ctx); err != nil {
		return err
	}
	if err := s.hub.KeepBills(ctx); err != nil {
		return err
	}
	s.world.Begin(ctx, s.opt.Orders, pace)
	s.beat(ctx)
	total := pace.Span + quiet + tail
	step := func(ctx context.Context) error {
		if s.opt.Progress != nil {
			s.opt.Progress(s.loop.Now().Sub(beginning), total)
		}
		return s.step(ctx)
	}
	if err := s.loop.Run(ctx, beginning.Add(pace.Span+quiet), step); err != nil {
		return err
	}
	s.world.Rest()
	s.rest = true
	if err := s.loop.Run(ctx, beginning.Add(total), step); err != nil {
		return err
	}
	_, err := s.hub.Views.CatchUp(ctx, s.hub.Node.Journal())
	return err
}

// beat has time pass when nothing else happens: often while there is something to do, less often when it is quiet.
func (s *stage) beat(ctx context.Context) {
	const least = 5 * time.Second
	most := time.Hour
	if s.rest {
		most = 6 * time.Hour
	}
	if s.due > 0 || s.pulse < least {
		s.pulse = least
	} else {
		s.pulse = min(2*s.pulse, most)
	}
	s.loop.After(s.pulse, func() { s.beat(ctx) })
}

// step does what a hub does by itself: clicks are recorded, time passes, effects are carried out, lists catch up.
func (s *stage) step(ctx context.Context) error {
	if err := s.hub.Clicks.Flush(ctx); err != nil {
		return err
	}
	s.due = 0
	for {
		n, err := replica.Submit[int](ctx, s.hub.Node, replica.Request{Command: &replica.Tick{}})
		if err != nil {
			return err
		}
		s.due += n
		outcomes, err := s.hub.Effects.Drain(ctx)
		if err != nil {
			return err
		}
		if n == 0 && outcomes == 0 {
			break
		}
	}
	return nil
}
