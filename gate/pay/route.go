package pay

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// Where a merchant lets the hub choose the wallet, its rules decide, and the success that was measured. The reason stands
// in the attempt's event. After an attempt that surely came to nothing the next wallet is tried; while one is unknown,
// none is.

// Rule says which wallets a payment may be sent to, and how one of them is chosen. What is left empty matches everything.
type Rule struct {
	Name     string         `cbor:"1,keyasint" json:"name"`                        // 1 to 64 characters; the reason names it
	Currency money.Currency `cbor:"2,keyasint,omitzero" json:"currency,omitzero"`  // of the payment
	Least    int64          `cbor:"3,keyasint,omitempty" json:"least,omitempty"`   // amount from which on it holds, minor units
	Most     int64          `cbor:"4,keyasint,omitempty" json:"most,omitempty"`    // amount up to which it holds; 0 for all
	Class    string         `cbor:"5,keyasint,omitempty" json:"class,omitempty"`   // of product
	Wallets  []string       `cbor:"6,keyasint,omitempty" json:"wallets,omitempty"` // in order of preference; those not offered are passed over; none for all that are
	By       Preference     `cbor:"7,keyasint" json:"by"`
}

// Preference is how one of several wallets is chosen.
type Preference string

// Preferences.
const (
	ByOrder Preference = "order" // the first
	ByRate  Preference = "rate"  // the one whose attempts were paid most often within a day
)

// SetRouting puts a merchant's rules in place of those before. The first that matches a payment decides; where none does,
// the measured success does, among all wallets that are offered.
type SetRouting struct {
	Rules []Rule `cbor:"1,keyasint" json:"rules" nullable:"false"`
}

// RoutingSet says by which rules the hub chooses for a merchant from now on.
type RoutingSet struct {
	Routing `audience:"merchant"`
}

// Routing is what [RoutingSet] says.
type Routing struct {
	Merchant string `cbor:"1,keyasint" json:"merchant"`
	Rules    []Rule `cbor:"2,keyasint,omitempty" json:"rules,omitempty"`
}

// Readers lists who may open a group of the event.
func (r *Routing) Readers(audience string) []string {
	if audience == "merchant" {
		return []string{r.Merchant}
	}
	return nil
}

// EventKind implements [journal.Event].
func (*RoutingSet) EventKind() string { return "pay.routing_set" }

// CommandKind implements [replica.Command].
func (*SetRouting) CommandKind() string { return "pay.set_routing" }

// WalletWay is how a shopper best gets to a wallet.
type WalletWay struct {
	Wallet  string  `cbor:"1,keyasint" json:"wallet"`
	Channel Channel `cbor:"2,keyasint" json:"channel"`
}

// Chosen is why the hub sent a shopper to a wallet. It gives no counts: they would tell a merchant how busy others are.
type Chosen struct {
	Because Because `cbor:"1,keyasint" json:"because"`
	Rule    string  `cbor:"2,keyasint,omitempty" json:"rule,omitempty"`       // that held
	Percent int64   `cbor:"3,keyasint,omitempty" json:"percent,omitempty"`    // of the attempts of a day that were paid, the shoppers' own changes of mind left out; missing while too little is known
	Instead string  `cbor:"4,keyasint,omitempty" json:"instead_of,omitempty"` // the wallet before, where that came to nothing
}

// Because is the ground of a choice.
type Because string

// Grounds.
const (
	BecauseOrder Because = "order" // it is the first that the rule names
	BecauseRate  Because = "rate"  // its attempts succeed most often
	BecauseProbe Because = "probe" // too little is known of it, so some payments find out
)

const (
	maxRules    = 50
	rateHours   = 24
	probeBelow  = 20 // attempts a day, of which too few are known
	probeEvery  = 16 // one payment in so many finds out
	probeAmong  = 50 // once the best is known by so many
	maxRuleName = 64
)

// rateKey is whose success is measured.
type rateKey struct {
	Wallet  string  `cbor:"1,keyasint"`
	Channel Channel `cbor:"2,keyasint"`
}

// rates are how attempts ended, hour by hour. A slot is of the hour that it names, or empty.
type rates struct {
	Hours []rateHour `cbor:"1,keyasint"`
}

type rateHour struct {
	Hour  int64 `cbor:"1,keyasint"` // since 1970
	Ended int64 `cbor:"2,keyasint"`
	Paid  int64 `cbor:"3,keyasint"`
}

// Rate is how many attempts ended within a day, and how many of them were paid.
type Rate struct {
	Wallet  string  `json:"wallet"`
	Channel Channel `json:"channel"`
	Ended   int64   `json:"ended"`
	Paid    int64   `json:"paid"`
}

// Rates lists what was measured, by wallet and channel. Call it under the machine's Read.
func (s *State) Rates(now moongate.Time) []Rate {
	var list []Rate
	for key, r := range s.rates.All() {
		paid, ended := r.within(now)
		list = append(list, Rate{key.Wallet, key.Channel, ended, paid})
	}
	slices.SortFunc(list, func(a, b Rate) int {
		if a.Wallet != b.Wallet {
			return compare(a.Wallet, b.Wallet)
		}
		return compare(string(a.Channel), string(b.Channel))
	})
	return list
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Routing gives a merchant's rules. Call it under the machine's Read.
func (s *State) Routing(merchant string) []Rule {
	r, _ := s.routing.Get(merchant)
	return r.Rules
}

func (r *rates) within(now moongate.Time) (paid, ended int64) {
	hour := int64(now / moongate.Hour)
	for _, h := range r.Hours {
		if h.Hour > hour-rateHours && h.Hour <= hour {
			paid, ended = paid+h.Paid, ended+h.Ended
		}
	}
	return paid, ended
}

// foldRate counts how an attempt ended. What the shopper or the merchant took back says nothing of the wallet.
func (s *State) foldRate(at moongate.Time, a *Attempt, status AttemptStatus) {
	if status != AttemptPaid && (a.Why == WhySwitched || a.Why == WhyCancelled || a.Why == WhyDoubted) {
		return
	}
	key := rateKey{a.Wallet, a.Channel}
	r, _ := s.rates.Get(key)
	hour := int64(at / moongate.Hour)
	hours := make([]rateHour, 0, rateHours)
	for _, h := range r.Hours {
		if h.Hour > hour-rateHours {
			hours = append(hours, h)
		}
	}
	if n := len(hours); n == 0 || hours[n-1].Hour != hour {
		hours = append(hours, rateHour{Hour: hour})
	}
	last := &hours[len(hours)-1]
	last.Ended++
	if status == AttemptPaid {
		last.Paid++
	}
	s.rates.Put(key, rates{hours})
}

func (s *State) foldRouting(v *RoutingSet) {
	if len(v.Rules) == 0 {
		s.routing.Delete(v.Merchant)
		return
	}
	s.routing.Put(v.Merchant, v.Routing)
}

// setRouting takes a merchant's rules.
func (s *State) setRouting(step *replica.Step, c *SetRouting) (Done, error) {
	if _, err := s.parties.Active(step.Caller); err != nil {
		return Done{}, err
	}
	if len(c.Rules) > maxRules {
		return Done{}, malformed("rules", fmt.Sprintf("%d rules", len(c.Rules)), fmt.Sprintf("%d are enough", maxRules))
	}
	for i := range c.Rules {
		if err := s.checkRule(&c.Rules[i], fmt.Sprintf("rules/%d", i)); err != nil {
			return Done{}, err
		}
	}
	step.Emit(&RoutingSet{Routing{Merchant: step.Caller, Rules: c.Rules}})
	return Done{}, nil
}

func (s *State) checkRule(r *Rule, at string) error {
	switch {
	case r.Name == "" || utf8.RuneCountInString(r.Name) > maxRuleName || !reference(r.Name):
		return malformed(at+"/name", fmt.Sprintf("%.80q is no name", r.Name), "1 to 64 characters: the reason of a choice names the rule")
	case r.By != ByOrder && r.By != ByRate:
		return malformed(at+"/by", fmt.Sprintf("%.20q is neither order nor rate", r.By), "order: the first of the wallets; rate: the one that succeeds most often")
	case r.Least < 0 || r.Most < 0 || r.Most != 0 && r.Most < r.Least:
		return malformed(at+"/most", fmt.Sprintf("no amount is between %d and %d", r.Least, r.Most), "minor units; leave most out for no bound")
	case (r.Least != 0 || r.Most != 0) && r.Currency == money.Currency{}:
		return malformed(at+"/currency", "an amount without its currency", "name the currency in which the amounts are")
	case len(r.Wallets) > maxWallets || repeated(r.Wallets):
		return malformed(at+"/wallets", fmt.Sprintf("%d wallets", len(r.Wallets)), fmt.Sprintf("at most %d, each once", maxWallets))
	}
	for i, w := range r.Wallets {
		if err := s.walletFor(w, fmt.Sprintf("%s/wallets/%d", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rule) matches(p *Payment) bool {
	return (r.Currency == money.Currency{} || r.Currency == p.Amount.Currency) && p.Amount.Minor >= r.Least && (r.Most == 0 || p.Amount.Minor <= r.Most) &&
		(r.Class == "" || r.Class == p.Class)
}

// pick chooses among the ways that the gate has to a payment's wallets, passing over those at which an attempt came to
// nothing. It is not ok where none is left.
func (s *State) pick(step *replica.Step, p *Payment, ways []WalletWay) (way WalletWay, why *Chosen, ok bool) {
	rule := Rule{By: ByRate}
	if r, set := s.routing.Get(p.Merchant); set {
		if i := slices.IndexFunc(r.Rules, func(r Rule) bool { return r.matches(p) }); i >= 0 {
			rule = r.Rules[i]
		}
	}
	failed := map[string]bool{}
	for _, id := range s.of[p.Payment] {
		if a, known := s.attempts.Get(id); known && a.Status == AttemptFailed {
			failed[a.Wallet] = true
		}
	}
	var open []WalletWay
	for _, handle := range orElse(rule.Wallets, p.Wallets) {
		i := slices.IndexFunc(ways, func(w WalletWay) bool { return w.Wallet == handle })
		if i < 0 || failed[handle] || !slices.Contains(p.Wallets, handle) || s.walletFor(handle, "wallet") != nil {
			continue
		}
		open = append(open, ways[i])
	}
	if len(open) == 0 {
		return WalletWay{}, nil, false
	}
	if rule.By == ByOrder {
		return open[0], &Chosen{Because: BecauseOrder, Rule: rule.Name}, true
	}
	way, why = s.best(open, p.Payment, step.At)
	why.Rule = rule.Name
	return way, why, true
}

func orElse(list, other []string) []string {
	if len(list) > 0 {
		return list
	}
	return other
}

// best is the way whose attempts were paid most often; of equals the first. Now and then it is one of which too little is
// known, so that a wallet that was bad once is not shut out for ever.
func (s *State) best(open []WalletWay, payment moongate.ID, now moongate.Time) (WalletWay, *Chosen) {
	type measured struct {
		way         WalletWay
		paid, ended int64
	}
	all := make([]measured, len(open))
	top, least := 0, 0
	for i, w := range open {
		r, _ := s.rates.Get(rateKey(w))
		paid, ended := r.within(now)
		all[i] = measured{w, paid, ended}
		// (paid+1)/(ended+2), Laplace's rule of succession, compared without dividing.
		if (paid+1)*(all[top].ended+2) > (all[top].paid+1)*(ended+2) {
			top = i
		}
		if ended < all[least].ended {
			least = i
		}
	}
	at, because := top, BecauseRate
	if least != top && all[top].ended >= probeAmong && all[least].ended < probeBelow && payment[len(payment)-1]%probeEvery == 0 {
		at, because = least, BecauseProbe
	}
	m := all[at]
	why := &Chosen{Because: because}
	if m.ended >= probeBelow {
		why.Percent = 100 * m.paid / m.ended
	}
	return m.way, why
}
