package api

import (
	"context"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
)

func (a *API) partyRoutes() {
	const tag = "Participants"
	command[party.Done, party.Register](a, op{path: "/v1/participants", id: "register", tag: tag, summary: "Let somebody take part", scope: party.OperatorScope})
	command[party.KeyAnswer, party.AddKey](a, op{path: "/v1/keys", id: "add-key", tag: tag, summary: "Register or rotate a key", scope: party.ParticipantEdit})
	command[party.Done, party.RevokeKey](a, op{path: "/v1/keys/revoke", id: "revoke-key", tag: tag, summary: "End a key at once", scope: party.ParticipantEdit})
	command[party.Done, party.Suspend](a, op{path: "/v1/participants/suspend", id: "suspend", tag: tag, summary: "Stop a participant from acting", scope: party.OperatorScope})
	command[party.Done, party.Resume](a, op{path: "/v1/participants/resume", id: "resume", tag: tag, summary: "Let a suspended participant act again", scope: party.OperatorScope})
	query(a, op{path: "/v1/participants/{handle}", id: "participant", tag: tag, summary: "Look a participant up"},
		func(_ context.Context, _ Principal, in *struct {
			Handle string `path:"handle" maxLength:"128"`
		}) (p party.Participant, err error) {
			a.hub.Machine().Read(func() {
				var ok bool
				if p, ok = a.hub.Party.Lookup(in.Handle); !ok {
					err = &moongate.Error{Code: moongate.NotFound, Message: "there is no participant " + in.Handle}
				}
			})
			return p, err
		})
}
