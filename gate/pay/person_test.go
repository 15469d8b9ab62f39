package pay_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// vault is one as far as the gate needs one: what a request brings is kept, what is erased is gone.
type vault map[moongate.ID][32]byte

func (v vault) Get(person moongate.ID) (key [32]byte, ok bool, err error) {
	key, ok = v[person]
	return key, ok, nil
}

func (v vault) keep(r replica.Request) {
	for _, s := range r.Secrets {
		if _, known := v[s.Subject]; !known {
			v[s.Subject] = s.Key
		}
	}
	if e, ok := r.Command.(*replica.Erase); ok {
		delete(v, e.Subject)
	}
}

const openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

// newInApps is a world whose wallet pays inside its own app, and from other apps.
func newInApps(t testing.TB) *world {
	t.Helper()
	w := &world{wechat: func(c *wechatpay.Config) {
		c.Products = []wechatpay.Product{wechatpay.Native, wechatpay.H5, wechatpay.JSAPI, wechatpay.InApps}
	}}
	w.begin(t, pay.Limits{})
	t.Cleanup(w.check)
	return w
}

// known asks for a payment of somebody whom crane-pay knows.
func (w *world) known(order, who string) moongate.ID {
	w.t.Helper()
	s, err := w.gate.Seal([]pay.PayerAt{{Wallet: "crane-pay", Payer: who}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Done()
	c := w.request(order)
	c.Payers = s.Payers
	a, err := w.do(replica.Request{Caller: "lotus-market", Command: c, Secrets: s.Secrets})
	if err != nil {
		w.t.Fatal(err)
	}
	return a.(pay.PaymentAnswer).Payment
}

// calls brings the parameters to the wallet's app, as its bridge or its SDK does, and has the shopper confirm there.
func (w *world) calls(params string) {
	w.t.Helper()
	call, q := map[string]string{}, url.Values{}
	if err := json.Unmarshal([]byte(params), &call); err != nil {
		w.t.Fatal(err)
	}
	for name, v := range call {
		q.Set(name, v)
	}
	rec := httptest.NewRecorder()
	w.wallets["crane-pay"].ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/sandbox/bridge?"+q.Encode(), nil))
	to, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || rec.Code != http.StatusSeeOther {
		w.t.Fatalf("the wallet's app: %d %s", rec.Code, rec.Body)
	}
	r := httptest.NewRequest(http.MethodPost, to.Path, strings.NewReader(url.Values{"token": {to.Query().Get("token")}, "answer": {"approve"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.wallets["crane-pay"].ServeHTTP(httptest.NewRecorder(), r)
}

// A shopper inside the wallet's app, and one from another app: the parameters that the page, or the app, calls the wallet with
// are signed, the wallet knows them, and the payment succeeds by its notification.
func TestPaidInApps(t *testing.T) {
	for _, c := range []pay.Channel{pay.InApp, pay.App} {
		t.Run(string(c), func(t *testing.T) {
			w := newInApps(t)
			id := w.known("1001", openID)
			attempt := w.submit("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay", Channel: c}).(pay.WalletAnswer).Attempt
			w.settle()
			a := w.attempt(attempt)
			if a.Status != pay.AttemptAwaiting || a.Way.Params == "" || a.Way.QR != "" || a.Way.URL != "" {
				t.Fatalf("%+v", a)
			}
			w.calls(a.Way.Params)
			w.pass(10*time.Second, time.Second)
			w.stands(id, pay.Succeeded)
			if p := w.payment(id); len(p.Payers) != 0 {
				t.Errorf("it is over, and the state keeps %v", p.Payers)
			}
		})
	}
}

// In WeChat's own browser the cashier pays through the bridge; elsewhere it does not, and without a payer neither.
func TestCashierInsideTheApp(t *testing.T) {
	for name, test := range map[string]struct {
		agent string
		known bool
		want  pay.Channel
	}{
		"inside":              {"Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.50", true, pay.InApp},
		"inside, by nobody":   {"Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.50", false, pay.Redirect},
		"on a phone":          {"Mozilla/5.0 (iPhone) Mobile/15E148 Safari/604.1", true, pay.Redirect},
		"before a big screen": {"Mozilla/5.0 (X11; Linux x86_64)", true, pay.QR},
	} {
		t.Run(name, func(t *testing.T) {
			w := newInApps(t)
			id := w.purchase("1001")
			if test.known {
				id = w.known("1002", openID)
			}
			r := httptest.NewRequest(http.MethodPost, w.address(id), strings.NewReader("wallet=crane-pay"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("User-Agent", test.agent)
			w.browse(r)
			w.settle()
			if a := w.attempt(w.payment(id).Attempt); a.Channel != test.want || a.Status != pay.AttemptAwaiting {
				t.Errorf("%+v", a)
			}
			if page := w.get(w.address(id)).Body.String(); strings.Contains(page, "paySign") != (test.want == pay.InApp) {
				t.Errorf("%s", page)
			}
		})
	}
}

// Who pays stands nowhere in plain: not in the journal, not in the state, and not in what wallets' failures say.
func TestPayerStandsNowhereInPlain(t *testing.T) {
	w := newInApps(t)
	id := w.known("1001", openID)
	w.submit("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay", Channel: pay.InApp})
	w.settle()
	sealed := w.payment(id).Payers
	if len(sealed) != 1 || sealed[0].Person != w.gate.Person("crane-pay", openID) || sealed[0].Person == w.gate.Person("carp-pay", openID) {
		t.Fatalf("%+v", sealed)
	}
	w.calls(w.attempt(w.payment(id).Attempt).Way.Params)
	w.pass(10*time.Second, time.Second)
	w.stands(id, pay.Succeeded)
	found := false
	for _, r := range w.local.Records {
		b, err := journal.Encoding.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(openID)) {
			t.Errorf("record %d holds the payer", r.Index)
		}
		found = found || bytes.Contains(b, sealed[0].Sealed)
	}
	if !found {
		t.Error("the journal does not hold the ciphertext either: the search finds nothing")
	}
}

// Whoever was erased cannot be named to a wallet any more: the attempt comes to nothing, surely, and the payment goes on.
func TestErasedPayer(t *testing.T) {
	w := newInApps(t)
	id := w.known("1001", openID)
	w.submit("keeper", &replica.Erase{Subject: w.gate.Person("crane-pay", openID)})
	attempt := w.submit("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay", Channel: pay.InApp}).(pay.WalletAnswer).Attempt
	w.pass(2*time.Minute, 5*time.Second)
	if a := w.attempt(attempt); a.Status.Live() || a.Status == pay.AttemptPaid {
		t.Errorf("%+v", a)
	}
	w.stands(id, pay.Open)
	if book := w.wallets["crane-pay"].Status(); book.Orders != 1 { // the number, closed so that it cannot come to life
		t.Errorf("%+v", book)
	}
	other := w.choose(id, "crane-pay")
	w.settle()
	w.approve("crane-pay", other)
	w.pass(10*time.Second, time.Second)
	w.stands(id, pay.Succeeded)

	again := w.known("1002", openID)
	w.submit("lotus-market", &pay.ChooseWallet{Payment: again, Wallet: "crane-pay", Channel: pay.InApp})
	w.settle()
	if a := w.attempt(w.payment(again).Attempt); a.Status != pay.AttemptAwaiting {
		t.Errorf("the same person, who came back: %+v", a)
	}
	w.pass(time.Hour, time.Minute)
}

// What cannot be a payer is refused before anything is written.
func TestPayersAreChecked(t *testing.T) {
	w := newInApps(t)
	for name, list := range map[string][]pay.PayerAt{
		"no such wallet": {{Wallet: "swan-pay", Payer: openID}},
		"nobody":         {{Wallet: "crane-pay"}},
		"too long":       {{Wallet: "crane-pay", Payer: strings.Repeat("o", 129)}},
		"two":            {{Wallet: "crane-pay", Payer: openID}, {Wallet: "crane-pay", Payer: openID}},
	} {
		if s, err := w.gate.Seal(list); moongate.CodeOf(err) != moongate.Malformed || len(s.Payers) != 0 {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	id := w.purchase("1001")
	w.refuse("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay", Channel: pay.InApp}, moongate.Refused, "who pays")
	w.refuse("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay", Channel: "carrier pigeon"}, moongate.Malformed, "no way")
	c := w.request("1002")
	c.Payers = []pay.Payer{{Wallet: "crane-pay", Person: moongate.ID{1}, Sealed: []byte("x")}}
	w.refuse("lotus-market", c, moongate.Malformed, "sealed")
	c.Payers = []pay.Payer{{Wallet: "heron-pay", Person: w.gate.Person("crane-pay", openID), Sealed: []byte("x")}}
	w.refuse("lotus-market", c, moongate.Malformed, "not offered")
	w.pass(time.Hour, time.Minute)
}

// Two of a person's first requests at once wait for each other: a key that is on its way is the only one.
func TestFirstKeyIsTheOnlyOne(t *testing.T) {
	w := newInApps(t)
	first, err := w.gate.Seal([]pay.PayerAt{{Wallet: "crane-pay", Payer: openID}})
	if err != nil || len(first.Secrets) != 1 {
		t.Fatalf("%+v %v", first, err)
	}
	second := make(chan pay.Sealing)
	go func() {
		s, err := w.gate.Seal([]pay.PayerAt{{Wallet: "crane-pay", Payer: openID}})
		if err != nil {
			t.Error(err)
		}
		s.Done()
		second <- s
	}()
	w.people.keep(replica.Request{Command: &pay.Create{}, Secrets: first.Secrets})
	first.Done()
	if s := <-second; len(s.Secrets) != 0 || s.Payers[0].Person != first.Payers[0].Person {
		t.Errorf("another key was drawn: %+v", s)
	}
}
