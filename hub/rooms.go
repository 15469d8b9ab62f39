package hub

import (
	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/view"
)

// Rooms are the hub's rooms in one machine, without replication.
type Rooms struct {
	Party *party.State

	machine *replica.Machine
}

// NewRooms wires the rooms, each with those below it, in the order in which time reaches them.
func NewRooms(c *Config) *Rooms {
	r := &Rooms{Party: party.New(party.Limits{})}
	r.machine = replica.NewMachine(c.Tag(), replica.Limits{Keys: c.Limits.Keys}, r.Party)
	r.Party.Register(r.machine)
	return r
}

// Machine is what the rooms plug into.
func (r *Rooms) Machine() *replica.Machine { return r.machine }

func (r *Rooms) views() []view.View { return nil }

func (h *Hub) handlers() map[string]effect.Handler { return map[string]effect.Handler{} }
