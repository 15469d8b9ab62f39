package sandbox

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageCSS []byte

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pages lays out what a shopper sees.
func (w *Wallet) pages() {
	w.mux.HandleFunc("GET /wxpay/bizpayurl", func(rw http.ResponseWriter, r *http.Request) {
		w.servePage(rw, r, r.URL.Query().Get("pr"))
	})
	w.mux.HandleFunc("GET /cgi-bin/mmpayweb-bin/checkmweb", func(rw http.ResponseWriter, r *http.Request) {
		w.servePage(rw, r, r.URL.Query().Get("prepay_id"))
	})
	w.mux.HandleFunc("POST /wxpay/decide", w.decide)
	w.mux.HandleFunc("GET /sandbox/page.css", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/css; charset=utf-8")
		rw.Header().Set("Cache-Control", "max-age=3600")
		_, _ = rw.Write(pageCSS) // a client that has gone is its own affair
	})
}

// pageView is what the template shows.
type pageView struct {
	Lang        string
	Words       map[string]string
	Wallet      string
	State       string // open, paid, closed, expired, gone
	Declined    bool
	Yuan        string
	Description string
	No          string
	Until       string
	Token       string
	Return      string // where the shop wants the browser back; checked
	Other       string // this page in the other language
}

func (w *Wallet) servePage(rw http.ResponseWriter, r *http.Request, token string) {
	w.mu.Lock()
	v := w.view(token, r.URL.Query().Get("redirect_url"))
	w.mu.Unlock()
	v.Lang = language(r)
	v.Words = words[v.Lang]
	q := r.URL.Query()
	q.Set("lang", map[string]string{"zh": "en", "en": "zh"}[v.Lang])
	v.Other = r.URL.Path + "?" + q.Encode()
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, v); err != nil {
		http.Error(rw, "page cannot be shown", http.StatusInternalServerError)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	if v.State == "gone" {
		rw.WriteHeader(http.StatusNotFound)
	}
	_, _ = rw.Write(out.Bytes()) // a client that has gone is its own affair
}

// view describes the order behind a token; the caller holds the lock.
func (w *Wallet) view(token, back string) pageView {
	v := pageView{Wallet: w.cfg.Name, State: "gone", Token: token, Return: safeReturn(back)}
	to, ok := w.handoffs[token]
	if !ok {
		return v
	}
	o := w.merchants[to.mchID].orders[to.no]
	v.Yuan, v.Description, v.No = yuan(o.Total), o.Description, o.No
	until := o.Expires
	if to.until.Before(until) {
		until = to.until
	}
	v.Until = until.In(beijing).Format("15:04")
	v.Declined = o.Declined > 0
	switch {
	case o.State == success || o.State == refunded:
		v.State = "paid"
	case o.State == closed:
		v.State = "closed"
	case w.now().After(until):
		v.State = "expired"
	default:
		v.State = "open"
	}
	return v
}

// decide takes the shopper's yes or no. The token is the permission: whoever has the code may pay.
func (w *Wallet) decide(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(rw, "form cannot be read", http.StatusBadRequest)
		return
	}
	token, back := r.PostForm.Get("token"), safeReturn(r.PostForm.Get("redirect_url"))
	w.mu.Lock()
	if to, ok := w.handoffs[token]; ok && !w.now().After(to.until) {
		m := w.merchants[to.mchID]
		o := m.orders[to.no]
		if r.PostForm.Get("answer") == "approve" {
			_ = w.approve(m, o) // where it is too late, the page that follows says so
		} else if o.State == notPaid {
			o.Declined++
			w.keep(record{Order: o})
		}
	}
	w.mu.Unlock()
	q := url.Values{"pr": {token}, "lang": {language(r)}}
	if back != "" {
		q.Set("redirect_url", back)
	}
	http.Redirect(rw, r, "/wxpay/bizpayurl?"+q.Encode(), http.StatusSeeOther)
}

// safeReturn accepts an absolute web address only: anything else would run in this page's name.
func safeReturn(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") || len(s) > 2048 {
		return ""
	}
	return u.String()
}

func language(r *http.Request) string {
	for _, s := range []string{r.FormValue("lang"), r.Header.Get("Accept-Language")} {
		switch {
		case strings.HasPrefix(s, "zh"):
			return "zh"
		case s != "":
			return "en"
		}
	}
	return "zh"
}

// words are the page's texts.
var words = map[string]map[string]string{
	"zh": {
		"sandbox": "沙盒钱包 · 不涉及真实资金", "title": "支付", "for": "商品", "no": "商户单号", "until": "请在 %s 前完成",
		"approve": "确认支付", "decline": "不付了", "leave": "返回商家", "declined": "您刚才选择了不付款。订单仍然有效，可以再次支付。",
		"paid": "支付成功", "paid_more": "商家会收到通知。这是演示，没有扣款。",
		"closed": "订单已关闭", "closed_more": "商家已关闭此订单，没有扣款。请返回商家重新下单。",
		"expired": "已过期", "expired_more": "支付码或订单已过期，没有扣款。请返回商家重新获取。",
		"gone": "找不到此订单", "gone_more": "支付码无效。请返回商家重新获取。", "other": "English",
	},
	"en": {
		"sandbox": "Sandbox wallet · no real money", "title": "Payment", "for": "For", "no": "Order", "until": "Pay before %s (Beijing time)",
		"approve": "Pay", "decline": "Do not pay", "leave": "Back to the shop", "declined": "You chose not to pay. The order is still open; you can pay it now.",
		"paid": "Paid", "paid_more": "The shop is being told. This is a demonstration: nothing was charged.",
		"closed": "Order closed", "closed_more": "The shop closed this order; nothing was charged. Go back and order again.",
		"expired": "Expired", "expired_more": "The code or the order has expired; nothing was charged. Get a new one from the shop.",
		"gone": "No such order", "gone_more": "This code is not valid. Get a new one from the shop.", "other": "中文",
	},
}
