package reconcile_test

import (
	"context"
	"crypto/rsa"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

// The bill that WeChat Pay's sandbox makes of a day of combined orders: the fee of each part is by the terms, but for the one part
// of which the wallet kept three fen too much, and what of that came back with a refund.
func TestWeChatPayBillOfCombinedOrders(t *testing.T) {
	w, clock := newWorld(t), sandbox.NewClock(start.Go())
	next := 0
	box, err := wechatbox.New(sandbox.Config{
		Name: "Crane Pay", BaseURL: "https://crane.test", Now: clock.Now, After: clock.After, Carrier: nobody{}, Random: mathrand.NewChaCha8([32]byte{7}),
		NewKey: func() (*rsa.PrivateKey, error) { next++; return boxKeys()[next%len(boxKeys())], nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := box.AddMerchant("1900000109", "wx8888888888888888")
	if err != nil {
		t.Fatal(err)
	}
	for seller, sub := range map[string]string{"tea-shop": "1900000201", "book-shop": "1900000202"} {
		if err := box.AddSub(m.MchID, sub); err != nil {
			t.Fatal(err)
		}
		w.submit(seller, &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: seller, Account: sub, Sub: true}})
	}
	wallet, err := wechatpay.New(wechatpay.Config{
		MchID: m.MchID, AppID: m.AppID, SerialNo: m.SerialNo, PrivateKey: m.PrivateKey, APIv3Key: m.APIv3Key, BaseURL: "https://crane.test", Platform: true,
		Now: clock.Now, Random: mathrand.NewChaCha8([32]byte{8}), Carrier: box.InMemory(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.wallets["crane-pay"], w.accounts["crane-pay"] = wallet, m.MchID
	wait := func(d moongate.Time) {
		clock.Advance(time.Duration(d) * time.Microsecond)
		w.pass(d)
	}
	bought := func(tea, book, off int64) (payment moongate.ID, parts []moongate.ID) {
		w.orders++
		payment = w.submit("lotus-market", &pay.Create{
			Order: "BASKET-" + string(rune('0'+w.orders)), From: "lotus-market", To: "tea-shop", Agreement: w.terms, Amount: money.Of(tea+book, money.CNY), Title: "Tea and a book",
			Payees: []crossing.Payee{{Party: "tea-shop", Amount: tea}, {Party: "book-shop", Amount: book}}, Wallets: []string{"crane-pay"},
		}).(pay.PaymentAnswer).Payment
		attempt := w.submit("lotus-market", &pay.ChooseWallet{Payment: payment, Wallet: "crane-pay"}).(pay.WalletAnswer).Attempt
		a, _ := w.payments.Attempt(attempt)
		o := pay.Order{No: attempt.String(), Channel: pay.QR, Amount: money.Of(tea+book, money.CNY), Description: "Tea and a book", Expires: w.now + moongate.Hour, NotifyURL: "https://hub.test/pay/notify/crane-pay"}
		for _, id := range a.Parts {
			p, _ := w.payments.Part(id)
			o.Parts = append(o.Parts, pay.OrderPart{No: id.String(), Account: p.Account, Amount: p.Amount, Tag: payment.String()})
		}
		if _, err := wallet.Create(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		if off != 0 {
			if err := box.Inject(sandbox.Fault{Kind: sandbox.WrongFee, Op: sandbox.OpApprove, No: o.Parts[1].No, Amount: off}); err != nil {
				t.Fatal(err)
			}
		}
		if err := box.Approve(m.MchID, o.No); err != nil {
			t.Fatal(err)
		}
		out, err := wallet.QueryParts(context.Background(), o.No, o.Parts)
		if err != nil || out.State != pay.Paid {
			t.Fatalf("%+v %v", out, err)
		}
		e := &pay.Evidence{State: pay.Paid, WalletRef: out.WalletRef, Amount: out.Amount, PayerTotal: out.PayerTotal, PaidAt: out.PaidAt, Said: out.Said}
		for i, p := range out.Parts {
			e.Parts = append(e.Parts, pay.PartPaid{Part: a.Parts[i], Account: p.Account, Ref: p.WalletRef, Amount: p.Amount, PayerTotal: p.PayerTotal})
		}
		w.submit("", &pay.Report{Attempt: attempt, Op: pay.OpQuery, Outcome: e})
		wait(moongate.Second)
		return payment, a.Parts
	}
	bought(12_345, 6_789, 0)
	payment, parts := bought(8_000, 2_000, 3)
	bought(100, 50, 0)

	back := w.submit("lotus-market", &pay.Refund{
		Payment: payment, Reference: "RETURN-1", Amount: 2_000, Payees: []crossing.Payee{{Party: "book-shop", Amount: 2_000}},
	}).(pay.RefundAnswer).Refund
	p, _ := w.payments.Part(parts[1])
	o := pay.RefundOrder{No: back.String(), OrderNo: parts[1].String(), OrderRef: p.Ref, Amount: money.Of(2_000, money.CNY), Total: 2_000, Sub: p.Account, Reason: "returned"}
	if _, err := wallet.Refund(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	wait(moongate.Minute)
	out, err := wallet.QueryRefund(context.Background(), o)
	if err != nil || out.State != pay.RefundDone {
		t.Fatalf("%+v %v", out, err)
	}
	w.submit("", &pay.RefundReport{Refund: back, Op: pay.OpQueryRefund, Outcome: &pay.RefundEvidence{State: pay.RefundDone, WalletRef: out.WalletRef, Amount: out.Amount, DoneAt: out.DoneAt, Said: out.Said}})

	wait(moongate.Day + 2*moongate.Hour)
	c, err := w.importer.Handle(context.Background(), journal.Entry{Event: &reconcile.FetchDue{Name: reconcile.Name{Wallet: "crane-pay", Kind: pay.TradeBill, Day: today}, Try: 1}})
	if err != nil {
		t.Fatal(err)
	}
	got := c.(*reconcile.Fetched)
	if got.Result != reconcile.Got {
		t.Fatalf("%+v", got)
	}
	b := w.bill(got.Bill)
	rows, _ := w.differences()
	if b.Rows != 7 || b.Matched != 5 || len(rows) != 2 || b.Sums[0].Theirs != b.Sums[0].Ours || b.Sums[0].Untold != 0 {
		t.Errorf("%+v %+v", b, rows)
	}
	for _, r := range rows {
		no, fee, terms := parts[1], int64(15_000), int64(12)
		if r.Refund {
			no, fee, terms = back, -15_000, -12
		}
		if r.Class != reconcile.Fee || r.Own != no || r.Fee != fee || r.Terms != terms {
			t.Errorf("%+v", r)
		}
	}
}
