package world

import (
	mathrand "math/rand/v2"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Behaviour is what a shopper does at the wallet.
type Behaviour string

// Behaviours.
const (
	Pays     Behaviour = "pays"
	Declines Behaviour = "declines and then pays" // presses no, and thinks better of it
	Switches Behaviour = "takes another wallet"   // chooses one, goes back, chooses the other
	Leaves   Behaviour = "leaves"                 // never pays; the payment expires
	Cancels  Behaviour = "is cancelled"           // the marketplace gives the order up while the shopper hesitates
	Late     Behaviour = "pays too late"          // the order is closed while the shopper types
)

// Trouble is what goes wrong with one payment.
type Trouble string

// Troubles.
const (
	None       Trouble = ""
	Duplicate  Trouble = "notified twice"
	Lost       Trouble = "notification lost for good"
	Tardy      Trouble = "notified late"
	Reordered  Trouble = "notified out of order"
	Misread    Trouble = "notified of a wrong amount"
	Silent     Trouble = "wallet timed out after it took the order"
	Deaf       Trouble = "wallet timed out before it took the order"
	Rambling   Trouble = "wallet answered with a page of HTML"
	Unsigned   Trouble = "wallet forgot to sign"
	SilentBack Trouble = "wallet timed out after it took the refund"
	RefundDies Trouble = "wallet could not give the money back"
)

// purchase is what one shopper will do, drawn before anything happens.
type purchase struct {
	number    int
	at        time.Duration // from the beginning
	links     []int         // opened before, in order; none: straight to the market
	market    int
	goods     []int
	wallet    int
	phone     bool
	lang      string
	behaviour Behaviour
	trouble   Trouble
	refunds   []giving
	storm     bool // its refunds come in the refund storm
}

// giving is money that is asked back: of the seller's part, in percent; above 100 it must be refused.
type giving struct {
	after   time.Duration // the payment
	percent int64
}

// sale is one sale on an app's own site.
type appSale struct {
	number int
	app    int
	at     time.Duration
	after  time.Duration // the click
	class  string
	amount int64 // cent
}

// Story is all that will happen.
type Story struct {
	Span      time.Duration // in which shoppers come
	Life      time.Duration // of a payment that nobody pays
	purchases []purchase
	sales     []appSale
	blockedAt []time.Duration // when somebody opens the blocked link
}

// Pace says how time passes in a story.
type Pace struct {
	Span    time.Duration // in which shoppers come
	Think   time.Duration // between two things that one shopper does
	Life    time.Duration // of a payment that nobody pays
	Returns time.Duration // until goods come back
	Look    time.Duration // between two looks of an office at the hub
	Evenly  bool          // shoppers come evenly, not by day and night
}

// Tell draws a story with so many orders.
func Tell(c Chance, cast Cast, links []placed, orders int, p Pace) Story {
	s := Story{Span: p.Span, Life: p.Life}
	dice := c.Dice("story")
	byMarket := make([][]int, len(cast.Markets))
	for i, l := range links {
		for m, market := range cast.Markets {
			if l.market == market {
				byMarket[m] = append(byMarket[m], i)
			}
		}
	}
	for n := range orders {
		b := purchase{number: n + 1, at: when(dice, p, n, orders), market: dice.IntN(len(cast.Markets)), wallet: dice.IntN(len(cast.Wallets)), phone: dice.IntN(3) > 0, lang: "zh"}
		if dice.IntN(3) == 0 {
			b.lang = "en"
		}
		if list := byMarket[b.market]; dice.IntN(10) > 0 && len(list) > 0 {
			for range 1 + pick(dice, []int{70, 22, 8}) {
				b.links = append(b.links, list[dice.IntN(len(list))])
			}
		}
		b.goods = goods(dice, cast.Markets[b.market])
		b.behaviour = []Behaviour{Pays, Declines, Switches, Leaves, Cancels, Late}[pick(dice, []int{84, 4, 4, 4, 2, 2})]
		b.trouble = []Trouble{None, Duplicate, Lost, Tardy, Reordered, Misread, Silent, Deaf, Rambling, Unsigned}[pick(dice, []int{70, 6, 4, 4, 4, 2, 4, 2, 2, 2})]
		if b.behaviour == Late {
			b.trouble = None // one thing at a time: what follows is told by the close
		}
		b.refunds, b.trouble = returns(dice, p, b)
		s.purchases = append(s.purchases, b)
	}
	s.firsts(p)
	for n := range orders / 6 {
		s.sales = append(s.sales, appSale{
			number: n + 1, app: pick(dice, weightsOf(cast.Apps)), at: when(dice, p, n, orders/6),
			after: p.Think * time.Duration(1+dice.IntN(20)), class: []string{"one_time", "subscription", "tip"}[pick(dice, []int{5, 4, 1})],
			amount: int64(99 + 100*dice.IntN(40)),
		})
	}
	for range max(3, orders/40) {
		s.blockedAt = append(s.blockedAt, time.Duration(dice.Int64N(int64(p.Span/2)))+p.Think)
	}
	return s
}

// firsts sees that a story of any length has one of each thing that goes wrong.
func (s *Story) firsts(p Pace) {
	special := []struct {
		behaviour Behaviour
		trouble   Trouble
		refunds   []giving
	}{
		{Pays, Silent, nil},
		{Pays, Lost, nil},
		{Pays, Duplicate, nil},
		{Pays, Tardy, nil},
		{Pays, Reordered, nil},
		{Late, None, nil},
		{Leaves, None, nil},
		{Cancels, None, nil},
		{Switches, None, nil},
		{Declines, Rambling, nil},
		{Pays, Misread, nil},
		{Pays, Unsigned, nil},
		{Pays, Deaf, nil},
		{Pays, SilentBack, []giving{{p.Returns, 100}}},
		{Pays, RefundDies, []giving{{p.Returns, 100}}},
		{Pays, None, []giving{{p.Returns, 30}, {2 * p.Returns, 30}, {3 * p.Returns, 70}}},
	}
	for i := range special {
		if at := 1 + i*max(1, len(s.purchases)/(2*len(special))); at < len(s.purchases) {
			b := &s.purchases[at]
			b.behaviour, b.trouble, b.refunds = special[i].behaviour, special[i].trouble, special[i].refunds
		}
	}
	// The storm: a seller's goods turn out bad, and everybody wants the money back in the same minute.
	storm := max(5, len(s.purchases)/12)
	for i := len(s.purchases) / 2; i < len(s.purchases) && storm > 0; i++ {
		if b := &s.purchases[i]; b.behaviour == Pays && b.trouble == None && len(b.refunds) == 0 {
			b.storm = true
			storm--
		}
	}
}

// when draws a time: in the evening more often than at noon, and hardly ever at night.
func when(dice *mathrand.Rand, p Pace, n, of int) time.Duration {
	if p.Evenly {
		step := int64(p.Span) / int64(max(of, 1))
		return time.Duration(int64(n)*step + dice.Int64N(max(step, 1)))
	}
	for {
		at := time.Duration(dice.Int64N(int64(p.Span)))
		hour := int(at/time.Hour) % 24
		if busy := [24]int{2, 1, 1, 1, 1, 2, 3, 5, 6, 7, 7, 8, 9, 8, 7, 7, 7, 8, 9, 10, 10, 10, 8, 5}; dice.IntN(10) < busy[hour] {
			return at
		}
	}
}

// goods fills a basket: mostly one thing, of a large seller more often than of a small one.
func goods(dice *mathrand.Rand, m *Market) []int {
	weights := make([]int, len(m.Goods))
	for i, g := range m.Goods {
		weights[i] = g.Seller.Weight
	}
	var list []int
	for range 1 + pick(dice, []int{80, 15, 5}) {
		list = append(list, m.Goods[pick(dice, weights)].Number)
	}
	return list
}

// returns draws what comes back of a purchase.
func returns(dice *mathrand.Rand, p Pace, b purchase) ([]giving, Trouble) {
	soon := p.Returns + time.Duration(dice.Int64N(int64(p.Returns)))
	switch pick(dice, []int{86, 5, 5, 2, 2}) {
	case 1:
		trouble := b.trouble
		if trouble == None && dice.IntN(4) == 0 {
			trouble = []Trouble{SilentBack, RefundDies}[dice.IntN(2)]
		}
		return []giving{{soon, 100}}, trouble
	case 2:
		return []giving{{soon, 10 + dice.Int64N(80)}}, b.trouble
	case 3:
		return []giving{{soon, 40}, {soon + p.Returns, 30}, {soon + 2*p.Returns, 30}}, b.trouble
	case 4: // two at once, of which one must be refused
		return []giving{{soon, 60}, {soon, 60}}, b.trouble
	}
	return nil, b.trouble
}

func weightsOf(apps []App) []int {
	var w []int
	for _, a := range apps {
		w = append(w, a.Weight)
	}
	return w
}

// faultsOf are what the wallet is told to do wrong, before it takes the order (no number is known yet) and once it has.
func (t Trouble) faultsOf() (before, after []sandbox.Fault) {
	native := func(k sandbox.Kind) []sandbox.Fault {
		// Whichever way the shopper is handed over.
		return []sandbox.Fault{{Kind: k, Op: sandbox.OpCreate}}
	}
	notify := func(k sandbox.Kind, times int, delay time.Duration, amount int64) []sandbox.Fault {
		return []sandbox.Fault{{Kind: k, Op: sandbox.OpNotify, Times: times, Delay: delay, Amount: amount}}
	}
	switch t {
	case Silent:
		return native(sandbox.DropAfter), nil
	case Deaf:
		return native(sandbox.DropBefore), nil
	case Rambling:
		return native(sandbox.Garbage), nil
	case Unsigned:
		return native(sandbox.Unsigned), nil
	case Duplicate:
		return nil, notify(sandbox.Duplicate, 3, 0, 0)
	case Lost:
		return nil, notify(sandbox.Lose, -1, 0, 0)
	case Tardy:
		return nil, notify(sandbox.Delay, 1, 90*time.Second, 0)
	case Reordered:
		return nil, notify(sandbox.Reorder, 1, 0, 0)
	case Misread:
		return nil, notify(sandbox.WrongAmount, 1, 0, 1)
	}
	return nil, nil
}
