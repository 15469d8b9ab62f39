package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim"
)

func TestOnceIsItsSeed(t *testing.T) {
	for range 2 {
		r, err := sim.Once(t.Context(), sim.Options{Seed: 1, Orders: 40, Sellers: 20, Now: time.Now, Surface: func(h *hub.Hub) (http.Handler, error) { return surface(h, true) }})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			if !f.OK {
				b, _ := json.MarshalIndent(f, "", " ")
				t.Logf("%s", b)
			}
		}
		t.Log(r.StateHash, r.Seconds, r.Events, r.Windows)
	}
}
