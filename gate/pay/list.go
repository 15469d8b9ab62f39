package pay

import (
	"context"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// Row is a payment in a list.
type Row struct {
	ID        moongate.ID   `json:"id"`
	Merchant  string        `json:"merchant"`
	Order     string        `json:"order"`
	From      string        `json:"from"`
	To        string        `json:"to"`
	Agreement moongate.ID   `json:"agreement"`
	Amount    money.Amount  `json:"amount"`
	Refunded  money.Amount  `json:"refunded"`
	Status    Status        `json:"status"`
	Stage     AttemptStatus `json:"stage,omitempty"`  // of the last attempt, or the one that was paid
	Wallet    string        `json:"wallet,omitempty"` // of that attempt
	Crossing  moongate.ID   `json:"crossing,omitzero"`
	Created   moongate.Time `json:"created"`
	Expires   moongate.Time `json:"expires"`
	Ended     moongate.Time `json:"ended,omitzero"`
}

// Filter narrows a list of payments; what is zero does not.
type Filter struct {
	Merchant string
	Status   Status
	Stage    AttemptStatus // of the last attempt
	Wallet   string
	Order    string        // the merchant's number, whole
	Since    moongate.Time // created then or later
	Until    moongate.Time // created before
}

// RefundFilter narrows a list of refunds; what is zero does not.
type RefundFilter struct {
	Merchant string
	Payment  moongate.ID
	Status   RefundStatus
	Wallet   string
}

// RefundRow is a refund in a list.
type RefundRow struct {
	ID        moongate.ID   `json:"id"`
	Payment   moongate.ID   `json:"payment"`
	Merchant  string        `json:"merchant"`
	Reference string        `json:"reference,omitempty"` // none where the hub gives money back by itself
	Wallet    string        `json:"wallet"`
	Amount    money.Amount  `json:"amount"`
	Status    RefundStatus  `json:"status"`
	Exception moongate.ID   `json:"exception,omitzero"`
	Crossing  moongate.ID   `json:"crossing"`
	Message   string        `json:"message,omitempty"`
	Opened    moongate.Time `json:"opened"`
	Ended     moongate.Time `json:"ended,omitzero"`
}

// ExceptionRow is an exception in a list, open or not.
type ExceptionRow struct {
	ID       moongate.ID   `json:"id"`
	Kind     TroubleKind   `json:"kind"`
	Payment  moongate.ID   `json:"payment,omitzero"`
	Merchant string        `json:"merchant,omitempty"`
	Wallet   string        `json:"wallet,omitempty"`
	Refund   moongate.ID   `json:"refund,omitzero"`
	Amount   money.Amount  `json:"amount,omitzero"`
	Facts    string        `json:"facts"`
	Held     bool          `json:"held"` // its money stands in suspense
	Opened   moongate.Time `json:"opened"`
	Ended    moongate.Time `json:"ended,omitzero"`
	Action   Action        `json:"action,omitempty"`
	By       string        `json:"by,omitempty"`
	Note     string        `json:"note,omitempty"`
}

// ExceptionFilter narrows a list of exceptions; what is zero does not.
type ExceptionFilter struct {
	ID       moongate.ID
	Merchant string
	Kind     TroubleKind
	Wallet   string
	Payment  moongate.ID
	Open     bool          // only those that are not settled
	Settled  bool          // only those that are
	Since    moongate.Time // opened then or later
	Until    moongate.Time // opened before
	Oldest   bool          // first, as a queue is worked
}

// Each list gives up to limit rows (1 to 500), newest first where nothing else is said, from a cursor on: "" for the start, later what the call
// before gave as next, which is "" at the end. A cursor holds what the last row showed, never a position.

// Payments lists payments.
func Payments(ctx context.Context, db view.DB, f Filter, after string, limit int) ([]Row, string, error) {
	q := view.Query{Table: "payment", At: "created", Columns: "id, merchant, number, source, target, agreement, currency, minor, refunded, status, stage, wallet, crossing, created, expires, ended"}
	q.Is("merchant", f.Merchant)
	q.Is("status", string(f.Status))
	q.Is("stage", string(f.Stage))
	q.Is("wallet", f.Wallet)
	q.Is("number", f.Order)
	q.Within(f.Since, f.Until)
	return view.List(ctx, db, &q, after, limit, func(r *Row) []any {
		return []any{
			view.Text{To: &r.ID},
			&r.Merchant, &r.Order, &r.From, &r.To,
			view.Text{To: &r.Agreement},
			view.Text{To: &r.Amount.Currency},
			&r.Amount.Minor, &r.Refunded.Minor,
			&r.Status, &r.Stage, &r.Wallet,
			view.Text{To: &r.Crossing},
			&r.Created, &r.Expires, &r.Ended,
		}
	}, func(r *Row) error {
		r.Refunded.Currency = r.Amount.Currency
		return nil
	})
}

// Refunds lists refunds.
func Refunds(ctx context.Context, db view.DB, f RefundFilter, after string, limit int) ([]RefundRow, string, error) {
	q := view.Query{Table: "refund", At: "opened", Columns: "id, payment, merchant, reference, wallet, currency, minor, status, exception, crossing, message, opened, ended"}
	q.Is("merchant", f.Merchant)
	q.Is("payment", orNone(f.Payment))
	q.Is("status", string(f.Status))
	q.Is("wallet", f.Wallet)
	return view.List(ctx, db, &q, after, limit, func(r *RefundRow) []any {
		return []any{
			view.Text{To: &r.ID},
			view.Text{To: &r.Payment},
			&r.Merchant, &r.Reference, &r.Wallet,
			view.Text{To: &r.Amount.Currency},
			&r.Amount.Minor, &r.Status,
			view.Text{To: &r.Exception},
			view.Text{To: &r.Crossing},
			&r.Message, &r.Opened, &r.Ended,
		}
	}, nil)
}

// Exceptions lists exceptions.
func Exceptions(ctx context.Context, db view.DB, f ExceptionFilter, after string, limit int) ([]ExceptionRow, string, error) {
	q := view.Query{Table: "exception", At: "opened", Oldest: f.Oldest, Columns: "id, kind, payment, merchant, wallet, refund, currency, minor, facts, held, opened, ended, action, decider, note"}
	q.Is("merchant", f.Merchant)
	q.Is("id", orNone(f.ID))
	q.Is("kind", string(f.Kind))
	q.Is("wallet", f.Wallet)
	q.Is("payment", orNone(f.Payment))
	q.Within(f.Since, f.Until)
	if f.Open {
		q.Where("ended = 0")
	}
	if f.Settled {
		q.Where("ended > 0")
	}
	return view.List(ctx, db, &q, after, limit, func(r *ExceptionRow) []any {
		return []any{
			view.Text{To: &r.ID},
			&r.Kind,
			view.Text{To: &r.Payment},
			&r.Merchant, &r.Wallet,
			view.Text{To: &r.Refund},
			view.Text{To: &r.Amount.Currency},
			&r.Amount.Minor,
			&r.Facts, &r.Held, &r.Opened, &r.Ended, &r.Action, &r.By, &r.Note,
		}
	}, nil)
}

// Reader reads the journal's entry at a position.
type Reader func(journal.Position) (journal.Entry, error)

// Walk visits a payment's events, newest first, from a position on its chain ([Payment].Head is the newest) until visit
// says no.
func Walk(read Reader, payment moongate.ID, from journal.Position, visit func(journal.Entry) bool) error {
	for from != 0 {
		e, err := read(from)
		if err != nil {
			return fmt.Errorf("pay: history of %s: %w", payment, err)
		}
		of, before, ok := onChain(e.Event)
		if !ok || of != payment || before >= from {
			return fmt.Errorf("pay: history of %s: event %d is not on its chain", payment, from)
		}
		if !visit(e) {
			return nil
		}
		from = before
	}
	return nil
}

// onChain gives the payment that an event is about and the event before it on that payment's chain.
func onChain(e journal.Event) (payment moongate.ID, before journal.Position, ok bool) {
	if v, ok := e.(*Created); ok {
		return v.Payment, 0, true
	}
	of, isOf := e.(interface{ payment() moongate.ID })
	link, isLink := e.(interface{ before() journal.Position })
	if !isOf || !isLink {
		return moongate.ID{}, 0, false
	}
	return of.payment(), link.before(), true
}

func (o *Of) payment() moongate.ID        { return o.Payment }
func (c *Chain) before() journal.Position { return c.Before }
