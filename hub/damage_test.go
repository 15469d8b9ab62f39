package hub_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/pages"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/sim"
)

// story is a hub that a world lived with: every gate, refunds, private totals, settled windows.
func story(t *testing.T) (*hub.Config, *hub.Secrets) {
	t.Helper()
	dir := t.TempDir()
	report, err := sim.Once(t.Context(), sim.Options{Seed: 1, Orders: 25, Sellers: 6, Dir: dir, Now: time.Now, Surface: surface})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if !f.OK {
			t.Fatalf("the story does not hold: %s: %v", f.Check, f.Problems)
		}
	}
	c := &hub.Config{Name: "hub.example/demo", Data: filepath.Join(dir, "data"), Secrets: filepath.Join(dir, "secrets"), PublicURL: "https://hub.example", Operator: "operator"}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func surface(h *hub.Hub) (http.Handler, error) {
	draw, err := console.New(console.Words())
	if err != nil {
		return nil, err
	}
	a := api.New(h, "test")
	pages.New(h, draw, pages.Options{}).Register(a.Mux())
	return a.Handler(), nil
}

// forge copies a hub's data and writes its journal anew, as somebody would who can make every checksum right.
func forge(t *testing.T, c *hub.Config, change func(*journal.Record)) *hub.Config {
	t.Helper()
	forged := *c
	forged.Data = t.TempDir()
	if err := os.CopyFS(forged.Data, os.DirFS(c.Data)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(forged.Data, "journal")); err != nil {
		t.Fatal(err)
	}
	registry := hub.NewRooms(c).Machine().Registry()
	from, err := journal.Open(filepath.Join(c.Data, "journal"), registry, journal.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	to, err := journal.Open(filepath.Join(forged.Data, "journal"), registry, journal.Options{Sync: journal.NoSync})
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Records(0, func(r *journal.Record) error {
		change(r)
		return to.Append(r)
	}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(to.Close(), from.Close()); err != nil {
		t.Fatal(err)
	}
	return &forged
}

// editing gives a change that edits events: the first that edit takes, or all.
func editing(t *testing.T, c *hub.Config, all bool, edit func(e journal.Event) journal.Event) func(*journal.Record) {
	t.Helper()
	registry, done := hub.NewRooms(c).Machine().Registry(), false
	return func(r *journal.Record) {
		for i := range r.Done {
			for k, st := range r.Done[i].Events {
				if done && !all {
					return
				}
				e, err := registry.Decode(st)
				if err != nil {
					t.Fatal(err)
				}
				if e = edit(e); e == nil {
					continue
				}
				if r.Done[i].Events[k], err = registry.Encode(e, new(bytes.Buffer)); err != nil {
					t.Fatal(err)
				}
				done = true
			}
		}
	}
}

// Every line of the check is there because something can go wrong that only it sees: here each of them does.
func TestEveryLineFindsItsDamage(t *testing.T) {
	c, s := story(t)
	// first edits the first event that suits.
	first := func(edit func(e journal.Event) journal.Event) func(*testing.T) *hub.Config {
		return func(t *testing.T) *hub.Config { return forge(t, c, editing(t, c, false, edit)) }
	}
	recorded := func(kind crossing.Kind, edit func(*crossing.Recorded) bool) func(*testing.T) *hub.Config {
		return first(func(e journal.Event) journal.Event {
			if v, ok := e.(*crossing.Recorded); ok && v.Kind == kind && edit(v) {
				return v
			}
			return nil
		})
	}
	transferred := func(edit func(*ledger.Transferred)) func(*testing.T) *hub.Config {
		return first(func(e journal.Event) journal.Event {
			if v, ok := e.(*crossing.Recorded); ok {
				if t, ok := v.Moves(); ok {
					edit(&t)
					return v
				}
			}
			return nil
		})
	}
	// instead puts an event into the place of a tick, after another one that suits.
	instead := func(of func(journal.Event) journal.Event) func(*testing.T) *hub.Config {
		return func(t *testing.T) *hub.Config {
			var then journal.Event
			return forge(t, c, editing(t, c, false, func(e journal.Event) journal.Event {
				if _, tick := e.(*replica.Ticked); tick && then != nil {
					return then
				}
				if v := of(e); v != nil {
					then = v
				}
				return nil
			}))
		}
	}
	inPlace := func(damage func(t *testing.T, c *hub.Config)) func(*testing.T) *hub.Config {
		return func(t *testing.T) *hub.Config {
			copied := forge(t, c, func(*journal.Record) {})
			damage(t, copied)
			return copied
		}
	}
	for _, d := range []struct {
		name, line string
		invariant  int
		hub        func(*testing.T) *hub.Config
	}{
		{"a flipped bit", "the journal is whole", 5, inPlace(func(t *testing.T, c *hub.Config) {
			flip(t, glob(t, c, "journal/*.journal")[0], 5000)
		})},
		{"a kind that nobody knows", "every event is of a kind", 5, func(t *testing.T) *hub.Config {
			return forge(t, c, func(r *journal.Record) {
				for i := range r.Done {
					for k := range r.Done[i].Events {
						if r.Done[i].Events[k].Kind == "link.clicked" {
							r.Done[i].Events[k].Kind = "link.clocked"
						}
					}
				}
			})
		}},
		{"an event that cannot be folded", "every event is of a kind", 5, transferred(func(v *ledger.Transferred) { v.Numbers[0] = 1 << 30 })},
		{"a cent more on one side", "debits are credits", 1, transferred(func(v *ledger.Transferred) { v.Postings[0].Debit++ })},
		{"a balance out of nothing", "debits are credits", 1, transferred(func(v *ledger.Transferred) { v.Postings[0].Balance.Debits++ })},
		{"an account below its limit", "no account is beyond its limits", 1, instead(func(e journal.Event) journal.Event {
			v, ok := e.(*ledger.Transferred)
			if !ok {
				return nil
			}
			least := int64(1) << 50
			return &ledger.Limited{
				Limitation: ledger.Limitation{Account: v.Postings[0].Account, Limits: ledger.Limits{Least: &least}}, Place: ledger.Place{Number: v.Numbers[0]},
			}
		})},
		{"a posting by another transfer", "every movement of value belongs", 2, recorded(crossing.Payment, func(v *crossing.Recorded) bool { v.Sides[0].Transfer[15]++; return true })},
		{"a transfer for a crossing that never was", "every movement of value belongs", 2, first(func(e journal.Event) journal.Event {
			if v, ok := e.(*ledger.Transferred); ok {
				v.Crossing = moongate.NewID(moongate.KindCrossing, moongate.Hub{1, 2, 3}, [12]byte{4})
				return v
			}
			return nil
		})},
		{"a second transfer for a crossing", "every movement of value belongs", 2, func(t *testing.T) *hub.Config {
			var before moongate.ID
			return forge(t, c, editing(t, c, false, func(e journal.Event) journal.Event {
				switch v := e.(type) {
				case *crossing.Recorded:
					before = v.ID
				case *ledger.Transferred:
					if v.Crossing.Kind() == moongate.KindWindow && !before.IsZero() {
						v.Crossing = before
						return v
					}
				}
				return nil
			}))
		}},
		{"a transfer for a window that never was", "every movement of value belongs", 2, first(func(e journal.Event) journal.Event {
			if v, ok := e.(*ledger.Transferred); ok && v.Crossing.Kind() == moongate.KindWindow {
				v.Crossing[15]++
				return v
			}
			return nil
		})},
		{"a crossing twice", "every movement of value belongs", 2, instead(func(e journal.Event) journal.Event {
			if v, ok := e.(*crossing.Recorded); ok && v.Kind == crossing.Link {
				return v
			}
			return nil
		})},
		{"another version of the terms", "every crossing stands under the version", 2, recorded(crossing.Payment, func(v *crossing.Recorded) bool { v.Version++; return true })},
		{"a cent that a payee did not get", "what the parties of a crossing get", 6, recorded(crossing.Payment, func(v *crossing.Recorded) bool {
			for _, side := range v.Sides {
				for i := range side.Lines {
					if side.Lines[i].What == crossing.Goods {
						side.Lines[i].Amount--
						return true
					}
				}
			}
			return false
		})},
		{"a fee that goes nowhere", "what the parties of a crossing get", 6, recorded(crossing.Payment, func(v *crossing.Recorded) bool {
			for _, side := range v.Sides {
				for i := range side.Lines {
					if side.Lines[i].What == crossing.FeeLine && side.Lines[i].Amount < 0 {
						side.Lines[i].Amount--
						return true
					}
				}
			}
			return false
		})},
		{"a fee beyond cap and floor", "no party of a crossing is left with less", 6, recorded(crossing.Payment, func(v *crossing.Recorded) bool {
			for _, payer := range v.Sides {
				for i := range payer.Lines {
					l := &payer.Lines[i]
					if l.What != crossing.FeeLine || l.Amount >= 0 {
						continue
					}
					for _, payee := range v.Sides {
						for k := range payee.Lines {
							if m := &payee.Lines[k]; payee.Party == l.Other && m.What == l.What && m.Other == payer.Party && m.Amount == -l.Amount {
								l.Amount, m.Amount = 20*l.Amount, 20*m.Amount
								return true
							}
						}
					}
				}
			}
			return false
		})},
		{"a payment that ended twice", "payments, attempts and refunds that have ended", 4, instead(func(e journal.Event) journal.Event {
			if v, ok := e.(*pay.Settled); ok && v.Status == pay.Succeeded {
				again := *v
				again.Status = pay.Expired
				return &again
			}
			return nil
		})},
		{"positions that do not add up", "after settlement nothing stands on a clearing account", 7, first(func(e journal.Event) journal.Event {
			if v, ok := e.(*settle.WindowClosed); ok && len(v.Standings) > 0 {
				v.Standings[0].Net++
				return v
			}
			return nil
		})},
		{"a cent left on a clearing account", "after settlement nothing stands on a clearing account", 7, func(t *testing.T) *hub.Config {
			var account ledger.Account
			return forge(t, c, editing(t, c, true, func(e journal.Event) journal.Event {
				v, ok := e.(*ledger.Transferred)
				if !ok {
					return nil
				}
				for _, p := range v.Postings {
					if p.Account.Purpose == ledger.Clearing && (account == ledger.Account{} || account == p.Account) {
						account = p.Account
						p.Balance.Credits++
						return v
					}
				}
				return nil
			}))
		}},
		{"a side for somebody who may know nothing", "nobody may open a crossing", 8, recorded(crossing.Conversion, func(v *crossing.Recorded) bool {
			if len(v.Hidden) == 0 {
				return false
			}
			v.Sides[0].Party = v.Hidden[0]
			return true
		})},
		{"a key used twice", "no idempotency key was used twice", 3, func(t *testing.T) *hub.Config {
			var key [16]byte
			return forge(t, c, func(r *journal.Record) {
				for i := range r.Done {
					if r.Done[i].Key == ([16]byte{}) {
						continue
					}
					if key == ([16]byte{}) {
						key = r.Done[i].Key
					} else {
						r.Done[i].Key = key
					}
					return
				}
			})
		}},
		{"another entry in raft's log", "raft's log and the journal", 5, func(t *testing.T) *hub.Config {
			return forge(t, c, func(r *journal.Record) {
				if r.Index%7 == 0 {
					r.Sum++
				}
			})
		}},
		{"no raft log", "raft's log and the journal", 5, inPlace(func(t *testing.T, c *hub.Config) {
			if err := os.Remove(filepath.Join(c.Data, "raft", "raft.db")); err != nil {
				t.Fatal(err)
			}
		})},
		{"another past than was published", "the public log follows from the journal", 5, first(func(e journal.Event) journal.Event {
			if v, ok := e.(*replica.Ticked); ok {
				v.At++
				return v
			}
			return nil
		})},
		{"a checkpoint that another key signed", "the public log follows from the journal", 5, inPlace(func(t *testing.T, c *hub.Config) {
			edit(t, filepath.Join(c.Data, "log", "checkpoint"), func(b []byte) []byte {
				b[len(b)-5] ^= 1
				return b
			})
		})},
		{"a tile that is damaged", "the public log follows from the journal", 5, inPlace(func(t *testing.T, c *hub.Config) {
			flip(t, glob(t, c, "log/tile/0/000*")[0], 40)
		})},
		{"entries that are damaged", "the public log follows from the journal", 5, inPlace(func(t *testing.T, c *hub.Config) {
			flip(t, glob(t, c, "log/tile/entries/000*")[0], 40)
		})},
		{"a row that the journal does not give", "the views are what the journal says", 0, inPlace(func(t *testing.T, c *hub.Config) {
			db, err := sql.Open("sqlite", "file:"+filepath.Join(c.Data, "views.db"))
			if err != nil {
				t.Fatal(err)
			}
			r, err := db.Exec(`UPDATE crossing SET amount = amount + 1 WHERE rowid = (SELECT max(rowid) FROM crossing)`)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := r.RowsAffected(); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		})},
	} {
		t.Run(d.name, func(t *testing.T) {
			damaged := d.hub(t)
			before := filesOf(t, damaged.Data)
			r := fsck(t, damaged, s)
			if diff := cmp.Diff(before, filesOf(t, damaged.Data)); diff != "" {
				t.Errorf("the check has written:\n%.300s", diff)
			}
			if r.OK {
				t.Error("everything is said to hold")
			}
			for _, f := range r.Findings {
				if strings.HasPrefix(f.Check, d.line) {
					if f.OK || f.Invariant != d.invariant || len(f.Problems) == 0 {
						t.Errorf("the line does not see it: %+v", f)
					}
					return
				}
			}
			t.Errorf("there is no line %q", d.line)
		})
	}
}

func glob(t *testing.T, c *hub.Config, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(c.Data, filepath.FromSlash(pattern)))
	if err != nil || len(names) == 0 {
		t.Fatal(pattern, names, err)
	}
	return names
}

// filesOf is the SHA-256 of every file below a directory.
func filesOf(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	sums := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sums[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}
