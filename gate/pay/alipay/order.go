package alipay

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	sdk "github.com/smartwalle/alipay/v3"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// Bounds of the API (alipay.trade.precreate, .wap.pay, .page.pay, .app.pay, request parameters).
const (
	maxAmount      = 10_000_000_000 // fen; a hundred million yuan
	maxDescription = 127            // characters; the wallet takes 256
	maxTag         = 128            // bytes of body and passback_params; the wallet takes more
	maxURL         = 256
	maxLife        = 15 * moongate.Day
	codeLife       = 2 * moongate.Hour // of a QR code
	refundWindow   = 365 * moongate.Day
)

var (
	orderNo  = regexp.MustCompile(`^[0-9A-Za-z_]{6,64}$`)
	refundNo = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	tradeNo  = regexp.MustCompile(`^[0-9]{16,64}$`)
)

// beijing is the zone of every time the wallet writes. China has had one zone and no summer time since 1991.
var beijing = time.FixedZone("CST", 8*3600)

func stamp(t time.Time) string { return t.In(beijing).Format(time.DateTime) }

// parseTime reads a time of the wallet's; 0 for none.
func parseTime(s string) moongate.Time {
	t, err := time.ParseInLocation(time.DateTime, s, beijing)
	if err != nil {
		return 0
	}
	return moongate.At(t)
}

// yuan writes an amount as the wallet wants it.
func yuan(fen int64) string { return money.Of(fen, money.CNY).Decimal() }

// fen reads an amount of the wallet's, as text with at most two decimals.
func fen(text string) (int64, bool) {
	a, err := money.ParseDecimal(text, money.CNY)
	return a.Minor, err == nil && a.Minor >= 0 && a.Minor <= maxAmount
}

// Can implements [pay.Wallet].
func (w *Wallet) Can() pay.Capabilities {
	c := pay.Capabilities{
		Kind:         "alipay",
		Currencies:   []money.Currency{money.CNY},
		MaxAmount:    maxAmount,
		MaxRefunds:   50,
		RefundWindow: refundWindow,
		MinLife:      moongate.Minute,
		MaxLife:      maxLife,
		SplitCap:     w.cfg.SplitBPS,
		SplitNet:     true,
		Ack:          "success",
	}
	if w.cfg.Direct {
		c.MaxParts = 1
	}
	for _, way := range []struct {
		channel  pay.Channel
		products []Product
	}{{pay.QR, []Product{FaceToFace}}, {pay.Redirect, []Product{Wap, Page}}, {pay.App, []Product{InApps}}} {
		if slices.ContainsFunc(way.products, func(p Product) bool { return slices.Contains(w.cfg.Products, p) }) {
			c.Channels = append(c.Channels, way.channel)
		}
	}
	return c
}

// Create implements [pay.Wallet]. A QR code comes from alipay.trade.precreate; an address and what an app calls the wallet
// with are made and signed here, and nothing is sent: the wallet hears of such an order from its shopper.
func (w *Wallet) Create(ctx context.Context, o pay.Order) (pay.Handoff, error) {
	if err := w.checkOrder(o); err != nil {
		return pay.Handoff{}, err
	}
	switch o.Channel {
	case pay.Redirect:
		return w.createPage(o)
	case pay.App:
		text, err := w.client.EncodeParam(w.orderOf("alipay.trade.app.pay", "QUICK_MSECURITY_PAY", o))
		if err != nil {
			return pay.Handoff{}, pay.Fail(opCreate, pay.NotDone, "the order cannot be signed", err)
		}
		return pay.Handoff{Params: text, Expires: w.until(o, maxLife)}, nil
	}
	var a struct {
		answered
		OutTradeNo string `json:"out_trade_no"`
		QRCode     string `json:"qr_code"`
	}
	if f, _ := w.ask(ctx, opCreate, w.orderOf("alipay.trade.precreate", "", o), &a); f != nil {
		return pay.Handoff{}, f
	}
	if a.OutTradeNo != o.No || a.QRCode == "" {
		return pay.Handoff{}, pay.Fail(opCreate, pay.Unknown, "answer has no qr_code, or is about another order", nil)
	}
	return pay.Handoff{QR: a.QRCode, Expires: w.until(o, codeLife)}, nil
}

// createPage makes an address. Phones are redirected; desktops only where the account has no QR codes for them.
func (w *Wallet) createPage(o pay.Order) (pay.Handoff, error) {
	p := w.orderOf("alipay.trade.wap.pay", "QUICK_WAP_WAY", o)
	if !slices.Contains(w.cfg.Products, Wap) {
		p = w.orderOf("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY", o)
	}
	if o.ReturnURL != "" {
		p.AddParam("return_url", o.ReturnURL).AddBizField("quit_url", o.ReturnURL)
	}
	to, err := w.client.BuildURL(p)
	if err != nil {
		return pay.Handoff{}, pay.Fail(opCreate, pay.NotDone, "the address cannot be signed", err)
	}
	return pay.Handoff{URL: to.String(), Expires: w.until(o, maxLife)}, nil
}

// orderOf is what every way to order has in common. Our reference stands twice: bills and queries give body back,
// notifications passback_params.
func (w *Wallet) orderOf(method, product string, o pay.Order) *sdk.Payload {
	p := sdk.NewPayload(method)
	p.Encrypt = false
	p.AddParam("notify_url", o.NotifyURL)
	p.AddBizField("out_trade_no", o.No).AddBizField("total_amount", yuan(o.Amount.Minor)).AddBizField("subject", subject(o.Description))
	p.AddBizField("time_expire", stamp(w.until(o, maxLife).Go()))
	if product != "" {
		p.AddBizField("product_code", product)
	}
	if o.Tag != "" {
		p.AddBizField("body", o.Tag).AddBizField("passback_params", url.QueryEscape(o.Tag))
	}
	if o.Freeze {
		p.AddBizField("extend_params", map[string]string{"royalty_freeze": "true"})
	}
	if len(o.Parts) == 1 {
		p.AddBizField("sub_merchant", map[string]string{"merchant_id": o.Parts[0].Account})
		p.AddBizField("settle_info", map[string]any{"settle_detail_infos": []map[string]string{{"trans_in_type": "defaultSettle", "amount": yuan(o.Amount.Minor)}}})
	}
	return p
}

// subject is a description without the three signs that the wallet does not take in one.
func subject(s string) string {
	return strings.NewReplacer("/", "／", "=", "＝", "&", "＆").Replace(s)
}

func (w *Wallet) until(o pay.Order, life moongate.Time) moongate.Time {
	return min(o.Expires, moongate.At(w.cfg.Now())+life)
}

func (w *Wallet) checkOrder(o pay.Order) error {
	can := w.Can()
	switch {
	case !orderNo.MatchString(o.No):
		return local(opCreate, "order number %.70q: 6 to 64 digits, letters or _", o.No)
	case !slices.Contains(can.Channels, o.Channel):
		return local(opCreate, "channel %.20q is none of %v", o.Channel, can.Channels)
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
	case o.Freeze && can.SplitCap == 0:
		return local(opCreate, "this account cannot split, so nothing can be frozen for it")
	case len(o.Parts) > can.MaxParts:
		return local(opCreate, "order has %d parts, more than %d", len(o.Parts), can.MaxParts)
	}
	for _, p := range o.Parts {
		if p.No != o.No || p.Amount != o.Amount.Minor || !userNumber.MatchString(p.Account) {
			return local(opCreate, "part %.70q of account %.20q: the one part has the order's number and amount, and a sub-merchant of 16 digits", p.No, p.Account)
		}
	}
	if o.ReturnURL != "" {
		if u, err := url.Parse(o.ReturnURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || len(o.ReturnURL) > maxURL {
			return local(opCreate, "return URL %.80q: an absolute address of at most %d bytes", o.ReturnURL, maxURL)
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

// trade is an order as the wallet gives it, in a query and in a notification.
type trade struct {
	TradeNo        string `json:"trade_no"`
	OutTradeNo     string `json:"out_trade_no"`
	TradeStatus    string `json:"trade_status"`
	TotalAmount    string `json:"total_amount"`
	BuyerPayAmount string `json:"buyer_pay_amount"`
	ReceiptAmount  string `json:"receipt_amount"`
	SendPayDate    string `json:"send_pay_date"`
	Body           string `json:"body"`
	Sub            string `json:"alipay_sub_merchant_id"`
}

// Query implements [pay.Wallet] with alipay.trade.query. An order that nobody has opened is awaiting: the wallet cannot
// tell it from one that it has never heard of.
func (w *Wallet) Query(ctx context.Context, no string) (pay.Outcome, error) {
	if !orderNo.MatchString(no) {
		return pay.Outcome{}, local(opQuery, "order number %.70q: 6 to 64 digits, letters or _", no)
	}
	return w.query(ctx, opQuery, no)
}

func (w *Wallet) query(ctx context.Context, op, no string) (pay.Outcome, error) {
	var a struct {
		answered
		trade
	}
	f, word := w.ask(ctx, op, sdk.NewPayload("alipay.trade.query").AddBizField("out_trade_no", no), &a)
	switch {
	case word == "ACQ.TRADE_NOT_EXIST":
		return pay.Outcome{No: no, State: pay.Awaiting, Said: word}, nil
	case f != nil:
		return pay.Outcome{}, f
	}
	out, err := a.outcome()
	if err == nil && out.No != no {
		err = pay.Fail(op, pay.Unknown, "answer speaks of another order", nil)
	}
	if err != nil {
		return pay.Outcome{}, err
	}
	return out, nil
}

// Close implements [pay.Wallet] with alipay.trade.close. An order in a state that cannot be closed is queried at once, so
// that the answer carries the evidence.
func (w *Wallet) Close(ctx context.Context, no string) (pay.Outcome, error) {
	if !orderNo.MatchString(no) {
		return pay.Outcome{}, local(opClose, "order number %.70q: 6 to 64 digits, letters or _", no)
	}
	var a struct {
		answered
		OutTradeNo string `json:"out_trade_no"`
	}
	f, word := w.ask(ctx, opClose, sdk.NewPayload("alipay.trade.close").AddBizField("out_trade_no", no), &a)
	switch word {
	case "ACQ.TRADE_NOT_EXIST":
		return pay.Outcome{No: no, State: pay.Absent, Said: word}, nil
	case "ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS":
		return w.query(ctx, opClose, no)
	}
	switch {
	case f != nil:
		return pay.Outcome{}, f
	case a.OutTradeNo != no:
		return pay.Outcome{}, pay.Fail(opClose, pay.Unknown, "answer speaks of another order", nil)
	}
	return pay.Outcome{No: no, State: pay.Closed, Said: "closed"}, nil
}

// outcome reads an order, and believes it only where it is whole: a paid order has a number, an amount and a time.
func (t *trade) outcome() (pay.Outcome, error) {
	nonsense := func(what string) (pay.Outcome, error) {
		return pay.Outcome{}, pay.Fail(opQuery, pay.Unknown, "wallet's statement makes no sense: "+clip(what), nil)
	}
	total, ok := fen(t.TotalAmount)
	switch {
	case !orderNo.MatchString(t.OutTradeNo):
		return nonsense("order number")
	case !ok || total < 1:
		return nonsense("amount " + t.TotalAmount)
	}
	out := pay.Outcome{No: t.OutTradeNo, Amount: money.Of(total, money.CNY), Tag: t.Body, Said: clip(t.TradeStatus), PaidAt: parseTime(t.SendPayDate)}
	switch t.TradeStatus {
	case "WAIT_BUYER_PAY":
		out.State, out.PaidAt = pay.Awaiting, 0
		return out, nil
	case "TRADE_CLOSED":
		if t.SendPayDate == "" {
			out.State = pay.Closed
			return out, nil
		}
		out.Refunded = true // whole
	case "TRADE_SUCCESS", "TRADE_FINISHED":
	default:
		return nonsense("trade_status " + t.TradeStatus)
	}
	if !tradeNo.MatchString(t.TradeNo) || out.PaidAt == 0 {
		return nonsense("paid, but without number or time")
	}
	out.State, out.WalletRef = pay.Paid, t.TradeNo
	if out.PayerTotal, ok = told(t.BuyerPayAmount, total); !ok {
		return nonsense("buyer_pay_amount " + t.BuyerPayAmount)
	}
	settled, ok := told(t.ReceiptAmount, total)
	if !ok {
		return nonsense("receipt_amount " + t.ReceiptAmount)
	}
	if settled < total {
		out.Settled = &settled
	}
	if t.Sub != "" {
		out.Parts = []pay.PartOutcome{{No: out.No, Account: t.Sub, WalletRef: t.TradeNo, Amount: total, PayerTotal: out.PayerTotal, Settled: out.Settled}}
	}
	return out, nil
}

// told reads what was paid or received of a total. Of pages and apps a query says 0.00 of both, and means that it does not
// say: then it was the total.
func told(text string, total int64) (int64, bool) {
	if text == "" {
		return total, true
	}
	n, ok := fen(text)
	if n == 0 {
		return total, ok
	}
	return n, ok && n <= total
}
