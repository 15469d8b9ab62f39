package alipay

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	sdk "github.com/smartwalle/alipay/v3"
	"github.com/smartwalle/nsign"

	"github.com/moongate-hub/moongate"
)

// Product is a contract of the account with the wallet, and with it a way to pay.
type Product string

// Products.
const (
	FaceToFace Product = "face_to_face" // 当面付: QR codes
	Wap        Product = "wap"          // 手机网站支付: pages for phones
	Page       Product = "page"         // 电脑网站支付: pages for desktops
	InApps     Product = "app"          // APP 支付: the merchant's app
)

// home is Alipay itself.
const home = "https://openapi.alipay.com"

// Config names a merchant account and the world the connector lives in. Secrets come from files or the environment;
// formatting a Config shows none.
type Config struct {
	AppID      string          // application of the open platform, 16 digits
	PID        string          // the account's number, 16 digits from 2088: seller_id in notifications
	PrivateKey *rsa.PrivateKey // of the application

	// With a key (公钥方式) AlipayKey checks answers. With certificates (公钥证书方式) these three do, each PEM: the
	// application's, the wallet's, and the roots that the wallet publishes (alipayRootCert.crt). A new certificate of the
	// wallet's is then fetched by its serial, and taken where a root has signed it.
	AlipayKey  *rsa.PublicKey
	AppCert    string
	AlipayCert string
	RootCert   string

	Products []Product // 当面付 and 手机网站支付 where empty
	SplitBPS int64     // the most that may be split off an order, basis points; 0 where the account has no 商家分账
	Direct   bool      // the account is a platform of 直付通: orders may be for one of its sub-merchants

	BaseURL string            // empty for Alipay itself; a sandbox otherwise. No path. Plain http only to loopback.
	Carrier http.RoundTripper // how requests travel; nil for http.DefaultTransport
	Timeout time.Duration     // of one call; 10 s where zero
	Now     func() time.Time  // the clock
}

// String names the account without its secrets.
func (c Config) String() string { return fmt.Sprintf("alipay app %s account %s", c.AppID, c.PID) }

// GoString is [Config.String], so that %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

var (
	appNumber  = regexp.MustCompile(`^[0-9]{16}$`)
	userNumber = regexp.MustCompile(`^2088[0-9]{12}$`)
)

// Check says what is missing or wrong, naming the field.
func (c Config) Check() error {
	bad := func(field, message, hint string) error {
		return &moongate.Error{Code: moongate.Malformed, Field: field, Message: message, Hint: hint}
	}
	certs := c.AppCert != "" || c.AlipayCert != "" || c.RootCert != ""
	switch {
	case !appNumber.MatchString(c.AppID):
		return bad("app_id", fmt.Sprintf("%.40q is not an app id", c.AppID), "it has 16 digits")
	case !userNumber.MatchString(c.PID):
		return bad("merchant_id", fmt.Sprintf("%.40q is not an account's number", c.PID), "it has 16 digits from 2088 (合作伙伴身份 PID)")
	case c.PrivateKey == nil:
		return bad("private_key", "private key of the application is missing", "it is the one whose public half the open platform has")
	case c.PrivateKey.N.BitLen() < 2048:
		return bad("private_key", fmt.Sprintf("key has %d bits", c.PrivateKey.N.BitLen()), "RSA2 wants 2048")
	case certs == (c.AlipayKey != nil):
		return bad("public_key", "either the wallet's public key, or three certificates", "as the application is set up on the open platform: 公钥 or 公钥证书")
	case certs && (c.AppCert == "" || c.AlipayCert == "" || c.RootCert == ""):
		return bad("app_cert", "the three certificates come together", "appCertPublicKey, alipayCertPublicKey_RSA2 and alipayRootCert of the open platform")
	case c.AlipayKey != nil && c.AlipayKey.N.BitLen() < 2048:
		return bad("public_key", fmt.Sprintf("key has %d bits", c.AlipayKey.N.BitLen()), "it is 支付宝公钥 of the open platform, not the application's own")
	case c.AlipayKey != nil && c.AlipayKey.Equal(c.PrivateKey.Public()):
		return bad("public_key", "this is the application's own public key", "it is 支付宝公钥 of the open platform")
	case c.SplitBPS < 0 || c.SplitBPS > 10_000:
		return bad("split_bps", fmt.Sprintf("%d basis points may be split off", c.SplitBPS), "0 to 10000")
	case c.Now == nil:
		return bad("", "clock is not wired", "this is a mistake in the program")
	}
	for _, p := range c.Products {
		if !slices.Contains([]Product{FaceToFace, Wap, Page, InApps}, p) {
			return bad("products", fmt.Sprintf("%.40q is no product", p), "face_to_face, wap, page, app")
		}
	}
	return checkBase(c.BaseURL)
}

func checkBase(base string) error {
	if base == "" {
		return nil
	}
	bad := &moongate.Error{Code: moongate.Malformed, Field: "base_url", Message: fmt.Sprintf("%.80q cannot be a wallet's address", base), Hint: "write scheme and host only: https everywhere, http to loopback"}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return bad
	}
	if u.Scheme == "https" {
		return nil
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "http" || (u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return bad
	}
	return nil
}

// Wallet is a [pay.Wallet] at Alipay, and what its abilities say.
//
// [pay.Wallet]: https://pkg.go.dev/github.com/moongate-hub/moongate/gate/pay#Wallet
type Wallet struct {
	cfg    Config
	client *sdk.Client
	trust  *trust
}

// New makes a connector. It does no I/O.
func New(cfg Config) (*Wallet, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Carrier == nil {
		cfg.Carrier = http.DefaultTransport
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = home
	}
	if len(cfg.Products) == 0 {
		cfg.Products = []Product{FaceToFace, Wap}
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil {
		return nil, err // Check has parsed it already
	}
	stamped := stamper{nsign.New(nsign.WithMethod(nsign.NewRSAMethod(crypto.SHA256, cfg.PrivateKey, nil)), nsign.WithEncoder(sdk.Encoder{})), cfg.Now}
	// As in production the library downloads certificates that it does not know and takes them unchecked, it is told that
	// this is none: then it refuses, and trust looks after them.
	w := &Wallet{cfg: cfg}
	w.client, err = sdk.NewWithSigner(cfg.AppID, stamped, false,
		sdk.WithSandboxGateway(base.JoinPath("gateway.do").String()), sdk.WithTimeLocation(beijing),
		sdk.WithHTTPClient(&http.Client{Transport: &transport{carrier: cfg.Carrier}, CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect }}))
	if err != nil {
		return nil, fmt.Errorf("alipay: %w", err)
	}
	if w.trust, err = newTrust(&cfg, w.client); err != nil {
		return nil, err
	}
	return w, nil
}

// errRedirect: the gateway never redirects, and following would send signed requests elsewhere.
var errRedirect = errors.New("wallet answered with a redirect")

// stamper writes the given clock's time into what the library signs, which reads the wall clock.
type stamper struct {
	nsign.Signer
	now func() time.Time
}

// SignValues implements nsign.Signer.
func (s stamper) SignValues(values url.Values, opts ...nsign.SignOption) ([]byte, error) {
	values.Set("timestamp", stamp(s.now()))
	return s.Signer.SignValues(values, opts...)
}

func (c *Config) certificates() (own, root []*x509.Certificate, err error) {
	if own, err = certificatesIn(c.AlipayCert); err == nil && len(own) == 0 {
		err = errors.New("no RSA certificate is in it")
	}
	if err != nil {
		return nil, nil, &moongate.Error{Code: moongate.Malformed, Field: "alipay_cert", Message: err.Error(), Hint: "it is alipayCertPublicKey_RSA2.crt of the open platform"}
	}
	if root, err = certificatesIn(c.RootCert); err == nil && len(root) == 0 {
		err = errors.New("no RSA certificate is in it")
	}
	if err != nil {
		return nil, nil, &moongate.Error{Code: moongate.Malformed, Field: "root_cert", Message: err.Error(), Hint: "it is alipayRootCert.crt of the open platform"}
	}
	return own, root, nil
}
