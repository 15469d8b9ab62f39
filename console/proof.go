package console

import "github.com/moongate-hub/moongate"

// Receipt is the proof that a crossing stands in the public log, with the groups of facts that its holder may open.
type Receipt struct {
	Crossing string
	Kind     string
	At       moongate.Time
	Holder   Party
	Groups   []Group
	Event    string // hash of the event, over all groups
	Inside   []Hash // from the event to the root of its interval
	Interval string // root of the interval: a leaf of the public log
	Leaf     int64  // index of that leaf
	Outside  []Hash // from the leaf to the root of the checkpoint
	Root     string
	Size     int64  // of the tree at the checkpoint
	Origin   string // name of the log
	Signer   string // name of its key
	SignedAt moongate.Time
	Note     string // the signed checkpoint, as text
	Command  string // that verifies the file offline; may be empty
	Verified bool   // the hub has walked the path itself before drawing it
	Download string // path of the receipt as a file
}

func (Receipt) template() string { return "receipt" }

// Group is what one audience may know of an event.
type Group struct {
	Audience string // public, parties, sides, each, self, owner, merchant, hub; a closed group may have none
	Hash     string // of the group; empty: not told
	Open     bool
	Raw      bool    // its fields stand as the journal has them: of use to who checks the hash, hardly to who reads
	Fields   []Field // of an open group
}

// Field is one fact: Name is a word under field. in the catalogue, or stands as it is. A fact that is a time, or names
// something with a page of its own, says so; then Value is empty.
type Field struct {
	Name, Value string
	At          moongate.Time
	Ref         Ref
}

// Hash is one step on a path of hashes: the neighbour that it is joined with.
type Hash struct {
	Value string
	Left  bool // the neighbour stands on the left
}

// PublicLog is the log as everybody may see it.
type PublicLog struct {
	Origin     string
	Key        string // verifier key, as tools take it
	Size       int64
	Root       string
	SignedAt   moongate.Time
	Note       string // the signed checkpoint, as text
	Base       string // URL under which tiles and checkpoint are served
	Witnesses  []Witness
	Acts       []PublicAct
	Paging     Paging
	Continues  string // origin that this one continues, after a restore
	EachSecond int    // seconds that an interval covers
}

func (PublicLog) template() string { return "log" }

// Witness is somebody who cosigned the checkpoint.
type Witness struct {
	Name string
	At   moongate.Time
}

// PublicAct is a leaf in plain: terms, a block, an appeal, a change of fees.
type PublicAct struct {
	Leaf  int64
	At    moongate.Time
	Kind  string // of the event: agreement.published, link.blocked, link.appealed, …
	Party Party
	Text  string
	Hash  string
}

// Health is how the hub is doing.
type Health struct {
	Node       string
	Role       string // leader, follower, alone
	Term       uint64
	Started    moongate.Time
	Position   uint64 // of the journal
	Bytes      int64
	Segments   int
	Snapshot   uint64 // position of the last one
	SnapshotAt moongate.Time
	Checkpoint struct {
		Size int64
		At   moongate.Time
	}
	Followers []Follower
	Peers     []Queue
	Paging    Paging // of the peers
	Rate      Series // crossings a minute
	Clicks    Clicks
	OpenWork  int64 // payments not yet in a final state
	Actions   []Action
}

func (Health) template() string { return "health" }

// Clicks are those that a redirect has answered and that are not yet durable: what a crash would take.
type Clicks struct {
	Waiting   int
	Most      int           // that may wait
	Longest   moongate.Time // that one may wait, but for one batch
	Recorded  uint64
	Uncounted uint64 // that found no room
	Abandoned uint64 // that were turned down
}

// Follower is something that is made from the journal, a little later: the lists that people read, and the public log.
type Follower struct {
	Name   string // lists, log
	Behind int64  // events that it has not taken in
}

// Queue is what waits to be said to a peer.
type Queue struct {
	Peer    Party
	Kind    string // wallet, webhook, message
	Waiting int
	Flying  int           // calls under way
	Failing int           // tries since the last success
	Oldest  moongate.Time // of what waits; zero: not told
	Dead    int           // given up
	Error   string        // of the last failure
	Paused  bool
	Actions []Action
}
