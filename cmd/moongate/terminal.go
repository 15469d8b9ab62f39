package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// terminal writes for people: colour only where a person looks, tables aligned, money with separators.
type terminal struct {
	w     io.Writer
	fancy bool
	err   error
}

func newTerminal(w io.Writer) *terminal {
	f, ok := w.(*os.File)
	fancy := false
	if ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		if info, err := f.Stat(); err == nil {
			fancy = info.Mode()&os.ModeCharDevice != 0
		}
	}
	return &terminal{w: w, fancy: fancy}
}

func (t *terminal) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

func (t *terminal) paint(code, s string) string {
	if !t.fancy {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *terminal) bold(s string) string  { return t.paint("1", s) }
func (t *terminal) dim(s string) string   { return t.paint("2", s) }
func (t *terminal) green(s string) string { return t.paint("32", s) }
func (t *terminal) red(s string) string   { return t.paint("31", s) }

// align says on which side a column's cells stand.
type align bool

const (
	left  align = false
	right align = true
)

// table prints aligned columns under a dim head.
func (t *terminal) table(sides []align, head []string, rows [][]string) {
	width := make([]int, len(head))
	for _, r := range append([][]string{head}, rows...) {
		for i, c := range r {
			width[i] = max(width[i], columns(c))
		}
	}
	print := func(r []string, paint func(string) string) {
		var b strings.Builder
		for i, c := range r {
			pad := strings.Repeat(" ", width[i]-columns(c))
			if i > 0 {
				b.WriteString("  ")
			}
			if sides[i] == right {
				b.WriteString(pad + c)
			} else {
				b.WriteString(c)
				if i < len(r)-1 {
					b.WriteString(pad)
				}
			}
		}
		t.line("%s", paint(strings.TrimRight(b.String(), " ")))
	}
	if strings.Join(head, "") != "" {
		print(head, t.dim)
	}
	for _, r := range rows {
		print(r, func(s string) string { return s })
	}
}

// columns is how wide a string is on a terminal: Chinese characters take two columns, colour codes none.
func columns(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			if end := strings.IndexByte(s[i:], 'm'); end >= 0 {
				i += end + 1
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60) {
			n++
		}
		n++
	}
	return n
}

// money writes minor units with separators: 123456 with two decimals is 1,234.56.
func amount(minor int64, decimals int) string {
	sign := ""
	u := uint64(minor)
	if minor < 0 {
		sign, u = "−", uint64(-minor)
	}
	s := fmt.Sprintf("%0*d", decimals+1, u)
	whole, part := s[:len(s)-decimals], s[len(s)-decimals:]
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if decimals > 0 {
		whole += "." + part
	}
	return sign + whole
}

// count writes a number with separators.
func count(n int64) string { return amount(n, 0) }

// progress shows how far a long job is: one line that renews itself on a terminal, a line every few seconds in a log.
type progress struct {
	t     *terminal
	what  string
	total int64
	now   func() time.Time
	began time.Time
	shown time.Time
	last  int64 // that was shown
}

func (e *env) progress(what string, total int64) *progress {
	return &progress{t: newTerminal(e.err), what: what, total: total, now: e.now, began: e.now()}
}

func (p *progress) at(n int64) {
	now := p.now()
	every := 5 * time.Second
	if p.t.fancy {
		every = 100 * time.Millisecond
	}
	if now.Sub(p.shown) < every || p.shown.IsZero() && now.Sub(p.began) < every || !p.t.fancy && n == p.last {
		return // a log need not be told the same twice
	}
	p.shown, p.last = now, n
	spent := now.Sub(p.began).Seconds()
	rate := float64(n) / spent
	line := fmt.Sprintf("%s  %s", p.what, count(n))
	if p.total > 0 {
		line += " of " + count(p.total)
	}
	line += fmt.Sprintf("  %s/s", count(int64(rate)))
	if p.total > n && rate > 0 {
		line += fmt.Sprintf("  %s left", time.Duration(float64(p.total-n)/rate*float64(time.Second)).Round(time.Second))
	}
	if p.t.fancy {
		fmt.Fprintf(p.t.w, "\r\x1b[2K%s", line)
		return
	}
	p.t.line("%s", line)
}

func (p *progress) done() {
	if p.t.fancy && !p.shown.IsZero() {
		fmt.Fprint(p.t.w, "\r\x1b[2K")
	}
}
