package pay

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/view"
)

// Views lists the room's.
func (s *State) Views() []view.View { return []view.View{Register{}} }

// Register is what people search: payments, refunds, exceptions. What the shopper reads, and where the shopper goes
// back to, stays out of it.
type Register struct{}

// Name is the view's.
func (Register) Name() string { return "pay" }

// Schema makes the view's tables. Times are microseconds, amounts minor units.
func (Register) Schema() string {
	return `CREATE TABLE payment (
		id TEXT PRIMARY KEY, merchant TEXT NOT NULL, number TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
		agreement TEXT NOT NULL, currency TEXT NOT NULL, minor INTEGER NOT NULL, refunded INTEGER NOT NULL, status TEXT NOT NULL,
		attempt TEXT NOT NULL, stage TEXT NOT NULL, wallet TEXT NOT NULL, crossing TEXT NOT NULL, created INTEGER NOT NULL,
		expires INTEGER NOT NULL, ended INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX payment_created ON payment (created, id);
	CREATE INDEX payment_merchant ON payment (merchant, created, id);
	CREATE INDEX payment_number ON payment (number, merchant);
	CREATE INDEX payment_status ON payment (status, created, id);
	CREATE TABLE refund (
		id TEXT PRIMARY KEY, payment TEXT NOT NULL, merchant TEXT NOT NULL, reference TEXT NOT NULL, wallet TEXT NOT NULL,
		currency TEXT NOT NULL, minor INTEGER NOT NULL, status TEXT NOT NULL, exception TEXT NOT NULL, crossing TEXT NOT NULL,
		message TEXT NOT NULL, opened INTEGER NOT NULL, ended INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX refund_opened ON refund (opened, id);
	CREATE INDEX refund_merchant ON refund (merchant, opened, id);
	CREATE INDEX refund_payment ON refund (payment, opened, id);
	CREATE TABLE exception (
		id TEXT PRIMARY KEY, kind TEXT NOT NULL, payment TEXT NOT NULL, merchant TEXT NOT NULL, wallet TEXT NOT NULL,
		refund TEXT NOT NULL, currency TEXT NOT NULL, minor INTEGER NOT NULL, facts TEXT NOT NULL, held INTEGER NOT NULL,
		opened INTEGER NOT NULL, ended INTEGER NOT NULL, action TEXT NOT NULL, decider TEXT NOT NULL, note TEXT NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX exception_opened ON exception (opened, id);
	CREATE INDEX exception_open ON exception (ended, opened, id)`
}

// Kinds lists the events that the view folds.
func (Register) Kinds() []string {
	return []string{
		"pay.created", "pay.attempt_opened", "pay.handed_over", "pay.close_due", "pay.doubted", "pay.attempt_ended", "pay.settled",
		"pay.refund_opened", "pay.refund_due", "pay.refund_moved", "pay.refund_ended", "pay.authorised", "pay.capture_due", "pay.exception_opened", "pay.exception_resolved",
	}
}

// Fold writes what an event changes.
func (r Register) Fold(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Created:
		return tx.Exec(`INSERT INTO payment VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, '', '', '', '', ?, ?, 0)`, v.Payment.String(), v.Merchant, v.Order,
			v.From, v.To, v.Agreement.String(), v.Amount.Currency.String(), v.Amount.Minor, string(Open), int64(e.At), int64(v.Expires))
	case *AttemptOpened:
		return tx.Exec(`UPDATE payment SET attempt = ?, stage = ?, wallet = ? WHERE id = ?`, v.Attempt.String(), string(AttemptOpening), v.Wallet, v.Payment.String())
	case *HandedOver:
		return stage(tx, &v.Try, AttemptAwaiting)
	case *CloseDue:
		return stage(tx, &v.Try, AttemptClosing)
	case *Doubted:
		if v.Op == OpCapture && v.Verdict == Refused {
			return tx.Exec(`UPDATE payment SET stage = ? WHERE id = ? AND attempt = ? AND stage = ?`, string(AttemptReserved), v.Payment.String(), v.Attempt.String(), string(AttemptCapturing))
		}
		return tx.Exec(`UPDATE payment SET stage = ? WHERE id = ? AND attempt = ? AND stage = ?`, string(AttemptUnknown), v.Payment.String(), v.Attempt.String(), string(AttemptOpening))
	case *AttemptEnded:
		return stage(tx, &v.Try, v.Status)
	case *Authorised:
		return tx.Exec(`UPDATE payment SET status = ?, attempt = ?, stage = ?, wallet = ?, crossing = ? WHERE id = ?`, string(StatusAuthorised), v.Attempt.String(),
			string(AttemptReserved), v.Wallet, v.Crossing.String(), v.Payment.String())
	case *CaptureDue:
		return stage(tx, &v.Try, AttemptCapturing)
	case *Settled:
		if err := tx.Exec(`UPDATE payment SET status = ?, ended = ? WHERE id = ?`, string(v.Status), int64(e.At), v.Payment.String()); err != nil {
			return err
		}
		if v.Captured != nil {
			if err := tx.Exec(`UPDATE payment SET minor = ? WHERE id = ?`, *v.Captured, v.Payment.String()); err != nil {
				return err
			}
		}
		if v.Attempt.IsZero() {
			return nil
		}
		return tx.Exec(`UPDATE payment SET attempt = ?, stage = ?, wallet = ?, crossing = coalesce(nullif(?, ''), crossing) WHERE id = ?`,
			v.Attempt.String(), string(AttemptPaid), v.Wallet, orNone(v.Crossing), v.Payment.String())
	}
	return r.foldRefund(tx, e)
}

func stage(tx *view.Tx, t *Try, s AttemptStatus) error {
	return tx.Exec(`UPDATE payment SET stage = ? WHERE id = ? AND attempt = ?`, string(s), t.Payment.String(), t.Attempt.String())
}

func (r Register) foldRefund(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *RefundOpened:
		status := RefundAsked
		if v.Recalls > 0 {
			status = RefundRecalling
		}
		return tx.Exec(`INSERT INTO refund VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, 0)`, v.Refund.String(), v.Payment.String(), v.Merchant, v.Reference,
			v.Wallet, v.Amount.Currency.String(), v.Amount.Minor, string(status), orNone(v.Origin.Exception), v.Crossing.String(), int64(e.At))
	case *RefundDue:
		return tx.Exec(`UPDATE refund SET status = ? WHERE id = ?`, string(RefundAsked), v.Refund.String())
	case *RefundMoved:
		return tx.Exec(`UPDATE refund SET status = ?, message = ? WHERE id = ?`, string(v.Status), v.why(), v.Refund.String())
	case *RefundEnded:
		if err := tx.Exec(`UPDATE refund SET status = ?, message = ?, ended = ? WHERE id = ?`, string(v.Status), v.why(), int64(e.At), v.Refund.String()); err != nil {
			return err
		}
		if v.Status != RefundSucceeded {
			return nil
		}
		// Money of an exception was never the payment's.
		return tx.Exec(`UPDATE payment SET refunded = refunded + (SELECT minor FROM refund WHERE id = ? AND exception = '') WHERE id = ? AND EXISTS (SELECT 1 FROM refund WHERE id = ? AND exception = '')`,
			v.Refund.String(), v.Payment.String(), v.Refund.String())
	case *ExceptionOpened:
		return tx.Exec(`INSERT INTO exception VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', '')`, v.Exception.String(), string(v.Kind),
			orNone(v.Payment), v.Merchant, v.Wallet, orNone(v.Refund), v.Amount.Currency.String(), v.Amount.Minor, v.Facts, !v.Crossing.IsZero(), int64(e.At))
	case *ExceptionResolved:
		return tx.Exec(`UPDATE exception SET ended = ?, action = ?, decider = ?, note = ? WHERE id = ?`, int64(e.At), string(v.Action), v.By, v.Note, v.Exception.String())
	}
	return nil
}

func orNone(id moongate.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
