package party

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Kind is what a participant is in the first place. It grants nothing but to an operator: what else a participant may
// do follows from the agreements it signed.
type Kind uint8

// Kinds of participants. A value, once used, is never given to another kind.
const (
	Platform Kind = 1 + iota
	Wallet
	Merchant
	Publisher
	App
	DataHolder
	Observer
	Operator
)

var kindNames = []string{"", "platform", "wallet", "merchant", "publisher", "app", "data-holder", "observer", "operator"}

// String is the kind's name, such as "data-holder".
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind%d", uint8(k))
	}
	return kindNames[k]
}

// ParseKind reads a kind's name.
func ParseKind(s string) (Kind, error) {
	if i := slices.Index(kindNames, s); i > 0 {
		return Kind(i), nil
	}
	return 0, &moongate.Error{
		Code: moongate.Malformed, Field: "kind", Message: fmt.Sprintf("%.40q is no kind of participant", s),
		Hint: "one of " + strings.Join(kindNames[1:], ", "),
	}
}

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the kind's name.
func (k *Kind) UnmarshalText(b []byte) (err error) {
	*k, err = ParseKind(string(b))
	return err
}

// Participant is somebody who takes part.
type Participant struct {
	Handle    string           `cbor:"1,keyasint" json:"handle"`
	Kind      Kind             `cbor:"2,keyasint" json:"kind"`
	Name      string           `cbor:"3,keyasint" json:"name"`
	NameZH    string           `cbor:"4,keyasint,omitempty" json:"name_zh,omitempty"`
	Since     moongate.Time    `cbor:"5,keyasint" json:"since"`
	Suspended string           `cbor:"6,keyasint,omitempty" json:"suspended,omitempty"` // the reason; empty while active
	Head      journal.Position `cbor:"7,keyasint" json:"-"`                             // of the participant's chain of events; for the hub alone
}

// Active tells whether the participant may act.
func (p *Participant) Active() bool { return p.Suspended == "" }

// Scopes is a set of what a credential may be used for. In JSON it is a list of names.
type Scopes uint32

// The closed set of scopes. A bit, once used, is never given to another scope. To read one's own profile needs none.
const (
	PaymentsWrite   Scopes = 1 << iota // create, cancel, choose a wallet
	PaymentsRead                       // payments and refunds
	RefundsWrite                       // give money back
	AgreementsWrite                    // propose, sign, accept, counter, terminate
	AgreementsRead
	LedgerRead // own accounts and transfers
	StatementsRead
	LinksWrite // destinations, clicks, conversions, blocks, appeals
	LinksRead
	SettlementRead
	WebhooksWrite   // endpoints and redelivery
	ParticipantEdit // own keys, credentials and names
	EventsRead      // the stream of own events
	StatementsWrite // confirm and dispute totals
	SettlementWrite // say that a payout came
	scopesEnd       // new ones go before it
)

// OperatorScope is everything an operator may do; for operators only. It stands apart, so that new scopes move nothing.
const OperatorScope Scopes = 1 << 31

var scopeNames = []string{
	"payments:write", "payments:read", "refunds:write", "agreements:write", "agreements:read", "ledger:read",
	"statements:read", "links:write", "links:read", "settlement:read", "webhooks:write", "participant:write", "events:read", "statements:write", "settlement:write", "operator",
}

// AllScopes is every scope but the operator's.
const AllScopes = scopesEnd - 1

// Has tells whether a credential with these scopes may do what needs all of the given ones. An operator's may do all.
func (s Scopes) Has(need Scopes) bool { return s&OperatorScope != 0 || s&need == need }

// Names lists the scopes, in a fixed order.
func (s Scopes) Names() []string {
	names := []string{}
	for i, name := range scopeNames {
		if s&scopeAt(i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// scopeAt is the scope whose name is at an index; the operator's is the last.
func scopeAt(i int) Scopes {
	if i == len(scopeNames)-1 {
		return OperatorScope
	}
	return 1 << i
}

// String joins the names with blanks.
func (s Scopes) String() string { return strings.Join(s.Names(), " ") }

// ParseScopes reads names of scopes; each may come once.
func ParseScopes(names []string) (Scopes, error) {
	var s Scopes
	for _, name := range names {
		i := slices.Index(scopeNames, name)
		if i < 0 || s&scopeAt(i) != 0 {
			return 0, &moongate.Error{
				Code: moongate.Malformed, Field: "scopes", Message: fmt.Sprintf("%.40q is no scope, or stands there twice", name),
				Hint: "choose from " + strings.Join(scopeNames, ", "),
			}
		}
		s |= scopeAt(i)
	}
	return s, nil
}

// MarshalJSON writes the list of names.
func (s Scopes) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// UnmarshalJSON reads a list of names; see [ParseScopes].
func (s *Scopes) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return &moongate.Error{Code: moongate.Malformed, Field: "scopes", Message: "scopes are a list of names", Hint: `like ["payments:write"]`}
	}
	v, err := ParseScopes(names)
	*s = v
	return err
}

func (s Scopes) known() bool { return s&^(AllScopes|OperatorScope) == 0 }
