package wechatpay_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func (w *world) browse(method, address string, form url.Values, language string) answered {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", language)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	a, err := w.send(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// press submits the page's form as a browser does, and follows.
func (w *world) press(page answered, choice string) answered {
	w.t.Helper()
	_, rest, ok := strings.Cut(string(page.body), `name="token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if !ok {
		w.t.Fatalf("no form on the page:\n%s", page.body)
	}
	form := url.Values{"token": {token}, "answer": {choice}, "lang": {"en"}}
	if _, rest, ok := strings.Cut(string(page.body), `name="redirect_url" value="`); ok {
		back, _, _ := strings.Cut(rest, `"`)
		form.Set("redirect_url", strings.ReplaceAll(back, "&amp;", "&"))
	}
	a := w.browse("POST", "http://wallet.test/sandbox/pay", form, "")
	if a.status != http.StatusSeeOther {
		w.t.Fatalf("decide: %d %s", a.status, a.body)
	}
	return w.browse("GET", "http://wallet.test"+a.header.Get("Location"), nil, "")
}

func (w *world) says(a answered, texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		if !bytes.Contains(a.body, []byte(text)) {
			w.t.Errorf("page does not say %q:\n%s", text, a.body)
		}
	}
}

// TestShopperPage declines, changes her mind, pays and goes back; in both languages, without a script.
func TestShopperPage(t *testing.T) {
	w := newWorld(t, nil)
	code := w.ask("POST", "/v3/pay/transactions/native", with(native("ORDER-01", 123456), "description", `<b>茶壶</b> & "cup"`)).json["code_url"].(string)
	zh := w.browse("GET", code, nil, "zh-CN,zh;q=0.9")
	w.says(zh, "沙盒钱包", "Lotus Pay", "1234.56", "确认支付", "&lt;b&gt;茶壶&lt;/b&gt;", `lang="zh-CN"`)
	if policy := zh.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || bytes.Contains(zh.body, []byte("<script")) {
		t.Errorf("policy %q", policy)
	}
	en := w.browse("GET", code, nil, "en-GB")
	w.says(en, "Sandbox wallet · no real money", "Do not pay")
	declined := w.press(en, "decline")
	w.says(declined, "You chose not to pay")
	if a := w.query("ORDER-01"); a.json["trade_state"] != "NOTPAY" {
		t.Errorf("declined: %s", a.body)
	}
	w.says(w.press(declined, "approve"), "<h1>Paid</h1>")
	if a := w.query("ORDER-01"); a.json["trade_state"] != "SUCCESS" {
		t.Errorf("paid: %s", a.body)
	}
	if a := w.browse("GET", "http://wallet.test/wxpay/bizpayurl?pr=guess", nil, "en"); a.status != http.StatusNotFound {
		t.Errorf("guessed code: %d", a.status)
	}
	if css := w.browse("GET", "http://wallet.test/sandbox/page.css", nil, ""); css.header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("style sheet: %v", css.header)
	}
}

// TestShopperComesBack: H5 leads back to the shop, and only to a web address.
func TestShopperComesBack(t *testing.T) {
	for back, want := range map[string]string{
		"https://shop.test/thanks?order=1&x=2": `href="https://shop.test/thanks?order=1&amp;x=2"`,
		"javascript:alert(1)":                  "",
		"//evil.test/":                         "",
		"https://user@evil.test/":              "",
	} {
		w := newWorld(t, nil)
		h5 := with(native("ORDER-01", 100), "scene_info", object{"payer_client_ip": "203.0.113.7", "h5_info": object{"type": "Wap"}})
		address := w.ask("POST", "/v3/pay/transactions/h5", h5).json["h5_url"].(string) + "&redirect_url=" + url.QueryEscape(back)
		done := w.press(w.browse("GET", address, nil, "en"), "approve")
		w.says(done, "<h1>Paid</h1>", want)
		if want == "" && bytes.Contains(done.body, []byte("Back to the shop")) {
			t.Errorf("page leads to %q", back)
		}
	}
}

// TestPageStates: what a shopper sees too late.
func TestPageStates(t *testing.T) {
	w := newWorld(t, nil)
	h5 := with(native("ORDER-01", 100), "scene_info", object{"payer_client_ip": "203.0.113.7", "h5_info": object{"type": "Wap"}})
	address := w.ask("POST", "/v3/pay/transactions/h5", h5).json["h5_url"].(string)
	open := w.browse("GET", address, nil, "en")
	w.Advance(6 * time.Minute)
	w.says(w.browse("GET", address, nil, "en"), "<h1>Expired</h1>")
	w.says(w.press(open, "approve"), "<h1>Expired</h1>")
	w.ask("POST", "/v3/pay/transactions/out-trade-no/ORDER-01/close", object{"mchid": mchID})
	w.says(w.browse("GET", address, nil, "zh"), "<h1>订单已关闭</h1>")
	if a := w.query("ORDER-01"); a.json["trade_state"] != "CLOSED" {
		t.Errorf("%s", a.body)
	}
}

// TestControls drives the wallet over HTTP as a foreign test would.
// TestSubMerchantsOverHTTP: a foreign program makes an account a platform without Go.
func TestSubMerchantsOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	for body, want := range map[string]int{
		`{"mchid":"1900000109","sub_mchid":"1900000201"}`: 200, `{"mchid":"1900000109","sub_mchid":"shop"}`: 409, `{"mchid":"1900000000","sub_mchid":"1900000201"}`: 409, `{`: 409,
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://wallet.test/sandbox/sub_merchants", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if a, err := w.send(r); err != nil || a.status != want {
			t.Errorf("%s: %d %s %v", body, a.status, a.body, err)
		}
	}
	if a := w.ask("POST", "/v3/pay/transactions/native", native("ORDER-01", 100)); a.json["code"] != "NO_AUTH" {
		t.Errorf("a platform sells by itself: %s", a.body)
	}
}

func TestControls(t *testing.T) {
	w := newWorld(t, nil)
	post := func(method, path, kind, body string) answered {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://wallet.test"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		a, err := w.send(r)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	const kind = "application/json"
	order := `{"mchid":"` + mchID + `","out_trade_no":"ORDER-01"}`
	w.order("ORDER-01", 100)
	for _, step := range []struct {
		method, path, kind, body string
		status                   int
	}{
		{"POST", "/sandbox/approve", "text/plain", order, 415},
		{"POST", "/sandbox/approve", kind, `{"mchid":"1","out_trade_no":"2"}`, 409},
		{"POST", "/sandbox/approve", kind, `{"more":1}`, 409},
		{"POST", "/sandbox/decline", kind, order, 200},
		{"POST", "/sandbox/approve", kind, order, 200},
		{"POST", "/sandbox/approve", kind, order, 200},
		{"POST", "/sandbox/faults", kind, `{"kind":"lose","op":"notify","times":-1}`, 200},
		{"POST", "/sandbox/faults", kind, `{"kind":"explode"}`, 409},
		{"POST", "/sandbox/rotate", kind, ``, 200},
	} {
		if a := post(step.method, step.path, step.kind, step.body); a.status != step.status {
			t.Errorf("%s %s %s: %d %s", step.method, step.path, step.body, a.status, a.body)
		}
	}
	var status struct {
		Orders   int
		Accounts []string
		Faults   []any
	}
	if err := json.Unmarshal(post("GET", "/sandbox", "", "").body, &status); err != nil || status.Orders != 1 || len(status.Faults) != 1 || status.Accounts[0] != mchID {
		t.Errorf("%v %+v", err, status)
	}
	if a := post("DELETE", "/sandbox/faults", kind, ""); a.status != http.StatusOK || len(w.wallet.Faults()) != 0 {
		t.Errorf("clear: %d %s", a.status, a.body)
	}
	if a := w.query("ORDER-01"); a.json["trade_state"] != "SUCCESS" {
		t.Errorf("%s", a.body)
	}
}
