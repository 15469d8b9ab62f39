package wechatpay

import (
	"context"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/h5"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// Bounds of the API (Native下单 and H5下单, request parameters).
const (
	maxAmount      = 10_000_000_000 // fen; a hundred million yuan, far above any single-payment limit
	maxDescription = 127            // characters
	maxTag         = 128            // bytes of attach
	maxURL         = 255
	codeLife       = 2 * moongate.Hour   // of a code_url
	redirectLife   = 5 * moongate.Minute // of an h5_url
)

var (
	number   = regexp.MustCompile(`^[0-9]{8,12}$`)
	orderNo  = regexp.MustCompile(`^[0-9A-Za-z_|*-]{6,32}$`)
	refundNo = regexp.MustCompile(`^[0-9A-Za-z_|*@-]{1,64}$`)
)

// beijing is the zone of every time the wallet writes. China has had one zone and no summer time since 1991.
var beijing = time.FixedZone("CST", 8*3600)

// Can implements pay.Wallet.
func (w *Wallet) Can() pay.Capabilities {
	return pay.Capabilities{
		Kind:         "wechatpay",
		Currencies:   []money.Currency{money.CNY},
		Channels:     []pay.Channel{pay.QR, pay.Redirect},
		MaxAmount:    maxAmount,
		MaxRefunds:   50,
		RefundWindow: 365 * moongate.Day,
		MinLife:      moongate.Minute,
		MaxLife:      90 * moongate.Day,
		SplitCap:     w.cfg.SplitCap,
	}
}

// Create implements pay.Wallet with POST /v3/pay/transactions/native and …/h5.
func (w *Wallet) Create(ctx context.Context, o pay.Order) (pay.Handoff, error) {
	if err := w.checkOrder(o); err != nil {
		return pay.Handoff{}, err
	}
	ctx, cancel, err := w.begin(ctx, opCreate)
	if err != nil {
		return pay.Handoff{}, err
	}
	defer cancel()
	if o.Channel == pay.Redirect {
		return w.createH5(ctx, o)
	}
	service := native.NativeApiService{Client: w.client}
	answer, _, err := service.Prepay(ctx, native.PrepayRequest{
		Appid:       core.String(w.cfg.AppID),
		Mchid:       core.String(w.cfg.MchID),
		Description: core.String(o.Description),
		OutTradeNo:  core.String(o.No),
		TimeExpire:  core.Time(o.Expires.Go().In(beijing)),
		Attach:      optional(o.Tag),
		NotifyUrl:   core.String(o.NotifyURL),
		Amount:      &native.Amount{Total: core.Int64(o.Amount.Minor), Currency: core.String("CNY")},
		SettleInfo:  &native.SettleInfo{ProfitSharing: core.Bool(o.Freeze)},
	})
	if err != nil {
		f, _ := w.failed(ctx, opCreate, err)
		return pay.Handoff{}, f
	}
	if answer.CodeUrl == nil || *answer.CodeUrl == "" {
		return pay.Handoff{}, pay.Fail(opCreate, pay.Unknown, "answer has no code_url", nil)
	}
	return pay.Handoff{QR: *answer.CodeUrl, Expires: w.until(o, codeLife)}, nil
}

func (w *Wallet) createH5(ctx context.Context, o pay.Order) (pay.Handoff, error) {
	service := h5.H5ApiService{Client: w.client}
	answer, _, err := service.Prepay(ctx, h5.PrepayRequest{
		Appid:       core.String(w.cfg.AppID),
		Mchid:       core.String(w.cfg.MchID),
		Description: core.String(o.Description),
		OutTradeNo:  core.String(o.No),
		TimeExpire:  core.Time(o.Expires.Go().In(beijing)),
		Attach:      optional(o.Tag),
		NotifyUrl:   core.String(o.NotifyURL),
		Amount:      &h5.Amount{Total: core.Int64(o.Amount.Minor), Currency: core.String("CNY")},
		SettleInfo:  &h5.SettleInfo{ProfitSharing: core.Bool(o.Freeze)},
		SceneInfo:   &h5.SceneInfo{PayerClientIp: core.String(o.ClientIP), H5Info: &h5.H5Info{Type: core.String("Wap")}},
	})
	if err != nil {
		f, _ := w.failed(ctx, opCreate, err)
		return pay.Handoff{}, f
	}
	if answer.H5Url == nil || !strings.Contains(*answer.H5Url, "://") {
		return pay.Handoff{}, pay.Fail(opCreate, pay.Unknown, "answer has no h5_url", nil)
	}
	to := *answer.H5Url
	if o.ReturnURL != "" {
		join := "&"
		if !strings.Contains(to, "?") {
			join = "?"
		}
		to += join + "redirect_url=" + url.QueryEscape(o.ReturnURL)
	}
	return pay.Handoff{URL: to, Expires: w.until(o, redirectLife)}, nil
}

func (w *Wallet) until(o pay.Order, life moongate.Time) moongate.Time {
	return min(o.Expires, moongate.At(w.cfg.Now())+life)
}

func (w *Wallet) checkOrder(o pay.Order) error {
	switch {
	case !orderNo.MatchString(o.No):
		return local(opCreate, "order number %.40q: 6 to 32 digits, letters or _-|*", o.No)
	case o.Channel != pay.QR && o.Channel != pay.Redirect:
		return local(opCreate, "channel %.20q is neither qr nor redirect", o.Channel)
	case o.Amount.Currency != money.CNY:
		return local(opCreate, "currency %q: the account takes CNY only", o.Amount.Currency)
	case o.Amount.Minor < 1 || o.Amount.Minor > maxAmount:
		return local(opCreate, "amount %s is outside 0.01 to %d.00", o.Amount, maxAmount/100)
	case !utf8.ValidString(o.Description) || o.Description == "" || utf8.RuneCountInString(o.Description) > maxDescription:
		return local(opCreate, "description has %d characters, not 1 to %d", utf8.RuneCountInString(o.Description), maxDescription)
	case !utf8.ValidString(o.Tag) || len(o.Tag) > maxTag:
		return local(opCreate, "tag has %d bytes, more than %d", len(o.Tag), maxTag)
	case o.Expires <= moongate.At(w.cfg.Now()):
		return local(opCreate, "order expired at %s", o.Expires)
	}
	if o.Channel == pay.Redirect {
		if _, err := netip.ParseAddr(o.ClientIP); err != nil {
			return local(opCreate, "client address %.60q is not an IP address", o.ClientIP)
		}
	}
	return checkNotifyURL(opCreate, o.NotifyURL)
}

func checkNotifyURL(op, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil || len(s) > maxURL {
		return local(op, "notify URL %.80q: an absolute address without query, at most %d bytes", s, maxURL)
	}
	return nil
}

// Query implements pay.Wallet with GET /v3/pay/transactions/out-trade-no/{no}.
func (w *Wallet) Query(ctx context.Context, no string) (pay.Outcome, error) {
	if !orderNo.MatchString(no) {
		return pay.Outcome{}, local(opQuery, "order number %.40q: 6 to 32 digits, letters or _-|*", no)
	}
	ctx, cancel, err := w.begin(ctx, opQuery)
	if err != nil {
		return pay.Outcome{}, err
	}
	defer cancel()
	return w.query(ctx, opQuery, no)
}

func (w *Wallet) query(ctx context.Context, op, no string) (pay.Outcome, error) {
	service := native.NativeApiService{Client: w.client}
	answer, _, err := service.QueryOrderByOutTradeNo(ctx, native.QueryOrderByOutTradeNoRequest{
		OutTradeNo: core.String(no), Mchid: core.String(w.cfg.MchID),
	})
	if err != nil {
		f, word := w.failed(ctx, op, err)
		switch word {
		case "ORDER_NOT_EXIST", "ORDERNOTEXIST":
			return pay.Outcome{No: no, State: pay.Absent, Said: word}, nil
		case "ORDER_CLOSED", "ORDERCLOSED":
			return pay.Outcome{No: no, State: pay.Closed, Said: word}, nil
		}
		return pay.Outcome{}, f
	}
	out, err := w.outcome(answer)
	if err == nil && out.No != no {
		err = pay.Fail(op, pay.Unknown, "answer speaks of another order", nil)
	}
	return out, err
}

// Close implements pay.Wallet with POST /v3/pay/transactions/out-trade-no/{no}/close. An order that turns out to be
// paid is queried at once, so that the answer carries the evidence.
func (w *Wallet) Close(ctx context.Context, no string) (pay.Outcome, error) {
	if !orderNo.MatchString(no) {
		return pay.Outcome{}, local(opClose, "order number %.40q: 6 to 32 digits, letters or _-|*", no)
	}
	ctx, cancel, err := w.begin(ctx, opClose)
	if err != nil {
		return pay.Outcome{}, err
	}
	defer cancel()
	service := native.NativeApiService{Client: w.client}
	result, err := service.CloseOrder(ctx, native.CloseOrderRequest{OutTradeNo: core.String(no), Mchid: core.String(w.cfg.MchID)})
	if err == nil {
		_ = result.Response.Body.Close() // its body was read and checked; 204 has none
		return pay.Outcome{No: no, State: pay.Closed, Said: "204"}, nil
	}
	f, word := w.failed(ctx, opClose, err)
	switch word {
	case "ORDER_CLOSED", "ORDERCLOSED":
		return pay.Outcome{No: no, State: pay.Closed, Said: word}, nil
	case "ORDER_NOT_EXIST", "ORDERNOTEXIST":
		return pay.Outcome{No: no, State: pay.Absent, Said: word}, nil
	case "ORDERPAID", "ORDER_PAID", "TRADE_ERROR":
		return w.query(ctx, opClose, no)
	}
	return pay.Outcome{}, f
}

// outcome reads a transaction, from a query or a notification, and believes it only where it is about our account and
// whole: a paid order has a number, an amount and a time.
func (w *Wallet) outcome(t *payments.Transaction) (pay.Outcome, error) {
	nonsense := func(what string) (pay.Outcome, error) {
		return pay.Outcome{}, pay.Fail(opQuery, pay.Unknown, "wallet's statement makes no sense: "+what, nil)
	}
	if value(t.Mchid) != w.cfg.MchID || (t.Appid != nil && *t.Appid != w.cfg.AppID) {
		return nonsense("it is about another account")
	}
	out := pay.Outcome{No: value(t.OutTradeNo), WalletRef: value(t.TransactionId), Tag: value(t.Attach), Said: clip(value(t.TradeState))}
	if !orderNo.MatchString(out.No) {
		return nonsense("order number")
	}
	if a := t.Amount; a != nil {
		if value(a.Total) < 0 || value(a.PayerTotal) < 0 || (a.Currency != nil && *a.Currency != "CNY") {
			return nonsense("amount")
		}
		out.Amount = money.Of(value(a.Total), money.CNY)
		out.PayerTotal = value(a.PayerTotal)
	}
	switch out.Said {
	case "NOTPAY", "USERPAYING", "ACCEPT":
		out.State = pay.Awaiting
		return out, nil
	case "CLOSED", "REVOKED":
		out.State = pay.Closed
		return out, nil
	case "SUCCESS", "REFUND":
		out.State, out.Refunded = pay.Paid, out.Said == "REFUND"
	default:
		return nonsense("trade_state " + out.Said)
	}
	at, err := time.Parse(time.RFC3339, value(t.SuccessTime))
	if err != nil || out.WalletRef == "" || len(out.WalletRef) > 32 || out.Amount.Minor < 1 {
		return nonsense("paid, but without number, amount or time")
	}
	out.PaidAt = moongate.At(at)
	if unfunded, ok := unfundedCoupons(t, out.Amount.Minor); !ok {
		return nonsense("promotion_detail")
	} else if unfunded > 0 {
		settled := out.Amount.Minor - unfunded
		out.Settled = &settled
	}
	return out, nil
}

// unfundedCoupons adds up the coupons that nobody has paid for in advance (type NOCASH, 免充值券): the wallet does not owe the
// merchant what they took off. What it owes is the bill's 应结订单金额.
func unfundedCoupons(t *payments.Transaction, total int64) (sum int64, ok bool) {
	for _, d := range t.PromotionDetail {
		if value(d.Type) != "NOCASH" {
			continue
		}
		if n := value(d.Amount); n < 0 || n > total-sum {
			return 0, false
		}
		sum += value(d.Amount)
	}
	return sum, true
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
