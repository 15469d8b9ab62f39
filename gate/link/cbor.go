package link

import (
	"math"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Every click passes through here twice, as a line of a command and of an event, so these append and parse their
// encoding by hand; a test holds them against the library's. See journal.Appender and journal.Parsed.

const lineBytes = 64 // about, and rather more

// AppendCBOR writes the command as journal.Encoding would.
func (c *RecordClicks) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(slices.Grow(b, 64+lineBytes*len(c.Clicks)))
	w.Uint(1, c.Recorder)
	w.Uint(2, c.First)
	w.Array(3, len(c.Clicks), c.Clicks == nil)
	w.Resume(appendLines(w.End(), c.Clicks))
	if len(c.Stopped) > 0 {
		w.Array(4, len(c.Stopped), false)
		b := w.End()
		for i := range c.Stopped {
			b = c.Stopped[i].appendCBOR(b)
		}
		w.Resume(b)
	}
	return w.End()
}

// ParseCBOR reads what AppendCBOR writes.
func (c *RecordClicks) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			c.Recorder = p.Uint(math.MaxUint64)
		case 2:
			c.First = p.Uint(math.MaxUint64)
		case 3:
			c.Clicks = journal.Items(p, parseLine)
		case 4:
			c.Stopped = journal.Items(p, parseStopped)
		default:
			p.Fail()
		}
	}
}

// AppendCBOR writes the group as journal.Encoding would.
func (v *Batch) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(slices.Grow(b, 128+lineBytes*len(v.Clicks)))
	w.Text(1, v.Publisher)
	w.Text(2, v.Owner)
	w.ID(3, v.Agreement)
	w.ID(4, v.Crossing)
	w.Array(5, len(v.Clicks), v.Clicks == nil)
	return appendLines(w.End(), v.Clicks)
}

// ParseCBOR reads what AppendCBOR writes.
func (v *Batch) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			v.Publisher = p.Text()
		case 2:
			v.Owner = p.Text()
		case 3:
			p.ID(&v.Agreement)
		case 4:
			p.ID(&v.Crossing)
		case 5:
			v.Clicks = journal.Items(p, parseLine)
		default:
			p.Fail()
		}
	}
}

func appendLines(b []byte, lines []Line) []byte {
	for i := range lines {
		l := &lines[i]
		w := journal.BeginMap(b)
		w.ID(1, l.ID)
		w.Text(2, l.Link)
		w.Int(3, int64(l.At))
		w.Text(4, string(l.Device))
		b = w.End()
	}
	return b
}

func parseLine(p *journal.Parser, l *Line) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			p.ID(&l.ID)
		case 2:
			l.Link = p.Text()
		case 3:
			l.At = moongate.Time(p.Int())
		case 4:
			l.Device = Device(p.Text())
		default:
			p.Fail()
		}
	}
}

func (s *Stopped) appendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Text(1, s.Link)
	w.ID(2, s.Block)
	w.Int(3, s.Count)
	w.Int(4, int64(s.First))
	w.Int(5, int64(s.Last))
	return w.End()
}

func parseStopped(p *journal.Parser, s *Stopped) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			s.Link = p.Text()
		case 2:
			p.ID(&s.Block)
		case 3:
			s.Count = p.Int()
		case 4:
			s.First = moongate.Time(p.Int())
		case 5:
			s.Last = moongate.Time(p.Int())
		default:
			p.Fail()
		}
	}
}
