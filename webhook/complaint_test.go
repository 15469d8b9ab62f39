package webhook_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/webhook"
)

// Each test here is named after what users of another payment hub found to go wrong, and cites where they wrote it down;
// docs/design/payments.md has the whole list.

// juspay/hyperswitch#3408: the event is written down, sending it fails, and as the event is there already nobody sends it
// again. Here the hub ends after the failure, and what it sends when it is back is the same message.
func TestWebhookNeverResentOnceItsEventExists(t *testing.T) {
	t.Parallel()
	s, f := openStation(t, time.Millisecond, time.Hour), newShopfront(t)
	f.answer = func(string, int) int { return 503 }
	id := s.hook(f, "shop")
	s.rename("shop", "paid")
	s.until(id, "failing twice", func(e webhook.Endpoint) bool { return e.Failing != 0 && len(f.names(false)) >= 2 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.answer = func(string, int) int { return 204 }
	f.mu.Unlock()
	s.start()
	f.wait("paid")
	f.mu.Lock()
	defer f.mu.Unlock()
	if first, last := f.tried[0], f.got[0]; first != last {
		t.Errorf("first %+v was sent, and then %+v", first, last)
	}
}

// juspay/hyperswitch#9278: a message is made when it is sent, from what the database says then or said before, and not of
// what happened. Here the endpoint is down while more happens: each message tells its own event.
func TestStaleStatusSent(t *testing.T) {
	t.Parallel()
	s, f := openStation(t, time.Millisecond, time.Millisecond, time.Millisecond), newShopfront(t)
	f.answer = func(name string, n int) int {
		if n <= 2 {
			return 500
		}
		return 200
	}
	s.hook(f, "shop")
	all := []string{"created", "attempted", "unknown", "paid", "refunded"}
	for _, status := range all {
		s.rename("shop", status)
	}
	f.wait(all...)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.got {
		if n := strings.Count(m.text, m.name); n == 0 || slices.ContainsFunc(all, func(other string) bool { return other != m.name && strings.Contains(m.text, `"`+other+`"`) }) {
			t.Errorf("the message about %q says %s", m.name, m.text)
		}
	}
}
