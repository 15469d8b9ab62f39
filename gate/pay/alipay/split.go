package alipay

import (
	"context"
	"unicode/utf8"

	sdk "github.com/smartwalle/alipay/v3"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

const (
	maxParts = 20
	maxNote  = 80 // bytes
)

// Admit implements [pay.Splitter] with alipay.trade.royalty.relation.bind. Binding one that is bound changes nothing.
func (w *Wallet) Admit(ctx context.Context, r pay.Receiver) error {
	kind, err := receiverKind(opAdmit, r.Account)
	if err != nil {
		return err
	}
	receiver := map[string]string{"type": kind, "account": r.Account}
	if r.Name != "" {
		receiver["name"] = r.Name
	}
	var a struct {
		answered
		ResultCode string `json:"result_code"`
	}
	// The wallet wants a number of the call; what is asked is the same whenever the account is.
	p := sdk.NewPayload("alipay.trade.royalty.relation.bind").AddBizField("out_request_no", "admit").AddBizField("receiver_list", []map[string]string{receiver})
	if f, _ := w.ask(ctx, opAdmit, p, &a); f != nil {
		return f
	}
	if a.ResultCode != "SUCCESS" {
		return pay.Fail(opAdmit, pay.Unknown, "wallet says: "+clip(a.ResultCode), nil)
	}
	return nil
}

func receiverKind(op, account string) (string, error) {
	switch {
	case userNumber.MatchString(account):
		return "userId", nil
	case len(account) >= 3 && len(account) <= 100 && utf8.ValidString(account):
		return "loginName", nil
	}
	return "", local(op, "account %.40q is neither 16 digits from 2088 nor a login name", account)
}

// Split implements [pay.Splitter] with alipay.trade.order.settle. The same number asked twice splits once. What became of
// each part is for [Wallet.QuerySplit] to tell.
func (w *Wallet) Split(ctx context.Context, s pay.SplitOrder) (pay.SplitOutcome, error) {
	if err := checkSplit(opSplit, s); err != nil {
		return pay.SplitOutcome{}, err
	}
	if s.Sub != "" {
		if err := w.confirm(ctx, s); err != nil {
			return pay.SplitOutcome{}, err
		}
	}
	parts := make([]map[string]string, len(s.Parts))
	for i, p := range s.Parts {
		kind, err := receiverKind(opSplit, p.Account)
		if err != nil {
			return pay.SplitOutcome{}, err
		}
		parts[i] = map[string]string{"royalty_type": "transfer", "trans_in_type": kind, "trans_in": p.Account, "amount": yuan(p.Amount), "desc": p.Note}
	}
	p := sdk.NewPayload("alipay.trade.order.settle").AddBizField("out_request_no", s.No).AddBizField("trade_no", s.OrderRef).AddBizField("royalty_parameters", parts)
	if s.Finish {
		p.AddBizField("extend_params", map[string]string{"royalty_finish": "true"})
	}
	var a struct {
		answered
		TradeNo  string `json:"trade_no"`
		SettleNo string `json:"settle_no"`
	}
	if f, _ := w.ask(ctx, opSplit, p, &a); f != nil {
		return pay.SplitOutcome{}, f
	}
	if a.TradeNo != s.OrderRef {
		return pay.SplitOutcome{}, pay.Fail(opSplit, pay.Unknown, "answer speaks of another order", nil)
	}
	return pay.SplitOutcome{No: s.No, OrderRef: s.OrderRef, State: pay.SplitPending, WalletRef: clip(a.SettleNo), Said: "accepted"}, nil
}

// confirm has the money of a sub-merchant's order settled to it, frozen (alipay.trade.settle.confirm): the wallet splits nothing
// of it before. It is asked for under the order's own number, so that it is done once.
func (w *Wallet) confirm(ctx context.Context, s pay.SplitOrder) error {
	out, err := w.query(ctx, opSplit, s.OrderNo)
	switch {
	case err != nil:
		return pay.Fail(opSplit, pay.NotDone, "the order to settle cannot be queried", err)
	case out.WalletRef != s.OrderRef || len(out.Parts) != 1 || out.Parts[0].Account != s.Sub:
		return local(opSplit, "order %.70q is not that of sub-merchant %.40q", s.OrderNo, s.Sub)
	}
	p := sdk.NewPayload("alipay.trade.settle.confirm").AddBizField("out_request_no", s.OrderNo).AddBizField("trade_no", s.OrderRef)
	p.AddBizField("settle_info", map[string]any{"settle_detail_infos": []map[string]string{{"trans_in_type": "defaultSettle", "amount": yuan(out.Amount.Minor)}}})
	p.AddBizField("extend_params", map[string]string{"royalty_freeze": "true"})
	var a struct {
		answered
		TradeNo string `json:"trade_no"`
	}
	if f, _ := w.ask(ctx, opSplit, p, &a); f != nil {
		if f.Verdict == pay.Unknown {
			f.Verdict = pay.NotDone // nothing is split yet, and asking again confirms once
		}
		return f
	}
	if a.TradeNo != s.OrderRef {
		return pay.Fail(opSplit, pay.NotDone, "answer speaks of another order", nil)
	}
	return nil
}

func checkSplit(op string, s pay.SplitOrder) error {
	switch {
	case !refundNo.MatchString(s.No):
		return local(op, "split number %.70q: 1 to 64 digits, letters, _ or -", s.No)
	case !tradeNo.MatchString(s.OrderRef):
		return local(op, "order %.40q has no trade number", s.OrderNo)
	case s.Currency != money.CNY:
		return local(op, "currency %q: the account takes CNY only", s.Currency)
	case len(s.Parts) > maxParts || len(s.Parts) == 0 && !s.Finish:
		return local(op, "%d receivers: 1 to %d", len(s.Parts), maxParts)
	}
	for _, p := range s.Parts {
		switch {
		case p.Amount < 1 || p.Amount > maxAmount:
			return local(op, "part of %s", money.Of(p.Amount, money.CNY))
		case len(p.Note) > maxNote || !utf8.ValidString(p.Note):
			return local(op, "note of %d bytes: at most %d", len(p.Note), maxNote)
		}
	}
	return nil
}

// splitStates are the wallet's words for a part of a split.
var splitStates = map[string]pay.SplitState{"SUCCESS": pay.SplitDone, "FAIL": pay.SplitClosed, "PROCESSING": pay.SplitPending}

// QuerySplit implements [pay.Splitter] with alipay.trade.order.settle.query.
func (w *Wallet) QuerySplit(ctx context.Context, s pay.SplitOrder) (pay.SplitOutcome, error) {
	if err := checkSplit(opQuerySplit, s); err != nil {
		return pay.SplitOutcome{}, err
	}
	var a struct {
		answered
		OutRequestNo string `json:"out_request_no"`
		Details      []struct {
			Operation string `json:"operation_type"`
			TransIn   string `json:"trans_in"`
			Amount    string `json:"amount"`
			State     string `json:"state"`
			ErrorCode string `json:"error_code"`
			ErrorDesc string `json:"error_desc"`
		} `json:"royalty_detail_list"`
	}
	f, word := w.ask(ctx, opQuerySplit, sdk.NewPayload("alipay.trade.order.settle.query").AddBizField("out_request_no", s.No).AddBizField("trade_no", s.OrderRef), &a)
	out := pay.SplitOutcome{No: s.No, OrderRef: s.OrderRef, State: pay.SplitDone, Said: "SUCCESS"}
	switch {
	case word == "INVALID_PARAMETER", word == "ACQ.INVALID_PARAMETER": // what we ask is well-formed, so there is none
		out.State, out.Said = pay.SplitAbsent, word
		return out, nil
	case f != nil:
		return pay.SplitOutcome{}, f
	case a.OutRequestNo != s.No:
		return pay.SplitOutcome{}, pay.Fail(opQuerySplit, pay.Unknown, "answer speaks of another split", nil)
	}
	for _, d := range a.Details {
		if d.Operation != "" && d.Operation != "transfer" {
			continue // what the wallet moves besides
		}
		state, known := splitStates[d.State]
		amount, ok := fen(d.Amount)
		if !known || !ok {
			return pay.SplitOutcome{}, pay.Fail(opQuerySplit, pay.Unknown, "wallet's statement makes no sense: part "+clip(d.State+" "+d.Amount), nil)
		}
		if state == pay.SplitPending {
			out.State, out.Said = pay.SplitPending, d.State
		}
		out.Parts = append(out.Parts, pay.SplitPartOutcome{Account: d.TransIn, Amount: amount, State: state, Said: clip(d.ErrorCode + " " + d.ErrorDesc)})
	}
	if len(out.Parts) != len(s.Parts) {
		return pay.SplitOutcome{}, pay.Fail(opQuerySplit, pay.Unknown, "the split has other parts than we asked for", nil)
	}
	return out, nil
}

// back is the refund that takes a part of a split back, and nothing else.
func back(u pay.UnsplitOrder) pay.RefundOrder {
	return pay.RefundOrder{No: u.No, OrderRef: u.OrderRef}
}

func checkUnsplit(op string, u pay.UnsplitOrder) error {
	_, err := receiverKind(op, u.Account)
	switch {
	case err != nil:
		return err
	case !refundNo.MatchString(u.No):
		return local(op, "number %.70q: 1 to 64 digits, letters, _ or -", u.No)
	case !tradeNo.MatchString(u.OrderRef):
		return local(op, "trade number %.70q: 16 to 64 digits", u.OrderRef)
	case u.Amount.Currency != money.CNY || u.Amount.Minor < 1 || u.Amount.Minor > maxAmount:
		return local(op, "amount %s cannot be taken back", u.Amount)
	}
	return nil
}

// Unsplit implements [pay.Splitter] with alipay.trade.refund of nothing but a part of a split (退分账).
func (w *Wallet) Unsplit(ctx context.Context, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	if err := checkUnsplit(opUnsplit, u); err != nil {
		return pay.SplitOutcome{}, err
	}
	kind, err := receiverKind(opUnsplit, u.Account)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	part := map[string]string{"royalty_type": "transfer", "trans_out_type": kind, "trans_out": u.Account, "amount": yuan(u.Amount.Minor), "desc": u.Note}
	p := ofOrder("alipay.trade.refund", back(u)).AddBizField("refund_amount", "0.00").AddBizField("refund_royalty_parameters", []map[string]string{part})
	var a struct {
		answered
		TradeNo string `json:"trade_no"`
	}
	if f, _ := w.ask(ctx, opUnsplit, p, &a); f != nil {
		return pay.SplitOutcome{}, f
	}
	if a.TradeNo != u.OrderRef {
		return pay.SplitOutcome{}, pay.Fail(opUnsplit, pay.Unknown, "answer speaks of another order", nil)
	}
	return pay.SplitOutcome{No: u.No, OrderRef: u.OrderRef, State: pay.SplitPending, Said: "accepted"}, nil
}

// QueryUnsplit implements [pay.Splitter] with alipay.trade.fastpay.refund.query.
func (w *Wallet) QueryUnsplit(ctx context.Context, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	if err := checkUnsplit(opQueryUnsplit, u); err != nil {
		return pay.SplitOutcome{}, err
	}
	var a refunded
	p := ofOrder("alipay.trade.fastpay.refund.query", back(u)).AddBizField("query_options", []string{"refund_detail_item_list"})
	f, word := w.ask(ctx, opQueryUnsplit, p, &a)
	out := pay.SplitOutcome{No: u.No, OrderRef: u.OrderRef, State: pay.SplitPending, Said: clip(a.RefundStatus)}
	switch {
	case f == nil && a.OutRequestNo == "" && a.RefundStatus == "", word == "ACQ.TRADE_NOT_EXIST", word == "TRADE_NOT_EXIST":
		out.State, out.Said = pay.SplitAbsent, word
		return out, nil
	case f != nil:
		return pay.SplitOutcome{}, f
	case a.OutRequestNo != u.No:
		return pay.SplitOutcome{}, pay.Fail(opQueryUnsplit, pay.Unknown, "answer speaks of another request", nil)
	case a.RefundStatus != "REFUND_SUCCESS":
		return out, nil
	}
	for _, r := range a.Royaltys {
		amount, ok := fen(r.RefundAmount)
		if r.TransOut != u.Account || !ok || amount != u.Amount.Minor {
			return pay.SplitOutcome{}, pay.Fail(opQueryUnsplit, pay.Unknown, "wallet's statement makes no sense: another part came back", nil)
		}
		state := pay.SplitClosed
		if r.ResultCode == "SUCCESS" {
			state = pay.SplitDone
		}
		out.Parts = append(out.Parts, pay.SplitPartOutcome{Account: r.TransOut, Amount: amount, State: state, Said: clip(r.ResultCode)})
	}
	if len(out.Parts) != 1 {
		return pay.SplitOutcome{}, pay.Fail(opQueryUnsplit, pay.Unknown, "wallet's statement makes no sense: it is not about one part", nil)
	}
	out.State = out.Parts[0].State
	return out, nil
}
