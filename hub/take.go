package hub

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
)

// MaxBill bounds a bill that somebody sends, in bytes.
const MaxBill = 1 << 30

const (
	billPause = 20 * time.Second // within which a part of it comes
	billTime  = 10 * time.Minute // within which it is read once it has come
)

// TakeBill takes in a bill as it comes over a connection, in the name of a caller, and gives what it came to. One is taken
// in at a time: who comes meanwhile is told that the hub is busy.
func (h *Hub) TakeBill(ctx context.Context, w http.ResponseWriter, from io.Reader, caller string, src reconcile.Source) (row reconcile.BillRow, err error) {
	if !h.taking.TryLock() {
		return row, &moongate.Error{Code: moongate.Busy, Message: "another bill is being taken in", Hint: "wait until it is done"}
	}
	defer h.taking.Unlock()
	text, err := h.Bills.Spool(func(to io.Writer) error { return h.receive(w, from, to) })
	if err != nil {
		return row, err
	}
	defer func() { _ = text.Close() }() // only read
	src.Text = text
	answer, err := h.Bills.Import(ctx, caller, src)
	if err != nil {
		return row, err
	}
	at, _ := h.Node.Durable()
	if err := h.Views.Wait(ctx, at); err != nil {
		return row, err
	}
	return reconcile.FindBill(ctx, h.Views, answer.Bill)
}

// receive copies what may be large, each part of it within a time of its own.
func (h *Hub) receive(w http.ResponseWriter, from io.Reader, to io.Writer) error {
	rc := http.NewResponseController(w)
	part := make([]byte, 256<<10)
	for {
		_ = rc.SetReadDeadline(h.Now().Add(billPause)) // a connection that has none is in memory
		_ = rc.SetWriteDeadline(h.Now().Add(billTime))
		n, err := from.Read(part)
		if _, failed := to.Write(part[:n]); failed != nil {
			return failed
		}
		var large *http.MaxBytesError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &large):
			return &moongate.Error{Code: moongate.TooLarge, Message: "the bill has more than 1 GiB", Hint: "take it apart, day by day"}
		case err != nil:
			return &moongate.Error{Code: moongate.Malformed, Message: "the bill broke off on its way", Hint: "send it again"}
		}
	}
}
