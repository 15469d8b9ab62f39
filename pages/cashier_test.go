package pages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/pages/look"
)

// shopper is somebody at the cashier with a real browser. The wallet's page is another site: the browser goes there and
// comes back by clicks, and learns everything else by looking.
type shopper struct {
	*world
	*look.Browser
	t *testing.T
}

// on chooses a window and a taste. A phone reads Chinese by day, a desk English by night.
func (s *shopper) on(device string) (taste string) {
	s.t.Helper()
	if device == "phone" {
		s.Window(s.t, 360, 740)
		return "?lang=zh&theme=light"
	}
	s.Window(s.t, 1280, 860)
	return "?lang=en&theme=dark"
}

// at goes to the cashier of a payment.
func (s *shopper) at(payment moongate.ID, device string) {
	s.t.Helper()
	s.Do(s.t, chromedp.Navigate(s.hub.Payments.Address(payment)+s.on(device)), chromedp.WaitReady("#main"))
}

// sees waits until the open page is in a state, without loading it again, and looks at it.
func (s *shopper) sees(state, name string) {
	s.t.Helper()
	s.Do(s.t, chromedp.WaitVisible(".till."+state))
	s.Check(s.t, "live-cashier-"+name)
}

func (s *shopper) click(what string) {
	s.t.Helper()
	s.Do(s.t, chromedp.WaitVisible(what), chromedp.Click(what))
}

// says fails where the page does not say something.
func (s *shopper) says(words ...string) {
	s.t.Helper()
	text := look.Ask[string](s.t, s.Browser, `document.body.innerText`)
	for _, want := range words {
		if !strings.Contains(text, want) {
			s.t.Errorf("the page does not say %q: %q", want, text)
		}
	}
}

// crane is the button of the only wallet.
const crane = `button[value="crane-pay"]`

// At the cashier a shopper meets each state that a payment can be in, by clicks alone.
func TestCashierInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("the browser takes a while")
	}
	w := open(t)
	w.settle()
	b := look.Open(t)
	for _, c := range []struct {
		name string
		do   func(*shopper)
	}{
		{"scan, change one's mind, pay", scanAndPay},
		{"on a phone, by way of the wallet's page", payOnAPhone},
		{"without scripts", payWithoutScripts},
		{"the wallet does not answer", waitForTheWallet},
		{"the wallet will not have it", beTurnedDown},
		{"time runs out", runOutOfTime},
		{"the merchant calls it off", beCalledOff},
		{"paid too late", payTooLate},
		{"what does not add up", payWhatDoesNotAddUp},
		{"refunds", getRefunds},
		{"no such payment", findNothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer w.wallet.Clear()
			c.do(&shopper{world: w, Browser: b, t: t})
			b.Quiet(t)
		})
	}
}

func scanAndPay(s *shopper) {
	payment := s.sell("LIVE-1", 26800, "")
	s.at(payment, "desk")
	s.sees("choosing", "choosing-desk")
	s.says("268.00", "Lotus Market", "Teapot No. 7")
	s.click(crane)
	s.sees("awaiting", "awaiting-desk")
	first := look.Ask[string](s.t, s.Browser, `document.querySelector('.left').textContent`)
	s.Do(s.t, chromedp.WaitVisible(".code svg"))
	s.until("the clock goes on", func() bool {
		return look.Ask[string](s.t, s.Browser, `document.querySelector('.left').textContent`) != first
	})
	s.click(`button[value=""]`)
	s.sees("choosing", "choosing-again-desk")
	s.click(crane)
	s.Do(s.t, chromedp.WaitVisible(".till.awaiting"))
	s.approve(payment)
	s.sees("succeeded", "paid-desk")
	s.says("Paid. Thank you.", "On to Lotus Market")
	if look.Ask[bool](s.t, s.Browser, `document.querySelector('#live').hasAttribute('hx-get')`) {
		s.t.Error("the page goes on asking after the payment is paid")
	}
}

func payOnAPhone(s *shopper) {
	payment := s.sell("LIVE-2", 9900, "")
	s.at(payment, "phone")
	s.sees("choosing", "choosing-phone")
	s.click(crane)
	s.sees("awaiting", "handoff-phone")
	if look.Ask[bool](s.t, s.Browser, `!!document.querySelector('.code')`) {
		s.t.Error("a phone is shown a code that only another phone could scan")
	}
	s.click(".hand a.wallet")
	s.Do(s.t, chromedp.WaitVisible(".yes"))
	s.Check(s.t, "live-wallet-phone")
	s.click(".no-thanks")
	s.Do(s.t, chromedp.WaitVisible(".note"))
	s.Check(s.t, "live-wallet-declined-phone")
	s.click("main.open .back")
	s.sees("awaiting", "declined-phone")
	s.click(".hand a.wallet")
	s.click(".yes")
	s.Do(s.t, chromedp.WaitVisible("main.paid"))
	s.Check(s.t, "live-wallet-paid-phone")
	s.click(".back")
	s.sees("succeeded", "paid-phone")
	s.says("付款成功")
}

// payWithoutScripts: the page loads itself again until it knows.
func payWithoutScripts(s *shopper) {
	payment := s.sell("LIVE-3", 9900, "")
	s.Scripts(s.t, false)
	defer s.Scripts(s.t, true)
	s.at(payment, "phone")
	s.click(crane)
	s.Do(s.t, chromedp.WaitVisible(".till.awaiting .hand a.wallet"))
	s.click(".hand a.wallet")
	s.click(".yes")
	s.click("main.paid .back")
	s.Do(s.t, chromedp.WaitVisible(".till.succeeded"))
}

func waitForTheWallet(s *shopper) {
	s.fault(sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpCreate, Times: -1})
	s.fault(sandbox.Fault{Kind: sandbox.DropBefore, Op: sandbox.OpQuery, Times: -1})
	payment := s.sell("LIVE-4", 9900, "")
	s.at(payment, "phone")
	s.click(crane)
	s.until("the outcome is unknown", func() bool { return s.stage(payment) == pay.AttemptUnknown })
	s.sees("unknown", "unknown-phone")
	s.says("正在向白鹤支付查询付款结果", "不会被重复扣款")
	s.on("desk")
	s.Do(s.t, chromedp.Navigate(s.hub.Payments.Address(payment)+"?lang=en&theme=dark"))
	s.sees("unknown", "unknown-desk")
	s.wallet.Clear()
	s.ahead.Add(int64(time.Minute)) // the next question to the wallet is due
	s.Do(s.t, chromedp.WaitVisible(".till.awaiting"))
	s.approve(payment)
	s.Do(s.t, chromedp.WaitVisible(".till.succeeded"))
}

func beTurnedDown(s *shopper) {
	s.fault(sandbox.Fault{Kind: sandbox.Refuse, Op: sandbox.OpCreate, Code: "NO_AUTH"})
	payment := s.sell("LIVE-5", 9900, "")
	s.at(payment, "phone")
	s.click(crane)
	s.sees("failed", "failed-phone")
	s.says("您没有被扣款")
	s.click(crane) // and tries again
	s.Do(s.t, chromedp.WaitVisible(".till.awaiting"))
	s.approve(payment)
	s.Do(s.t, chromedp.WaitVisible(".till.succeeded"))
}

func runOutOfTime(s *shopper) {
	payment := s.offer("LIVE-6", func(c *pay.Create) { c.Expires = s.now() + 3*moongate.Minute })
	s.at(payment, "phone")
	s.click(crane)
	s.Do(s.t, chromedp.WaitVisible(".till.awaiting"))
	s.ahead.Add(int64(4 * time.Minute))
	s.sees("expired", "expired-phone")
	s.says("付款时间已过", "您没有被扣款")
	s.at(payment, "desk")
	s.sees("expired", "expired-desk")
}

func beCalledOff(s *shopper) {
	payment := s.sell("LIVE-7", 9900, "")
	s.at(payment, "desk")
	s.Do(s.t, chromedp.WaitVisible(".till.choosing"))
	do[pay.PaymentAnswer](s.world, "mall", &pay.Cancel{Payment: payment})
	s.sees("cancelled", "cancelled-desk")
	s.says("You have not been charged")
}

// payTooLate: the shopper was typing at the wallet while the merchant gave up. The shopper was charged, and is told so.
func payTooLate(s *shopper) {
	late := func(order string) moongate.ID {
		s.fault(sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
		payment := s.sell(order, 9900, "")
		s.at(payment, "phone")
		s.click(crane)
		s.click(".hand a.wallet")
		s.Do(s.t, chromedp.WaitVisible(".yes"))
		do[pay.PaymentAnswer](s.world, "mall", &pay.Cancel{Payment: payment})
		s.until("it is called off", func() bool { return s.status(payment) == pay.Cancelled })
		s.click(".yes")
		s.until("the hub hears of it", func() bool { return s.stage(payment) == pay.AttemptPaid })
		return payment
	}
	s.fault(sandbox.Fault{Kind: sandbox.RefundAbnormal, Op: sandbox.OpRefund}) // the card is gone: it takes its time
	stuck := late("LIVE-8")
	s.until("its refund waits for a person", func() bool {
		found, _, err := pay.Refunds(s.t.Context(), s.hub.Views, pay.RefundFilter{Payment: stuck, Status: pay.RefundHeldUp}, "", 1)
		return err == nil && len(found) == 1
	})
	s.at(stuck, "phone")
	s.sees("late", "late-phone")
	s.says("99.00", "自动原路退回")
	s.at(late("LIVE-8a"), "desk")
	s.sees("refunded", "late-returned-desk")
}

func payWhatDoesNotAddUp(s *shopper) {
	payment := s.sell("LIVE-9", 9900, "the items do not add up")
	s.pay(payment)
	s.at(payment, "desk")
	s.sees("held", "held-desk")
	s.says("You need not pay again")
}

func getRefunds(s *shopper) {
	payment := s.sell("LIVE-10", 9900, "")
	s.pay(payment)
	s.refund(payment, "LIVE-10-r1", 2500)
	s.at(payment, "phone")
	s.sees("partly_refunded", "partly-refunded-phone")
	s.refund(payment, "LIVE-10-r2", 7400)
	s.at(payment, "desk")
	s.sees("refunded", "refunded-desk")
	s.says("99.00")
}

func findNothing(s *shopper) {
	s.on("phone")
	s.Do(s.t, chromedp.Navigate(s.url+"/pay/nothing?lang=zh&theme=light"), chromedp.WaitVisible(".page-problem"))
	s.Forget() // of the answer's 404
	s.Check(s.t, "live-cashier-nothing-phone")
}

func (s *shopper) fault(f sandbox.Fault) {
	s.t.Helper()
	if err := s.wallet.Inject(f); err != nil {
		s.t.Fatal(err)
	}
}

func (w *world) status(payment moongate.ID) (status pay.Status) {
	w.hub.Machine().Read(func() {
		p, _ := w.hub.Pay.Lookup(payment)
		status = p.Status
	})
	return status
}

func (w *world) stage(payment moongate.ID) (stage pay.AttemptStatus) {
	w.hub.Machine().Read(func() {
		p, _ := w.hub.Pay.Lookup(payment)
		a, _ := w.hub.Pay.Attempt(p.Attempt)
		stage = a.Status
	})
	return stage
}

// offer asks for a payment that differs from the usual one.
func (w *world) offer(order string, change func(*pay.Create)) moongate.ID {
	w.t.Helper()
	c := &pay.Create{
		Order: order, From: "news", To: "mall", Agreement: w.agreement, Amount: money.Of(9900, money.CNY), Title: "Teapot No. 7, celadon glaze",
		Payees: []crossing.Payee{{Party: "kiln", Amount: 9900}}, ReturnURL: w.url + "/console",
	}
	change(c)
	if err := w.hub.Payments.Offer(c); err != nil {
		w.t.Fatal(err)
	}
	return do[pay.PaymentAnswer](w, "mall", c).Payment
}

// refund gives some money back, and waits until the wallet has done it.
func (w *world) refund(payment moongate.ID, reference string, amount int64) {
	w.t.Helper()
	before := w.back(payment)
	do[pay.RefundAnswer](w, "mall", &pay.Refund{Payment: payment, Reference: reference, Amount: amount})
	w.until("the money is back", func() bool { return w.back(payment) == before+amount })
}

func (w *world) back(payment moongate.ID) (minor int64) {
	w.hub.Machine().Read(func() {
		p, _ := w.hub.Pay.Lookup(payment)
		minor = p.Refunded
	})
	return minor
}
