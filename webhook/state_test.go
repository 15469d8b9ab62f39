package webhook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/webhook"
)

const day0 = 20_000 * moongate.Day

// desk is a machine with participants and webhooks.
type desk struct {
	*replica.Local
	t     testing.TB
	hooks *webhook.State
}

func rooms(l webhook.Limits) (*webhook.State, *replica.Machine) {
	parties := party.New(party.Limits{})
	hooks := webhook.New(parties, l)
	m := replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, parties, hooks)
	parties.Register(m)
	hooks.Register(m)
	return hooks, m
}

func newDesk(t testing.TB, l webhook.Limits) *desk {
	t.Helper()
	hooks, m := rooms(l)
	d := &desk{Local: replica.NewLocal(m, day0), t: t, hooks: hooks}
	d.do("", &party.Register{Handle: "op", Kind: party.Operator, Name: "Op"})
	for _, h := range []string{"shop", "rival"} {
		d.do("op", &party.Register{Handle: h, Kind: party.Merchant, Name: h})
	}
	t.Cleanup(func() { // folding the journal again gives the same state
		_, fresh := rooms(l)
		if err := d.Refold(fresh); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *desk) do(caller string, c replica.Command) any {
	d.t.Helper()
	a, err := d.Do(replica.Request{Caller: caller, Command: c})
	if err != nil {
		d.t.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
	}
	return a
}

// Redeliveries that wait are bounded: an endpoint that never answers does not fill the hub with them.
func TestRedeliveriesThatWait(t *testing.T) {
	d := newDesk(t, webhook.Limits{})
	id := d.create("shop")
	ask := func() error {
		_, err := d.Do(replica.Request{Caller: "shop", Command: &webhook.Redeliver{Webhook: id, Event: 1}})
		return err
	}
	for range 100 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(); moongate.CodeOf(err) != moongate.Busy {
		t.Errorf("one more: %v", err)
	}
	first := d.Machine.Pending(0, 0)[0].Position
	if _, err := d.Do(replica.Request{Command: &webhook.Outcome{Webhook: id, Delivery: webhook.Delivery{Event: 1, Kind: "x", Tries: 1}}, Effect: first}); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("when one has been sent: %v", err)
	}
	if err := ask(); moongate.CodeOf(err) != moongate.Busy || d.endpoint(id).Asked != 100 {
		t.Errorf("one more: %v, %d wait", err, d.endpoint(id).Asked)
	}
}

func (d *desk) create(owner string) moongate.ID {
	d.t.Helper()
	return d.do(owner, &webhook.Create{URL: "https://" + owner + ".example/hooks"}).(webhook.Answer).Webhook
}

func (d *desk) endpoint(id moongate.ID) webhook.Endpoint {
	d.t.Helper()
	e, ok := d.hooks.Lookup(id)
	if !ok {
		d.t.Fatalf("no webhook %s", id)
	}
	return e
}

func TestEndpointsAreTheirOwners(t *testing.T) {
	d := newDesk(t, webhook.Limits{Each: 2})
	id := d.create("shop")
	for name, tt := range map[string]struct {
		caller string
		c      replica.Command
		want   moongate.Code
	}{
		"change, another's":      {"rival", &webhook.Change{Webhook: id, URL: "https://evil.example/"}, moongate.NotFound},
		"delete, another's":      {"rival", &webhook.Delete{Webhook: id}, moongate.NotFound},
		"rotate, another's":      {"rival", &webhook.Rotate{Webhook: id}, moongate.NotFound},
		"disable, another's":     {"rival", &webhook.Disable{Webhook: id, Reason: "x"}, moongate.NotFound},
		"redeliver, another's":   {"rival", &webhook.Redeliver{Webhook: id, Event: 1}, moongate.NotFound},
		"enable what is":         {"shop", &webhook.Enable{Webhook: id}, moongate.Conflict},
		"event to come":          {"shop", &webhook.Redeliver{Webhook: id, Event: 1 << 40}, moongate.Malformed},
		"not https":              {"shop", &webhook.Change{Webhook: id, URL: "http://shop.example/"}, moongate.Malformed},
		"own network":            {"shop", &webhook.Create{URL: "https://192.168.0.1/"}, moongate.Malformed},
		"kinds of the machine":   {"shop", &webhook.Create{URL: "https://shop.example/", Kinds: []string{"core.ticked"}}, moongate.Malformed},
		"kinds of webhooks":      {"shop", &webhook.Create{URL: "https://shop.example/", Kinds: []string{"webhook.*"}}, moongate.Malformed},
		"a kind twice":           {"shop", &webhook.Create{URL: "https://shop.example/", Kinds: []string{"pay.*", "pay.*"}}, moongate.Malformed},
		"kinds that are none":    {"shop", &webhook.Create{URL: "https://shop.example/", Kinds: []string{"*"}}, moongate.Malformed},
		"too many kinds":         {"shop", &webhook.Create{URL: "https://shop.example/", Kinds: make([]string, 51)}, moongate.Malformed},
		"nobody's":               {"ghost", &webhook.Create{URL: "https://shop.example/"}, moongate.NotFound},
		"progress by a stranger": {"shop", &webhook.Progress{Webhook: id, Through: 1}, moongate.Malformed},
		"outcome by a stranger":  {"shop", &webhook.Outcome{Webhook: id}, moongate.Malformed},
		"an operator may change": {"op", &webhook.Change{Webhook: id, URL: "https://shop.example/2", Kinds: []string{"pay.settled"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := d.Do(replica.Request{Caller: tt.caller, Command: tt.c}); moongate.CodeOf(err) != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	d.do("op", &webhook.Disable{Webhook: id, Reason: "asked by the owner"})
	d.create("shop")
	if _, err := d.Do(replica.Request{Caller: "shop", Command: &webhook.Create{URL: "https://shop.example/"}}); moongate.CodeOf(err) != moongate.Limit {
		t.Errorf("one more than allowed: %v", err)
	}
	d.do("shop", &webhook.Delete{Webhook: id})
	if ids := d.hooks.Of("shop"); len(ids) != 1 {
		t.Errorf("left are %v", ids)
	}
}

func TestWants(t *testing.T) {
	for _, tt := range []struct {
		kinds []string
		kind  string
		want  bool
	}{
		{nil, "pay.settled", true},
		{nil, "webhook.created", false},
		{nil, "core.ticked", false},
		{[]string{"pay.*"}, "pay.settled", true},
		{[]string{"pay.*"}, "payout.sent", false},
		{[]string{"pay.settled"}, "pay.settled", true},
		{[]string{"pay.settled"}, "pay.created", false},
	} {
		e := webhook.Endpoint{Terms: webhook.Terms{Kinds: tt.kinds}}
		if e.Wants(tt.kind) != tt.want {
			t.Errorf("%v wants %s: %t", tt.kinds, tt.kind, !tt.want)
		}
	}
}

// The cursor only moves on; what is stale or beyond the journal changes nothing.
func TestProgress(t *testing.T) {
	d := newDesk(t, webhook.Limits{})
	id := d.create("shop")
	start := d.endpoint(id).Through
	d.do("op", &party.Rename{Handle: "shop", Name: "Shop"})
	report := func(p webhook.Progress) webhook.Endpoint {
		t.Helper()
		p.Webhook = id
		d.do("", &p)
		return d.endpoint(id)
	}
	if e := report(webhook.Progress{Through: start - 1}); e.Through != start {
		t.Errorf("it went back to %d", e.Through)
	}
	if e := report(webhook.Progress{Through: 1 << 40}); e.Through != start {
		t.Errorf("it went beyond the journal, to %d", e.Through)
	}
	e := report(webhook.Progress{Through: start + 1, Deliveries: []webhook.Delivery{{Event: start + 1, Kind: "party.renamed", At: day0, Tries: 1, Status: 200}}})
	if e.Through != start+1 || e.Number != 1 || e.Delivered != day0 {
		t.Errorf("got %+v", e)
	}
	before := len(d.Records)
	report(webhook.Progress{Through: start + 1})
	if got := d.Records[before].Events(); got != 0 {
		t.Errorf("a report that says nothing new left %d events", got)
	}
}

// An endpoint that fails for days is disabled, and goes on where it stood.
func TestLongFailure(t *testing.T) {
	d := newDesk(t, webhook.Limits{Patience: moongate.Day})
	id := d.create("shop")
	fail := func(failing bool) {
		t.Helper()
		d.do("", &webhook.Progress{Webhook: id, Through: d.endpoint(id).Through, Failing: failing})
	}
	later := func(by moongate.Time) {
		t.Helper()
		if err := d.Tick(d.Now + by); err != nil {
			t.Fatal(err)
		}
	}
	fail(true)
	later(23 * moongate.Hour)
	fail(false) // it answered once
	later(moongate.Minute)
	fail(true)
	since := d.endpoint(id).Failing
	later(2 * moongate.Hour)
	fail(true)
	if e := d.endpoint(id); e.Disabled != "" || e.Failing != since {
		t.Fatalf("after less than a day of failing: %+v", e)
	}
	later(22 * moongate.Hour)
	e := d.endpoint(id)
	if !strings.Contains(e.Disabled, since.String()) {
		t.Fatalf("after a day of failing: %+v", e)
	}
	through := e.Through
	d.do("shop", &webhook.Enable{Webhook: id})
	if e := d.endpoint(id); e.Disabled != "" || e.Failing != 0 || e.Through != through {
		t.Errorf("enabled again: %+v", e)
	}
	later(3 * moongate.Day)
	if e := d.endpoint(id); e.Disabled != "" {
		t.Errorf("disabled for what is long ago: %+v", e)
	}
}

func TestRotation(t *testing.T) {
	d := newDesk(t, webhook.Limits{})
	id := d.create("shop")
	if a := d.do("shop", &webhook.Rotate{Webhook: id}).(webhook.Answer); a.Generation != 2 {
		t.Errorf("got %+v", a)
	}
	if _, err := d.Do(replica.Request{Caller: "shop", Command: &webhook.Rotate{Webhook: id}}); moongate.CodeOf(err) != moongate.Conflict {
		t.Errorf("rotated again while the secret before still counts: %v", err)
	}
	if err := d.Tick(d.Now + webhook.Overlap); err != nil {
		t.Fatal(err)
	}
	if a := d.do("shop", &webhook.Rotate{Webhook: id}).(webhook.Answer); a.Generation != 3 {
		t.Errorf("got %+v", a)
	}
}

// Whatever is done in whatever order: folding again gives the same state, and Rebuild what the fold derived.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limits := webhook.Limits{Endpoints: 4, Each: 2, Patience: moongate.Hour}
		hooks, m := rooms(limits)
		d := &desk{Local: replica.NewLocal(m, day0), t: t, hooks: hooks}
		d.do("", &party.Register{Handle: "op", Kind: party.Operator, Name: "Op"})
		owners := []string{"op", "shop", "rival"}
		for _, h := range owners[1:] {
			d.do("op", &party.Register{Handle: h, Kind: party.Merchant, Name: h})
		}
		ids := []moongate.ID{{}}
		step := func(caller string, c replica.Command) any {
			a, err := d.Do(replica.Request{Caller: caller, Command: c})
			if moongate.CodeOf(err) == moongate.Internal {
				r.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
			}
			return a
		}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			who, id := rapid.SampledFrom(owners).Draw(r, "who"), rapid.SampledFrom(ids).Draw(r, "id")
			switch rapid.IntRange(0, 8).Draw(r, "what") {
			case 0, 1:
				if a, ok := step(who, &webhook.Create{URL: "https://a.example/"}).(webhook.Answer); ok && !a.Webhook.IsZero() {
					ids = append(ids, a.Webhook)
				}
			case 2:
				step(who, &webhook.Delete{Webhook: id})
			case 3:
				step(who, &webhook.Rotate{Webhook: id})
			case 4:
				step(who, &webhook.Disable{Webhook: id, Reason: "r"})
			case 5:
				step(who, &webhook.Enable{Webhook: id})
			case 6, 7:
				p := &webhook.Progress{Webhook: id, Through: journal.Position(rapid.IntRange(0, 60).Draw(r, "through")), Failing: rapid.Bool().Draw(r, "failing"), Gone: rapid.IntRange(0, 9).Draw(r, "gone") == 0}
				for i := range rapid.IntRange(0, 3).Draw(r, "deliveries") {
					p.Deliveries = append(p.Deliveries, webhook.Delivery{Event: 1, Kind: fmt.Sprint("a.", i), At: d.Now})
				}
				step("", p)
			case 8:
				if err := d.Tick(d.Now + moongate.Time(rapid.IntRange(1, 90).Draw(r, "minutes"))*moongate.Minute); err != nil {
					r.Fatal(err)
				}
			}
		}
		again, fresh := rooms(limits)
		if err := d.Refold(fresh); err != nil {
			r.Fatal(err)
		}
		before := map[string][]moongate.ID{}
		for _, o := range owners {
			before[o] = again.Of(o)
		}
		again.Rebuild()
		for _, o := range owners {
			if got := again.Of(o); len(got) != len(before[o]) {
				r.Fatalf("Rebuild gives %s %v, not %v", o, got, before[o])
			}
		}
		if diff := cmp.Diff(len(hooks.Of("shop")), len(again.Of("shop"))); diff != "" {
			r.Fatal(diff)
		}
	})
}
