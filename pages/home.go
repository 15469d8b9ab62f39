package pages

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// spans are what the first page can cover.
var spans = map[string]moongate.Time{"24h": moongate.Day, "7d": 7 * moongate.Day, "30d": 30 * moongate.Day}

const (
	homeLatest   = 8
	homeBalances = 8
)

func (p *Pages) home(v *visit) (console.Page, error) {
	page := console.Home{Range: v.URL.Query().Get("range"), Position: v.position(uint64(p.hub.Views.Position()))}
	if spans[page.Range] == 0 {
		page.Range = "24h"
	}
	if v.scopes.Has(party.LedgerRead) {
		flows, err := cached(&p.cache, "flows/"+page.Range+"/"+v.own(), p.hub.Now, func() ([]crossing.Flow, error) {
			return crossing.Flows(context.WithoutCancel(v.Context()), p.hub.Views, v.own(), v.now-spans[page.Range])
		})
		if err != nil {
			return nil, err
		}
		p.sumFlows(v, &page, flows)
		latest, _, err := crossing.List(v.Context(), p.hub.Views, crossing.Filter{Party: v.own()}, "", homeLatest)
		if err != nil {
			return nil, err
		}
		page.Latest = p.crossingLines(v, latest)
		if page.Balances, err = p.homeBalances(v); err != nil {
			return nil, err
		}
	}
	if v.scopes.Has(party.PaymentsRead) {
		unknown, err := cached(&p.cache, "unknown/"+v.own(), p.hub.Now, func() (int64, error) {
			return p.unknownPayments(context.WithoutCancel(v.Context()), v.own())
		})
		if err != nil {
			return nil, err
		}
		page.Totals.Unknown = unknown
	}
	return page, nil
}

// balancesLooked bounds the accounts from which the first page chooses.
const balancesLooked = 500

// homeBalances are the reader's accounts on which something stands, the largest first; for an operator, everybody's.
func (p *Pages) homeBalances(v *visit) ([]console.AccountLine, error) {
	lines, _, err := p.accountLines(v, v.own(), "", balancesLooked)
	if err != nil {
		return nil, err
	}
	lines = slices.DeleteFunc(lines, func(l console.AccountLine) bool { return l.Posted.IsZero() && l.Pending.IsZero() })
	slices.SortStableFunc(lines, func(a, b console.AccountLine) int { return cmp.Compare(weight(b.Posted), weight(a.Posted)) })
	return lines[:min(len(lines), homeBalances)], nil
}

// weight is an amount's distance from zero.
func weight(a money.Amount) int64 { return max(a.Minor, -a.Minor) }

func (p *Pages) sumFlows(v *visit, page *console.Home, flows []crossing.Flow) {
	between := map[[2]string]*console.Flow{}
	for _, f := range flows {
		page.Totals.Crossings += f.Count
		if f.State == crossing.Declined {
			page.Totals.Refused += f.Count
			continue
		}
		worth := money.Amount{}
		if f.State == crossing.Done && !f.Currency.IsZero() && f.Kind != crossing.Exception && f.Kind != crossing.Link {
			worth = money.Of(f.Amount, f.Currency)
			if f.Kind == crossing.Refund && f.Amount > 0 {
				worth.Minor = -worth.Minor
			}
			page.Totals.Value = plus(page.Totals.Value, worth)
		}
		if f.From == "" || f.To == "" {
			continue
		}
		flow := between[[2]string{f.From, f.To}]
		if flow == nil {
			flow = &console.Flow{From: p.party(f.From, v.lang), To: p.party(f.To, v.lang)}
			between[[2]string{f.From, f.To}] = flow
		}
		flow.Count += f.Count
		if !worth.Currency.IsZero() {
			flow.Amounts = plus(flow.Amounts, worth)
		}
	}
	for _, f := range between {
		page.Flows = append(page.Flows, *f)
	}
	sort.Slice(page.Flows, func(i, j int) bool {
		a, b := &page.Flows[i], &page.Flows[j]
		return a.Count > b.Count || a.Count == b.Count && a.From.ID+"\x00"+a.To.ID < b.From.ID+"\x00"+b.To.ID
	})
	if len(page.Flows) > flowsShown {
		page.Flows = page.Flows[:flowsShown]
	}
	sortAmounts(page.Totals.Value)
}

// flowsShown bounds the picture and the table beneath it.
const flowsShown = 60

// plus adds an amount to those of its currency.
func plus(all []money.Amount, a money.Amount) []money.Amount {
	for i := range all {
		if all[i].Currency == a.Currency {
			if sum, err := all[i].Add(a); err == nil {
				all[i] = sum
			}
			return all
		}
	}
	return append(all, a)
}

func sortAmounts(all []money.Amount) {
	sort.Slice(all, func(i, j int) bool { return all[i].Currency.String() < all[j].Currency.String() })
}

// lookedThrough bounds how many rows are looked through to count them.
const lookedThrough = 5000

// unknownPayments counts those whose outcome is being asked for, up to a bound.
func (p *Pages) unknownPayments(ctx context.Context, merchant string) (n int64, err error) {
	return p.countPayments(ctx, pay.Filter{Merchant: merchant, Status: pay.Open, Stage: pay.AttemptUnknown})
}

func (p *Pages) countPayments(ctx context.Context, f pay.Filter) (n int64, err error) {
	for after := ""; n < lookedThrough; {
		found, next, err := pay.Payments(ctx, p.hub.Views, f, after, 500)
		if err != nil {
			return 0, err
		}
		n += int64(len(found))
		if after = next; next == "" {
			break
		}
	}
	return n, nil
}
