package agreement

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// actsFor refuses a caller who is neither the participant itself nor an operator.
func (s *State) actsFor(step *replica.Step, participant string) error {
	if s.parties.IsOperator(step.Caller) {
		return nil
	}
	if step.Caller != participant {
		return &moongate.Error{Code: moongate.Forbidden, Message: fmt.Sprintf("%s may not act for %.80s", step.Caller, participant), Hint: "only the participant itself or an operator may"}
	}
	_, err := s.parties.Active(participant)
	return err
}

func (s *State) propose(step *replica.Step, c *Propose) (Proposal, error) {
	d, err := Parse(c.Document)
	if err != nil {
		faults := FaultsOf(err)
		if len(faults) == 0 {
			return Proposal{}, err
		}
		return Proposal{}, faults[0]
	}
	if !bytes.Equal(c.Document, d.canonical) {
		return Proposal{}, &moongate.Error{Code: moongate.Malformed, Field: "document", Message: "the document is not in canonical form", Hint: "send it as RFC 8785 writes it"}
	}
	if !s.parties.IsOperator(step.Caller) {
		if _, err := s.parties.Active(step.Caller); err != nil {
			return Proposal{}, err
		}
		if !slices.Contains(d.named(), step.Caller) {
			return Proposal{}, &moongate.Error{Code: moongate.Forbidden, Field: "parties", Message: fmt.Sprintf("%s is not named in the document", step.Caller), Hint: "propose what binds yourself"}
		}
	}
	if d.lapses() <= step.At {
		return Proposal{}, refused("valid", "choose later times", "it would have to be signed before %s, and now it is %s", d.lapses(), step.At)
	}
	r, err := s.lineage(step, c.Agreement, d)
	if err != nil {
		return Proposal{}, err
	}
	if s.bytes+len(d.canonical) > s.limits.Bytes {
		return Proposal{}, &moongate.Error{Code: moongate.Limit, Message: "the hub has no room for another document", Hint: "ask the operator to raise the limit"}
	}
	id := c.Agreement
	if id.IsZero() {
		id = step.NewID(moongate.KindAgreement)
	}
	step.Emit(&Proposed{Draft{
		Agreement: id, Version: d.Version, Document: d.canonical, SHA256: d.Hash(), By: step.Caller, Named: d.named(),
	}, Chain{r.Head}})
	if d.complete(&Version{Missing: d.needed()}) { // nobody needs to sign: an offer that mirrors a public one
		s.agree(step, id, d)
	}
	return Proposal{Agreement: id, Version: d.Version, SHA256: d.Fingerprint()}, nil
}

// lineage checks where a version stands among the others of its agreement.
func (s *State) lineage(step *replica.Step, id moongate.ID, d *Document) (record, error) {
	if id.IsZero() {
		if before := d.place(); before != nil {
			return record{}, refused("agreement", "name the agreement that version belongs to", "version %d of %s takes the place of version %d, which a new agreement does not have", d.Version, d.ID, before.Version)
		}
		if s.agreements.Len() >= s.limits.Agreements {
			return record{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("the hub has room for %d agreements", s.limits.Agreements), Hint: "ask the operator to raise the limit"}
		}
		return record{}, nil
	}
	r, ok := s.agreements.Get(id)
	switch {
	case !ok:
		return r, unknownAgreement(id)
	case d.ID != r.Slug:
		return r, refused("id", "keep the id over all versions", "agreement %s is %s, not %s", id, r.Slug, d.ID)
	case d.Version <= r.Versions:
		return r, &moongate.Error{Code: moongate.Conflict, Field: "version", Message: fmt.Sprintf("version %d of %s was proposed before", d.Version, d.ID), Hint: fmt.Sprintf("make it version %d", r.Versions+1)}
	case r.Ends != 0 && d.Valid.From < r.Ends:
		return r, refused("valid.from", "begin then or later", "%s was terminated and ends at %s", d.ID, r.Ends)
	case len(s.terms[id]) >= s.limits.Versions:
		return r, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("an agreement has at most %d versions", s.limits.Versions), Hint: "start another agreement"}
	}
	if !s.parties.IsOperator(step.Caller) && !s.involved(id, step.Caller) {
		return r, unknownAgreement(id) // an outsider does not learn that it is there
	}
	if err := s.fits(step, id, d); err != nil {
		return r, err
	}
	if before := d.place(); before != nil {
		return r, s.noticed(step, id, before.Version, d)
	}
	return r, nil
}

// involved tells whether a participant is named in any version, or bound by one.
func (s *State) involved(id moongate.ID, participant string) bool {
	for _, c := range s.terms[id] {
		if slices.Contains(c.terms.Doc.named(), participant) {
			return true
		}
		for i := range c.terms.Doc.Parties {
			if s.bindings.Has(bindingKey{id, c.terms.Doc.Version, c.terms.Doc.Parties[i].Role, participant}) {
				return true
			}
		}
	}
	return false
}

// fits refuses a version that would be in force beside another, or that names a text that is not there.
func (s *State) fits(step *replica.Step, id moongate.ID, d *Document) error {
	place := d.place()
	found := place == nil
	for _, c := range s.terms[id] {
		before := c.terms.Doc
		if place != nil && place.Version == before.Version {
			found = true
			if want := before.Fingerprint(); place.SHA256 != want {
				return refused("replaces.sha256", "read that version first", "version %d has the SHA-256 %s, not %s", before.Version, want, place.SHA256)
			}
			if c.status == Withdrawn || c.status == Lapsed {
				return refused("replaces.version", "leave it out", "version %d %s", before.Version, c.status.said())
			}
			continue
		}
		if c.status == InForce && max(d.Valid.From, step.At) < c.until && c.from < d.end() && before.Version != d.Version {
			return refused("valid.from", fmt.Sprintf("begin when version %d ends, or say that it replaces it", before.Version),
				"versions overlap: version %d is in force until %s", before.Version, untilText(c.until))
		}
	}
	if !found {
		return refused("replaces.version", "name one that is there", "there is no version %d of %s", place.Version, d.ID)
	}
	return nil
}

// noticed holds a version to the notice of the one it takes the place of, unless everybody whom that one binds has to
// sign the new one.
func (s *State) noticed(step *replica.Step, id moongate.ID, version int, d *Document) error {
	c := s.at(id, version)
	if c == nil || c.status != InForce || c.until <= step.At {
		return nil
	}
	before := c.terms.Doc
	for i := range before.Parties {
		old := &before.Parties[i]
		if old.Open != "" || before.Offer.Kind == OfferJoint && old.Role == before.Offer.Of {
			return d.CheckNotice(before, step.At)
		}
		for _, one := range append(slices.Clone(old.Members), old.ID) {
			if p := d.Party(old.Role); one != "" && (p == nil || p.Open != "" || p.Signs == SignsNever || !p.Names(one)) {
				return d.CheckNotice(before, step.At)
			}
		}
	}
	return nil
}

func (s *State) at(id moongate.ID, version int) *cached {
	for _, c := range s.terms[id] {
		if c.terms.Doc.Version == version {
			return c
		}
	}
	return nil
}

func (s *State) sign(step *replica.Step, c *Sign) (Standing, error) {
	return s.bind(step, c, false)
}

func (s *State) accept(step *replica.Step, c *Accept) (Standing, error) {
	return s.bind(step, (*Sign)(c), true)
}

func unknownVersion(c *Sign) error {
	return &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("there is no version %d of agreement %s", c.Version, c.Agreement), Hint: "check identifier and version"}
}

func (s *State) bind(step *replica.Step, c *Sign, accepting bool) (Standing, error) {
	if err := s.actsFor(step, c.Party); err != nil {
		return Standing{}, err
	}
	key := versionKey{c.Agreement, c.Version}
	v, ok := s.versions.Get(key)
	if !ok {
		return Standing{}, unknownVersion(c)
	}
	d := s.doc(key)
	p := d.Party(c.Role)
	if p == nil || !p.Names(c.Party) {
		if !s.MayRead(c.Agreement, c.Version, c.Party) && !s.parties.IsOperator(step.Caller) && d.Offer.Kind != OfferOpen {
			return Standing{}, unknownVersion(c)
		}
		return Standing{}, d.maySign(c.Role, c.Party)
	}
	if err := s.mayBind(step, c, d, p, &v, accepting); err != nil {
		return Standing{}, err
	}
	k, err := s.parties.ValidKey(c.Key, step.At)
	if err != nil {
		return Standing{}, err
	}
	if k.Holder != c.Party {
		return Standing{}, &moongate.Error{Code: moongate.Forbidden, Field: "key", Message: fmt.Sprintf("key %.60s is not %s's", c.Key, c.Party), Hint: "sign with a key of the party itself"}
	}
	if err := d.VerifyAs(k.Public[:], c.Role, c.Party, c.Signature[:]); err != nil {
		return Standing{}, err
	}
	after := d.signedBy(v, p)
	completes := v.Status == Awaiting && d.complete(&after)
	if completes {
		if err := s.fits(step, c.Agreement, d); err != nil { // another version may have been agreed since
			return Standing{}, err
		}
	}
	step.Emit(&Signed{Binding{
		Agreement: c.Agreement, Version: c.Version, Role: c.Role, Party: c.Party, Key: c.Key, Signature: c.Signature,
		Named: d.alone(),
	}, Chain{s.Head(c.Agreement)}})
	if completes {
		s.agree(step, c.Agreement, d)
	}
	v, _ = s.versions.Get(key)
	return Standing{Status: v.Status, From: v.From, Until: v.Until, Missing: d.lacks(&v)}, nil
}

// mayBind checks that a party may sign or accept now.
func (s *State) mayBind(step *replica.Step, c *Sign, d *Document, p *Party, v *Version, accepting bool) error {
	joint := d.Offer.Kind == OfferJoint && d.Offer.Of == c.Role
	switch {
	case accepting && p.Open == "":
		return refused("role", "sign it instead", "%s is not an open role of %s", c.Role, d.ID)
	case !accepting && p.Open != "":
		return refused("role", "accept it instead", "%s is an open role of %s", c.Role, d.ID)
	case v.Status == Withdrawn || v.Status == Lapsed:
		return &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("version %d of %s %s", d.Version, d.ID, v.Status.said()), Hint: "sign a version that stands"}
	case v.Status == Awaiting && step.At >= d.lapses():
		return &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("version %d of %s had to be signed before %s", d.Version, d.ID, d.lapses()), Hint: "propose it again"}
	case v.Status == Awaiting && accepting && !joint:
		return &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("version %d of %s still needs %d signatures of its named parties", d.Version, d.ID, d.lacks(v)), Hint: "accept it once they have signed"}
	case v.Status == InForce && v.Until != 0 && step.At >= v.Until:
		return &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("version %d of %s ended at %s", d.Version, d.ID, v.Until), Hint: "accept the version that is in force"}
	case p.Signs == SignsNever:
		return refused("role", "nothing is needed", "%s need not sign %s", c.Role, d.ID)
	}
	if b, ok := s.bindings.Get(bindingKey{c.Agreement, c.Version, c.Role, c.Party}); ok && (b.Until == 0 || b.Until > step.At) {
		return &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s has signed version %d of %s", c.Party, d.Version, d.ID), Hint: "nothing is left to do"}
	}
	if accepting {
		return s.mayJoin(step, c, d, p, v)
	}
	return nil
}

func (s *State) mayJoin(step *replica.Step, c *Sign, d *Document, p *Party, v *Version) error {
	who, err := s.parties.Active(c.Party)
	if err != nil {
		return err
	}
	if p.Open != OpenAny && who.Kind.String() != string(p.Open) {
		return refused("party", "ask for terms of your own", "%s of %s is open to a %s; %s is a %s", c.Role, d.ID, p.Open, c.Party, who.Kind)
	}
	if slices.Contains(d.named(), c.Party) {
		return refused("party", "", "%s is named in %s; it cannot step into an open role beside itself", c.Party, d.ID)
	}
	if l := p.Limits; l != nil {
		if l.Until != 0 && step.At >= l.Until {
			return refused("party", "ask for a new offer", "%s could be accepted until %s", d.ID, l.Until)
		}
		if l.Most > 0 && v.Members >= l.Most {
			return &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("%s has room for %d members, and as many have accepted", d.ID, l.Most), Hint: "ask for a new offer"}
		}
	}
	if s.bindings.Len() >= s.limits.Members {
		return &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("the hub has room for %d signatures", s.limits.Members), Hint: "ask the operator to raise the limit"}
	}
	return nil
}

// lacks counts the signatures that a version still needs.
func (d *Document) lacks(v *Version) int {
	n := v.Missing
	if d.Offer.Kind == OfferJoint {
		n += max(0, d.Offer.Quorum-v.Joined)
	}
	return n
}

func (d *Document) complete(v *Version) bool { return d.lacks(v) == 0 }

// agree brings a version into force that has all its signatures. It cannot fail.
func (s *State) agree(step *replica.Step, id moongate.ID, d *Document) {
	e := Entry{
		Agreement: id, Version: d.Version, From: max(d.Valid.From, step.At), Until: d.Valid.Until, Named: d.named(),
	}
	if place := d.place(); place != nil {
		e.Replaces = place.Version
	}
	step.Emit(&Agreed{e, Chain{s.Head(id)}})
	if d.Offer.Kind == OfferOpen {
		step.Emit(&Published{Publication{Agreement: id, Version: d.Version, From: e.From, SHA256: d.Fingerprint(), Document: d.canonical}})
	}
}

func (s *State) withdraw(step *replica.Step, c *Withdraw) (Standing, error) {
	key := versionKey{c.Agreement, c.Version}
	v, ok := s.versions.Get(key)
	if !ok || !s.parties.IsOperator(step.Caller) && !s.involved(c.Agreement, step.Caller) {
		return Standing{}, unknownAgreement(c.Agreement)
	}
	if err := s.actsFor(step, v.By); err != nil {
		return Standing{}, err
	}
	if v.Status != Awaiting {
		return Standing{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("version %d %s", c.Version, v.Status.said()), Hint: "only what is not agreed yet can be withdrawn; give notice instead"}
	}
	d := s.doc(key)
	step.Emit(&Dropped{Drop{Agreement: c.Agreement, Version: c.Version, Status: Withdrawn, Named: d.named()}, Chain{s.Head(c.Agreement)}})
	return Standing{Status: Withdrawn}, nil
}

func (s *State) terminate(step *replica.Step, c *Terminate) (Notice, error) {
	if n := utf8.RuneCountInString(c.Reason); n == 0 || n > 500 {
		return Notice{}, &moongate.Error{Code: moongate.Malformed, Field: "reason", Message: fmt.Sprintf("the reason has %d characters", n), Hint: "write 1 to 500: the others read it"}
	}
	if err := party.CheckHandle(c.Party); err != nil {
		return Notice{}, err
	}
	if err := s.actsFor(step, c.Party); err != nil {
		return Notice{}, err
	}
	r, ok := s.agreements.Get(c.Agreement)
	if !ok || !s.involved(c.Agreement, c.Party) {
		return Notice{}, unknownAgreement(c.Agreement)
	}
	t, role, err := s.standing(step, c)
	if err != nil {
		return Notice{}, err
	}
	ends := step.At + t.Doc.terminationNotice().Time()
	if t.Doc.Party(role).ID == c.Party {
		if r.Ends != 0 && r.Ends <= ends {
			return Notice{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s was terminated and ends at %s", t.Doc.ID, r.Ends), Hint: "nothing is left to do"}
		}
		step.Emit(&Terminated{Ending{Agreement: c.Agreement, Party: c.Party, Ends: ends, Reason: c.Reason, Named: t.Doc.named()}, Chain{r.Head}})
		if t.Doc.Offer.Kind == OfferOpen {
			step.Emit(&Discontinued{Discontinuation{Agreement: c.Agreement, Version: t.Doc.Version, Ends: ends, Reason: c.Reason}})
		}
		return Notice{Ends: ends}, nil
	}
	b, _ := s.bindings.Get(bindingKey{c.Agreement, t.Doc.Version, role, c.Party})
	if b.Until != 0 {
		return Notice{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s has given notice and leaves at %s", c.Party, b.Until), Hint: "nothing is left to do"}
	}
	step.Emit(&Left{Leave{Agreement: c.Agreement, Party: c.Party, Ends: ends, Reason: c.Reason, Named: t.Doc.alone()}, Chain{r.Head}})
	return Notice{Ends: ends}, nil
}

// standing finds the terms that bind a party now or will, and its role.
func (s *State) standing(step *replica.Step, c *Terminate) (*Terms, Role, error) {
	for _, v := range s.terms[c.Agreement] {
		if v.status != InForce || v.until <= step.At {
			continue
		}
		if role, ok := s.RoleOf(v.terms, c.Party, step.At); ok {
			return v.terms, role, nil
		}
	}
	return nil, "", &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("no version of the agreement binds %s now", c.Party), Hint: "withdraw what you proposed, or do not sign"}
}

func (d *Document) terminationNotice() Duration {
	if d.Guards != nil && d.Guards.TerminationNotice > 0 {
		return d.Guards.TerminationNotice
	}
	return d.Valid.Notice
}

// Tick lets versions lapse whose signatures did not come in time.
func (s *State) Tick(step *replica.Step, limit int) int {
	n := 0
	for n < limit {
		_, key, ok := s.due.Next(step.At)
		if !ok {
			break
		}
		if v, found := s.versions.Get(key); found && v.Status == Awaiting {
			d := s.doc(key)
			step.Emit(&Dropped{Drop{Agreement: key.Agreement, Version: key.Version, Status: Lapsed, Named: d.named()}, Chain{s.Head(key.Agreement)}})
			n++
		}
	}
	return n
}
