package pages

import (
	"fmt"
	"strconv"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/console"
)

func (p *Pages) agreements(v *visit) (console.Page, error) {
	page := console.Agreements{State: v.URL.Query().Get("state")}
	f := agreement.Filter{Party: v.own(), Status: bound(page.State, 20)}
	found, paging, err := rows(p, v, "agreements", func(after string, limit int) ([]agreement.Row, string, error) {
		return agreement.List(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	page.Lines, err = p.agreementLines(v, found)
	return page, err
}

// partiesShown is how many parties of an agreement a row names.
const partiesShown = 6

func (p *Pages) agreementLines(v *visit, found []agreement.Row) ([]console.AgreementLine, error) {
	lines := make([]console.AgreementLine, 0, len(found))
	for i := range found {
		r := &found[i]
		id, err := moongate.ParseID(r.Agreement)
		if err != nil {
			return nil, err
		}
		line := console.AgreementLine{
			ID: r.Agreement, Title: r.Name.In(language(v.lang)), Version: r.Version, State: inForce(r.Status, r.From, r.Until, v.now), From: r.From, Until: r.Until,
		}
		p.hub.Machine().Read(func() {
			if terms, err := p.hub.Agreement.Version(id, r.Version); err == nil {
				line.Parties = p.partiesOf(v, terms.Doc)
			}
		})
		lines = append(lines, line)
	}
	return lines, nil
}

// partiesOf are the participants that a document names itself; who else accepted it is not for everybody who may read
// it. Call it under the machine's Read.
func (p *Pages) partiesOf(v *visit, d *agreement.Document) (parties []console.Party) {
	for i := range d.Parties {
		for _, handle := range append([]string{d.Parties[i].ID}, d.Parties[i].Members...) {
			if handle != "" && len(parties) < partiesShown {
				parties = append(parties, p.partyOf(handle, v.lang))
			}
		}
	}
	return parties
}

// inForce says more exactly where a version stands, at a time.
func inForce(status string, from, until, now moongate.Time) string {
	switch {
	case status != agreement.InForce.String():
		return status
	case until != 0 && now >= until:
		return "ended"
	case now >= from:
		return "in_force"
	}
	return status
}

func language(l console.Lang) agreement.Language {
	if l == console.Chinese {
		return agreement.Chinese
	}
	return agreement.English
}

func (p *Pages) agreement(v *visit) (console.Page, error) {
	id, err := idOf(v, moongate.KindAgreement, "agreement")
	if err != nil {
		return nil, err
	}
	terms, version, err := p.readable(v, id)
	if err != nil {
		return nil, err
	}
	d := terms.Doc
	page := console.Agreement{
		Line: console.AgreementLine{
			ID: id.String(), Title: d.Name.In(language(v.lang)), Version: d.Version, State: inForce(version.Status.String(), version.From, version.Until, v.now),
			From: version.From, Until: version.Until,
		},
		Hash: d.Fingerprint(), NoticeDays: int(d.Valid.Notice.Time() / moongate.Day),
	}
	if page.Line.From == 0 {
		page.Line.From, page.Line.Until = d.Valid.From, d.Valid.Until
	}
	if page.Text, err = agreement.Explain(d, language(v.lang)); err != nil {
		return nil, err
	}
	if page.Signatures, page.Signers, err = p.signatures(v, id, d); err != nil {
		return nil, err
	}
	versions, further, err := rowsBeside(p, v, "versions", "versions/"+id.String(), func(after string, limit int) ([]agreement.Row, string, error) {
		return agreement.List(v.Context(), p.hub.Views, agreement.Filter{Party: v.own(), Slug: d.ID}, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Further = further
	page.Versions, err = p.agreementLines(v, versions)
	return page, err
}

// readable finds the version that is asked for, or the newest that the reader may read.
func (p *Pages) readable(v *visit, id moongate.ID) (terms *agreement.Terms, version agreement.Version, err error) {
	asked, _ := strconv.Atoi(v.URL.Query().Get("version"))
	p.hub.Machine().Read(func() {
		last := p.hub.Agreement.Latest(id)
		if asked == 0 {
			if t, err := p.hub.Agreement.Last(id); err == nil && p.mayRead(v, id, t.Doc.Version) {
				asked = t.Doc.Version
			}
		}
		for n := last; n > 0 && asked == 0; n-- {
			if p.mayRead(v, id, n) {
				asked = n
			}
		}
		if asked <= 0 || !p.mayRead(v, id, asked) {
			err = missing("agreement")
			return
		}
		version, _ = p.hub.Agreement.Lookup(id, asked)
		terms, err = p.hub.Agreement.Version(id, asked)
	})
	if err != nil {
		return nil, version, missing("agreement")
	}
	return terms, version, nil
}

// mayRead is called under the machine's Read.
func (p *Pages) mayRead(v *visit, id moongate.ID, version int) bool {
	if v.operates() {
		_, ok := p.hub.Agreement.Lookup(id, version)
		return ok
	}
	return p.hub.Agreement.MayRead(id, version, v.who.Handle)
}

// signatures are those of the parties that the document names, and the reader's own.
func (p *Pages) signatures(v *visit, id moongate.ID, d *agreement.Document) ([]console.Signature, console.Paging, error) {
	found, paging, err := rowsBeside(p, v, "signatures", fmt.Sprintf("signatures/%s/%d", id, d.Version), func(after string, limit int) ([]agreement.Participation, string, error) {
		return agreement.Participants(v.Context(), p.hub.Views, id, d.Version, v.own(), after, limit)
	})
	all := make([]console.Signature, 0, len(found))
	for i := range found {
		r := &found[i]
		all = append(all, console.Signature{Party: p.party(r.Party, v.lang), Role: string(r.Role), At: r.Signed})
	}
	return all, paging, err
}
