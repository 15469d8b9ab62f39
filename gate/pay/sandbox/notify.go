package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"
)

const (
	notifyDelay  = time.Second      // until the first delivery
	reorderPause = 10 * time.Second // how long a held-back notification waits for one to overtake it
	maxReply     = 1 << 10          // of a shop's answer, that is read
)

// Notice is a notification until it is acknowledged or given up.
type Notice struct {
	ID      string // the same in every delivery
	Account string
	No      string // the order or refund it is about
	URL     string
	Created time.Time
	Content json.RawMessage // the wire's own
	Tries   int             `json:",omitempty"`
	Ended   bool            `json:",omitempty"` // acknowledged or given up
}

// Delivery is one try, made under the lock and sent outside it.
type Delivery struct {
	Body []byte
	Seal func(h http.Header, body []byte) ([]byte, error) // signs: it writes headers, and may complete the body
}

// Notify puts a notification on its way, with the wire's content in it. The caller holds the lock.
func (w *Wallet) Notify(n *Notice, content any) {
	text, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("sandbox: notification of %s: %v", n.No, err)) // our own strings and numbers
	}
	n.Created, n.Content = w.Now(), text
	w.notices[n.ID] = n
	w.Keep(lineNotice, n)
	w.deliverLater(n, notifyDelay)
}

func (w *Wallet) deliverLater(n *Notice, d time.Duration) {
	id := n.ID
	w.Later(d, func() { w.deliver(id) })
}

// deliver makes one try, and sees to what a fault wants besides.
func (w *Wallet) deliver(id string) {
	w.mu.Lock()
	n := w.notices[id]
	if n == nil || n.Ended {
		w.mu.Unlock()
		return
	}
	w.held = slices.DeleteFunc(w.held, func(other string) bool { return other == id })
	hit := w.Hits(n.No, OpNotify)
	if f := hit[Delay]; f != nil {
		w.deliverLater(n, f.Delay)
		w.mu.Unlock()
		return
	}
	if hit[Reorder] != nil {
		w.held = append(w.held, id)
		w.deliverLater(n, reorderPause)
		w.mu.Unlock()
		return
	}
	to := n.URL
	delivery, err := w.wire.Deliver(n, hit)
	again := hit[Duplicate] != nil
	lost := hit[Lose] != nil
	w.mu.Unlock()

	acknowledged := false
	if err == nil && !lost {
		acknowledged = w.send(to, delivery)
		if again {
			acknowledged = w.send(to, delivery) || acknowledged
		}
	}
	w.mu.Lock()
	overtaken := w.held
	w.held = nil
	w.tried(n, acknowledged)
	w.mu.Unlock()
	for _, other := range overtaken {
		w.deliver(other)
	}
}

// tried books a try: the notification ends, or comes again by the schedule.
func (w *Wallet) tried(n *Notice, acknowledged bool) {
	if n.Ended {
		return
	}
	if acknowledged || n.Tries >= len(w.wire.Schedule) {
		n.Ended = true
		delete(w.notices, n.ID)
	} else {
		w.deliverLater(n, w.wire.Schedule[n.Tries])
		n.Tries++
	}
	w.Keep(lineNotice, n)
}

// send posts a notification and tells whether it was acknowledged in time.
func (w *Wallet) send(to string, d Delivery) bool {
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.AckTime)
	defer cancel()
	header := http.Header{}
	body, err := d.Seal(header, d.Body)
	if err != nil {
		return false
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return false
	}
	r.Header = header
	answer, err := w.cfg.Carrier.RoundTrip(r)
	if err != nil {
		return false
	}
	reply, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	_ = answer.Body.Close() // what was read counts
	return err == nil && w.wire.Acknowledged(answer.StatusCode, reply)
}

// resume puts on their way again what was under way when the wallet stopped.
func (w *Wallet) resume() {
	for _, id := range slices.Sorted(maps.Keys(w.notices)) {
		w.deliverLater(w.notices[id], notifyDelay)
	}
}

// Waiting counts the notifications that were neither acknowledged nor given up.
func (w *Wallet) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.notices)
}
