package wechatpay

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Documented times of an order.
const (
	codeLife  = 2 * time.Hour   // of a code_url; the same order asked again gives a new one
	h5Life    = 5 * time.Minute // of an h5_url
	idLife    = 2 * time.Hour   // of a prepay_id
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
	Kind          string // NATIVE, MWEB (H5), JSAPI or APP
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
	Sub           string    `json:",omitempty"` // the sub-merchant that sells, where the account is a platform
	Combine       string    `json:",omitempty"` // combine_out_trade_no of the order that it is a part of
	Payer         string    `json:",omitempty"` // the openid that alone may pay (JSAPI)
	Coupon        int64     `json:",omitempty"` // fen of the total that coupons paid
	OwnCoupon     int64     `json:",omitempty"` // of these, what the merchant bears (NOCASH)
	RefundedOwed  int64     `json:",omitempty"` // of Refunded, what the merchant's account gives back
}

// handoff is a shopper's way to an order.
type handoff struct {
	mchID, no string
	until     time.Time
}

// owed is what the wallet owes the merchant for the order (应结订单金额).
func (o *order) owed() int64 { return o.Total - o.OwnCoupon }

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

func (w *Wallet) handoff(id, mchID, no string, until time.Time) string {
	if len(w.handoffs) > 2*w.cfg.Limit {
		clear(w.handoffs) // older codes stop working; nobody has two hundred thousand of them open
	}
	w.handoffs[id] = handoff{mchID: mchID, no: no, until: until}
	return id
}

// queryOrder answers GET …/out-trade-no/{no}.
func (w *Wallet) queryOrder(c call) answer {
	if fault := c.sameMerchant(); fault != nil {
		return answer{fault: fault}
	}
	o := c.m.orders[c.no]
	if o == nil || o.Sub != c.sub() || o.Combine != "" && o.TransactionID == "" {
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
	if o == nil || o.Sub != c.sub() {
		return answer{fault: refuse("ORDER_NOT_EXIST", "")}
	}
	return answer{value: o.transaction()}
}

// sub is the sub-merchant that a request names.
func (c call) sub() string { return c.r.URL.Query().Get("sub_mchid") }

// sameMerchant sees that the query names who signed, and for a sub-merchant's order whose it is.
func (c call) sameMerchant() *refusal {
	q := c.r.URL.Query()
	if sub, ok := q["sub_mchid"]; ok || q.Has("sp_mchid") {
		if q.Get("sp_mchid") != c.m.MchID || !slices.Equal(sub, []string{q.Get("sub_mchid")}) || !c.m.sells(q.Get("sub_mchid")) {
			return parameter("query", "sp_mchid", q.Get("sp_mchid"), "与签名的商户号不一致，或与二级商户号没有受理关系")
		}
		return nil
	}
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
	if o.Sub != "" {
		delete(t, "appid")
		delete(t, "mchid")
		t["sp_appid"], t["sp_mchid"], t["sub_mchid"] = o.AppID, o.MchID, o.Sub
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
	if o.Sub != "" {
		t["payer"] = map[string]any{"sp_openid": o.OpenID}
	}
	t["amount"] = map[string]any{"total": o.Total, "payer_total": o.Total - o.Coupon, "currency": "CNY", "payer_currency": "CNY"}
	t["promotion_detail"] = o.promotions(nil)
	return t
}

// closeOrder answers POST …/{no}/close. A number that was never ordered is closed too, and used up by it.
func (w *Wallet) closeOrder(c call) answer {
	var p struct {
		MchID string `json:"mchid"`
		SpID  string `json:"sp_mchid"`
		SubID string `json:"sub_mchid"`
	}
	if json.Unmarshal(c.body, &p) != nil || cmp.Or(p.SpID, p.MchID) != c.m.MchID || (p.SubID != "") != (p.SpID != "") || p.SubID != "" && !c.m.sells(p.SubID) {
		return answer{fault: parameter("body", "mchid", cmp.Or(p.SpID, p.MchID), "与签名的商户号不一致，或与二级商户号没有受理关系")}
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
		o = &order{MchID: c.m.MchID, AppID: c.m.AppID, No: c.no, Created: w.Now(), State: closed, Burned: true, Sub: p.SubID}
		c.m.orders[c.no] = o
		w.orders++
	case o.Sub != p.SubID:
		return answer{fault: refuse("ORDER_NOT_EXIST", "")}
	case o.Combine != "":
		return answer{fault: refuse("INVALID_REQUEST", "合单订单只能使用合单关单接口")}
	case o.State == success || o.State == refunded:
		return answer{fault: refuse("ORDERPAID", "")}
	default:
		o.State = closed
	}
	w.Keep("Order", o)
	return answer{}
}

// together lists what is paid at once: the parts of a combined order under its number, or one order.
func (m *merchant) together(no string) (list []*order) {
	if o := m.orders[no]; o != nil && o.Combine == "" {
		return []*order{o}
	} else if o != nil {
		no = o.Combine
	}
	if g := m.combined[no]; g != nil {
		for _, part := range g.Parts {
			list = append(list, m.orders[part])
		}
	}
	return list
}

// ordersOf finds what a shopper is about to pay.
func (w *Wallet) ordersOf(mchID, no string) (*merchant, []*order, error) {
	m := w.merchants[mchID]
	if m != nil {
		if list := m.together(no); len(list) > 0 {
			return m, list, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: merchant %.20q number %.40q", errNotFound, mchID, no)
}

// approveOrder pays an order, as its shopper would on the page.
func (w *Wallet) approveOrder(mchID, no string) error {
	m, list, err := w.ordersOf(mchID, no)
	if err != nil {
		return err
	}
	return w.approve(m, list)
}

// approve pays what belongs together, all of it or nothing.
func (w *Wallet) approve(m *merchant, list []*order) error {
	now := w.Now()
	o := list[0]
	hit := w.Hits(cmp.Or(o.Combine, o.No), sandbox.OpApprove)
	switch {
	case o.State == success || o.State == refunded:
		return nil // pressed twice
	case o.Burned || (o.State == closed && hit[sandbox.PayClosed] == nil):
		return fmt.Errorf("sandbox: order %s is closed", o.No)
	case now.After(o.Expires) && hit[sandbox.PayClosed] == nil:
		return fmt.Errorf("sandbox: order %s could be paid until %s", o.No, stamp(o.Expires))
	}
	payer := o.Payer
	if payer == "" {
		payer = "o" + w.Token(27)
	}
	for _, o := range list {
		w.pay(m, o, payer, hit)
	}
	if o.Combine == "" {
		w.notify(m, o.NotifyURL, "TRANSACTION.SUCCESS", "支付成功", "transaction", o.No, o.transaction())
		return nil
	}
	g := m.combined[o.Combine]
	w.notify(m, o.NotifyURL, "TRANSACTION.SUCCESS", "支付成功", "transaction", g.No, w.combinedStatement(m, g))
	return nil
}

func (w *Wallet) pay(m *merchant, o *order, payer string, hit sandbox.Hits) {
	now := w.Now()
	if o.Attach != "" {
		if first, paid := m.byAttach[o.Attach]; paid && (o.Combine == "" || m.orders[first].Combine != o.Combine) {
			w.Violated(sandbox.RulePaidTwice, m.MchID, o.No, "attach %q was paid with order %s already", o.Attach, first)
		} else if !paid {
			m.byAttach[o.Attach] = o.No
		}
	}
	o.redeem(hit)
	o.State, o.Paid, o.OpenID, o.Fee = success, now, payer, w.FeeOf(o.No, o.owed())
	for o.TransactionID == "" || m.byRef[o.TransactionID] != nil {
		o.TransactionID = "4200009" + w.Digits(3) + now.In(sandbox.Beijing).Format("20060102") + w.Digits(10)
	}
	m.byRef[o.TransactionID] = o
	w.Keep("Order", o)
}

// declineOrder records that the shopper said no. The order stays open: a declined native order can be scanned again.
func (w *Wallet) declineOrder(mchID, no string) error {
	_, list, err := w.ordersOf(mchID, no)
	if err != nil {
		return err
	}
	for _, o := range list {
		o.Declined++
		w.Keep("Order", o)
	}
	return nil
}

// page is what a shopper sees of what is behind a token.
func (w *Wallet) page(token string) (sandbox.Page, bool) {
	to, ok := w.handoffs[token]
	if !ok {
		return sandbox.Page{}, false
	}
	_, list, err := w.ordersOf(to.mchID, to.no)
	if err != nil {
		return sandbox.Page{}, false
	}
	o := list[0]
	p := sandbox.Page{Description: o.Description, No: cmp.Or(o.Combine, o.No), Declined: o.Declined > 0, Until: o.Expires}
	for _, o := range list {
		p.Fen += o.Total
	}
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
	m, list, err := w.ordersOf(to.mchID, to.no)
	switch {
	case err != nil:
	case approved:
		_ = w.approve(m, list) // where it is too late, the page that follows says so
	case list[0].State == notPaid:
		for _, o := range list {
			o.Declined++
			w.Keep("Order", o)
		}
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
