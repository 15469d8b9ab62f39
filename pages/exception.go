package pages

import (
	"context"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
)

// waiting is how many exceptions wait for somebody, of those that the reader may see.
func (p *Pages) waiting(v *visit) (n int) {
	switch {
	case v.operates():
		p.hub.Machine().Read(func() { n = p.hub.Pay.Exceptions() })
	case v.scopes.Has(party.PaymentsRead):
		kinds, _ := kindsAndAges(p.aging(v))
		for _, c := range kinds {
			n += int(c.Count)
		}
	}
	return n
}

// aging counts the exceptions that wait, of those that the reader may see; a fault leaves the page without the figures.
func (p *Pages) aging(v *visit) []pay.Aging {
	found, err := cached(&p.cache, "exceptions/"+v.own(), p.hub.Now, func() ([]pay.Aging, error) {
		return pay.Waiting(context.WithoutCancel(v.Context()), p.hub.Views, v.own(), v.now)
	})
	if err != nil {
		p.hub.Log.Error("exceptions cannot be counted", "error", err)
	}
	return found
}

// ages name the spans of [pay.Aging].
var ages = [len(pay.Ages) + 1]string{"day", "three", "week", "older"}

// aged gives when those began to wait that have for a span of time; 0 is no bound.
func aged(age string, now moongate.Time) (since, until moongate.Time) {
	i := slices.Index(ages[:], age)
	if i > 0 {
		until = now - pay.Ages[i-1] + 1
	}
	if i >= 0 && i < len(pay.Ages) {
		since = now - pay.Ages[i] + 1
	}
	return since, until
}

func (p *Pages) exceptions(v *visit) (console.Page, error) {
	q := v.URL.Query()
	page := console.Exceptions{
		Kind: bound(q.Get("kind"), 40), State: bound(q.Get("state"), 20), Age: bound(q.Get("age"), 20), Wallet: bound(q.Get("wallet"), 128),
		Wallets: p.walletOptions(v),
	}
	f := pay.ExceptionFilter{Merchant: v.own(), Kind: pay.TroubleKind(page.Kind), Wallet: page.Wallet}
	one := q.Get("id")
	switch {
	case one != "":
		var err error
		if f.ID, err = moongate.ParseID(one); err != nil {
			return nil, missing("exception")
		}
	case page.State == "resolved":
		f.Settled = true
	default:
		f.Open, f.Oldest = true, true
		f.Since, f.Until = aged(page.Age, v.now)
		page.Counts, page.Ages = kindsAndAges(p.aging(v))
	}
	found, paging, err := rows(p, v, "exceptions", func(after string, limit int) ([]pay.ExceptionRow, string, error) {
		return pay.Exceptions(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range found {
		page.Lines = append(page.Lines, p.exceptionLine(v, &found[i]))
	}
	if one != "" && len(page.Lines) == 1 {
		page.State = page.Lines[0].State
	}
	return page, nil
}

// kindsAndAges sums the same exceptions up twice.
func kindsAndAges(waiting []pay.Aging) (kinds, byAge []console.KindCount) {
	if len(waiting) == 0 {
		return nil, nil
	}
	byAge = make([]console.KindCount, len(ages))
	for i := range waiting {
		sum := int64(0)
		for age, n := range waiting[i].ByAge {
			byAge[age].Kind = ages[age]
			byAge[age].Count += n
			sum += n
		}
		kinds = append(kinds, console.KindCount{Kind: string(waiting[i].Kind), Count: sum})
	}
	return kinds, byAge
}

func (p *Pages) exceptionLine(v *visit, r *pay.ExceptionRow) console.ExceptionLine {
	line := console.ExceptionLine{
		ID: r.ID.String(), Kind: string(r.Kind), Opened: r.Opened, State: "open", Amount: r.Amount, Facts: r.Facts,
		Party: p.party(r.Wallet, v.lang), Ended: r.Ended, How: string(r.Action), By: p.party(r.By, v.lang),
	}
	if r.By != "" { // what the hub notes is told by what happened
		line.Note = r.Note
	}
	if !r.Payment.IsZero() {
		line.Subject = console.Ref{Kind: "payment", ID: r.Payment.String()}
	}
	var known pay.Payment
	var x pay.Exception
	var open bool
	p.hub.Machine().Read(func() {
		known, _ = p.hub.Pay.Lookup(r.Payment)
		x, open = p.hub.Pay.Exception(r.ID)
	})
	line.Subtext = known.Order
	if r.Ended != 0 {
		line.State = "resolved"
		return line
	}
	if r.Held {
		line.Until = x.Next
	}
	if r.Kind == pay.TroubleAmount {
		line.Ours, line.Theirs = known.Amount, r.Amount
	}
	if !open || !v.operates() || !x.Refunded.IsZero() {
		return line
	}
	words := []string{"dismiss"}
	if r.Held {
		words = []string{"give_back"}
		if known.Status == pay.Held && known.Amount == r.Amount && (len(known.Payees) > 0 || known.Suspend == "") {
			words = append(words, "release")
		}
	}
	for _, word := range words {
		line.Actions = append(line.Actions, console.Action{Word: word, Target: "/console/exceptions/" + line.ID + "/" + word, Note: true, Danger: word == "give_back", Again: !v.fresh()})
	}
	return line
}

// exception leads into the queue, to the one that is named; the same way whether it is there, or the reader's, or not.
func (p *Pages) exception(v *visit) (console.Page, error) {
	id, err := idOf(v, moongate.KindException, "exception")
	if err != nil {
		return nil, err
	}
	v.elsewhere = "/console/exceptions?id=" + id.String()
	return nil, nil
}

// resolve ends an exception as an operator decides.
func (p *Pages) resolve(v *visit) (string, error) {
	id, err := idOf(v, moongate.KindException, "exception")
	if err != nil {
		return "", err
	}
	_, err = hub.Do[pay.Done](v.Context(), p.hub, v.who.Handle, "", &pay.Resolve{
		Exception: id, Action: pay.Action(v.PathValue("action")), Note: v.PostForm.Get("note"),
	})
	return "/console/exceptions", err
}
