package wechatpay

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

type savedPlatform struct {
	Cert  []byte // DER
	Key   []byte // PKCS #8
	Signs time.Time
}

type savedPublic struct {
	ID  string
	Key []byte // PKCS #8
}

type savedMerchant struct {
	MchID, AppID, SerialNo, APIv3Key string
	Key                              []byte   // PKCS #8
	Subs                             []string `json:",omitempty"`
}

func (p *platform) saved() *savedPlatform {
	return &savedPlatform{Cert: p.cert.Raw, Key: sandbox.MarshalKey(p.key), Signs: p.signs}
}

func (m *merchant) saved() *savedMerchant {
	return &savedMerchant{MchID: m.MchID, AppID: m.AppID, SerialNo: m.SerialNo, APIv3Key: m.APIv3Key, Key: sandbox.MarshalKey(m.PrivateKey), Subs: m.Subs}
}

// load puts a line of the state file back where it belongs.
func (w *Wallet) load(kind string, into func(any) error) error {
	switch kind {
	case "Platform":
		var s savedPlatform
		if err := into(&s); err != nil {
			return err
		}
		return w.loadPlatform(s)
	case "Public":
		var s savedPublic
		if err := into(&s); err != nil {
			return err
		}
		key, err := sandbox.ParseKey(s.Key)
		if err != nil {
			return err
		}
		w.public = &platform{key: key, serial: s.ID}
	case "Merchant":
		var s savedMerchant
		if err := into(&s); err != nil {
			return err
		}
		key, err := sandbox.ParseKey(s.Key)
		if err != nil {
			return err
		}
		if m := w.merchants[s.MchID]; m != nil { // it got another sub-merchant
			m.Subs = s.Subs
			return nil
		}
		w.merchants[s.MchID] = newMerchant(Merchant{MchID: s.MchID, AppID: s.AppID, SerialNo: s.SerialNo, APIv3Key: s.APIv3Key, PrivateKey: key, Subs: s.Subs})
	case "Order":
		o := new(order)
		if err := into(o); err != nil {
			return err
		}
		return w.loadOrder(o)
	case "Refund":
		r := new(refund)
		if err := into(r); err != nil {
			return err
		}
		m := w.merchants[r.MchID]
		if m == nil {
			return fmt.Errorf("refund %q of an unknown merchant", r.No)
		}
		m.refunds[r.No] = r
	case "Combined":
		g := new(combined)
		if err := into(g); err != nil {
			return err
		}
		m := w.merchants[g.MchID]
		if m == nil || slices.ContainsFunc(g.Parts, func(no string) bool { return m.orders[no] == nil }) || len(g.Parts) == 0 {
			return fmt.Errorf("combined order %q of an unknown merchant or of unknown parts", g.No)
		}
		m.combined[g.No] = g
	case "Receiver", "Split", "Return":
		return w.loadSplit(kind, into)
	default:
		return fmt.Errorf("%.40q is no kind of line", kind)
	}
	return nil
}

// loadSplit puts a line about profit sharing back.
func (w *Wallet) loadSplit(kind string, into func(any) error) error {
	var r savedReceiver
	s, back := new(split), new(returned)
	of := map[string]any{"Receiver": &r, "Split": s, "Return": back}[kind]
	if err := into(of); err != nil {
		return err
	}
	m := w.merchants[r.MchID+s.MchID+back.MchID]
	if m == nil {
		return fmt.Errorf("%s of an unknown merchant", kind)
	}
	switch kind {
	case "Split":
		m.splits[s.No] = s
	case "Return":
		m.returns[back.No] = back
	default:
		m.receivers = slices.DeleteFunc(m.receivers, func(a string) bool { return a == r.Account })
		if !r.Gone {
			m.receivers = append(m.receivers, r.Account)
		}
	}
	return nil
}

func (w *Wallet) loadPlatform(s savedPlatform) error {
	key, err := sandbox.ParseKey(s.Key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(s.Cert)
	if err != nil {
		return err
	}
	w.platform = append(w.platform, &platform{key: key, cert: cert, serial: strings.ToUpper(hex.EncodeToString(cert.SerialNumber.Bytes())), signs: s.Signs})
	w.platform = w.platform[max(0, len(w.platform)-2):]
	return nil
}

func (w *Wallet) loadOrder(o *order) error {
	m := w.merchants[o.MchID]
	if m == nil {
		return fmt.Errorf("order %q of an unknown merchant", o.No)
	}
	if m.orders[o.No] == nil {
		w.orders++
	}
	m.orders[o.No] = o
	if o.TransactionID != "" {
		m.byRef[o.TransactionID] = o
		if _, paid := m.byAttach[o.Attach]; o.Attach != "" && !paid {
			m.byAttach[o.Attach] = o.No
		}
	}
	return nil
}

// book copies a merchant's book.
func (w *Wallet) book(mchID string) sandbox.Book {
	var b sandbox.Book
	m := w.merchants[mchID]
	if m == nil {
		return b
	}
	for _, no := range slices.Sorted(maps.Keys(m.orders)) {
		if o := m.orders[no]; o.TransactionID != "" {
			b.Payments = append(b.Payments, sandbox.Payment{OutTradeNo: no, TransactionID: o.TransactionID, Attach: o.Attach, Total: o.Total, Fee: o.Fee, Owed: o.owed(), Sub: o.Sub})
		}
	}
	for _, no := range slices.Sorted(maps.Keys(m.refunds)) {
		if r := m.refunds[no]; r.State != closed {
			b.Refunds = append(b.Refunds, sandbox.Refunded{OutRefundNo: no, RefundID: r.RefundID, OutTradeNo: r.OrderNo, State: r.State, Amount: r.Amount, FeeBack: r.FeeBack, Owed: r.Owed})
		}
	}
	for _, no := range slices.Sorted(maps.Keys(m.splits)) {
		s := m.splits[no]
		for i := range s.Receivers {
			if r := &s.Receivers[i]; r.Result != closed && r.Amount > r.Returned {
				b.Splits = append(b.Splits, sandbox.Split{No: no, OutTradeNo: s.OrderNo, Account: r.Account, State: r.Result, Amount: r.Amount - r.Returned})
			}
		}
	}
	return b
}
