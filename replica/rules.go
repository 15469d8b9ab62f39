package replica

import (
	"fmt"

	"github.com/moongate-hub/moongate"
)

// A change to what decide does carries a version of the rules: the program knows the old way and the new one, and which
// of them counts stands in the state. It is raised by a command, once every node runs a program that can follow: until
// then all decide as before, whichever of two programs leads. Folding never asks: an event says what happened.

// RaiseRules has the hub decide by later rules from here on. There is no way back: what was decided stays.
type RaiseRules struct {
	To uint32 `cbor:"1,keyasint" json:"to"`
}

// Rules is what the state decides by, and what this program knows.
type Rules struct {
	InForce uint32 `cbor:"1,keyasint" json:"in_force"`
	Known   uint32 `cbor:"2,keyasint" json:"known"`
}

// RulesRaised says that from here on commands are decided by these rules.
type RulesRaised struct {
	To uint32 `cbor:"1,keyasint"`
}

func (*RaiseRules) CommandKind() string { return "core.raise_rules" }
func (*RulesRaised) EventKind() string  { return "core.rules_raised" }

// Rules is the version of the rules that this command is decided by.
func (s *Step) Rules() uint32 { return s.m.core.clock.Get().Rule }

// Rules tells by which rules the state decides. Call it under Read.
func (m *Machine) Rules() Rules { return Rules{m.core.clock.Get().Rule, m.core.limits.Rules} }

func (c *core) raiseRules(step *Step, r *RaiseRules) (Rules, error) {
	now := step.m.Rules()
	switch {
	case r.To > now.Known:
		return Rules{}, &moongate.Error{Code: moongate.Malformed, Field: "to", Message: fmt.Sprintf("rules %d are not known: this program knows those up to %d", r.To, now.Known), Hint: "run the version that brings them on every node first"}
	case r.To <= now.InForce:
		return Rules{}, &moongate.Error{Code: moongate.Conflict, Field: "to", Message: fmt.Sprintf("rules %d are in force", now.InForce), Hint: "rules are only raised"}
	}
	step.Emit(&RulesRaised{To: r.To})
	return step.m.Rules(), nil
}

// follow takes the version of the rules from a fold or a snapshot. A program that does not know them would decide
// otherwise than the one which raised them.
func (c *core) follow(rule uint32) error {
	if rule > c.limits.Rules {
		return fmt.Errorf("rules %d are in force, and this program knows those up to %d: run the version that raised them, or a later one", rule, c.limits.Rules)
	}
	return nil
}
