package ledger_test

import (
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/replica"
)

func TestLimitsCountHolds(t *testing.T) {
	in := func(n int64) order { return order{Legs: []leg{{wallet("w"), payable("shop"), n}}} }
	out := func(n int64) order { return order{Legs: []leg{{payable("shop"), wallet("w"), n}}} }
	hold := func(o order) order {
		o.Pending = true
		return o
	}
	for _, c := range []struct {
		name   string
		limits ledger.Limits
		before []order
		try    []order
		want   string // "" is allowed
	}{
		{"down to the floor", ledger.Limits{Least: number(0)}, []order{in(100)}, []order{out(100)}, ""},
		{"below the floor", ledger.Limits{Least: number(0)}, []order{in(100)}, []order{out(101)}, "would fall to -1, below its limit of 0"},
		{"a net debit cap", ledger.Limits{Least: number(-50)}, nil, []order{out(50)}, ""},
		{"beyond the net debit cap", ledger.Limits{Least: number(-50)}, nil, []order{out(51)}, "would fall to -51, below its limit of -50"},
		{"what is held out counts", ledger.Limits{Least: number(0)}, []order{in(100), hold(out(60))}, []order{out(41)}, "would fall to -1"},
		{"what is held in does not", ledger.Limits{Least: number(0)}, []order{hold(in(100))}, []order{out(1)}, "would fall to -1"},
		{"up to the ceiling", ledger.Limits{Most: number(100)}, []order{in(60)}, []order{in(40)}, ""},
		{"above the ceiling", ledger.Limits{Most: number(100)}, []order{in(60)}, []order{in(41)}, "would rise to 101, above its limit of 100"},
		{"what is held in counts", ledger.Limits{Most: number(100)}, []order{hold(in(60))}, []order{in(41)}, "would rise to 101"},
		{"what is held out does not", ledger.Limits{Most: number(100)}, []order{in(100), hold(out(60))}, []order{in(1)}, "would rise to 101"},
		{"plans of one command see each other", ledger.Limits{Least: number(0)}, []order{in(100)}, []order{out(60), out(41)}, "would fall to -1"},
		{"also where they give", ledger.Limits{Least: number(0)}, nil, []order{in(60), out(60)}, ""},
		{"also where they hold", ledger.Limits{Least: number(0)}, []order{in(100)}, []order{hold(out(60)), out(41)}, "would fall to -1"},
		{
			"legs are netted first",
			ledger.Limits{Least: number(0)},
			nil,
			[]order{{Legs: []leg{{payable("shop"), payable("market"), 5}, {wallet("w"), payable("shop"), 100}}}},
			"",
		},
		{"closed", ledger.Limits{Closed: true}, []order{}, []order{in(1)}, "is closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(ledger.Bounds{})
			if len(c.before) > 0 {
				for _, b := range c.before {
					o.move(t, b)
				}
			}
			o.limit(t, payable("shop"), c.limits)
			_, err := o.Do(replica.Request{Command: &move{c.try}})
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v; want %q", err, c.want)
			}
			o.audit(t)
		})
	}
}

// A debit account grows by debits, so its floor is about credits.
func TestLimitOfAWallet(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	o.limit(t, wallet("w"), ledger.Limits{Least: number(0)})
	if _, err := o.Do(replica.Request{Command: &move{[]order{{Legs: []leg{{payable("shop"), wallet("w"), 1}}}}}}); moongate.CodeOf(err) != moongate.Limit {
		t.Errorf("a wallet paid out what it does not hold: %v", err)
	}
	o.move(t, order{Legs: []leg{{wallet("w"), payable("shop"), 1}}})
	o.move(t, order{Legs: []leg{{payable("shop"), wallet("w"), 1}}})
	o.audit(t)
}

// A refused command leaves no reservation behind for the next one.
func TestReservationsEndWithTheCommand(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	o.limit(t, payable("shop"), ledger.Limits{Least: number(-100)})
	out := func(n int64) order { return order{Legs: []leg{{payable("shop"), wallet("w"), n}}} }
	if _, err := o.Do(replica.Request{Command: &move{[]order{out(100), out(1)}}}); moongate.CodeOf(err) != moongate.Limit {
		t.Fatal(err)
	}
	o.move(t, out(100))
	o.audit(t)
}

func TestWhoSetsLimits(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	for caller, want := range map[string]moongate.Code{"": "", "operator": "", "shop": moongate.Forbidden, "mallory": moongate.Forbidden} {
		_, err := o.Do(replica.Request{Caller: caller, Command: &ledger.SetLimits{Account: payable("shop"), Limits: ledger.Limits{Least: number(0)}}})
		if moongate.CodeOf(err) != want {
			t.Errorf("%q: %v", caller, err)
		}
	}
	o.audit(t)
}

func TestLimitsThatCannotBe(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	o.move(t, order{Legs: []leg{{wallet("w"), payable("shop"), 100}}})
	o.move(t, order{Pending: true, Legs: []leg{{payable("shop"), wallet("w"), 30}}})
	for _, c := range []struct {
		account ledger.Account
		limits  ledger.Limits
		code    moongate.Code
		want    string
	}{
		{payable("shop"), ledger.Limits{Least: number(71)}, moongate.Conflict, "stands between 70 and 100"},
		{payable("shop"), ledger.Limits{Most: number(99)}, moongate.Conflict, "stands between 70 and 100"},
		{payable("shop"), ledger.Limits{Least: number(5), Most: number(4)}, moongate.Malformed, "the least, 5, is above the most, 4"},
		{payable("new"), ledger.Limits{Least: number(1)}, moongate.Conflict, "stands between 0 and 0"},
		{ledger.Account{}, ledger.Limits{}, moongate.Malformed, "currency"},
	} {
		_, err := o.Do(replica.Request{Command: &ledger.SetLimits{Account: c.account, Limits: c.limits}})
		if moongate.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.account, err, c.want)
		}
	}
	o.limit(t, payable("shop"), ledger.Limits{Least: number(70), Most: number(100)})
	o.audit(t)
}
