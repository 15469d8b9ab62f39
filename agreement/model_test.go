package agreement_test

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/money"
)

// A model of the fee schedule, written from the document's own words in exact fractions, with none of the code it
// checks. It is slow and simple.

type fataler interface{ Fatalf(string, ...any) }

func minor(t fataler, a agreement.Amounts) *big.Rat {
	v, ok := new(big.Rat).SetString(a["CNY"])
	if !ok {
		t.Fatalf("amount %v", a)
	}
	return v.Mul(v, big.NewRat(100, 1))
}

func percent(bps int, of *big.Rat) *big.Rat {
	return new(big.Rat).Mul(big.NewRat(int64(bps), 10_000), of)
}

func whole(r *big.Rat, how agreement.Rounding) *big.Rat {
	floor := new(big.Int).Quo(r.Num(), r.Denom()) // nothing here is negative
	rest := new(big.Rat).Sub(r, new(big.Rat).SetInt(floor))
	up := rest.Cmp(big.NewRat(1, 2)) >= 0
	switch how {
	case agreement.Down:
		up = false
	case agreement.Up:
		up = rest.Sign() > 0
	}
	if up {
		floor.Add(floor, big.NewInt(1))
	}
	return new(big.Rat).SetInt(floor)
}

func modelFees(t fataler, d *agreement.Document, s agreement.Sale) map[string]int64 {
	gross := big.NewRat(s.Gross, 1)
	bases := map[string]*big.Rat{
		"": gross, agreement.Gross: gross, agreement.Net: big.NewRat(s.Gross-s.Tax, 1), agreement.FreightExcluded: big.NewRat(s.Gross-s.Freight, 1),
	}
	spare, room := new(big.Rat).Set(gross), map[agreement.Role]*big.Rat{}
	if d.Guards != nil {
		for _, f := range d.Guards.Floors {
			spare.Sub(spare, whole(percent(f.BPS, gross), agreement.Up))
		}
		for _, c := range d.Guards.Caps {
			room[c.Party] = whole(percent(c.BPS, gross), agreement.Down)
		}
	}
	out := map[string]int64{}
	pay := func(id string, from, to agreement.Role, amount *big.Rat) {
		if r := room[to]; r != nil && amount.Cmp(r) > 0 {
			amount = r
		}
		if from == d.Scope.Beneficiary {
			if amount.Cmp(spare) > 0 {
				amount = spare
			}
			if amount.Sign() < 0 {
				amount = new(big.Rat)
			}
			spare = new(big.Rat).Sub(spare, amount)
		}
		if to == d.Scope.Beneficiary {
			spare = new(big.Rat).Add(spare, amount)
		}
		if r := room[to]; r != nil {
			room[to] = new(big.Rat).Sub(r, amount)
		}
		bases[id] = amount
		out[id] = amount.Num().Int64()
	}
	for _, f := range d.Fees {
		if len(f.Classes) > 0 && !slices.Contains(f.Classes, s.Class) {
			continue
		}
		base := bases[f.Of]
		if base == nil {
			base = new(big.Rat) // the line that it is a part of is for other classes
		}
		bps, own, fixed, least, most := 0, f.BPS != nil || f.Fixed != nil || f.Min != nil, f.Fixed, f.Min, f.Max
		if f.BPS != nil {
			bps = *f.BPS
		}
		part := percent(bps, base)
		if f.Tiers != nil {
			part, own = nil, own && f.Tiers.By == agreement.ByClass
			if own {
				part = percent(bps, base)
			}
			for _, step := range f.Tiers.Steps {
				if f.Tiers.By == agreement.ByClass {
					if slices.Contains(step.Classes, s.Class) {
						part = percent(step.BPS, base)
						if step.Fixed != nil {
							fixed = step.Fixed
						}
					}
					continue
				}
				from, below := new(big.Rat), (*big.Rat)(nil)
				if step.From != nil {
					from = minor(t, step.From)
				}
				if step.Below != nil {
					below = minor(t, step.Below)
				}
				if f.Tiers.Mode == agreement.Whole {
					if v := big.NewRat(s.Volume, 1); v.Cmp(from) >= 0 && (below == nil || v.Cmp(below) < 0) {
						part = percent(step.BPS, base)
					}
					continue
				}
				if part == nil {
					part = new(big.Rat)
				}
				low, high := big.NewRat(s.Volume, 1), big.NewRat(s.Volume+s.Gross, 1)
				if low.Cmp(from) < 0 {
					low = from
				}
				if below != nil && high.Cmp(below) > 0 {
					high = below
				}
				if high.Cmp(low) > 0 && s.Gross > 0 {
					slice := new(big.Rat).Sub(high, low)
					slice.Mul(slice, base).Quo(slice, gross)
					part.Add(part, percent(step.BPS, slice))
				}
			}
		}
		if part == nil {
			continue // no rate for this class
		}
		amount := whole(part, d.Rounding)
		if fixed != nil {
			amount.Add(amount, minor(t, fixed))
		}
		if most != nil && amount.Cmp(minor(t, most)) > 0 {
			amount = minor(t, most)
		}
		if least != nil && amount.Cmp(minor(t, least)) < 0 {
			amount = minor(t, least)
		}
		if base.Sign() == 0 {
			amount = new(big.Rat)
		}
		pay(f.ID, f.From, f.To, amount)
	}
	if s.Touched && d.Share != nil {
		base := bases[d.Share.Of]
		if base == nil {
			base = new(big.Rat)
		}
		pay("pool", d.Share.From, d.Share.To, whole(percent(d.Share.Pool, base), d.Rounding))
	}
	return out
}

// drawDocument makes a schedule of the kinds of lines there are.
func drawDocument(t *rapid.T) *agreement.Document {
	yuan := func(label string, most int) agreement.Amounts {
		n := rapid.IntRange(0, most).Draw(t, label)
		return agreement.Amounts{"CNY": fmt.Sprintf("%d.%02d", n/100, n%100)}
	}
	bps := func(label string, most int) *int {
		n := rapid.IntRange(0, most).Draw(t, label)
		if rapid.Bool().Draw(t, "round") { // so that halves come up
			n -= n % 250
		}
		return &n
	}
	d := agreement.Document{
		Format: agreement.Format, ID: "drawn", Version: 1, Name: agreement.Text{"en": "Drawn"},
		Parties: []agreement.Party{{Role: agreement.Seller, ID: "s"}, {Role: agreement.Marketplace, ID: "m"}, {Role: agreement.Wallet, ID: "w"}, {Role: agreement.Publisher, ID: "p"}},
		Valid:   agreement.Validity{From: 1},
		Scope: agreement.Scope{
			Kinds: []agreement.Kind{agreement.Payment, agreement.Refund}, Currencies: []string{"CNY"},
			Classes: []string{"a", "b"}, Beneficiary: agreement.Seller,
		},
		Rounding:   rapid.SampledFrom([]agreement.Rounding{agreement.HalfUp, agreement.Down, agreement.Up}).Draw(t, "rounding"),
		Settlement: &agreement.Settlement{Window: agreement.Duration(moongate.Day), Netting: agreement.Multilateral},
		Offer:      agreement.Offer{Kind: agreement.OfferClosed},
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "lines") {
		f := agreement.Fee{
			ID: fmt.Sprintf("line%d", i), From: agreement.Seller,
			To: rapid.SampledFrom([]agreement.Role{agreement.Marketplace, agreement.Wallet}).Draw(t, "to"),
			Of: rapid.SampledFrom([]string{"", agreement.Gross, agreement.Net, agreement.FreightExcluded}).Draw(t, "of"),
		}
		if i > 0 && rapid.IntRange(0, 4).Draw(t, "subsidy") == 0 {
			f.From, f.To = agreement.Publisher, agreement.Seller
		}
		if rapid.Bool().Draw(t, "for a") {
			f.Classes = []string{"a"}
		}
		switch rapid.IntRange(0, 4).Draw(t, "sort of line") {
		case 0:
			f.BPS = bps("rate", 1500)
			f.Fixed = yuan("fixed", 50)
		case 1:
			f.BPS = bps("rate", 1500)
			f.Min, f.Max = yuan("min", 30), agreement.Amounts{"CNY": "3.00"}
		case 2:
			f.Classes = nil
			f.BPS = bps("rest", 1500)
			f.Tiers = &agreement.Tiers{By: agreement.ByClass, Steps: []agreement.Tier{{Classes: []string{"b"}, BPS: *bps("rate of b", 1500), Fixed: yuan("fixed of b", 20)}}}
		case 3, 4:
			edge := yuan("edge", 200_00)
			if edge["CNY"] == "0.00" {
				edge["CNY"] = "0.01"
			}
			f.Tiers = &agreement.Tiers{
				By: agreement.ByVolume, Mode: rapid.SampledFrom([]agreement.TierMode{"", agreement.Marginal, agreement.Whole}).Draw(t, "mode"),
				Steps: []agreement.Tier{{Below: edge, BPS: *bps("low", 1500)}, {From: edge, BPS: *bps("high", 1500)}},
			}
			f.Max = agreement.Amounts{"CNY": "5.00"}
		}
		if rapid.Bool().Draw(t, "kept") {
			f.OnRefund = agreement.Kept
		}
		d.Fees = append(d.Fees, f)
	}
	if f := d.Fees[0]; f.OnRefund == "" && f.To == agreement.Marketplace && rapid.Bool().Draw(t, "shared") {
		d.Share = &agreement.Share{
			Rule: agreement.UniqueUniform, From: agreement.Marketplace, To: agreement.Publisher, Of: f.ID,
			Pool: rapid.IntRange(1, 10_000).Draw(t, "pool"), Window: agreement.Duration(30 * moongate.Day),
		}
	}
	if rapid.Bool().Draw(t, "guarded") {
		d.Guards = &agreement.Guards{
			Floors: []agreement.Guard{{Party: agreement.Seller, BPS: rapid.IntRange(0, 4000).Draw(t, "floor")}},
			Caps:   []agreement.Guard{{Party: agreement.Wallet, BPS: rapid.IntRange(0, 10_000).Draw(t, "cap")}},
		}
	}
	built, err := agreement.Build(d)
	if err != nil {
		t.Fatalf("the drawn document is refused:\n%v", err)
	}
	return built
}

func drawSale(t *rapid.T) agreement.Sale {
	s := agreement.Sale{
		Kind: agreement.Payment, Currency: money.CNY, Class: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "class"),
		Gross: rapid.OneOf(rapid.Int64Range(0, 300_00), rapid.Int64Range(0, 400)).Draw(t, "gross"), Volume: rapid.Int64Range(0, 300_00).Draw(t, "volume"), Touched: rapid.Bool().Draw(t, "touched"),
	}
	s.Freight = rapid.Int64Range(0, s.Gross).Draw(t, "freight")
	s.Tax = rapid.Int64Range(0, s.Gross).Draw(t, "tax")
	return s
}

func TestFeesAreThoseOfTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, s := drawDocument(t), drawSale(t)
		terms, err := agreement.Compile(d)
		if err != nil {
			t.Fatal(err)
		}
		list, err := terms.Fees(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		want := modelFees(t, d, s)
		if len(list) != len(want) {
			t.Fatalf("%d lines, the model has %d: %v", len(list), len(want), want)
		}
		kept := s.Gross
		for _, due := range list {
			id := "pool"
			if !due.Pool {
				id = d.Fees[due.Line].ID
			}
			if due.Minor != want[id] {
				t.Errorf("%s is %d, the model says %d", id, due.Minor, want[id])
			}
			if due.Minor < 0 {
				t.Errorf("%s is negative: %d", id, due.Minor)
			}
			switch agreement.Seller {
			case due.From:
				kept -= due.Minor
			case due.To:
				kept += due.Minor
			}
		}
		floor := 0
		if d.Guards != nil {
			floor = d.Guards.Floors[0].BPS
		}
		if kept*10_000 < s.Gross*int64(floor) {
			t.Errorf("the seller keeps %d of %d, less than its floor of %d basis points", kept, s.Gross, floor)
		}
	})
}

// However a sale is refunded in parts, what comes back adds up to what was taken, but for what is kept, and is never
// more on the way.
func TestRefundsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, s := drawDocument(t), drawSale(t)
		terms, err := agreement.Compile(d)
		if err != nil {
			t.Fatal(err)
		}
		paid, err := terms.Fees(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		back := make([]int64, len(paid))
		for now := s; now.Gross > 0; {
			next := now
			next.Gross = rapid.Int64Range(0, now.Gross).Draw(t, "left")
			if rapid.IntRange(0, 3).Draw(t, "end") == 0 {
				next.Gross = 0
			}
			next.Freight, next.Tax = min(now.Freight, next.Gross), min(now.Tax, next.Gross)
			list, err := terms.Refund(nil, now, next)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != len(paid) {
				t.Fatalf("%d lines go back of %d", len(list), len(paid))
			}
			for i, due := range list {
				back[i] += due.Minor
				if -back[i] > paid[i].Minor {
					t.Fatalf("line %d gives back %d of %d", i, -back[i], paid[i].Minor)
				}
			}
			now = next
		}
		if s.Gross == 0 {
			return
		}
		for i, due := range paid {
			want := -due.Minor
			if !due.Pool && d.Fees[due.Line].OnRefund == agreement.Kept {
				want = 0
			}
			if back[i] != want {
				t.Errorf("line %d gave back %d of %d", i, -back[i], due.Minor)
			}
		}
	})
}
