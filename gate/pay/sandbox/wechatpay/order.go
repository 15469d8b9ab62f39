package wechatpay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Documented times of an order.
const (
	codeLife  = 2 * time.Hour   // of a code_url; the same order asked again gives a new one
	h5Life    = 5 * time.Minute // of an h5_url
	minLife   = time.Minute     // a shorter time_expire is lengthened
	maxLife   = 90 * 24 * time.Hour
	lifeUnset = 7 * 24 * time.Hour // without time_expire
)

// maxTotal keeps sums within 64 bits: a hundred billion yuan.
const maxTotal = 10_000_000_000_000

// Trade states.
const (
	notPaid  = "NOTPAY"
	success  = "SUCCESS"
	refunded = "REFUND"
	closed   = "CLOSED"
)

var stateText = map[string]string{notPaid: "订单未支付", success: "支付成功", refunded: "订单发生过退款，退款详情请查询退款单", closed: "订单已关闭"}

var (
	orderNo  = regexp.MustCompile(`^[0-9A-Za-z_|*-]{6,32}$`)
	refundNo = regexp.MustCompile(`^[0-9A-Za-z_|*@-]{1,64}$`)
)

// order is one order with all that is known of it.
type order struct {
	MchID, AppID  string
	No            string
	Kind          string // NATIVE or MWEB (H5)
	Description   string
	Attach        string `json:",omitempty"`
	NotifyURL     string
	Total         int64
	Expires       time.Time // of the right to pay
	Created       time.Time
	Print         string // of the parameters, to tell a repeat from a reuse
	State         string
	Burned        bool      `json:",omitempty"` // closed before it was ever ordered: the number is used up
	TransactionID string    `json:",omitempty"`
	Paid          time.Time `json:",omitzero"`
	OpenID        string    `json:",omitempty"`
	Fee           int64     `json:",omitempty"` // fen
	Declined      int       `json:",omitempty"` // how often the shopper said no
	Refunded      int64     `json:",omitempty"` // fen asked back and not failed
	RefundNos     []string  `json:",omitempty"`
	Freeze        bool      `json:",omitempty"` // settle_info.profit_sharing
	Split         int64     `json:",omitempty"` // fen split or being split
	Released      bool      `json:",omitempty"` // the rest is the merchant's
}

// handoff is a shopper's way to an order.
type handoff struct {
	mchID, no string
	until     time.Time
}

type prepayRequest struct {
	AppID       string  `json:"appid"`
	MchID       string  `json:"mchid"`
	Description string  `json:"description"`
	OutTradeNo  string  `json:"out_trade_no"`
	TimeExpire  *string `json:"time_expire"`
	Attach      string  `json:"attach"`
	NotifyURL   string  `json:"notify_url"`
	Amount      *struct {
		Total    json.Number `json:"total"`
		Currency string      `json:"currency"`
	} `json:"amount"`
	Settle *struct {
		ProfitSharing bool `json:"profit_sharing"`
	} `json:"settle_info"`
	Scene *struct {
		ClientIP string `json:"payer_client_ip"`
		H5       *struct {
			Type string `json:"type"`
		} `json:"h5_info"`
	} `json:"scene_info"`
}

// prepay answers POST /v3/pay/transactions/native and …/h5.
func (w *Wallet) prepay(c call) answer {
	p, expires, fault := w.readPrepay(c)
	if fault != nil {
		return answer{fault: fault}
	}
	total, err := strconv.ParseInt(p.Amount.Total.String(), 10, 64)
	if err != nil { // readPrepay has read it already
		return answer{fault: parameter("body", "amount/total", p.Amount.Total, "此字段为整型")}
	}
	kind := map[sandbox.Op]string{OpNative: "NATIVE", OpH5: "MWEB"}[c.op]
	print := fingerprint(c.body)
	now := w.Now()
	o := c.m.orders[p.OutTradeNo]
	if o == nil {
		if w.orders >= w.cfg.Limit {
			return answer{fault: systemError}
		}
		o = &order{
			MchID: c.m.MchID, AppID: c.m.AppID, No: p.OutTradeNo, Kind: kind, Description: p.Description, Attach: p.Attach,
			NotifyURL: p.NotifyURL, Total: total, Created: now, Print: print, State: notPaid, Expires: now.Add(lifeUnset),
		}
		o.Freeze = p.Settle != nil && p.Settle.ProfitSharing
		if p.TimeExpire != nil {
			o.Expires = clamp(expires, now.Add(minLife), now.Add(maxLife))
		}
		c.m.orders[o.No] = o
		w.orders++
		w.Keep("Order", o)
	} else if fault := w.again(c.m, o, kind, print); fault != nil {
		return answer{fault: fault}
	}
	if kind == "MWEB" {
		id := w.handoff("wx"+now.In(sandbox.Beijing).Format("20060102150405")+strings.ToLower(w.Hex(8)), o, now.Add(h5Life))
		return answer{value: map[string]string{"h5_url": w.cfg.BaseURL + "/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=" + id + "&package=" + w.Digits(10)}}
	}
	id := w.handoff(w.Token(16), o, now.Add(codeLife))
	return answer{value: map[string]string{"code_url": w.cfg.BaseURL + "/wxpay/bizpayurl?pr=" + id}}
}

// again judges a repeated order: the same in everything is the same order; anything else is an error.
func (w *Wallet) again(m *merchant, o *order, kind, print string) *refusal {
	switch {
	case o.Burned:
		return refuse("INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
	case o.State == closed:
		return refuse("ORDER_CLOSED", "")
	case o.State != notPaid:
		return refuse("ORDERPAID", "")
	case o.Kind != kind:
		w.Violated(sandbox.RuleOtherOrder, m.MchID, o.No, "ordered as %s, then as %s", o.Kind, kind)
		return refuse("OUT_TRADE_NO_USED", "")
	case o.Print != print:
		w.Violated(sandbox.RuleOtherOrder, m.MchID, o.No, "ordered again with other parameters")
		return refuse("INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
	}
	return nil
}

func (w *Wallet) readPrepay(c call) (prepayRequest, time.Time, *refusal) {
	var p prepayRequest
	var expires time.Time
	d := json.NewDecoder(bytes.NewReader(c.body))
	if err := d.Decode(&p); err != nil {
		return p, expires, parameter("body", "", nil, "请求体不是合法的JSON")
	}
	if p.TimeExpire != nil {
		t, err := time.Parse(time.RFC3339, *p.TimeExpire)
		if err != nil {
			return p, expires, parameter("body", "time_expire", *p.TimeExpire, "格式为yyyy-MM-DDTHH:mm:ss+TIMEZONE")
		}
		expires = t
	}
	switch {
	case p.MchID != c.m.MchID:
		return p, expires, parameter("body", "mchid", p.MchID, "与签名的商户号不一致")
	case p.AppID != c.m.AppID:
		return p, expires, refuse("APPID_MCHID_NOT_MATCH", "")
	case !orderNo.MatchString(p.OutTradeNo):
		return p, expires, parameter("body", "out_trade_no", p.OutTradeNo, "6-32个字符，只能是数字、大小写字母_-|*")
	case p.Description == "" || utf8.RuneCountInString(p.Description) > 127:
		return p, expires, parameter("body", "description", p.Description, "1-127个字符")
	case len(p.Attach) > 128:
		return p, expires, parameter("body", "attach", p.Attach, "不超过128个字符")
	case !notifyURL(p.NotifyURL):
		return p, expires, parameter("body", "notify_url", p.NotifyURL, "可访问的URL，不能携带参数，不超过255个字符")
	case p.Amount == nil:
		return p, expires, parameter("body", "amount", nil, "此字段为必填项")
	case p.Amount.Currency != "" && p.Amount.Currency != "CNY":
		return p, expires, parameter("body", "amount/currency", p.Amount.Currency, "仅支持CNY")
	}
	if n, err := strconv.ParseInt(p.Amount.Total.String(), 10, 64); err != nil || n < 1 || n > maxTotal {
		return p, expires, parameter("body", "amount/total", p.Amount.Total, "此字段为整型，最小值1")
	}
	if c.op == OpH5 && (p.Scene == nil || p.Scene.ClientIP == "" || p.Scene.H5 == nil || p.Scene.H5.Type == "") {
		return p, expires, parameter("body", "scene_info", nil, "payer_client_ip与h5_info为必填项")
	}
	return p, expires, nil
}

// notifyURL is looser than the real wallet, which wants https and a public host.
func notifyURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && len(s) <= 255
}

// fingerprint is over everything but the scene: a shopper may come back on another network.
func fingerprint(body []byte) string {
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return ""
	}
	delete(v, "scene_info")
	canonical, err := json.Marshal(v) // keys sorted
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16])
}

func (w *Wallet) handoff(id string, o *order, until time.Time) string {
	if len(w.handoffs) > 2*w.cfg.Limit {
		clear(w.handoffs) // older codes stop working; nobody has two hundred thousand of them open
	}
	w.handoffs[id] = handoff{mchID: o.MchID, no: o.No, until: until}
	return id
}

// queryOrder answers GET …/out-trade-no/{no}.
func (w *Wallet) queryOrder(c call) answer {
	if fault := c.sameMerchant(); fault != nil {
		return answer{fault: fault}
	}
	o := c.m.orders[c.no]
	if o == nil {
		return answer{fault: refuse("ORDER_NOT_EXIST", "")}
	}
	if o.Burned {
		return answer{fault: refuse("ORDER_CLOSED", "")}
	}
	return answer{value: o.transaction()}
}

// queryOrderByID answers GET …/id/{id}.
func (w *Wallet) queryOrderByID(c call) answer {
	if fault := c.sameMerchant(); fault != nil {
		return answer{fault: fault}
	}
	o := c.m.byRef[c.r.PathValue("id")]
	if o == nil {
		return answer{fault: refuse("ORDER_NOT_EXIST", "")}
	}
	return answer{value: o.transaction()}
}

func (c call) sameMerchant() *refusal {
	if id := c.r.URL.Query().Get("mchid"); id != c.m.MchID {
		return parameter("query", "mchid", id, "与签名的商户号不一致")
	}
	return nil
}

// transaction is an order as queries and notifications give it.
func (o *order) transaction() map[string]any {
	t := map[string]any{
		"appid": o.AppID, "mchid": o.MchID, "out_trade_no": o.No, "trade_state": o.State, "trade_state_desc": stateText[o.State],
	}
	if o.Attach != "" {
		t["attach"] = o.Attach
	}
	if o.TransactionID == "" {
		return t
	}
	t["transaction_id"] = o.TransactionID
	t["trade_type"] = o.Kind
	t["bank_type"] = "OTHERS"
	t["success_time"] = stamp(o.Paid)
	t["payer"] = map[string]any{"openid": o.OpenID}
	t["amount"] = map[string]any{"total": o.Total, "payer_total": o.Total, "currency": "CNY", "payer_currency": "CNY"}
	t["promotion_detail"] = []any{}
	return t
}

// closeOrder answers POST …/{no}/close. A number that was never ordered is closed too, and used up by it.
func (w *Wallet) closeOrder(c call) answer {
	var p struct {
		MchID string `json:"mchid"`
	}
	if json.Unmarshal(c.body, &p) != nil || p.MchID != c.m.MchID {
		return answer{fault: parameter("body", "mchid", p.MchID, "与签名的商户号不一致")}
	}
	if !orderNo.MatchString(c.no) {
		return answer{fault: parameter("uri_template", "out_trade_no", c.no, "6-32个字符，只能是数字、大小写字母_-|*")}
	}
	o := c.m.orders[c.no]
	switch {
	case o == nil:
		if w.orders >= w.cfg.Limit {
			return answer{fault: systemError}
		}
		o = &order{MchID: c.m.MchID, AppID: c.m.AppID, No: c.no, Created: w.Now(), State: closed, Burned: true}
		c.m.orders[c.no] = o
		w.orders++
	case o.State == success || o.State == refunded:
		return answer{fault: refuse("ORDERPAID", "")}
	default:
		o.State = closed
	}
	w.Keep("Order", o)
	return answer{}
}

// approveOrder pays an order, as its shopper would on the page.
func (w *Wallet) approveOrder(mchID, no string) error {
	m := w.merchants[mchID]
	if m == nil || m.orders[no] == nil {
		return fmt.Errorf("%w: merchant %.20q number %.40q", errNotFound, mchID, no)
	}
	return w.approve(m, m.orders[no])
}

func (w *Wallet) approve(m *merchant, o *order) error {
	now := w.Now()
	hit := w.Hits(o.No, sandbox.OpApprove)
	switch {
	case o.State == success || o.State == refunded:
		return nil // pressed twice
	case o.Burned || (o.State == closed && hit[sandbox.PayClosed] == nil):
		return fmt.Errorf("sandbox: order %s is closed", o.No)
	case now.After(o.Expires) && hit[sandbox.PayClosed] == nil:
		return fmt.Errorf("sandbox: order %s could be paid until %s", o.No, stamp(o.Expires))
	}
	if o.Attach != "" {
		if first, paid := m.byAttach[o.Attach]; paid {
			w.Violated(sandbox.RulePaidTwice, m.MchID, o.No, "attach %q was paid with order %s already", o.Attach, first)
		} else {
			m.byAttach[o.Attach] = o.No
		}
	}
	o.State, o.Paid, o.OpenID, o.Fee = success, now, "o"+w.Token(27), w.Fee(o.Total)
	for o.TransactionID == "" || m.byRef[o.TransactionID] != nil {
		o.TransactionID = "4200009" + w.Digits(3) + now.In(sandbox.Beijing).Format("20060102") + w.Digits(10)
	}
	m.byRef[o.TransactionID] = o
	w.Keep("Order", o)
	w.notify(m, o.NotifyURL, "TRANSACTION.SUCCESS", "支付成功", "transaction", o.No, o.transaction())
	return nil
}

// declineOrder records that the shopper said no. The order stays open: a declined native order can be scanned again.
func (w *Wallet) declineOrder(mchID, no string) error {
	m := w.merchants[mchID]
	if m == nil || m.orders[no] == nil {
		return fmt.Errorf("%w: merchant %.20q number %.40q", errNotFound, mchID, no)
	}
	m.orders[no].Declined++
	w.Keep("Order", m.orders[no])
	return nil
}

// page is what a shopper sees of the order behind a token.
func (w *Wallet) page(token string) (sandbox.Page, bool) {
	to, ok := w.handoffs[token]
	if !ok {
		return sandbox.Page{}, false
	}
	o := w.merchants[to.mchID].orders[to.no]
	p := sandbox.Page{Fen: o.Total, Description: o.Description, No: o.No, Declined: o.Declined > 0, Until: o.Expires}
	if to.until.Before(p.Until) {
		p.Until = to.until
	}
	switch {
	case o.State == success || o.State == refunded:
		p.State = sandbox.PagePaid
	case o.State == closed:
		p.State = sandbox.PageClosed
	case w.Now().After(p.Until):
		p.State = sandbox.PageExpired
	default:
		p.State = sandbox.PageOpen
	}
	return p, true
}

// decide takes the shopper's yes or no.
func (w *Wallet) decide(token string, approved bool) {
	to, ok := w.handoffs[token]
	if !ok || w.Now().After(to.until) {
		return
	}
	m := w.merchants[to.mchID]
	o := m.orders[to.no]
	if approved {
		_ = w.approve(m, o) // where it is too late, the page that follows says so
	} else if o.State == notPaid {
		o.Declined++
		w.Keep("Order", o)
	}
}

func clamp(t, least, most time.Time) time.Time {
	if t.Before(least) {
		return least
	}
	if t.After(most) {
		return most
	}
	return t
}
