package console

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"rsc.io/qr"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

func TestHair(t *testing.T) {
	for h, want := range map[hair]string{0: "0", 1: "0.01", 50: "0.5", 100: "1", 1234: "12.34", -50: "-0.5", -1200: "-12"} {
		if got := h.String(); got != want {
			t.Errorf("hair(%d) = %s, want %s", h, got, want)
		}
	}
}

// TestScale compares with arithmetic that cannot overflow.
func TestScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.Int64Range(-10, 1<<40).Draw(t, "length")
		part, whole := rapid.Int64().Draw(t, "part"), rapid.Int64().Draw(t, "whole")
		want := new(big.Int)
		if length > 0 && part > 0 && whole > 0 {
			want.Mul(big.NewInt(length), big.NewInt(part))
			want.Div(want, big.NewInt(whole))
			if want.Cmp(big.NewInt(length)) > 0 {
				want.SetInt64(length)
			}
		}
		if got := scale(hair(length), part, whole); big.NewInt(int64(got)).Cmp(want) != 0 {
			t.Fatalf("scale(%d, %d, %d) = %d, want %s", length, part, whole, got, want)
		}
	})
}

func TestShare(t *testing.T) {
	for _, test := range []struct {
		part, whole int64
		want        string
	}{
		{1, 3, "33.3%"},
		{2, 3, "66.7%"},
		{1, 1, "100%"},
		{0, 5, "0%"},
		{5, 0, ""},
		{-1, 4, "-25%"},
		{1, 2000, "0.1%"},
		{1, 2001, "0%"},
		{3, 2, "150%"},
		{math.MinInt64, math.MinInt64, "100%"},
		{math.MaxInt64, 1, ""},
	} {
		if got := strings.ReplaceAll(share(test.part, test.whole), "−", "-"); got != test.want {
			t.Errorf("share(%d, %d) = %q, want %q", test.part, test.whole, got, test.want)
		}
	}
}

// TestStripIsTheWhole: whatever is divided, the segments touch and fill the strip.
func TestStripIsTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Split
		for _, minor := range rapid.SliceOfN(rapid.Int64Range(-1000, 1<<50), 1, 20).Draw(t, "parts") {
			s.Parts = append(s.Parts, Part{Amount: fen(minor)})
			s.Whole.Minor += minor
		}
		x, taken := hair(0), false
		for _, g := range strip(s) {
			if g.X != x || g.Width < 0 || g.Colour < 1 || g.Colour > palette {
				t.Fatalf("segment %+v does not begin where the last one ended, %s", g, x)
			}
			x, taken = g.X+g.Width, taken || g.Part.Amount.Minor > 0
		}
		if taken && x != stripWidth {
			t.Fatalf("the strip ends at %s, want %s", x, stripWidth)
		}
	})
}

func TestBars(t *testing.T) {
	positions := []Position{{Net: fen(math.MinInt64)}, {Net: fen(math.MaxInt64)}, {Net: fen(0)}, {Net: fen(-1)}}
	got := bars(positions)
	for i, want := range []bar{{X: -100 * unit, Width: 100 * unit}, {Width: 100 * unit}, {}, {X: -unit / 2, Width: unit / 2}} {
		if got[i].X != want.X || got[i].Width != want.Width {
			t.Errorf("bar %d from %s, %s wide; want from %s, %s wide", i, got[i].X, got[i].Width, want.X, want.Width)
		}
	}
}

// TestPlotStaysInItsFrame for any values and times, in and out of order.
func TestPlotStaysInItsFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Series{Currency: rapid.SampledFrom([]money.Currency{{}, money.CNY}).Draw(t, "currency")}
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			s.Points = append(s.Points, Point{At: moongate.Time(rapid.Int64Range(0, 1<<55).Draw(t, "at")), Value: rapid.Int64().Draw(t, "value")})
		}
		p := draw(s)
		if len(s.Points) == 0 {
			if p.Line != "" {
				t.Fatalf("a line without points: %s", p.Line)
			}
			return
		}
		if p.Zero < 0 || p.Zero > plotHeight {
			t.Fatalf("zero stands at %s", p.Zero)
		}
		for _, number := range strings.FieldsFunc(p.Line, func(r rune) bool { return strings.ContainsRune("MHVL ", r) }) {
			if strings.HasPrefix(number, "-") || len(number) > len("1000.00") {
				t.Fatalf("the line leaves its frame at %s: %s", number, p.Line)
			}
		}
	})
}

// TestRiver: bands leave and reach their banks within their height, and nothing is lost.
func TestRiver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Flow
		var total int64
		for range rapid.IntRange(0, 40).Draw(t, "flows") {
			f := Flow{
				From: Party{ID: rapid.SampledFrom(strings.Split("abcdefghijklm", "")).Draw(t, "from")}, To: Party{ID: rapid.SampledFrom(strings.Split("mnopqrstuvwxyz", "")).Draw(t, "to")},
				Count: rapid.Int64Range(0, 1<<40).Draw(t, "count"),
			}
			total += f.Count
			all = append(all, f)
		}
		for _, narrow := range []bool{false, true} {
			r := layRiver(all, narrow)
			for _, side := range [][]bank{r.Left, r.Right} {
				var sum int64
				bottom := hair(0)
				for _, b := range side {
					if b.used > b.Height {
						t.Fatalf("bands of %s need %s, more than its %s", b.Party.ID, b.used, b.Height)
					}
					if b.Y < bottom || b.Y+b.Height > r.Height {
						t.Fatalf("%s stands at %s to %s, over another or outside %s", b.Party.ID, b.Y, b.Y+b.Height, r.Height)
					}
					sum, bottom = sum+b.Count, b.Y+b.Height
				}
				if sum != total {
					t.Fatalf("the side counts %d, want %d", sum, total)
				}
				if len(side) > banksShown {
					t.Fatalf("%d banks, want at most %d", len(side), banksShown)
				}
			}
			var sum int64
			for _, b := range r.Bands {
				sum += b.Flow.Count
			}
			if sum != total {
				t.Fatalf("bands carry %d, want %d", sum, total)
			}
		}
	})
}

// TestRiverIsTheSameEveryTime: maps stand behind it, and pages must not flicker.
func TestRiverIsTheSameEveryTime(t *testing.T) {
	first := layRiver(flows(English), false)
	for range 20 {
		again := layRiver(flows(English), false)
		for i := range first.Bands {
			if first.Bands[i].Path != again.Bands[i].Path {
				t.Fatalf("band %d has moved", i)
			}
		}
	}
}

// TestQuick compares the path with the modules of the code, and reads it as a scanner would: dark where the path is.
func TestQuick(t *testing.T) {
	const text = "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"
	c, err := quick(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != want.Size+8 {
		t.Fatalf("%d modules wide, want %d with the quiet zone", c.Size, want.Size+8)
	}
	dark := map[[2]int]bool{}
	for _, run := range strings.Split(strings.TrimSuffix(c.Path, "z"), "z") {
		x, y, width := 0, 0, 0
		if _, err := sscan(run, &x, &y, &width); err != nil {
			t.Fatalf("run %q: %v", run, err)
		}
		for i := range width {
			dark[[2]int{x + i, y}] = true
		}
	}
	for y := range c.Size {
		for x := range c.Size {
			if dark[[2]int{x, y}] != want.Black(x-4, y-4) {
				t.Fatalf("module %d, %d is wrong", x, y)
			}
		}
	}
	if _, err := quick(strings.Repeat("x", codeBytes+1)); err == nil {
		t.Error("a code too dense to scan is drawn")
	}
}

func TestClimb(t *testing.T) {
	l := climb([]Hash{{"a", true}, {"b", false}}, []Hash{{"c", false}})
	if len(l.Rungs) != 3 {
		t.Fatalf("%d rungs, want 3", len(l.Rungs))
	}
	last := l.Foot
	for i, r := range l.Rungs {
		if r.Y > last || r.NextY >= r.Y || r.NextY < 0 {
			t.Errorf("rung %d goes from %s to %s, below %s", i, r.Y, r.NextY, last)
		}
		last = r.NextY
	}
	if l.Rungs[0].NodeX >= l.Middle || l.Rungs[1].NodeX <= l.Middle {
		t.Error("neighbours stand on the wrong side")
	}
	if !(l.Rungs[1].NextY > l.Gate && l.Gate > l.Rungs[2].Y) {
		t.Error("the gate is not between interval and log")
	}
	if empty := climb(nil, nil); empty.Height <= 0 || empty.Top >= empty.Foot {
		t.Errorf("a path without hashes: %+v", empty)
	}
}

func TestClockAndRing(t *testing.T) {
	for _, test := range []struct {
		left moongate.Time
		want string
		ring int64
	}{
		{15 * moongate.Minute, "15:00", 1000},
		{7*moongate.Minute + 30*moongate.Second, "7:30", 500},
		{59*moongate.Second + 1, "1:00", 65},
		{moongate.Second, "0:01", 1},
		{0, "0:00", 0},
		{-moongate.Minute, "0:00", 0},
	} {
		if got := left(noon, noon+test.left); got != test.want {
			t.Errorf("left(%d) = %s, want %s", test.left, got, test.want)
		}
		if got := elapsed(noon+test.left-15*moongate.Minute, noon, noon+test.left); got != test.ring {
			t.Errorf("elapsed(%d) = %d, want %d", test.left, got, test.ring)
		}
	}
	if got := left(noon, noon+2*moongate.Hour); got != "2:00:00" {
		t.Errorf("two hours are %s", got)
	}
	if got := elapsed(noon, noon, noon); got != 0 {
		t.Errorf("a span of nothing is %d", got)
	}
}

func TestShorten(t *testing.T) {
	for s, want := range map[string]string{
		"pay_aeaqc_mfrggzdfmztwq2lknnwa": "pay_mfrggz…nnwa",
		"bamboo-2026-09":                 "bamboo-2026-09",
		"0123456789abcdef0123456789":     "012345…6789",
		"a_b":                            "a_b",
		"_":                              "_",
		"":                               "",
	} {
		if got := shorten(s); got != want {
			t.Errorf("shorten(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1,023 B", 1024: "1 KiB", 1536: "1.5 KiB", 3 << 30: "3 GiB", math.MaxInt64: "8,191.9 PiB"} {
		if got := strings.ReplaceAll(size(n), "\u00a0", " "); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

// sscan reads one run of dark modules, "M4 5h7v1h-7".
func sscan(run string, x, y, width *int) (int, error) {
	var back int
	n, err := fmt.Sscanf(run, "M%d %dh%dv1h%d", x, y, width, &back)
	if err == nil && back != -*width {
		err = fmt.Errorf("does not come back")
	}
	return n, err
}
