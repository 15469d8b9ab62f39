package console

import (
	"fmt"
	"sort"

	"github.com/moongate-hub/moongate/money"
)

// river is the picture of crossings: gardens on both sides of a wall, and bands that pass through the round gate in its
// middle. A band is as wide as it has crossings: on each side in proportion to all of them, narrower in the gate.
type river struct {
	Width, Height   hair
	CentreX, Radius hair
	CentreY         hair
	Left, Right     []bank
	Bands           []band
	Narrow          bool
}

// WallTop is where the upper half of the wall ends, and WallFoot where the lower one begins.
func (r river) WallTop() hair { return r.CentreY - r.Radius }

// WallFoot is where the lower half of the wall begins.
func (r river) WallFoot() hair { return r.CentreY + r.Radius }

// bank is a garden on one side.
type bank struct {
	Party       Party
	Count       int64
	X, Y        hair // of the bar
	Bar, Height hair
	LabelX      hair
	LabelY      hair
	Colour      int
	OneLine     bool // name and count stand side by side, for want of height
	Rest        int  // gardens that share this place because there are too many; 0 for one garden

	used hair // height already given to bands
}

// band is what went from one garden into another.
type band struct {
	Flow   Flow
	Path   string
	Colour int
	From   string // label of the source, and of the other side
	To     string
	Linked bool // both ends are one garden each, so that a list of these crossings exists
}

// banksShown is how many gardens stand on a side; the smaller ones are taken together.
const banksShown = 7

// layRiver places the flows. A wide picture has the names beside the bars, a narrow one (a phone) above them.
func layRiver(flows []Flow, narrow bool) river {
	r := river{Width: 960 * unit, Height: 420 * unit, Radius: 132 * unit, Narrow: narrow}
	if narrow {
		r.Width, r.Height, r.Radius = 344*unit, 440*unit, 78*unit
	}
	flows, left, right, total := gather(flows)
	if total == 0 {
		return r
	}
	if rows := hair(max(len(left), len(right))); !narrow && rows < 4 {
		r.Height, r.Radius = 320*unit, 104*unit
	}
	r.CentreX, r.CentreY = r.Width/2, r.Height/2
	r.Left, r.Right = r.side(left, total, false), r.side(right, total, true)

	chord := r.Radius * 2 * 62 / 100 // bands keep clear of the gate's top and bottom
	gate := r.CentreY - chord/2
	for _, f := range flows {
		a, b := find(r.Left, f.From), find(r.Right, f.To)
		inGate := scale(chord, f.Count, total)
		// The last band of a bank takes what rounding has left over: scale never rounds up, so it never runs out.
		leftWidth, rightWidth := scale(a.Height, f.Count, a.Count), scale(b.Height, f.Count, b.Count)
		r.Bands = append(r.Bands, band{
			Flow: f, Colour: a.Colour, From: a.Party.Label(), To: b.Party.Label(), Linked: a.Rest == 0 && b.Rest == 0,
			Path: ribbon(a.X+a.Bar, a.Y+a.used, leftWidth, r.CentreX, gate, inGate, b.X, b.Y+b.used, rightWidth),
		})
		a.used, b.used, gate = a.used+leftWidth, b.used+rightWidth, gate+inGate
	}
	return r
}

// ribbon is a closed path through three gates of different height: left, middle, right.
func ribbon(x0, y0, h0, x1, y1, h1, x2, y2, h2 hair) string {
	m0, m2 := (x0+x1)/2, (x1+x2)/2
	h0, h1, h2 = max(h0, unit), max(h1, unit/2), max(h2, unit)
	return fmt.Sprintf("M%s %sC%s %s %s %s %s %sC%s %s %s %s %s %sV%sC%s %s %s %s %s %sC%s %s %s %s %s %sZ",
		x0, y0, m0, y0, m0, y1, x1, y1, m2, y1, m2, y2, x2, y2,
		y2+h2, m2, y2+h2, m2, y1+h1, x1, y1+h1, m0, y1+h1, m0, y0+h0, x0, y0+h0)
}

// side stacks the gardens of one side from top to bottom, the busiest first, and centres them.
func (r *river) side(banks []bank, total int64, right bool) []bank {
	gap, bar, margin, label := 18*unit, 8*unit, 12*unit, 0*unit
	inset := 190 * unit
	if r.Narrow {
		gap, margin, label, inset, bar = 30*unit, 8*unit, 20*unit, 0, 6*unit
	}
	room := r.Height - 2*margin - label - gap*hair(len(banks)-1)
	smallest := 6 * unit
	heights, sum := make([]hair, len(banks)), hair(0)
	for i, b := range banks {
		heights[i] = smallest + scale(room-smallest*hair(len(banks)), b.Count, total)
		sum += heights[i] + gap
	}
	y := (r.Height-(sum-gap)+label)/2 + 0
	for i := range banks {
		b := &banks[i]
		b.X, b.Y, b.Bar, b.Height, b.Colour = inset, y, bar, heights[i], i%palette+1
		b.OneLine = r.Narrow || heights[i] < 36*unit
		b.LabelX, b.LabelY = inset-12*unit, y+heights[i]/2
		if b.OneLine {
			b.LabelY += 5 * unit
		}
		if right {
			b.X = r.Width - inset - bar
			b.LabelX = r.Width - inset + 12*unit
		}
		if r.Narrow {
			b.LabelX, b.LabelY = b.X, y-7*unit
			if right {
				b.LabelX = r.Width
			}
		}
		y += heights[i] + gap
	}
	return banks
}

// gather sums flows by pair, lists the gardens of both sides by how busy they are, takes the small ones together, and
// sorts the flows as they pass the gate: by source, then by destination.
func gather(flows []Flow) (out []Flow, left, right []bank, total int64) {
	sums := map[[2]string]*Flow{}
	from, dest := map[string]*bank{}, map[string]*bank{}
	for _, f := range flows {
		if f.Count <= 0 {
			continue
		}
		total += f.Count
		tally(from, f.From, f.Count)
		tally(dest, f.To, f.Count)
	}
	left, right = busiest(from), busiest(dest)
	for _, f := range flows {
		if f.Count <= 0 {
			continue
		}
		f.From, f.To = find(left, f.From).Party, find(right, f.To).Party
		key := [2]string{f.From.ID, f.To.ID}
		if s := sums[key]; s != nil {
			s.Count += f.Count
			s.Amounts = addAmounts(s.Amounts, f.Amounts)
			continue
		}
		f.Amounts = addAmounts(nil, f.Amounts)
		sums[key] = &f
	}
	for _, f := range sums {
		out = append(out, *f)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := place(left, out[i].From), place(left, out[j].From)
		if a != b {
			return a < b
		}
		return place(right, out[i].To) < place(right, out[j].To)
	})
	return out, left, right, total
}

func tally(banks map[string]*bank, p Party, n int64) {
	if b := banks[p.ID]; b != nil {
		b.Count += n
		return
	}
	banks[p.ID] = &bank{Party: p, Count: n}
}

// rest stands for all gardens that found no place of their own; no participant has the empty ID.
const rest = ""

func busiest(banks map[string]*bank) []bank {
	all := make([]bank, 0, len(banks))
	for _, b := range banks {
		all = append(all, *b)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Count != all[j].Count {
			return all[i].Count > all[j].Count
		}
		return all[i].Party.ID < all[j].Party.ID
	})
	if len(all) <= banksShown {
		return all
	}
	others := bank{Party: Party{ID: rest}}
	for _, b := range all[banksShown-1:] {
		others.Count += b.Count
		others.Rest++
	}
	return append(all[:banksShown-1:banksShown-1], others)
}

func place(banks []bank, p Party) int {
	for i := range banks {
		if banks[i].Party.ID == p.ID {
			return i
		}
	}
	return len(banks) - 1 // the others
}

func find(banks []bank, p Party) *bank { return &banks[place(banks, p)] }

func addAmounts(to, more []money.Amount) []money.Amount {
	to = append([]money.Amount(nil), to...)
next:
	for _, a := range more {
		for i := range to {
			if to[i].Currency == a.Currency {
				to[i].Minor += a.Minor
				continue next
			}
		}
		to = append(to, a)
	}
	return to
}
