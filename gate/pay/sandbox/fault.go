package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/moongate-hub/moongate"
)

// Op is what a fault interferes with.
type Op string

// Operations.
const (
	OpCertificates Op = "certificates"
	OpNative       Op = "native"
	OpH5           Op = "h5"
	OpQuery        Op = "query"
	OpClose        Op = "close"
	OpRefund       Op = "refund"
	OpQueryRefund  Op = "query_refund"
	OpTradeBill    Op = "tradebill"
	OpDownload     Op = "download"
	OpNotify       Op = "notify"
	OpApprove      Op = "approve"
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
	Probe       Kind = "probe"        // signs wrongly on purpose: WECHATPAY/SIGNTEST/
	Garbage     Kind = "garbage"      // answers 200 with a page of HTML
	Skew        Kind = "skew"         // signs with a clock that is off by Delay
	WrongAmount Kind = "wrong_amount" // names a total that is off by Amount, in an answer or a notification

	Lose      Kind = "lose"      // a delivery goes astray; the schedule goes on
	Duplicate Kind = "duplicate" // a delivery arrives twice, acknowledged or not
	Reorder   Kind = "reorder"   // a delivery waits until another has overtaken it

	PayClosed      Kind = "pay_closed"      // op approve: the shopper was typing while the close came, and pays all the same
	RefundAbnormal Kind = "refund_abnormal" // op refund: the card is gone; the refund ends ABNORMAL
	RefundClosed   Kind = "refund_closed"   // op refund: the refund fails for good
)

var kinds = []Kind{Delay, DropBefore, DropAfter, Refuse, Unsigned, Probe, Garbage, Skew, WrongAmount, Lose, Duplicate, Reorder, PayClosed, RefundAbnormal, RefundClosed}

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
	if _, known := catalogue[f.Code]; f.Kind == Refuse && !known {
		return &moongate.Error{Code: moongate.Malformed, Field: "code", Message: fmt.Sprintf("%.40q is no error code", f.Code), Hint: fmt.Sprint(slices.Sorted(maps.Keys(catalogue)))}
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

// matching takes the faults that fit, at most one of each kind, and uses them up by one.
func (w *Wallet) matching(op Op, no string) map[Kind]*Fault {
	var hit map[Kind]*Fault
	w.faults = slices.DeleteFunc(w.faults, func(f *Fault) bool {
		if (f.Op != "" && f.Op != op) || (f.No != "" && f.No != no) || hit[f.Kind] != nil {
			return false
		}
		if hit == nil {
			hit = map[Kind]*Fault{}
		}
		hit[f.Kind] = f
		if f.Times > 0 {
			f.Times--
		}
		return f.Times == 0
	})
	return hit
}

func shiftOf(f *Fault) time.Duration {
	if f == nil {
		return 0
	}
	return f.Delay
}

// bumpAmount adds to every "total" in a body.
func bumpAmount(body []byte, by int64) []byte {
	var v map[string]json.RawMessage
	var amount map[string]json.RawMessage
	if json.Unmarshal(body, &v) != nil || json.Unmarshal(v["amount"], &amount) != nil {
		return body
	}
	total, err := strconv.ParseInt(string(bytes.TrimSpace(amount["total"])), 10, 64)
	if err != nil {
		return body
	}
	amount["total"] = json.RawMessage(strconv.FormatInt(total+by, 10))
	changed, err := json.Marshal(amount)
	if err != nil {
		return body
	}
	v["amount"] = changed
	if changed, err = json.Marshal(v); err != nil {
		return body
	}
	return changed
}

// Violation is something that a careful merchant would never ask. A wallet that is real would shrug, or pay twice.
type Violation struct {
	At     time.Time `json:"at"`
	Rule   string    `json:"rule"`
	MchID  string    `json:"mchid"`
	No     string    `json:"no"`
	Detail string    `json:"detail"`
}

// Rules that violations break.
const (
	RulePaidTwice    = "paid_twice"    // two paid orders carry the same attach: one purchase was paid twice
	RuleRefundTwice  = "refund_twice"  // two refunds of an order carry the same reference after # in their reason
	RuleOverRefund   = "over_refund"   // more was asked back than was paid
	RuleOtherOrder   = "other_order"   // an order number was used for another order
	RuleOtherRefund  = "other_refund"  // a refund number was used for another refund
	RuleRefundUnpaid = "refund_unpaid" // money was asked back that was never paid
)

// Violations lists what was asked that should not have been, oldest first, the first thousand.
func (w *Wallet) Violations() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

func (w *Wallet) violated(rule, mchID, no, format string, args ...any) {
	if len(w.violations) < maxViolations {
		v := Violation{At: w.now(), Rule: rule, MchID: mchID, No: no, Detail: fmt.Sprintf(format, args...)}
		w.violations = append(w.violations, v)
		w.keep(record{Violation: &v})
	}
}
