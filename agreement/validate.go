package agreement

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

var (
	idForm       = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)
	lineForm     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$`)
	hostForm     = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	offsetForm   = regexp.MustCompile(`^[+-](0[0-9]|1[0-3]):[0-5][0-9]$`)
	hashForm     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	printedForm  = regexp.MustCompile(`^[^\n]{1,200}$`)
)

const day = Duration(moongate.Day)

// handle reports what cannot name a participant.
func (r *report) handle(field, handle string) {
	if err := party.CheckHandle(handle); err != nil {
		fault := FaultsOf(err)[0]
		r.add(field, fault.Hint, "%s", fault.Message)
	}
}

// validate checks what the shape alone does not say. It stops nowhere: each rule adds its own fault.
func (d *Document) validate(r *report) {
	if d.Format != Format {
		r.add("moongate", "write "+Format, "%.40q is not a format known here", d.Format)
	}
	if !idForm.MatchString(d.ID) {
		r.add("id", "use lower-case letters, digits and hyphens, 64 at most", "%.80q cannot be an agreement's id", d.ID)
	}
	if d.Version < 1 {
		r.add("version", "the first version is 1", "%d is not a version", d.Version)
	}
	r.text("name", d.Name, 200, true)
	r.text("summary", d.Summary, 4000, false)
	d.validateParties(r)
	d.validateOffer(r)
	d.validateTimes(r)
	d.validateScope(r)
	d.validateFees(r)
	d.validateShare(r)
	d.validateGuards(r)
	d.validateLimits(r)
	d.validateDisclosure(r)
	d.validateLinks(r)
	d.validateSettlement(r)
	for i, s := range d.Sources {
		field := fmt.Sprintf("sources[%d]", i)
		if !printedForm.MatchString(s.Title) {
			r.add(field+".title", "", "a title is one line of 200 bytes at most")
		}
		if s.URL != "" {
			if u, err := url.Parse(s.URL); err != nil || u.Scheme != "https" || u.Host == "" || len(s.URL) > 500 {
				r.add(field+".url", "give an https address", "%.80q is not a web address", s.URL)
			}
		}
	}
}

func (r *report) text(field string, t Text, most int, required bool) {
	if t == nil && !required {
		return
	}
	if t["en"] == "" && t["zh"] == "" {
		r.add(field, "write en or zh, or better both", "there is neither an English nor a Chinese text")
	}
	for _, lang := range sorted(t) {
		switch s := t[lang]; {
		case !languageForm.MatchString(lang):
			r.add(join(field, printable(lang)), "name languages like en, zh, pt-BR", "this is not a language")
		case utf8.RuneCountInString(s) > most || strings.TrimSpace(s) == "":
			r.add(join(field, lang), "", "a text has 1 to %d characters; this one has %d", most, utf8.RuneCountInString(s))
		}
	}
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (d *Document) validateParties(r *report) {
	if len(d.Parties) < 2 || len(d.Parties) > MaxParties {
		r.add("parties", "", "an agreement has 2 to %d roles; this one has %d", MaxParties, len(d.Parties))
	}
	seen := map[Role]int{}
	for i := range d.Parties {
		p := &d.Parties[i]
		field := fmt.Sprintf("parties[%d]", i)
		if first, twice := seen[p.Role]; twice {
			r.add(field+".role", "list several participants of one role as its members", "role %s stands in parties[%d] already", p.Role, first)
		}
		seen[p.Role] = i
		p.validate(r, field)
	}
}

func (p *Party) validate(r *report, field string) {
	ways := 0
	for _, given := range []bool{p.ID != "", p.Members != nil, p.Open != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		r.add(field, "give one of id, members and open", "it must be clear who is %s; %d ways are given", p.Role, ways)
	}
	if p.ID != "" {
		r.handle(field+".id", p.ID)
	}
	if p.Members != nil && (len(p.Members) == 0 || len(p.Members) > MaxMembers) {
		r.add(field+".members", "", "a role has 1 to %d members; this one has %d", MaxMembers, len(p.Members))
	}
	seen := make(map[string]int, len(p.Members))
	for i, m := range p.Members {
		at := fmt.Sprintf("%s.members[%d]", field, i)
		r.handle(at, m)
		if first, twice := seen[m]; twice {
			r.add(at, "name each once", "%s is member %d already", m, first)
		}
		seen[m] = i
	}
	if p.Name != "" && !printedForm.MatchString(p.Name) {
		r.add(field+".name", "", "a name is one line of 200 bytes at most")
	}
	if p.Signs != "" && p.Open != "" {
		r.add(field+".signs", "leave it out", "who steps into an open role signs by accepting")
	}
	if p.Limits != nil {
		if p.Open == "" {
			r.add(field+".limits", "leave it out, or open the role", "limits are for an open role")
		}
		if p.Limits.Most < 0 {
			r.add(field+".limits.most", "", "%d members are less than none", p.Limits.Most)
		}
	}
}

func (d *Document) validateOffer(r *report) {
	opened := slices.ContainsFunc(d.Parties, func(p Party) bool { return p.Open != "" })
	o := d.Offer
	switch {
	case o.Kind == OfferOpen && !opened:
		r.add("offer.kind", "give one party open: any, or make it closed", "an open offer has no role that anyone may step into")
	case (o.Kind == OfferClosed || o.Kind == OfferCounter) && opened:
		r.add("offer.kind", "write open", "a role is open to anyone, but the offer is %s", o.Kind)
	}
	if o.Kind == OfferJoint {
		d.validateJoint(r)
	} else {
		if o.Of != "" {
			r.add("offer.of", "leave it out", "only a joint offer names who signs together")
		}
		if o.Quorum != 0 {
			r.add("offer.quorum", "leave it out", "only a joint offer has a quorum")
		}
	}
	switch {
	case o.Kind == OfferCounter && o.Counter == nil:
		r.add("offer.counter", "name the version it answers, with its SHA-256", "a counter-offer must say what it answers")
	case o.Kind != OfferCounter && o.Counter != nil:
		r.add("offer.counter", "write kind: counter, or leave it out", "only a counter-offer answers another version")
	}
	o.Counter.validate(r, "offer.counter")
	d.Replaces.validate(r, "replaces")
	if d.Replaces != nil {
		if d.Replaces.ID != "" && d.Replaces.ID != d.ID {
			r.add("replaces.id", "leave it out", "a version replaces an earlier one of the same agreement, not of %.80q", d.Replaces.ID)
		}
		if d.Replaces.Version >= d.Version {
			r.add("replaces.version", "", "version %d cannot replace version %d", d.Version, d.Replaces.Version)
		}
	}
}

func (d *Document) validateJoint(r *report) {
	o := d.Offer
	p := d.Party(o.Of)
	switch {
	case o.Of == "":
		r.add("offer.of", "name the role whose members sign together", "a joint offer must say who signs together")
		return
	case p == nil:
		r.add("offer.of", "name one of the roles in parties", "nobody here is %s", o.Of)
		return
	case p.ID != "":
		r.add("offer.of", "list the members of the role, or open it", "one %s alone cannot sign together", o.Of)
	}
	most := len(p.Members)
	if p.Open != "" {
		most = MaxMembers
		if p.Limits != nil && p.Limits.Most > 0 {
			most = p.Limits.Most
		}
	}
	if o.Quorum < 1 || o.Quorum > most {
		r.add("offer.quorum", "", "a quorum of %d cannot be met by %d", o.Quorum, most)
	}
	if o.SignBy == 0 {
		r.add("offer.sign_by", "give the last moment to sign", "a joint offer must end, signed or not")
	}
}

func (f *Reference) validate(r *report, field string) {
	if f == nil {
		return
	}
	if f.ID != "" && !idForm.MatchString(f.ID) {
		r.add(field+".id", "copy the id of the other document", "%.80q cannot be an agreement's id", f.ID)
	}
	if f.Version < 1 {
		r.add(field+".version", "", "%d is not a version", f.Version)
	}
	if !hashForm.MatchString(f.SHA256) {
		r.add(field+".sha256", "copy it from: moongate agreement check FILE", "%.80q is not a SHA-256 in lower-case hex", f.SHA256)
	}
}

func (d *Document) validateTimes(r *report) {
	v := d.Valid
	if v.From <= 0 {
		r.add("valid.from", "", "the agreement begins before 1970")
	}
	if v.Until != 0 && v.Until <= v.From {
		r.add("valid.until", "", "the agreement ends at %s, before it begins at %s", v.Until, v.From)
	}
	if v.Notice > 1000*day {
		r.add("valid.notice", "", "a notice of %s is more than 1000 days", v.Notice)
	}
	if v.Until > v.From && v.Notice.Time() > v.Until-v.From {
		r.add("valid.notice", "", "a notice of %s is longer than the agreement itself", v.Notice)
	}
	if d.Calendar != "" && !offsetForm.MatchString(d.Calendar) {
		r.add("calendar", "write an offset from UTC like +08:00", "%.20q is not an offset", d.Calendar)
	}
	if end := v.Until; end != 0 {
		for i, p := range d.Parties {
			if p.Limits != nil && p.Limits.Until > end {
				r.add(fmt.Sprintf("parties[%d].limits.until", i), "", "it can be accepted until %s, after the agreement has ended", p.Limits.Until)
			}
		}
		if d.Offer.SignBy > end {
			r.add("offer.sign_by", "", "it can be signed until %s, after the agreement has ended", d.Offer.SignBy)
		}
	}
}

func (d *Document) validateScope(r *report) {
	s := d.Scope
	if len(s.Kinds) == 0 {
		r.add("scope.kinds", "name link, payment, refund or conversion", "nothing may cross")
	}
	unique(r, "scope.kinds", s.Kinds)
	unique(r, "scope.currencies", s.Currencies)
	unique(r, "scope.classes", s.Classes)
	unique(r, "scope.hosts", s.Hosts)
	if len(s.Currencies) > 16 || len(s.Classes) > 200 || len(s.Hosts) > 200 {
		r.add("scope", "", "a scope has at most 16 currencies, 200 classes and 200 hosts")
	}
	for i, c := range s.Currencies {
		if _, err := money.ParseCurrency(c); err != nil {
			r.add(fmt.Sprintf("scope.currencies[%d]", i), "write three capital letters, like CNY; gold and test codes have no minor unit to count in", "%.20q is not an ISO 4217 currency with an exponent", c)
		}
	}
	for i, c := range s.Classes {
		if !lineForm.MatchString(c) {
			r.add(fmt.Sprintf("scope.classes[%d]", i), "use lower-case letters, digits and _, 40 at most", "%.80q cannot name a product class", c)
		}
	}
	for i, h := range s.Hosts {
		if !hostForm.MatchString(h) || len(h) > 253 {
			r.add(fmt.Sprintf("scope.hosts[%d]", i), "write a host name in lower case and ASCII (xn--… where needed), or *.example.com", "%.80q is not a host name", h)
		}
	}
	money := d.moneyMoves()
	switch {
	case money && len(s.Currencies) == 0:
		r.add("scope.currencies", "name the currencies", "money moves, but no currency is in scope")
	case money && s.Beneficiary == "":
		r.add("scope.beneficiary", "name the role to whom a sale belongs once fees are paid, such as seller", "money moves, but it is not said whose it is")
	case !money && s.Beneficiary != "":
		r.add("scope.beneficiary", "leave it out, or add payment or conversion to scope.kinds", "no money moves under these kinds")
	}
	d.wantParty(r, "scope.beneficiary", s.Beneficiary)
	if slices.Contains(s.Kinds, Refund) && !slices.Contains(s.Kinds, Payment) {
		r.add("scope.kinds", "add payment", "a refund needs a payment to give back")
	}
}

// moneyMoves tells whether crossings in scope have an amount.
func (d *Document) moneyMoves() bool {
	return slices.Contains(d.Scope.Kinds, Payment) || slices.Contains(d.Scope.Kinds, Conversion)
}

// wantParty reports a role that nobody plays. The empty role is somebody else's fault.
func (d *Document) wantParty(r *report, field string, role Role) bool {
	if role == "" || d.Party(role) != nil {
		return true
	}
	var roles []string
	for _, p := range d.Parties {
		roles = append(roles, string(p.Role))
	}
	r.add(field, "the parties are "+strings.Join(roles, ", "), "nobody here is %s", role)
	return false
}

func unique[T ~string](r *report, field string, list []T) {
	for i, v := range list {
		if first := slices.Index(list, v); first < i {
			r.add(fmt.Sprintf("%s[%d]", field, i), "name each once", "%.80q stands in %s[%d] already", string(v), field, first)
		}
	}
}
