package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim"
)

// The same seed tells the same story, to the last byte of the state, and everything holds in it.
func TestOnceIsItsSeed(t *testing.T) {
	first := once(t, 1)
	if again := once(t, 1); again.StateHash != first.StateHash {
		t.Errorf("the state %s, before it was %s", again.StateHash, first.StateHash)
	}
}

// Everything holds in another story too, in which shares come back for refunds.
func TestSharesComeBackInAStory(t *testing.T) {
	if r := once(t, 3); r.ByKind["takeback"] == 0 {
		t.Errorf("no share came back: choose another seed; %v", r.ByKind)
	}
}

// once plays a story, and gives the report in which everything held.
func once(t *testing.T, seed uint64) *sim.Report {
	t.Helper()
	r, err := sim.Once(t.Context(), sim.Options{Seed: seed, Orders: 40, Now: time.Now, Surface: func(h *hub.Hub) (http.Handler, error) { return surface(h, true) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if !f.OK {
			b, err := json.MarshalIndent(f, "", " ")
			t.Errorf("%s (%v)", b, err)
		}
	}
	if r.Crossings == 0 {
		t.Error("nothing crossed")
	}
	return r
}
