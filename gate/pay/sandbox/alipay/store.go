package alipay

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

type savedIdentity struct {
	Cert []byte // DER
	Key  []byte // PKCS #8
}

type savedMerchant struct {
	AppID, PID string
	Identity   savedIdentity
}

type savedSub struct{ AppID, SMID string }

type savedReceiver struct {
	AppID, Account, Name string
	Bound                bool
}

func (i *identity) saved() savedIdentity {
	return savedIdentity{Cert: i.cert.Raw, Key: sandbox.MarshalKey(i.key)}
}

func (s savedIdentity) load() (*identity, error) {
	key, err := sandbox.ParseKey(s.Key)
	if err != nil {
		return nil, err
	}
	return read(key, s.Cert)
}

// load puts a line of the state file back where it belongs.
func (w *Wallet) load(kind string, into func(any) error) error {
	switch kind {
	case "Root", "Signer":
		var s savedIdentity
		if err := into(&s); err != nil {
			return err
		}
		id, err := s.load()
		if err != nil {
			return err
		}
		if kind == "Root" {
			w.root = id
			return nil
		}
		w.signers = append(w.signers, id)
		w.signers = w.signers[max(0, len(w.signers)-maxSigners):]
		return nil
	case "Merchant":
		var s savedMerchant
		if err := into(&s); err != nil {
			return err
		}
		m := newMerchant(s.AppID, s.PID)
		var err error
		if m.cert, err = s.Identity.load(); err != nil {
			return err
		}
		m.key = m.cert.key
		w.merchants[s.AppID] = m
		return nil
	}
	return w.loadBook(kind, into)
}

// loadBook puts back what stands in an account's book.
func (w *Wallet) loadBook(kind string, into func(any) error) error {
	var item interface {
		account() string
		put(w *Wallet, m *merchant)
	}
	switch kind {
	case "Order":
		item = new(order)
	case "Refund":
		item = new(refund)
	case "Settle":
		item = new(settle)
	case "Merge":
		item = new(merge)
	case "Move":
		item = new(move)
	case "Sub":
		item = new(savedSub)
	case "Receiver":
		item = new(savedReceiver)
	default:
		return fmt.Errorf("%.40q is no kind of line", kind)
	}
	if err := into(item); err != nil {
		return err
	}
	m := w.merchants[item.account()]
	if m == nil {
		return errors.New("the line is about an unknown account")
	}
	item.put(w, m)
	return nil
}

func (o *order) account() string         { return o.AppID }
func (r *refund) account() string        { return r.AppID }
func (s *settle) account() string        { return s.AppID }
func (g *merge) account() string         { return g.AppID }
func (v *move) account() string          { return v.AppID }
func (s *savedSub) account() string      { return s.AppID }
func (s *savedReceiver) account() string { return s.AppID }

func (o *order) put(w *Wallet, m *merchant) {
	if m.orders[o.No] == nil {
		w.orders++
	}
	m.orders[o.No] = o
	if o.TradeNo != "" {
		m.byRef[o.TradeNo] = o
	}
	if _, paid := m.byTag[o.Passback]; o.Passback != "" && !o.Paid.IsZero() && !paid {
		m.byTag[o.Passback] = o.No
	}
}

func (r *refund) put(_ *Wallet, m *merchant) { m.refunds[refundKey(r.TradeNo, r.No)] = r }
func (s *settle) put(_ *Wallet, m *merchant) { m.settles[refundKey(s.TradeNo, s.No)] = s }
func (g *merge) put(w *Wallet, _ *merchant)  { w.merges[g.PreNo] = g }
func (v *move) put(_ *Wallet, m *merchant)   { m.moves = append(m.moves, *v) }

func (s *savedSub) put(_ *Wallet, m *merchant) { m.Subs = append(m.Subs, s.SMID) }

func (s *savedReceiver) put(_ *Wallet, m *merchant) {
	if s.Bound {
		m.receivers[s.Account] = s.Name
	} else {
		delete(m.receivers, s.Account)
	}
}

// book copies an account's book.
func (w *Wallet) book(appID string) sandbox.Book {
	var b sandbox.Book
	m := w.merchants[appID]
	if m == nil {
		return b
	}
	for _, no := range slices.Sorted(maps.Keys(m.orders)) {
		if o := m.orders[no]; !o.Paid.IsZero() {
			b.Payments = append(b.Payments, sandbox.Payment{OutTradeNo: no, TransactionID: o.TradeNo, Attach: o.Passback, Total: o.Total, Fee: o.Fee, Owed: o.Total, Sub: o.SMID})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.refunds)) {
		if r := m.refunds[key]; !r.Lost && r.Amount > 0 {
			b.Refunds = append(b.Refunds, sandbox.Refunded{
				OutRefundNo: r.No, RefundID: r.No, OutTradeNo: m.byRef[r.TradeNo].No, State: r.state(), Amount: r.Amount, FeeBack: r.FeeBack, Owed: r.Amount,
			})
		}
	}
	for _, no := range slices.Sorted(maps.Keys(m.byRef)) {
		b.Splits = append(b.Splits, m.byRef[no].splits(m)...)
	}
	slices.SortFunc(b.Splits, func(x, y sandbox.Split) int {
		return cmp.Or(cmp.Compare(x.No, y.No), cmp.Compare(x.Account, y.Account))
	})
	slices.SortFunc(b.Refunds, func(x, y sandbox.Refunded) int { return cmp.Compare(x.OutRefundNo, y.OutRefundNo) })
	return b
}

// splits are the parts of an order that others hold, what came back from each taken from its oldest parts.
func (o *order) splits(m *merchant) []sandbox.Split {
	back := map[string]int64{}
	for _, no := range o.RefundNos {
		for _, r := range m.refunds[refundKey(o.TradeNo, no)].Returns {
			back[r.Account] += r.Fen
		}
	}
	var list []sandbox.Split
	for _, no := range o.SettleNos {
		for _, p := range m.settles[refundKey(o.TradeNo, no)].Parts {
			if p.Failed {
				continue
			}
			gone := min(p.Fen, back[p.Account])
			back[p.Account] -= gone
			if p.Fen > gone {
				list = append(list, sandbox.Split{No: no, OutTradeNo: o.No, Account: p.Account, State: "SUCCESS", Amount: p.Fen - gone})
			}
		}
	}
	return list
}

func (r *refund) state() string {
	if r.Done.IsZero() {
		return "PROCESSING"
	}
	return "SUCCESS"
}
