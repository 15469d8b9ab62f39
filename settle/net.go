package settle

import (
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/party"
)

// payment is one sum from one participant to another, before it is an instruction or carried.
type payment = Claim

// netting turns a window's positions into payments, by its terms. It reads the state and changes nothing.
type netting struct {
	parties   []string // by name
	positions map[string]Position
	minimum   int64
	wallets   map[string]bool
	withheld  map[string]bool // neither pays nor is paid now

	payments []payment           // to be instructed
	carried  []payment           // into the next window
	moved    map[string]Position // what of its position a participant takes along
	settled  map[string]Position // the rest
	received map[string]int64    // by the payments
	later    map[string]int64    // by what is carried; negative for who has to pay
}

// newNetting reads a window.
func (s *State) newNetting(w *Window, minimum int64) *netting {
	n := &netting{parties: s.everybodyIn(w.ID), positions: map[string]Position{}, minimum: minimum, wallets: map[string]bool{}, withheld: map[string]bool{}}
	for _, who := range n.parties {
		p, _ := s.positions.Get(positionKey{w.ID, who})
		n.positions[who], n.wallets[who] = p, s.isWallet(who, p)
		if _, err := s.parties.Active(who); err != nil && !n.wallets[who] {
			n.withheld[who] = true // what a suspended participant is owed stays its own
		}
	}
	return n
}

// everybodyIn lists who has a position in a window or a claim, by name: claims may cancel out to no position.
func (s *State) everybodyIn(window moongate.ID) []string {
	all := slices.Clone(s.members[window])
	for _, key := range s.between[window] {
		all = append(all, key.From, key.To)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// isWallet tells whether a participant's claims are settled out of what it holds for others: it is a wallet, even if it
// happens to hold nothing just now, or somebody else who does.
func (s *State) isWallet(who string, p Position) bool {
	known, ok := s.parties.Lookup(who)
	return ok && known.Kind == party.Wallet || p.holds()
}

// solve finds all payments and sets those apart that have to wait.
func (n *netting) solve(s *State, w *Window, t *agreement.Terms) {
	var all []payment
	if t.Doc.Settlement.Netting == agreement.Multilateral {
		all = n.multilateral()
	} else {
		all = n.pairwise(s, w, t.Doc.Settlement.Netting == agreement.Bilateral)
	}
	received := map[string]int64{}
	for _, p := range all {
		received[p.To] += p.Amount
	}
	n.payments, n.carried = nil, nil
	for _, p := range all {
		if n.withheld[p.From] || n.withheld[p.To] || received[p.To] < n.minimum {
			n.carried = append(n.carried, p)
		} else {
			n.payments = append(n.payments, p)
		}
	}
	n.sum()
}

// sum adds up what payments and carried ones mean for each participant. Who is withheld takes its whole position along:
// nothing may be posted on its accounts.
func (n *netting) sum() {
	n.moved, n.received, n.later = map[string]Position{}, map[string]int64{}, map[string]int64{}
	for _, p := range n.payments {
		n.received[p.To] += p.Amount
	}
	for _, p := range n.carried {
		from, to := p.positions()
		n.moved[p.From] = n.moved[p.From].plus(from, 1)
		n.moved[p.To] = n.moved[p.To].plus(to, 1)
		n.later[p.From] -= p.Amount
		n.later[p.To] += p.Amount
	}
	for who := range n.withheld {
		n.moved[who] = n.positions[who]
	}
	n.rest()
}

// rest finds what is settled now.
func (n *netting) rest() {
	n.settled = make(map[string]Position, len(n.positions))
	for who, p := range n.positions {
		n.settled[who] = p.plus(n.moved[who], -1)
	}
}

// multilateral pays each participant's net out of the nets of those that owe. Wallets that hold money pay first, each
// name after name, and those that have to wait are served last: so there are fewer payments than participants, and what
// waits is held by a wallet where possible.
func (n *netting) multilateral() []payment {
	type side struct {
		who string
		net int64
	}
	var debtors, creditors []side
	for _, who := range n.parties {
		switch net := n.positions[who].Net(); {
		case net < 0:
			debtors = append(debtors, side{who, -net})
		case net > 0:
			creditors = append(creditors, side{who, net})
		}
	}
	slices.SortStableFunc(debtors, func(a, b side) int {
		return order(!n.wallets[a.who], !n.wallets[b.who])
	})
	slices.SortStableFunc(creditors, func(a, b side) int { return order(n.waits(a.who, a.net), n.waits(b.who, b.net)) })
	var all []payment
	for d, c := 0, 0; d < len(debtors) && c < len(creditors); {
		amount := min(debtors[d].net, creditors[c].net)
		all = append(all, n.payment(debtors[d].who, creditors[c].who, amount))
		if debtors[d].net -= amount; debtors[d].net == 0 {
			d++
		}
		if creditors[c].net -= amount; creditors[c].net == 0 {
			c++
		}
	}
	return all
}

func (n *netting) waits(who string, net int64) bool { return n.withheld[who] || net < n.minimum }

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (n *netting) payment(from, to string, amount int64) payment {
	return payment{From: from, To: to, Amount: amount, Wallet: n.wallets[from], Holder: n.wallets[to]}
}

// pairwise pays the claims between each two participants, set off against each other or not. A wallet always keeps its
// fees out of what it holds.
func (n *netting) pairwise(s *State, w *Window, bilateral bool) []payment {
	claims := map[pairKey]int64{}
	keys := s.pairsOf(w.ID)
	for _, key := range keys {
		claims[key], _ = s.pairs.Get(key)
	}
	var all []payment
	pay := func(from, to string, amount int64) {
		if amount < 0 {
			from, to, amount = to, from, -amount
		}
		if amount > 0 {
			all = append(all, n.payment(from, to, amount))
		}
	}
	for _, key := range keys {
		back := pairKey{key.Window, key.To, key.From}
		other, both := claims[back]
		switch {
		case both && key.From > key.To: // seen from the other side already
		case bilateral || n.wallets[key.From] || n.wallets[key.To]:
			pay(key.From, key.To, claims[key]-other)
		default:
			pay(key.From, key.To, claims[key])
			pay(key.To, key.From, other)
		}
	}
	slices.SortStableFunc(all, func(a, b payment) int { return order(!a.Wallet, !b.Wallet) })
	return all
}
