package link

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
)

// Resolution is where a link leads right now, or why it does not.
type Resolution struct {
	Link        Link
	Destination Destination
	Confirm     bool          // the agreement wants a page before the redirect that names where it leads
	TTL         moongate.Time // of the click token
	Address     string        // for the device; checked again, and never from a request
	Package     string        // of the Android application that opens it, if any
	Block       *Block        // it is kept shut
}

// Direct tells whether a browser follows a redirect to the address by itself. Other schemes need a tap.
func (r *Resolution) Direct() bool {
	return r.Address == r.Destination.Addresses[0].URL || r.Package != ""
}

// With gives the address with a click token in it, or without one where the token is empty.
func (r *Resolution) With(token string) string {
	address := func(a string) string {
		if token == "" {
			return a
		}
		return placeOf(a).with(token)
	}
	if r.Package != "" {
		return intent(address(r.Address), r.Package, address(r.Destination.Addresses[0].URL))
	}
	return address(r.Address)
}

// Resolve answers a link from the state. The error is NotFound where there is no such link, and Refused or Forbidden
// where it does not open, with the reason. A link that a block keeps shut is no error: see [Resolution.Block].
func (s *State) Resolve(code string, device Device, at moongate.Time) (Resolution, error) {
	l, ok := s.links.Get(code)
	if !ok {
		return Resolution{}, notFound("link", code)
	}
	d, _ := s.destinations.Get(l.Destination)
	r := Resolution{Link: l, Destination: d, TTL: MaxTTL}
	switch {
	case l.Closed:
		return r, refused("link", "the link %s was closed by its publisher", "look for a newer one", code)
	case d.Closed:
		return r, refused("destination", "%s was closed by its owner", "look for a newer one", d.Name)
	}
	terms, err := s.terms(l.Agreement, l.Publisher, l.Owner, at)
	if err != nil {
		return r, err
	}
	if p := terms.Doc.Links; p != nil {
		r.Confirm = p.Open == agreement.Confirm
		if ttl := p.ClickTTL.Time(); ttl > 0 {
			r.TTL = min(ttl, MaxTTL)
		}
	}
	if r.Block = s.blockOf(&l, &d, at); r.Block != nil {
		return r, nil
	}
	r.Address = d.Addresses[0].URL
	for _, a := range d.Addresses[1:] {
		// What was allowed at registration may not be any more.
		if a.Device == device && checkApp(&a, s.Schemes(d.Owner)) == nil {
			r.Address, r.Package = a.URL, a.Package
		}
	}
	return r, nil
}

// terms finds the terms under which links lead from a publisher to an owner.
func (s *State) terms(id moongate.ID, publisher, owner string, at moongate.Time) (*agreement.Terms, error) {
	t, err := s.agreements.InForce(id, at)
	if err != nil {
		return nil, err
	}
	if !t.Covers(agreement.Link) {
		return nil, refused("agreement", "%s is not about links", "choose an agreement whose scope has link", t.Doc.ID)
	}
	for _, who := range []string{publisher, owner} {
		if _, err := s.parties.Active(who); err != nil {
			return nil, err
		}
		if _, ok := s.agreements.RoleOf(t, who, at); !ok {
			return nil, refused("agreement", "%s does not stand in %s", "sign or accept it first", who, t.Doc.ID)
		}
	}
	return t, nil
}

// blockOf finds the block that keeps a link shut: of several the one that lasts longest.
func (s *State) blockOf(l *Link, d *Destination, at moongate.Time) *Block {
	if len(s.shut) == 0 {
		return nil
	}
	var found *Block
	for _, publisher := range []string{"", l.Publisher} {
		found = s.longest(found, target{publisher: publisher, destination: d.ID}, l, at)
		for _, pattern := range patterns(d.Host) {
			found = s.longest(found, target{publisher: publisher, host: pattern}, l, at)
		}
	}
	return found
}

func (s *State) longest(found *Block, t target, l *Link, at moongate.Time) *Block {
	for _, id := range s.shut[t] {
		b, ok := s.inForce(id, at)
		switch {
		case !ok || !b.Decision.Everywhere && b.Decision.Agreement != l.Agreement:
		case found == nil || b.Decision.Expires > found.Decision.Expires,
			b.Decision.Expires == found.Decision.Expires && slices.Compare(b.Decision.Block[:], found.Decision.Block[:]) < 0:
			found = &b
		}
	}
	return found
}

// shuts tells whether a block is against a destination.
func (b *Decision) shuts(d *Destination) bool {
	if !b.Destination.IsZero() {
		return b.Destination == d.ID
	}
	return slices.Contains(patterns(d.Host), b.Host)
}

// refusal is what somebody learns who meets the block.
func (b *Block) refusal() *moongate.Error {
	d := &b.Decision
	return &moongate.Error{
		Code: moongate.Refused, Field: "link",
		Message: fmt.Sprintf("%s keeps links to %s shut until %s: %s (%s)", d.By, d.Host, d.Expires, d.Reason, d.Facts),
		Hint:    fmt.Sprintf("the owner of the destination can appeal against %s until %s", d.Block, d.AppealBy),
	}
}
