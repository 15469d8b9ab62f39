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
	r, err := sim.Once(t.Context(), sim.Options{Seed: 1, Orders: 40, Sellers: 20, Now: time.Now, Surface: func(h *hub.Hub) (http.Handler, error) { return surface(h, true) }})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.MarshalIndent(r, "", " ")
	t.Logf("%s", b)
}
