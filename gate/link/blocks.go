package link

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// hubPolicy is what an operator's own blocks are bound by, which no agreement speaks of.
var hubPolicy = agreement.Block{
	Reasons:  agreement.BlockReasons(),
	Longest:  agreement.Duration(30 * moongate.Day),
	Evidence: true,
	Appeal:   agreement.Duration(90 * moongate.Day),
	Decide:   agreement.Duration(7 * moongate.Day),
}

// statement checks what is published in somebody's own words.
func statement(field, text string) error { return party.CheckText(field, text, 20, 2000) }

func (c *BlockLinks) check() error {
	if err := statement("facts", c.Facts); err != nil {
		return err
	}
	if c.Destination.IsZero() == (c.Host == "") {
		return malformed("destination", "destination %s and host %.80q", "name one of the two", c.Destination, c.Host)
	}
	if c.Host != "" {
		if err := checkPattern(c.Host); err != nil {
			return err
		}
	}
	if b, err := hex.DecodeString(c.Evidence); err != nil || len(b) != 0 && len(b) != 32 || strings.ToLower(c.Evidence) != c.Evidence {
		return malformed("evidence", "%.80q is not a SHA-256", "give the hash of the evidence as 64 digits of lower-case hex, and keep the evidence", c.Evidence)
	}
	if !slices.Contains(hubPolicy.Reasons, c.Reason) {
		return malformed("reason", "%.80q is not a reason", "choose from "+strings.Join(hubPolicy.Reasons, ", "), c.Reason)
	}
	return nil
}

func (s *State) blockLinks(step *replica.Step, c *BlockLinks) (BlockAnswer, error) {
	if err := c.check(); err != nil {
		return BlockAnswer{}, err
	}
	d := Decision{
		By: step.Caller, Agreement: c.Agreement, Destination: c.Destination, Host: c.Host, Reason: c.Reason, Facts: c.Facts,
		Evidence: c.Evidence, Automated: c.Automated, Since: step.At, Expires: c.Expires,
	}
	if !c.Destination.IsZero() {
		place, ok := s.destinations.Get(c.Destination)
		if !ok {
			return BlockAnswer{}, notFound("destination", c.Destination.String())
		}
		d.Host, d.Against = place.Host, place.Owner
	}
	policy, err := s.policy(step, c)
	if err != nil {
		return BlockAnswer{}, err
	}
	d.Everywhere = c.Agreement.IsZero()
	switch {
	case d.Against == step.Caller:
		return BlockAnswer{}, refused("destination", "the destination is %s's own", "close it instead", step.Caller)
	case !slices.Contains(policy.Reasons, c.Reason):
		return BlockAnswer{}, refused("reason", "the agreement does not allow a block for %s", "it allows "+strings.Join(policy.Reasons, ", "), c.Reason)
	case policy.Evidence && c.Evidence == "":
		return BlockAnswer{}, refused("evidence", "a block needs evidence here", "give the SHA-256 of what shows the facts")
	case c.Expires <= step.At || c.Expires > step.At+policy.Longest.Time():
		return BlockAnswer{}, refused("expires", "the block would last from %s to %s", "a block ends by itself, here within "+policy.Longest.String(), step.At, c.Expires)
	case s.blocks.Len() >= s.limits.Blocks || s.of(step.Caller).blocks >= (s.limits.Blocks+9)/10:
		return BlockAnswer{}, full("blocks")
	}
	for _, id := range s.shut[d.target()] {
		if b, ok := s.inForce(id, step.At); ok && b.Decision.Agreement == d.Agreement {
			return BlockAnswer{}, &moongate.Error{
				Code: moongate.Conflict, Message: fmt.Sprintf("block %s shuts the same until %s", id, b.Decision.Expires), Hint: "a block is not prolonged; decide anew when it has ended",
			}
		}
	}
	d.Block = step.NewID(moongate.KindBlock)
	d.AppealBy, d.Decide = step.At+policy.Appeal.Time(), policy.Decide.Time()
	step.Emit(&Blocked{d})
	return BlockAnswer{Block: d.Block, AppealBy: d.AppealBy}, nil
}

// policy finds what allows the caller to block, and within which bounds.
func (s *State) policy(step *replica.Step, c *BlockLinks) (*agreement.Block, error) {
	if c.Agreement.IsZero() {
		if !s.parties.IsOperator(step.Caller) || step.Caller == "" { // a person answers for it
			return nil, &moongate.Error{Code: moongate.Forbidden, Field: "agreement", Message: "only an operator shuts links without an agreement", Hint: "name the agreement that allows the block"}
		}
		return &hubPolicy, nil
	}
	if _, err := s.parties.Active(step.Caller); err != nil {
		return nil, err
	}
	terms, err := s.agreements.InForce(c.Agreement, step.At)
	if err != nil {
		return nil, cmp.Or(s.agreements.Unseen(c.Agreement, step.Caller), err)
	}
	if _, ok := s.agreements.RoleOf(terms, step.Caller, step.At); !ok {
		if err := s.agreements.Unseen(c.Agreement, step.Caller); err != nil {
			return nil, err
		}
		return nil, &moongate.Error{Code: moongate.Forbidden, Field: "agreement", Message: fmt.Sprintf("%s does not stand in %s", step.Caller, terms.Doc.ID), Hint: "only its parties block under it"}
	}
	if terms.Doc.Links == nil || terms.Doc.Links.Block == nil {
		return nil, refused("agreement", "%s does not allow links to be blocked", "agree on a policy first", terms.Doc.ID)
	}
	return terms.Doc.Links.Block, nil
}

// target is what the decision shuts.
func (d *Decision) target() target {
	t := target{publisher: d.By, destination: d.Destination}
	if d.Everywhere {
		t.publisher = ""
	}
	if d.Destination.IsZero() {
		t.host = d.Host
	}
	return t
}

// inForce finds a block whose time is not over, whether or not it was swept yet.
func (s *State) inForce(id moongate.ID, at moongate.Time) (Block, bool) {
	b, ok := s.blocks.Get(id)
	return b, ok && at < b.deadline()
}

func (s *State) lift(step *replica.Step, c *Lift) (Done, error) {
	if err := party.CheckText("note", c.Note, 1, 500); err != nil {
		return Done{}, err
	}
	b, ok := s.inForce(c.Block, step.At)
	if !ok {
		return Done{}, notFound("block in force", c.Block.String())
	}
	if b.Decision.By != step.Caller && !s.parties.IsOperator(step.Caller) {
		return Done{}, &moongate.Error{Code: moongate.Forbidden, Message: fmt.Sprintf("the block is %s's", b.Decision.By), Hint: "appeal against it"}
	}
	step.Emit(&Unblocked{Release{Block: c.Block, How: Lifted, By: step.Caller, Note: c.Note}, Chain{b.Head}})
	return Done{}, nil
}

func (s *State) appeal(step *replica.Step, c *Appeal) (AppealAnswer, error) {
	if err := statement("statement", c.Statement); err != nil {
		return AppealAnswer{}, err
	}
	b, ok := s.inForce(c.Block, step.At)
	if !ok {
		return AppealAnswer{}, notFound("block in force", c.Block.String())
	}
	d, ok := s.destinations.Get(c.Destination)
	if !ok || d.Owner != step.Caller || !b.Decision.shuts(&d) {
		return AppealAnswer{}, &moongate.Error{
			Code: moongate.Forbidden, Field: "destination", Message: fmt.Sprintf("the block does not shut a destination %s of %s's", c.Destination, step.Caller),
			Hint: "whose destination is shut may appeal",
		}
	}
	if b.Stage != Standing {
		return AppealAnswer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("block %s was appealed against by %s", c.Block, b.Appeal.By), Hint: "one appeal is heard; its decision is public"}
	}
	if step.At >= b.Decision.AppealBy {
		return AppealAnswer{}, refused("block", "block %s could be appealed against until %s", "it ends by itself at "+b.Decision.Expires.String(), c.Block, b.Decision.AppealBy)
	}
	e := Contest{Block: c.Block, By: step.Caller, Statement: c.Statement, DecideBy: step.At + b.Decision.Decide}
	step.Emit(&Appealed{e, Chain{b.Head}})
	return AppealAnswer{DecideBy: e.DecideBy}, nil
}

func (s *State) decideAppeal(step *replica.Step, c *DecideAppeal) (Done, error) {
	if err := statement("grounds", c.Grounds); err != nil {
		return Done{}, err
	}
	p, err := s.parties.Active(step.Caller)
	if err != nil {
		return Done{}, err
	}
	b, ok := s.inForce(c.Block, step.At)
	if !ok {
		return Done{}, notFound("block in force", c.Block.String())
	}
	if b.Stage != Contested {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("no appeal against block %s awaits a decision", c.Block), Hint: "look at what was decided"}
	}
	if p.Kind != party.Operator && p.Kind != party.Observer || step.Caller == b.Decision.By || step.Caller == b.Appeal.By || step.Caller == b.Decision.Against {
		return Done{}, &moongate.Error{Code: moongate.Forbidden, Message: fmt.Sprintf("%s cannot decide this appeal", step.Caller), Hint: "an operator or observer decides that is no party to it; nobody judges his own case"}
	}
	at := step.Emit(&AppealDecided{Ruling{Block: c.Block, By: step.Caller, Upheld: c.Upheld, Grounds: c.Grounds}, Chain{b.Head}})
	if !c.Upheld {
		step.Emit(&Unblocked{Release{Block: c.Block, How: Overturned, By: step.Caller, Note: c.Grounds}, Chain{at}})
	}
	return Done{}, nil
}

// Tick ends the blocks whose time is over, and those whose appeal nobody decided in time.
func (s *State) Tick(step *replica.Step, limit int) int {
	n := 0
	for n < limit {
		_, id, ok := s.due.Next(step.At)
		if !ok {
			break
		}
		b, ok := s.blocks.Get(id)
		if !ok {
			continue
		}
		if step.At < b.deadline() {
			continue // it was contested, or upheld, since
		}
		how := Expired
		if b.Stage == Contested && b.Appeal.DecideBy < b.Decision.Expires {
			how = Undecided
		}
		step.Emit(&Unblocked{Release{Block: id, How: how}, Chain{b.Head}})
		n++
	}
	return n
}
