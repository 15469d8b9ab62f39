package alipay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Bounds, so that a runaway client fills nothing.
const (
	maxFiles     = 64
	maxMerchants = 100
	maxSigners   = 4
	maxSubs      = 1000 // sub-merchants of an account
)

// Operations that this wire knows besides those of every wallet. The first five are part of [sandbox.OpCreate].
const (
	OpPage         sandbox.Op = "page"      // alipay.trade.page.pay
	OpWap          sandbox.Op = "wap"       // alipay.trade.wap.pay and .merge.pay
	OpApp          sandbox.Op = "app"       // alipay.trade.app.pay and .merge.pay, as the shopper's app brings it
	OpPrecreate    sandbox.Op = "precreate" // alipay.trade.precreate and .merge.precreate
	OpTrade        sandbox.Op = "trade"     // alipay.trade.create
	OpCancel       sandbox.Op = "cancel"
	OpReceiver     sandbox.Op = "receiver" // bind, unbind, and the list
	OpSplit        sandbox.Op = "split"    // alipay.trade.order.settle
	OpQuerySplit   sandbox.Op = "query_split"
	OpConfirm      sandbox.Op = "confirm" // alipay.trade.settle.confirm
	OpCertificates sandbox.Op = "certificates"
)

var errNotFound = errors.New("sandbox: no such order")

// Wallet is one sandbox wallet with its merchants' accounts.
type Wallet struct {
	*sandbox.Wallet
	cfg sandbox.Config

	// Under the wallet's lock.
	root      *identity
	signers   []*identity // newest last: it signs
	merchants map[string]*merchant
	handoffs  map[string]handoff
	merges    map[string]*merge // by pre_order_no
	files     map[string]billFile
	orders    int // over all merchants
}

// Merchant is what a merchant needs to reach its account, as the open platform would give it. With certificates
// (公钥证书方式) the three certificates take the place of AlipayKey.
type Merchant struct {
	AppID      string
	PID        string // the account's number: seller_id in notifications
	PrivateKey *rsa.PrivateKey
	AlipayKey  *rsa.PublicKey // checks answers and notifications

	AppCert    string // PEM: of the application's key
	AlipayCert string // PEM: of the wallet's key
	RootCert   string // PEM: of who signed both
}

// KeyText is a private key as the platform's tools and the SDKs take it: base64 of PKCS #8, or of PKCS #1 for SDKs that
// want that, without the lines of PEM.
func (m *Merchant) KeyText(pkcs1 bool) string {
	der := sandbox.MarshalKey(m.PrivateKey)
	if pkcs1 {
		der = x509.MarshalPKCS1PrivateKey(m.PrivateKey)
	}
	return bare(der)
}

// AlipayKeyText is the wallet's public key in the same form.
func (m *Merchant) AlipayKeyText() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(m.AlipayKey)
	if err != nil {
		return "", fmt.Errorf("sandbox: public key: %w", err)
	}
	return bare(der), nil
}

func bare(der []byte) string {
	lines := strings.Split(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "KEY", Bytes: der}))), "\n")
	return strings.Join(lines[1:len(lines)-1], "")
}

// merchant is an account with its book.
type merchant struct {
	AppID, PID string
	key        *rsa.PrivateKey
	cert       *identity
	Subs       []string           // sub-merchants, by their smid
	orders     map[string]*order  // by out_trade_no
	byRef      map[string]*order  // opened ones, by trade_no
	byTag      map[string]string  // passback_params of the paid → the first out_trade_no
	refunds    map[string]*refund // by trade_no and out_request_no
	receivers  map[string]string  // bound receivers of splits: account → name
	settles    map[string]*settle // by trade_no and out_request_no
	moves      []move             // of the account, oldest first
	certs      bool               // its last request came with certificates
	called     []time.Time        // when it split, within the last second
}

func newMerchant(appID, pid string) *merchant {
	return &merchant{
		AppID: appID, PID: pid, orders: map[string]*order{}, byRef: map[string]*order{}, byTag: map[string]string{}, refunds: map[string]*refund{},
		receivers: map[string]string{}, settles: map[string]*settle{},
	}
}

// New makes a wallet, or reads it back from Config.State.
func New(cfg sandbox.Config) (*Wallet, error) {
	w := &Wallet{merchants: map[string]*merchant{}, handoffs: map[string]handoff{}, merges: map[string]*merge{}, files: map[string]billFile{}}
	base, err := sandbox.New(cfg, sandbox.Wire{
		Account: "app_id", Codes: Codes(), Schedule: schedule, Acknowledged: acknowledged,
		Deliver: w.delivery, Load: w.load, Start: w.start,
		Approve: w.approveOrder, Decline: w.declineOrder, Page: w.page, Answer: w.decide, Book: w.book,
		Status: func(s *sandbox.Status) {
			s.Serial, s.Orders, s.Accounts = w.signer().serial, w.orders, slices.Sorted(maps.Keys(w.merchants))
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

// Codes lists the error codes that a fault can force, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(catalogue)) }

// start makes root and first key, and sees refunds through that were under way.
func (w *Wallet) start() error {
	if w.root == nil {
		key, err := w.cfg.NewKey()
		if err != nil {
			return err
		}
		if w.root, err = w.issue(key, "root", nil); err != nil {
			return err
		}
		w.Keep("Root", w.root.saved())
	}
	if len(w.signers) == 0 {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	for _, appID := range slices.Sorted(maps.Keys(w.merchants)) {
		m := w.merchants[appID]
		for _, key := range slices.Sorted(maps.Keys(m.refunds)) {
			if r := m.refunds[key]; r.Done.IsZero() && !r.Lost {
				w.finishLater(r)
			}
		}
	}
	return nil
}

var (
	appNumber  = regexp.MustCompile(`^20[0-9]{14}$`)
	userNumber = regexp.MustCompile(`^2088[0-9]{12}$`)
)

// AddMerchant opens an account, or gives the credentials of one that is open already.
func (w *Wallet) AddMerchant(appID, pid string) (Merchant, error) {
	w.Lock()
	defer w.Unlock()
	if m, ok := w.merchants[appID]; ok {
		if m.PID != pid {
			return Merchant{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("app %s belongs to account %s", appID, m.PID), Hint: "use that account"}
		}
		return w.credentials(m), nil
	}
	if len(w.merchants) >= maxMerchants || !appNumber.MatchString(appID) || !userNumber.MatchString(pid) {
		return Merchant{}, &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("app %.20q of account %.20q cannot be opened", appID, pid), Hint: "an app id is 16 digits from 20, an account 16 digits from 2088; a hundred apps at most"}
	}
	key, err := w.cfg.NewKey()
	if err != nil {
		return Merchant{}, err
	}
	m := newMerchant(appID, pid)
	m.key = key
	if m.cert, err = w.issue(key, appID, w.root); err != nil {
		return Merchant{}, err
	}
	w.merchants[appID] = m
	w.Keep("Merchant", savedMerchant{AppID: appID, PID: pid, Identity: m.cert.saved()})
	return w.credentials(m), nil
}

func (w *Wallet) credentials(m *merchant) Merchant {
	return Merchant{
		AppID: m.AppID, PID: m.PID, PrivateKey: m.key, AlipayKey: &w.signer().key.PublicKey,
		AppCert: m.cert.pem(), AlipayCert: w.signer().pem(), RootCert: w.root.pem(),
	}
}

// AddSub registers a sub-merchant (直付通二级商户) of an account.
func (w *Wallet) AddSub(appID, smid string) error {
	w.Lock()
	defer w.Unlock()
	m := w.merchants[appID]
	if m == nil || !userNumber.MatchString(smid) || len(m.Subs) >= maxSubs {
		return &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("sub-merchant %.20q of app %.20q cannot be registered", smid, appID), Hint: "a sub-merchant is 16 digits from 2088"}
	}
	if !slices.Contains(m.Subs, smid) {
		m.Subs = append(m.Subs, smid)
		w.Keep("Sub", savedSub{AppID: appID, SMID: smid})
	}
	return nil
}
