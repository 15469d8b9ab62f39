package pay

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Handlers carry out what the room's events ask of wallets. Every call comes back as a command, one without an outcome
// too: whether and when to ask again is for the room to decide.
func (g *Gate) Handlers() map[string]effect.Handler {
	all := make(map[string]effect.Handler, len(effects))
	for kind := range effects {
		all[kind] = effect.HandlerFunc(g.call)
	}
	return all
}

func (g *Gate) call(ctx context.Context, e journal.Entry) (replica.Command, error) {
	switch v := e.Event.(type) {
	case *AttemptOpened:
		return g.create(ctx, &v.Try), nil
	case *CreateDue:
		return g.create(ctx, &v.Try), nil
	case *QueryDue:
		return g.ask(ctx, &v.Try, OpQuery), nil
	case *CloseDue:
		return g.ask(ctx, &v.Try, OpClose), nil
	case *RecallOpened:
		return g.unsplit(ctx, &v.Recall, OpUnsplit), nil
	case *RecallDue:
		if v.Ask {
			return g.unsplit(ctx, &v.Recall, OpUnsplit), nil
		}
		return g.unsplit(ctx, &v.Recall, OpQueryUnsplit), nil
	case *RefundOpened:
		return g.refund(ctx, &v.Back), nil
	case *RefundDue:
		return g.refund(ctx, &v.Back), nil
	case *RefundQueryDue:
		return g.askRefund(ctx, &v.Back), nil
	case *ReceiverSet:
		return g.admit(ctx, &v.PayeeAt)
	case *CaptureDue:
		return g.capture(ctx, &v.Taking), nil
	case *SplitOpened:
		return g.split(ctx, &v.Share, OpSplit), nil
	case *SplitDue:
		if v.Ask {
			return g.split(ctx, &v.Share, OpSplit), nil
		}
		return g.split(ctx, &v.Share, OpQuerySplit), nil
	}
	return nil, fmt.Errorf("pay: event %d (%s) asks nothing of a wallet", e.Position, e.Event.EventKind())
}

// create asks a wallet to expect the payment. An order that is not wanted any more is not created; as an earlier call
// may have done so, nothing is claimed about it.
func (g *Gate) create(ctx context.Context, t *Try) *Report {
	report := &Report{Attempt: t.Attempt, Op: OpCreate}
	var p Payment
	var a Attempt
	var known bool
	g.opt.Read(func() {
		p, _ = g.opt.State.Lookup(t.Payment)
		a, known = g.opt.State.Attempt(t.Attempt)
	})
	w, ok := g.opt.Wallets[t.Wallet]
	switch {
	case !ok:
		report.fail(noAccount(t.Wallet))
		return report
	case !known || !a.Status.Live() || a.Status == AttemptClosing || g.opt.Now() >= p.Expires:
		report.fail(Fail(string(OpCreate), Unknown, "the order was not wanted any more", nil))
		return report
	case g.held():
		report.fail(quarantined(OpCreate))
		return report
	}
	o := Order{
		No: t.Attempt.String(), Channel: a.Channel, Amount: p.Amount, Description: p.Title, Tag: p.Payment.String(), Expires: p.Expires,
		NotifyURL: g.opt.URL + NotifyPath + t.Wallet,
	}
	switch a.Channel {
	case Redirect:
		o.ReturnURL, o.ClientIP = g.Address(p.Payment)+"/return", g.homes.get(p.Payment)
	case InApp:
		var err error
		if o.Payer, err = g.unseal(p.payer(t.Wallet)); err != nil {
			report.fail(err)
			return report
		}
	}
	g.opt.Read(func() { o.Parts = g.opt.State.orderParts(&a) })
	can := w.Can()
	if o.Hold = p.Capture == Manual; o.Hold && !can.Hold {
		report.fail(Fail(string(OpCreate), Refused, t.Wallet+" cannot reserve money first and take it later", nil))
		return report
	}
	if o.Freeze = can.SplitCap > 0; len(o.Parts) > can.MaxParts || can.Subs && len(o.Parts) == 0 {
		report.fail(Fail(string(OpCreate), Refused, fmt.Sprintf("%s takes orders for up to %d sub-merchants, and this one is for %d", t.Wallet, can.MaxParts, len(o.Parts)), nil))
		return report
	}
	h, err := w.Create(ctx, o)
	if err == nil {
		err = h.check()
	}
	if err != nil {
		report.fail(err)
		return report
	}
	report.Handoff = &Way{QR: h.QR, URL: h.URL, Params: h.Params, Expires: h.Expires, Frozen: o.Freeze}
	return report
}

// check sees whether a handoff can be shown.
func (h *Handoff) check() error {
	u, err := url.Parse(h.URL)
	ways := 0
	for _, way := range []string{h.QR, h.URL, h.Params} {
		if way != "" {
			ways++
		}
	}
	control := func(r rune) bool { return r < 0x20 || r == 0x7f }
	switch {
	case ways != 1, len(h.QR) > 1024, len(h.URL) > 4096, len(h.Params) > 4096, !utf8.ValidString(h.QR + h.Params):
	case strings.ContainsFunc(h.QR, control), strings.ContainsFunc(h.Params, control):
	case h.URL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil):
	default:
		return nil
	}
	return Fail(string(OpCreate), Unknown, "the way to the wallet cannot be shown", nil)
}

// ask queries or closes an order.
func (g *Gate) ask(ctx context.Context, t *Try, op Op) *Report {
	report := &Report{Attempt: t.Attempt, Op: op}
	w, ok := g.opt.Wallets[t.Wallet]
	switch {
	case !ok:
		report.fail(noAccount(t.Wallet))
		return report
	case op == OpClose && g.held():
		report.fail(quarantined(op))
		return report
	}
	var a Attempt
	var parts []OrderPart
	g.opt.Read(func() {
		a, _ = g.opt.State.Attempt(t.Attempt)
		parts = g.opt.State.orderParts(&a)
	})
	out, err := askOrder(ctx, w, op, Reservation{t.Attempt.String(), a.Ref}, parts)
	if err == nil && out.No != t.Attempt.String() {
		err = Fail(string(op), Unknown, "the answer is about another order", nil)
	}
	if err != nil {
		report.fail(err)
		return report
	}
	report.Outcome = out.evidence()
	return report
}

// askOrder queries or closes an order as the wallet knows it.
func askOrder(ctx context.Context, w Wallet, op Op, r Reservation, parts []OrderPart) (Outcome, error) {
	if c, ok := w.(Capturer); ok && r.Ref != "" {
		if op == OpClose {
			return c.Release(ctx, r)
		}
		return c.QueryReserved(ctx, r)
	}
	q, ok := w.(PartQuerier)
	switch ok = ok && len(parts) > 0; {
	case ok && op == OpClose:
		return q.CloseParts(ctx, r.No, parts)
	case ok:
		return q.QueryParts(ctx, r.No, parts)
	case op == OpClose:
		return w.Close(ctx, r.No)
	}
	return w.Query(ctx, r.No)
}

// refund asks for money to go back.
func (g *Gate) refund(ctx context.Context, b *Back) *RefundReport {
	report := &RefundReport{Refund: b.Refund, Op: OpRefund}
	o, r, a := g.refundOrder(b)
	w, ok := g.opt.Wallets[b.Wallet]
	switch {
	case !ok:
		report.fail(noAccount(b.Wallet))
		return report
	case r.Status == "" || r.Status.Final() || r.Status == RefundRecalling || a.Outcome == nil:
		report.fail(Fail(string(OpRefund), Unknown, "the refund was not wanted any more", nil))
		return report
	case g.held():
		report.fail(quarantined(OpRefund))
		return report
	}
	out, err := w.Refund(ctx, o)
	report.take(out, err)
	return report
}

// refundOrder is what a wallet is told of a refund.
func (g *Gate) refundOrder(b *Back) (RefundOrder, Refunding, Attempt) {
	var r Refunding
	var a Attempt
	g.opt.Read(func() {
		r, _ = g.opt.State.Refunding(b.Refund)
		a, _ = g.opt.State.Attempt(r.Attempt)
	})
	o := RefundOrder{No: b.Refund.String(), OrderNo: r.Attempt.String(), Amount: r.Amount, Reason: reason(&r), NotifyURL: g.opt.URL + NotifyPath + b.Wallet}
	if a.Outcome != nil {
		o.OrderRef, o.Total = a.Outcome.WalletRef, a.Outcome.Amount.Minor
	}
	g.opt.Read(func() {
		if p, ok := g.opt.State.Part(r.Part); ok {
			o.OrderNo, o.OrderRef, o.Total, o.Sub = r.Part.String(), p.Ref, p.Amount, p.Account
		}
	})
	return o, r, a
}

// reason is what the shopper reads of a refund. The identifier at its end tells the wallet's books which one it was.
func reason(r *Refunding) string {
	return strings.TrimSpace(r.Reason + " #" + r.Refund.String())
}

// askRefund queries a refund.
func (g *Gate) askRefund(ctx context.Context, b *Back) *RefundReport {
	report := &RefundReport{Refund: b.Refund, Op: OpQueryRefund}
	w, ok := g.opt.Wallets[b.Wallet]
	if !ok {
		report.fail(noAccount(b.Wallet))
		return report
	}
	q, ok := w.(RefundQuerier)
	if !ok {
		report.fail(Fail(string(OpQueryRefund), Unknown, "this wallet cannot be asked about refunds", nil))
		return report
	}
	o, _, _ := g.refundOrder(b)
	out, err := q.QueryRefund(ctx, o)
	report.take(out, err)
	return report
}

func (r *RefundReport) take(out RefundOutcome, err error) {
	if err == nil && out.No != r.Refund.String() {
		err = Fail(string(r.Op), Unknown, "the answer is about another refund", nil)
	}
	if err != nil {
		r.fail(err)
		return
	}
	r.Outcome = out.evidence()
}

// held tells whether the hub only asks.
func (g *Gate) held() bool { return g.opt.Held != nil && g.opt.Held() }

func quarantined(op Op) error {
	return Fail(string(op), Unknown, "the hub is in quarantine after a restore: it asks and does not act", nil)
}

func noAccount(wallet string) error {
	return Fail("", Unknown, "this hub has no account at "+wallet, nil)
}

func (r *Report) fail(err error)       { r.Verdict, r.Code, r.Message = told(err) }
func (r *RefundReport) fail(err error) { r.Verdict, r.Code, r.Message = told(err) }

// told is what an error may say in the journal. Whatever is no [Failure] may hold anything, so its words stay out.
func told(err error) (v Verdict, code, message string) {
	var f *Failure
	if !errors.As(err, &f) {
		return Unknown, "", "the call ended without an outcome"
	}
	return VerdictOf(err), clip(f.Code, 64), clip(f.Message, 300)
}

// clip bounds text from outside.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

func (o *Outcome) evidence() *Evidence {
	e := &Evidence{
		State: o.State, WalletRef: clip(o.WalletRef, 64), Amount: o.Amount, PayerTotal: o.PayerTotal, PaidAt: o.PaidAt, Said: clip(o.Said, 200),
		Settled: o.Settled, Until: o.Until,
	}
	for i := range o.Parts {
		if o.State == Paid {
			e.Parts = append(e.Parts, o.Parts[i].evidence())
		}
	}
	return e
}

func (o *RefundOutcome) evidence() *RefundEvidence {
	return &RefundEvidence{State: o.State, WalletRef: clip(o.WalletRef, 64), Amount: o.Amount, DoneAt: o.DoneAt, Said: clip(o.Said, 200)}
}
