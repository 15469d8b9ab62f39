package reconcile

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

const (
	ready    = moongate.Day + 10*moongate.Hour + 15*moongate.Minute // after a day has begun: its bill is there by ten the next morning
	again    = 15 * moongate.Minute                                 // after which a bill is asked for that was not there, at first
	seldom   = 2 * moongate.Hour                                    // at last
	giveUp   = 3 * moongate.Day                                     // after which a person must look
	unheard  = 6 * moongate.Hour                                    // after which a fetch of which nothing was heard is begun again
	maxFetch = 2000                                                 // characters of what went wrong
)

// schedule has a wallet's bills fetched from a day on.
func (s *State) schedule(step *replica.Step, c *Schedule) (Done, error) {
	if err := s.mayKeep(step); err != nil {
		return Done{}, err
	}
	key := calendarKey{c.Wallet, c.Kind}
	_, known := s.calendars.Get(key)
	if known && c.Keep {
		return Done{}, nil
	}
	e := &Scheduled{Wallet: c.Wallet, Kind: c.Kind, Day: c.From, Abroad: c.Abroad, By: step.Caller}
	if c.From != "" {
		name := Name{Wallet: c.Wallet, Kind: c.Kind, Day: c.From, Abroad: c.Abroad}
		if err := s.fetchable(step, &name); err != nil {
			return Done{}, err
		}
		e.Next = max(step.At, name.period().from+ready)
	} else if !known {
		return Done{}, nil
	}
	step.Emit(e)
	return Done{}, nil
}

func (s *State) fetchable(step *replica.Step, n *Name) error {
	if err := n.check(); err != nil {
		return err
	}
	if p, ok := s.parties.Lookup(n.Wallet); !ok || p.Kind != party.Wallet {
		return &moongate.Error{Code: moongate.NotFound, Field: "wallet", Message: fmt.Sprintf("there is no wallet %.80q", n.Wallet), Hint: "name it as it is registered here"}
	}
	if from := n.period().from; from > step.At+31*moongate.Day || from < step.At-366*moongate.Day {
		return malformed("day", fmt.Sprintf("%s is not about now", n.Day), "wallets keep bills for three months")
	}
	return nil
}

// fetch has one day's bill fetched now.
func (s *State) fetch(step *replica.Step, c *Fetch) (Done, error) {
	if err := s.mayKeep(step); err != nil {
		return Done{}, err
	}
	name := Name{Wallet: c.Wallet, Kind: c.Kind, Day: c.Day}
	if cal, ok := s.calendars.Get(calendarKey{c.Wallet, c.Kind}); ok {
		name.Abroad = cal.Abroad
	}
	if err := s.fetchable(step, &name); err != nil {
		return Done{}, err
	}
	if p := name.period(); p.until > step.At {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Field: "day", Message: fmt.Sprintf("%s is not over", c.Day), Hint: "its bill is there from about ten the next morning"}
	}
	step.Emit(&FetchDue{Name: name, Try: 1, Alone: true})
	return Done{}, nil
}

// fetched takes in what came of fetching a bill, and says when the next one is due.
func (s *State) fetched(step *replica.Step, c *Fetched) (Done, error) {
	if err := s.mayKeep(step); err != nil {
		return Done{}, err
	}
	if err := c.Name.check(); err != nil {
		return Done{}, err
	}
	e := &FetchEnded{Name: c.Name, Result: c.Result, Bill: c.Bill, Message: clip(c.Message, maxFetch)}
	cal, ok := s.calendars.Get(calendarKey{c.Name.Wallet, c.Name.Kind})
	if ok && cal.Day == c.Name.Day {
		if c.Result == Later && step.At-cal.First < giveUp {
			e.Day, e.Next = cal.Day, step.At+min(seldom, again<<min(max(cal.Try-1, 0), 10))
		} else {
			if c.Result == Later {
				e.Result = Failed
			}
			next := Name{Wallet: c.Name.Wallet, Kind: c.Name.Kind, Day: nextDay(cal.Day, 1), Abroad: cal.Abroad}
			e.Day, e.Next = next.Day, max(step.At, next.period().from+ready)
		}
	}
	step.Emit(e)
	return Done{}, nil
}

// Tick looks at differences that have waited long enough or of which there are news, and has bills fetched that are due.
func (s *State) Tick(step *replica.Step, limit int) int {
	n := 0
	for n < limit {
		at, key, ok := s.due.Next(step.At)
		if !ok {
			break
		}
		if key.difference.IsZero() {
			c, ok := s.calendars.Get(key.calendar)
			if !ok || c.Next != at || c.Day == "" {
				continue // stale: not every node has such an item, so it must not count
			}
			n++
			step.Emit(&FetchDue{Name: Name{Wallet: key.calendar.Wallet, Kind: key.calendar.Kind, Day: c.Day, Abroad: c.Abroad}, Try: c.Try + 1})
			continue
		}
		d, ok := s.differences.Get(key.difference)
		if !ok || d.Next != at || d.Standing == Settled {
			continue
		}
		n++
		s.look(step, &d)
	}
	return n
}

// look judges a difference once more.
func (s *State) look(step *replica.Step, d *Difference) {
	b, ok := s.bills.Get(d.Bill)
	if !ok {
		step.Emit(&Moved{Difference: d.Difference, Class: d.Class, Ours: d.Ours, Facts: d.Facts, Standing: Open})
		return
	}
	if !d.Newer.IsZero() {
		step.Emit(&Ended{Difference: d.Difference, Action: Healed, Note: "a newer bill of the day agrees", Bill: d.Newer})
		return
	}
	m, known := s.pay.Movement(d.No)
	i := Item{Class: d.Class, Line: d.Line, No: d.No, Ours: d.Ours, Terms: d.Terms, Parts: d.Parts, Facts: d.Facts}
	switch v := s.judgeItem(b.Name.period(), &i, &m, known); v.class {
	case 0:
		step.Emit(&Ended{Difference: d.Difference, Action: Healed, Note: "what the hub has learnt since agrees"})
	case Timing:
		step.Emit(&Ended{Difference: d.Difference, Action: OtherDay, Note: v.facts, Class: Timing})
	default:
		step.Emit(&Moved{Difference: d.Difference, Class: v.class, Ours: v.ours, Facts: v.facts, Standing: Open})
	}
}

func clip(s string, most int) string {
	r := []rune(s)
	return string(r[:min(len(r), most)])
}

// Kinds of bills that wallets make.
var Kinds = []pay.BillKind{pay.TradeBill, pay.FundBill}
