package link

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/share"
)

const (
	// MaxBatch is the most clicks of one batch.
	MaxBatch = 4000
	// maxMet is the most pairs of link and block that one batch tells of.
	maxMet = 500
	// conversionWindow is how long after a click its sale counts, where the agreement's share rule does not say.
	conversionWindow = 30 * moongate.Day
	// referenceMemory is how long a sale's reference is remembered at least.
	referenceMemory = 90 * moongate.Day
	// recorderMemory is how long it is remembered what a recorder counted: longer than any agreement's window.
	recorderMemory = 400 * moongate.Day
	// early is how far ahead of the hub the clock of a destination's owner may be.
	early = 5 * moongate.Minute
)

// group is the clicks of one batch that become one crossing.
type group struct {
	Between
	agreement moongate.ID
	clicks    []Line
	plan      *crossing.Plan
	reason    *moongate.Error
}

func (s *State) recordClicks(step *replica.Step, c *RecordClicks) (Done, error) {
	if c.Recorder == 0 || c.Recorder == uncounted || c.First == 0 || c.First >= 1<<62 || len(c.Clicks) > MaxBatch || len(c.Stopped) > maxMet || len(c.Clicks)+len(c.Stopped) == 0 {
		return Done{}, malformed("clicks", "%d clicks and %d stops of recorder %d from number %d", "see RecordClicks", len(c.Clicks), len(c.Stopped), c.Recorder, c.First)
	}
	if step.Caller != "" {
		return Done{}, &moongate.Error{Code: moongate.Forbidden, Message: "only the hub itself counts clicks in batches", Hint: "send single clicks"}
	}
	r, known := s.recorders.Get(c.Recorder)
	last := c.First + uint64(len(c.Clicks)) - 1
	if len(c.Clicks) > 0 && last <= r.Through {
		return Done{}, nil // the answer was lost, and the batch comes again
	}
	if len(c.Clicks) > 0 && c.First != r.Through+1 {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("recorder %d goes on with click %d, but is at %d", c.Recorder, c.First, r.Through), Hint: "begin a new recorder"}
	}
	if !known && s.recorders.Len() >= s.limits.Recorders {
		return Done{}, full("recorders")
	}
	for _, g := range s.planAll(step, s.gather(c.Clicks)) {
		s.emit(step, g)
	}
	for _, m := range c.Stopped {
		if l, ok := s.links.Get(m.Link); ok && m.Count > 0 {
			reason := ""
			if b, ok := s.blocks.Get(m.Block); ok {
				reason = b.Decision.Reason
			}
			step.Emit(&Met{Encounter{Between: Between{Publisher: l.Publisher, Owner: l.Owner}, Stopped: m, Reason: reason}})
		}
	}
	if len(c.Clicks) > 0 {
		step.Emit(&Counted{Recorder: c.Recorder, Through: last})
	}
	return Done{}, nil
}

// gather puts the clicks together that are one crossing, in the order in which each began. What names no link is
// counted, and otherwise left out: only the hub's own memory can have made it up.
func (s *State) gather(clicks []Line) []*group {
	type key struct {
		publisher, owner string
		agreement        moongate.ID
	}
	found := map[key]*group{}
	var groups []*group
	for _, line := range clicks {
		l, ok := s.links.Get(line.Link)
		if !ok {
			continue
		}
		k := key{l.Publisher, l.Owner, l.Agreement}
		g := found[k]
		if g == nil {
			g = &group{Between: Between{Publisher: l.Publisher, Owner: l.Owner}, agreement: l.Agreement}
			found[k] = g
			groups = append(groups, g)
		}
		g.clicks = append(g.clicks, line)
	}
	return groups
}

// planAll plans the crossing of each group. Where the terms charge for a link, each click is one of its own.
func (s *State) planAll(step *replica.Step, groups []*group) []*group {
	planned := make([]*group, 0, len(groups))
	for _, g := range groups {
		s.plan(step, g)
		if g.reason != nil || len(g.clicks) == 1 || len(g.plan.Event().Sides) == 0 {
			planned = append(planned, g)
			continue
		}
		g.plan.Drop(step)
		for i := range g.clicks {
			one := &group{Between: g.Between, agreement: g.agreement, clicks: g.clicks[i : i+1 : i+1]}
			s.plan(step, one)
			planned = append(planned, one)
		}
	}
	return planned
}

func (g *group) passage() crossing.Passage {
	return crossing.Passage{Kind: crossing.Link, Agreement: g.agreement, From: g.Publisher, To: g.Owner}
}

// plan plans the crossing of a group, or notes why there is none.
func (s *State) plan(step *replica.Step, g *group) {
	var err error
	g.plan, err = s.crossings.Plan(step, g.passage())
	g.reason = reasonOf(err)
}

// emit records a group, as a crossing or as refused, and gives the crossing's identifier.
func (s *State) emit(step *replica.Step, g *group) moongate.ID {
	if g.reason != nil {
		refusal := s.crossings.Refusal(step, g.passage(), g.reason)
		step.Emit(refusal)
		step.Emit(&TurnedDown{Loss{Between: g.Between, Agreement: g.agreement, Crossing: refusal.ID, Clicks: int64(len(g.clicks)), Reason: *g.reason}})
		return refusal.ID
	}
	id := g.plan.Emit(step).ID
	if len(g.clicks) > 0 {
		step.Emit(&Clicked{Batch{Between: g.Between, Agreement: g.agreement, Crossing: id, Clicks: g.clicks}})
	}
	return id
}

// reasonOf is an error as an event keeps it.
func reasonOf(err error) *moongate.Error {
	if err == nil {
		return nil
	}
	var e *moongate.Error
	if errors.As(err, &e) {
		return e
	}
	return &moongate.Error{Code: moongate.CodeOf(err), Message: err.Error()}
}

func (s *State) recordClick(step *replica.Step, c *RecordClick) (ClickAnswer, error) {
	if !slices.Contains(devices, c.Device) {
		return ClickAnswer{}, malformed("device", "%.40q is no device", "the devices are web, ios, android, harmony, wechat, alipay", c.Device)
	}
	l, ok := s.links.Get(c.Link)
	if !ok || l.Publisher != step.Caller {
		return ClickAnswer{}, notFound("link of yours", c.Link)
	}
	r, err := s.Resolve(c.Link, c.Device, step.At)
	if err != nil {
		return ClickAnswer{}, err
	}
	between := Between{Publisher: l.Publisher, Owner: l.Owner}
	if r.Block != nil {
		met := Stopped{Link: l.Code, Block: r.Block.Decision.Block, Count: 1, First: step.At, Last: step.At}
		return ClickAnswer{}, step.Refuse(&Met{Encounter{Between: between, Stopped: met, Reason: r.Block.Decision.Reason}}, r.Block.refusal())
	}
	click := r.click(step.NewID(moongate.KindClick), step.At)
	g := &group{Between: between, agreement: l.Agreement, clicks: []Line{{ID: click.ID, Link: l.Code, At: click.At, Device: c.Device}}}
	if s.plan(step, g); g.reason != nil {
		return ClickAnswer{}, g.reason
	}
	s.emit(step, g)
	return ClickAnswer{Click: click}, nil
}

// click is a click on the resolved link.
func (r *Resolution) click(id moongate.ID, at moongate.Time) Click {
	return Click{
		ID: id, Link: r.Link.Code, Agreement: r.Link.Agreement, Publisher: r.Link.Publisher, Owner: r.Link.Owner,
		Campaign: r.Link.Campaign, Destination: r.Destination.Hash, At: at, Expires: at + r.TTL,
	}
}

func (c *Convert) check() error {
	if len(c.Reference) == 0 || len(c.Reference) > 64 || strings.IndexFunc(c.Reference, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return malformed("reference", "%.80q is no reference", "give the order's number: 1 to 64 printable ASCII characters without blanks", c.Reference)
	}
	if err := c.Amount.Check(); err != nil {
		return err
	}
	if c.Amount.Minor <= 0 {
		return malformed("amount", "a sale of %s", "give the amount that was paid; refunds are a matter of their own", c.Amount)
	}
	return nil
}

func (s *State) convert(step *replica.Step, c *Convert) (ConversionAnswer, error) {
	if err := c.check(); err != nil {
		return ConversionAnswer{}, err
	}
	click := &c.Click
	if click.Owner != step.Caller {
		return ConversionAnswer{}, &moongate.Error{Code: moongate.Forbidden, Field: "token", Message: fmt.Sprintf("the click led to %s, not to %s", click.Owner, step.Caller), Hint: "whoever made the sale reports it"}
	}
	key := saleKey{click.Owner, c.Reference}
	if known, ok := s.conversions.Get(key); ok && step.At < known.Forget {
		return ConversionAnswer{}, &moongate.Error{Code: moongate.Conflict, Field: "reference", Message: fmt.Sprintf("sale %s was recorded as %s", c.Reference, known.Conversion), Hint: "a reference stands for one sale"}
	}
	terms, err := s.agreements.InForce(click.Agreement, step.At)
	if err != nil {
		return ConversionAnswer{}, err
	}
	window := conversionWindow
	if _, w, ok := terms.Sharing(); ok {
		window = w
	}
	switch {
	case c.At < click.At || c.At > step.At+early:
		return ConversionAnswer{}, refused("at", "a sale at %s, with a click at %s and a report at %s", "check the clock", c.At, click.At, step.At)
	case step.At > click.At+window:
		return ConversionAnswer{}, refused("at", "the click was at %s, and sales count for %d hours", "report each sale at once", click.At, window/moongate.Hour)
	case s.conversions.Len() >= s.limits.Conversions || s.of(step.Caller).conversions >= (s.limits.Conversions+3)/4:
		return ConversionAnswer{}, full("conversions within their window")
	}
	between := Between{Publisher: click.Publisher, Owner: click.Owner}
	var lost *group
	if s.Lost(click) { // it is recorded with its sale; a reason against it holds up no sale
		lost = &group{Between: between, agreement: click.Agreement}
		s.plan(step, lost)
	}
	plan, err := s.crossings.Plan(step, crossing.Passage{
		Kind: crossing.Conversion, Agreement: click.Agreement, From: click.Publisher, To: click.Owner, Class: c.Class,
		Currency: c.Amount.Currency, Amount: c.Amount.Minor, Touches: []share.Touch{click.Touch()},
	})
	if err != nil {
		return ConversionAnswer{}, err
	}
	if lost != nil {
		step.Emit(&Recovered{LostClick{Between: between, Private: s.private(terms, &between, step.At), Click: *click, Crossing: s.emit(step, lost)}})
	}
	id := step.NewID(moongate.KindConversion)
	recorded := plan.Emit(step)
	step.Emit(&Converted{Sale{
		Between: between, Conversion: id, Crossing: recorded.ID, Click: click.ID, Clicked: click.At, Link: click.Link,
		Reference: c.Reference, Class: c.Class, Amount: c.Amount, At: c.At,
		Forget: max(step.At+referenceMemory, click.At+window+moongate.Day),
	}})
	return ConversionAnswer{Conversion: id, Crossing: recorded.ID}, nil
}

// private tells whether the publisher must learn totals only of what the owner sells.
func (s *State) private(t *agreement.Terms, b *Between, at moongate.Time) bool {
	of, _ := s.agreements.RoleOf(t, b.Owner, at)
	to, _ := s.agreements.RoleOf(t, b.Publisher, at)
	_, private := t.Private(of, to)
	return private
}
