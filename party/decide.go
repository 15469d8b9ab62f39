package party

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// maxOverlap is how long a rotated key may stay valid beside its successor.
const maxOverlap = 30 * moongate.Day

// operator refuses everybody but the hub and its operators.
func (s *State) operator(step *replica.Step) error {
	if s.IsOperator(step.Caller) {
		return nil
	}
	return &moongate.Error{Code: moongate.Forbidden, Message: "only an operator may do this", Hint: "ask the operator of the hub"}
}

// self finds a participant and refuses everybody but itself, the hub and its operators.
func (s *State) self(step *replica.Step, handle string) (Participant, error) {
	if step.Caller != "" {
		if _, err := s.Active(step.Caller); err != nil {
			return Participant{}, err
		}
	}
	if step.Caller != handle && !s.IsOperator(step.Caller) {
		return Participant{}, &moongate.Error{
			Code: moongate.Forbidden, Message: fmt.Sprintf("%s may not act for %.80s", step.Caller, handle), Hint: "only the participant itself or an operator may",
		}
	}
	p, ok := s.participants.Get(handle)
	if !ok {
		return p, notFound("participant", handle)
	}
	return p, nil
}

func (s *State) register(step *replica.Step, c *Register) (Done, error) {
	if err := CheckHandle(c.Handle); err != nil {
		return Done{}, err
	}
	if err := checkNames(c.Name, c.NameZH); err != nil {
		return Done{}, err
	}
	if c.Kind == 0 || int(c.Kind) >= len(kindNames) {
		return Done{}, &moongate.Error{Code: moongate.Malformed, Field: "kind", Message: fmt.Sprintf("there is no %s", c.Kind), Hint: "name a kind of participant"}
	}
	if len(c.Keys) > 8 {
		return Done{}, &moongate.Error{Code: moongate.Malformed, Field: "keys", Message: fmt.Sprintf("%d keys at once", len(c.Keys)), Hint: "register at most 8; add others later"}
	}
	e := &Registered{Registration{About: About{c.Handle}, Kind: c.Kind, Name: c.Name, NameZH: c.NameZH}}
	for i, k := range c.Keys {
		if err := k.check(c.Handle); err != nil {
			return Done{}, err
		}
		for _, other := range c.Keys[:i] {
			if other.Public == k.Public {
				return Done{}, &moongate.Error{Code: moongate.Malformed, Field: "keys", Message: fmt.Sprintf("key %s is there twice", k.Public.ID()), Hint: "name it once"}
			}
		}
		e.Keys = append(e.Keys, k.Public)
	}
	if err := s.operator(step); err != nil {
		return Done{}, err
	}
	if _, hub := SplitHandle(c.Handle); hub != "" && c.Kind == Operator {
		return Done{}, &moongate.Error{Code: moongate.Refused, Field: "kind", Message: "a participant of another hub cannot operate this one", Hint: "register it under a handle of this hub"}
	}
	if s.participants.Has(c.Handle) {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Field: "handle", Message: fmt.Sprintf("the handle %s is taken", c.Handle), Hint: "a handle names one participant for good; choose another"}
	}
	if s.participants.Len() >= s.limits.Participants {
		return Done{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("the hub has room for %d participants", s.limits.Participants), Hint: "raise the limit in the configuration"}
	}
	for _, k := range e.Keys {
		if err := s.unclaimed(k); err != nil {
			return Done{}, err
		}
	}
	step.Emit(e)
	return Done{}, nil
}

func checkNames(name, nameZH string) error {
	if err := CheckText("name", name, 1, 80); err != nil {
		return err
	}
	return CheckText("name_zh", nameZH, 0, 80)
}

func (s *State) unclaimed(k PublicKey) error {
	if s.keys.Has(k.ID()) { // whose it is, nobody learns
		return &moongate.Error{Code: moongate.Conflict, Field: "key", Message: fmt.Sprintf("key %s was registered before", k.ID()), Hint: "a key is used by one participant, once; make a new one"}
	}
	return nil
}

func (s *State) rename(step *replica.Step, c *Rename) (Done, error) {
	if err := checkNames(c.Name, c.NameZH); err != nil {
		return Done{}, err
	}
	p, err := s.self(step, c.Handle)
	if err != nil {
		return Done{}, err
	}
	step.Emit(&Renamed{Renaming{About: About{c.Handle}, Name: c.Name, NameZH: c.NameZH}, Chain{p.Head}})
	return Done{}, nil
}

func (s *State) addKey(step *replica.Step, c *AddKey) (KeyAnswer, error) {
	if err := c.Key.check(c.Handle); err != nil {
		return KeyAnswer{}, err
	}
	if c.Overlap < 0 || c.Overlap > maxOverlap || c.Overlap > 0 && c.Replaces == "" {
		return KeyAnswer{}, &moongate.Error{
			Code: moongate.Malformed, Field: "overlap", Message: fmt.Sprintf("an overlap of %d microseconds, replacing key %.60q", c.Overlap, c.Replaces),
			Hint: "two keys overlap for at most 30 days, and only where one replaces the other",
		}
	}
	p, err := s.self(step, c.Handle)
	if err != nil {
		return KeyAnswer{}, err
	}
	if err := s.unclaimed(c.Key.Public); err != nil {
		return KeyAnswer{}, err
	}
	held := s.of(c.Handle).keys
	if len(held) >= maxKeys {
		return KeyAnswer{}, &moongate.Error{Code: moongate.Limit, Field: "key", Message: fmt.Sprintf("%s has had %d keys, the most that are kept", c.Handle, len(held)), Hint: "go on with the keys there are"}
	}
	e := &KeyAdded{KeyAddition{About: About{c.Handle}, Key: c.Key.Public, Replaces: c.Replaces}, Chain{p.Head}}
	if c.Replaces != "" {
		old, ok := s.keys.Get(c.Replaces)
		if !ok || old.Holder != c.Handle {
			return KeyAnswer{}, notFound("key", c.Replaces)
		}
		if !old.ValidAt(step.At) {
			return KeyAnswer{}, &moongate.Error{Code: moongate.Conflict, Field: "replaces", Message: fmt.Sprintf("key %s is not valid any more", c.Replaces), Hint: "add the new key without replacing it"}
		}
		e.ReplacedUntil = step.At + c.Overlap
		if old.Until != 0 { // a rotation never prolongs a key
			e.ReplacedUntil = min(e.ReplacedUntil, old.Until)
		}
	}
	if len(held) > 0 && !s.IsOperator(step.Caller) {
		if err := s.endorsed(step, c); err != nil {
			return KeyAnswer{}, err
		}
		e.EndorsedBy = c.EndorsedBy
	}
	step.Emit(e)
	return KeyAnswer{Key: c.Key.Public.ID()}, nil
}

// endorsed refuses a key that no valid key of the same participant vouches for.
func (s *State) endorsed(step *replica.Step, c *AddKey) error {
	by, ok := s.keys.Get(c.EndorsedBy)
	if !ok || by.Holder != c.Handle || !by.ValidAt(step.At) {
		return &moongate.Error{
			Code: moongate.Forbidden, Field: "endorsed_by", Message: fmt.Sprintf("%.60q is no valid key of %s", c.EndorsedBy, c.Handle),
			Hint: "sign the endorsement with a key that is valid; if all are lost, ask the operator",
		}
	}
	if !by.Public.Verify(EndorsementStatement(c.Handle, c.Key.Public, c.Replaces), c.Endorsement) {
		return &moongate.Error{
			Code: moongate.Forbidden, Field: "endorsement", Message: fmt.Sprintf("the signature is not one by key %s over the endorsement statement", c.EndorsedBy),
			Hint: "sign the statement for this handle, new key and replaced key",
		}
	}
	return nil
}

func (s *State) revokeKey(step *replica.Step, c *RevokeKey) (Done, error) {
	if err := CheckText("reason", c.Reason, 1, 200); err != nil {
		return Done{}, err
	}
	p, err := s.self(step, c.Handle)
	if err != nil {
		return Done{}, err
	}
	k, ok := s.keys.Get(c.Key)
	if !ok || k.Holder != c.Handle {
		return Done{}, notFound("key", c.Key)
	}
	if !k.ValidAt(step.At) {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Field: "key", Message: fmt.Sprintf("key %s has not been valid since %s", c.Key, k.Until), Hint: "there is nothing left to revoke"}
	}
	step.Emit(&KeyRevoked{KeyRevocation{About: About{c.Handle}, Key: c.Key, Reason: c.Reason}, Chain{p.Head}})
	return Done{}, nil
}

func (s *State) suspend(step *replica.Step, c *Suspend) (Done, error) {
	if err := CheckText("reason", c.Reason, 1, 200); err != nil {
		return Done{}, err
	}
	if err := s.operator(step); err != nil {
		return Done{}, err
	}
	p, err := s.Active(c.Handle)
	if moongate.CodeOf(err) == moongate.Forbidden {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s is suspended already: %s", c.Handle, p.Suspended), Hint: "resume it first to give another reason"}
	}
	if err != nil {
		return Done{}, err
	}
	if p.Kind == Operator && s.operators == 1 {
		return Done{}, &moongate.Error{Code: moongate.Refused, Message: fmt.Sprintf("%s is the last active operator", c.Handle), Hint: "register or resume another operator first"}
	}
	step.Emit(&Suspended{Suspension{About: About{c.Handle}, Reason: c.Reason}, Chain{p.Head}})
	return Done{}, nil
}

func (s *State) resume(step *replica.Step, c *Resume) (Done, error) {
	if err := s.operator(step); err != nil {
		return Done{}, err
	}
	p, ok := s.participants.Get(c.Handle)
	if !ok {
		return Done{}, notFound("participant", c.Handle)
	}
	if p.Active() {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s is not suspended", c.Handle), Hint: "there is nothing to resume"}
	}
	step.Emit(&Resumed{Resumption{About: About{c.Handle}}, Chain{p.Head}})
	return Done{}, nil
}
