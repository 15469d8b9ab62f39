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
	var hash string
	for range 2 {
		r, err := sim.Once(t.Context(), sim.Options{Seed: 1, Orders: 40, Sellers: 20, Now: time.Now, Surface: func(h *hub.Hub) (http.Handler, error) { return surface(h, true) }})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			if !f.OK {
				b, err := json.MarshalIndent(f, "", " ")
				t.Errorf("%s (%v)", b, err)
			}
		}
		if hash == "" {
			hash = r.StateHash
		}
		if r.StateHash != hash || r.Crossings == 0 {
			t.Errorf("%d crossings and the state %s, before it was %s", r.Crossings, r.StateHash, hash)
		}
	}
}
