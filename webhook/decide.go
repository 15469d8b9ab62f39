package webhook

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

func (s *State) checkTerms(url, name string, kinds []string) error {
	if err := CheckURL(url, s.limits.Loopback); err != nil {
		return err
	}
	if name != "" {
		if err := party.CheckText("name", name, 1, 80); err != nil {
			return err
		}
	}
	return checkKinds(kinds)
}

func (s *State) create(step *replica.Step, c *Create) (Answer, error) {
	if err := s.checkTerms(c.URL, c.Name, c.Kinds); err != nil {
		return Answer{}, err
	}
	if _, err := s.parties.Active(step.Caller); err != nil {
		return Answer{}, err
	}
	if n := len(s.byOwner[step.Caller]); n >= s.limits.Each {
		return Answer{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("%s has %d webhooks, the most that are allowed", step.Caller, n), Hint: "delete one that is not used"}
	}
	if s.endpoints.Len() >= s.limits.Endpoints {
		return Answer{}, &moongate.Error{Code: moongate.Limit, Message: "the hub has no room for another webhook", Hint: "ask the operator to raise the limit"}
	}
	id := step.NewID(moongate.KindWebhook)
	step.Emit(&Created{Terms{Of: Of{step.Caller, id}, URL: c.URL, Name: c.Name, Kinds: c.Kinds}})
	return Answer{id, 1}, nil
}

// own finds an endpoint that the caller may change: its own, and for an operator anybody's.
func (s *State) own(step *replica.Step, id moongate.ID) (Endpoint, error) {
	e, ok := s.endpoints.Get(id)
	if !ok || e.Owner != step.Caller && !s.parties.IsOperator(step.Caller) {
		return e, &moongate.Error{Code: moongate.NotFound, Field: "webhook", Message: fmt.Sprintf("there is no webhook %s, or it is not yours", id), Hint: "check the identifier"}
	}
	return e, nil
}

func (s *State) change(step *replica.Step, c *Change) (Done, error) {
	if err := s.checkTerms(c.URL, c.Name, c.Kinds); err != nil {
		return Done{}, err
	}
	e, err := s.own(step, c.Webhook)
	if err != nil {
		return Done{}, err
	}
	step.Emit(&Changed{Terms{Of: e.Of, URL: c.URL, Name: c.Name, Kinds: c.Kinds}})
	return Done{}, nil
}

func (s *State) delete(step *replica.Step, c *Delete) (Done, error) {
	e, err := s.own(step, c.Webhook)
	if err != nil {
		return Done{}, err
	}
	step.Emit(&Deleted{e.Of})
	return Done{}, nil
}

func (s *State) rotate(step *replica.Step, c *Rotate) (Answer, error) {
	e, err := s.own(step, c.Webhook)
	if err != nil {
		return Answer{}, err
	}
	if e.Rotated != 0 && step.At < e.Rotated+Overlap {
		return Answer{}, &moongate.Error{Code: moongate.Conflict, Field: "webhook", Message: fmt.Sprintf("its secret was rotated at %s, and the one before that still counts", e.Rotated), Hint: fmt.Sprintf("rotate it after %s, or delete it", e.Rotated+Overlap)}
	}
	step.Emit(&Rotated{Rotation{e.Of, e.Generation + 1}})
	return Answer{c.Webhook, e.Generation + 1}, nil
}

func (s *State) disable(step *replica.Step, c *Disable) (Done, error) {
	if err := party.CheckText("reason", c.Reason, 1, 200); err != nil {
		return Done{}, err
	}
	e, err := s.own(step, c.Webhook)
	if err != nil {
		return Done{}, err
	}
	if e.Disabled != "" {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Field: "webhook", Message: "it is disabled already: " + e.Disabled, Hint: "there is nothing left to stop"}
	}
	step.Emit(&Disabled{Stop{e.Of, c.Reason, step.Caller}})
	return Done{}, nil
}

func (s *State) enable(step *replica.Step, c *Enable) (Done, error) {
	e, err := s.own(step, c.Webhook)
	if err != nil {
		return Done{}, err
	}
	if e.Disabled == "" {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Field: "webhook", Message: "it is not disabled", Hint: "there is nothing to enable"}
	}
	step.Emit(&Enabled{e.Of})
	return Done{}, nil
}

func (s *State) redeliver(step *replica.Step, c *Redeliver) (Done, error) {
	e, err := s.own(step, c.Webhook)
	if err != nil {
		return Done{}, err
	}
	if c.Event == 0 || c.Event >= step.Next() {
		return Done{}, &moongate.Error{Code: moongate.Malformed, Field: "event", Message: "there is no such event", Hint: "take the cursor from the list of deliveries or of events"}
	}
	if e.Asked >= maxAsked {
		return Done{}, &moongate.Error{Code: moongate.Busy, Field: "webhook", Message: fmt.Sprintf("%d redeliveries wait already", e.Asked), Hint: "ask again when some have been sent"}
	}
	step.Emit(&RedeliveryAsked{e.Of, Ask{c.Event}})
	return Done{}, nil
}

// progress and outcome are the hub's own: whatever is stale or senseless in them changes nothing.
func (s *State) progress(step *replica.Step, c *Progress) (Done, error) {
	e, ok := s.endpoints.Get(c.Webhook)
	if step.Caller != "" || len(c.Deliveries) > maxReport {
		return Done{}, &moongate.Error{Code: moongate.Malformed, Message: "this is for the hub itself to say"}
	}
	if !ok || c.Through < e.Through || c.Through >= step.Next() {
		return Done{}, nil
	}
	if c.Through == e.Through && len(c.Deliveries) == 0 && c.Failing == (e.Failing != 0) && !c.Gone {
		return Done{}, nil
	}
	step.Emit(&Progressed{Webhook: c.Webhook, Through: c.Through, First: e.Number + 1, Deliveries: c.Deliveries, Failing: c.Failing})
	if c.Gone && e.Disabled == "" {
		step.Emit(&Disabled{Stop{e.Of, "the endpoint answered 410: it wants no more", ""}})
	}
	return Done{}, nil
}

func (s *State) outcome(step *replica.Step, c *Outcome) (Done, error) {
	e, ok := s.endpoints.Get(c.Webhook)
	if step.Caller != "" || step.Effect == 0 {
		return Done{}, &moongate.Error{Code: moongate.Malformed, Message: "this is for the hub itself to say"}
	}
	if ok {
		step.Emit(&Redelivered{c.Webhook, e.Number + 1, c.Delivery})
	}
	return Done{}, nil
}

// Tick disables endpoints that have failed for too long.
func (s *State) Tick(step *replica.Step, limit int) int {
	n := 0
	for n < limit {
		_, id, ok := s.due.Next(step.At)
		if !ok {
			break
		}
		n++
		if e, ok := s.endpoints.Get(id); ok && e.Disabled == "" && e.Failing != 0 && e.Failing+s.limits.Patience <= step.At {
			step.Emit(&Disabled{Stop{e.Of, fmt.Sprintf("it has not taken a message since %s", e.Failing), ""}})
		}
	}
	return n
}
