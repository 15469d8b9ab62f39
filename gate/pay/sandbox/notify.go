package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// schedule is how long the wallet waits after each failed delivery: fifteen more tries in twenty-four hours and four
// minutes (支付成功回调通知, 通知频率).
var schedule = []time.Duration{
	15 * time.Second, 15 * time.Second, 30 * time.Second, 3 * time.Minute, 10 * time.Minute, 20 * time.Minute,
	30 * time.Minute, 30 * time.Minute, 30 * time.Minute, 60 * time.Minute,
	3 * time.Hour, 3 * time.Hour, 3 * time.Hour, 6 * time.Hour, 6 * time.Hour,
}

// notice is a notification until it is acknowledged or given up.
type notice struct {
	ID       string
	MchID    string
	No       string // the order or refund it is about
	URL      string
	Event    string
	Summary  string
	About    string // original_type and associated_data: transaction or refund
	Created  time.Time
	Resource json.RawMessage
	Tries    int  `json:",omitempty"`
	Ended    bool `json:",omitempty"` // acknowledged or given up
}

// notify puts a notification on its way. The caller holds the lock.
func (w *Wallet) notify(m *merchant, to, event, summary, about, no string, resource map[string]any) {
	text, err := json.Marshal(resource)
	if err != nil {
		panic(fmt.Sprintf("sandbox: %s of %s: %v", event, no, err)) // our own strings and numbers
	}
	id := w.hex(16)
	n := &notice{
		ID:    id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:],
		MchID: m.MchID, No: no, URL: to, Event: event, Summary: summary, About: about, Created: w.now(), Resource: text,
	}
	w.notices[n.ID] = n
	w.keep(record{Notice: n})
	w.deliverLater(n, notifyDelay)
}

func (w *Wallet) deliverLater(n *notice, d time.Duration) {
	id := n.ID
	w.later(d, func() { w.deliver(id) })
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
	hit := w.matching(OpNotify, n.No)
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
	request, err := w.request(n, hit)
	again := hit[Duplicate] != nil
	lost := hit[Lose] != nil
	w.mu.Unlock()

	acknowledged := false
	if err == nil && !lost {
		acknowledged = w.send(request)
		if again {
			acknowledged = w.send(request) || acknowledged
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
func (w *Wallet) tried(n *notice, acknowledged bool) {
	if n.Ended {
		return
	}
	if acknowledged || n.Tries >= len(schedule) {
		n.Ended = true
		delete(w.notices, n.ID)
	} else {
		w.deliverLater(n, schedule[n.Tries])
		n.Tries++
	}
	w.keep(record{Notice: n})
}

// delivery is a notification ready to send: every try is signed anew.
type delivery struct {
	url  string
	body []byte
	seal seal
}

func (w *Wallet) request(n *notice, hit map[Kind]*Fault) (delivery, error) {
	text := []byte(n.Resource)
	if f := hit[WrongAmount]; f != nil {
		text = bumpAmount(text, f.Amount)
	}
	s, err := encrypt(w.merchants[n.MchID].APIv3Key, w.token(12), n.About, text)
	if err != nil {
		return delivery{}, err
	}
	s.OriginalType = n.About
	body, err := json.Marshal(struct {
		ID           string `json:"id"`
		CreateTime   string `json:"create_time"`
		ResourceType string `json:"resource_type"`
		EventType    string `json:"event_type"`
		Summary      string `json:"summary"`
		Resource     sealed `json:"resource"`
	}{n.ID, stamp(n.Created), "encrypt-resource", n.Event, n.Summary, s})
	if err != nil {
		return delivery{}, err
	}
	d := delivery{url: n.URL, body: body, seal: w.seal(w.merchants[n.MchID], shiftOf(hit[Skew]))}
	if hit[Probe] != nil {
		d.seal.spoil = "WECHATPAY/SIGNTEST/"
	}
	return d, nil
}

// send posts a notification and tells whether it was acknowledged: 200 or 204 within five seconds.
func (w *Wallet) send(d delivery) bool {
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.AckTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Mozilla/4.0")
	if err := d.seal.sign(r.Header, d.body); err != nil {
		return false
	}
	answer, err := w.cfg.Carrier.RoundTrip(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close() // only the status counts
	return answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusNoContent
}

// resume puts on their way again what was under way when the wallet stopped.
func (w *Wallet) resume() {
	for _, id := range slices.Sorted(maps.Keys(w.notices)) {
		w.deliverLater(w.notices[id], notifyDelay)
	}
	for _, mchID := range slices.Sorted(maps.Keys(w.merchants)) {
		m := w.merchants[mchID]
		for _, no := range slices.Sorted(maps.Keys(m.refunds)) {
			if r := m.refunds[no]; r.State == processing {
				w.finishLater(r)
			}
		}
	}
}

// Waiting counts the notifications that were neither acknowledged nor given up.
func (w *Wallet) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.notices)
}
