package console

// ladder is the picture of a proof: from the event at the bottom to the signed root at the top, one rung for each hash
// that the receipt gives.
type ladder struct {
	Width, Height hair
	Rungs         []rung
	Foot, Top     hair // of the trunk
	Middle        hair
	Gate          hair // height of the line between interval tree and public log
	GateLeft      hair // where the wall opens
	GateRight     hair
	GateNote      hair // base line of what is written on the wall
	FootNote      hair
	TopNote       hair
}

// rung joins our own hash with its neighbour.
type rung struct {
	Y, NextY  hair
	NodeX     hair // of the neighbour
	OurX      hair // of our own hash, on the other side
	Up        hair // where both meet
	Neighbour string
	TextX     hair
	TextY     hair
	End       string // anchor of the text
}

// The measures of a ladder. It fits a phone without being scaled, for its text must stay readable.
const (
	ladderWidth = 320 * unit
	rungHeight  = 30 * unit
	rungLow     = 18 * unit // of a path with many rungs
	rungsHigh   = 16
	gateHeight  = 72 * unit
	capHeight   = 40 * unit
)

// climb lays the path out.
func climb(inside, outside []Hash) ladder {
	l := ladder{Width: ladderWidth, Middle: ladderWidth / 2}
	l.GateLeft, l.GateRight = l.Middle-15*unit, l.Middle+15*unit
	rise := rungHeight
	if len(inside)+len(outside) > rungsHigh {
		rise = rungLow
	}
	l.Height = rise*hair(len(inside)+len(outside)) + gateHeight + 2*capHeight
	y := l.Height - capHeight
	l.Foot = y
	add := func(h Hash) {
		r := rung{
			Y: y, NextY: y - rise, Neighbour: h.Value, TextY: y + 4*unit,
			NodeX: l.Middle + 34*unit, OurX: l.Middle, TextX: l.Middle + 44*unit, End: "start",
		}
		if h.Left {
			r.NodeX, r.TextX, r.End = l.Middle-34*unit, l.Middle-44*unit, "end"
		}
		r.Up = r.NextY + rise/3
		l.Rungs = append(l.Rungs, r)
		y -= rise
	}
	for _, h := range inside {
		add(h)
	}
	l.Gate = y - gateHeight/2
	l.GateNote = l.Gate - 7*unit
	y -= gateHeight
	for _, h := range outside {
		add(h)
	}
	l.Top = y
	l.FootNote, l.TopNote = l.Foot+26*unit, l.Top-18*unit
	return l
}
