package console

import (
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"rsc.io/qr"

	"github.com/moongate-hub/moongate/money"
)

// hair is a length in a picture: hundredths of a unit. Pictures are reckoned in whole numbers, so that the same data
// gives the same bytes everywhere.
type hair int64

const unit hair = 100

// String writes the length as SVG takes it: "12.5".
func (h hair) String() string {
	s := strconv.FormatInt(int64(h), 10)
	sign := ""
	if h < 0 {
		sign, s = "-", s[1:]
	}
	for len(s) < 3 {
		s = "0" + s
	}
	whole, part := s[:len(s)-2], strings.TrimRight(s[len(s)-2:], "0")
	if part != "" {
		part = "." + part
	}
	return sign + whole + part
}

// scale is length × part ⁄ whole, without overflow for any amounts.
func scale(length hair, part, whole int64) hair {
	if whole <= 0 || part <= 0 || length <= 0 {
		return 0
	}
	if part >= whole {
		return length
	}
	high, low := bits.Mul64(uint64(length), uint64(part))
	q, _ := bits.Div64(high, low, uint64(whole)) // part < whole, so high < whole and the quotient fits
	return hair(q)
}

// palette is how many colours the series of a picture may take; more parts begin again.
const palette = 6

// segment is one part of a strip.
type segment struct {
	X, Width hair
	Colour   int // 1 … palette
	Part     Part
	Share    string // of the whole, in per cent
}

// stripWidth is the width of a split strip's view box; the page stretches it to the column.
const stripWidth = 1000 * unit

// strip lays the parts of a split side by side. Parts that take away (negative) have no width: a strip shows what goes
// where, and the table beneath it has every line.
func strip(s Split) []segment {
	var whole int64
	for _, p := range s.Parts {
		if p.Amount.Minor > 0 {
			whole += p.Amount.Minor
		}
	}
	segments, x, sum := make([]segment, 0, len(s.Parts)), hair(0), int64(0)
	for i, p := range s.Parts {
		if p.Amount.Minor > 0 {
			sum += p.Amount.Minor
		}
		end := scale(stripWidth, sum, whole)
		segments = append(segments, segment{
			X: x, Width: end - x, Colour: i%palette + 1, Part: p, Share: share(p.Amount.Minor, s.Whole.Minor),
		})
		x = end
	}
	return segments
}

// fared is a part of the strip that shows how payments fared at a wallet.
type fared struct {
	X, Width hair
	Tone     tone
}

// fare lays paid, asked for, failed and the rest side by side.
func fare(w WalletLine) []fared {
	return lay(w.Tried, []heap{{w.Paid, good}, {w.Unknown, wait}, {w.Failed, bad}, {w.Tried - w.Paid - w.Unknown - w.Failed, idle}})
}

// heap is a number of things of one tone.
type heap struct {
	n    int64
	tone tone
}

// lay puts heaps side by side on a strip that stands for all.
func lay(all int64, parts []heap) (out []fared) {
	x, sum := hair(0), int64(0)
	for _, p := range parts {
		if p.n <= 0 {
			continue
		}
		sum += p.n
		end := scale(stripWidth, sum, all)
		out = append(out, fared{X: x, Width: end - x, Tone: p.tone})
		x = end
	}
	return out
}

// share is part ⁄ whole in per cent to one place, rounded half away from zero; empty where that says nothing.
func share(part, whole int64) string {
	if whole == 0 {
		return ""
	}
	n := new(big.Int).Mul(new(big.Int).SetUint64(magnitude(part)), big.NewInt(1000))
	w := new(big.Int).SetUint64(magnitude(whole))
	n.Add(n, new(big.Int).Rsh(w, 1)).Div(n, w)
	if n.BitLen() > 40 {
		return ""
	}
	tenths := n.Int64() // of a per cent
	if (part < 0) != (whole < 0) {
		tenths = -tenths
	}
	return money.BasisPoints(tenths * 10).String()
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// bar is a net position drawn from zero in the middle of a view box that reaches from −100 to 100.
type bar struct {
	X, Width hair
	Position Position
}

// bars scales positions to the largest of them.
func bars(positions []Position) []bar {
	var most uint64
	for _, p := range positions {
		most = max(most, magnitude(p.Net.Minor))
	}
	out := make([]bar, len(positions))
	for i, p := range positions {
		width := scale(100*unit, int64(min(magnitude(p.Net.Minor), 1<<63-1)), int64(min(most, 1<<63-1)))
		if p.Net.Minor != 0 {
			width = max(width, unit/2) // a cent is still a position
		}
		out[i] = bar{Width: width, Position: p}
		if p.Net.Minor < 0 {
			out[i].X = -width
		}
	}
	return out
}

// plot is a quantity over time as one line, with the area beneath it.
type plot struct {
	Line, Area  string // path data in a view box of plotWidth × plotHeight
	Zero        hair   // height of zero
	Low, High   money.Amount
	First, Last Point
	Points      []Point
	Currency    money.Currency
}

// The view box of a plot; the page stretches it to the column.
const (
	plotWidth  = 1000 * unit
	plotHeight = 200 * unit
)

// draw lays a series out as a step line, for a balance stays until it changes.
func draw(s Series) plot {
	if len(s.Points) == 0 {
		return plot{}
	}
	first, last := s.Points[0], s.Points[len(s.Points)-1]
	low, high := min(0, first.Value), max(0, first.Value)
	for _, p := range s.Points {
		low, high = min(low, p.Value), max(high, p.Value)
	}
	height := func(v int64) hair {
		return plotHeight - scale(plotHeight, v/2-low/2, max(high/2-low/2, 1)) // halves: the span of two int64 is too wide
	}
	if high-low < 1<<62 && high-low > 0 {
		height = func(v int64) hair { return plotHeight - scale(plotHeight, v-low, high-low) }
	}
	var line strings.Builder
	for i, p := range s.Points {
		x := scale(plotWidth, int64(p.At-first.At), int64(max(last.At-first.At, 1)))
		if i == 0 {
			fmt.Fprintf(&line, "M%s %s", x, height(p.Value))
		} else if !s.Currency.IsZero() {
			fmt.Fprintf(&line, "H%sV%s", x, height(p.Value))
		} else {
			fmt.Fprintf(&line, "L%s %s", x, height(p.Value))
		}
	}
	if len(s.Points) == 1 {
		fmt.Fprintf(&line, "H%s", plotWidth)
	}
	zero := height(0)
	return plot{
		Line: line.String(), Area: fmt.Sprintf("%sV%sH0Z", line.String(), zero), Zero: zero,
		Low: money.Of(low, s.Currency), High: money.Of(high, s.Currency), First: first, Last: last, Points: s.Points,
		Currency: s.Currency,
	}
}

// code is a QR code as one path, a unit for each module, with the quiet zone of four that ISO/IEC 18004 asks for.
type code struct {
	Size int
	Path string
}

const codeBytes = 1024 // longest text a code may hold: more could not be scanned from a phone's screen

// quick draws the QR code of a text with medium error correction.
func quick(text string) (code, error) {
	if len(text) > codeBytes {
		return code{}, fmt.Errorf("console: %d bytes are too many for a QR code; at most %d", len(text), codeBytes)
	}
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return code{}, fmt.Errorf("console: QR code: %w", err)
	}
	const quiet = 4
	var b strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			start := x
			for x < c.Size && c.Black(x, y) {
				x++
			}
			if x > start {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", start+quiet, y+quiet, x-start, x-start)
			}
		}
	}
	return code{Size: c.Size + 2*quiet, Path: b.String()}, nil
}
