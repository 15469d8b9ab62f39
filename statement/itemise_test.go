package statement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/statement"
)

var update = flag.Bool("update", false, "write the golden files")

// march is a month with everything in it: sales at two wallets, freight, a refund, a payment that was held over the end
// of the month, one that was released from suspense, and sales before and after.
func march(t *testing.T) *garden {
	t.Helper()
	g := newGarden(t)
	g.Now = at("2026-03-10T08:00:00+08:00")
	first := g.buy("tea-shop", "crane-pay", 100_00, true)
	p := g.purchase("tea-shop", "carp-pay", 58_00, false)
	p.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 48_00, Freight: 8_00, Class: "=tea"}, {Party: "ink-shop", Amount: 10_00}}
	g.do("", &cross{p})
	g.tick(g.Now + 3*moongate.Day)
	g.pay()
	g.do("", &cross{crossing.Passage{Kind: crossing.Refund, Reverses: first, Currency: money.CNY, Amount: 25_00}})
	held := g.purchase("tea-shop", "crane-pay", 70_00, false)
	held.Pending = true
	inMarch, inApril := g.do("", &cross{held}).(moongate.ID), g.do("", &cross{held}).(moongate.ID)
	void := g.do("", &cross{held}).(moongate.ID)
	g.do("", &finish{ID: inMarch})
	g.do("", &finish{ID: void, Void: true})
	e := g.do("", &cross{crossing.Passage{Kind: crossing.Exception, From: "lotus-market", To: "crane-pay", Wallet: "crane-pay", Currency: money.CNY, Amount: 20_00}}).(moongate.ID)
	released := g.purchase("tea-shop", "crane-pay", 20_00, false)
	released.Releases = e
	g.do("", &cross{released})
	g.tick(at("2026-03-31T23:59:59+08:00"))
	g.buy("tea-shop", "crane-pay", 11_00, false)
	g.tick(at("2026-04-01T00:00:00+08:00"))
	g.do("", &finish{ID: inApril})
	g.buy("tea-shop", "crane-pay", 12_00, false)
	g.tick(at("2026-04-04T00:00:00+08:00"))
	g.pay()
	return g
}

func (g *garden) request(who string) statement.Request {
	return statement.Request{Party: who, Agreement: g.terms, Currency: money.CNY, Year: 2026, Month: time.March}
}

// golden compares with a file, whose identifiers are named by their order.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	got = named(got)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); after checking it, go test -update:\n%s", name, diff)
	}
}

func TestItemise(t *testing.T) {
	g := march(t)
	src := g.sources(t)
	for _, who := range []string{"tea-shop", "lotus-market", "willow-reads", "crane-pay"} {
		st, err := statement.Itemise(context.Background(), src, g.request(who))
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Problems) > 0 {
			t.Errorf("%s does not agree with the ledger: %v", who, st.Problems)
		}
		text, err := json.MarshalIndent(st, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, who+".json", string(text)+"\n")
		var table bytes.Buffer
		n, err := statement.WriteCSV(context.Background(), &table, src, g.request(who))
		if err != nil || n != len(st.Lines) {
			t.Errorf("%d lines of CSV, %d in the statement, %v", n, len(st.Lines), err)
		}
		golden(t, who+".csv", table.String())
	}
	g.audit()
}

// What the lines of all parties come to in a month is what they were settled, window by window.
func TestItemisedIsWhatWasSettled(t *testing.T) {
	g := march(t)
	src := g.sources(t)
	for _, who := range []string{"tea-shop", "ink-shop", "lotus-market", "willow-reads"} {
		st, err := statement.Itemise(context.Background(), src, g.request(who))
		if err != nil {
			t.Fatal(err)
		}
		settled := int64(0)
		for i, w := range st.Settled { // newest first: what the newest carried over belongs to the month too
			settled += w.Net
			if i > 0 {
				settled -= w.Carried
			}
		}
		if settled != st.Net {
			t.Errorf("%s: lines come to %d, windows to %d (%+v)", who, st.Net, settled, st.Settled)
		}
	}
	g.audit()
}

func TestItemiseRefuses(t *testing.T) {
	g := newGarden(t)
	src := g.sources(t)
	for name, c := range map[string]struct {
		change func(*statement.Request)
		code   moongate.Code
	}{
		"month":     {func(r *statement.Request) { r.Month = 13 }, moongate.Malformed},
		"year":      {func(r *statement.Request) { r.Year = 0 }, moongate.Malformed},
		"agreement": {func(r *statement.Request) { r.Agreement = moongate.ID{1} }, moongate.NotFound},
	} {
		r := g.request("tea-shop")
		c.change(&r)
		if _, err := statement.Itemise(context.Background(), src, r); moongate.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	st, err := statement.Itemise(context.Background(), src, g.request("tea-shop"))
	if err != nil || st.Crossings != 0 || st.Balance != nil || st.Net != 0 {
		t.Errorf("an empty month: %+v, %v", st, err)
	}
}

func TestMonths(t *testing.T) {
	g := march(t)
	months, _, err := statement.Months(context.Background(), g.lists(t), "tea-shop", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []statement.Month{{Agreement: g.terms.String(), Currency: "CNY", Month: "2026-03", Crossings: 8}}
	if diff := cmp.Diff(want, months); diff != "" {
		t.Errorf("months (-want +got):\n%s", diff)
	}
	g.audit()
}
