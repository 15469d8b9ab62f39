package agreement

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/moongate-hub/moongate"
)

// Format is the only document format there is so far.
const Format = "agreement/1"

// Bounds of a document. What is larger is refused before it is read.
const (
	MaxBytes   = 256 << 10 // of YAML or JSON source
	MaxDepth   = 12        // of nesting
	MaxParties = 64        // entries; one entry may list many members
	MaxMembers = 5000      // of one role
	MaxFees    = 32        // fee lines
	MaxTiers   = 32        // of one fee line
)

// Document is one version of an agreement as the parties wrote it. It comes from [Parse] or [Build], which have
// checked it; change one by building another.
type Document struct {
	Format     string       `json:"moongate"`
	ID         string       `json:"id"`      // stays the same over all versions
	Version    int          `json:"version"` // 1, 2, …
	Name       Text         `json:"name"`
	Summary    Text         `json:"summary,omitempty"`
	Parties    []Party      `json:"parties"`
	Valid      Validity     `json:"valid"`
	Scope      Scope        `json:"scope"`
	Rounding   Rounding     `json:"rounding,omitempty"` // of fees; half_up where unsaid
	Calendar   string       `json:"calendar,omitempty"` // offset such as +08:00 in which days, months and years turn; UTC where unsaid
	Fees       []Fee        `json:"fees,omitempty"`
	Share      *Share       `json:"share,omitempty"`
	Guards     *Guards      `json:"guards,omitempty"`
	Disclosure []Disclosure `json:"disclosure,omitempty"`
	Links      *Links       `json:"links,omitempty"`
	Settlement *Settlement  `json:"settlement,omitempty"`
	Offer      Offer        `json:"offer"`
	Replaces   *Reference   `json:"replaces,omitempty"`
	Sources    []Source     `json:"sources,omitempty"`

	canonical []byte
}

// Text is what people read, by language; "en" or "zh" is always there.
type Text map[string]string

// In gives the text in a language, else in English, else in Chinese.
func (t Text) In(lang Language) string {
	for _, l := range []string{string(lang), "en", "zh"} {
		if s := t[l]; s != "" {
			return s
		}
	}
	return ""
}

// Party is one role in the agreement and who may stand in it: one participant, a list of them, or anyone of a kind who
// accepts. Where a role has several members, each crossing has exactly one of them in it.
type Party struct {
	Role    Role        `json:"role"`
	ID      string      `json:"id,omitempty"`      // the one participant
	Members []string    `json:"members,omitempty"` // several
	Open    OpenKind    `json:"open,omitempty"`    // anyone of this kind that accepts
	Name    string      `json:"name,omitempty"`    // as people say it
	Signs   Signing     `json:"signs,omitempty"`   // whether it must sign; members of an open role sign by accepting
	Limits  *Acceptance `json:"limits,omitempty"`  // for an open role
}

// Signing says whether a party's signature is needed for the agreement to come into force. Where unsaid it is.
type Signing string

// Ways of signing.
const (
	SignsAlways Signing = "required"
	SignsNever  Signing = "not_required" // such as a host whose public offer this mirrors
)

// Acceptance bounds who may accept an open role, and how many.
type Acceptance struct {
	Most  int           `json:"most,omitempty"`  // members at a time; 0 is as many as come
	Until moongate.Time `json:"until,omitempty"` // the last moment to accept; the end of the validity where unsaid
}

// Role is the part a party plays.
type Role string

// Roles. The list is closed so that fees, statements and pages can name each in every language.
const (
	Host        Role = "host"        // owns the place that is opened
	Guest       Role = "guest"       // comes in
	Marketplace Role = "marketplace" // brings buyers and sellers together
	Seller      Role = "seller"      // is paid for goods or services
	Publisher   Role = "publisher"   // sends readers
	Wallet      Role = "wallet"      // moves the money
	Store       Role = "store"       // distributes apps
	App         Role = "app"         // an app, or its developer
	Advertiser  Role = "advertiser"  // pays for traffic
	Carrier     Role = "carrier"     // delivers
	DataHolder  Role = "data_holder" // lends data
	DataUser    Role = "data_user"   // uses it
	Platform    Role = "platform"    // any of the above, unspecified
	Operator    Role = "operator"    // runs the hub
	Observer    Role = "observer"    // watches; neither pays nor is paid
)

// OpenKind is the kind of participant that may step into an open role.
type OpenKind string

// Kinds of participants that an open role may name; but for any, they are those of package party.
const (
	OpenAny        OpenKind = "any"
	OpenMerchant   OpenKind = "merchant"
	OpenPublisher  OpenKind = "publisher"
	OpenApp        OpenKind = "app"
	OpenWallet     OpenKind = "wallet"
	OpenPlatform   OpenKind = "platform"
	OpenDataHolder OpenKind = "data-holder"
)

// Validity is when the terms hold: from From (inclusive) until Until (exclusive). Notice is how long before it takes
// effect a change or an end must be announced.
type Validity struct {
	From   moongate.Time `json:"from"`
	Until  moongate.Time `json:"until,omitempty"` // open-ended where unsaid
	Notice Duration      `json:"notice"`
}

// Covers tells whether the terms hold at a moment.
func (v Validity) Covers(at moongate.Time) bool {
	return at >= v.From && (v.Until == 0 || at < v.Until)
}

// Scope is what the agreement is about.
type Scope struct {
	Kinds       []Kind   `json:"kinds"`
	Currencies  []string `json:"currencies,omitempty"` // ISO 4217; needed where money moves
	Classes     []string `json:"classes,omitempty"`    // product classes; all where unsaid
	Hosts       []string `json:"hosts,omitempty"`      // host names links may lead to; *.example.com covers its subdomains
	Beneficiary Role     `json:"beneficiary,omitempty"`
}

// Kind is a kind of crossing.
type Kind string

// Kinds of crossings.
const (
	Link       Kind = "link"       // a reader opens something behind another wall
	Payment    Kind = "payment"    // money paid through the hub's wallets
	Refund     Kind = "refund"     // part or all of it goes back
	Conversion Kind = "conversion" // a sale made elsewhere that a link led to
)

// Rounding names how a fee is brought to a whole minor unit.
type Rounding string

// Roundings.
const (
	HalfUp Rounding = "half_up" // to the nearest; a half goes up
	Down   Rounding = "down"    // in favour of who pays
	Up     Rounding = "up"      // in favour of who is paid
)

// Amounts are money by currency, as exact decimals: {CNY: "0.10"}.
type Amounts map[string]string

// Fee is one line of the schedule: From pays To, for each crossing of the kinds in For.
//
// The fee is bps/10000 of the base, rounded, plus Fixed, then at least Min and at most Max. Of a sale of nothing it is
// nothing. Where Tiers stand, the one that fits sets the rate.
type Fee struct {
	ID       string   `json:"id"`
	Label    Text     `json:"label,omitempty"`
	From     Role     `json:"from"`
	To       Role     `json:"to"`
	For      []Kind   `json:"for,omitempty"`     // payment where unsaid
	Classes  []string `json:"classes,omitempty"` // only for these product classes
	Of       string   `json:"of,omitempty"`      // gross (where unsaid), net, freight_excluded, or the id of an earlier line
	BPS      *int     `json:"bps,omitempty"`
	Fixed    Amounts  `json:"fixed,omitempty"`
	Min      Amounts  `json:"min,omitempty"`
	Max      Amounts  `json:"max,omitempty"`
	Tiers    *Tiers   `json:"tiers,omitempty"`
	OnRefund OnRefund `json:"on_refund,omitempty"`
}

// Bases of a fee.
const (
	Gross           = "gross"            // all that the buyer pays: goods, freight and tax
	Net             = "net"              // gross less tax
	FreightExcluded = "freight_excluded" // gross less freight
)

// OnRefund says what becomes of a fee when the sale is refunded.
type OnRefund string

// What becomes of a fee on a refund.
const (
	Returned OnRefund = "returned" // in step with the refund; the rule where unsaid
	Kept     OnRefund = "kept"     // it stays with who received it
)

// Tiers give a line different rates, by product class or by the volume of the period so far. The volume is the
// beneficiary's own: the gross of its crossings under this agreement, in this currency, in this period.
type Tiers struct {
	By     TierBy     `json:"by"`
	Mode   TierMode   `json:"mode,omitempty"`   // of tiers by volume: marginal where unsaid
	Period TierPeriod `json:"period,omitempty"` // of tiers by volume: month where unsaid
	Steps  []Tier     `json:"steps"`
}

// TierBy is what chooses a tier.
type TierBy string

// What chooses a tier.
const (
	ByClass  TierBy = "class"
	ByVolume TierBy = "volume"
)

// TierMode is how a tier by volume applies.
type TierMode string

// How a tier by volume applies.
const (
	Marginal TierMode = "marginal" // each part of the volume at the rate of its own tier, like income tax
	Whole    TierMode = "whole"    // the whole sale at the rate of the tier in which the volume before it stands
)

// TierPeriod is after how long volume counts from zero again.
type TierPeriod string

// Periods of volume.
const (
	Month TierPeriod = "month"
	Year  TierPeriod = "year"
)

// Tier is one step: the product classes, or the volume from From (inclusive) to Below (exclusive), that it covers.
type Tier struct {
	Classes []string `json:"classes,omitempty"`
	From    Amounts  `json:"from,omitempty"`  // zero where unsaid
	Below   Amounts  `json:"below,omitempty"` // no end where unsaid
	BPS     int      `json:"bps"`
	Fixed   Amounts  `json:"fixed,omitempty"` // in place of the line's own; not with marginal tiers
	Min     Amounts  `json:"min,omitempty"`
	Max     Amounts  `json:"max,omitempty"`
}

// Share is how the parties that brought a sale about are paid for it: From gives a pool, which the rule divides among
// the members of To whose touches lie within the window. Without any touch there is no pool.
type Share struct {
	Rule   ShareRule `json:"rule"`
	From   Role      `json:"from"`
	To     Role      `json:"to"`
	For    []Kind    `json:"for,omitempty"` // payment where unsaid
	Pool   int       `json:"pool_bps"`
	Of     string    `json:"of,omitempty"`        // as for a fee
	Floor  int       `json:"floor_bps,omitempty"` // of the pool, for each that touched
	Cap    int       `json:"cap_bps,omitempty"`   // of the pool, for any one; none where unsaid
	Limits []Limit   `json:"limits,omitempty"`    // for single members, in place of floor and cap
	Window Duration  `json:"window"`
}

// Limit is one member's floor and cap in a share, in basis points of the pool.
type Limit struct {
	Party string `json:"party"`
	Floor int    `json:"floor_bps,omitempty"`
	Cap   int    `json:"cap_bps,omitempty"` // none where unsaid
}

// ShareRule is how a pool is divided.
type ShareRule string

// Rules of sharing.
const (
	LastTouch     ShareRule = "last_touch"     // all to the last that touched
	UniqueUniform ShareRule = "unique_uniform" // equal parts to all that touched, each once
)

// Guards protect the weaker side. Caps and floors are of the gross, hold on every crossing, and cut fees in the reverse
// of their order: the last line gives way first.
type Guards struct {
	Floors            []Guard  `json:"floors,omitempty"` // the beneficiary keeps at least this
	Caps              []Guard  `json:"caps,omitempty"`   // a party receives at most this
	FeeChangeNotice   Duration `json:"fee_change_notice,omitempty"`
	TerminationNotice Duration `json:"termination_notice,omitempty"`
	NonDiscrimination bool     `json:"non_discrimination,omitempty"` // no member of a role gets worse terms than another
	Appeal            Duration `json:"appeal,omitempty"`             // how long a decision can be appealed
}

// Guard is a floor or cap of one party, in basis points of the gross.
type Guard struct {
	Party Role `json:"party"`
	BPS   int  `json:"bps"`
}

// Disclosure is what one party may see of another's crossings. Where nothing is said, the parties of a crossing see it
// line by line and nobody else sees anything.
type Disclosure struct {
	Of     Role            `json:"of"` // whose books
	To     Role            `json:"to"` // who reads
	Level  DisclosureLevel `json:"level"`
	Period TierPeriod      `json:"period,omitempty"` // of a total: month where unsaid
}

// DisclosureLevel is how much is disclosed.
type DisclosureLevel string

// Levels of disclosure.
const (
	Itemised  DisclosureLevel = "itemised"   // every crossing
	TotalOnly DisclosureLevel = "total_only" // what is owed for the period, and a proof of it
)

// Links is the policy for links that cross the wall.
type Links struct {
	Open     OpenMode `json:"open"`
	Parity   bool     `json:"parity,omitempty"`    // shown and opened like the host's own links
	ClickTTL Duration `json:"click_ttl,omitempty"` // how long a click token lives; 10 minutes at most
	Block    *Block   `json:"block,omitempty"`     // without it no link may be blocked under this agreement
}

// OpenMode is how a link opens.
type OpenMode string

// How a link opens.
const (
	Direct  OpenMode = "direct"  // at once
	Confirm OpenMode = "confirm" // after a page that names where it leads
)

// Block says when a link may be blocked, and for how long at most.
type Block struct {
	Reasons  []string `json:"reasons"`
	Longest  Duration `json:"longest"`
	Evidence bool     `json:"evidence,omitempty"` // must be given
	Appeal   Duration `json:"appeal"`             // how long after the block it can be appealed
	Decide   Duration `json:"decide"`             // how soon an appeal must be decided; undecided, the block lifts
}

// Settlement is when and how what is owed is paid out.
type Settlement struct {
	Window   Duration `json:"window"`             // length of one window
	Currency string   `json:"currency,omitempty"` // the one currency; each in its own where unsaid
	Netting  Netting  `json:"netting"`
	Delay    Duration `json:"delay,omitempty"`   // from the window's close to payment
	Minimum  Amounts  `json:"minimum,omitempty"` // below it a payout waits for the next window
}

// Netting is how claims are set against each other.
type Netting string

// Ways of netting.
const (
	GrossClaims  Netting = "gross"        // each claim by itself
	Bilateral    Netting = "bilateral"    // between each two parties
	Multilateral Netting = "multilateral" // each party against all others
)

// Offer is how the document comes into force.
type Offer struct {
	Kind    OfferKind     `json:"kind"`
	Of      Role          `json:"of,omitempty"`      // joint: the role whose members sign together
	Quorum  int           `json:"quorum,omitempty"`  // joint: how many of them must have signed
	SignBy  moongate.Time `json:"sign_by,omitempty"` // the last moment for the needed signatures
	Counter *Reference    `json:"counter,omitempty"` // counter: what it answers
}

// OfferKind is the way a document comes into force.
type OfferKind string

// Ways in which a document comes into force.
const (
	OfferClosed  OfferKind = "closed"  // when every named party has signed
	OfferOpen    OfferKind = "open"    // when the named parties have signed; anyone may then accept an open role
	OfferJoint   OfferKind = "joint"   // when the named parties and a quorum of many small ones have signed
	OfferCounter OfferKind = "counter" // like closed; it answers another version, which it takes the place of once signed
)

// Reference names one version of an agreement by content.
type Reference struct {
	ID      string `json:"id,omitempty"` // the same agreement where unsaid
	Version int    `json:"version"`
	SHA256  string `json:"sha256"` // of its canonical form, hex
}

// Source is where a schedule was read.
type Source struct {
	Kind  SourceKind    `json:"kind"`
	Title string        `json:"title"`
	Date  moongate.Time `json:"date,omitempty"`
	URL   string        `json:"url,omitempty"`
}

// SourceKind says how far a source can be trusted.
type SourceKind string

// Kinds of sources.
const (
	Press    SourceKind = "press"    // read in the press, not checked against the contract
	Law      SourceKind = "law"      // a statute, order or guideline
	Contract SourceKind = "contract" // the contract's own text
)

// Build checks a document made in code and completes it with its canonical form. Errors are as for [Parse].
func Build(d Document) (*Document, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Message: "the document cannot be written as JSON: " + err.Error()}
	}
	return Parse(raw)
}

// Canonical is the document in RFC 8785 canonical JSON: what is hashed and signed. Do not change it.
func (d *Document) Canonical() []byte { return d.canonical }

// Hash is the SHA-256 of the canonical form: the identity of this version.
func (d *Document) Hash() [sha256.Size]byte { return sha256.Sum256(d.canonical) }

// Fingerprint is the hash in hex.
func (d *Document) Fingerprint() string {
	h := d.Hash()
	return hex.EncodeToString(h[:])
}

// Party gives the entry of a role, nil where the role is not in the document.
func (d *Document) Party(r Role) *Party {
	for i := range d.Parties {
		if d.Parties[i].Role == r {
			return &d.Parties[i]
		}
	}
	return nil
}
