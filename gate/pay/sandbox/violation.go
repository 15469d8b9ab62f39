package sandbox

import (
	"fmt"
	"slices"
	"time"
)

// Violation is something that a careful merchant would never ask. A wallet that is real would shrug, or pay twice.
type Violation struct {
	At      time.Time `json:"at"`
	Rule    string    `json:"rule"`
	Account string    `json:"account"`
	No      string    `json:"no"`
	Detail  string    `json:"detail"`
}

// Rules that violations break.
const (
	RulePaidTwice    = "paid_twice"    // two paid orders carry the same reference of ours: one purchase was paid twice
	RuleRefundTwice  = "refund_twice"  // two refunds of an order carry the same reference after # in their reason
	RuleOverRefund   = "over_refund"   // more was asked back than was paid
	RuleOtherOrder   = "other_order"   // an order number was used for another order
	RuleOtherRefund  = "other_refund"  // a refund number was used for another refund
	RuleOtherSplit   = "other_split"   // a split number was used for another split
	RuleOverSplit    = "over_split"    // more was split than was left of what was paid
	RuleRefundUnpaid = "refund_unpaid" // money was asked back that was never paid
)

// Violations lists what was asked that should not have been, oldest first, the first thousand.
func (w *Wallet) Violations() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

// Violated writes a violation down. The caller holds the lock.
func (w *Wallet) Violated(rule, account, no, format string, args ...any) {
	if len(w.violations) < maxViolations {
		v := Violation{At: w.Now(), Rule: rule, Account: account, No: no, Detail: fmt.Sprintf(format, args...)}
		w.violations = append(w.violations, v)
		w.Keep(lineViolation, v)
	}
}
