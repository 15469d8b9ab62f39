package sim

import (
	"time"

	"github.com/moongate-hub/moongate/hub"
)

// Report is what a play came to.
type Report struct {
	Seed      uint64 `json:"seed"`
	Orders    int    `json:"orders"`
	Crossings int64  `json:"crossings"`
	// StateHash is of the rooms' state: what everybody is owed, agreed and did. It follows from the seed and the version
	// of the program alone.
	StateHash    string `json:"state_hash"`
	InvariantsOK bool   `json:"invariants_ok"`

	ByKind       map[string]int64  `json:"crossings_by_kind"`
	Payments     map[string]int64  `json:"payments"`             // by how they ended
	Refunds      map[string]int64  `json:"refunds"`              // likewise
	Refused      int64             `json:"refunds_refused"`      // more than was left
	Exceptions   map[string]int64  `json:"exceptions,omitempty"` // by kind
	Windows      map[string]int64  `json:"windows"`              // of settlement, by status
	Faults       map[string]int    `json:"faults"`               // that were injected
	Amounts      map[string]Amount `json:"amounts"`
	Payouts      int               `json:"payouts"` // that were instructed and confirmed
	LinksOpened  int               `json:"links_opened"`
	LinksBlocked int               `json:"links_blocked"` // openings that met the block
	Events       int64             `json:"events"`
	LogEntries   int64             `json:"log_entries"`
	Receipts     int               `json:"receipts_verified"`
	Days         float64           `json:"virtual_days"`
	Seconds      float64           `json:"seconds"`
	Findings     []*hub.Finding    `json:"findings"`
}

// Amount is minor units of a currency.
type Amount struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

func (r *Report) add(check string) *hub.Finding {
	f := &hub.Finding{Check: check, OK: true}
	r.Findings = append(r.Findings, f)
	return f
}

func (r *Report) judge() {
	r.InvariantsOK = true
	for _, f := range r.Findings {
		r.InvariantsOK = r.InvariantsOK && f.OK
	}
}

func days(d time.Duration) float64 { return d.Hours() / 24 }
