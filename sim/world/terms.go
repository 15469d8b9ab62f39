package world

import (
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
)

// The world lives under two of the documents that agreements may start from.
const (
	gardenTerms = "three-gardens.yaml"
	quietTerms  = "private-totals.yaml"
)

// example reads one of the documents.
func example(name string) (agreement.Document, error) {
	d, err := agreement.Parse(agreement.Examples()[name])
	if err != nil {
		return agreement.Document{}, fmt.Errorf("world: %s: %w", name, err)
	}
	return *d, nil
}

// gardens are the terms of a marketplace with the publishers and the wallets: commission, wallet fee, and what the
// publishers get of it. Host is where its pages are; window is how long a settlement window is, 0 for what the document
// says.
func (c *Cast) gardens(m *Market, host string, window, now moongate.Time) (*agreement.Document, error) {
	d, err := example(gardenTerms)
	if err != nil {
		return nil, err
	}
	d.ID = "three-gardens-" + strings.SplitN(m.Handle, "-", 2)[0]
	d.Parties = append([]agreement.Party(nil), d.Parties...)
	for i := range d.Parties {
		p := &d.Parties[i]
		switch p.Role {
		case agreement.Marketplace:
			p.ID, p.Name = m.Handle, m.Name
		case agreement.Publisher:
			p.Members, p.Name = handles(c.Publishers), names(c.Publishers)
		case agreement.Wallet:
			p.Members, p.Name = nil, ""
			var purses []Garden
			for _, w := range c.Wallets {
				purses = append(purses, w.Garden)
			}
			p.Members, p.Name = handles(purses), names(purses)
		}
	}
	d.Scope.Hosts = []string{host}
	if window > 0 {
		short := *d.Settlement
		short.Window, short.Delay = agreement.Duration(window), 0
		d.Settlement = &short
	}
	d.Valid.From, d.Valid.Until = lately(now), lately(now)+3*366*moongate.Day
	return agreement.Build(d)
}

// quiet are the terms of an app with the store, which learns totals only.
func (c *Cast) quiet(a App, now moongate.Time) (*agreement.Document, error) {
	d, err := example(quietTerms)
	if err != nil {
		return nil, err
	}
	d.ID = "quiet-garden-" + a.Handle
	d.Parties = append([]agreement.Party(nil), d.Parties...)
	for i := range d.Parties {
		p := &d.Parties[i]
		switch p.Role {
		case agreement.Store:
			p.ID, p.Name = c.Store.Handle, c.Store.Name
		case agreement.App:
			p.ID, p.Name = a.Handle, a.Name
		}
	}
	d.Valid.From, d.Valid.Until = lately(now), 0
	return agreement.Build(d)
}

// lately is the beginning of the day before, by UTC: terms hold from a little before the world begins.
func lately(now moongate.Time) moongate.Time { return now - now%moongate.Day - moongate.Day }

func handles(list []Garden) []string {
	var all []string
	for _, g := range list {
		all = append(all, g.Handle)
	}
	return all
}

func names(list []Garden) string {
	var all []string
	for _, g := range list {
		all = append(all, g.Name)
	}
	return strings.Join(all, " and ")
}
