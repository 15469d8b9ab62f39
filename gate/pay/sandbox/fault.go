package sandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/moongate-hub/moongate"
)

// Op is what a fault interferes with.
type Op string

// Operations that every wallet has. A wire adds names of its own for parts of them, such as one per way to pay.
const (
	OpCreate      Op = "create" // any way to order
	OpQuery       Op = "query"
	OpClose       Op = "close"
	OpRefund      Op = "refund"
	OpQueryRefund Op = "query_refund"
	OpBill        Op = "bill"
	OpDownload    Op = "download"
	OpNotify      Op = "notify"
	OpApprove     Op = "approve"
)

// Kind is how a wallet misbehaves.
type Kind string

// Kinds of faults. The first group is about requests, the second about notifications.
const (
	Delay       Kind = "delay"        // answers (or delivers) later by Delay
	DropBefore  Kind = "drop_before"  // drops the connection, having done nothing
	DropAfter   Kind = "drop_after"   // does the work, then drops the connection
	Refuse      Kind = "refuse"       // answers with the error Code, having done nothing
	Unsigned    Kind = "unsigned"     // leaves out the signature
	Probe       Kind = "probe"        // signs wrongly on purpose, as wallets do to see whether anybody checks
	Garbage     Kind = "garbage"      // answers 200 with a page of HTML
	Skew        Kind = "skew"         // signs with a clock that is off by Delay
	WrongAmount Kind = "wrong_amount" // names a total that is off by Amount, in an answer or a notification

	Lose      Kind = "lose"      // a delivery goes astray; the schedule goes on
	Duplicate Kind = "duplicate" // a delivery arrives twice, acknowledged or not
	Reorder   Kind = "reorder"   // a delivery waits until another has overtaken it

	Coupon         Kind = "coupon"          // op approve: a coupon of Amount, which the wallet bears, pays a part. For wallets that have them
	OwnCoupon      Kind = "own_coupon"      // the same, but the merchant bears it: the wallet owes so much less
	WrongFee       Kind = "wrong_fee"       // op approve: the wallet keeps a fee that is off by Amount, of the order or of the part that No says
	PayClosed      Kind = "pay_closed"      // op approve: the shopper was typing while the close came, and pays all the same
	RefundAbnormal Kind = "refund_abnormal" // op refund: the card is gone; a person must see to the refund, or, where the wallet knows no such state, only a query tells that it went through
	RefundClosed   Kind = "refund_closed"   // op refund: the refund fails for good
	SplitClosed    Kind = "split_closed"    // op split: the receiver's account is out of order; the part fails for good
)

var kinds = []Kind{Delay, DropBefore, DropAfter, Refuse, Unsigned, Probe, Garbage, Skew, WrongAmount, Lose, Duplicate, Reorder, Coupon, OwnCoupon, WrongFee, PayClosed, RefundAbnormal, RefundClosed, SplitClosed}

// Kinds lists the kinds of faults.
func Kinds() []Kind { return slices.Clone(kinds) }

// Fault makes the wallet misbehave.
type Fault struct {
	Kind   Kind          `json:"kind"`
	Op     Op            `json:"op"`               // empty: any
	No     string        `json:"no,omitempty"`     // out_trade_no or out_refund_no; empty: any
	Times  int           `json:"times,omitempty"`  // how often; 0 is once, negative for ever
	Delay  time.Duration `json:"delay,omitempty"`  // nanoseconds in JSON
	Amount int64         `json:"amount,omitempty"` // fen
	Code   string        `json:"code,omitempty"`   // of the catalogue
}

// Inject adds a fault. It is used up after Times matches.
func (w *Wallet) Inject(f Fault) error {
	if !slices.Contains(kinds, f.Kind) {
		return &moongate.Error{Code: moongate.Malformed, Field: "kind", Message: fmt.Sprintf("%.40q is no fault", f.Kind), Hint: fmt.Sprint(kinds)}
	}
	if f.Kind == Refuse && !slices.Contains(w.wire.Codes, f.Code) {
		return &moongate.Error{Code: moongate.Malformed, Field: "code", Message: fmt.Sprintf("%.40q is no error code", f.Code), Hint: fmt.Sprint(w.wire.Codes)}
	}
	if f.Times == 0 {
		f.Times = 1
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) >= maxFaults {
		return &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("%d faults are waiting", maxFaults), Hint: "clear some first"}
	}
	w.faults = append(w.faults, &f)
	return nil
}

// Faults lists the faults that wait.
func (w *Wallet) Faults() []Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Fault, len(w.faults))
	for i, f := range w.faults {
		list[i] = *f
	}
	return list
}

// Clear takes all faults away and sets the wallet's clock right.
func (w *Wallet) Clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults, w.skew = nil, 0
}

// SetSkew puts the wallet's own clock off by d: it stamps, checks and expires by that clock.
func (w *Wallet) SetSkew(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew = d
}

// Hits are the faults that fit one moment, at most one of each kind.
type Hits map[Kind]*Fault

// Hits takes the faults that fit an operation under any of its names, and uses them up by one. The caller holds the
// lock.
func (w *Wallet) Hits(no string, ops ...Op) Hits {
	var hit Hits
	w.faults = slices.DeleteFunc(w.faults, func(f *Fault) bool {
		if f.Kind == WrongFee || (f.Op != "" && !slices.Contains(ops, f.Op)) || (f.No != "" && f.No != no) || hit[f.Kind] != nil {
			return false
		}
		if hit == nil {
			hit = Hits{}
		}
		hit[f.Kind] = f
		if f.Times > 0 {
			f.Times--
		}
		return f.Times == 0
	})
	return hit
}

// FeeOf is what the wallet keeps of an order, or of a part of one, for which it owes so much: by its rate, but for a fault of kind
// [WrongFee], which it uses up by one. The caller holds the lock.
func (w *Wallet) FeeOf(no string, owed int64) int64 {
	fee := w.Fee(owed)
	i := slices.IndexFunc(w.faults, func(f *Fault) bool {
		return f.Kind == WrongFee && (f.Op == "" || f.Op == OpApprove) && (f.No == "" || f.No == no)
	})
	if i < 0 {
		return fee
	}
	f := w.faults[i]
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			w.faults = slices.Delete(w.faults, i, i+1)
		}
	}
	return min(max(fee+f.Amount, 0), owed)
}

// Shift is by how much a fault of kind [Skew] sets the clock wrong.
func (h Hits) Shift() time.Duration {
	if f := h[Skew]; f != nil {
		return f.Delay
	}
	return 0
}

// Bump is by how many fen a fault of kind [WrongAmount] changes a total.
func (h Hits) Bump() int64 {
	if f := h[WrongAmount]; f != nil {
		return f.Amount
	}
	return 0
}
