package ledger_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// payment is 100.00 paid with a wallet: 5.00 for the marketplace, 0.60 for the wallet, the rest for the seller.
func payment(expires moongate.Time) order {
	return order{Crossing: moongate.ID{2, 9}, Pending: expires != 0, Expires: expires, Legs: []leg{
		{wallet("yuebao"), payable("shop"), 10_000},
		{payable("shop"), payable("market"), 500},
		{payable("shop"), fee("yuebao"), 60},
	}}
}

func TestPaymentIsPosted(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	results := o.move(t, payment(0))
	want := []*ledger.Posting{
		{Account: wallet("yuebao"), Debit: 10_000, Balance: ledger.Balance{Debits: 10_000}},
		{Account: payable("shop"), Credit: 9_440, Balance: ledger.Balance{Credits: 9_440}}, // netted
		{Account: payable("market"), Credit: 500, Balance: ledger.Balance{Credits: 500}},
		{Account: fee("yuebao"), Credit: 60, Balance: ledger.Balance{Credits: 60}},
	}
	if d := cmp.Diff(want, results[0].Postings); d != "" {
		t.Error(d)
	}
	if results[0].Transfer.Kind() != moongate.KindTransfer {
		t.Errorf("transfer %q", results[0].Transfer)
	}
	if got := o.books.Balance(payable("shop")); got.Net(ledger.Payable) != 9_440 {
		t.Errorf("the shop is owed %d", got.Net(ledger.Payable))
	}
	if got := o.books.Balance(payable("nobody")); got != (ledger.Balance{}) {
		t.Errorf("an account that was never used has moved %+v", got)
	}
	o.audit(t)
}

func TestPendingEndsOnce(t *testing.T) {
	held := ledger.Balance{CreditsPending: 9_440}
	for _, c := range []struct {
		name   string
		finish *finish // nil: time passes
		want   ledger.Balance
	}{
		{"posted", &finish{}, ledger.Balance{Credits: 9_440}},
		{"voided", &finish{Void: true}, ledger.Balance{}},
		{"posted in part", &finish{Legs: []leg{{wallet("yuebao"), payable("shop"), 4_000}, {payable("shop"), fee("yuebao"), 24}}}, ledger.Balance{Credits: 3_976}},
		{"expired", nil, ledger.Balance{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(ledger.Bounds{})
			id := o.move(t, payment(start+moongate.Hour))[0].Transfer
			if got := o.books.Balance(payable("shop")); got != held {
				t.Fatalf("held as %+v", got)
			}
			if h, ok := o.books.Pending(id); !ok || len(h.Holds) != 4 {
				t.Fatalf("pending: %+v, %v", h, ok)
			}
			if c.finish == nil {
				if err := o.Tick(start + moongate.Hour); err != nil {
					t.Fatal(err)
				}
			} else {
				c.finish.ID = id
				if _, err := o.Do(replica.Request{Command: c.finish}); err != nil {
					t.Fatal(err)
				}
			}
			if got := o.books.Balance(payable("shop")); got != c.want {
				t.Errorf("balance %+v, want %+v", got, c.want)
			}
			// The end is final.
			for _, again := range []*finish{{ID: id}, {ID: id, Void: true}} {
				if _, err := o.Do(replica.Request{Command: again}); moongate.CodeOf(err) != moongate.Conflict {
					t.Errorf("ended again: %v", err)
				}
			}
			if err := o.Tick(start + moongate.Day); err != nil {
				t.Fatal(err)
			}
			if got := o.books.Balance(payable("shop")); got != c.want {
				t.Errorf("a day later the balance is %+v, want %+v", got, c.want)
			}
			o.audit(t)
		})
	}
}

// The deadline binds at its moment, whether or not a tick came first.
func TestPostingAfterExpiryIsRefused(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	id := o.move(t, payment(start+moongate.Hour))[0].Transfer
	o.Now = start + moongate.Hour
	if _, err := o.Do(replica.Request{Command: &finish{ID: id}}); moongate.CodeOf(err) != moongate.Conflict || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("%v", err)
	}
	o.audit(t)
}

func TestPlanRefuses(t *testing.T) {
	huge := leg{wallet("w"), payable("a"), math.MaxInt64}
	for _, c := range []struct {
		name   string
		orders []order
		code   moongate.Code
		want   string
	}{
		{"no legs", []order{{}}, moongate.Malformed, "legs: a transfer of 0 legs"},
		{"too many legs", []order{{Legs: make([]leg, ledger.MaxLegs+1)}}, moongate.Malformed, "legs: a transfer of 4097 legs"},
		{"negative", []order{{Legs: []leg{{wallet("w"), payable("a"), -1}}}}, moongate.Malformed, "legs/0/amount: -1 is negative"},
		{
			"two currencies",
			[]order{{Legs: []leg{{wallet("w"), ledger.Account{Owner: "a", Currency: money.USD, Purpose: ledger.Payable}, 1}}}},
			moongate.Malformed, "from a/USD/payable to w/CNY/wallet",
		},
		{"unknown currency", []order{{Legs: []leg{{ledger.Account{Purpose: 1}, ledger.Account{Purpose: 2}, 1}}}}, moongate.Malformed, `currency ""`},
		{
			"unknown purpose",
			[]order{{Legs: []leg{{ledger.Account{Currency: money.CNY}, ledger.Account{Currency: money.CNY, Purpose: 200}, 1}}}},
			moongate.Malformed, "no account is for purpose 0",
		},
		{"bad owner", []order{{Legs: []leg{{wallet("a b"), payable("a"), 1}}}}, moongate.Malformed, `owner: "a b" is no participant's handle`},
		{"expiry without pending", []order{{Expires: start + 1, Legs: []leg{{wallet("w"), payable("a"), 1}}}}, moongate.Malformed, "only a pending transfer expires"},
		{"expiry in the past", []order{{Pending: true, Expires: start, Legs: []leg{{wallet("w"), payable("a"), 1}}}}, moongate.Malformed, "is not in the future"},
		{"overflow within", []order{{Legs: []leg{huge, huge}}}, moongate.Malformed, "legs/1/amount: the legs of one account add up"},
		{"overflow across plans", []order{{Legs: []leg{huge}}, {Legs: []leg{{wallet("w"), payable("b"), 1}}}}, moongate.Limit, "the turnover of w/CNY/wallet would exceed 64 bits"},
		{"overflow of what is held", []order{{Pending: true, Legs: []leg{huge}}, {Legs: []leg{{wallet("v"), payable("a"), 1}}}}, moongate.Limit, "the turnover of a/CNY/payable"},
		{"closed", []order{{Legs: []leg{{wallet("w"), payable("closed"), 1}}}}, moongate.Conflict, "closed/CNY/payable is closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(ledger.Bounds{})
			o.limit(t, payable("closed"), ledger.Limits{Closed: true})
			before, err := o.Machine.Hash()
			if err != nil {
				t.Fatal(err)
			}
			_, err = o.Do(replica.Request{Command: &move{c.orders}})
			if moongate.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
			if after, err := o.Machine.Hash(); err != nil || after != before {
				t.Errorf("a refusal changed the books: %v", err)
			}
			o.audit(t)
		})
	}
}

func TestPartialPostingStaysWithinWhatIsHeld(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	id := o.move(t, payment(start+moongate.Hour))[0].Transfer
	for name, legs := range map[string][]leg{
		"more than is held":    {{wallet("yuebao"), payable("shop"), 9_441}},
		"the other way":        {{payable("shop"), wallet("yuebao"), 1}},
		"an account aside":     {{wallet("yuebao"), payable("mallory"), 1}},
		"negative":             {{wallet("yuebao"), payable("shop"), -1}},
		"more than 64 bits":    {{wallet("yuebao"), payable("shop"), math.MaxInt64}, {wallet("yuebao"), payable("shop"), math.MaxInt64}},
		"more legs than taken": make([]leg, ledger.MaxLegs+1),
	} {
		if _, err := o.Do(replica.Request{Command: &finish{ID: id, Legs: legs}}); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := o.books.Pending(id); !ok {
		t.Error("the transfer is pending no more")
	}
	o.audit(t)
}

// A transfer whose legs cancel out moves nothing, and says so by an empty result.
func TestNothingToMove(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	results := o.move(t, order{Legs: []leg{
		{wallet("w"), payable("a"), 0},
		{payable("a"), payable("a"), 5},
		{payable("a"), payable("b"), 7},
		{payable("b"), payable("a"), 7},
	}})
	if d := cmp.Diff([]ledger.Result{{}}, results); d != "" {
		t.Error(d)
	}
	if entries, _ := o.Entries(); len(entries) != 0 {
		t.Errorf("%d events", len(entries))
	}
	o.audit(t)
}

func TestBoundsOfTheBooks(t *testing.T) {
	o := newOffice(ledger.Bounds{Accounts: 3, Pending: 1})
	o.move(t, order{Pending: true, Legs: []leg{{wallet("w"), payable("a"), 1}}})
	for name, c := range map[string]order{
		"accounts": {Legs: []leg{{wallet("v"), payable("b"), 1}}},
		"pending":  {Pending: true, Legs: []leg{{wallet("w"), payable("a"), 1}}},
	} {
		if _, err := o.Do(replica.Request{Command: &move{[]order{c}}}); moongate.CodeOf(err) != moongate.Busy {
			t.Errorf("%s: %v", name, err)
		}
	}
	o.limit(t, payable("b"), ledger.Limits{})
	if _, err := o.Do(replica.Request{Command: &ledger.SetLimits{Account: payable("c")}}); moongate.CodeOf(err) != moongate.Busy {
		t.Errorf("one account too many: %v", err)
	}
	o.move(t, order{Legs: []leg{{wallet("w"), payable("a"), 1}}}) // old work goes on
	o.audit(t)
}

func TestManyLegs(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	var legs []leg
	for i := range 2000 {
		seller := payable("seller-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)))
		legs = append(legs, leg{wallet("w"), seller, 100}, leg{seller, payable("market"), 7})
	}
	id := o.move(t, order{Pending: true, Legs: legs})[0].Transfer
	if _, err := o.Do(replica.Request{Command: &finish{ID: id}}); err != nil {
		t.Fatal(err)
	}
	if got := o.books.Balance(payable("market")); got != (ledger.Balance{Credits: 14_000}) {
		t.Errorf("the market has %+v", got)
	}
	if got := o.books.Balance(payable("seller-aa")); got != (ledger.Balance{Credits: 3 * 93}) {
		t.Errorf("a seller has %+v", got)
	}
	o.audit(t)
}

// Each participant can open the group with its own posting, and no other.
func TestWhoReadsWhat(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	o.move(t, payment(0))
	o.limit(t, payable("shop"), ledger.Limits{Least: number(-5)})
	entries, err := o.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch v := e.Event.(type) {
		case *ledger.Transferred:
			for _, who := range []string{"shop", "market", "yuebao"} {
				if !journal.Opens(v, "owners", who) {
					t.Errorf("%s cannot read its own transfer", who)
				}
			}
			for _, who := range []string{"mallory", ""} {
				if journal.Opens(v, "owners", who) || journal.Opens(v, "@shop", who) {
					t.Errorf("%q reads a transfer of others", who)
				}
			}
			if journal.Opens(v, "hub", "shop") || journal.Opens(v, "@market", "shop") {
				t.Error("the shop reads what is not its own")
			}
			for _, p := range v.Postings {
				if !journal.Opens(v, "@"+p.Reader(), p.Account.Owner) {
					t.Errorf("%s cannot read its posting", p.Account.Owner)
				}
			}
		case *ledger.Opened:
			if !journal.Opens(v, "owner", v.Account.Owner) || journal.Opens(v, "owner", "mallory") || journal.Opens(v, "hub", v.Account.Owner) {
				t.Errorf("%s: who reads that it was opened", v.Account)
			}
		case *ledger.Limited:
			if !journal.Opens(v, "owner", "shop") || journal.Opens(v, "owner", "market") {
				t.Error("who reads limits")
			}
		}
	}
	o.audit(t)
}

func TestHistory(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	first := o.move(t, payment(0))[0].Transfer
	o.Now = start + moongate.Hour
	held := o.move(t, payment(start+3*moongate.Hour))[0].Transfer
	o.move(t, order{Legs: []leg{{wallet("other"), payable("stranger"), 1}}})
	o.limit(t, payable("shop"), ledger.Limits{Least: number(-5)})
	o.Now = start + 2*moongate.Hour
	if _, err := o.Do(replica.Request{Command: &finish{ID: held}}); err != nil {
		t.Fatal(err)
	}
	shop, _ := o.books.Lookup(payable("shop"))

	want := []ledger.Line{
		{At: start + 2*moongate.Hour, Transfer: held, Outcome: ledger.Posted, Credit: 9_440, Balance: ledger.Balance{Credits: 18_880}},
		{At: start + moongate.Hour, Transfer: held, Pending: true, Credit: 9_440, Balance: ledger.Balance{Credits: 9_440, CreditsPending: 9_440}},
		{At: start, Transfer: first, Credit: 9_440, Balance: ledger.Balance{Credits: 9_440}},
	}
	var got []ledger.Line
	at := shop.Head
	for pages := 0; at != 0; pages++ { // a page of two, and the rest
		lines, next, err := ledger.History(o.read(t), payable("shop"), at, 2)
		if err != nil {
			t.Fatal(err)
		}
		if got, at = append(got, lines...), next; pages > 3 {
			t.Fatal("history does not end")
		}
	}
	for i := range got {
		got[i].Position, got[i].Crossing = 0, moongate.ID{}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}

	for _, c := range []struct {
		at   moongate.Time
		want ledger.Balance
	}{
		{start - 1, ledger.Balance{}},
		{start, ledger.Balance{Credits: 9_440}},
		{start + moongate.Hour - 1, ledger.Balance{Credits: 9_440}},
		{start + moongate.Hour, ledger.Balance{Credits: 9_440, CreditsPending: 9_440}},
		{start + moongate.Day, ledger.Balance{Credits: 18_880}},
	} {
		b, next, err := ledger.BalanceAt(o.read(t), payable("shop"), shop.Head, c.at)
		if err != nil || next != 0 || b != c.want {
			t.Errorf("balance at %s: %+v, %d, %v; want %+v", c.at, b, next, err, c.want)
		}
	}

	if _, _, err := ledger.History(o.read(t), payable("stranger"), shop.Head, 10); err == nil || !strings.Contains(err.Error(), "not on its chain") {
		t.Errorf("walked into another account's chain: %v", err)
	}
	gone := errors.New("segment 3 is archived")
	if _, _, err := ledger.History(func(journal.Position) (journal.Entry, error) { return journal.Entry{}, gone }, payable("shop"), shop.Head, 10); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
	o.audit(t)
}

func TestAccountsOfAnOwner(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	o.move(t, payment(0))
	names := func(books []ledger.Book) (out []string) {
		for _, b := range books {
			out = append(out, b.Account.String())
		}
		return out
	}
	if d := cmp.Diff([]string{"yuebao/CNY/wallet", "yuebao/CNY/fee"}, names(o.books.Accounts("yuebao", 0, 10))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"yuebao/CNY/fee"}, names(o.books.Accounts("yuebao", 1, 1))); d != "" {
		t.Error(d)
	}
	for _, c := range [][2]int{{2, 10}, {99, 10}, {0, 0}, {0, -1}} {
		if got := o.books.Accounts("yuebao", c[0], c[1]); len(got) != 0 {
			t.Errorf("after %d, limit %d: %v", c[0], c[1], got)
		}
	}
	if got := o.books.Accounts("yuebao", -5, 1); len(got) != 1 {
		t.Errorf("from before the start: %v", got)
	}
	o.audit(t)
}
