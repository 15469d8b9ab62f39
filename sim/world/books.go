package world

import "math/bits"

// Books is an independent model of who is owed what under the terms that the world lives by. It shares no code with the
// hub: every sale stands here as it is left after its refunds, and what is owed is computed from that alone. Amounts are
// minor units; balances are those before anything was paid out.
type Books struct {
	sales  map[string]*sale
	volume map[[3]string]int64 // gross of a seller at a market in a month, refunds left in
	apps   map[string]int64    // what apps will owe their store
}

// Part is one seller's part of a sale: all that is paid, and how much of it is freight.
type Part struct {
	Seller         string
	Gross, Freight int64
	volume         int64 // before this sale
}

type sale struct {
	market, wallet string
	touched        []string // publishers, each once
	parts          []Part
}

// NewBooks are empty.
func NewBooks() *Books {
	return &Books{sales: map[string]*sale{}, volume: map[[3]string]int64{}, apps: map[string]int64{}}
}

// Paid notes a sale. Month is that in which it counts, in the calendar of the terms.
func (b *Books) Paid(id, market, wallet, month string, touched []string, parts []Part) {
	s := &sale{market: market, wallet: wallet, touched: touched}
	for _, p := range parts {
		key := [3]string{market, p.Seller, month}
		p.volume = b.volume[key]
		b.volume[key] += p.Gross
		s.parts = append(s.parts, p)
	}
	b.sales[id] = s
}

// Back notes that money went back: gross of one seller's part, of it freight.
func (b *Books) Back(id string, part int, gross, freight int64) {
	b.sales[id].parts[part].Gross -= gross
	b.sales[id].parts[part].Freight -= freight
}

// Converted notes a sale on an app's own site: of things bought once 12 % go to the store, of subscriptions 6 %, of tips
// nothing.
func (b *Books) Converted(app, class string, amount int64) {
	b.apps[app] += portion(amount, map[string]int64{"one_time": 1200, "subscription": 600}[class])
}

// Balances are what every account should stand at: "PARTICIPANT/PURPOSE", in the one currency that it has.
func (b *Books) Balances() map[string]int64 {
	owed := map[string]int64{}
	for app, minor := range b.apps {
		owed[app+"/accrual"], owed[app+"/receivable"] = minor, minor
	}
	for _, s := range b.sales {
		for _, p := range s.parts {
			owed[s.wallet+"/wallet"] += p.Gross
			commission, fee := p.fees()
			owed[p.Seller+"/payable"] += p.Gross - commission - fee
			owed[s.wallet+"/fee"] += fee
			pool, kept := portion(commission, 4000), int64(0)
			if len(s.touched) == 0 {
				pool = 0
			}
			for i, share := range shares(pool, len(s.touched)) {
				owed[s.touched[i]+"/payable"] += share
				kept -= share
			}
			owed[s.market+"/payable"] += commission + kept
		}
	}
	return owed
}

// fees are what a seller pays of its part: 5 % commission of the goods, 4 % beyond 100,000 yuan a month, and 60 basis
// points to the wallet, a fen at least. The seller keeps 90 %, and the market gets 6 % at most.
func (p *Part) fees() (commission, fee int64) {
	if p.Gross == 0 {
		return 0, 0
	}
	const step = 10_000_000
	low := max(0, min(p.volume+p.Gross, step)-p.volume)
	weighted := 500*low + 400*(p.Gross-low)
	commission = ratio(p.Gross-p.Freight, weighted, 10_000*p.Gross)
	spare := p.Gross - (p.Gross*9000+9999)/10_000
	commission = min(commission, p.Gross*600/10_000, spare)
	return commission, min(max(portion(p.Gross, 60), 1), spare-commission)
}

// shares divides a pool evenly, the first fen to the first, none above 70 %.
func shares(pool int64, among int) []int64 {
	out := make([]int64, among)
	for i := range out {
		out[i] = pool / int64(among)
		if int64(i) < pool%int64(among) {
			out[i]++
		}
		out[i] = min(out[i], pool*7000/10_000)
	}
	return out
}

// portion is a rate of an amount, a half up.
func portion(of, bps int64) int64 { return (of*bps + 5000) / 10_000 }

// ratio is a*b/c, a half up, for what does not fit 64 bits on the way.
func ratio(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(c)/2, 0)
	q, _ := bits.Div64(hi+carry, lo, uint64(c))
	return int64(q)
}
