package wechatpay

import (
	"context"
	"regexp"
	"unicode/utf8"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/services/profitsharing"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// Operations of profit sharing (分账), as a [pay.Failure] names them.
const (
	opAdmit        = "admit receiver"
	opSplit        = "split"
	opQuerySplit   = "query split"
	opUnsplit      = "unsplit"
	opQueryUnsplit = "query unsplit"
)

var receiverAccount = regexp.MustCompile(`^[0-9]{8,12}$`)

const (
	maxReceivers = 50
	maxNote      = 80 // bytes
)

// Admit implements [pay.Splitter] with POST /v3/profitsharing/receivers/add. Adding one that is there already is no error.
func (w *Wallet) Admit(ctx context.Context, r pay.Receiver) error {
	if r.Person {
		return local(opAdmit, "receiver %.20q is a person: this account splits to merchants only", r.Account)
	}
	if !receiverAccount.MatchString(r.Account) {
		return local(opAdmit, "account %.40q is not a merchant number", r.Account)
	}
	ctx, cancel, err := w.begin(ctx, opAdmit)
	if err != nil {
		return err
	}
	defer cancel()
	if w.cfg.Platform {
		return w.admitSub(ctx, r)
	}
	service := profitsharing.ReceiversApiService{Client: w.client}
	_, _, err = service.AddReceiver(ctx, profitsharing.AddReceiverRequest{
		Appid: core.String(w.cfg.AppID), Account: core.String(r.Account), Name: optional(r.Name),
		Type: profitsharing.RECEIVERTYPE_MERCHANT_ID.Ptr(), RelationType: profitsharing.RECEIVERRELATIONTYPE_PARTNER.Ptr(),
	})
	if err != nil {
		f, _ := w.failed(ctx, opAdmit, err)
		return f
	}
	return nil
}

// Split implements [pay.Splitter] with POST /v3/profitsharing/orders, or …/orders/unfreeze where nothing is split and the
// rest is released. The same number asked twice splits once.
func (w *Wallet) Split(ctx context.Context, s pay.SplitOrder) (pay.SplitOutcome, error) {
	if err := w.checkSplit(opSplit, s); err != nil {
		return pay.SplitOutcome{}, err
	}
	if s.Sub != "" {
		return w.splitSub(ctx, s)
	}
	ctx, cancel, err := w.begin(ctx, opSplit)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	defer cancel()
	service := profitsharing.OrdersApiService{Client: w.client}
	var answer *profitsharing.OrdersEntity
	if len(s.Parts) == 0 {
		answer, _, err = service.UnfreezeOrder(ctx, profitsharing.UnfreezeOrderRequest{
			Description: core.String("解冻全部剩余资金"), OutOrderNo: core.String(s.No), TransactionId: core.String(s.OrderRef),
		})
	} else {
		receivers := make([]profitsharing.CreateOrderReceiver, len(s.Parts))
		for i, p := range s.Parts {
			receivers[i] = profitsharing.CreateOrderReceiver{
				Type: core.String("MERCHANT_ID"), Account: core.String(p.Account), Amount: core.Int64(p.Amount), Description: core.String(p.Note),
			}
		}
		answer, _, err = service.CreateOrder(ctx, profitsharing.CreateOrderRequest{
			Appid: core.String(w.cfg.AppID), OutOrderNo: core.String(s.No), TransactionId: core.String(s.OrderRef),
			Receivers: receivers, UnfreezeUnsplit: core.Bool(s.Finish),
		})
	}
	if err != nil {
		f, _ := w.failed(ctx, opSplit, err)
		return pay.SplitOutcome{}, f
	}
	return splitOutcome(opSplit, s, answer)
}

func (w *Wallet) checkSplit(op string, s pay.SplitOrder) error {
	switch {
	case !refundNo.MatchString(s.No):
		return local(op, "split number %.70q: 1 to 64 digits, letters or _-|*@", s.No)
	case w.cfg.Platform != (s.Sub != "") || s.Sub != "" && !number.MatchString(s.Sub):
		return local(op, "order of sub-merchant %.40q: splits of a platform name one, others none", s.Sub)
	case s.OrderRef == "" || len(s.OrderRef) > 32:
		return local(op, "order %.40q has no transaction number", s.OrderNo)
	case s.Currency != money.CNY:
		return local(op, "currency %q: the account takes CNY only", s.Currency)
	case len(s.Parts) > maxReceivers || len(s.Parts) == 0 && !s.Finish:
		return local(op, "%d receivers: 1 to %d", len(s.Parts), maxReceivers)
	}
	for _, p := range s.Parts {
		switch {
		case p.Person || !receiverAccount.MatchString(p.Account):
			return local(op, "account %.40q is not a merchant number", p.Account)
		case p.Amount < 1 || p.Amount > maxAmount:
			return local(op, "part of %s", money.Of(p.Amount, money.CNY))
		case p.Note == "" || len(p.Note) > maxNote || !utf8.ValidString(p.Note):
			return local(op, "note of %d bytes: 1 to %d", len(p.Note), maxNote)
		}
	}
	return nil
}

// QuerySplit implements [pay.Splitter] with GET /v3/profitsharing/orders/{out_order_no}?transaction_id=….
func (w *Wallet) QuerySplit(ctx context.Context, s pay.SplitOrder) (pay.SplitOutcome, error) {
	if err := w.checkSplit(opQuerySplit, s); err != nil {
		return pay.SplitOutcome{}, err
	}
	if s.Sub != "" {
		return w.querySplitSub(ctx, s)
	}
	ctx, cancel, err := w.begin(ctx, opQuerySplit)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	defer cancel()
	service := profitsharing.OrdersApiService{Client: w.client}
	answer, _, err := service.QueryOrder(ctx, profitsharing.QueryOrderRequest{TransactionId: core.String(s.OrderRef), OutOrderNo: core.String(s.No)})
	if err != nil {
		f, word := w.failed(ctx, opQuerySplit, err)
		if word == "RESOURCE_NOT_EXISTS" {
			return pay.SplitOutcome{No: s.No, State: pay.SplitAbsent, Said: word}, nil
		}
		return pay.SplitOutcome{}, f
	}
	return splitOutcome(opQuerySplit, s, answer)
}

var partStates = map[string]pay.SplitState{"PENDING": pay.SplitPending, "SUCCESS": pay.SplitDone, "CLOSED": pay.SplitClosed}

func splitOutcome(op string, s pay.SplitOrder, o *profitsharing.OrdersEntity) (pay.SplitOutcome, error) {
	told := make([]toldPart, len(o.Receivers))
	for i := range o.Receivers {
		r := &o.Receivers[i]
		told[i] = toldPart{value(r.Account), string(value(r.Result)), string(value(r.FailReason)), value(r.Amount)}
	}
	out := pay.SplitOutcome{No: value(o.OutOrderNo), OrderRef: value(o.TransactionId), WalletRef: value(o.OrderId), Said: clip(string(value(o.State)))}
	return splitOf(op, s, out, told)
}

// toldPart is what the wallet says of one receiver's part.
type toldPart struct {
	account, result, reason string
	amount                  int64
}

// splitOf reads a split order, and believes it only where it is the one that was asked about, part by part.
func splitOf(op string, s pay.SplitOrder, out pay.SplitOutcome, told []toldPart) (pay.SplitOutcome, error) {
	nonsense := func(what string) (pay.SplitOutcome, error) {
		return pay.SplitOutcome{}, pay.Fail(op, pay.Unknown, "wallet's statement makes no sense: "+what, nil)
	}
	switch {
	case out.No != s.No || out.OrderRef != s.OrderRef:
		return nonsense("it is about another split")
	case out.WalletRef == "" || len(out.WalletRef) > 64:
		return nonsense("without a number")
	}
	switch out.Said {
	case "PROCESSING":
		out.State = pay.SplitPending
	case "FINISHED":
		out.State = pay.SplitDone
	default:
		return nonsense("state " + out.Said)
	}
	for _, want := range s.Parts {
		part := pay.SplitPartOutcome{Account: want.Account, Amount: want.Amount, State: pay.SplitPending}
		for _, r := range told {
			if r.account != want.Account {
				continue
			}
			state, known := partStates[r.result]
			if !known || r.amount != want.Amount {
				return nonsense("a part of another amount or result")
			}
			part.State, part.Said = state, clip(r.reason)
		}
		if out.State == pay.SplitDone && part.State == pay.SplitPending {
			return nonsense("finished, and a part is missing or pending")
		}
		out.Parts = append(out.Parts, part)
	}
	return out, nil
}

// Unsplit implements [pay.Splitter] with POST /v3/profitsharing/return-orders.
func (w *Wallet) Unsplit(ctx context.Context, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	switch {
	case !refundNo.MatchString(u.No) || !refundNo.MatchString(u.SplitNo):
		return pay.SplitOutcome{}, local(opUnsplit, "number %.70q or %.70q: 1 to 64 digits, letters or _-|*@", u.No, u.SplitNo)
	case !receiverAccount.MatchString(u.Account) || u.Amount.Currency != money.CNY || u.Amount.Minor < 1 || u.Note == "" || len(u.Note) > maxNote:
		return pay.SplitOutcome{}, local(opUnsplit, "return of %s from %.40q", u.Amount, u.Account)
	case u.Sub != "":
		return w.unsplitSub(ctx, u)
	}
	ctx, cancel, err := w.begin(ctx, opUnsplit)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	defer cancel()
	service := profitsharing.ReturnOrdersApiService{Client: w.client}
	answer, _, err := service.CreateReturnOrder(ctx, profitsharing.CreateReturnOrderRequest{
		OutOrderNo: core.String(u.SplitNo), OutReturnNo: core.String(u.No), ReturnMchid: core.String(u.Account),
		Amount: core.Int64(u.Amount.Minor), Description: core.String(u.Note),
	})
	if err != nil {
		f, _ := w.failed(ctx, opUnsplit, err)
		return pay.SplitOutcome{}, f
	}
	return unsplitOutcome(opUnsplit, u, answer)
}

// QueryUnsplit implements [pay.Splitter] with GET /v3/profitsharing/return-orders/{out_return_no}?out_order_no=….
func (w *Wallet) QueryUnsplit(ctx context.Context, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	if !refundNo.MatchString(u.No) || !refundNo.MatchString(u.SplitNo) {
		return pay.SplitOutcome{}, local(opQueryUnsplit, "number %.70q or %.70q: 1 to 64 digits, letters or _-|*@", u.No, u.SplitNo)
	}
	if u.Sub != "" {
		return w.queryUnsplitSub(ctx, u)
	}
	ctx, cancel, err := w.begin(ctx, opQueryUnsplit)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	defer cancel()
	service := profitsharing.ReturnOrdersApiService{Client: w.client}
	answer, _, err := service.QueryReturnOrder(ctx, profitsharing.QueryReturnOrderRequest{OutReturnNo: core.String(u.No), OutOrderNo: core.String(u.SplitNo)})
	if err != nil {
		f, word := w.failed(ctx, opQueryUnsplit, err)
		if word == "RESOURCE_NOT_EXISTS" {
			return pay.SplitOutcome{No: u.No, State: pay.SplitAbsent, Said: word}, nil
		}
		return pay.SplitOutcome{}, f
	}
	return unsplitOutcome(opQueryUnsplit, u, answer)
}

func unsplitOutcome(op string, u pay.UnsplitOrder, r *profitsharing.ReturnOrdersEntity) (pay.SplitOutcome, error) {
	return unsplitOf(op, u, returnTold{
		value(r.OutReturnNo), value(r.OutOrderNo), value(r.ReturnId), string(value(r.Result)), string(value(r.FailReason)), value(r.Amount),
	})
}

// returnTold is what the wallet says of a part that comes back.
type returnTold struct {
	no, splitNo, ref, result, reason string
	amount                           int64
}

var returnStates = map[string]pay.SplitState{"PROCESSING": pay.SplitPending, "SUCCESS": pay.SplitDone, "FAILED": pay.SplitClosed}

func unsplitOf(op string, u pay.UnsplitOrder, r returnTold) (pay.SplitOutcome, error) {
	nonsense := func(what string) (pay.SplitOutcome, error) {
		return pay.SplitOutcome{}, pay.Fail(op, pay.Unknown, "wallet's statement makes no sense: "+what, nil)
	}
	out := pay.SplitOutcome{No: r.no, OrderRef: u.OrderRef, WalletRef: r.ref, Said: clip(r.result)}
	state, known := returnStates[out.Said]
	switch {
	case out.No != u.No || r.splitNo != u.SplitNo:
		return nonsense("it is about another return")
	case !known || out.WalletRef == "" || r.amount != u.Amount.Minor:
		return nonsense("result, number or amount")
	}
	out.State = state
	out.Parts = []pay.SplitPartOutcome{{Account: u.Account, Amount: u.Amount.Minor, State: state, Said: clip(r.reason)}}
	return out, nil
}
