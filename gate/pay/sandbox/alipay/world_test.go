package alipay_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
)

const (
	appID = "2021000000000001"
	pid   = "2088000000000001"
	other = "2088000000000555" // receives parts
)

// start is a Wednesday, 10:00 in Beijing.
var start = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)

// keys are made once: a sandbox that makes its own takes a moment each time.
var keys = sync.OnceValue(func() []*rsa.PrivateKey {
	var list []*rsa.PrivateKey
	for range 4 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		list = append(list, key)
	}
	return list
})

// world is a sandbox under a virtual clock, with one merchant and its shop.
type world struct {
	*sandbox.Clock
	t      testing.TB
	wallet *alipay.Wallet
	m      alipay.Merchant
	shop   *shop
	extra  map[string]string // parameters that every request brings
}

func newWorld(t testing.TB, change func(*sandbox.Config)) *world {
	t.Helper()
	c := sandbox.NewClock(start)
	s := &shop{clock: c, reply: func(int) (int, string) { return http.StatusOK, "success" }}
	next := 0
	cfg := sandbox.Config{
		Name: "Lotus Pay", BaseURL: "http://wallet.test", Now: c.Now, After: c.After, Carrier: s,
		Random: mathrand.NewChaCha8([32]byte{7}),
		NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil },
	}
	if change != nil {
		change(&cfg)
	}
	w, err := alipay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.AddMerchant(appID, pid)
	if err != nil {
		t.Fatal(err)
	}
	return &world{Clock: c, t: t, wallet: w, m: m, shop: s, extra: map[string]string{}}
}

// shop is where notifications arrive.
type shop struct {
	clock *sandbox.Clock
	reply func(try int) (status int, body string) // to the nth delivery; status 0 is no answer
	got   []delivered
}

type delivered struct {
	at   time.Time
	url  string
	form url.Values
}

func (s *shop) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	s.got = append(s.got, delivered{s.clock.Now(), r.URL.String(), form})
	status, text := s.reply(len(s.got))
	if status == 0 {
		return nil, http.ErrHandlerTimeout
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text)), Header: http.Header{}}, nil
}

type object = map[string]any

// parameters are a whole signed request.
func (w *world) parameters(method string, biz any) url.Values {
	w.t.Helper()
	text, isText := biz.(string)
	if !isText {
		raw, err := json.Marshal(biz)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(raw)
	}
	p := map[string]string{
		"app_id": w.m.AppID, "method": method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2", "version": "1.0",
		"timestamp": w.Now().In(sandbox.Beijing).Format(time.DateTime), "biz_content": text,
	}
	maps.Copy(p, w.extra)
	return w.signed(p)
}

func (w *world) signed(p map[string]string) url.Values {
	w.t.Helper()
	q := url.Values{}
	for name, value := range p {
		if value != "" {
			q.Set(name, value)
		}
	}
	sum := sha256.Sum256([]byte(content(q)))
	signature, err := rsa.SignPKCS1v15(nil, w.m.PrivateKey, crypto.SHA256, sum[:])
	if err != nil {
		w.t.Fatal(err)
	}
	q.Set("sign", base64.StdEncoding.EncodeToString(signature))
	return q
}

// content is what a signature covers, written anew from the documents.
func content(q url.Values, without ...string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if value := q.Get(name); value != "" && name != "sign" && !slices.Contains(without, name) {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, "&")
}

func good(key *rsa.PublicKey, text, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	sum := sha256.Sum256([]byte(text))
	return err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil
}

// answered is what the gateway says to a request.
type answered struct {
	status int
	header http.Header
	body   []byte
	signed bool   // and well so
	serial string // of the certificate
	under  string // the key of the value
	fields object
}

func (a answered) code() string { s, _ := a.fields["code"].(string); return s }
func (a answered) sub() string  { s, _ := a.fields["sub_code"].(string); return s }
func (a answered) get(name string) string {
	s, _ := a.fields[name].(string)
	return s
}

func (w *world) ask(method string, biz any) answered {
	w.t.Helper()
	a, err := w.try(method, biz)
	if err != nil {
		w.t.Fatalf("%s: %v", method, err)
	}
	return a
}

func (w *world) try(method string, biz any) (answered, error) {
	w.t.Helper()
	return w.post(w.parameters(method, biz))
}

func (w *world) post(q url.Values) (answered, error) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://wallet.test/gateway.do", strings.NewReader(q.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	return w.send(r)
}

func (w *world) send(r *http.Request) (answered, error) {
	w.t.Helper()
	resp, err := w.wallet.InMemory().RoundTrip(r)
	if err != nil {
		return answered{}, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answered{status: resp.StatusCode, header: resp.Header, body: body}
	var raw map[string]json.RawMessage
	_ = json.Unmarshal(body, &raw) // pages and files are not JSON
	var signature string
	for name, value := range raw {
		switch name {
		case "sign":
			_ = json.Unmarshal(value, &signature)
		case "alipay_cert_sn":
			_ = json.Unmarshal(value, &a.serial)
		default:
			a.under = name
			_ = json.Unmarshal(value, &a.fields)
		}
	}
	a.signed = good(w.m.AlipayKey, string(raw[a.under]), signature)
	return a, nil
}

func with(o object, key string, value any) object {
	changed := maps.Clone(o)
	if changed[key] = value; value == nil {
		delete(changed, key)
	}
	return changed
}

func trade(no, amount string) object {
	return object{"out_trade_no": no, "total_amount": amount, "subject": "A teapot"}
}

const (
	precreate   = "alipay.trade.precreate"
	query       = "alipay.trade.query"
	closing     = "alipay.trade.close"
	cancel      = "alipay.trade.cancel"
	refunding   = "alipay.trade.refund"
	refundQuery = "alipay.trade.fastpay.refund.query"
	settling    = "alipay.trade.order.settle"
	settleQuery = "alipay.trade.order.settle.query"
	binding     = "alipay.trade.royalty.relation.bind"
	billQuery   = "alipay.data.dataservice.bill.downloadurl.query"
)

// order registers an order by QR code, and gives the code.
func (w *world) order(no, amount string) string {
	w.t.Helper()
	return w.orderAs(trade(no, amount))
}

func (w *world) orderAs(biz object) string {
	w.t.Helper()
	w.extra["notify_url"] = "https://shop.test/notify"
	defer delete(w.extra, "notify_url")
	a := w.ask(precreate, biz)
	if a.code() != "10000" || !a.signed {
		w.t.Fatalf("order: %s", a.body)
	}
	return a.get("qr_code")
}

func (w *world) pay(no, amount string) string {
	w.t.Helper()
	w.order(no, amount)
	if err := w.wallet.Approve(appID, no); err != nil {
		w.t.Fatal(err)
	}
	return w.query(no).get("trade_no")
}

func (w *world) query(no string) answered {
	w.t.Helper()
	return w.ask(query, object{"out_trade_no": no})
}

func (w *world) browse(method, address string, form url.Values) answered {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "en")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	a, err := w.send(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) sub(smid string) {
	w.t.Helper()
	if err := w.wallet.AddSub(appID, smid); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) bind(account string) {
	w.t.Helper()
	if a := w.ask(binding, object{"out_request_no": "B0", "receiver_list": []object{{"type": "userId", "account": account}}}); a.get("result_code") != "SUCCESS" {
		w.t.Fatalf("bind: %s", a.body)
	}
}

func (w *world) inject(f sandbox.Fault) {
	w.t.Helper()
	if err := w.wallet.Inject(f); err != nil {
		w.t.Fatal(err)
	}
}
