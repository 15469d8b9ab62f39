package alipay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Documented times of an order.
const (
	lifeUnset   = 15 * 24 * time.Hour  // without a limit of its own, and the longest
	codeLife    = 2 * time.Hour        // of a code or an address; the same order asked again gives a new one
	refundable  = 365 * 24 * time.Hour // after the payment; then it is finished
	cancellable = 24 * time.Hour       // after the payment
)

// Trade states (交易状态). Before an order is opened it has none.
const (
	unopened = ""
	waiting  = "WAIT_BUYER_PAY"
	success  = "TRADE_SUCCESS"
	finished = "TRADE_FINISHED"
	closed   = "TRADE_CLOSED"
)

var orderNo = regexp.MustCompile(`^[0-9A-Za-z_]{1,64}$`)

// order is one order with all that is known of it.
type order struct {
	AppID     string
	No        string // out_trade_no
	Kind      string // PAGE, WAP, APP, QR, CREATE or MERGE
	Subject   string
	Body      string `json:",omitempty"`
	Passback  string `json:",omitempty"`
	NotifyURL string `json:",omitempty"`
	ReturnURL string `json:",omitempty"`
	QuitURL   string `json:",omitempty"`
	SMID      string `json:",omitempty"` // of the sub-merchant that sells
	Merge     string `json:",omitempty"` // out_merge_no, where it is paid together with others
	Freeze    bool   `json:",omitempty"` // what is paid stays frozen until it is split or released
	Total     int64
	Expires   time.Time // of the right to pay
	Created   time.Time
	Print     string // of the parameters, to tell a repeat from a reuse

	State    string
	TradeNo  string    `json:",omitempty"` // once opened
	Opened   time.Time `json:",omitzero"`
	Paid     time.Time `json:",omitzero"`
	Ended    time.Time `json:",omitzero"` // when it was closed
	BuyerID  string    `json:",omitempty"`
	Coupon   int64     `json:",omitempty"` // fen of the total that a coupon paid, which the wallet bears
	Fee      int64     `json:",omitempty"` // fen
	Declined int       `json:",omitempty"` // how often the shopper said no

	Refunded  int64    `json:",omitempty"` // fen
	RefundNos []string `json:",omitempty"`
	Split     int64    `json:",omitempty"` // fen split off and not taken back
	SettleNos []string `json:",omitempty"`
	Confirm   string   `json:",omitempty"` // out_request_no of the settlement's confirmation, of a sub-merchant's order
	Released  bool     `json:",omitempty"` // nothing of it is frozen any more
}

// handoff is a shopper's way to an order, or to orders that are paid together.
type handoff struct {
	appID string
	nos   []string
	until time.Time
}

// tradeRequest has what the ways to order have in common.
type tradeRequest struct {
	OutTradeNo     string `json:"out_trade_no"`
	TotalAmount    yuan   `json:"total_amount"`
	Subject        string `json:"subject"`
	Body           string `json:"body"`
	ProductCode    string `json:"product_code"`
	TimeExpire     string `json:"time_expire"`
	TimeoutExpress string `json:"timeout_express"`
	Passback       string `json:"passback_params"`
	QuitURL        string `json:"quit_url"`
	SellerID       string `json:"seller_id"`
	BuyerID        string `json:"buyer_id"`
	BuyerOpenID    string `json:"buyer_open_id"`
	Extend         struct {
		Freeze string `json:"royalty_freeze"`
	} `json:"extend_params"`
	Sub *struct {
		MerchantID string `json:"merchant_id"`
	} `json:"sub_merchant"`
	Settle *struct {
		Details []struct {
			TransInType string `json:"trans_in_type"`
			TransIn     string `json:"trans_in"`
			Amount      yuan   `json:"amount"`
		} `json:"settle_detail_infos"`
	} `json:"settle_info"`
}

// products are the product codes that each way to order takes (销售产品码); empty stands for the first.
var products = map[string][]string{
	"PAGE":   {"FAST_INSTANT_TRADE_PAY"},
	"WAP":    {"QUICK_WAP_WAY", "QUICK_WAP_PAY"},
	"APP":    {"QUICK_MSECURITY_PAY"},
	"QR":     {"FACE_TO_FACE_PAYMENT", "OFFLINE_PAYMENT", "QR_CODE_OFFLINE"},
	"CREATE": {"FACE_TO_FACE_PAYMENT", "JSAPI_PAY", "GENERAL_WITHHOLDING"},
	"MERGE":  {"QUICK_WAP_WAY", "QUICK_WAP_PAY", "QUICK_MSECURITY_PAY", "FAST_INSTANT_TRADE_PAY"},
}

// register takes an order in, or finds it again.
func (w *Wallet) register(c call, kind string, q *tradeRequest) (*order, *refusal) {
	o, fault := w.readOrder(c, kind, q)
	if fault != nil {
		return nil, fault
	}
	old := c.m.orders[o.No]
	if old == nil {
		if w.orders >= w.cfg.Limit {
			return nil, refuse("ACQ.SYSTEM_ERROR", "")
		}
		c.m.orders[o.No] = o
		w.orders++
		w.Keep("Order", o)
		return o, nil
	}
	w.touch(c.m, old)
	switch {
	case old.State == success || old.State == finished:
		return nil, refuse("ACQ.TRADE_HAS_SUCCESS", "")
	case old.State == closed:
		return nil, refuse("ACQ.TRADE_HAS_CLOSE", "")
	case old.Print != o.Print || old.Kind != o.Kind:
		w.Violated(sandbox.RuleOtherOrder, c.m.AppID, o.No, "ordered again in another way or with other parameters")
		return nil, refuse("ACQ.CONTEXT_INCONSISTENT", "")
	}
	return old, nil
}

func (w *Wallet) readOrder(c call, kind string, q *tradeRequest) (*order, *refusal) {
	invalid := func(what string) (*order, *refusal) {
		return nil, refuse("ACQ.INVALID_PARAMETER", "参数无效："+what)
	}
	now := w.Now()
	switch {
	case !orderNo.MatchString(q.OutTradeNo):
		return invalid("out_trade_no")
	case q.Subject == "" || utf8.RuneCountInString(q.Subject) > 256 || strings.ContainsAny(q.Subject, "/=&"):
		return invalid("subject")
	case len(q.Body) > 400 || len(q.Passback) > 512:
		return invalid("body, passback_params")
	case q.TotalAmount.bad || !q.TotalAmount.set:
		return invalid("total_amount")
	case !q.TotalAmount.between(1, maxTotal):
		return nil, refuse("ACQ.TOTAL_FEE_EXCEED", "")
	case q.ProductCode != "" && !slices.Contains(products[kind], q.ProductCode):
		return invalid("product_code")
	case q.SellerID != "" && q.SellerID != c.m.PID:
		return nil, refuse("ACQ.SELLER_NOT_EXIST", "")
	}
	o := &order{
		AppID: c.m.AppID, No: q.OutTradeNo, Kind: kind, Subject: q.Subject, Body: q.Body, Passback: q.Passback, NotifyURL: c.p["notify_url"],
		ReturnURL: c.p["return_url"], QuitURL: q.QuitURL, Total: q.TotalAmount.fen, Created: now, Expires: now.Add(lifeUnset),
		Freeze: q.Extend.Freeze == "true", Print: fingerprint(kind, q, c.p),
	}
	if q.TimeoutExpress != "" {
		until, ok := life(q.TimeoutExpress, now)
		if !ok {
			return invalid("timeout_express")
		}
		o.Expires = until
	}
	if q.TimeExpire != "" {
		at, err := time.ParseInLocation(time.DateTime, q.TimeExpire, sandbox.Beijing)
		if err != nil {
			return invalid("time_expire")
		}
		o.Expires = at
	}
	if !o.Expires.After(now) {
		return nil, refuse("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "")
	}
	return o, w.readSub(c, q, o)
}

// readSub reads for whom the money is, where the account is a platform of 直付通.
func (w *Wallet) readSub(c call, q *tradeRequest, o *order) *refusal {
	if q.Sub == nil {
		return nil
	}
	switch {
	case q.Sub.MerchantID == "":
		return refuse("ACQ.SECONDARY_MERCHANT_ID_BLANK", "")
	case !slices.Contains(c.m.Subs, q.Sub.MerchantID):
		return refuse("ACQ.SECONDARY_MERCHANT_ID_INVALID", "")
	case q.Settle == nil || len(q.Settle.Details) != 1:
		return refuse("ACQ.DEFAULT_SETTLE_RULE_NOT_EXIST", "")
	case !q.Settle.Details[0].Amount.set || q.Settle.Details[0].Amount.fen != o.Total:
		return refuse("ACQ.TRADE_SETTLE_ERROR", "结算金额与订单金额不一致")
	}
	o.SMID = q.Sub.MerchantID
	return nil
}

// fingerprint is over what may not change when an order is asked again.
func fingerprint(kind string, q *tradeRequest, p map[string]string) string {
	sub := ""
	if q.Sub != nil {
		sub = q.Sub.MerchantID
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{
		kind, q.OutTradeNo, fmt.Sprint(q.TotalAmount.fen), q.Subject, q.Body, q.Passback, q.TimeExpire, q.TimeoutExpress, q.Extend.Freeze, sub, p["notify_url"],
	}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

func (w *Wallet) handoff(m *merchant, until time.Time, nos ...string) string {
	if len(w.handoffs) > 2*w.cfg.Limit {
		clear(w.handoffs) // older codes stop working; nobody has two hundred thousand of them open
	}
	token := "bax" + strings.ToLower(w.Token(20))
	if most := w.Now().Add(codeLife); until.After(most) {
		until = most
	}
	w.handoffs[token] = handoff{appID: m.AppID, nos: nos, until: until}
	return token
}

// pagePay answers alipay.trade.page.pay, .wap.pay and .app.pay: the browser, or the wallet's app, goes on to the cashier.
func (w *Wallet) pagePay(c call) answer {
	var q tradeRequest
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	kind := map[sandbox.Op]string{OpPage: "PAGE", OpWap: "WAP", OpApp: "APP"}[c.op]
	if q.ProductCode == "" && kind == "PAGE" {
		return answer{fault: refuse("ACQ.INVALID_PARAMETER", "参数无效：product_code")}
	}
	o, fault := w.register(c, kind, &q)
	if fault != nil {
		return answer{fault: fault}
	}
	return answer{redirect: w.cfg.BaseURL + "/cashier?token=" + url.QueryEscape(w.handoff(c.m, o.Expires, o.No))}
}

// precreate answers alipay.trade.precreate with the content of a QR code.
func (w *Wallet) precreate(c call) answer {
	var q tradeRequest
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	o, fault := w.register(c, "QR", &q)
	if fault != nil {
		return answer{fault: fault}
	}
	return answer{fields: fields{"out_trade_no": o.No, "qr_code": w.cfg.BaseURL + "/qr/" + w.handoff(c.m, o.Expires, o.No)}}
}

// createTrade answers alipay.trade.create: a trade for a buyer who is known, which exists at once.
func (w *Wallet) createTrade(c call) answer {
	var q tradeRequest
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	switch buyer := q.BuyerID; {
	case buyer == "" && q.BuyerOpenID == "":
		return answer{fault: refuse("ACQ.INVALID_PARAMETER", "参数无效：buyer_id")}
	case buyer == c.m.PID:
		return answer{fault: refuse("ACQ.BUYER_SELLER_EQUAL", "")}
	case buyer != "" && !userNumber.MatchString(buyer):
		return answer{fault: refuse("ACQ.BUYER_NOT_EXIST", "")}
	}
	o, fault := w.register(c, "CREATE", &q)
	if fault != nil {
		return answer{fault: fault}
	}
	o.BuyerID = q.BuyerID
	w.visit(c.m, o)
	return answer{fields: fields{"out_trade_no": o.No, "trade_no": o.TradeNo}}
}

// visit is a shopper opening an order: from then on it exists.
func (w *Wallet) visit(m *merchant, o *order) {
	w.touch(m, o)
	if o.State != unopened || o.TradeNo != "" {
		return
	}
	now := w.Now()
	o.State, o.Opened = waiting, now
	for o.TradeNo == "" || m.byRef[o.TradeNo] != nil {
		o.TradeNo = now.In(sandbox.Beijing).Format("20060102") + "22001" + w.Digits(15)
	}
	if o.BuyerID == "" {
		o.BuyerID = "2088" + w.Digits(12)
	}
	m.byRef[o.TradeNo] = o
	w.Keep("Order", o)
}

// touch lets time do its work: an order that is open too long is closed, a payment that is old is finished.
func (w *Wallet) touch(m *merchant, o *order) {
	now := w.Now()
	switch {
	case (o.State == waiting || o.State == unopened) && now.After(o.Expires):
		known := o.State == waiting
		o.State, o.Ended = closed, o.Expires
		w.Keep("Order", o)
		if known {
			w.tell(m, o, nil)
		}
	case o.State == success && now.Sub(o.Paid) > refundable:
		o.State, o.Ended = finished, o.Paid.Add(refundable)
		w.Keep("Order", o)
		w.tell(m, o, nil)
	}
}

// find finds an order by the wallet's number, which counts more, or by the merchant's. One that nobody has opened is not
// there.
func (w *Wallet) find(c call, tradeNo, outTradeNo string) (*order, *refusal) {
	o := c.m.orders[outTradeNo]
	if tradeNo != "" {
		o = c.m.byRef[tradeNo]
	}
	switch {
	case tradeNo == "" && outTradeNo == "":
		return nil, refuse("ACQ.INVALID_PARAMETER", "参数无效：trade_no和out_trade_no不能同时为空")
	case o == nil || o.TradeNo == "":
		return nil, refuse("ACQ.TRADE_NOT_EXIST", "")
	}
	w.touch(c.m, o)
	return o, nil
}

// numbers name an order in a request.
type numbers struct {
	TradeNo    string `json:"trade_no"`
	OutTradeNo string `json:"out_trade_no"`
}

// queryOrder answers alipay.trade.query.
func (w *Wallet) queryOrder(c call) answer {
	var q numbers
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	o, fault := w.find(c, q.TradeNo, q.OutTradeNo)
	if fault != nil {
		return answer{fault: fault}
	}
	return answer{fields: o.statement(c.hit.Bump())}
}

// statement is an order as a query gives it.
func (o *order) statement(bump int64) fields {
	f := fields{
		"trade_no": o.TradeNo, "out_trade_no": o.No, "buyer_logon_id": logon, "buyer_user_id": o.BuyerID, "buyer_user_type": "PRIVATE",
		"trade_status": o.State, "total_amount": sandbox.Yuan(o.Total + bump), "buyer_pay_amount": "0.00", "receipt_amount": "0.00",
		"invoice_amount": "0.00", "point_amount": "0.00",
	}
	for name, text := range map[string]string{"body": o.Body, "subject": o.Subject, "passback_params": o.Passback, "alipay_sub_merchant_id": o.SMID} {
		if text != "" {
			f[name] = text
		}
	}
	if !o.Paid.IsZero() {
		f["send_pay_date"] = stamp(o.Paid)
		f["buyer_pay_amount"], f["invoice_amount"] = sandbox.Yuan(o.Total-o.Coupon), sandbox.Yuan(o.Total-o.Coupon)
		f["receipt_amount"] = sandbox.Yuan(o.Total + bump)
		if o.Kind == "PAGE" || o.Kind == "WAP" || o.Kind == "APP" { // of these it does not say
			f["buyer_pay_amount"], f["receipt_amount"], f["invoice_amount"] = "0.00", "0.00", "0.00"
		}
		f["fund_bill_list"] = o.funds()
		if o.Coupon > 0 {
			f["discount_amount"] = sandbox.Yuan(o.Coupon)
		}
	}
	return f
}

// funds tells what an order was paid with.
func (o *order) funds() []fields {
	list := []fields{{"fund_channel": "ALIPAYACCOUNT", "amount": sandbox.Yuan(o.Total - o.Coupon)}}
	if o.Coupon > 0 {
		list = append(list, fields{"fund_channel": "COUPON", "amount": sandbox.Yuan(o.Coupon)})
	}
	return list
}

// logon is how a buyer's account is shown.
const logon = "san***@sandbox.com"

// closeOrder answers alipay.trade.close: only an order that waits for its buyer can be closed.
func (w *Wallet) closeOrder(c call) answer {
	var q numbers
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	o, fault := w.find(c, q.TradeNo, q.OutTradeNo)
	switch {
	case fault != nil:
		return answer{fault: fault}
	case o.State != waiting:
		return answer{fault: refuse("ACQ.TRADE_STATUS_ERROR", "")}
	}
	w.end(c.m, o)
	return answer{fields: fields{"trade_no": o.TradeNo, "out_trade_no": o.No}}
}

func (w *Wallet) end(m *merchant, o *order) {
	o.State, o.Ended = closed, w.Now()
	w.Keep("Order", o)
	if o.TradeNo != "" {
		w.tell(m, o, nil)
	}
}

// cancelOrder answers alipay.trade.cancel: what is not paid is closed, also before it exists; what is paid goes back.
func (w *Wallet) cancelOrder(c call) answer {
	var q numbers
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	o, fault := w.find(c, q.TradeNo, q.OutTradeNo)
	if fault != nil && fault.SubCode != "ACQ.TRADE_NOT_EXIST" {
		return answer{fault: fault}
	}
	f := fields{"out_trade_no": q.OutTradeNo, "retry_flag": "N"}
	if fault != nil {
		if o := c.m.orders[q.OutTradeNo]; o != nil && o.State == unopened {
			w.end(c.m, o)
			f["action"] = "close"
		}
		return answer{fields: f}
	}
	f["out_trade_no"], f["trade_no"] = o.No, o.TradeNo
	switch {
	case o.State == waiting:
		w.end(c.m, o)
		f["action"] = "close"
	case o.State == closed:
		f["action"] = "close"
	case o.State == finished:
		return answer{fault: refuse("ACQ.TRADE_HAS_FINISHED", "")}
	case o.Refunded > 0:
		return answer{fault: refuse("ACQ.REASON_TRADE_REFUND_FEE_ERR", "")}
	case w.Now().Sub(o.Paid) > cancellable:
		return answer{fault: refuse("ACQ.TRADE_CANCEL_TIME_OUT", "")}
	default:
		if fault := w.mayPayBack(c.m, o, o.Total, nil); fault != nil {
			return answer{fault: fault}
		}
		w.payBack(c.m, o, &refund{No: o.No, Amount: o.Total})
		f["action"] = "refund"
	}
	return answer{fields: f}
}
