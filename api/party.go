package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// HandlePath names a participant.
type HandlePath struct {
	Handle string `path:"handle" maxLength:"128" example:"harbour-books"`
}

// Profile is a participant as everybody on the hub may see it.
type Profile struct {
	party.Participant
	Keys []party.Key `json:"keys" nullable:"false" doc:"Public keys, oldest first; those that are not valid any more too, for what they signed."`
}

// NewCredential asks for an API credential.
type NewCredential struct {
	Handle  string        `json:"handle"`
	Name    string        `json:"name" maxLength:"80" doc:"For people: what it is used for."`
	Scopes  party.Scopes  `json:"scopes"`
	Expires moongate.Time `json:"expires,omitzero"`
}

// Token is a new credential.
type Token struct {
	ID    moongate.ID `json:"id"`
	Token string      `json:"token" doc:"The secret. Only this answer has it, and the answer to the same request again; keep it safe." example:"mgt_aeaqc_mfrggzdfmztwq2lknnwa_…"`
}

func (a *API) partyRoutes() {
	const tag = "Participants"
	command[party.Done, party.Register](a, op{
		path: "/v1/participants", id: "register", tag: tag, summary: "Let somebody take part", scope: party.OperatorScope, status: http.StatusCreated,
		example: `{"handle":"harbour-books","kind":"merchant","name":"Harbour Books","name_zh":"海港书店"}`,
	})
	ofSelf[party.Done](a, op{path: "/v1/participants/rename", id: "rename", tag: tag, summary: "Change the names that people read", scope: party.ParticipantEdit},
		func(c *party.Rename) string { return c.Handle })
	command[party.Done, party.Suspend](a, op{path: "/v1/participants/suspend", id: "suspend", tag: tag, summary: "Stop a participant from acting", detail: "Its keys, credentials and sessions refuse. What it is owed stays its own.", scope: party.OperatorScope})
	command[party.Done, party.Resume](a, op{path: "/v1/participants/resume", id: "resume", tag: tag, summary: "Let a suspended participant act again", scope: party.OperatorScope})
	query(a, op{path: "/v1/participants/{handle}", id: "participant", tag: tag, summary: "Look a participant up", detail: "With its public keys: what it signed can be checked with them."}, a.profile)
	type directory struct {
		Kind   string `query:"kind" enum:"platform,wallet,merchant,publisher,app,data-holder,observer,operator"`
		Search string `query:"search" maxLength:"80" doc:"A part of the handle or of a name."`
		PageInput
	}
	list(a, op{path: "/v1/participants", id: "participants", tag: tag, summary: "List participants", detail: "Newest first."},
		func(in *directory) *PageInput { return &in.PageInput },
		func(ctx context.Context, _ Principal, in *directory, after string, limit int) ([]party.Row, string, error) {
			f := party.Filter{Search: in.Search}
			if in.Kind != "" {
				var err error
				if f.Kind, err = party.ParseKind(in.Kind); err != nil {
					return nil, "", err
				}
			}
			return party.List(ctx, a.hub.Views, f, after, limit)
		})
	a.keyRoutes()
	a.credentialRoutes()
}

func (a *API) keyRoutes() {
	const tag = "Keys and credentials"
	ofSelf[party.KeyAnswer](a, op{
		path: "/v1/keys", id: "add-key", tag: tag, summary: "Register or rotate a key", scope: party.ParticipantEdit, status: http.StatusCreated,
		detail: "The new key signs a statement of possession; where the participant has had a key before, a valid one endorses it. `overlap` is in microseconds.",
	}, func(c *party.AddKey) string { return c.Handle })
	ofSelf[party.Done](a, op{path: "/v1/keys/revoke", id: "revoke-key", tag: tag, summary: "End a key at once", detail: "What it signed before stands.", scope: party.ParticipantEdit},
		func(c *party.RevokeKey) string { return c.Handle })
}

func (a *API) credentialRoutes() {
	const tag = "Keys and credentials"
	submitAs(a, op{
		path: "/v1/credentials", id: "issue-credential", tag: tag, summary: "Issue an API credential", scope: party.ParticipantEdit, status: http.StatusCreated,
		detail:  "A credential cannot have more scopes than the one that asks for it, unless the request is signed.",
		example: `{"handle":"harbour-books","name":"checkout server","scopes":["payments:write","payments:read"]}`,
	}, a.issue, func(who Principal, key string, in *NewCredential, issued party.Issued) Token {
		return Token{ID: issued.ID, Token: party.FormatToken(issued.ID, a.secretOf(who, key, in))}
	})
	ofSelf[party.Done](a, op{path: "/v1/credentials/revoke", id: "revoke-credential", tag: tag, summary: "End a credential, and the sessions that it opened", scope: party.ParticipantEdit},
		func(c *party.RevokeCredential) string { return c.Handle })
	query(a, op{path: "/v1/participants/{handle}/credentials", id: "credentials", tag: tag, summary: "List credentials", detail: "Oldest first, without their secrets; a participant has at most 50.", scope: party.ParticipantEdit},
		func(_ context.Context, who Principal, in *HandlePath) (page Page[party.Credential], err error) {
			if in.Handle != who.Handle && !who.Operates() {
				return page, denied("participant", in.Handle)
			}
			a.hub.Machine().Read(func() { page.Items = a.hub.Party.Credentials(in.Handle) })
			if page.Items == nil {
				page.Items = []party.Credential{}
			}
			return page, nil
		})
}

func (a *API) profile(_ context.Context, who Principal, in *HandlePath) (p Profile, err error) {
	a.hub.Machine().Read(func() {
		var ok bool
		if p.Participant, ok = a.hub.Party.Lookup(in.Handle); !ok {
			err = denied("participant", in.Handle)
			return
		}
		p.Keys = a.hub.Party.Keys(in.Handle)
	})
	if p.Keys == nil {
		p.Keys = []party.Key{}
	}
	if who.Handle != in.Handle && !who.Operates() && p.Suspended != "" {
		p.Suspended = "by the operator" // why is between the two
	}
	return p, err
}

// ofSelf is a command about a participant that acts for itself. For others an operator may, with a credential that has
// the scope: the rooms know participants, and only the gate knows credentials.
func ofSelf[A any, C any, P interface {
	*C
	replica.Command
}](a *API, o op, handle func(*C) string) {
	submit(a, o, func(_ context.Context, who Principal, body *C) (prepared[A], error) {
		return prepared[A]{command: P(body)}, who.actsFor(handle(body))
	})
}

func (p Principal) actsFor(handle string) error {
	if handle == p.Handle || p.Operates() {
		return nil
	}
	return &moongate.Error{
		Code: moongate.Forbidden, Field: "handle", Message: fmt.Sprintf("%s may not act for %.80s", p.Handle, handle),
		Hint: "only the participant itself may, or an operator whose credential has the scope operator",
	}
}

// issue makes a credential. Its secret follows from the request and the hub's own secret, so that a request which is
// repeated because its outcome was unknown gives the same token; only a hash of it goes into the journal.
func (a *API) issue(_ context.Context, who Principal, key string, in *NewCredential) (prepared[party.Issued], error) {
	if err := who.actsFor(in.Handle); err != nil {
		return prepared[party.Issued]{}, err
	}
	if !who.Scopes.Has(in.Scopes) {
		return prepared[party.Issued]{}, &moongate.Error{
			Code: moongate.Forbidden, Field: "scopes", Message: "a credential cannot give away more than it has", Hint: "ask with a credential that has these scopes, or sign the request with a key",
		}
	}
	return prepared[party.Issued]{command: &party.IssueCredential{Handle: in.Handle, Name: in.Name, Scopes: in.Scopes, Expires: in.Expires, Hash: a.secretOf(who, key, in).Hash()}}, nil
}

func (a *API) secretOf(who Principal, key string, in *NewCredential) party.Secret {
	m := hmac.New(sha256.New, a.hub.Secrets.Derive("moongate/credential/v1"))
	for _, part := range []string{who.Handle, key, in.Handle, in.Name, in.Scopes.String(), in.Expires.String()} {
		fmt.Fprintf(m, "%d:%s", len(part), part)
	}
	return party.Secret(m.Sum(nil))
}
