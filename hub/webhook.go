package hub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/webhook"
)

// Heard tells of the newest durable events behind a position who may read them, and how far it got. It is not ok where
// more came than is kept.
func (h *Hub) Heard(after journal.Position, visit func(kind string, readers []string, public bool)) (next journal.Position, ok bool) {
	next = after
	ok = h.feed.recent(after, func(e *fed) bool {
		visit(e.entry.Event.EventKind(), e.readers, e.public)
		next = e.entry.Position
		return true
	})
	return next, ok
}

// WebhookKey is an endpoint's signing key. It follows from the hub's secret, and is kept nowhere.
func (h *Hub) WebhookKey(id moongate.ID, generation int) []byte {
	m := hmac.New(sha256.New, h.Secrets.Derive("moongate/webhook/v1"))
	m.Write(id[:])
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(generation)))
	return m.Sum(nil)
}

// newDeliverer makes what posts events to webhooks.
func (h *Hub) newDeliverer() *webhook.Deliverer {
	message := func(e *Event) webhook.Message {
		return webhook.Message{ID: e.ID, Position: e.Position, Kind: e.Kind, At: e.At, Data: e.Data}
	}
	return webhook.NewDeliverer(webhook.Options{
		State: h.Webhook, Read: h.machine.Read, Submit: h.Node.Submit, Leads: func() bool { return h.Node.Leads() && !h.held() }, Durable: h.Node.Durable, Follow: h.Follow, Heard: h.Heard,
		Events: func(ctx context.Context, owner string, after journal.Position, limit int) (all []webhook.Message, next journal.Position, more bool, err error) {
			events, next, more, err := h.Events(ctx, Reader{Handle: owner}, after, limit)
			for i := range events {
				all = append(all, message(&events[i]))
			}
			return all, next, more, err
		},
		Event: func(owner string, at journal.Position) (*webhook.Message, error) {
			entry, err := h.Node.Journal().Entry(at)
			if err != nil {
				return nil, err
			}
			e, err := h.Show(Reader{Handle: owner}, entry)
			if err != nil || e == nil {
				return nil, err
			}
			m := message(e)
			return &m, nil
		},
		Key: h.WebhookKey, Now: h.Now, Pauses: h.opt.WebhookPauses,
		Poster:  &webhook.Poster{Loopback: h.Config.local(), Now: h.Now},
		OnError: func(err error) { h.Log.Warn("webhooks", "error", err) },
	})
}
