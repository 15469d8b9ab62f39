package link

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// hashOf stands in a click token for what the destination was when it was clicked.
func hashOf(id moongate.ID, addresses []Address) [8]byte {
	h := sha256.New()
	h.Write(id[:])
	for _, a := range addresses {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00", a.Device, a.URL, a.Package)
	}
	return [8]byte(h.Sum(nil))
}

// check checks a destination's names and addresses, and gives the host of the web address.
func (s *State) check(name, nameZH string, addresses []Address) (string, error) {
	if err := party.CheckText("name", name, 1, 80); err != nil {
		return "", err
	}
	if err := party.CheckText("name_zh", nameZH, 0, 80); err != nil {
		return "", err
	}
	if len(addresses) == 0 || len(addresses) > len(devices) || addresses[0].Device != Web || addresses[0].Package != "" {
		return "", malformed("addresses", "%d addresses, of which the first is not for the web", "give a web address first, then at most one for each other device", len(addresses))
	}
	for i, a := range addresses {
		if !slices.Contains(devices, a.Device) || slices.ContainsFunc(addresses[:i], func(b Address) bool { return a.Device == b.Device }) {
			return "", malformed("addresses", "device %.40q is unknown or stands there twice", "the devices are web, ios, android, harmony, wechat, alipay", a.Device)
		}
	}
	return Host(addresses[0].URL, s.limits.Loopback)
}

func (s *State) checkApps(owner string, addresses []Address) error {
	for i := range addresses[1:] {
		if err := checkApp(&addresses[1+i], s.Schemes(owner)); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) registerDestination(step *replica.Step, c *RegisterDestination) (DestinationAnswer, error) {
	host, err := s.check(c.Name, c.NameZH, c.Addresses)
	if err != nil {
		return DestinationAnswer{}, err
	}
	if _, err := s.parties.Active(step.Caller); err != nil {
		return DestinationAnswer{}, err
	}
	if err := s.checkApps(step.Caller, c.Addresses); err != nil {
		return DestinationAnswer{}, err
	}
	if s.destinations.Len() >= s.limits.Destinations || s.of(step.Caller).destinations >= (s.limits.Destinations+9)/10 {
		return DestinationAnswer{}, full("destinations")
	}
	id := step.NewID(moongate.KindDestination)
	step.Emit(&DestinationRegistered{Registration{Owned: Owned{step.Caller}, Destination: id, Name: c.Name, NameZH: c.NameZH, Addresses: c.Addresses, Host: host}})
	return DestinationAnswer{Destination: id}, nil
}

// own finds a destination of the caller's; an operator may close any.
func (s *State) own(step *replica.Step, id moongate.ID) (Destination, error) {
	d, ok := s.destinations.Get(id)
	if !ok || d.Owner != step.Caller && !s.parties.IsOperator(step.Caller) {
		return d, notFound("destination of yours", id.String())
	}
	if d.Closed {
		return d, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("destination %s is closed", id), Hint: "register another"}
	}
	if step.Caller != "" {
		if _, err := s.parties.Active(step.Caller); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (s *State) changeDestination(step *replica.Step, c *ChangeDestination) (Done, error) {
	host, err := s.check(c.Name, c.NameZH, c.Addresses)
	if err != nil {
		return Done{}, err
	}
	d, err := s.own(step, c.Destination)
	if err != nil {
		return Done{}, err
	}
	if d.Owner != step.Caller {
		return Done{}, &moongate.Error{Code: moongate.Forbidden, Message: "only its owner says where a destination is", Hint: "close it, if it must not be opened"}
	}
	if err := s.checkApps(d.Owner, c.Addresses); err != nil {
		return Done{}, err
	}
	if host != d.Host { // a block, an agreement's scope and what people were shown speak of the host
		return Done{}, refused("addresses", "the destination is on %s, not on %s", "register another destination for another host", d.Host, host)
	}
	step.Emit(&DestinationChanged{
		Registration{Owned: Owned{d.Owner}, Destination: d.ID, Name: c.Name, NameZH: c.NameZH, Addresses: c.Addresses, Host: host},
		Chain{d.Head},
	})
	return Done{}, nil
}

func (s *State) closeDestination(step *replica.Step, c *CloseDestination) (Done, error) {
	d, err := s.own(step, c.Destination)
	if err != nil {
		return Done{}, err
	}
	step.Emit(&DestinationClosed{Closing{Owned: Owned{d.Owner}, Destination: d.ID}, Chain{d.Head}})
	return Done{}, nil
}

func (s *State) allowSchemes(step *replica.Step, c *AllowSchemes) (Done, error) {
	if len(c.Schemes) > 16 {
		return Done{}, malformed("schemes", "%d schemes", "16 are the most for one participant", len(c.Schemes))
	}
	for i, scheme := range c.Schemes {
		if err := checkScheme(scheme); err != nil {
			return Done{}, err
		}
		if slices.Contains(c.Schemes[:i], scheme) {
			return Done{}, malformed("schemes", "%q stands there twice", "name it once", scheme)
		}
	}
	if !s.parties.IsOperator(step.Caller) {
		return Done{}, &moongate.Error{Code: moongate.Forbidden, Message: "only an operator may do this", Hint: "ask the operator of the hub"}
	}
	if _, ok := s.parties.Lookup(c.Handle); !ok {
		return Done{}, notFound("participant", c.Handle)
	}
	step.Emit(&SchemesAllowed{Schemes{Owned: Owned{c.Handle}, Schemes: c.Schemes}})
	return Done{}, nil
}

var codeText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (s *State) placeLink(step *replica.Step, c *PlaceLink) (LinkAnswer, error) {
	if len(c.Campaign) > 40 || strings.Trim(c.Campaign, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return LinkAnswer{}, malformed("campaign", "%.80q cannot be a campaign", "use up to 40 of a-z, 0-9, dots, hyphens and underscores", c.Campaign)
	}
	if err := s.agreements.Unseen(c.Agreement, step.Caller); err != nil {
		return LinkAnswer{}, err
	}
	d, ok := s.destinations.Get(c.Destination)
	if !ok || d.Closed {
		return LinkAnswer{}, notFound("open destination", c.Destination.String())
	}
	terms, err := s.terms(c.Agreement, step.Caller, d.Owner, step.At)
	if err != nil {
		return LinkAnswer{}, err
	}
	if d.Owner == step.Caller {
		return LinkAnswer{}, refused("destination", "the destination is %s's own: no wall is crossed", "link to it directly", d.Owner)
	}
	if hosts := terms.Doc.Scope.Hosts; len(hosts) > 0 && !slices.ContainsFunc(patterns(d.Host), func(p string) bool { return slices.Contains(hosts, p) }) {
		return LinkAnswer{}, refused("destination", "%s is not about the host %s, only about %s", "agree on the host first", terms.Doc.ID, d.Host, strings.Join(hosts, ", "))
	}
	if s.links.Len() >= s.limits.Links || s.of(step.Caller).links >= (s.limits.Links+9)/10 {
		return LinkAnswer{}, full("links")
	}
	code := ""
	for code == "" || s.links.Has(code) {
		r := step.Random()
		code = codeText.EncodeToString(r[:8])[:10] // 50 bits: not to be found by trying
	}
	step.Emit(&Placed{Placement{
		Between: Between{Publisher: step.Caller, Owner: d.Owner}, Link: code, Destination: d.ID, Agreement: c.Agreement, Campaign: c.Campaign,
	}})
	return LinkAnswer{Code: code}, nil
}

func (s *State) closeLink(step *replica.Step, c *CloseLink) (Done, error) {
	l, ok := s.links.Get(c.Code)
	if !ok || l.Publisher != step.Caller && !s.parties.IsOperator(step.Caller) {
		return Done{}, notFound("link of yours", c.Code)
	}
	if l.Closed {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("link %s is closed", c.Code), Hint: "nothing is left to do"}
	}
	step.Emit(&Closed{Ending{Between: Between{Publisher: l.Publisher, Owner: l.Owner}, Link: l.Code}})
	return Done{}, nil
}

func full(what string) error {
	return &moongate.Error{Code: moongate.Limit, Message: "there is no room for more " + what, Hint: "close those that are not used, or ask the operator to raise the limit"}
}
