package wechatpay

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// answer is what an endpoint says. A nil value is 204 without a body.
type answer struct {
	value any
	fault *refusal
}

// call is one authenticated request.
type call struct {
	m    *merchant
	op   sandbox.Op
	no   string // the order or refund it is about, for faults
	body []byte
	r    *http.Request
	hit  sandbox.Hits
}

// routes lays out the API and the shopper's pages.
func (w *Wallet) routes() {
	api := func(pattern string, op sandbox.Op, serve func(*Wallet, call) answer) {
		w.Handle(pattern, func(rw http.ResponseWriter, r *http.Request) { w.serveAPI(rw, r, op, serve) })
	}
	api("GET /v3/certificates", OpCertificates, func(w *Wallet, c call) answer {
		v, fault := w.certificates(c.m)
		return answer{v, fault}
	})
	for way, op := range map[string]sandbox.Op{"native": OpNative, "h5": OpH5, "jsapi": OpJSAPI, "app": OpApp} {
		api("POST /v3/pay/transactions/"+way, op, (*Wallet).prepay)
		api("POST /v3/pay/partner/transactions/"+way, op, (*Wallet).partnerPrepay)
		api("POST /v3/combine-transactions/"+way, op, (*Wallet).combinePrepay)
	}
	api("GET /v3/pay/partner/transactions/out-trade-no/{no}", sandbox.OpQuery, (*Wallet).queryOrder)
	api("GET /v3/pay/partner/transactions/id/{id}", sandbox.OpQuery, (*Wallet).queryOrderByID)
	api("POST /v3/pay/partner/transactions/out-trade-no/{no}/close", sandbox.OpClose, (*Wallet).closeOrder)
	api("GET /v3/combine-transactions/out-trade-no/{no}", sandbox.OpQuery, (*Wallet).queryCombined)
	api("POST /v3/combine-transactions/out-trade-no/{no}/close", sandbox.OpClose, (*Wallet).closeCombined)
	api("GET /v3/pay/transactions/out-trade-no/{no}", sandbox.OpQuery, (*Wallet).queryOrder)
	api("GET /v3/pay/transactions/id/{id}", sandbox.OpQuery, (*Wallet).queryOrderByID)
	api("POST /v3/pay/transactions/out-trade-no/{no}/close", sandbox.OpClose, (*Wallet).closeOrder)
	api("POST /v3/refund/domestic/refunds", sandbox.OpRefund, (*Wallet).createRefund)
	api("GET /v3/refund/domestic/refunds/{no}", sandbox.OpQueryRefund, (*Wallet).queryRefund)
	api("GET /v3/bill/tradebill", sandbox.OpBill, (*Wallet).tradeBill)
	w.splitRoutes(api)
	api("GET /v3/bill/fundflowbill", sandbox.OpBill, (*Wallet).fundBill)
	w.ecommerceRoutes(api)
	w.Handle("GET /v3/billdownload/file", w.serveFile)
	w.Handle("GET /sandbox/bridge", w.bridge)
	w.Handle("GET /wxpay/bizpayurl", func(rw http.ResponseWriter, r *http.Request) { w.ServePage(rw, r, r.URL.Query().Get("pr")) })
	w.Handle("GET /cgi-bin/mmpayweb-bin/checkmweb", func(rw http.ResponseWriter, r *http.Request) {
		w.ServePage(rw, r, r.URL.Query().Get("prepay_id"))
	})
	w.Control("POST /sandbox/sub_merchants", func(r *http.Request) error { // makes an account a platform: {"mchid":…,"sub_mchid":…}
		var p struct {
			MchID    string `json:"mchid"`
			SubMchID string `json:"sub_mchid"`
		}
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			return err
		}
		return w.AddSub(p.MchID, p.SubMchID)
	})
	w.Control("POST /sandbox/rotate", func(*http.Request) error { return w.RotateNow() }) // a new certificate, which signs at once
}

// serveAPI authenticates, and has the work done.
func (w *Wallet) serveAPI(rw http.ResponseWriter, r *http.Request, op sandbox.Op, serve func(*Wallet, call) answer) {
	w.ServeAPI(rw, r, func(body []byte, err error) (sandbox.Request, *sandbox.Reply) {
		turnedAway := func(f *refusal) (sandbox.Request, *sandbox.Reply) {
			reply := sandbox.Reply{Status: f.status, Body: f.body(), Seal: unsigned(f.body())}
			return sandbox.Request{}, &reply
		}
		if err != nil {
			return turnedAway(parameter("body", "", nil, "请求体过大"))
		}
		m, fault := w.authenticate(r, body)
		if fault != nil {
			return turnedAway(fault)
		}
		c := call{m: m, op: op, no: r.PathValue("no"), body: body, r: r}
		if c.no == "" {
			c.no = numberIn(op, body)
		}
		ops := []sandbox.Op{op}
		if kindOf[op] != "" {
			ops = append(ops, sandbox.OpCreate)
		}
		return sandbox.Request{
			Ops: ops, No: c.no,
			Do: func(hit sandbox.Hits) sandbox.Reply {
				c.hit = hit
				return w.reply(m, serve(w, c), hit)
			},
			Refuse: func(code string, hit sandbox.Hits) sandbox.Reply {
				return w.reply(m, answer{fault: catalogue[code]}, hit)
			},
		}, nil
	})
}

// reply is an answer ready to be signed.
func (w *Wallet) reply(m *merchant, a answer, hit sandbox.Hits) sandbox.Reply {
	status, body := render(a)
	body = bumpAmount(body, hit.Bump())
	if a.fault != nil && a.fault.unsigned {
		return sandbox.Reply{Status: status, Body: body, Seal: unsigned(body)}
	}
	s := w.seal(m, hit.Shift())
	return sandbox.Reply{Status: status, Body: body, Seal: func(h http.Header, how sandbox.Signing) ([]byte, error) {
		headers(h)
		switch how {
		case sandbox.Bare:
			return body, nil
		case sandbox.Spoiled:
			s.spoil = signTest
		}
		return body, s.sign(h, body)
	}}
}

func unsigned(body []byte) func(http.Header, sandbox.Signing) ([]byte, error) {
	return func(h http.Header, _ sandbox.Signing) ([]byte, error) {
		headers(h)
		return body, nil
	}
}

// headers are those of every answer.
func headers(h http.Header) {
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-cache, must-revalidate")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Language", "zh-CN")
}

func render(a answer) (int, []byte) {
	if a.fault != nil {
		return a.fault.status, a.fault.body()
	}
	if a.value == nil {
		return http.StatusNoContent, nil
	}
	text, err := json.Marshal(a.value)
	if err != nil { // our own structs of strings and numbers
		return systemError.status, systemError.body()
	}
	return http.StatusOK, text
}

// authenticate checks the merchant's signature as documented: scheme, five parameters, five minutes, and RSA over
// method, path with query, timestamp, nonce and body.
func (w *Wallet) authenticate(r *http.Request, body []byte) (*merchant, *refusal) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, refuse("SIGN_ERROR", "Http头Authorization值缺失")
	}
	p, ok := parseAuthorization(header)
	if !ok {
		return nil, refuse("SIGN_ERROR", "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
	}
	m := w.merchants[p["mchid"]]
	if m == nil || subtle.ConstantTimeCompare([]byte(m.SerialNo), []byte(p["serial_no"])) != 1 {
		return nil, refuse("SIGN_ERROR", "商户证书序列号有误。请使用签名私钥匹配的证书序列号")
	}
	seconds, err := strconv.ParseInt(p["timestamp"], 10, 64)
	if err != nil {
		return nil, refuse("SIGN_ERROR", "Http头Authorization中的timestamp有误")
	}
	if age := w.Now().Sub(time.Unix(seconds, 0)); age > 5*time.Minute || age < -5*time.Minute {
		return nil, refuse("SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
	}
	uri := r.URL.RequestURI()
	message := r.Method + "\n" + uri + "\n" + p["timestamp"] + "\n" + p["nonce_str"] + "\n" + string(body) + "\n"
	sum := sha256.Sum256([]byte(message))
	signature, err := base64.StdEncoding.DecodeString(p["signature"])
	if err != nil || rsa.VerifyPKCS1v15(&m.PrivateKey.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		f := refuse("SIGN_ERROR", "")
		f.Detail = map[string]any{
			"detail": map[string]any{"issue": "sign not match"}, "field": "signature", "location": "authorization",
			"sign_information": map[string]any{
				"method": r.Method, "url": uri, "sign_message_length": len(message),
				"truncated_sign_message": message[:len(message)-1-max(0, len(body)-8)] + "\n",
			},
		}
		return nil, f
	}
	m.public = w.public != nil && r.Header.Get("Wechatpay-Serial") == w.public.serial
	return m, nil
}

// parseAuthorization reads WECHATPAY2-SHA256-RSA2048 mchid="…",nonce_str="…",… in any order, each once.
func parseAuthorization(header string) (map[string]string, bool) {
	rest, ok := strings.CutPrefix(header, "WECHATPAY2-SHA256-RSA2048 ")
	if !ok || len(rest) > 4096 {
		return nil, false
	}
	p := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, quoted, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"' || p[name] != "" {
			return nil, false
		}
		p[name] = quoted[1 : len(quoted)-1]
	}
	for _, name := range []string{"mchid", "nonce_str", "timestamp", "serial_no", "signature"} {
		if p[name] == "" {
			return nil, false
		}
	}
	return p, len(p) == 5
}

// numberIn finds the number a request's body is about, so that a fault can name it.
func numberIn(op sandbox.Op, body []byte) string {
	var n struct {
		Order  string `json:"out_trade_no"`
		Group  string `json:"combine_out_trade_no"`
		Refund string `json:"out_refund_no"`
		Split  string `json:"out_order_no"`
		Return string `json:"out_return_no"`
	}
	if json.Unmarshal(body, &n) != nil {
		return ""
	}
	switch op {
	case sandbox.OpRefund:
		return n.Refund
	case OpSplit:
		return n.Split
	case OpReturn:
		return n.Return
	}
	return cmp.Or(n.Group, n.Order)
}
