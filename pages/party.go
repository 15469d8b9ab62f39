package pages

import (
	"context"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/party"
)

// named is a participant in the reader's language.
func named(p *party.Participant, lang console.Lang) console.Party {
	return console.Party{ID: p.Handle, Name: inLang(lang, p.Name, p.NameZH), Kind: p.Kind.String()}
}

func inLang(lang console.Lang, name, nameZH string) string {
	if lang == console.Chinese && nameZH != "" {
		return nameZH
	}
	return name
}

// party names a participant. What is the hub's own is named after the hub.
func (p *Pages) party(handle string, lang console.Lang) (named console.Party) {
	p.hub.Machine().Read(func() { named = p.partyOf(handle, lang) })
	return named
}

// partyOf is party under the machine's Read.
func (p *Pages) partyOf(handle string, lang console.Lang) console.Party {
	if handle == "" {
		return console.Party{}
	}
	known, ok := p.hub.Party.Lookup(handle)
	if !ok {
		return console.Party{ID: handle}
	}
	return named(&known, lang)
}

// ownHub stands for the hub itself where something is its own.
func (p *Pages) ownHub() console.Party {
	return console.Party{ID: p.hub.Config.Operator, Name: p.hub.Config.Name, Kind: party.Operator.String()}
}

func (p *Pages) participants(v *visit) (console.Page, error) {
	f := party.Filter{Search: bound(v.URL.Query().Get("q"), 80)}
	page := console.Participants{Kind: v.URL.Query().Get("kind")}
	if page.Kind != "" {
		if err := f.Kind.UnmarshalText([]byte(page.Kind)); err != nil {
			return nil, err
		}
	}
	found, paging, err := rows(p, v, "participants", func(after string, limit int) ([]party.Row, string, error) {
		return party.List(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range found {
		r := &found[i]
		line := console.ParticipantLine{
			Party: console.Party{ID: r.Handle, Name: inLang(v.lang, r.Name, r.NameZH), Kind: r.Kind.String()}, State: standing(r.Suspended), Since: r.Since,
		}
		p.hub.Machine().Read(func() { line.Keys = len(p.hub.Party.Keys(r.Handle)) })
		if v.sees(r.Handle) {
			if line.Agreements, err = p.agreementCount(v.Context(), r.Handle); err != nil {
				return nil, err
			}
		}
		page.Lines = append(page.Lines, line)
	}
	return page, nil
}

func standing(suspended string) string {
	if suspended != "" {
		return "suspended"
	}
	return "active"
}

func (p *Pages) agreementCount(ctx context.Context, handle string) (int, error) {
	found, _, err := agreement.List(ctx, p.hub.Views, agreement.Filter{Party: handle, Status: "agreed"}, "", 500)
	return len(found), err
}

func (p *Pages) participant(v *visit) (console.Page, error) {
	handle := v.PathValue("id")
	var who party.Participant
	var known bool
	var keys []party.Key
	var credentials []party.Credential
	p.hub.Machine().Read(func() {
		if who, known = p.hub.Party.Lookup(handle); known {
			keys = p.hub.Party.Keys(handle)
			if v.sees(handle) && v.scopes.Has(party.ParticipantEdit) {
				credentials = p.hub.Party.Credentials(handle)
			}
		}
	})
	if !known {
		return nil, missing("participant")
	}
	page := console.Participant{Line: console.ParticipantLine{Party: named(&who, v.lang), State: standing(who.Suspended), Since: who.Since, Keys: len(keys)}}
	for i := range keys {
		page.Keys = append(page.Keys, keyLine(&keys[i], v.now))
	}
	for i := range credentials {
		c := &credentials[i]
		state := "active"
		if c.Expires != 0 && v.now >= c.Expires {
			state = "expired"
		}
		page.Credentials = append(page.Credentials, console.Credential{ID: c.ID.String(), Name: c.Name, Scopes: c.Scopes.Names(), Since: c.Since, State: state})
	}
	if v.sees(handle) && v.scopes.Has(party.SettlementRead) {
		p.purses(v, handle, &page)
	}
	if v.sees(handle) && v.scopes.Has(party.AgreementsRead) {
		found, further, err := rowsBeside(p, v, "agreements", "agreements/"+handle, func(after string, limit int) ([]agreement.Row, string, error) {
			return agreement.List(v.Context(), p.hub.Views, agreement.Filter{Party: handle}, after, limit)
		})
		if err != nil {
			return nil, err
		}
		page.Further = further
		if page.Agreements, err = p.agreementLines(v, found); err != nil {
			return nil, err
		}
		page.Line.Agreements = len(page.Agreements)
	}
	return page, nil
}

func bound(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

func keyLine(k *party.Key, now moongate.Time) console.Key {
	line := console.Key{ID: k.Public.ID(), Since: k.Since, Until: k.Until, State: "active", Purpose: "requests"}
	switch {
	case k.Revoked != "":
		line.State = "revoked"
	case !k.ValidAt(now):
		line.State = "rotated"
	}
	return line
}
