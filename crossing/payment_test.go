package crossing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/share"
)

// journey leads through both publishers, past one who is not in the agreement and one touch that is too old.
func journey(now moongate.Time) []share.Touch {
	return []share.Touch{
		{Party: "plum-notes", At: now - 31*moongate.Day},
		{Party: "willow-reads", At: now - 2*moongate.Day},
		{Party: "stranger", At: now - moongate.Day},
		{Party: "plum-notes", At: now - moongate.Hour},
		{Party: "willow-reads", At: now - moongate.Minute},
		{Party: "willow-reads", At: now + moongate.Minute}, // a clock that is ahead does not count
	}
}

func TestPurchase(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	r := g.recorded(t, g.mustCross(t, g.purchase()))
	// Commission is 5 % of 92.00, four tenths of it for the publishers; the wallet takes 0.6 % of 100.00.
	want := `crane-pay held 10000
crane-pay fee 60 wallet_fee
tea-shop goods 9200
tea-shop freight 800
tea-shop fee -460 commission
tea-shop fee -60 wallet_fee
lotus-market fee 460 commission
lotus-market share -92
lotus-market share -92
willow-reads share 92
plum-notes share 92
`
	if d := cmp.Diff(want, sides(r)); d != "" {
		t.Error(d)
	}
	for owner, want := range map[string]int64{"tea-shop": 9_480, "lotus-market": 276, "willow-reads": 92, "plum-notes": 92} {
		if got := g.net(owner, ledger.Payable); got != want || r.Own(owner) != want {
			t.Errorf("%s is owed %d, and its side says %d; want %d", owner, got, r.Own(owner), want)
		}
	}
	if got := g.net("crane-pay", ledger.Wallet); got != 10_000 {
		t.Errorf("the wallet holds %d", got)
	}
	if got := g.net("crane-pay", ledger.Fee); got != 60 || r.Own("crane-pay") != 60 {
		t.Errorf("the wallet has earned %d", got)
	}
	if r.Version != 1 || r.Agreement != g.terms || len(r.Touches) != 3 || r.Subject != "p-1" {
		t.Errorf("recorded %+v", r)
	}
	g.audit(t)
}

// The memory of a crossing's event serves the next command, and is empty before: what a gate keeps of it is found out.
func TestEventMemoryIsUsedAgain(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	first := g.recorded(t, g.mustCross(t, g.purchase()))
	kept := g.gate.kept[0]
	if d := cmp.Diff(&crossing.Recorded{}, kept); d != "" {
		t.Errorf("after the command: %s", d)
	}
	second := g.recorded(t, g.mustCross(t, g.purchase()))
	if g.gate.kept[1] != kept {
		t.Error("the memory was not used again")
	}
	if again := g.recorded(t, first.ID); cmp.Diff(first, again) != "" || first.ID == second.ID {
		t.Errorf("the journal has %v and %v", again, second)
	}
	g.audit(t)
}

// A crossing carries its transfer: every party's side has the postings on its own accounts, and those alone.
func TestCrossingCarriesItsTransfer(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	r := g.recorded(t, g.mustCross(t, g.purchase()))
	moved, ok := r.Moves()
	if !ok || moved.ID != r.Transfer || moved.Crossing != r.ID || len(moved.Numbers) != len(moved.Postings) || len(moved.Before) != len(moved.Postings) {
		t.Fatalf("it carries %+v", moved)
	}
	count, debits, credits := 0, int64(0), int64(0)
	for _, side := range r.Sides {
		if len(side.Postings) == 0 || side.Transfer != r.Transfer {
			t.Errorf("the side of %s has %d postings by transfer %s", side.Party, len(side.Postings), side.Transfer)
		}
		for i, p := range side.Postings {
			if p.Account.Owner != side.Party {
				t.Errorf("the side of %s has a posting on %s", side.Party, p.Account)
			}
			if &side.Postings[i] != moved.Postings[count] {
				t.Errorf("posting %d of the transfer is not the side's", count)
			}
			if book, ok := g.books.Lookup(p.Account); !ok || book.Balance != p.Balance {
				t.Errorf("%s stands at %+v, the crossing says %+v", p.Account, book.Balance, p.Balance)
			}
			count, debits, credits = count+1, debits+p.Debit, credits+p.Credit
		}
	}
	if count != len(moved.Postings) || debits != credits || debits == 0 {
		t.Errorf("%d of %d postings, debits of %d and credits of %d", count, len(moved.Postings), debits, credits)
	}
	g.audit(t)
}

func TestWhoReadsWhat(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	r := g.recorded(t, g.mustCross(t, g.purchase()))
	for _, who := range []string{"lotus-market", "crane-pay"} {
		if !journal.Opens(r, "parties", who) {
			t.Errorf("%s does not read what both gardens share", who)
		}
	}
	for _, who := range []string{"tea-shop", "willow-reads", "stranger", "keeper", ""} {
		if journal.Opens(r, "parties", who) {
			t.Errorf("%q reads what both gardens share", who)
		}
	}
	everybody := []string{"crane-pay", "tea-shop", "lotus-market", "willow-reads", "plum-notes", "stranger", ""}
	for _, side := range r.Sides {
		for _, who := range everybody {
			if journal.Opens(r, "@"+side.Party, who) != (who == side.Party) {
				t.Errorf("%q and the side of %s", who, side.Party)
			}
		}
		if side.Crossing != r.ID || side.Currency != money.CNY || side.At != start || side.Kind != crossing.Payment {
			t.Errorf("the side of %s does not explain itself: %+v", side.Party, side)
		}
	}
	g.audit(t)
}

func TestSeveralPayees(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	p := g.purchase()
	p.Touches = nil
	p.Payees = []crossing.Payee{
		{Party: "tea-shop", Amount: 6_000, Freight: 500},
		{Party: "ink-shop", Amount: 3_500},
		{Party: "lotus-market", Amount: 500}, // gift wrapping: not the beneficiary, so no fees
	}
	r := g.recorded(t, g.mustCross(t, p))
	want := `crane-pay held 10000
crane-pay fee 36 wallet_fee
crane-pay fee 21 wallet_fee
tea-shop goods 5500
tea-shop freight 500
tea-shop fee -275 commission
tea-shop fee -36 wallet_fee
lotus-market fee 275 commission
lotus-market fee 175 commission
lotus-market goods 500
ink-shop goods 3500
ink-shop fee -175 commission
ink-shop fee -21 wallet_fee
`
	if d := cmp.Diff(want, sides(r)); d != "" {
		t.Error(d)
	}
	g.audit(t)
}

// The tier is that of the volume before each sale: within a month, within one crossing, and across the crossings of one
// command.
func TestVolumeTiers(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	sale := func(amount int64) crossing.Passage {
		p := g.purchase()
		p.Touches, p.Amount, p.Payees = nil, amount, []crossing.Payee{{Party: "tea-shop", Amount: amount}}
		return p
	}
	commission := func(r *crossing.Recorded) (sum int64) {
		for _, s := range r.Sides {
			for _, l := range s.Lines {
				if s.Party == "lotus-market" && l.Fee == "commission" {
					sum += l.Amount
				}
			}
		}
		return sum
	}
	// 5 % up to 100,000.00 a month, 4 % of what is above.
	for _, c := range []struct {
		amount, want int64
	}{{9_000_000, 450_000}, {2_000_000, 50_000 + 40_000}, {100, 4}} {
		if got := commission(g.recorded(t, g.mustCross(t, sale(c.amount)))); got != c.want {
			t.Errorf("commission of %d is %d, want %d", c.amount, got, c.want)
		}
	}
	// Another month, by the agreement's own calendar (+08:00), begins at zero.
	g.Now = mustTime("2026-03-31T15:59:59Z")
	if got := commission(g.recorded(t, g.mustCross(t, sale(10_000)))); got != 400 {
		t.Errorf("at the end of March the commission is %d", got)
	}
	g.Now = mustTime("2026-03-31T16:00:00Z")
	if got := commission(g.recorded(t, g.mustCross(t, sale(10_000)))); got != 500 {
		t.Errorf("at the beginning of April the commission is %d", got)
	}
	// Two payees of one crossing, and two crossings of one command, see each other.
	p := sale(20_000_000)
	p.Payees = []crossing.Payee{{Party: "ink-shop", Amount: 10_000_000}, {Party: "ink-shop", Amount: 10_000_000}}
	if got := commission(g.recorded(t, g.mustCross(t, p))); got != 500_000+400_000 {
		t.Errorf("two payees: commission of %d", got)
	}
	g.Now = mustTime("2026-05-10T00:00:00Z")
	ids := g.do(t, &cross{Passages: []crossing.Passage{sale(10_000_000), sale(10_000_000)}}).([]moongate.ID)
	if a, b := commission(g.recorded(t, ids[0])), commission(g.recorded(t, ids[1])); a != 500_000 || b != 400_000 {
		t.Errorf("two crossings: commissions of %d and %d", a, b)
	}
	if got := commission(g.recorded(t, g.mustCross(t, sale(10_000)))); got != 400 {
		t.Errorf("afterwards the commission is %d", got)
	}
	g.audit(t)
}

func TestPending(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   *finish // nil: time passes
		final int64
	}{{"completed", &finish{}, 9_480}, {"given up", &finish{Void: true}, 0}, {"expired", nil, 0}} {
		t.Run(c.name, func(t *testing.T) {
			g := newGarden(t, crossing.Bounds{})
			p := g.purchase()
			p.Pending, p.Expires = true, start+moongate.Hour
			id := g.mustCross(t, p)
			if got := g.net("tea-shop", ledger.Payable); got != 0 {
				t.Errorf("while it is pending the shop is owed %d", got)
			}
			if _, err := g.cross(crossing.Passage{Kind: crossing.Refund, Reverses: id, Currency: money.CNY, Amount: 1}); moongate.CodeOf(err) != moongate.Conflict {
				t.Errorf("refund of a pending crossing: %v", err)
			}
			if c.end != nil {
				c.end.ID = id
				g.do(t, c.end)
			} else if err := g.Tick(start + moongate.Hour); err != nil {
				t.Fatal(err)
			}
			if got := g.net("tea-shop", ledger.Payable); got != c.final {
				t.Errorf("at the end the shop is owed %d, want %d", got, c.final)
			}
			for _, again := range []*finish{{ID: id}, {ID: id, Void: true}} {
				if _, err := g.Do(replica.Request{Command: again}); moongate.CodeOf(err) != moongate.Conflict {
					t.Errorf("ended again: %v", err)
				}
			}
			if o, ok := g.crossings.Lookup(id); ok != (c.final > 0) || o.Pending {
				t.Errorf("kept: %v, pending: %v", ok, o.Pending)
			}
			g.audit(t)
		})
	}
}

// What is pending adds to the volume when it is completed.
func TestPendingVolume(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	big := g.purchase()
	big.Pending, big.Touches, big.Amount, big.Payees = true, nil, 10_000_000, []crossing.Payee{{Party: "tea-shop", Amount: 10_000_000}}
	small := g.purchase()
	small.Touches, small.Payees = nil, []crossing.Payee{{Party: "tea-shop", Amount: 10_000}}

	id := g.mustCross(t, big)
	before := g.recorded(t, g.mustCross(t, small)).Own("lotus-market")
	g.do(t, &finish{ID: id})
	after := g.recorded(t, g.mustCross(t, small)).Own("lotus-market")
	if before != 500 || after != 400 {
		t.Errorf("commission of %d before, %d after; want 500 and 400", before, after)
	}
	g.audit(t)
}

func TestRefused(t *testing.T) {
	limit := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		name   string
		change func(*garden, *crossing.Passage)
		code   moongate.Code
		want   string
	}{
		{"unknown agreement", func(_ *garden, p *crossing.Passage) { p.Agreement = moongate.ID{1, 9} }, moongate.NotFound, "there is no agreement"},
		{"agreement is over", func(g *garden, _ *crossing.Passage) { g.Now = mustTime("2029-01-01T00:00:00+08:00") }, moongate.Refused, "three-gardens ended at"},
		{"from is a stranger", func(_ *garden, p *crossing.Passage) { p.From = "stranger" }, moongate.Refused, "stranger does not stand under three-gardens"},
		{"to is nobody", func(_ *garden, p *crossing.Passage) { p.To = "nobody" }, moongate.NotFound, `there is no participant "nobody"`},
		{"to itself", func(_ *garden, p *crossing.Passage) { p.To = p.From }, moongate.Malformed, "to itself"},
		{"payee is a stranger", func(_ *garden, p *crossing.Passage) { p.Payees[0].Party = "stranger" }, moongate.Refused, "payees/0/party: stranger does not stand"},
		{"payee is suspended", func(g *garden, _ *crossing.Passage) {
			g.do(t, &party.Suspend{Handle: "tea-shop", Reason: "court order"})
		}, moongate.Forbidden, "tea-shop is suspended"},
		{"wallet is no wallet", func(_ *garden, p *crossing.Passage) { p.Wallet = "tea-shop" }, moongate.Refused, "wallet: tea-shop is no wallet of"},
		{"currency", func(_ *garden, p *crossing.Passage) { p.Currency = money.USD }, moongate.Refused, "USD is not in the scope"},
		{"limit", func(g *garden, _ *crossing.Passage) {
			g.do(t, &ledger.SetLimits{
				Account: ledger.Account{Owner: "tea-shop", Currency: money.CNY, Purpose: ledger.Payable}, Limits: ledger.Limits{Most: limit(5_000)},
			})
		}, moongate.Limit, "a limit of tea-shop in CNY does not allow it"},
		{"closed", func(g *garden, _ *crossing.Passage) {
			g.do(t, &ledger.SetLimits{
				Account: ledger.Account{Owner: "tea-shop", Currency: money.CNY, Purpose: ledger.Payable}, Limits: ledger.Limits{Closed: true},
			})
		}, moongate.Conflict, "is closed"},
		{"expired already", func(_ *garden, p *crossing.Passage) { p.Pending, p.Expires = true, start }, moongate.Malformed, "is not in the future"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGarden(t, crossing.Bounds{})
			p := g.purchase()
			c.change(g, &p)
			hash, err := g.Machine.Hash()
			if err != nil {
				t.Fatal(err)
			}
			before := len(g.entries(t))
			_, err = g.cross(p)
			if moongate.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v; want %q", err, c.want)
			}
			if after, err := g.Machine.Hash(); err != nil || after != hash {
				t.Errorf("a refusal changed the state: %v", err)
			}
			added := g.entries(t)[before:]
			if c.code == moongate.Malformed {
				if len(added) != 0 {
					t.Errorf("a malformed request left %d events", len(added))
				}
				return
			}
			if len(added) != 1 {
				t.Fatalf("%d events", len(added))
			}
			r, ok := added[0].Event.(*crossing.Refused)
			if !ok || r.Amount != 10_000 || r.From != p.From || r.To != p.To || r.Reason.Code != c.code || r.ID.Kind() != moongate.KindCrossing {
				t.Errorf("evidence: %+v", added[0].Event)
			}
			if !journal.Opens(r, "parties", p.From) || journal.Opens(r, "parties", "tea-shop") {
				t.Error("who reads the refusal")
			}
			g.audit(t)
		})
	}
}

func TestMalformed(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	for want, change := range map[string]func(*crossing.Passage){
		"there is no crossing of kind9":               func(p *crossing.Passage) { p.Kind = 9 },
		"amount: -1 is negative":                      func(p *crossing.Passage) { p.Amount = -1 },
		"amount: a payment of 0":                      func(p *crossing.Passage) { p.Amount, p.Payees = 0, nil },
		"amount: a link of 10000":                     func(p *crossing.Passage) { p.Kind, p.Wallet = crossing.Link, "" },
		"payees: they get 10000":                      func(p *crossing.Passage) { p.Amount = 9_999 },
		"payees/0/party: nobody is named":             func(p *crossing.Passage) { p.Payees[0].Party = "" },
		"payees/0/amount: 10000, of it freight 10001": func(p *crossing.Passage) { p.Payees[0].Freight = 10_001 },
		"of it freight 800 and tax -1":                func(p *crossing.Passage) { p.Payees[0].Tax = -1 },
		"payees/0/class: it is longer":                func(p *crossing.Passage) { p.Payees[0].Class = strings.Repeat("x", 129) },
		"payees/1/amount: the payees' amounts":        func(p *crossing.Passage) { p.Payees = append(p.Payees, crossing.Payee{Party: "x", Amount: 1<<63 - 1}) },
		"payees: 201 payees":                          func(p *crossing.Passage) { p.Payees = make([]crossing.Payee, 201) },
		"class: class or subject":                     func(p *crossing.Passage) { p.Subject = strings.Repeat("x", 129) },
		"wallet: a payment with wallet \"\"":          func(p *crossing.Passage) { p.Wallet = "" },
		"wallet: a conversion with wallet":            func(p *crossing.Passage) { p.Kind = crossing.Conversion },
		"reverses: a refund that reverses \"\"":       func(p *crossing.Passage) { p.Kind = crossing.Refund },
		"reverses: a payment that reverses":           func(p *crossing.Passage) { p.Reverses = moongate.ID{2, 1} },
		"releases: a conversion that releases":        func(p *crossing.Passage) { p.Kind, p.Wallet, p.Releases = crossing.Conversion, "", moongate.ID{2, 1} },
		"expires: only a pending":                     func(p *crossing.Passage) { p.Expires = start + 1 },
		"currency \"\"":                               func(p *crossing.Passage) { p.Currency = money.Currency{} },
		"payees: neither lotus-market nor crane-pay":  func(p *crossing.Passage) { p.Payees = nil },
	} {
		p := g.purchase()
		change(&p)
		before := len(g.Records)
		if _, err := g.cross(p); moongate.CodeOf(err) != moongate.Malformed || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
		if len(g.Records) != before {
			t.Errorf("%s: it left a trace", want)
		}
	}
	p := g.purchase()
	p.Touches = make([]share.Touch, share.MaxTouches+1)
	if _, err := g.cross(p); moongate.CodeOf(err) != moongate.TooLarge {
		t.Errorf("an endless journey: %v", err)
	}
	g.audit(t)
}

func TestFull(t *testing.T) {
	g := newGarden(t, crossing.Bounds{Open: 1})
	id := g.mustCross(t, g.purchase())
	if _, err := g.cross(g.purchase()); moongate.CodeOf(err) != moongate.Busy {
		t.Errorf("%v", err)
	}
	// Old work goes on.
	g.mustCross(t, crossing.Passage{Kind: crossing.Refund, Reverses: id, Currency: money.CNY, Amount: 10_000})
	g.audit(t)
}

func TestLink(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	id := g.mustCross(t, crossing.Passage{Kind: crossing.Link, Agreement: g.terms, From: "willow-reads", To: "lotus-market"})
	r := g.recorded(t, id)
	if len(r.Sides) != 0 || !r.Transfer.IsZero() || !journal.Opens(r, "parties", "willow-reads") {
		t.Errorf("a link that costs nothing: %+v", r)
	}
	if _, ok := g.crossings.Lookup(id); ok {
		t.Error("a link is kept for refunds")
	}
	g.audit(t)
}

// A plan that is dropped leaves no mark on the plans after it: not on limits, volumes or what is left to refund.
func TestDrop(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	most := int64(9_480)
	g.do(t, &ledger.SetLimits{Account: ledger.Account{Owner: "tea-shop", Currency: money.CNY, Purpose: ledger.Payable}, Limits: ledger.Limits{Most: &most}})
	id := g.do(t, &cross{Passages: []crossing.Passage{g.purchase()}, Twice: true}).([]moongate.ID)[0]
	if got := g.recorded(t, id).Volumes[0].Gross; got != 10_000 {
		t.Errorf("the volume rose by %d", got)
	}
	g.do(t, &cross{Passages: []crossing.Passage{refund(id, 10_000)}, Twice: true})
	g.audit(t)
}

// Terms under which somebody is paid who is nowhere named cannot be computed for a crossing that does not name it.
func TestNobodyInTheRole(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	text := strings.NewReplacer(
		"id: three-gardens", "id: with-carriers",
		"  - {role: seller, open: merchant", "  - {role: carrier, members: [ink-shop, stranger], name: Carriers}\n  - {role: seller, open: merchant",
		"  - id: wallet_fee", "  - {id: carriage, from: seller, to: carrier, fixed: {CNY: \"1.00\"}}\n  - id: wallet_fee",
	).Replace(string(agreement.Examples()["three-gardens.yaml"]))
	g.terms = g.agree(t, text, "lotus-market", "willow-reads", "plum-notes", "crane-pay", "carp-pay", "ink-shop", "stranger")
	g.accept(t, g.terms, agreement.Seller, "tea-shop")
	if _, err := g.cross(g.purchase()); moongate.CodeOf(err) != moongate.Refused || !strings.Contains(err.Error(), "nobody in this crossing is the carrier") {
		t.Errorf("%v", err)
	}
	p := g.purchase()
	p.From = "ink-shop" // a carrier that sells on its own
	r := g.recorded(t, g.mustCross(t, p))
	if r.Own("ink-shop") != 100 {
		t.Errorf("the carrier gets %d", r.Own("ink-shop"))
	}
	g.audit(t)
}

func TestKindsAndLinesInText(t *testing.T) {
	var b struct {
		Kind crossing.Kind `json:"kind"`
		What crossing.What `json:"what"`
	}
	for _, kind := range []string{"link", "payment", "refund", "conversion", "exception"} {
		for _, what := range []string{"goods", "freight", "fee", "share", "held", "suspense"} {
			text := fmt.Sprintf(`{"kind":%q,"what":%q}`, kind, what)
			if err := json.Unmarshal([]byte(text), &b); err != nil {
				t.Fatal(err)
			}
			if back, err := json.Marshal(b); err != nil || string(back) != text {
				t.Errorf("%s became %s, %v", text, back, err)
			}
		}
	}
	for _, text := range []string{`{"kind":"gift"}`, `{"kind":""}`, `{"what":"gift"}`, `{"what":""}`} {
		if err := json.Unmarshal([]byte(text), &b); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%s: %v", text, err)
		}
	}
	if s := fmt.Sprint(crossing.Kind(77), crossing.What(77)); s != "kind77 what77" {
		t.Errorf("unknown ones read %q", s)
	}
}
