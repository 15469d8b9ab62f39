package bench

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
)

// live is a whole hub, furnished, that serves on loopback.
type live struct {
	*world
	hub      *hub.Hub
	listener net.Listener
	server   *http.Server
}

// newLive furnishes a hub that has an account at one wallet.
func newLive(ctx context.Context, opt Options, dir string, at pay.Wallet) (*live, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &live{world: &world{now: opt.Now, sellers: opt.size().sellers}, listener: l}
	c, err := hub.Init(dir, hub.Config{
		Name: "bench.example/moongate", Listen: l.Addr().String(), PublicURL: "http://" + l.Addr().String(), Operator: "operator",
	}, opt.Random, opt.Now())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	v.hub, err = hub.Open(ctx, hub.Options{
		Config: c, Secrets: s, Now: opt.Now, Random: opt.Random, Wallets: map[string]pay.Wallet{wallet: at},
		Fatal: func(err error) {
			v.broken.CompareAndSwap(nil, &err)
			go v.close() //nolint:errcheck // the fault is told; closing answers everybody who waits
		},
	})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	v.node, v.machine = v.hub.Node, v.hub.Machine()
	if err := v.furnish(ctx); err != nil {
		return nil, errors.Join(err, v.close())
	}
	return v, nil
}

func (v *live) serve(h http.Handler) {
	v.server = api.Server(h, slog.New(slog.DiscardHandler))
	go v.server.Serve(v.listener) //nolint:errcheck // it ends with close
}

func (v *live) address() string { return v.listener.Addr().String() }

// close ends server and hub, and gives the fault that did if there was one.
func (v *live) close() error {
	v.once.Do(func() {
		if v.server != nil {
			v.closed = v.server.Close()
		} else {
			v.closed = v.listener.Close()
		}
		v.closed = errors.Join(v.closed, v.hub.Close())
	})
	return v.fault(context.Background(), v.closed)
}

// quiet waits until nothing is left to be asked of the wallet: every order that was made stands there.
func (v *live) quiet(ctx context.Context) error {
	for waiting := 1; waiting > 0; {
		if ctx.Err() != nil || v.broken.Load() != nil {
			return v.fault(ctx, context.Cause(ctx))
		}
		time.Sleep(5 * time.Millisecond)
		waiting = 0
		for _, p := range v.machine.Peers() {
			waiting += p.Waiting
		}
	}
	return nil
}

// idle is a wallet that takes every order and never tells of one.
type idle struct{}

// Can is anything in CNY.
func (idle) Can() pay.Capabilities {
	return pay.Capabilities{Kind: "idle", Currencies: []money.Currency{money.CNY}, Channels: []pay.Channel{pay.QR}, MaxLife: moongate.Day}
}

// Create hands over.
func (idle) Create(_ context.Context, o pay.Order) (pay.Handoff, error) {
	return pay.Handoff{QR: o.No, Expires: o.Expires}, nil
}

// Query knows nothing yet.
func (idle) Query(_ context.Context, no string) (pay.Outcome, error) {
	return pay.Outcome{No: no, State: pay.Awaiting}, nil
}

// Close closes.
func (idle) Close(_ context.Context, no string) (pay.Outcome, error) {
	return pay.Outcome{No: no, State: pay.Closed}, nil
}

// Refund is never asked.
func (idle) Refund(context.Context, pay.RefundOrder) (pay.RefundOutcome, error) {
	return pay.RefundOutcome{}, errors.New("this wallet gives nothing back")
}
