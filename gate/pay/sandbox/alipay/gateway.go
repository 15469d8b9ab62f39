package alipay

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// fields are what an answer says besides code and msg.
type fields map[string]any

// answer is what a method says: fields, an error, or where the browser goes.
type answer struct {
	fields   fields
	fault    *refusal
	redirect string
}

// call is one authenticated request.
type call struct {
	m      *merchant
	method string
	p      map[string]string // every parameter
	op     sandbox.Op
	no     string // the order or refund it is about, for faults
	hit    sandbox.Hits
}

// method is what the gateway offers. A page is reached by browsers, and answers with a redirect or a page.
type method struct {
	op    sandbox.Op
	page  bool
	serve func(*Wallet, call) answer
}

var methods = map[string]method{
	"alipay.trade.page.pay":                          {OpPage, true, (*Wallet).pagePay},
	"alipay.trade.wap.pay":                           {OpWap, true, (*Wallet).pagePay},
	"alipay.trade.app.pay":                           {OpApp, true, (*Wallet).pagePay},
	"alipay.trade.precreate":                         {OpPrecreate, false, (*Wallet).precreate},
	"alipay.trade.create":                            {OpTrade, false, (*Wallet).createTrade},
	"alipay.trade.query":                             {sandbox.OpQuery, false, (*Wallet).queryOrder},
	"alipay.trade.close":                             {sandbox.OpClose, false, (*Wallet).closeOrder},
	"alipay.trade.cancel":                            {OpCancel, false, (*Wallet).cancelOrder},
	"alipay.trade.refund":                            {sandbox.OpRefund, false, (*Wallet).createRefund},
	"alipay.trade.fastpay.refund.query":              {sandbox.OpQueryRefund, false, (*Wallet).queryRefund},
	"alipay.trade.merge.precreate":                   {OpPrecreate, false, (*Wallet).mergePrecreate},
	"alipay.trade.wap.merge.pay":                     {OpWap, true, (*Wallet).mergePay},
	"alipay.trade.app.merge.pay":                     {OpApp, true, (*Wallet).mergePay},
	"alipay.trade.royalty.relation.bind":             {OpReceiver, false, (*Wallet).bind},
	"alipay.trade.royalty.relation.unbind":           {OpReceiver, false, (*Wallet).unbind},
	"alipay.trade.royalty.relation.batchquery":       {OpReceiver, false, (*Wallet).listReceivers},
	"alipay.trade.order.settle":                      {OpSplit, false, (*Wallet).settleOrder},
	"alipay.trade.settle.confirm":                    {OpConfirm, false, (*Wallet).confirm},
	"alipay.trade.order.settle.query":                {OpQuerySplit, false, (*Wallet).querySettle},
	"alipay.data.dataservice.bill.downloadurl.query": {sandbox.OpBill, false, (*Wallet).billAddress},
	"alipay.open.app.alipaycert.download":            {OpCertificates, false, (*Wallet).certificate},
}

// routes lays out the gateway and the shopper's pages.
func (w *Wallet) routes() {
	w.Handle("POST /gateway.do", w.gateway)
	w.Handle("GET /gateway.do", w.gateway)
	w.Handle("GET /downloadBillFile.resource", w.serveFile)
	w.Handle("GET /qr/{code}", func(rw http.ResponseWriter, r *http.Request) { w.ServePage(rw, r, r.PathValue("code")) })
	w.Handle("GET /cashier", func(rw http.ResponseWriter, r *http.Request) { w.ServePage(rw, r, r.URL.Query().Get("token")) })
	w.Control("POST /sandbox/rotate", func(*http.Request) error { return w.RotateNow() })
}

// gateway authenticates, and has the work done.
func (w *Wallet) gateway(rw http.ResponseWriter, r *http.Request) {
	w.ServeAPI(rw, r, func(body []byte, err error) (sandbox.Request, *sandbox.Reply) {
		p, fault := parameters(r.URL.RawQuery, body)
		if err != nil {
			fault = refuse("isv.invalid-parameter", "请求体过大")
		}
		m := (*merchant)(nil)
		if fault == nil {
			m, fault = w.authenticate(p)
		}
		if fault != nil {
			reply := w.turnedAway(p["method"], fault)
			return sandbox.Request{}, &reply
		}
		how := methods[p["method"]]
		c := call{m: m, method: p["method"], p: p, op: how.op}
		c.no = c.number()
		ops := []sandbox.Op{how.op}
		switch how.op {
		case OpPage, OpWap, OpApp, OpPrecreate, OpTrade:
			ops = append(ops, sandbox.OpCreate)
		}
		return sandbox.Request{
			Ops: ops, No: c.no,
			Do: func(hit sandbox.Hits) sandbox.Reply {
				c.hit = hit
				return w.reply(c, how, how.serve(w, c))
			},
			Refuse: func(code string, hit sandbox.Hits) sandbox.Reply {
				c.hit = hit
				return w.reply(c, how, answer{fault: catalogue[code]})
			},
		}, nil
	})
}

// maxParameters bounds what one request may bring.
const maxParameters = 64

// parameters reads what a request brings, in its address and in its form together, each once.
func parameters(query string, body []byte) (map[string]string, *refusal) {
	p := map[string]string{}
	for _, text := range []string{query, string(body)} {
		values, err := url.ParseQuery(text)
		if err != nil {
			return p, refuse("isv.invalid-parameter", "")
		}
		for name, list := range values {
			if _, twice := p[name]; twice || len(list) != 1 || len(p) >= maxParameters {
				return p, refuse("isv.suspected-attack", "")
			}
			p[name] = list[0]
		}
	}
	return p, nil
}

// authenticate checks the common parameters (公共请求参数) and the signature of all of them.
func (w *Wallet) authenticate(p map[string]string) (*merchant, *refusal) {
	for _, need := range []struct{ name, code string }{
		{"app_id", "isv.missing-app-id"},
		{"method", "isv.missing-method"},
		{"sign", "isv.missing-signature"},
		{"sign_type", "isv.missing-signature-type"},
		{"timestamp", "isv.missing-timestamp"},
		{"version", "isv.missing-version"},
	} {
		if p[need.name] == "" {
			return nil, refuse(need.code, "")
		}
	}
	m := w.merchants[p["app_id"]]
	_, known := methods[p["method"]]
	_, err := time.ParseInLocation(time.DateTime, p["timestamp"], sandbox.Beijing)
	switch {
	case m == nil:
		return nil, refuse("isv.invalid-app-id", "")
	case !known:
		return nil, refuse("isv.invalid-method", "")
	case p["sign_type"] != "RSA2":
		return nil, refuse("isv.invalid-signature-type", "")
	case !strings.EqualFold(p["charset"], "utf-8"):
		return nil, refuse("isv.invalid-charset", "")
	case p["format"] != "" && !strings.EqualFold(p["format"], "json"):
		return nil, refuse("isv.invalid-format", "")
	case p["version"] != "1.0":
		return nil, refuse("isv.invalid-version", "")
	case err != nil:
		return nil, refuse("isv.invalid-timestamp", "")
	}
	if !signed(&m.key.PublicKey, content(p, "sign"), p["sign"]) {
		return nil, refuse("isv.invalid-signature", "")
	}
	certs := p["app_cert_sn"] != "" || p["alipay_root_cert_sn"] != ""
	switch {
	case certs && p["app_cert_sn"] != m.cert.serial:
		return nil, refuse("isv.app-cert-not-exist", "")
	case certs && p["alipay_root_cert_sn"] != w.root.serial:
		return nil, refuse("isv.invalid-alipay-root-cert-sn", "")
	case len(p["notify_url"]) > 256 || p["notify_url"] != "" && !webAddress(p["notify_url"]),
		len(p["return_url"]) > 256 || p["return_url"] != "" && !webAddress(p["return_url"]):
		return nil, refuse("isv.invalid-parameter", "")
	}
	m.certs = certs
	return m, nil
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// read reads the business parameters.
func (c *call) read(into any) *refusal {
	d := json.NewDecoder(strings.NewReader(c.p["biz_content"]))
	if err := d.Decode(into); err != nil {
		return refuse("ACQ.INVALID_PARAMETER", "参数无效：biz_content不是合法的JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return refuse("ACQ.INVALID_PARAMETER", "参数无效：biz_content不是合法的JSON")
	}
	return nil
}

// number finds what the request is about, so that a fault can name it.
func (c *call) number() string {
	var n struct {
		Order   string `json:"out_trade_no"`
		Request string `json:"out_request_no"`
		Merge   string `json:"out_merge_no"`
	}
	if json.Unmarshal([]byte(c.p["biz_content"]), &n) != nil {
		return ""
	}
	switch {
	case n.Request != "":
		return n.Request
	case n.Order != "":
		return n.Order
	}
	return n.Merge
}

// turnedAway answers at the door, unsigned: the error stands under the method's name where there is one.
func (w *Wallet) turnedAway(name string, f *refusal) sandbox.Reply {
	how, known := methods[name]
	if known && how.page {
		return errorPage(f)
	}
	body := wrap(name, known, f.body())
	return sandbox.Reply{Status: http.StatusOK, Seal: func(h http.Header, _ sandbox.Signing) ([]byte, error) {
		headers(h)
		return append(body, '}'), nil
	}}
}

// reply is an answer ready to be signed: the signature is over the bytes of the value under <method>_response.
func (w *Wallet) reply(c call, how method, a answer) sandbox.Reply {
	if how.page {
		if a.fault != nil {
			return errorPage(a.fault)
		}
		return sandbox.Reply{Status: http.StatusFound, Seal: func(h http.Header, _ sandbox.Signing) ([]byte, error) {
			h.Set("Location", a.redirect)
			return nil, nil
		}}
	}
	value := a.body()
	id, certs := w.signer(), c.m.certs
	return sandbox.Reply{Status: http.StatusOK, Seal: func(h http.Header, how sandbox.Signing) ([]byte, error) {
		headers(h)
		body := wrap(c.method, true, value)
		if how == sandbox.Bare || a.fault != nil && a.fault.unsigned {
			return append(body, '}'), nil
		}
		signature, err := sign(id.key, string(value))
		if err != nil {
			return nil, err
		}
		if how == sandbox.Spoiled {
			signature = spoil(signature)
		}
		if certs {
			body = append(body, `,"alipay_cert_sn":"`+id.serial+`"`...)
		}
		return append(body, `,"sign":"`+signature+`"}`...), nil
	}}
}

// body writes an answer's value: code and msg first, slashes escaped, as the gateway has been seen to do.
func (a *answer) body() []byte {
	if a.fault != nil {
		return a.fault.body()
	}
	head := []byte(`{"code":"10000","msg":"Success"`)
	if len(a.fields) == 0 {
		return append(head, '}')
	}
	return append(append(head, ','), compact(a.fields)[1:]...)
}

func compact(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil { // our own strings and numbers
		return []byte("{}")
	}
	return bytes.ReplaceAll(bytes.TrimSpace(out.Bytes()), []byte("/"), []byte(`\/`))
}

var methodName = regexp.MustCompile(`^[a-z.]{1,100}$`)

// wrap begins the object that holds a value; the caller ends it.
func wrap(name string, known bool, value []byte) []byte {
	key := "error_response"
	if known && methodName.MatchString(name) {
		key = strings.ReplaceAll(name, ".", "_") + "_response"
	}
	return append([]byte(`{"`+key+`":`), value...)
}

func headers(h http.Header) {
	h.Set("Content-Type", "text/html;charset=utf-8") // seen: JSON under this name
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
}

// errorPage is what a shopper's browser is shown.
func errorPage(f *refusal) sandbox.Reply {
	body := []byte(`<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>订单信息有误</title><p>订单信息有误，建议联系卖家。</p><p>错误码：` +
		html.EscapeString(f.SubCode) + `</p><p>` + html.EscapeString(f.SubMsg) + `</p></html>`)
	return sandbox.Reply{Status: http.StatusOK, Seal: func(h http.Header, _ sandbox.Signing) ([]byte, error) {
		headers(h)
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		return body, nil
	}}
}
