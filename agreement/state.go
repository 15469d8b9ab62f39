package agreement

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// Status is where a version stands. It is a number in the journal and a word in JSON.
type Status uint8

// Statuses. Agreed versions are in force between their times; the others never are.
const (
	Awaiting  Status = 1 + iota // proposed; signatures are missing
	InForce                     // agreed: in force from its beginning to its end
	Withdrawn                   // taken back
	Lapsed                      // not signed in time
)

var statusNames = []string{"", "awaiting", "agreed", "withdrawn", "lapsed"}

// String is the word.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status%d", uint8(s))
}

// said is the word in a sentence about a version.
func (s Status) said() string {
	switch s {
	case Withdrawn:
		return "was withdrawn"
	case Lapsed:
		return "lapsed without its signatures"
	}
	return "is " + s.String()
}

// MarshalText writes the word.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Status) UnmarshalText(b []byte) error {
	for i, name := range statusNames {
		if i > 0 && name == string(b) {
			*s = Status(i)
			return nil
		}
	}
	return &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("%.40q is no status of an agreement", b)}
}

// Limits bound what the room keeps.
type Limits struct {
	Agreements int // 100,000 unless set
	Versions   int // of one agreement; 200 unless set
	Bytes      int // of all documents, 512 MiB unless set
	Members    int // of all open roles together, 2,000,000 unless set
}

// State is what the next decision about agreements needs. Its reads are called under the machine's Read.
type State struct {
	limits     Limits
	parties    *party.State
	agreements *replica.Table[moongate.ID, record]
	versions   *replica.Table[versionKey, Version]
	bindings   *replica.Table[bindingKey, Bound]

	// Derived from the tables.
	terms map[moongate.ID][]*cached
	seats map[*Terms]map[string][]seat // who stands where, by participant
	due   *replica.Due[versionKey]
	bytes int
}

// record is one agreement.
type record struct {
	Slug     string           `cbor:"1,keyasint"`           // the document's id
	Versions int              `cbor:"2,keyasint"`           // the highest number
	Ends     moongate.Time    `cbor:"3,keyasint,omitempty"` // terminated: nothing is in force from here on
	Head     journal.Position `cbor:"4,keyasint"`
}

type versionKey struct {
	Agreement moongate.ID `cbor:"1,keyasint"`
	Version   int         `cbor:"2,keyasint"`
}

// Version is one version as the state keeps it.
type Version struct {
	Document []byte        `cbor:"1,keyasint"` // canonical form
	By       string        `cbor:"2,keyasint"`
	Status   Status        `cbor:"3,keyasint"`
	Proposed moongate.Time `cbor:"4,keyasint"`
	From     moongate.Time `cbor:"5,keyasint,omitempty"` // in force from here …
	Until    moongate.Time `cbor:"6,keyasint,omitempty"` // … to here, replacement included; 0 is open-ended
	Missing  int           `cbor:"7,keyasint"`           // signatures still needed from named parties outside the joint role
	Joined   int           `cbor:"8,keyasint"`           // signatures in the joint role
	Members  int           `cbor:"9,keyasint"`           // that accepted open roles
}

type bindingKey struct {
	Agreement moongate.ID `cbor:"1,keyasint"`
	Version   int         `cbor:"2,keyasint"`
	Role      Role        `cbor:"3,keyasint"`
	Party     string      `cbor:"4,keyasint"`
}

// Bound is a party's signature under a version, and when its part ends, 0 for with the version.
type Bound struct {
	Since moongate.Time    `cbor:"1,keyasint"`
	Until moongate.Time    `cbor:"2,keyasint,omitempty"`
	Event journal.Position `cbor:"3,keyasint"` // the signature itself
}

// seat is a binding where it is looked for several times for each crossing.
type seat struct {
	role  Role
	until moongate.Time // 0 is for as long as the version
}

// cached is a version ready to compute.
type cached struct {
	terms       *Terms
	status      Status
	from, until moongate.Time // until is forever where open-ended
}

// New makes an empty room over the participants.
func New(parties *party.State, limits Limits) *State {
	setDefault := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	setDefault(&limits.Agreements, 100_000)
	setDefault(&limits.Versions, 200)
	setDefault(&limits.Bytes, 512<<20)
	setDefault(&limits.Members, 2_000_000)
	s := &State{
		limits: limits, parties: parties,
		agreements: replica.NewTable[moongate.ID, record]("agreements"),
		versions:   replica.NewTable[versionKey, Version]("versions"),
		bindings:   replica.NewTable[bindingKey, Bound]("bindings"),
	}
	s.Rebuild()
	return s
}

// Name is the room's.
func (s *State) Name() string { return "agreement" }

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored {
	return []replica.Stored{s.agreements, s.versions, s.bindings}
}

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{&Proposed{}, &Signed{}, &Agreed{}, &Published{}, &Dropped{}, &Left{}, &Terminated{}, &Discontinued{}}
}

// Register tells the machine which commands the room answers.
func (s *State) Register(m *replica.Machine) {
	replica.Handle(m, s.propose)
	replica.Handle(m, s.sign)
	replica.Handle(m, s.accept)
	replica.Handle(m, s.withdraw)
	replica.Handle(m, s.terminate)
}

// InForce gives the terms of an agreement at a time. They are immutable. Refused says why there are none.
func (s *State) InForce(id moongate.ID, at moongate.Time) (*Terms, error) {
	list := s.terms[id]
	for i := len(list) - 1; i >= 0; i-- {
		if c := list[i]; c.status == InForce && at >= c.from && at < c.until {
			return c.terms, nil
		}
	}
	return nil, s.notInForce(id, at)
}

func (s *State) notInForce(id moongate.ID, at moongate.Time) error {
	list := s.terms[id]
	if len(list) == 0 {
		return unknownAgreement(id)
	}
	last := list[len(list)-1]
	slug, version := last.terms.Doc.ID, last.terms.Doc.Version
	switch {
	case last.status == Awaiting:
		return refused("agreement", "have every party sign it", "version %d of %s still needs signatures", version, slug)
	case last.status == InForce && at < last.from:
		return refused("agreement", "wait until then", "%s comes into force at %s", slug, last.from)
	case last.status == InForce:
		return refused("agreement", "agree on another version", "%s ended at %s", slug, last.until)
	}
	return refused("agreement", "propose another version", "version %d of %s %s", version, slug, last.status.said())
}

func unknownAgreement(id moongate.ID) error {
	return &moongate.Error{Code: moongate.NotFound, Field: "agreement", Message: fmt.Sprintf("there is no agreement %s", id), Hint: "check the identifier"}
}

// Version gives the terms of one version whether or not they are in force: for what happened under them.
func (s *State) Version(id moongate.ID, version int) (*Terms, error) {
	for _, c := range s.terms[id] {
		if c.terms.Doc.Version == version {
			return c.terms, nil
		}
	}
	if len(s.terms[id]) == 0 {
		return nil, unknownAgreement(id)
	}
	return nil, &moongate.Error{Code: moongate.NotFound, Field: "version", Message: fmt.Sprintf("agreement %s has no version %d", id, version), Hint: "list its versions"}
}

// Lookup gives what the state holds of one version.
func (s *State) Lookup(id moongate.ID, version int) (Version, bool) {
	return s.versions.Get(versionKey{id, version})
}

// Head is the last event on an agreement's chain, 0 for an unknown one.
func (s *State) Head(id moongate.ID) journal.Position {
	r, _ := s.agreements.Get(id)
	return r.Head
}

// Stands tells whether a participant stands in a role of some terms at a time: it signed or accepted them and has not
// left, or it is named and need not sign.
func (s *State) Stands(t *Terms, role Role, participant string, at moongate.Time) bool {
	p := t.Doc.Party(role)
	if p == nil {
		return false
	}
	if p.Signs == SignsNever {
		return p.Names(participant)
	}
	for _, seat := range s.seats[t][participant] {
		if seat.role == role {
			return seat.until == 0 || at < seat.until
		}
	}
	return false
}

// RoleOf is the role in which a participant stands under some terms at a time; where it has several, the first in the
// document.
func (s *State) RoleOf(t *Terms, participant string, at moongate.Time) (Role, bool) {
	for i := range t.Doc.Parties {
		if r := t.Doc.Parties[i].Role; s.Stands(t, r, participant, at) {
			return r, true
		}
	}
	return "", false
}

// Member tells whether a participant stands in any role of the version in force at a time.
func (s *State) Member(id moongate.ID, participant string, at moongate.Time) bool {
	t, err := s.InForce(id, at)
	if err != nil {
		return false
	}
	_, ok := s.RoleOf(t, participant, at)
	return ok
}

// Bound tells whether a participant stands, at a time, in any version that is in force then or will be.
func (s *State) Bound(id moongate.ID, participant string, at moongate.Time) bool {
	for _, c := range s.terms[id] {
		if c.status != InForce || c.until <= at {
			continue
		}
		if _, ok := s.RoleOf(c.terms, participant, at); ok {
			return true
		}
	}
	return false
}

// Waits tells whether a participant has signed a version that still needs signatures of others.
func (s *State) Waits(id moongate.ID, participant string) bool {
	for _, c := range s.terms[id] {
		if c.status != Awaiting {
			continue
		}
		if _, ok := s.RoleOf(c.terms, participant, 0); ok {
			return true
		}
	}
	return false
}

// MayRead tells whether a participant may read a version: it is an open offer that was agreed, or the participant is
// named in it or bound by it, or proposed it.
func (s *State) MayRead(id moongate.ID, version int, participant string) bool {
	v, ok := s.versions.Get(versionKey{id, version})
	if !ok {
		return false
	}
	t, err := s.Version(id, version)
	if err != nil {
		return false
	}
	if v.By == participant || t.Doc.Offer.Kind == OfferOpen && v.Status == InForce || t.Doc.names(participant) {
		return true
	}
	for i := range t.Doc.Parties {
		if s.bindings.Has(bindingKey{id, version, t.Doc.Parties[i].Role, participant}) {
			return true
		}
	}
	return false
}

// Unseen is the error of an agreement that is not there, also for one of which a participant may read no version; nil for
// one that it may read. What does not work under an agreement is told to those who know it.
func (s *State) Unseen(id moongate.ID, participant string) error {
	if s.parties.IsOperator(participant) && len(s.terms[id]) > 0 {
		return nil
	}
	for _, c := range s.terms[id] {
		if s.MayRead(id, c.terms.Doc.Version, participant) {
			return nil
		}
	}
	return unknownAgreement(id)
}

// MayCount tells whether a participant may see everybody who stands in a version: who proposed it and whom it names. Who
// accepted an open offer is not told whom else it won, nor is anybody who could accept it.
func (s *State) MayCount(id moongate.ID, version int, participant string) bool {
	v, ok := s.versions.Get(versionKey{id, version})
	if !ok {
		return false
	}
	t, err := s.Version(id, version)
	return err == nil && participant != "" && (v.By == participant || t.Doc.names(participant))
}

// names tells whether a document names a participant, other than by an open role.
func (d *Document) names(participant string) bool {
	return slices.ContainsFunc(d.Parties, func(p Party) bool { return p.Open == "" && p.Names(participant) })
}

// Last gives the newest version that was agreed, in force or not; where none was, the newest.
func (s *State) Last(id moongate.ID) (*Terms, error) {
	list := s.terms[id]
	if len(list) == 0 {
		return nil, unknownAgreement(id)
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].status == InForce {
			return list[i].terms, nil
		}
	}
	return list[len(list)-1].terms, nil
}

// Latest is the highest version number of an agreement, 0 for an unknown one.
func (s *State) Latest(id moongate.ID) int {
	r, _ := s.agreements.Get(id)
	return r.Versions
}
