package pay

import (
	"context"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// Splitters lists the wallets that pay participants out of what they hold.
func (g *Gate) Splitters() []string {
	var list []string
	for _, handle := range g.handles() {
		if _, ok := g.opt.Wallets[handle].(Splitter); ok && g.opt.Wallets[handle].Can().SplitCap > 0 {
			list = append(list, handle)
		}
	}
	return list
}

// PayOut has a wallet pay a participant by splitting orders, under the number of a settlement instruction, and tells how
// that stands. It is to be asked again until nothing is open.
func (g *Gate) PayOut(ctx context.Context, wallet string, no moongate.ID, to string, amount money.Amount) (PayoutAnswer, error) {
	w, ok := g.opt.Wallets[wallet]
	if !ok {
		return PayoutAnswer{}, noAccount(wallet)
	}
	if g.held() {
		return PayoutAnswer{}, quarantined(OpSplit)
	}
	var o payout
	g.opt.Read(func() { o, _ = g.opt.State.payouts.Get(no) })
	if o.Open > 0 || o.Paid == amount.Minor || o.hopeless() {
		return o.answer(), nil
	}
	if a, waits := o.rests(g.opt.Now()); waits {
		return a, nil
	}
	// Each time round is a request of its own: the room looks at what is still open.
	answer, err := g.opt.Submit(ctx, replica.Request{Command: &PlanPayout{No: no, Wallet: wallet, To: to, Amount: amount, Cap: w.Can().SplitCap, Net: w.Can().SplitNet}})
	if err != nil {
		return PayoutAnswer{}, err
	}
	a, ok := answer.(PayoutAnswer)
	if !ok {
		return PayoutAnswer{}, fmt.Errorf("pay: a payout was answered with %T", answer)
	}
	return a, nil
}

// admit tells a wallet of a receiver. A wallet that gives no answer is told again.
func (g *Gate) admit(ctx context.Context, p *PayeeAt) (replica.Command, error) {
	report := &AdmitReport{PayeeAt: *p}
	s, ok := g.opt.Wallets[p.Wallet].(Splitter)
	switch {
	case p.Sub:
		return report, nil // the wallet knows its sub-merchants
	case !ok:
		report.Refused = "this wallet does not pay participants"
		return report, nil
	case g.held():
		return nil, quarantined(OpSplit)
	}
	err := s.Admit(ctx, Receiver{Account: p.Account})
	if VerdictOf(err) == Refused {
		_, _, report.Refused = told(err)
		return report, nil
	}
	return report, err
}

// split asks for a split, or about one.
func (g *Gate) split(ctx context.Context, share *Share, op Op) *SplitReport {
	report := &SplitReport{Split: share.Split, Op: op}
	s, ok := g.opt.Wallets[share.Wallet].(Splitter)
	var x splitting
	var known bool
	var ref, sub string
	g.opt.Read(func() {
		x, known = g.opt.State.splits.Get(share.Split)
		if a, ok := g.opt.State.attempts.Get(x.Attempt); ok && a.Outcome != nil {
			ref = a.Outcome.WalletRef
		}
		if p, ok := g.opt.State.parts.Get(x.Attempt); ok {
			ref, sub = p.Ref, p.Account
		}
	})
	switch {
	case !ok:
		report.fail(noAccount(share.Wallet))
		return report
	case !known || ref == "":
		report.fail(Fail(string(op), Unknown, "the split was not wanted any more", nil))
		return report
	case op == OpSplit && g.held():
		report.fail(quarantined(op))
		return report
	}
	order := SplitOrder{
		No: share.Split.String(), OrderNo: x.Attempt.String(), OrderRef: ref, Currency: share.Amount.Currency,
		Parts: []SplitPart{{Account: x.Account, Amount: share.Amount.Minor, Note: "payout " + share.Instruction.String()}}, Sub: sub,
	}
	if x.Release {
		order.Parts, order.Finish = nil, true
	}
	call := s.Split
	if op == OpQuerySplit {
		call = s.QuerySplit
	}
	out, err := call(ctx, order)
	if err == nil && out.No != order.No {
		err = Fail(string(op), Unknown, "the answer is about another split", nil)
	}
	if err != nil {
		report.fail(err)
		return report
	}
	report.State, report.Ref, report.Message = out.State, clip(out.WalletRef, 64), clip(out.Said, 200)
	if len(out.Parts) == 1 && out.State != SplitAbsent { // what counts is the part's own end
		if report.State = out.Parts[0].State; out.Parts[0].Said != "" {
			report.Message = clip(out.Parts[0].Said, 200)
		}
	}
	return report
}

func (r *SplitReport) fail(err error) { r.Verdict, r.Code, r.Message = told(err) }
