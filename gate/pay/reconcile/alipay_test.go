package reconcile_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	alibox "github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

const (
	alipayApp = "2021000000000117"
	alipayPID = "2088000000000117"
)

// alipayWorld is a world in which crane-pay is Alipay: the connector at its sandbox, under one clock with the hub.
type alipayWorld struct {
	*world
	clock  *sandbox.Clock
	box    *alibox.Wallet
	wallet *alipay.Wallet
}

// nobody hears what the wallet notifies: bills do not depend on it.
type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nobody is there")
}

// boxKeys are made once: that takes a moment.
var boxKeys = sync.OnceValue(func() (list []*rsa.PrivateKey) {
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		list = append(list, key)
	}
	return list
})

func newAlipayWorld(t testing.TB) *alipayWorld {
	t.Helper()
	w := &alipayWorld{world: newWorld(t), clock: sandbox.NewClock(start.Go())}
	next := 0
	var err error
	w.box, err = alibox.New(sandbox.Config{Name: "Crane Pay", BaseURL: "https://crane.test", Now: w.clock.Now, After: w.clock.After, Carrier: nobody{}, Random: mathrand.NewChaCha8([32]byte{9}), NewKey: func() (*rsa.PrivateKey, error) {
		next++
		return boxKeys()[next%len(boxKeys())], nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.box.AddMerchant(alipayApp, alipayPID)
	if err != nil {
		t.Fatal(err)
	}
	w.wallet, err = alipay.New(alipay.Config{
		AppID: m.AppID, PID: m.PID, PrivateKey: m.PrivateKey, AlipayKey: m.AlipayKey, BaseURL: "https://crane.test", Carrier: w.box.InMemory(), Now: w.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.wallets["crane-pay"], w.accounts["crane-pay"] = w.wallet, alipayPID
	return w
}

// wait lets time pass at the hub and at the wallet.
func (w *alipayWorld) wait(d moongate.Time) {
	w.clock.Advance(time.Duration(d) * time.Microsecond)
	w.pass(d)
}

// bought is a payment as the wallet has it; the hub is told.
func (w *alipayWorld) bought(amount int64) *move {
	w.t.Helper()
	attempt := w.opened("crane-pay", amount)
	o := pay.Order{No: attempt.String(), Channel: pay.QR, Amount: money.Of(amount, money.CNY), Description: "一罐春茶", Expires: w.now + moongate.Hour, NotifyURL: "https://hub.test/pay/notify/crane-pay"}
	if _, err := w.wallet.Create(context.Background(), o); err != nil {
		w.t.Fatal(err)
	}
	if err := w.box.Approve(alipayApp, o.No); err != nil {
		w.t.Fatal(err)
	}
	out, err := w.wallet.Query(context.Background(), o.No)
	if err != nil || out.State != pay.Paid {
		w.t.Fatalf("%+v, %v", out, err)
	}
	m := &move{no: o.No, order: o.No, ref: out.WalletRef, orderRef: out.WalletRef, at: out.PaidAt, amount: amount}
	w.paid(attempt, m)
	w.wait(moongate.Second)
	return m
}

// broughtBack is a refund as the wallet has it; the hub is told.
func (w *alipayWorld) broughtBack(of *move, amount int64) {
	w.t.Helper()
	id, m := w.asked(of, amount)
	o := pay.RefundOrder{No: id.String(), OrderNo: of.no, OrderRef: of.ref, Amount: money.Of(amount, money.CNY), Total: of.amount, Reason: "returned"}
	if _, err := w.wallet.Refund(context.Background(), o); err != nil {
		w.t.Fatal(err)
	}
	w.wait(moongate.Minute)
	out, err := w.wallet.QueryRefund(context.Background(), o)
	if err != nil || out.State != pay.RefundDone {
		w.t.Fatalf("%+v, %v", out, err)
	}
	m.ref = out.WalletRef
	w.submit("", &pay.RefundReport{Refund: id, Op: pay.OpQueryRefund, Outcome: &pay.RefundEvidence{
		State: pay.RefundDone, WalletRef: out.WalletRef, Amount: money.Of(amount, money.CNY), DoneAt: w.now, Said: out.Said,
	}})
}

// fetched has the hub fetch the day's bill from the wallet.
func (w *alipayWorld) fetched(kind pay.BillKind) *reconcile.Fetched {
	w.t.Helper()
	c, err := w.importer.Handle(context.Background(), journal.Entry{Event: &reconcile.FetchDue{Name: reconcile.Name{Wallet: "crane-pay", Kind: kind, Day: today}, Try: 1}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c.(*reconcile.Fetched)
}

// TestAlipayDay: a day's trade at Alipay's sandbox through the connector, and the bill of it that the connector fetches the
// next morning (a zip archive of GBK) is the books, to the cent and the thousandth of a fee.
func TestAlipayDay(t *testing.T) {
	w := newAlipayWorld(t)
	var sales []*move
	for i := range 5 {
		sales = append(sales, w.bought(12_345+int64(i)))
	}
	w.broughtBack(sales[0], 12_345)
	w.broughtBack(sales[1], 333)
	w.broughtBack(sales[1], 4_444)
	if got := w.fetched(pay.TradeBill); got.Result != reconcile.Later {
		t.Errorf("on the day itself: %+v", got)
	}
	w.wait(moongate.Day)
	got := w.fetched(pay.TradeBill)
	if got.Result != reconcile.Got {
		t.Fatalf("%+v", got)
	}
	b := w.bill(got.Bill)
	want := int64(5*12_345 + 0 + 1 + 2 + 3 + 4 - 12_345 - 333 - 4_444)
	if s := b.Sums[0]; b.Rows != 8 || b.Matched != 8 || b.Differences != 0 || s.Theirs != want || s.Ours != want || s.Fee != 1000*s.Terms+s.Rounding || s.Untold != 0 {
		t.Errorf("%+v, want %d", b, want)
	}
	if again := w.fetched(pay.TradeBill); again.Bill != got.Bill {
		t.Errorf("taken in twice, as %s and %s", got.Bill, again.Bill)
	}
	if fund := w.fetched(pay.FundBill); fund.Result != reconcile.Got {
		t.Errorf("%+v", fund)
	} else if b := w.bill(fund.Bill); b.Matched != 8 || b.Differences != 0 || b.Sums[0].Theirs != want {
		t.Errorf("account details: %+v", b)
	}
	w.rebuilt()
}

// TestAlipayBillsThatAreNotUsed: one of another account, one of which a row is missing, one of which the summary beside the
// details says something else, and one that was cut short on the way: nothing of them is taken in.
func TestAlipayBillsThatAreNotUsed(t *testing.T) {
	w := newAlipayWorld(t)
	w.bought(100)
	w.bought(250)
	w.wait(moongate.Day)
	var archive bytes.Buffer
	if _, err := w.wallet.Bill(context.Background(), today, pay.TradeBill, &archive); err != nil {
		t.Fatal(err)
	}
	same := func(s string) string { return s }
	for name, test := range map[string]struct {
		details, summary func(string) string
		code             moongate.Code
		says             string
	}{
		"of another account": {func(s string) string { return strings.ReplaceAll(s, alipayPID, "2088000000000999") }, same, moongate.Refused, "account 2088000000000999"},
		"a row less": {func(s string) string {
			lines := strings.SplitAfter(s, "\r\n")
			return strings.Join(append(lines[:5:5], lines[6:]...), "")
		}, same, moongate.Malformed, "does not hold"},
		"another summary": {same, func(s string) string { return strings.ReplaceAll(s, "3.50", "3.51") }, moongate.Malformed, "3.51"},
	} {
		_, err := w.importer.Import(context.Background(), "keeper", reconcile.Source{Wallet: "crane-pay", Text: bytes.NewReader(rezipped(t, archive.Bytes(), test.details, test.summary))})
		if moongate.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.box.Inject(sandbox.Fault{Kind: sandbox.Garbage, Op: sandbox.OpDownload}); err != nil {
		t.Fatal(err)
	}
	if got := w.fetched(pay.TradeBill); got.Result != reconcile.Later || !strings.Contains(got.Message, "cut short") {
		t.Errorf("cut short: %+v", got)
	}
	if n := len(w.bills()); n != 0 {
		t.Errorf("%d bills were taken in", n)
	}
	if _, err := w.importer.Import(context.Background(), "keeper", reconcile.Source{Wallet: "crane-pay", Text: bytes.NewReader(rezipped(t, archive.Bytes(), same, same))}); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

func (w *alipayWorld) bills() []reconcile.BillRow {
	w.t.Helper()
	if _, err := w.store.CatchUp(context.Background(), w); err != nil {
		w.t.Fatal(err)
	}
	list, _, err := reconcile.Bills(context.Background(), w.store, reconcile.BillFilter{}, "", 10)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// rezipped changes the texts of an archive.
func rezipped(t *testing.T, archive []byte, details, summary func(string) string) []byte {
	t.Helper()
	from, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	to := zip.NewWriter(&out)
	for _, f := range from.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(simplifiedchinese.GBK.NewDecoder().Reader(r))
		if err != nil {
			t.Fatal(err)
		}
		change := details
		if strings.Contains(string(text), "汇总") {
			change = summary
		}
		packed, err := simplifiedchinese.GBK.NewEncoder().String(change(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		w, err := to.CreateHeader(&zip.FileHeader{Name: f.Name, NonUTF8: true, Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, packed); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
