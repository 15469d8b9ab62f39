package agreement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
)

func (d *Document) validateGuards(r *report) {
	g := d.Guards
	if g == nil {
		return
	}
	if len(g.Caps) > maxCaps {
		r.add("guards.caps", "", "%d caps are more than %d", len(g.Caps), maxCaps)
	}
	check := func(list string, all []Guard) {
		seen := map[Role]bool{}
		for i, one := range all {
			field := fmt.Sprintf("guards.%s[%d]", list, i)
			if one.BPS < 0 || one.BPS > 10_000 {
				r.add(field+".bps", "10000 is the whole", "%d basis points are not between 0 and 10000", one.BPS)
			}
			if seen[one.Party] {
				r.add(field+".party", "give each party one", "%s stands in guards.%s already", one.Party, list)
			}
			seen[one.Party] = true
			d.wantParty(r, field+".party", one.Party)
		}
	}
	check("floors", g.Floors)
	check("caps", g.Caps)
	for i, f := range g.Floors {
		if f.Party != d.Scope.Beneficiary && d.Party(f.Party) != nil {
			r.add(fmt.Sprintf("guards.floors[%d].party", i), "give the line that pays it a min",
				"only the beneficiary can have a floor, because cutting fees raises nobody else; %s is not the beneficiary", f.Party)
		}
	}
	for i, c := range g.Caps {
		if c.Party == d.Scope.Beneficiary {
			r.add(fmt.Sprintf("guards.caps[%d].party", i), "leave it out", "%s keeps what the fees leave; a cap on it would belong to nobody", c.Party)
		}
	}
}

func (d *Document) validateShare(r *report) {
	s := d.Share
	if s == nil {
		return
	}
	known := d.wantParty(r, "share.from", s.From) && d.wantParty(r, "share.to", s.To)
	if s.From == s.To {
		r.add("share.to", "", "%s cannot share with itself", s.To)
	}
	if s.Pool < 1 || s.Pool > 10_000 {
		r.add("share.pool_bps", "10000 is the whole base", "a pool of %d basis points is not between 1 and 10000", s.Pool)
	}
	if s.Window < Duration(moongate.Minute) || s.Window > 180*day {
		r.add("share.window", "", "a window of %s is not between 1m and 180d", s.Window)
	}
	d.validateKinds(r, "share.for", s.For)
	d.validateBase(r, "share.of", s.Of, len(d.Fees), s.From, s.For)
	all := Limit{Floor: s.Floor, Cap: s.Cap}
	all.validate(r, "share")
	for i, l := range s.Limits {
		field := fmt.Sprintf("share.limits[%d]", i)
		l.validate(r, field)
		if slices.ContainsFunc(s.Limits[:i], func(o Limit) bool { return o.Party == l.Party }) {
			r.add(field+".party", "give each party one limit", "%s has a limit already", l.Party)
		}
		if p := d.Party(s.To); p != nil && p.Open == "" && p.ID != l.Party && !slices.Contains(p.Members, l.Party) {
			r.add(field+".party", "name one of its members", "%.80q is no member of %s", l.Party, s.To)
		}
		r.handle(field+".party", l.Party)
	}
	if known {
		d.validateFloorsMeet(r)
	}
}

func (l Limit) validate(r *report, field string) {
	for _, one := range []struct {
		name string
		bps  int
	}{{".floor_bps", l.Floor}, {".cap_bps", l.Cap}} {
		if one.bps < 0 || one.bps > 10_000 {
			r.add(field+one.name, "10000 is the whole pool", "%d basis points are not between 0 and 10000", one.bps)
		}
	}
	if _, given := r.lines[field+".cap_bps"]; given && l.Cap == 0 {
		r.add(field+".cap_bps", "leave it out for no cap", "a cap of nothing would leave the pool without a taker")
	}
	if l.Cap > 0 && l.Floor > l.Cap {
		r.add(field+".floor_bps", "lower the floor or raise the cap", "the floor %d is above the cap %d", l.Floor, l.Cap)
	}
}

// validateFloorsMeet adds up the floors of all that might touch one sale: above the whole pool they cannot be met.
func (d *Document) validateFloorsMeet(r *report) {
	s, to := d.Share, d.Party(d.Share.To)
	if to == nil {
		return
	}
	most := max(len(to.Members), 1)
	if to.Open != "" {
		most = 0 // unknown
		if to.Limits != nil {
			most = to.Limits.Most
		}
		if most == 0 && s.Floor > 0 {
			r.add("share.floor_bps", fmt.Sprintf("bound how many may accept: parties.limits.most: %d", 10_000/s.Floor),
				"a floor of %d basis points cannot be met for any number of members of %s", s.Floor, s.To)
			return
		}
	}
	total := 0
	for _, l := range s.Limits {
		total += l.Floor
	}
	if rest := most - len(s.Limits); rest > 0 {
		total += rest * s.Floor
	}
	if total > 10_000 {
		r.add("share.floor_bps", "lower the floors", "if all members of %s touch one sale, their floors add up to %d basis points of the pool; they cannot be met", s.To, total)
	}
}

func (d *Document) validateLimits(r *report) {
	if d.Guards == nil {
		return
	}
	for _, one := range []struct {
		name string
		span Duration
	}{{"fee_change_notice", d.Guards.FeeChangeNotice}, {"termination_notice", d.Guards.TerminationNotice}, {"appeal", d.Guards.Appeal}} {
		if one.span > 1000*day {
			r.add("guards."+one.name, "", "%s is more than 1000 days", one.span)
		}
	}
}

func (d *Document) validateDisclosure(r *report) {
	for i, one := range d.Disclosure {
		field := fmt.Sprintf("disclosure[%d]", i)
		d.wantParty(r, field+".of", one.Of)
		d.wantParty(r, field+".to", one.To)
		if one.Of == one.To {
			r.add(field+".to", "", "%s always sees its own books", one.To)
		}
		if slices.ContainsFunc(d.Disclosure[:i], func(o Disclosure) bool { return o.Of == one.Of && o.To == one.To }) {
			r.add(field, "keep one of them", "what %s sees of %s is said twice", one.To, one.Of)
		}
		if one.Period != "" && one.Level != TotalOnly {
			r.add(field+".period", "leave it out", "only a total has a period")
		}
		if p := d.Party(one.To); one.Level == TotalOnly && p != nil && p.ID == "" {
			r.add(field+".to", "name the one participant to whom the total goes", "%s is not one participant", one.To)
		}
		if one.Level == TotalOnly && one.To == Wallet && slices.Contains(d.Scope.Kinds, Payment) {
			r.add(field+".level", "keep totals from the host or marketplace, not from the wallet", "a wallet that carries the payments sees each of them")
		}
		if one.Level == TotalOnly && !d.owes(one.Of, one.To) {
			r.add(field+".level", "add the fee whose total is disclosed, or leave the rule out", "no fee line is paid by %s to %s, so there is no total", one.Of, one.To)
		}
		if one.Level == TotalOnly && d.Share != nil && (d.Share.From == one.To) {
			r.add(field+".level", "let "+string(one.Of)+" pay the pool", "%s pays a pool on each crossing of %s, and would see each", one.To, one.Of)
		}
		if one.Level == TotalOnly && d.Scope.Beneficiary == one.To {
			r.add(field+".level", "", "%s receives every payment and so sees each", one.To)
		}
	}
}

func (d *Document) owes(from, to Role) bool {
	return slices.ContainsFunc(d.Fees, func(f Fee) bool { return f.From == from && f.To == to })
}

// BlockReasons are the reasons for which a link may be blocked: the categories of the EU's statements of reasons
// (Digital Services Act, article 17; prefix STATEMENT_CATEGORY_ left off), in lower case, and those that they lack.
func BlockReasons() []string { return slices.Clone(blockReasons) }

var blockReasons = []string{
	"animal_welfare", "consumer_information", "cyber_violence", "cyber_violence_against_women",
	"data_protection_and_privacy_violations", "illegal_or_harmful_speech", "intellectual_property_infringements",
	"negative_effects_on_civic_discourse_or_elections", "non_consensual_behaviour", "pornography_or_sexualized_content",
	"protection_of_minors", "risk_for_public_security", "scams_and_fraud", "scope_of_platform_service", "self_harm",
	"unsafe_and_illegal_products", "unsafe_and_prohibited_products", "violence", "other_violation_tc",
	"malware", "court_order",
}

func (d *Document) validateLinks(r *report) {
	l := d.Links
	if l == nil {
		return
	}
	if !slices.Contains(d.Scope.Kinds, Link) {
		r.add("links", "add link to scope.kinds, or leave it out", "links are not in scope")
	}
	if l.ClickTTL > Duration(10*moongate.Minute) {
		r.add("links.click_ttl", "10m is the most: a token that lives longer can be passed on", "%s is too long", l.ClickTTL)
	}
	b := l.Block
	if b == nil {
		return
	}
	if len(b.Reasons) == 0 {
		r.add("links.block.reasons", "name those that count, or leave block out so that no link may be blocked", "a block needs a reason")
	}
	unique(r, "links.block.reasons", b.Reasons)
	for i, reason := range b.Reasons {
		if !slices.Contains(blockReasons, reason) {
			hint := "the reasons are " + strings.Join(blockReasons, ", ")
			if near := nearest(reason, blockReasons); near != "" {
				hint = "did you mean " + near + "?"
			}
			r.add(fmt.Sprintf("links.block.reasons[%d]", i), hint, "%.80q is not a reason", reason)
		}
	}
	if b.Longest < Duration(moongate.Minute) || b.Longest > 366*day {
		r.add("links.block.longest", "", "%s is not between 1m and 366d: every block expires", b.Longest)
	}
	if b.Appeal < Duration(moongate.Hour) || b.Appeal > 366*day {
		r.add("links.block.appeal", "", "%s is not between 1h and 366d: every block can be appealed", b.Appeal)
	}
	if b.Decide < Duration(moongate.Minute) || b.Decide > 30*day {
		r.add("links.block.decide", "", "%s is not between 1m and 30d", b.Decide)
	}
}

func (d *Document) validateSettlement(r *report) {
	s := d.Settlement
	if s == nil {
		if slices.Contains(d.Scope.Kinds, Payment) || len(d.Fees) > 0 || d.Share != nil {
			r.add("settlement", "say how long a window is and how claims are netted", "money is owed, but it is not said when it is paid")
		}
		return
	}
	if s.Window < Duration(moongate.Minute) || s.Window > 92*day {
		r.add("settlement.window", "", "a window of %s is not between 1m and 92d", s.Window)
	}
	if s.Delay > 180*day {
		r.add("settlement.delay", "", "a delay of %s is more than 180d", s.Delay)
	}
	if s.Currency != "" && (len(d.Scope.Currencies) != 1 || d.Scope.Currencies[0] != s.Currency) {
		r.add("settlement.currency", "leave it out: each currency is paid out in itself", "%.20q is not the one currency in scope; amounts are never exchanged", s.Currency)
	}
	r.amounts("settlement.minimum", s.Minimum, d.Scope.Currencies)
}
