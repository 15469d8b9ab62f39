package link_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/replica"
)

// faulty stands between a recorder and the machine, and loses requests or answers.
type faulty struct {
	w    *world
	plan []fault // one for each submission; none is no fault
	sent []replica.Request
}

type fault struct {
	err     error
	decided bool // before the answer was lost
}

func (f *faulty) submit(_ context.Context, r replica.Request) (any, error) {
	f.sent = append(f.sent, r)
	var now fault
	if len(f.plan) > 0 {
		now, f.plan = f.plan[0], f.plan[1:]
	}
	if now.err != nil && !now.decided {
		return nil, now.err
	}
	a, err := f.w.Do(r)
	if now.err != nil {
		return nil, now.err
	}
	return a, err
}

// An answer that is lost is asked for again, with the same batch: nothing is counted twice.
func TestRecorderAsksAgain(t *testing.T) {
	w := newWorld(t, link.Limits{})
	code := w.link("news", w.destination("mall", "https://mall.example/tea"))
	res, err := w.resolve(code, link.Web)
	if err != nil {
		t.Fatal(err)
	}
	unknown, busy := &moongate.Error{Code: moongate.Unknown}, &moongate.Error{Code: moongate.Busy}
	f := &faulty{w: w, plan: []fault{{busy, false}, {unknown, true}, {unknown, false}, {}}}
	r, err := link.NewRecorder(link.RecorderOptions{Hub: hubTag, Tokens: w.tokens(), Random: &counter{}, Submit: f.submit, Now: func() moongate.Time { return w.Now }})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.Click(&res, link.Web, w.Now)
	}
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(f.sent) != 4 || f.sent[0].Command != f.sent[3].Command {
		t.Errorf("sent %+v", f.sent)
	}
	w.clicks(t, 3)

	// Evidence of a block, alone, has no numbers: a key tells that it comes again.
	block := w.block("blog", link.BlockLinks{Host: "mall.example"})
	f.plan = []fault{{unknown, true}}
	for range 2 {
		r.Met(code, block, w.Now)
		if err := r.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	met := int64(0)
	for _, e := range w.events() {
		if e, ok := e.(*link.Met); ok {
			met += e.Stopped.Count
		}
	}
	if met != 2 {
		t.Errorf("%d openings met the block, want 2", met)
	}

	// Where the context ends first, the batch stays and is sent again unchanged, before what came meanwhile.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.plan = []fault{{unknown, true}}
	r.Click(&res, link.Web, w.Now)
	if err := r.Flush(ctx); moongate.CodeOf(err) != moongate.Unknown {
		t.Errorf("ended: %v", err)
	}
	r.Click(&res, link.Web, w.Now)
	if s := r.Stats(); s.Waiting != 2 || s.Recorded != 3 {
		t.Errorf("%+v", s)
	}
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.clicks(t, 5)
	if s := r.Stats(); s.Waiting != 0 || s.Recorded != 5 || s.Abandoned != 0 {
		t.Errorf("%+v", s)
	}
}

// clicks checks how many are recorded, and that none is twice.
func (w *world) clicks(t *testing.T, want int) {
	t.Helper()
	seen := map[moongate.ID]bool{}
	for _, e := range w.events() {
		if e, ok := e.(*link.Clicked); ok {
			for _, c := range e.Clicks {
				if seen[c.ID] {
					t.Errorf("click %s is recorded twice", c.ID)
				}
				seen[c.ID] = true
			}
		}
	}
	if len(seen) != want {
		t.Errorf("%d clicks recorded, want %d", len(seen), want)
	}
}

// A batch that is turned down for good is given up, with all behind it; their clicks count as lost, and the recorder
// goes on under another name.
func TestRecorderGivesUp(t *testing.T) {
	w := newWorld(t, link.Limits{})
	code := w.link("news", w.destination("mall", "https://mall.example/tea"))
	res, err := w.resolve(code, link.Web)
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{w: w, plan: []fault{{&moongate.Error{Code: moongate.Internal, Message: "a fault"}, false}}}
	r, err := link.NewRecorder(link.RecorderOptions{Hub: hubTag, Tokens: w.tokens(), Random: &counter{}, Submit: f.submit, Now: func() moongate.Time { return w.Now }})
	if err != nil {
		t.Fatal(err)
	}
	lost := r.Click(&res, link.Web, w.Now)
	if err := r.Flush(context.Background()); err == nil || !strings.Contains(err.Error(), "1 clicks were turned down") {
		t.Errorf("%v", err)
	}
	kept := r.Click(&res, link.Web, w.Now)
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !w.links.Lost(&lost) || w.links.Lost(&kept) || lost.Recorder == kept.Recorder || lost.ID == kept.ID {
		t.Errorf("%+v, %+v", lost, kept)
	}
	if s := r.Stats(); s.Abandoned != 1 || s.Recorded != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRecorderNeedsChance(t *testing.T) {
	for _, random := range []errorReader{{errors.New("no more")}, {nil}} {
		if r, err := link.NewRecorder(link.RecorderOptions{Random: random}); err == nil {
			t.Errorf("%+v", r)
		}
	}
}

// errorReader fails, or gives zeros.
type errorReader struct{ err error }

func (e errorReader) Read(p []byte) (int, error) { return len(p), e.err }

// A batch is bounded: more clicks than fit one go in several, in order.
func TestManyClicks(t *testing.T) {
	w := newWorld(t, link.Limits{})
	code := w.link("news", w.destination("mall", "https://mall.example/tea"))
	res, err := w.resolve(code, link.Web)
	if err != nil {
		t.Fatal(err)
	}
	r := w.recorder(0)
	n := 2*link.MaxBatch + 1
	for range n {
		r.Click(&res, link.Web, w.Now)
	}
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.clicks(t, n)
	var through []uint64
	for _, e := range w.events() {
		if e, ok := e.(*link.Counted); ok {
			through = append(through, e.Through)
		}
	}
	if len(through) != 3 || through[2] != uint64(n) {
		t.Errorf("through %v", through)
	}
}

// A stream that never pauses does not keep a flush going, in batches as small as the disk is fast: what comes while a
// batch is under way waits for the next one.
func TestFlushEndsUnderAStream(t *testing.T) {
	w := newWorld(t, link.Limits{})
	code := w.link("news", w.destination("mall", "https://mall.example/tea"))
	res, err := w.resolve(code, link.Web)
	if err != nil {
		t.Fatal(err)
	}
	var r *link.Recorder
	sent := 0
	r, err = link.NewRecorder(link.RecorderOptions{
		Hub: hubTag, Tokens: w.tokens(), Random: &counter{}, Now: func() moongate.Time { return w.Now },
		Submit: func(_ context.Context, q replica.Request) (any, error) {
			if sent++; sent > 10 {
				t.Fatal("the flush goes on and on")
			}
			r.Click(&res, link.Web, w.Now)
			r.Met(code, moongate.ID{1}, w.Now)
			return w.Do(q)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for round := 1; round <= 3; round++ {
		r.Click(&res, link.Web, w.Now)
		r.Met(code, moongate.ID{1}, w.Now)
		if err := r.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		if sent != round {
			t.Fatalf("%d batches after %d flushes", sent, round)
		}
		if s := r.Stats(); s.Waiting != 1 {
			t.Fatalf("%+v", s)
		}
	}
	w.clicks(t, 5) // the sixth waits
}
