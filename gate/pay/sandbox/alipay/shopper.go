package alipay

import (
	"fmt"
	"net/url"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Visit opens an order, as a shopper does by following the address or scanning the code: from then on it exists.
func (w *Wallet) Visit(appID, no string) error {
	w.Lock()
	defer w.Unlock()
	m, o, err := w.named(appID, no)
	if err == nil {
		w.visit(m, o)
	}
	return err
}

func (w *Wallet) named(appID, no string) (*merchant, *order, error) {
	m := w.merchants[appID]
	if m == nil || m.orders[no] == nil {
		return nil, nil, fmt.Errorf("%w: app %.20q number %.70q", errNotFound, appID, no)
	}
	return m, m.orders[no], nil
}

// approveOrder pays an order, as its shopper would on the page.
func (w *Wallet) approveOrder(appID, no string) error {
	m, o, err := w.named(appID, no)
	if err != nil {
		return err
	}
	w.visit(m, o)
	return w.approve(m, o)
}

func (w *Wallet) approve(m *merchant, o *order) error {
	w.touch(m, o)
	hit := w.Hits(o.No, sandbox.OpApprove)
	switch {
	case o.State == success || o.State == finished || !o.Paid.IsZero():
		return nil // pressed twice
	case o.TradeNo == "" || o.State == closed && hit[sandbox.PayClosed] == nil:
		return fmt.Errorf("sandbox: order %s is closed", o.No)
	}
	if o.Passback != "" {
		if first, paid := m.byTag[o.Passback]; paid {
			w.Violated(sandbox.RulePaidTwice, m.AppID, o.No, "passback_params %q was paid with order %s already", o.Passback, first)
		} else {
			m.byTag[o.Passback] = o.No
		}
	}
	if f := hit[sandbox.Coupon]; f != nil && f.Amount > 0 && f.Amount < o.Total {
		o.Coupon = f.Amount
	}
	o.State, o.Paid, o.Fee = success, w.Now(), w.FeeOf(o.No, o.Total)
	w.Keep("Order", o)
	w.move(m, o, "在线支付", o.Total, o.No)
	w.move(m, o, "收费", -o.Fee, o.No)
	w.tell(m, o, nil)
	return nil
}

// declineOrder records that the shopper said no. The order stays open.
func (w *Wallet) declineOrder(appID, no string) error {
	m, o, err := w.named(appID, no)
	if err != nil {
		return err
	}
	w.visit(m, o)
	o.Declined++
	w.Keep("Order", o)
	return nil
}

// page is what a shopper sees behind a token. Looking opens the orders.
func (w *Wallet) page(token string) (sandbox.Page, bool) {
	to, ok := w.handoffs[token]
	if !ok {
		return sandbox.Page{}, false
	}
	m := w.merchants[to.appID]
	first := m.orders[to.nos[0]]
	p := sandbox.Page{Description: first.Subject, No: first.No, Until: first.Expires, State: sandbox.PageOpen}
	if to.until.Before(p.Until) {
		p.Until = to.until
	}
	late := w.Now().After(p.Until)
	for _, no := range to.nos {
		o := m.orders[no]
		if !late {
			w.visit(m, o)
		} else {
			w.touch(m, o)
		}
		p.Fen += o.Total
		p.Declined = p.Declined || o.Declined > 0
		switch {
		case !o.Paid.IsZero():
			p.State = sandbox.PagePaid
		case o.State == closed && !w.Now().After(o.Expires):
			p.State = sandbox.PageClosed
		case late:
			p.State = sandbox.PageExpired
		}
	}
	switch {
	case p.State == sandbox.PagePaid && first.ReturnURL != "":
		p.Return = w.comesBack(m, first)
	case first.QuitURL != "":
		p.Return = func() string { return first.QuitURL }
	}
	return p, true
}

// decide takes the shopper's yes or no.
func (w *Wallet) decide(token string, approved bool) {
	to, ok := w.handoffs[token]
	if !ok || w.Now().After(to.until) {
		return
	}
	m := w.merchants[to.appID]
	for _, no := range to.nos {
		o := m.orders[no]
		if approved {
			_ = w.approve(m, o) // where it is too late, the page that follows says so
		} else if o.State == waiting {
			o.Declined++
			w.Keep("Order", o)
		}
	}
}

// comesBack is where the browser goes after the payment (页面回跳参数): signed, and proof of nothing all the same.
func (w *Wallet) comesBack(m *merchant, o *order) func() string {
	method := map[string]string{"PAGE": "alipay.trade.page.pay.return", "WAP": "alipay.trade.wap.pay.return"}[o.Kind]
	if method == "" {
		return func() string { return o.ReturnURL }
	}
	p := map[string]string{
		"app_id": m.AppID, "auth_app_id": m.AppID, "method": method, "charset": "utf-8", "sign_type": "RSA2", "timestamp": stamp(w.Now()), "version": "1.0",
		"out_trade_no": o.No, "trade_no": o.TradeNo, "total_amount": sandbox.Yuan(o.Total), "seller_id": m.PID,
	}
	key, to := w.signer().key, o.ReturnURL
	return func() string {
		u, err := url.Parse(to)
		if err != nil {
			return ""
		}
		signature, err := sign(key, content(p, "sign", "sign_type"))
		if err != nil {
			return ""
		}
		q := u.Query()
		for name, value := range p {
			q.Set(name, value)
		}
		q.Set("sign", signature)
		u.RawQuery = q.Encode()
		return u.String()
	}
}
