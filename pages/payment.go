package pages

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

func (p *Pages) payments(v *visit) (console.Page, error) {
	q := v.URL.Query()
	page := console.Payments{Filter: console.PaymentFilter{
		State: bound(q.Get("state"), 20), Wallet: bound(q.Get("wallet"), 128), Order: bound(strings.TrimSpace(q.Get("order")), 128),
		Since: bound(q.Get("since"), 10), Until: bound(q.Get("until"), 10), Wallets: p.walletOptions(v),
	}}
	f := pay.Filter{Merchant: v.own(), Status: pay.Status(page.Filter.State), Wallet: page.Filter.Wallet, Order: page.Filter.Order}
	if page.Filter.State == string(pay.AttemptUnknown) {
		f.Status, f.Stage = pay.Open, pay.AttemptUnknown
	}
	var err error
	if f.Since, err = dayOf("since", page.Filter.Since); err != nil {
		return nil, err
	}
	if f.Until, err = dayOf("until", page.Filter.Until); err != nil {
		return nil, err
	}
	if f.Until != 0 {
		f.Until += moongate.Day
	}
	if v.operates() {
		if page.Filter.Merchant = bound(q.Get("merchant"), 128); page.Filter.Merchant != "" {
			f.Merchant = page.Filter.Merchant
		}
		if page.Filter.Merchants, err = p.gardens(v); err != nil {
			return nil, err
		}
	}
	found, paging, err := rows(p, v, "payments", func(after string, limit int) ([]pay.Row, string, error) {
		return pay.Payments(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Lines, page.Paging = p.paymentLines(v, found), paging
	return page, nil
}

// dayOf is when a day like 2026-11-20 begins, in UTC; "" is no bound.
func dayOf(field, text string) (moongate.Time, error) {
	if text == "" {
		return 0, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, notDay.in(field, fmt.Sprintf("%q is no day", text))
	}
	return moongate.At(day), nil
}

// walletOptions are the wallets that the hub deals with.
func (p *Pages) walletOptions(v *visit) []console.Option {
	options := make([]console.Option, 0, len(p.hub.Config.Wallets))
	for i := range p.hub.Config.Wallets {
		name := p.hub.Config.Wallets[i].Name
		options = append(options, console.Option{Value: name, Label: p.party(name, v.lang).Label()})
	}
	return options
}

func (p *Pages) paymentLines(v *visit, found []pay.Row) []console.PaymentLine {
	lines := make([]console.PaymentLine, 0, len(found))
	for i := range found {
		r := &found[i]
		lines = append(lines, console.PaymentLine{
			ID: r.ID.String(), At: r.Created, Order: r.Order, Merchant: p.party(r.Merchant, v.lang), Wallet: p.party(r.Wallet, v.lang),
			Amount: r.Amount, State: paymentState(r.Status, r.Stage, r.Refunded.Minor, r.Amount.Minor),
		})
	}
	return lines
}

// paymentState says more exactly where a payment stands than its status does.
func paymentState(s pay.Status, stage pay.AttemptStatus, refunded, amount int64) string {
	switch {
	case s == pay.Open && (stage == pay.AttemptAwaiting || stage == pay.AttemptUnknown || stage == pay.AttemptFailed):
		return string(stage)
	case s == pay.Succeeded && refunded >= amount && refunded > 0:
		return "refunded"
	case s == pay.Succeeded && refunded > 0:
		return "partly_refunded"
	}
	return string(s)
}

func (p *Pages) payment(v *visit) (console.Page, error) {
	id, err := idOf(v, moongate.KindPayment, "payment")
	if err != nil {
		return nil, err
	}
	var known pay.Payment
	var last pay.Attempt
	var ok bool
	p.hub.Machine().Read(func() {
		if known, ok = p.hub.Pay.Lookup(id); ok {
			last, _ = p.hub.Pay.Attempt(known.Attempt)
		}
	})
	if !ok || !v.sees(known.Merchant) {
		return nil, missing("payment")
	}
	page := console.Payment{
		Line: console.PaymentLine{
			ID: id.String(), At: known.Created, Order: known.Order, Merchant: p.party(known.Merchant, v.lang), Wallet: p.party(last.Wallet, v.lang),
			Amount: known.Amount, State: paymentState(known.Status, last.Status, known.Refunded, known.Amount.Minor),
		},
		Crossing: known.Crossing.String(),
	}
	for _, u := range known.Unfit {
		page.Unfit = append(page.Unfit, console.Unfit{Wallet: p.party(u.Wallet, v.lang), Why: whyUnfit(u.Why), Program: u.Reason})
	}
	if known.Refunded > 0 {
		page.Refunded = money.Of(known.Refunded, known.Amount.Currency)
	}
	if known.Status == pay.Succeeded {
		page.Refundable = money.Of(known.Amount.Minor-known.Reserved, known.Amount.Currency)
	}
	if known.Status == pay.Open {
		page.Until = known.Expires
	}
	p.reservation(v, &page, &known, &last)
	refunds, further, err := rowsBeside(p, v, "refunds", "refunds/"+id.String(), func(after string, limit int) ([]pay.RefundRow, string, error) {
		return pay.Refunds(v.Context(), p.hub.Views, pay.RefundFilter{Payment: id}, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Further = further
	page.Refunds = p.refundLines(v, refunds)
	var tries []moongate.ID
	page.Steps, page.Story, err = rowsBeside(p, v, "story", "story/"+id.String(), func(after string, _ int) (steps []console.Step, next string, err error) {
		from := known.Head
		if after != "" {
			at, err := strconv.ParseUint(after, 10, 64)
			if err != nil {
				return nil, "", err
			}
			from = journal.Position(at)
		}
		steps, tries, from, err = p.payStory(v, id, from)
		if from != 0 {
			next = fmt.Sprintf("%020d", from) // one length, whatever the position
		}
		return steps, next, err
	})
	if err != nil {
		return nil, err
	}
	asked := map[moongate.ID]int{}
	for _, id := range tries {
		asked[id]++
	}
	p.hub.Machine().Read(func() {
		seen := map[moongate.ID]bool{}
		for _, id := range tries {
			a, ok := p.hub.Pay.Attempt(id)
			if !ok || seen[id] {
				continue
			}
			seen[id] = true
			line := console.Attempt{
				ID: id.String(), At: a.Opened, Wallet: p.partyOf(a.Wallet, v.lang), State: string(a.Status), Reference: id.String(), Asked: asked[id] - 1,
			}
			if a.Status.Live() {
				line.Next = a.Next
			}
			if a.Outcome != nil {
				line.Theirs = a.Outcome.WalletRef
			}
			page.Attempts = append(page.Attempts, line)
		}
	})
	return page, nil
}

// storyLength bounds how many events of a payment are told at once.
const storyLength = 300

// payStory tells a payment's events from one on its chain back, oldest first; earlier is where the ones before them begin,
// 0 where there are none. Tries names each attempt once when it was opened and once for each time that the wallet was
// asked about it.
func (p *Pages) payStory(v *visit, payment moongate.ID, from journal.Position) (steps []console.Step, tries []moongate.ID, earlier journal.Position, err error) {
	err = pay.Walk(p.hub.Node.Journal().Entry, payment, from, func(e journal.Entry) bool {
		if len(steps) == storyLength {
			earlier = e.Position
			return false
		}
		step, try := p.payStep(v, e)
		steps = append(steps, step)
		if !try.IsZero() {
			tries = append(tries, try)
		}
		return true
	})
	if moongate.CodeOf(err) == moongate.NotFound { // the newest event is not durable yet: a moment later it is
		err = nil
	}
	slices.Reverse(steps)
	slices.Reverse(tries)
	return steps, tries, earlier, err
}

// disputeStates are what a dispute's state means for the merchant's money.
var disputeStates = map[pay.DisputeState]string{pay.DisputeOpen: "disputed", pay.DisputeReview: "pending", pay.DisputeWon: "succeeded", pay.DisputeLost: "refunded"}

// payStep tells one event. Only what the merchant may read of it is told.
func (p *Pages) payStep(v *visit, e journal.Entry) (step console.Step, try moongate.ID) {
	step = console.Step{What: e.Event.EventKind(), At: e.At}
	wallet := func(handle string) { step.Party = p.party(handle, v.lang) }
	switch event := e.Event.(type) {
	case *pay.Created:
		step.Party, step.Amount = p.party(event.Merchant, v.lang), event.Amount
	case *pay.AttemptOpened:
		wallet(event.Wallet)
		try = event.Attempt
		if c := event.Chosen; c != nil {
			step.What += "." + string(c.Because)
		}
		step.Note = p.chosen(event.Chosen, v.lang)
	case *pay.CreateDue:
		wallet(event.Wallet)
		step.State = "asking"
	case *pay.HandedOver:
		wallet(event.Try.Wallet)
	case *pay.QueryDue:
		wallet(event.Try.Wallet)
		step.State, try = "asking", event.Attempt
	case *pay.CloseDue:
		wallet(event.Closing.Wallet)
		step.State = "closing"
	case *pay.Doubted:
		wallet(event.Wallet)
		step.State = "unknown"
		failed(&step, event.Verdict, event.Code, event.Message)
		if event.Outcome != nil && event.Verdict == "" {
			step.Why = "why.another_amount"
		}
	case *pay.AttemptEnded:
		wallet(event.Wallet)
		step.What += "." + string(event.Status)
		failed(&step, "", event.Code, event.Message)
		if event.Status == pay.AttemptFailed {
			step.Why = whyVerdict(pay.Refused)
		}
		if event.Outcome != nil {
			step.Amount = event.Outcome.Amount
			if event.Status == pay.AttemptFailed {
				step.Why = "why.never_had"
			}
		}
		if event.Status != pay.AttemptPaid {
			step.State = "attempt.closed"
		}
		if event.Status == pay.AttemptFailed {
			step.State = "failed"
		}
	case *pay.Authorised:
		wallet(event.Try.Wallet)
		step.State, step.Amount = "authorised", event.Outcome.Amount
		step.Ref = console.Ref{Kind: "crossing", ID: event.Crossing.String()}
	case *pay.CaptureDue:
		wallet(event.Try.Wallet)
		step.State, step.Amount = "capturing", event.Amount
	case *pay.Settled:
		step.What += "." + string(event.Status)
		step.State = string(event.Status)
		if !event.Crossing.IsZero() {
			step.Ref = console.Ref{Kind: "crossing", ID: event.Crossing.String()}
		}
	case *pay.RefundOpened:
		wallet(event.Wallet)
		step.State, step.Amount = "pending", event.Amount
		if event.Exception.IsZero() {
			step.Note = event.Reason
		} else { // the hub's own words: the exception has a kind, which is told
			step.Why = "why.given_back"
		}
		step.Ref = console.Ref{Kind: "crossing", ID: event.Reversal.Crossing.String()}
	case *pay.RefundDue:
		wallet(event.Wallet)
		step.State = "asking"
	case *pay.RefundQueryDue:
		wallet(event.Wallet)
		step.State = "asking"
	case *pay.RefundMoved:
		wallet(event.Wallet)
		step.State = string(event.Status)
		failed(&step, event.Verdict, event.Code, event.Message)
	case *pay.RefundEnded:
		wallet(event.Wallet)
		step.What += "." + string(event.Status)
		step.State = string(event.Status)
		failed(&step, event.Verdict, event.Code, event.Message)
		if event.Outcome != nil {
			step.Amount = event.Outcome.Amount
		}
	case *pay.DisputeMoved:
		wallet(event.Wallet)
		step.What += "." + string(event.State)
		step.State, step.Amount, step.Note = disputeStates[event.State], event.Amount, event.Reason
		if !event.Crossing.IsZero() {
			step.Ref = console.Ref{Kind: "crossing", ID: event.Crossing.String()}
		}
	case *pay.ExceptionOpened:
		step.State, step.Amount, step.Why, step.Program = "exception", event.Amount, "exception.means."+string(event.Kind), event.Facts
		step.Ref = console.Ref{Kind: "exception", ID: event.Exception.String()}
	case *pay.ExceptionResolved:
		step.State = "resolved"
		if event.By != "" { // what the hub notes is told by what happened
			step.Note = event.Note
		}
	}
	return step, try
}
