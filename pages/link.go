package pages

import (
	"net/http"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/hub"
)

func (p *Pages) links(v *visit) (console.Page, error) {
	page := console.Links{}
	blocks, further, err := rowsBeside(p, v, "blocks", "blocks", func(after string, limit int) ([]link.BlockRow, string, error) {
		return link.Blocks(v.Context(), p.hub.Views, link.BlockFilter{InForce: true}, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Further = further
	for i := range blocks {
		block, err := p.blockLine(v, &blocks[i])
		if err != nil {
			return nil, err
		}
		page.Blocks = append(page.Blocks, block)
	}
	found, paging, err := rows(p, v, "links", func(after string, limit int) ([]link.LinkRow, string, error) {
		return link.Links(v.Context(), p.hub.Views, v.own(), moongate.ID{}, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	p.hub.Machine().Read(func() {
		for i := range found {
			r := &found[i]
			line := console.LinkLine{
				Code: r.Code, Name: r.Name, Publisher: p.partyOf(r.Publisher, v.lang), Owner: p.partyOf(r.Owner, v.lang), Campaign: r.Campaign,
				State: "open", Opened: r.Opened, Stopped: r.Stopped,
			}
			if known, ok := p.hub.Link.Destination(r.Destination); ok {
				line.Name = inLang(v.lang, known.Name, known.NameZH)
			}
			switch resolved, err := p.hub.Link.Resolve(r.Code, link.Web, v.now); {
			case r.Closed || err != nil:
				line.State = "closed"
			case resolved.Block != nil:
				line.State = "blocked"
			}
			page.Lines = append(page.Lines, line)
		}
	})
	return page, nil
}

// blockLine is a block with what the reader may do about it. Blocks are public.
func (p *Pages) blockLine(v *visit, r *link.BlockRow) (console.Block, error) {
	b := p.decision(&r.Decision, v.lang)
	b.State, b.Stopped = string(r.Stage), r.Stopped
	if r.Ended != 0 {
		b.State = string(r.How)
	}
	if r.Appellant != "" {
		b.Contest = console.Contest{By: p.party(r.Appellant, v.lang), Statement: r.Statement, Grounds: r.Grounds}
		p.hub.Machine().Read(func() {
			if known, ok := p.hub.Link.Block(r.Block); ok && known.Appeal != nil {
				b.Contest.DecideBy = known.Appeal.DecideBy
			}
		})
	}
	if r.Ended != 0 {
		return b, nil
	}
	target := "/console/links/" + r.Block.String()
	if r.Stage == link.Standing && v.now < r.AppealBy {
		_, ok, err := p.shutOf(v, &r.Decision)
		if err != nil {
			return b, err
		}
		if ok {
			b.Actions = append(b.Actions, console.Action{Word: "appeal", Target: target + "/appeal", Note: true})
		}
	}
	if v.sees(r.By) {
		b.Actions = append(b.Actions, console.Action{Word: "lift", Target: target + "/lift", Note: true})
	}
	return b, nil
}

func (p *Pages) decision(d *link.Decision, lang console.Lang) console.Block {
	b := console.Block{
		Place: p.placeOf(d.Destination, lang),
		ID:    d.Block.String(), Pattern: d.Host, By: p.party(d.By, lang), Against: p.party(d.Against, lang), Agreement: d.Agreement.String(), Reason: d.Reason,
		Facts: d.Facts, Evidence: d.Evidence, Automated: d.Automated, Since: d.Since, Until: d.Expires, AppealBy: d.AppealBy,
	}
	return b
}

// placeOf names a destination; "" where there is none.
func (p *Pages) placeOf(destination moongate.ID, lang console.Lang) (name string) {
	p.hub.Machine().Read(func() {
		if known, ok := p.hub.Link.Destination(destination); ok {
			name = inLang(lang, known.Name, known.NameZH)
		}
	})
	return name
}

// shutOf finds a destination of the reader's own that a block shuts.
func (p *Pages) shutOf(v *visit, d *link.Decision) (moongate.ID, bool, error) {
	if !d.Destination.IsZero() {
		var owner string
		p.hub.Machine().Read(func() {
			if known, ok := p.hub.Link.Destination(d.Destination); ok {
				owner = known.Owner
			}
		})
		return d.Destination, owner == v.who.Handle, nil
	}
	found, _, err := link.Destinations(v.Context(), p.hub.Views, v.who.Handle, strings.TrimPrefix(d.Host, "*."), "", 100)
	at := slices.IndexFunc(found, func(r link.DestinationRow) bool {
		rest, wild := strings.CutPrefix(d.Host, "*.")
		return !r.Closed && (r.Host == d.Host || wild && (r.Host == rest || strings.HasSuffix(r.Host, "."+rest)))
	})
	if err != nil || at < 0 {
		return moongate.ID{}, false, err
	}
	return found[at].ID, true, nil
}

// block shows one block, in force or not: blocks are public.
func (p *Pages) block(v *visit) (console.Page, error) {
	id, err := idOf(v, moongate.KindBlock, "block")
	if err != nil {
		return nil, err
	}
	found, _, err := link.Blocks(v.Context(), p.hub.Views, link.BlockFilter{ID: id}, "", 1)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, missing("block")
	}
	block, err := p.blockLine(v, &found[0])
	return console.OneBlock{Block: block}, err
}

// appeal contests a block in the name of a destination's owner.
func (p *Pages) appeal(v *visit) (string, error) {
	id, err := idOf(v, moongate.KindBlock, "block")
	if err != nil {
		return "", err
	}
	var known link.Block
	var ok bool
	p.hub.Machine().Read(func() { known, ok = p.hub.Link.Block(id) })
	if !ok {
		return "", missing("block")
	}
	destination, _, err := p.shutOf(v, &known.Decision)
	if err != nil {
		return "", err
	}
	_, err = hub.Do[link.AppealAnswer](v.Context(), p.hub, v.who.Handle, "", &link.Appeal{Block: id, Destination: destination, Statement: v.PostForm.Get("note")})
	return "/console/links/" + id.String(), err
}

// lift ends a block early.
func (p *Pages) lift(v *visit) (string, error) {
	id, err := idOf(v, moongate.KindBlock, "block")
	if err != nil {
		return "", err
	}
	_, err = hub.Do[link.Done](v.Context(), p.hub, v.who.Handle, "", &link.Lift{Block: id, Note: v.PostForm.Get("note")})
	return "/console/links", err
}

func (p *Pages) destinations(v *visit) (console.Page, error) {
	page := console.Destinations{}
	found, paging, err := rows(p, v, "destinations", func(after string, limit int) ([]link.DestinationRow, string, error) {
		return link.Destinations(v.Context(), p.hub.Views, v.own(), bound(v.URL.Query().Get("q"), 80), after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	p.hub.Machine().Read(func() {
		for i := range found {
			r := &found[i]
			line := console.Destination{ID: r.ID.String(), Name: inLang(v.lang, r.Name, r.NameZH), Owner: p.partyOf(r.Owner, v.lang), Host: r.Host, State: "open", Since: r.Since}
			if known, ok := p.hub.Link.Destination(r.ID); ok && len(known.Addresses) > 1 {
				line.App = known.Addresses[1].URL
			}
			if r.Closed {
				line.State = "closed"
			}
			page.Lines = append(page.Lines, line)
		}
	})
	return page, nil
}

// link draws what stands at a link that does not simply lead on.
func (p *Pages) link(w http.ResponseWriter, r *http.Request, l link.Page) {
	v := p.visited(w, r)
	switch {
	case l.Block != nil && l.Resolution != nil:
		d := &l.Resolution.Destination
		page := console.Blocked{Name: inLang(v.lang, d.Name, d.NameZH), Address: d.Addresses[0].URL, Block: p.decision(&l.Block.Decision, v.lang)}
		page.Block.State, page.Block.Appeal = string(l.Block.Stage), "/console/links/"+page.Block.ID
		if a := l.Block.Appeal; a != nil {
			page.Block.Contest = console.Contest{By: p.party(a.By, v.lang), Statement: a.Statement, DecideBy: a.DecideBy}
		}
		p.show(w, v, l.Status, page)
	case l.Error != nil || l.Resolution == nil:
		p.show(w, v, l.Status, problem(l.Status, l.Error))
	default:
		d := &l.Resolution.Destination
		p.show(w, v, l.Status, console.Onward{
			Name: inLang(v.lang, d.Name, d.NameZH), Owner: p.party(d.Owner, v.lang), From: p.party(l.Resolution.Link.Publisher, v.lang), Host: d.Host,
			Confirm: l.Confirm, Continue: l.Continue, Fallback: l.Fallback,
		})
	}
}

func problem(status int, err *moongate.Error) console.Problem {
	page := console.Problem{Status: status, Why: whyLink(err)}
	if err != nil {
		page.Error = *err
	}
	return page
}
