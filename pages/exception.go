package pages

import (
	"context"
	"slices"
	"sort"

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
		for _, c := range p.exceptionCounts(v) {
			n += int(c.Count)
		}
	}
	return n
}

// exceptionCounts counts those that wait by kind; a fault leaves the page without the figures.
func (p *Pages) exceptionCounts(v *visit) []console.KindCount {
	counts, err := cached(&p.cache, "exceptions/"+v.own(), p.hub.Now, func() ([]console.KindCount, error) {
		byKind, after, seen := map[string]int64{}, "", 0
		for {
			found, next, err := pay.Exceptions(context.WithoutCancel(v.Context()), p.hub.Views, pay.ExceptionFilter{Merchant: v.own(), Open: true}, after, 500)
			if err != nil {
				return nil, err
			}
			for i := range found {
				byKind[string(found[i].Kind)]++
			}
			if seen += len(found); next == "" || seen >= lookedThrough {
				break
			}
			after = next
		}
		counts := make([]console.KindCount, 0, len(byKind))
		for kind, n := range byKind {
			counts = append(counts, console.KindCount{Kind: kind, Count: n})
		}
		sort.Slice(counts, func(i, j int) bool {
			return counts[i].Count > counts[j].Count || counts[i].Count == counts[j].Count && counts[i].Kind < counts[j].Kind
		})
		return counts, nil
	})
	if err != nil {
		p.hub.Log.Error("exceptions cannot be counted", "error", err)
	}
	return counts
}

func (p *Pages) exceptions(v *visit) (console.Page, error) {
	q := v.URL.Query()
	page := console.Exceptions{Kind: bound(q.Get("kind"), 40), State: q.Get("state"), Counts: p.exceptionCounts(v)}
	f := pay.ExceptionFilter{Merchant: v.own(), Kind: pay.TroubleKind(page.Kind), Open: page.State != "resolved"}
	found, paging, err := rows(p, v, "exceptions", func(after string, limit int) ([]pay.ExceptionRow, string, error) {
		if f.Open {
			return pay.Exceptions(v.Context(), p.hub.Views, f, after, limit)
		}
		return p.resolved(v.Context(), f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range found {
		page.Lines = append(page.Lines, p.exceptionLine(v, &found[i]))
	}
	return page, nil
}

// resolved leaves those out that still wait. A page may be short where many of them stand between.
func (p *Pages) resolved(ctx context.Context, f pay.ExceptionFilter, after string, limit int) ([]pay.ExceptionRow, string, error) {
	var all []pay.ExceptionRow
	for range lookedThrough / 500 {
		found, next, err := pay.Exceptions(ctx, p.hub.Views, f, after, limit)
		if err != nil {
			return nil, "", err
		}
		all = append(all, slices.DeleteFunc(found, func(r pay.ExceptionRow) bool { return r.Ended == 0 })...)
		if after = next; next == "" || len(all) >= limit/2 {
			break
		}
	}
	return all, after, nil
}

func (p *Pages) exceptionLine(v *visit, r *pay.ExceptionRow) console.ExceptionLine {
	line := console.ExceptionLine{
		ID: r.ID.String(), Kind: string(r.Kind), Opened: r.Opened, State: "open", Amount: r.Amount, Facts: r.Facts,
		Party: p.party(r.Wallet, v.lang), Subject: console.Ref{Kind: "payment", ID: r.Payment.String()}, Note: r.Note,
	}
	if r.Ended != 0 {
		line.State = "resolved"
		return line
	}
	var known pay.Payment
	var x pay.Exception
	var open bool
	p.hub.Machine().Read(func() {
		known, _ = p.hub.Pay.Lookup(r.Payment)
		x, open = p.hub.Pay.Exception(r.ID)
	})
	line.Subtext = known.Order
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
		line.Actions = append(line.Actions, console.Action{Word: word, Target: "/console/exceptions/" + line.ID + "/" + word, Note: true, Danger: word == "give_back"})
	}
	return line
}

// exception leads into the queue, to the one that is named.
func (p *Pages) exception(v *visit) (console.Page, error) {
	id, err := idOf(v, moongate.KindException, "exception")
	if err != nil {
		return nil, err
	}
	v.elsewhere = "/console/exceptions"
	p.hub.Machine().Read(func() {
		if _, open := p.hub.Pay.Exception(id); !open {
			v.elsewhere += "?state=resolved"
		}
	})
	v.elsewhere += "#" + id.String()
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
