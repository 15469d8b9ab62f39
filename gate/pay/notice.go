package pay

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/moongate-hub/moongate/replica"
)

const (
	maxNotice   = 64 << 10        // bytes of a notification
	noticeWait  = 4 * time.Second // wallets give up on an answer after 5
	noticeEvent = 64              // bytes of a wallet's word for an event
)

// Notify is where wallets tell of their own accord: POST /pay/notify/WALLET. A notification is acknowledged, in the words
// that the wallet wants ([Capabilities.Ack]), once what it says is durable. Anything that does not prove to come from the wallet is answered 401 and leaves no
// trace; a delivery that was seen before is answered as it was then.
func (g *Gate) Notify(w http.ResponseWriter, r *http.Request) {
	handle := r.PathValue("wallet")
	wallet := g.opt.Wallets[handle]
	n, ok := wallet.(Notifier)
	if !ok {
		answer(w, http.StatusNotFound, "there is no such wallet here")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), noticeWait)
	defer cancel()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotice))
	if err != nil {
		answer(w, http.StatusRequestEntityTooLarge, "the body is too large or broken")
		return
	}
	notice, err := n.Notified(ctx, r.Header, body)
	if err != nil {
		answer(w, http.StatusUnauthorized, "this does not prove to come from the wallet")
		return
	}
	told := notice.told(handle)
	if told == nil { // an event that nothing here is made of
		acknowledge(w, wallet.Can().Ack)
		return
	}
	g.opt.Read(func() { err = g.opt.State.Takes(told) })
	if err != nil {
		answer(w, http.StatusServiceUnavailable, "not now; please tell again")
		return
	}
	if _, err := g.opt.Submit(ctx, replica.Request{Key: "notice/" + handle + "/" + notice.ID, Command: told}); err != nil {
		answer(w, http.StatusServiceUnavailable, "not now; please tell again")
		return
	}
	acknowledge(w, wallet.Can().Ack)
}

// acknowledge says that a notification need not come again.
func acknowledge(w http.ResponseWriter, words string) {
	if words == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, words) // a wallet that has gone tells again
}

func (n *Notice) told(wallet string) *Told {
	t := &Told{Wallet: wallet, Event: clip(n.Event, noticeEvent)}
	switch {
	case n.Payment != nil:
		t.Order, t.Payment = clip(n.Payment.No, 64), n.Payment.evidence()
	case n.Refund != nil:
		t.Order, t.Refund = clip(n.Refund.No, 64), n.Refund.evidence()
	case n.Dispute != nil:
		t.Order, t.Dispute = clip(n.Dispute.OrderNo, 64), n.Dispute.evidence()
	default:
		return nil
	}
	return t
}

// answer writes a refusal in the form that wallets log: {"code": "FAIL", "message": …}.
func answer(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": "FAIL", "message": message})
}
