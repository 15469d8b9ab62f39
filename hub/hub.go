package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/proof"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/view"
	"github.com/moongate-hub/moongate/webhook"
)

// Options are what the process gives a hub: clock, chance, and which of the two modes it runs in.
type Options struct {
	Config  *Config
	Secrets *Secrets
	Now     func() time.Time
	Random  func([]byte)
	// Seed draws the randomness of one request; nil takes it from Random. A replay derives it from the request.
	Seed func(*replica.Request) [32]byte
	// WebhookPauses are those between the tries of one message; nil: 5 s to 4 h.
	WebhookPauses []time.Duration
	// Virtual leaves time, effects, views and checkpoints to whoever drives the hub: nothing happens by itself.
	Virtual bool
	// NoSync gives up durability, for simulations that are thrown away.
	NoSync bool
	Skip   map[uint64][32]byte
	// AcceptClock is an operator's consent to a clock that is far from the hub's time.
	AcceptClock bool
	// ClockWitness asks somebody outside what time it is; see [replica.Options].
	ClockWitness func(context.Context) bool
	// Wallets are the accounts that payments go through, by the wallet's handle; Payers have them pay out.
	Wallets map[string]pay.Wallet
	Payers  map[string]settle.Payer
	Log     *slog.Logger
	Fatal   func(error) // ends the process
}

// Hub is the rooms in one machine, running.
type Hub struct {
	*Rooms
	Config   *Config
	Secrets  *Secrets
	Node     *replica.Node
	Views    *view.Store
	Effects  *effect.Runner
	Payments *pay.Gate
	Bills    *reconcile.Importer
	Tokens   *link.Tokens   // of clicks
	Clicks   *link.Recorder // counts them
	Webhooks *webhook.Deliverer
	Now      func() time.Time
	Random   func([]byte)
	Log      *slog.Logger

	opt      Options
	restored bool // from a backup, and not released when the hub was opened
	verifier note.Verifiers
	run      context.Context // ends when the hub closes
	stop     context.CancelFunc
	work     sync.WaitGroup
	feed     feed
	taking   sync.Mutex // held while a bill is taken in

	witnesses []*witness
	cosigning sync.Mutex // held while the witnesses are asked: it guards what is known of them
}

// Open starts a hub on its data directory.
func Open(ctx context.Context, opt Options) (*Hub, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Fatal == nil {
		opt.Fatal = func(err error) {
			opt.Log.Error("the hub must stop", "error", err)
			os.Exit(70) //nolint:forbidigo // what is in memory may be wrong: nothing more may be written, not even in passing
		}
	}
	if opt.Seed == nil {
		opt.Seed = func(*replica.Request) (seed [32]byte) { opt.Random(seed[:]); return seed }
	}
	h := &Hub{
		Config: opt.Config, Secrets: opt.Secrets, Now: opt.Now, Random: opt.Random, Log: opt.Log,
		opt: opt, verifier: note.VerifierList(opt.Secrets.verifiers()...),
	}
	if _, err := os.Stat(filepath.Join(opt.Config.Data, QuarantineFile)); !errors.Is(err, os.ErrNotExist) {
		h.restored = true
	}
	var err error
	h.Rooms = NewRooms(opt.Config)
	h.Node, err = replica.Open(ctx, h.machine, h.nodeOptions())
	if err != nil {
		return nil, err
	}
	if h.Views, err = view.Open(filepath.Join(opt.Config.Data, "views.db"), h.views()...); err != nil {
		return nil, errors.Join(err, h.Node.Close())
	}
	h.Payments, err = pay.NewGate(pay.Options{
		State: h.Pay, Read: h.machine.Read, Submit: h.Node.Submit, Wallets: opt.Wallets, Now: h.clock,
		URL: strings.TrimSuffix(opt.Config.PublicURL, "/"), Secret: opt.Secrets.Derive("moongate/cashier/v1"), Held: h.held,
		Hub: opt.Config.Tag(), People: h.Node.Vault(), Random: h.Rand(),
	})
	if err != nil {
		return nil, errors.Join(err, h.Views.Close(), h.Node.Close())
	}
	if err := errors.Join(h.openBills(), h.openWitnesses()); err != nil {
		return nil, errors.Join(err, h.Views.Close(), h.Node.Close())
	}
	h.Webhooks = h.newDeliverer()
	h.Effects = effect.NewRunner(h.Node, h.handlers(), effect.Options{
		// In quarantine wallets are asked, by the payment gate, and nobody is told anything.
		Wait: func(kind string) bool { return h.held() && !strings.HasPrefix(kind, "pay.") },
		OnError: func(peer string, at journal.Position, tries int, err error) {
			h.Log.Warn("effect failed", "peer", peer, "event", at, "tries", tries, "error", err)
		},
	})
	if err := h.openLinks(); err != nil {
		return nil, errors.Join(err, h.Views.Close(), h.Node.Close())
	}
	h.run, h.stop = context.WithCancel(context.Background())
	h.feed.scans = make(chan struct{}, feedScans)
	if !opt.Virtual {
		h.start(h.run)
	}
	return h, nil
}

// nodeSecret names the purpose of the secret that keys, fingerprints and the log's blanks follow from.
const nodeSecret = "moongate/node/v1" //nolint:gosec // a name, not a secret

func (h *Hub) clock() moongate.Time { return moongate.At(h.Now()) }

// openLinks makes what the link gate needs beside its room.
func (h *Hub) openLinks() (err error) {
	if h.Tokens, err = link.NewTokens(h.Secrets.Derive("moongate/click/v1")); err != nil {
		return err
	}
	h.Clicks, err = link.NewRecorder(link.RecorderOptions{
		Tokens: h.Tokens, Hub: h.Config.Tag(), Random: h.Rand(), Submit: h.Node.Submit, Now: h.clock,
		OnError: func(err error) { h.Log.Warn("clicks were not recorded", "error", err) },
	})
	return err
}

// Links answers links: GET /l/CODE.
func (h *Hub) Links(show func(http.ResponseWriter, *http.Request, link.Page)) *link.Gate {
	return &link.Gate{
		State: h.Link, Read: h.machine.Read, Tokens: h.Tokens, Recorder: h.Clicks,
		Now: h.clock, Show: show,
	}
}

func (h *Hub) nodeOptions() replica.Options {
	o := replica.Options{
		Dir: h.Config.Data, Hub: h.Config.Tag(), Secret: h.Secrets.Derive(nodeSecret),
		Clock: h.clock,
		Seed:  h.opt.Seed, NoSync: h.opt.NoSync, Skip: h.opt.Skip, Fatal: h.opt.Fatal, AcceptClock: h.opt.AcceptClock, ClockWitness: h.opt.ClockWitness,
		QueueBytes: int64(h.Config.Limits.QueueMB) << 20, SegmentBytes: int64(h.Config.Limits.SegmentMB) << 20,
	}
	if !h.opt.Virtual {
		o.TickEvery = time.Second
	}
	return o
}

// start lets views, effects and checkpoints run by themselves.
func (h *Hub) start(ctx context.Context) {
	h.work.Go(func() { h.cosign(ctx) })
	h.work.Go(func() { h.Webhooks.Run(ctx) })
	h.work.Go(func() { h.keepBills(ctx) })
	h.work.Go(func() { h.Clicks.Run(ctx) })
	h.work.Go(func() {
		if err := h.Views.Follow(ctx, h.Node.Journal(), h.Node.Durable); err != nil {
			h.Log.Error("the views stopped; they can be deleted and are made anew at start", "error", err)
		}
	})
	h.work.Go(func() { h.Effects.Run(ctx) })
	h.work.Go(func() { h.publish(ctx) })
}

// publish signs a checkpoint on a fixed cadence, whether or not anything happened.
func (h *Hub) publish(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	off := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		switch fault := h.Node.ClockFault(); {
		case fault != nil && !off:
			h.Log.Error("nothing is decided", "error", fault, "hint", fault.Hint)
		case fault == nil && off:
			h.Log.Info("the clock is right again")
		}
		off = h.Node.ClockFault() != nil
		// Behind a barrier: what an earlier leader committed is in the log before this one signs it.
		// A restored hub publishes nothing before an operator knows what it had published.
		if !h.Node.Leads() || h.held() || h.Node.Current(ctx) != nil {
			continue
		}
		if err := h.Publish(); err != nil {
			h.opt.Fatal(fmt.Errorf("hub: checkpoint: %w", err))
			return
		}
	}
}

// Publish signs and publishes a checkpoint now.
func (h *Hub) Publish() error {
	_, err := h.Node.Log().Publish(h.Secrets.Origin(), h.Secrets.signer)
	return err
}

// Close stops the hub.
func (h *Hub) Close() error {
	h.stop()
	h.work.Wait()
	return errors.Join(h.Views.Close(), h.Node.Close())
}

// Do submits a request and gives its answer.
func Do[A any](ctx context.Context, h *Hub, caller, key string, c replica.Command) (A, error) {
	return replica.Submit[A](ctx, h.Node, replica.Request{Caller: caller, Key: key, Command: c})
}

// Receipt proves an event to a participant: opened are the groups that it may read. An operator may read all.
func (h *Hub) Receipt(pos journal.Position, reader Reader) (*proof.Receipt, error) {
	r, err := h.Node.Log().Receipt(pos, reader.opens)
	if err != nil {
		return nil, err
	}
	if len(r.Groups) == 0 {
		return nil, &moongate.Error{Code: moongate.NotFound, Message: "there is no such event, or it is not yours to read"}
	}
	return r, nil
}

// Verifiers are the keys that the hub's own receipts verify under.
func (h *Hub) Verifiers() note.Verifiers { return h.verifier }

// randomReader is the hub's randomness as an io.Reader.
type randomReader func([]byte)

// Read fills p.
func (r randomReader) Read(p []byte) (int, error) { r(p); return len(p), nil }

// Rand is the hub's randomness as an io.Reader.
func (h *Hub) Rand() io.Reader { return randomReader(h.Random) }

// Bootstrap registers the first operator and gives its API token, once.
func (h *Hub) Bootstrap(ctx context.Context, name string) (token string, err error) {
	handle := h.Config.Operator
	if _, err := Do[party.Done](ctx, h, "", "bootstrap/"+handle, &party.Register{Handle: handle, Kind: party.Operator, Name: name}); err != nil {
		return "", err
	}
	return h.IssueToken(ctx, "", handle, "first token", party.OperatorScope, 0)
}

// IssueToken makes an API credential: the only time that its secret is seen.
func (h *Hub) IssueToken(ctx context.Context, caller, handle, name string, scopes party.Scopes, expires moongate.Time) (string, error) {
	secret, err := party.NewSecret(h.Rand())
	if err != nil {
		return "", err
	}
	issued, err := Do[party.Issued](ctx, h, caller, "", &party.IssueCredential{Handle: handle, Name: name, Scopes: scopes, Expires: expires, Hash: secret.Hash()})
	if err != nil {
		return "", err
	}
	return party.FormatToken(issued.ID, secret), nil
}
