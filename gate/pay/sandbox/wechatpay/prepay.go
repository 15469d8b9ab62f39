package wechatpay

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// kindOf is a way to pay as orders and bills name it (trade_type).
var kindOf = map[sandbox.Op]string{OpNative: "NATIVE", OpH5: "MWEB", OpJSAPI: "JSAPI", OpApp: "APP"}

type amountRequest struct {
	Total    json.Number `json:"total"`
	Currency string      `json:"currency"`
}

type settleInfo struct {
	ProfitSharing bool `json:"profit_sharing"`
}

type sceneInfo struct {
	ClientIP string `json:"payer_client_ip"`
	H5       *struct {
		Type string `json:"type"`
	} `json:"h5_info"`
}

func (s *sceneInfo) whole() bool {
	return s != nil && s.ClientIP != "" && s.H5 != nil && s.H5.Type != ""
}

// prepayRequest is an order of the account's own, or, with the names that begin with sp and sub, of a sub-merchant.
type prepayRequest struct {
	AppID       string         `json:"appid"`
	MchID       string         `json:"mchid"`
	SpAppID     string         `json:"sp_appid"`
	SpMchID     string         `json:"sp_mchid"`
	SubMchID    string         `json:"sub_mchid"`
	Description string         `json:"description"`
	OutTradeNo  string         `json:"out_trade_no"`
	TimeExpire  *string        `json:"time_expire"`
	Attach      string         `json:"attach"`
	NotifyURL   string         `json:"notify_url"`
	Amount      *amountRequest `json:"amount"`
	Settle      *settleInfo    `json:"settle_info"`
	Scene       *sceneInfo     `json:"scene_info"`
	Payer       *struct {
		OpenID    string `json:"openid"`
		SpOpenID  string `json:"sp_openid"`
		SubOpenID string `json:"sub_openid"`
	} `json:"payer"`
}

// prepay answers POST /v3/pay/transactions/… of the account itself.
func (w *Wallet) prepay(c call) answer {
	if len(c.m.Subs) > 0 {
		return answer{fault: refuse("NO_AUTH", "服务商商户号不能作为收款商户下单")}
	}
	return w.order(c, false)
}

// partnerPrepay answers POST /v3/pay/partner/transactions/….
func (w *Wallet) partnerPrepay(c call) answer { return w.order(c, true) }

func (w *Wallet) order(c call, partner bool) answer {
	p, expires, fault := readPrepay(c, partner)
	if fault != nil {
		return answer{fault: fault}
	}
	total, err := strconv.ParseInt(p.Amount.Total.String(), 10, 64)
	if err != nil { // readPrepay has read it already
		return answer{fault: parameter("body", "amount/total", p.Amount.Total, "此字段为整型")}
	}
	print := fingerprint(c.body)
	o := c.m.orders[p.OutTradeNo]
	if o == nil {
		if w.orders >= w.cfg.Limit {
			return answer{fault: systemError}
		}
		o = &order{
			MchID: c.m.MchID, AppID: c.m.AppID, No: p.OutTradeNo, Kind: kindOf[c.op], Description: p.Description, Attach: p.Attach,
			NotifyURL: p.NotifyURL, Total: total, Created: w.Now(), Print: print, State: notPaid, Expires: w.until(p.TimeExpire != nil, expires),
			Freeze: p.Settle != nil && p.Settle.ProfitSharing, Sub: p.SubMchID, Payer: p.payer(),
		}
		c.m.orders[o.No] = o
		w.orders++
		w.Keep("Order", o)
	} else if fault := w.again(c.m, o, kindOf[c.op], print); fault != nil {
		return answer{fault: fault}
	}
	return w.wayTo(c.op, c.m, o.No)
}

// until is when the right to pay ends.
func (w *Wallet) until(given bool, expires time.Time) time.Time {
	now := w.Now()
	if !given {
		return now.Add(lifeUnset)
	}
	return clamp(expires, now.Add(minLife), now.Add(maxLife))
}

func (p *prepayRequest) payer() string {
	if p.Payer == nil {
		return ""
	}
	return p.Payer.OpenID + p.Payer.SpOpenID
}

// wayTo is how the shopper gets to what is to be paid, in the form of each channel.
func (w *Wallet) wayTo(op sandbox.Op, m *merchant, no string) answer {
	now := w.Now()
	if op == OpNative {
		id := w.handoff(w.Token(16), m.MchID, no, now.Add(codeLife))
		return answer{value: map[string]string{"code_url": w.cfg.BaseURL + "/wxpay/bizpayurl?pr=" + id}}
	}
	id := "wx" + now.In(sandbox.Beijing).Format("20060102150405") + strings.ToLower(w.Hex(8))
	if op == OpH5 {
		w.handoff(id, m.MchID, no, now.Add(h5Life))
		return answer{value: map[string]string{"h5_url": w.cfg.BaseURL + "/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=" + id + "&package=" + w.Digits(10)}}
	}
	w.handoff(id, m.MchID, no, now.Add(idLife))
	return answer{value: map[string]string{"prepay_id": id}}
}

func readPrepay(c call, partner bool) (prepayRequest, time.Time, *refusal) {
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
	if fault := p.whose(c.m, partner); fault != nil {
		return p, expires, fault
	}
	if fault := checkText(p.OutTradeNo, p.Description, p.Attach, p.NotifyURL); fault != nil {
		return p, expires, fault
	}
	switch {
	case p.Amount == nil:
		return p, expires, parameter("body", "amount", nil, "此字段为必填项")
	case p.Amount.Currency != "" && p.Amount.Currency != "CNY":
		return p, expires, parameter("body", "amount/currency", p.Amount.Currency, "仅支持CNY")
	}
	if n, err := strconv.ParseInt(p.Amount.Total.String(), 10, 64); err != nil || n < 1 || n > maxTotal {
		return p, expires, parameter("body", "amount/total", p.Amount.Total, "此字段为整型，最小值1")
	}
	switch {
	case c.op == OpH5 && !p.Scene.whole():
		return p, expires, parameter("body", "scene_info", nil, "payer_client_ip与h5_info为必填项")
	case c.op == OpJSAPI && p.payer() == "":
		return p, expires, parameter("body", "payer/openid", nil, "此字段为必填项")
	case len(p.payer()) > 128:
		return p, expires, parameter("body", "payer/openid", nil, "不超过128个字符")
	}
	return p, expires, nil
}

// whose sees for whom an order is.
func (p *prepayRequest) whose(m *merchant, partner bool) *refusal {
	if !partner {
		switch {
		case p.MchID != m.MchID:
			return parameter("body", "mchid", p.MchID, "与签名的商户号不一致")
		case p.AppID != m.AppID:
			return refuse("APPID_MCHID_NOT_MATCH", "")
		}
		p.SubMchID = ""
		return nil
	}
	switch {
	case p.SpMchID != m.MchID:
		return parameter("body", "sp_mchid", p.SpMchID, "与签名的商户号不一致")
	case p.SpAppID != m.AppID:
		return refuse("APPID_MCHID_NOT_MATCH", "")
	case !m.sells(p.SubMchID):
		return refuse("NO_AUTH", "服务商与二级商户没有受理关系")
	}
	return nil
}

// sells tells whether an account is a sub-merchant of this one.
func (m *merchant) sells(sub string) bool { return slices.Contains(m.Subs, sub) }

func checkText(no, description, attach, notify string) *refusal {
	switch {
	case !orderNo.MatchString(no):
		return parameter("body", "out_trade_no", no, "6-32个字符，只能是数字、大小写字母_-|*")
	case description == "" || utf8.RuneCountInString(description) > 127:
		return parameter("body", "description", description, "1-127个字符")
	case len(attach) > 128:
		return parameter("body", "attach", attach, "不超过128个字符")
	case !notifyURL(notify):
		return parameter("body", "notify_url", notify, "可访问的URL，不能携带参数，不超过255个字符")
	}
	return nil
}

// bridge stands for the wallet's app: GET /sandbox/bridge with the parameters that a page gives to WeixinJSBridge or
// wx.requestPayment, or an app to the SDK (PayReq). Where the merchant has signed them, it goes on to the shopper's page.
func (w *Wallet) bridge(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	prepay, first := q.Get("prepayid"), []string{q.Get("appid"), q.Get("timestamp"), q.Get("noncestr"), q.Get("prepayid")}
	signature, whole := q.Get("sign"), q.Get("package") == "Sign=WXPay"
	if text, ok := strings.CutPrefix(q.Get("package"), "prepay_id="); ok {
		prepay, first = text, []string{q.Get("appId"), q.Get("timeStamp"), q.Get("nonceStr"), q.Get("package")}
		signature, whole = q.Get("paySign"), q.Get("signType") == "RSA"
	}
	sum := sha256.Sum256([]byte(strings.Join(first, "\n") + "\n"))
	sealed, err := base64.StdEncoding.DecodeString(signature)
	w.Lock()
	to, known := w.handoffs[prepay]
	m := w.merchants[to.mchID]
	w.Unlock()
	switch {
	case !known || !whole || err != nil || first[0] != m.AppID || q.Has("partnerid") && q.Get("partnerid") != m.MchID,
		rsa.VerifyPKCS1v15(&m.PrivateKey.PublicKey, crypto.SHA256, sum[:], sealed) != nil:
		http.Error(rw, "支付验证签名失败", http.StatusForbidden)
	default:
		http.Redirect(rw, r, "/sandbox/pay?token="+url.QueryEscape(prepay), http.StatusSeeOther)
	}
}
