package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/webhook"
)

// Whoever has many slow endpoints is posted to at a few of them at once, and keeps nobody else waiting.
func TestSlowEndpointsOfOneOwner(t *testing.T) {
	t.Parallel()
	s, f := openStation(t), newShopfront(t)
	var now, most atomic.Int64
	release := make(chan struct{})
	arrived := make(chan struct{}, 100)
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		arrived <- struct{}{}
		<-release
		now.Add(-1)
	})
	for range 12 {
		server := httptest.NewServer(slow)
		defer server.Close()
		s.do("shop", &webhook.Create{URL: server.URL + "/hooks", Kinds: []string{"party.renamed"}})
	}
	s.hook(f, "rival", "party.renamed")
	s.rename("shop", "Slow")
	for range 4 {
		<-arrived
	}
	s.rename("rival", "Quick")
	f.wait("Quick")
	select {
	case <-arrived:
		t.Error("a fifth endpoint of one owner is posted to")
	default:
	}
	close(release)
	for range 8 {
		<-arrived
	}
	if most.Load() > 4 {
		t.Errorf("%d at once", most.Load())
	}
}

// An endpoint that asks for an hour's patience and is deleted leaves nothing behind that waits for it.
func TestDeletedWhileItWaits(t *testing.T) {
	t.Parallel()
	s := openStation(t)
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		asked <- struct{}{}
	}))
	defer server.Close()
	hold := func() int { // goroutines that wait to try an endpoint again
		buf := make([]byte, 4<<20)
		return strings.Count(string(buf[:runtime.Stack(buf, true)]), "webhook.(*Deliverer).run.func")
	}
	for range 3 {
		id := s.do("shop", &webhook.Create{URL: server.URL + "/hooks", Kinds: []string{"party.renamed"}}).(webhook.Answer).Webhook
		s.rename("shop", "Shop")
		<-asked
		s.until(id, "failing", func(e webhook.Endpoint) bool { return e.Failing != 0 })
		s.do("shop", &webhook.Delete{Webhook: id})
	}
	for deadline := time.Now().Add(10 * time.Second); hold() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d wait for endpoints that are gone", hold())
		}
	}
}
