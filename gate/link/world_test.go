package link_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// rooms is a hub as far as links need one.
type rooms struct {
	machine    *replica.Machine
	parties    *party.State
	agreements *agreement.State
	books      *ledger.State
	crossings  *crossing.State
	links      *link.State
}

var hubTag = moongate.Hub{1, 2, 3}

func newRooms(limits link.Limits) rooms {
	var r rooms
	r.parties = party.New(party.Limits{})
	r.agreements = agreement.New(r.parties, agreement.Limits{})
	r.books = ledger.New(ledger.Bounds{}, r.parties.IsOperator)
	r.crossings = crossing.New(r.parties, r.agreements, r.books, crossing.Bounds{})
	r.links = link.New(r.parties, r.agreements, r.crossings, limits)
	r.machine = replica.NewMachine(hubTag, replica.Limits{}, r.parties, r.agreements, r.books, r.crossings, r.links)
	r.parties.Register(r.machine)
	r.agreements.Register(r.machine)
	r.books.Register(r.machine)
	r.links.Register(r.machine)
	return r
}

// The participants of the tests: a publisher that sends readers to a marketplace, and a rival of each.
const terms = `
moongate: agreement/1
id: news-to-mall
version: 1
name: {en: News to mall}
parties:
  - {role: publisher, members: [news, blog]}
  - {role: marketplace, members: [mall, bazaar]}
valid: {from: "2026-01-01T00:00:00Z", until: "2027-01-01T00:00:00Z", notice: 30d}
scope:
  kinds: [link, conversion]
  currencies: [CNY]
  hosts: [mall.example, "*.mall.example", bazaar.example]
  beneficiary: marketplace
fees:
  - {id: commission, label: {en: Commission}, from: marketplace, to: publisher, for: [conversion], bps: 500}
links:
  open: direct
  click_ttl: 5m
  block: {reasons: [scams_and_fraud, malware], longest: 7d, evidence: true, appeal: 3d, decide: 2d}
settlement: {window: 1d, netting: bilateral}
offer: {kind: closed}
`

// world is a hub with participants and agreements in force.
type world struct {
	*replica.Local
	rooms
	t      testing.TB
	limits link.Limits
	terms  moongate.ID
}

var start = func() (t moongate.Time) {
	if err := t.UnmarshalText([]byte("2026-03-10T08:00:00Z")); err != nil {
		panic(err)
	}
	return t
}()

func newWorld(t testing.TB, limits link.Limits) *world {
	t.Helper()
	w := &world{rooms: newRooms(limits), t: t, limits: limits}
	w.Local = replica.NewLocal(w.machine, start)
	w.people(w.submit)
	w.terms = w.agree(terms, w.submit)
	t.Cleanup(func() { // folding the journal again gives the same state
		if err := w.Refold(newRooms(limits).machine); err != nil {
			t.Error(err)
		}
	})
	return w
}

// submitter has a command decided: by a machine in memory, or by a node.
type submitter func(caller string, c replica.Command) any

func (w *world) submit(caller string, c replica.Command) any {
	w.t.Helper()
	a, err := w.Do(replica.Request{Caller: caller, Command: c})
	if err != nil {
		w.t.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
	}
	return a
}

func keyOf(handle string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(handle))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (w *world) people(do submitter) {
	w.t.Helper()
	do("", &party.Register{Handle: "op", Kind: party.Operator, Name: "Operator"})
	for _, p := range []struct {
		handle string
		kind   party.Kind
	}{{"news", party.Publisher}, {"blog", party.Publisher}, {"mall", party.Platform}, {"bazaar", party.Platform}, {"watch", party.Observer}} {
		k, err := party.Prove(keyOf(p.handle), p.handle)
		if err != nil {
			w.t.Fatal(err)
		}
		do("op", &party.Register{Handle: p.handle, Kind: p.kind, Name: p.handle, Keys: []party.NewKey{k}})
	}
}

// agree brings a document into force: each of its parties signs.
func (w *world) agree(text string, do submitter) moongate.ID {
	w.t.Helper()
	d, err := agreement.Parse([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	proposer := d.Parties[0].ID
	if proposer == "" {
		proposer = d.Parties[0].Members[0]
	}
	id := do(proposer, &agreement.Propose{Document: d.Canonical()}).(agreement.Proposal).Agreement
	for _, p := range d.Parties {
		members := p.Members
		if p.ID != "" {
			members = []string{p.ID}
		}
		for _, who := range members {
			private := keyOf(who)
			raw, err := d.SignAs(private, p.Role, who)
			if err != nil {
				w.t.Fatal(err)
			}
			do(who, &agreement.Sign{
				Agreement: id, Version: 1, Role: p.Role, Party: who,
				Key: party.PublicKey(private.Public().(ed25519.PublicKey)).ID(), Signature: party.Signature(raw),
			})
		}
	}
	return id
}

// refuse has a command fail with a code and a text, and gives the events that it left.
func (w *world) refuse(caller string, c replica.Command, code moongate.Code, says string) []journal.Event {
	w.t.Helper()
	before := len(w.events())
	_, err := w.Do(replica.Request{Caller: caller, Command: c})
	if moongate.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		w.t.Errorf("%s by %q: got %s %v; want %s %q", c.CommandKind(), caller, moongate.CodeOf(err), err, code, says)
	}
	left := w.events()[before:]
	if (len(left) > 0) == (code == moongate.Malformed) {
		w.t.Errorf("%s refused as %s left %d events", c.CommandKind(), code, len(left))
	}
	return left
}

func (w *world) events() []journal.Event {
	w.t.Helper()
	entries, err := w.Entries()
	if err != nil {
		w.t.Fatal(err)
	}
	events := make([]journal.Event, len(entries))
	for i, e := range entries {
		events[i] = e.Event
	}
	return events
}

// tick moves the clock.
func (w *world) tick(to moongate.Time) {
	w.t.Helper()
	if err := w.Tick(to); err != nil {
		w.t.Fatal(err)
	}
}

// destination registers one of the mall's.
func (w *world) destination(owner, url string) moongate.ID {
	w.t.Helper()
	return w.submit(owner, &link.RegisterDestination{Name: "A place", Addresses: []link.Address{{Device: link.Web, URL: url}}}).(link.DestinationAnswer).Destination
}

// link places one of a publisher's.
func (w *world) link(publisher string, d moongate.ID) string {
	w.t.Helper()
	return w.submit(publisher, &link.PlaceLink{Destination: d, Agreement: w.terms, Campaign: "spring"}).(link.LinkAnswer).Code
}

func (w *world) resolve(code string, device link.Device) (r link.Resolution, err error) {
	w.machine.Read(func() { r, err = w.links.Resolve(code, device, w.Now) })
	return r, err
}

// recorder counts clicks into the world.
func (w *world) recorder(room int) *link.Recorder {
	w.t.Helper()
	r, err := link.NewRecorder(link.RecorderOptions{
		Hub: hubTag, Tokens: w.tokens(), Random: &counter{}, Room: room,
		Submit: func(_ context.Context, r replica.Request) (any, error) { return w.Do(r) },
		Now:    func() moongate.Time { return w.Now },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) tokens() *link.Tokens {
	w.t.Helper()
	tk, err := link.NewTokens(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		w.t.Fatal(err)
	}
	return tk
}

// counter is a source of "randomness" that never repeats.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

func cny(minor int64) money.Amount { return money.Of(minor, money.CNY) }
