package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/sim/olist"
	"github.com/moongate-hub/moongate/sim/retail"
)

// Options of a replay.
type Options struct {
	Dir      string // of the hub's data, keys and configuration; one that was begun is gone on with
	Format   string // olist or online-retail: a directory serves one
	Now      func() time.Time
	Progress func(done, total int64)
	Fatal    func(error)
}

// Run is a replay on a hub of its own.
type Run struct {
	desk    desk
	opt     Options
	hub     *hub.Hub
	resumed moongate.Time // how far an earlier run came; 0 for none
	connect map[string]pay.Wallet
	payers  map[string]settle.Payer
	agreed  string // file that says under which agreement the replay runs

	moments   moments
	agreement moongate.ID
	currency  money.Currency
	progress  func(done, total int64)
}

// Totals is what every replay ends with.
type Totals struct {
	Crossings    int64            `json:"crossings"`
	Exceptions   int              `json:"exceptions"`
	Windows      int              `json:"windows"`
	NetPositions map[string]int64 `json:"net_positions"` // minor units that each participant was paid, or has paid, by settlement
	InvariantsOK bool             `json:"invariants_ok"`
	Problems     []string         `json:"problems,omitempty"`
	StateHash    string           `json:"state_hash"`
	Position     journal.Position `json:"events"`
	Resumed      bool             `json:"resumed"`
	Seconds      float64          `json:"seconds"`
}

// OlistReport is what [Run.Olist] comes to.
type OlistReport struct {
	olist.Report
	Totals
}

// RetailReport is what [Run.Retail] comes to.
type RetailReport struct {
	retail.Report
	RefundsRefused map[string]int64 `json:"refunds_refused"` // by code: refunds that the hub did not allow
	Totals
}

// Open opens the hub of a replay, or makes it.
func Open(ctx context.Context, opt Options) (*Run, error) {
	path := filepath.Join(opt.Dir, "moongate.yaml")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		name := "replay.example/" + opt.Format
		_, err := hub.Init(opt.Dir, hub.Config{
			Name: name, Listen: "127.0.0.1:8600", PublicURL: "http://127.0.0.1:8600", Operator: "operator",
			Limits: hub.LimitsConfig{RefundDays: 800},
		}, fixed(name), opt.Now())
		if err != nil {
			return nil, err
		}
	}
	c, err := hub.ReadConfig(path)
	if err != nil {
		return nil, err
	}
	if c.Name != "replay.example/"+opt.Format {
		return nil, &moongate.Error{Code: moongate.Conflict, Field: "--data", Message: fmt.Sprintf("%s holds a replay of another format (%s)", opt.Dir, c.Name), Hint: "use another directory"}
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		return nil, err
	}
	r := &Run{opt: opt, connect: map[string]pay.Wallet{}, payers: map[string]settle.Payer{}, agreed: filepath.Join(opt.Dir, "agreement.json"), progress: opt.Progress}
	clock := &Clock{}
	r.hub, err = hub.Open(ctx, hub.Options{
		Config: c, Secrets: s, Now: clock.Now, Random: fixed("unused"), Seed: Seed, Virtual: true, Fatal: opt.Fatal,
		Wallets: r.connect, Payers: r.payers,
	})
	if err != nil {
		return nil, err
	}
	r.hub.Machine().Read(func() { r.resumed = r.hub.Machine().Now() })
	clock.Set(r.resumed)
	r.desk = desk{ctx: ctx, hub: r.hub, clock: clock, name: opt.Format}
	return r, nil
}

// fixed is randomness that is the same each time: what a replay's hub is made of guards nothing.
func fixed(name string) func([]byte) {
	n := 0
	return func(b []byte) {
		n++
		seed := Seed(&replica.Request{Caller: name, Key: fmt.Sprint(n), Command: &replica.Tick{}})
		for i := range b {
			b[i] = seed[i%len(seed)]
		}
	}
}

// paid carries out every instruction at once: the wallets of a replay paid long ago.
func paid(_ context.Context, o settle.Order) (settle.Outcome, error) {
	return settle.Outcome{Paid: true, Ref: "recorded-" + o.No}, nil
}

// Close closes the hub.
func (r *Run) Close() error { return r.hub.Close() }

func (r *Run) wallet(handle string) {
	r.connect[handle], r.payers[handle] = recorded{r.currency, r.desk.clock}, paid
}

// passed tells whether everything up to a time was done before the run that is resumed was broken off: requests are
// made in order, and one with a later time was answered. What happened at that very time, or later, is asked again; its
// keys are still known, so that nothing is done twice.
func (r *Run) passed(last moongate.Time) bool { return last < r.resumed }

// furnished gives the agreement of a run that has been begun.
func (r *Run) furnished() (moongate.ID, bool, error) {
	b, err := os.ReadFile(r.agreed)
	if errors.Is(err, os.ErrNotExist) {
		return moongate.ID{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r.agreement)
	}
	return r.agreement, err == nil, err
}

func (r *Run) furnish(id moongate.ID) error {
	r.agreement = id
	b, err := json.Marshal(id)
	if err != nil {
		return err
	}
	return journal.WriteFile(r.agreed, b, 0o600)
}

// drain has what is pending at wallets done, until nothing is.
func (r *Run) drain() error {
	for {
		n, err := r.hub.Effects.Drain(r.desk.ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}

// Moments at which the hub does something by itself that the replay waits for: a month ends, or what its windows came
// to goes out, a day later. Requests before a moment are made before it, and those after it after it.
type moments struct {
	end moongate.Time // of the month
	out moongate.Time // 0: nothing is to go out
}

// next is the first moment to come.
func (m *moments) next() moongate.Time {
	if m.out != 0 {
		return min(m.end, m.out)
	}
	return m.end
}

// upTo has every moment pass that is not later than a time.
func (r *Run) upTo(at moongate.Time) error {
	if r.moments.end == 0 {
		r.moments.end = nextMonth(at)
	}
	for r.moments.next() <= at {
		if out := r.moments.out; out != 0 && out <= r.moments.end {
			if err := r.payOut(out); err != nil {
				return err
			}
			r.moments.out = 0
			continue
		}
		end := r.moments.end
		if err := r.closeMonth(end); err != nil {
			return err
		}
		r.moments = moments{end: nextMonth(end), out: end + moongate.Day + moongate.Second}
	}
	return nil
}

func nextMonth(at moongate.Time) moongate.Time {
	t := at.Go()
	return moongate.At(time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC))
}

// closeMonth closes the month's window.
func (r *Run) closeMonth(end moongate.Time) error {
	if r.passed(end) {
		return nil
	}
	if err := r.desk.tick(end); err != nil {
		return err
	}
	var w settle.Window
	var open bool
	r.hub.Machine().Read(func() { w, open = r.hub.Settle.Current(r.agreement, r.currency) })
	if !open {
		return nil
	}
	_, err := hub.Do[settle.Answer](r.desk.ctx, r.hub, "", r.desk.key("close/"+w.ID.String()), &settle.Close{Window: w.ID})
	return err
}

// payOut lets the delay of the terms pass and has the wallets pay.
func (r *Run) payOut(at moongate.Time) error {
	if !r.passed(at) {
		if err := r.desk.tick(at); err != nil {
			return err
		}
	}
	return r.drain()
}

// finish settles the last month, and counts.
func (r *Run) finish(t *Totals, last moongate.Time) error {
	if last > 0 {
		if err := r.upTo(nextMonth(last) + 2*moongate.Day); err != nil {
			return err
		}
	}
	ctx := r.desk.ctx
	if _, err := r.hub.Views.CatchUp(ctx, r.hub.Node.Journal()); err != nil {
		return err
	}
	if err := r.hub.Publish(); err != nil {
		return err
	}
	t.NetPositions = map[string]int64{}
	windows := map[moongate.ID]bool{}
	err := r.hub.Node.Journal().Entries(1, func(e journal.Entry) error {
		switch v := e.Event.(type) {
		case *crossing.Recorded:
			t.Crossings++
		case *settle.WindowClosed:
			windows[v.Window] = true
			for _, s := range v.Standings {
				if net := s.Net - s.Carried; net != 0 {
					t.NetPositions[s.Party] += net
				}
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	t.Windows = len(windows)
	r.hub.Machine().Read(func() {
		t.Exceptions = r.hub.Pay.Exceptions()
		t.Position = r.hub.Machine().Position()
		for _, p := range r.hub.Ledger.Check() {
			t.Problems = append(t.Problems, fmt.Sprintf("%s: %s", p.Account, p.Message))
		}
		t.Problems = append(t.Problems, r.hub.Settle.Check()...)
		if rest := inFlight(r.hub); rest != 0 {
			t.Problems = append(t.Problems, fmt.Sprintf("%d stands on clearing accounts after settlement", rest))
		}
	})
	t.InvariantsOK = len(t.Problems) == 0
	hash, err := r.hub.Machine().Hash()
	if err != nil {
		return err
	}
	t.StateHash = fmt.Sprintf("%x", hash)
	t.Resumed = r.resumed > 0
	return nil
}

// inFlight is what stands on the hub's clearing accounts.
func inFlight(h *hub.Hub) int64 {
	sum := int64(0)
	for after := 0; ; {
		books := h.Ledger.Accounts("", after, 1000)
		for _, b := range books {
			if b.Account.Purpose == ledger.Clearing {
				sum += max(b.Balance.Net(ledger.Clearing), -b.Balance.Net(ledger.Clearing))
			}
		}
		if after += len(books); len(books) == 0 {
			return sum
		}
	}
}
