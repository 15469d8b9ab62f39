package sandbox

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// pagePath is where the shopper's answer goes, and the page is shown again.
const pagePath = "/sandbox/pay"

//go:embed page.html
var pageText string

//go:embed page.css
var pageCSS []byte

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pages lays out what a shopper sees.
func (w *Wallet) pages() {
	w.mux.HandleFunc("GET "+pagePath, func(rw http.ResponseWriter, r *http.Request) { w.ServePage(rw, r, r.URL.Query().Get("token")) })
	w.mux.HandleFunc("POST "+pagePath, w.decide)
	w.mux.HandleFunc("GET /sandbox/page.css", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/css; charset=utf-8")
		rw.Header().Set("Cache-Control", "max-age=3600")
		_, _ = rw.Write(pageCSS) // a client that has gone is its own affair
	})
}

// PageState is where an order stands for its shopper.
type PageState string

// Page states.
const (
	PageOpen    PageState = "open"
	PagePaid    PageState = "paid"
	PageClosed  PageState = "closed"
	PageExpired PageState = "expired"
	pageGone    PageState = "gone"
)

// Page is what a shopper sees of an order.
type Page struct {
	State       PageState
	Declined    bool // was declined before, and may still be paid
	Fen         int64
	Description string
	No          string
	Until       time.Time
	Return      func() string // where the shop wants the browser back, where the order says so; called without the lock, not checked yet
}

// pageView is what the template shows.
type pageView struct {
	Page
	Action string
	Lang   string
	Words  map[string]string
	Wallet string
	Yuan   string
	Until  string
	Token  string
	Return string // checked
	Other  string // this page in the other language
}

// ServePage shows the page of the order behind a token. The token is the permission: whoever has it may pay.
func (w *Wallet) ServePage(rw http.ResponseWriter, r *http.Request, token string) {
	w.mu.Lock()
	p, ok := w.wire.Page(token)
	w.mu.Unlock()
	if !ok {
		p = Page{State: pageGone}
	}
	q := r.URL.Query()
	back := q.Get("redirect_url")
	if p.Return != nil {
		back = p.Return()
	}
	v := pageView{
		Page: p, Action: pagePath, Lang: language(r), Wallet: w.cfg.Name, Yuan: Yuan(p.Fen), Until: p.Until.In(Beijing).Format("15:04"), Token: token,
		Return: safeReturn(back),
	}
	v.Words = words[v.Lang]
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
	if v.State == pageGone {
		rw.WriteHeader(http.StatusNotFound)
	}
	_, _ = rw.Write(out.Bytes()) // a client that has gone is its own affair
}

// decide takes the shopper's yes or no, and shows what became of it.
func (w *Wallet) decide(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(rw, "form cannot be read", http.StatusBadRequest)
		return
	}
	token, back := r.PostForm.Get("token"), safeReturn(r.PostForm.Get("redirect_url"))
	w.mu.Lock()
	w.wire.Answer(token, r.PostForm.Get("answer") == "approve")
	w.mu.Unlock()
	q := url.Values{"token": {token}, "lang": {language(r)}}
	if back != "" {
		q.Set("redirect_url", back)
	}
	http.Redirect(rw, r, pagePath+"?"+q.Encode(), http.StatusSeeOther)
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
		"sandbox": "沙盒钱包 · 不涉及真实资金", "title": "支付", "heading": "付款给商家", "for": "商品", "no": "商户单号", "until": "请在 %s 前完成",
		"approve": "确认支付", "decline": "不付了", "leave": "返回商家", "declined": "您刚才选择了不付款。订单仍然有效，可以再次支付。",
		"paid": "支付成功", "paid_more": "商家会收到通知。这是演示，没有扣款。",
		"closed": "订单已关闭", "closed_more": "商家已关闭此订单，没有扣款。请返回商家重新下单。",
		"expired": "已过期", "expired_more": "支付码或订单已过期，没有扣款。请返回商家重新获取。",
		"gone": "找不到此订单", "gone_more": "支付码无效。请返回商家重新获取。", "other": "English",
	},
	"en": {
		"sandbox": "Sandbox wallet · no real money", "title": "Payment", "heading": "Pay the shop", "for": "For", "no": "Order", "until": "Pay before %s (Beijing time)",
		"approve": "Pay", "decline": "Do not pay", "leave": "Back to the shop", "declined": "You chose not to pay. The order is still open; you can pay it now.",
		"paid": "Paid", "paid_more": "The shop is being told. This is a demonstration: nothing was charged.",
		"closed": "Order closed", "closed_more": "The shop closed this order; nothing was charged. Go back and order again.",
		"expired": "Expired", "expired_more": "The code or the order has expired; nothing was charged. Get a new one from the shop.",
		"gone": "No such order", "gone_more": "This code is not valid. Get a new one from the shop.", "other": "中文",
	},
}
