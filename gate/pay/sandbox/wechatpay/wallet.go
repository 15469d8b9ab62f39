package wechatpay

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Documented waits.
const (
	refundTime = 5 * time.Second // until a refund is done
	refundGap  = time.Minute     // between two refunds of one order
)

// Bounds, so that a runaway client fills nothing.
const (
	maxFiles     = 64
	maxMerchants = 100
	maxSubs      = 1000 // of one platform
)

// Operations that this wire knows besides those of every wallet.
const (
	OpCertificates sandbox.Op = "certificates"
	OpNative       sandbox.Op = "native" // part of [sandbox.OpCreate]
	OpH5           sandbox.Op = "h5"     // parts of it too
	OpJSAPI        sandbox.Op = "jsapi"
	OpApp          sandbox.Op = "app"
)

var errNotFound = errors.New("sandbox: no such order")

// Wallet is one sandbox wallet with its merchants' accounts.
type Wallet struct {
	*sandbox.Wallet
	cfg sandbox.Config

	// Under the wallet's lock.
	platform  []*platform
	public    *platform // the public key, once somebody asked for it; it has no certificate
	merchants map[string]*merchant
	handoffs  map[string]handoff
	files     map[string]billFile
	orders    int // over all merchants
}

// Merchant is what a merchant needs to reach its account, as the merchant platform would give it.
type Merchant struct {
	MchID      string
	AppID      string
	SerialNo   string
	PrivateKey *rsa.PrivateKey
	APIv3Key   string
	Subs       []string // sub-merchants (二级商户) of a platform, which then sells for them alone
}

// merchant is an account with its book.
type merchant struct {
	Merchant
	orders    map[string]*order    // by out_trade_no
	combined  map[string]*combined // by combine_out_trade_no
	byRef     map[string]*order    // paid ones, by transaction_id
	byAttach  map[string]string    // attach of the paid → the first out_trade_no
	refunds   map[string]*refund   // by out_refund_no
	splits    map[string]*split    // by out_order_no
	returns   map[string]*returned // by out_return_no
	receivers []string             // accounts that may get parts
	public    bool                 // its last request asked for the public key
}

func newMerchant(m Merchant) *merchant {
	return &merchant{
		Merchant: m, orders: map[string]*order{}, combined: map[string]*combined{}, byRef: map[string]*order{}, byAttach: map[string]string{}, refunds: map[string]*refund{},
		splits: map[string]*split{}, returns: map[string]*returned{},
	}
}

// New makes a wallet, or reads it back from Config.State.
func New(cfg sandbox.Config) (*Wallet, error) {
	w := &Wallet{merchants: map[string]*merchant{}, handoffs: map[string]handoff{}, files: map[string]billFile{}}
	base, err := sandbox.New(cfg, sandbox.Wire{
		Account: "mchid", Codes: Codes(), Schedule: schedule,
		Acknowledged: func(status int, _ []byte) bool { return status == http.StatusOK || status == http.StatusNoContent },
		Deliver:      w.delivery, Load: w.load, Start: w.start,
		Approve: w.approveOrder, Decline: w.declineOrder, Page: w.page, Answer: w.decide, Book: w.book,
		Status: func(s *sandbox.Status) {
			s.Serial, s.Orders, s.Accounts = w.signer(nil).serial, w.orders, slices.Sorted(maps.Keys(w.merchants))
		},
	})
	if err != nil {
		return nil, err
	}
	w.Wallet, w.cfg = base, base.Config()
	w.routes()
	if err := w.Open(); err != nil {
		return nil, err
	}
	return w, nil
}

// start makes the first platform certificate, and sees refunds through that were under way.
func (w *Wallet) start() error {
	if len(w.platform) == 0 {
		if err := w.rotate(w.Now()); err != nil {
			return err
		}
	}
	for _, mchID := range slices.Sorted(maps.Keys(w.merchants)) {
		m := w.merchants[mchID]
		for _, no := range slices.Sorted(maps.Keys(m.refunds)) {
			if r := m.refunds[no]; r.State == processing {
				w.finishLater(r)
			}
		}
		for _, no := range slices.Sorted(maps.Keys(m.splits)) {
			if s := m.splits[no]; s.State == processing {
				w.splitLater(s)
			}
		}
		for _, no := range slices.Sorted(maps.Keys(m.returns)) {
			if r := m.returns[no]; r.Result == processing {
				w.returnLater(r)
			}
		}
	}
	return nil
}

// AddMerchant opens an account, or gives the credentials of one that is open already.
func (w *Wallet) AddMerchant(mchID, appID string) (Merchant, error) {
	w.Lock()
	defer w.Unlock()
	if m, ok := w.merchants[mchID]; ok {
		if m.AppID != appID {
			return Merchant{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("merchant %s is bound to app %s", mchID, m.AppID), Hint: "use that app id"}
		}
		return m.Merchant, nil
	}
	if len(w.merchants) >= maxMerchants || !digits(mchID, 8, 12) || appID == "" || len(appID) > 32 {
		return Merchant{}, &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("merchant %.20q with app %.40q cannot be opened", mchID, appID), Hint: "a merchant number is 8 to 12 digits; a hundred merchants at most"}
	}
	key, err := w.cfg.NewKey()
	if err != nil {
		return Merchant{}, err
	}
	m := newMerchant(Merchant{MchID: mchID, AppID: appID, SerialNo: w.Hex(20), PrivateKey: key, APIv3Key: w.Token(32)})
	w.merchants[mchID] = m
	w.Keep("Merchant", m.saved())
	return m.Merchant, nil
}

// AddSub makes an account a sub-merchant of a platform.
func (w *Wallet) AddSub(mchID, sub string) error {
	w.Lock()
	defer w.Unlock()
	m := w.merchants[mchID]
	switch {
	case m == nil || !digits(sub, 8, 12) || sub == mchID || len(m.Subs) >= maxSubs:
		return &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("%.20q cannot be a sub-merchant of %.20q", sub, mchID), Hint: "a merchant number is 8 to 12 digits"}
	case m.sells(sub):
		return nil
	}
	m.Subs = append(m.Subs, sub)
	w.Keep("Merchant", m.saved())
	return nil
}

func digits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == ""
}
