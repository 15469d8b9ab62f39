package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// Limits bound what the room keeps; what is zero takes the default.
type Limits struct {
	Endpoints int           // in all; 20,000
	Each      int           // of one participant; 20
	Patience  moongate.Time // how long an endpoint may fail before it is disabled; 3 days
	Loopback  bool          // endpoints on this machine are allowed
}

const (
	maxKinds  = 50
	maxReport = 100 // deliveries in one report
	maxAsked  = 100 // redeliveries of one endpoint that wait: each is an effect, and effects are state
	// Overlap is how long messages carry a signature by the secret before, too.
	Overlap = moongate.Day
)

// State is the endpoints.
type State struct {
	limits    Limits
	parties   *party.State
	endpoints *replica.Table[moongate.ID, Endpoint]

	// Derived.
	byOwner map[string][]moongate.ID
	due     *replica.Due[moongate.ID]
}

// Endpoint is one endpoint as the state keeps it.
type Endpoint struct {
	Terms      `cbor:"1,keyasint"`
	Since      moongate.Time    `cbor:"2,keyasint"`
	Through    journal.Position `cbor:"3,keyasint"`            // everything up to here is done with
	Generation int              `cbor:"4,keyasint"`            // of the secret
	Rotated    moongate.Time    `cbor:"5,keyasint,omitempty"`  // the secret before counts until [Overlap] after
	Disabled   string           `cbor:"6,keyasint,omitempty"`  // the reason; empty while it is enabled
	Failing    moongate.Time    `cbor:"7,keyasint,omitempty"`  // since then; 0 while it answers
	Number     uint64           `cbor:"8,keyasint,omitempty"`  // of deliveries that were reported
	Delivered  moongate.Time    `cbor:"9,keyasint,omitempty"`  // last success
	Asked      int              `cbor:"10,keyasint,omitempty"` // redeliveries that wait for their outcome
}

// New makes an empty room over the participants.
func New(parties *party.State, limits Limits) *State {
	if limits.Endpoints == 0 {
		limits.Endpoints = 20_000
	}
	if limits.Each == 0 {
		limits.Each = 20
	}
	if limits.Patience == 0 {
		limits.Patience = 3 * moongate.Day
	}
	s := &State{limits: limits, parties: parties, endpoints: replica.NewTable[moongate.ID, Endpoint]("endpoints")}
	s.Rebuild()
	return s
}

// Name is the room's.
func (s *State) Name() string { return "webhook" }

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{&Created{}, &Changed{}, &Deleted{}, &Rotated{}, &Disabled{}, &Enabled{}, &Progressed{}, &RedeliveryAsked{}, &Redelivered{}}
}

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored { return []replica.Stored{s.endpoints} }

// Register tells the machine which commands the room answers, and which event has an effect.
func (s *State) Register(m *replica.Machine) {
	replica.Handle(m, s.create)
	replica.Handle(m, s.change)
	replica.Handle(m, s.delete)
	replica.Handle(m, s.rotate)
	replica.Handle(m, s.disable)
	replica.Handle(m, s.enable)
	replica.Handle(m, s.redeliver)
	replica.Handle(m, s.progress)
	replica.Handle(m, s.outcome)
	m.OnEvent((&RedeliveryAsked{}).EventKind(), func(e journal.Event) string { return "webhook " + e.(*RedeliveryAsked).Webhook.String() })
}

// Lookup finds an endpoint.
func (s *State) Lookup(id moongate.ID) (Endpoint, bool) { return s.endpoints.Get(id) }

// Of lists a participant's endpoints, oldest first.
func (s *State) Of(owner string) []moongate.ID { return slices.Clone(s.byOwner[owner]) }

// Rebuild makes anew what is derived.
func (s *State) Rebuild() {
	s.byOwner, s.due = map[string][]moongate.ID{}, replica.DueByID()
	for id, e := range s.endpoints.All() {
		s.byOwner[e.Owner] = append(s.byOwner[e.Owner], id)
		s.watch(id, &e)
	}
	for _, ids := range s.byOwner {
		slices.SortFunc(ids, func(a, b moongate.ID) int {
			x, _ := s.endpoints.Get(a)
			y, _ := s.endpoints.Get(b)
			if x.Since != y.Since {
				return int(min(max(x.Since-y.Since, -1), 1))
			}
			return slices.Compare(a[:], b[:])
		})
	}
}

func (s *State) watch(id moongate.ID, e *Endpoint) {
	if e.Failing != 0 && e.Disabled == "" {
		s.due.Add(e.Failing+s.limits.Patience, id)
	}
}

// Fold is the only code that changes the state.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *Created:
		s.endpoints.Put(v.Webhook, Endpoint{Terms: v.Terms, Since: e.At, Through: e.Position, Generation: 1})
		s.byOwner[v.Owner] = append(s.byOwner[v.Owner], v.Webhook)
	case *Changed:
		s.put(v.Webhook, func(p *Endpoint) { p.Terms = v.Terms })
	case *Deleted:
		s.endpoints.Delete(v.Webhook)
		s.byOwner[v.Owner] = slices.DeleteFunc(s.byOwner[v.Owner], func(id moongate.ID) bool { return id == v.Webhook })
	case *Rotated:
		s.put(v.Webhook, func(p *Endpoint) { p.Generation, p.Rotated = v.Generation, e.At })
	case *Disabled:
		s.put(v.Webhook, func(p *Endpoint) { p.Disabled = v.Reason })
	case *Enabled:
		s.put(v.Webhook, func(p *Endpoint) { p.Disabled, p.Failing = "", 0 })
	case *Progressed:
		s.put(v.Webhook, func(p *Endpoint) { s.move(p, v, e.At) })
	case *RedeliveryAsked:
		s.put(v.Webhook, func(p *Endpoint) { p.Asked++ })
	case *Redelivered:
		s.put(v.Webhook, func(p *Endpoint) { p.Number, p.Asked = v.Number, max(0, p.Asked-1) })
	}
}

func (s *State) move(p *Endpoint, v *Progressed, at moongate.Time) {
	p.Through = v.Through
	p.Number += uint64(len(v.Deliveries))
	for _, d := range v.Deliveries {
		if d.Error == "" {
			p.Delivered = d.At
		}
	}
	switch {
	case !v.Failing:
		p.Failing = 0
	case p.Failing == 0:
		p.Failing = at
		s.watch(v.Webhook, p)
	}
}

func (s *State) put(id moongate.ID, change func(*Endpoint)) {
	if p, ok := s.endpoints.Get(id); ok {
		change(&p)
		s.endpoints.Put(id, p)
	}
}

// Wants tells whether the endpoint takes events of a kind. It never gets those about webhooks, which its own deliveries
// would bring about, nor those of the machine itself.
func (e *Endpoint) Wants(kind string) bool {
	if strings.HasPrefix(kind, "webhook.") || strings.HasPrefix(kind, "core.") {
		return false
	}
	if len(e.Kinds) == 0 {
		return true
	}
	for _, k := range e.Kinds {
		if prefix, all := strings.CutSuffix(k, "*"); k == kind || all && strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}

func checkKinds(kinds []string) error {
	if len(kinds) > maxKinds {
		return &moongate.Error{Code: moongate.Malformed, Field: "kinds", Message: fmt.Sprintf("%d kinds", len(kinds)), Hint: fmt.Sprintf("name at most %d, or none for all", maxKinds)}
	}
	for i, k := range kinds {
		room, rest, ok := strings.Cut(k, ".")
		if !ok || !word(room) || rest != "*" && !word(rest) || room == "webhook" || room == "core" || slices.Contains(kinds[:i], k) {
			return &moongate.Error{Code: moongate.Malformed, Field: fmt.Sprintf("kinds[%d]", i), Message: fmt.Sprintf("%.60q is no kind of event that is delivered, or stands there twice", k), Hint: "write them like pay.settled or pay.*"}
		}
	}
	return nil
}

func word(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}
