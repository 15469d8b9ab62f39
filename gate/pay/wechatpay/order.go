package wechatpay

import (
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

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
	maxOpenID      = 128
	codeLife       = 2 * moongate.Hour   // of a code_url
	prepayLife     = 2 * moongate.Hour   // of a prepay_id
	redirectLife   = 5 * moongate.Minute // of an h5_url
)

var (
	number   = regexp.MustCompile(`^[0-9]{8,12}$`)
	orderNo  = regexp.MustCompile(`^[0-9A-Za-z_|*-]{6,32}$`)
	refundNo = regexp.MustCompile(`^[0-9A-Za-z_|*@-]{1,64}$`)
)

// beijing is the zone of every time the wallet writes. China has had one zone and no summer time since 1991.
var beijing = time.FixedZone("CST", 8*3600)

// Product is a way to be paid that an account has a contract for (产品).
type Product string

// Products. Each stands for a channel.
const (
	Native Product = "native" // Native支付: a code
	H5     Product = "h5"     // H5支付: a phone's browser outside the wallet's app
	JSAPI  Product = "jsapi"  // JSAPI and 小程序支付: a page or a mini-program inside the wallet's app
	InApps Product = "app"    // APP支付: another app
)

var productOf = map[pay.Channel]Product{pay.QR: Native, pay.Redirect: H5, pay.InApp: JSAPI, pay.App: InApps}

// Can implements pay.Wallet.
func (w *Wallet) Can() pay.Capabilities {
	c := pay.Capabilities{
		Kind:         "wechatpay",
		Currencies:   []money.Currency{money.CNY},
		MaxAmount:    maxAmount,
		MaxRefunds:   50,
		RefundWindow: 365 * moongate.Day,
		MinLife:      moongate.Minute,
		MaxLife:      90 * moongate.Day,
		SplitCap:     w.cfg.SplitCap,
	}
	if w.cfg.Platform {
		c.MaxParts, c.Subs = maxParts, true
	}
	for _, channel := range []pay.Channel{pay.QR, pay.Redirect, pay.InApp, pay.App} {
		if slices.Contains(w.cfg.Products, productOf[channel]) {
			c.Channels = append(c.Channels, channel)
		}
	}
	return c
}

// Create implements pay.Wallet with POST /v3/pay/transactions/…, of a platform /v3/pay/partner/transactions/… for one
// sub-merchant and /v3/combine-transactions/… for several; each ends in native, h5, jsapi or app.
func (w *Wallet) Create(ctx context.Context, o pay.Order) (pay.Handoff, error) {
	if err := w.checkOrder(o); err != nil {
		return pay.Handoff{}, err
	}
	ctx, cancel, err := w.begin(ctx, opCreate)
	if err != nil {
		return pay.Handoff{}, err
	}
	defer cancel()
	path, body := "/v3/pay/transactions/", w.direct(o)
	switch {
	case len(o.Parts) == 1:
		path, body = "/v3/pay/partner/transactions/", w.partner(o)
	case len(o.Parts) > 1:
		path, body = "/v3/combine-transactions/", w.combined(o)
	}
	var answer struct {
		Code    string `json:"code_url"`
		Address string `json:"h5_url"`
		Prepay  string `json:"prepay_id"`
	}
	if err := w.post(ctx, path+string(productOf[o.Channel]), body, &answer); err != nil {
		f, _ := w.failed(ctx, opCreate, err)
		return pay.Handoff{}, f
	}
	switch {
	case o.Channel == pay.QR && answer.Code != "":
		return pay.Handoff{QR: answer.Code, Expires: w.until(o, codeLife)}, nil
	case o.Channel == pay.Redirect && strings.Contains(answer.Address, "://"):
		return pay.Handoff{URL: withReturn(answer.Address, o.ReturnURL), Expires: w.until(o, redirectLife)}, nil
	case (o.Channel == pay.InApp || o.Channel == pay.App) && answer.Prepay != "":
		params, err := w.params(o.Channel, answer.Prepay)
		if err != nil {
			return pay.Handoff{}, pay.Fail(opCreate, pay.Unknown, "what the wallet is called with cannot be signed", err)
		}
		return pay.Handoff{Params: params, Expires: w.until(o, prepayLife)}, nil
	}
	return pay.Handoff{}, pay.Fail(opCreate, pay.Unknown, "answer does not say how the shopper gets to the wallet", nil)
}

// post sends a request, and reads the answer once its signature was checked.
func (w *Wallet) post(ctx context.Context, path string, body, answer any) error {
	result, err := w.client.Post(ctx, consts.WechatPayAPIServer+path, body)
	if err != nil {
		return err
	}
	return core.UnMarshalResponse(result.Response, answer)
}

// get asks for something, and reads the answer once its signature was checked.
func (w *Wallet) get(ctx context.Context, path string, query url.Values, answer any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	result, err := w.client.Get(ctx, consts.WechatPayAPIServer+path)
	if err != nil {
		return err
	}
	return core.UnMarshalResponse(result.Response, answer)
}

// fields are a request's body.
type fields map[string]any

// common is what orders of one account have in common, its own and a sub-merchant's.
func (w *Wallet) common(o pay.Order) fields {
	f := fields{
		"description": o.Description, "out_trade_no": o.No, "time_expire": o.Expires.Go().In(beijing).Format(time.RFC3339), "notify_url": o.NotifyURL,
		"amount": fields{"total": o.Amount.Minor, "currency": "CNY"}, "settle_info": fields{"profit_sharing": o.Freeze},
	}
	if o.Tag != "" {
		f["attach"] = o.Tag
	}
	if o.Channel == pay.Redirect {
		f["scene_info"] = scene(o)
	}
	return f
}

func scene(o pay.Order) fields {
	return fields{"payer_client_ip": o.ClientIP, "h5_info": fields{"type": "Wap"}}
}

func (w *Wallet) direct(o pay.Order) fields {
	f := w.common(o)
	f["appid"], f["mchid"] = w.cfg.AppID, w.cfg.MchID
	if o.Channel == pay.InApp {
		f["payer"] = fields{"openid": o.Payer}
	}
	return f
}

// params is what the wallet's bridge (WeixinJSBridge getBrandWCPayRequest, wx.requestPayment) or its SDK for apps (PayReq) is
// called with: JSON, signed by the merchant, under the names of the documents (JSAPI调起支付, APP调起支付).
func (w *Wallet) params(channel pay.Channel, prepay string) (string, error) {
	nonce, err := w.nonce()
	if err != nil {
		return "", err
	}
	stamp := strconv.FormatInt(w.cfg.Now().Unix(), 10)
	signed := prepay
	if channel == pay.InApp {
		signed = "prepay_id=" + prepay
	}
	signature, err := utils.SignSHA256WithRSA(w.cfg.AppID+"\n"+stamp+"\n"+nonce+"\n"+signed+"\n", w.cfg.PrivateKey)
	if err != nil {
		return "", err
	}
	call := map[string]string{"appId": w.cfg.AppID, "timeStamp": stamp, "nonceStr": nonce, "package": signed, "signType": "RSA", "paySign": signature}
	if channel == pay.App {
		call = map[string]string{
			"appid": w.cfg.AppID, "partnerid": w.cfg.MchID, "prepayid": prepay, "package": "Sign=WXPay", "noncestr": nonce, "timestamp": stamp, "sign": signature,
		}
	}
	text, err := json.Marshal(call)
	return string(text), err
}

func withReturn(to, back string) string {
	if back == "" {
		return to
	}
	join := "&"
	if !strings.Contains(to, "?") {
		join = "?"
	}
	return to + join + "redirect_url=" + url.QueryEscape(back)
}

func (w *Wallet) until(o pay.Order, life moongate.Time) moongate.Time {
	return min(o.Expires, moongate.At(w.cfg.Now())+life)
}

func (w *Wallet) checkOrder(o pay.Order) error {
	switch {
	case !orderNo.MatchString(o.No):
		return local(opCreate, "order number %.40q: 6 to 32 digits, letters or _-|*", o.No)
	case !slices.Contains(w.cfg.Products, productOf[o.Channel]):
		return local(opCreate, "channel %.20q is none that this account has a contract for", o.Channel)
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
	case o.Hold:
		return local(opCreate, "this account cannot reserve first and take later")
	case o.Channel == pay.InApp && (o.Payer == "" || len(o.Payer) > maxOpenID):
		return local(opCreate, "the shopper's openid has %d bytes, not 1 to %d", len(o.Payer), maxOpenID)
	}
	if err := w.checkParts(o); err != nil {
		return err
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
	out, err := w.outcome(&transaction{Transaction: *answer})
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
func (w *Wallet) outcome(t *transaction) (pay.Outcome, error) {
	nonsense := func(what string) (pay.Outcome, error) {
		return pay.Outcome{}, pay.Fail(opQuery, pay.Unknown, "wallet's statement makes no sense: "+what, nil)
	}
	switch {
	case w.cfg.Platform:
		if t.SpMchID != w.cfg.MchID || t.SpAppID != "" && t.SpAppID != w.cfg.AppID || !number.MatchString(t.SubMchID) {
			return nonsense("it is about another account")
		}
	case value(t.Mchid) != w.cfg.MchID || (t.Appid != nil && *t.Appid != w.cfg.AppID):
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
	if w.cfg.Platform {
		out.Parts = []pay.PartOutcome{{No: out.No, Account: t.SubMchID, WalletRef: out.WalletRef, Amount: out.Amount.Minor, PayerTotal: out.PayerTotal}}
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
	if unfunded, ok := unfundedCoupons(&t.Transaction, out.Amount.Minor); !ok {
		return nonsense("promotion_detail")
	} else if unfunded > 0 {
		settled := out.Amount.Minor - unfunded
		out.Settled = &settled
		for i := range out.Parts {
			out.Parts[i].Settled = &settled
		}
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
