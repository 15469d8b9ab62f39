package link

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// Limits bound what the room keeps. What is zero takes the default.
type Limits struct {
	Destinations int // 1,000,000; one owner may have a tenth
	Links        int // 4,000,000; one publisher may have a tenth
	Blocks       int // in force; 100,000; one participant may have a tenth
	Conversions  int // whose references are remembered; 2,000,000; one owner may have a quarter
	Recorders    int // 100,000: one for every start of a process, for as long as its clicks can convert
	// Loopback lets destinations be on this machine: for demonstrations and tests.
	Loopback bool
}

// Destination is a place that links can lead to.
type Destination struct {
	ID        moongate.ID      `cbor:"1,keyasint" json:"id"`
	Owner     string           `cbor:"2,keyasint" json:"owner"`
	Name      string           `cbor:"3,keyasint" json:"name"`
	NameZH    string           `cbor:"4,keyasint,omitempty" json:"name_zh,omitempty"`
	Addresses []Address        `cbor:"5,keyasint" json:"addresses"` // the first is the web address
	Host      string           `cbor:"6,keyasint" json:"host"`
	Hash      [8]byte          `cbor:"7,keyasint" json:"-"` // of where it leads
	Since     moongate.Time    `cbor:"8,keyasint" json:"since"`
	Closed    bool             `cbor:"9,keyasint,omitempty" json:"closed,omitempty"`
	Head      journal.Position `cbor:"10,keyasint" json:"-"`
}

// Link is a code through which one publisher leads to one destination.
type Link struct {
	Code        string        `cbor:"1,keyasint" json:"code"`
	Destination moongate.ID   `cbor:"2,keyasint" json:"destination"`
	Publisher   string        `cbor:"3,keyasint" json:"publisher"`
	Owner       string        `cbor:"4,keyasint" json:"owner"`
	Agreement   moongate.ID   `cbor:"5,keyasint" json:"agreement"`
	Campaign    string        `cbor:"6,keyasint,omitempty" json:"campaign,omitempty"`
	Since       moongate.Time `cbor:"7,keyasint" json:"since"`
	Closed      bool          `cbor:"8,keyasint,omitempty" json:"closed,omitempty"`
}

// Block is a decision in force to keep links shut.
type Block struct {
	Decision Decision         `cbor:"1,keyasint" json:"decision"`
	Stage    Stage            `cbor:"2,keyasint" json:"stage"`
	Appeal   *Contest         `cbor:"3,keyasint,omitempty" json:"appeal,omitempty"`
	Head     journal.Position `cbor:"4,keyasint" json:"-"`
}

// Stage is where a block stands.
type Stage string

// Stages of a block that is in force.
const (
	Standing  Stage = "standing"  // not contested
	Contested Stage = "contested" // an appeal awaits its decision
	Upheld    Stage = "upheld"    // an appeal was turned down
)

// State is what the next decision about links needs. Its reads are called under the machine's Read.
type State struct {
	limits     Limits
	parties    *party.State
	agreements *agreement.State
	crossings  *crossing.State

	destinations *replica.Table[moongate.ID, Destination]
	links        *replica.Table[string, Link]
	schemes      *replica.Table[string, []string]
	blocks       *replica.Table[moongate.ID, Block]
	recorders    *replica.Table[uint64, recorder]
	recovered    *replica.Table[moongate.ID, moongate.Time] // lost clicks that were recorded after all, and until when that matters
	conversions  *replica.Table[saleKey, sale]

	// Derived from the tables.
	held   map[string]*holdings
	shut   map[target][]moongate.ID // blocks by whom and what they shut
	due    *replica.Due[moongate.ID]
	fading *replica.Due[fading]
}

// recorder is what one run of a process counted.
type recorder struct {
	Through uint64        `cbor:"1,keyasint"`
	Last    moongate.Time `cbor:"2,keyasint"`
}

// saleKey is the business identity of a conversion.
type saleKey struct {
	Owner     string `cbor:"1,keyasint"`
	Reference string `cbor:"2,keyasint"`
}

type sale struct {
	Conversion moongate.ID   `cbor:"1,keyasint"`
	Crossing   moongate.ID   `cbor:"2,keyasint"`
	Click      moongate.ID   `cbor:"3,keyasint"`
	Forget     moongate.Time `cbor:"4,keyasint"`
}

// holdings is how much of the room one participant takes.
type holdings struct{ destinations, links, blocks, conversions int }

// target is what a block shuts: of one publisher or of everybody (""), one destination or hosts of a pattern.
type target struct {
	publisher   string
	destination moongate.ID
	host        string
}

// fading is something that the state forgets by itself: a recorder, a recovered click or a sale's reference.
type fading struct {
	recorder uint64
	click    moongate.ID
	sale     saleKey
}

// New makes an empty room over those below it.
func New(parties *party.State, agreements *agreement.State, crossings *crossing.State, limits Limits) *State {
	setDefault := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	setDefault(&limits.Destinations, 1_000_000)
	setDefault(&limits.Links, 4_000_000)
	setDefault(&limits.Blocks, 100_000)
	setDefault(&limits.Conversions, 2_000_000)
	setDefault(&limits.Recorders, 100_000)
	s := &State{
		limits: limits, parties: parties, agreements: agreements, crossings: crossings,
		destinations: replica.NewTable[moongate.ID, Destination]("destinations"),
		links:        replica.NewTable[string, Link]("links"),
		schemes:      replica.NewTable[string, []string]("schemes"),
		blocks:       replica.NewTable[moongate.ID, Block]("blocks"),
		recorders:    replica.NewTable[uint64, recorder]("recorders"),
		recovered:    replica.NewTable[moongate.ID, moongate.Time]("recovered"),
		conversions:  replica.NewTable[saleKey, sale]("conversions"),
	}
	s.Rebuild()
	return s
}

// Name is the room's.
func (s *State) Name() string { return "link" }

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored {
	return []replica.Stored{s.destinations, s.links, s.schemes, s.blocks, s.recorders, s.recovered, s.conversions}
}

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{
		&DestinationRegistered{}, &DestinationChanged{}, &DestinationClosed{}, &SchemesAllowed{}, &Placed{}, &Closed{},
		&Blocked{}, &Appealed{}, &AppealDecided{}, &Unblocked{},
		&Clicked{}, &TurnedDown{}, &Counted{}, &Met{}, &Recovered{}, &Converted{},
	}
}

// Register tells the machine which commands the room answers.
func (s *State) Register(m *replica.Machine) {
	replica.Handle(m, s.registerDestination)
	replica.Handle(m, s.changeDestination)
	replica.Handle(m, s.closeDestination)
	replica.Handle(m, s.allowSchemes)
	replica.Handle(m, s.placeLink)
	replica.Handle(m, s.closeLink)
	replica.Handle(m, s.blockLinks)
	replica.Handle(m, s.lift)
	replica.Handle(m, s.appeal)
	replica.Handle(m, s.decideAppeal)
	replica.Handle(m, s.recordClicks)
	replica.Handle(m, s.recordClick)
	replica.Handle(m, s.convert)
}

// Destination finds a destination.
func (s *State) Destination(id moongate.ID) (Destination, bool) { return s.destinations.Get(id) }

// Link finds a link.
func (s *State) Link(code string) (Link, bool) { return s.links.Get(code) }

// Block finds a block that is in force.
func (s *State) Block(id moongate.ID) (Block, bool) { return s.blocks.Get(id) }

// Schemes lists the application schemes of a participant.
func (s *State) Schemes(handle string) []string {
	list, _ := s.schemes.Get(handle)
	return list
}

// Lost tells whether a click was not recorded when its process stopped, and may be recorded with its conversion.
func (s *State) Lost(c *Click) bool {
	if c.Recorder == 0 || s.recovered.Has(c.ID) {
		return false
	}
	r, _ := s.recorders.Get(c.Recorder)
	return c.Number > r.Through
}
