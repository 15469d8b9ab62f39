package wechatpay

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/validators"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"

	"github.com/moongate-hub/moongate"
)

// Config names a merchant account and the world the connector lives in. Secrets come from files or the environment;
// formatting a Config shows none.
type Config struct {
	MchID      string          // merchant number (商户号)
	AppID      string          // application bound to the merchant (公众账号ID)
	SerialNo   string          // serial of the merchant's API certificate, 40 hex digits
	PrivateKey *rsa.PrivateKey // of that certificate
	APIv3Key   string          // 32 bytes, as set on the merchant platform

	// An account that uses the wallet's public key (微信支付公钥) names it here; one that does not fetches certificates.
	// While an account moves from one to the other, both are accepted.
	PublicKeyID string         // such as PUB_KEY_ID_0000000000000024101100397200000006
	PublicKey   *rsa.PublicKey // pub_key.pem of the merchant platform

	Products []Product // what the account has contracts for; native and h5 where empty
	Platform bool      // the account is that of a platform with sub-merchants (服务商, 电商收付通): every order is for one of them, or several

	SplitCap int64 // what may be split off one order (分账), basis points, as agreed with the wallet: 3,000 usually; 0 for none

	BaseURL string            // empty for WeChat Pay itself; a sandbox otherwise. No path. Plain http only to loopback.
	Carrier http.RoundTripper // how requests travel; nil for http.DefaultTransport
	Timeout time.Duration     // of one call; 10 s where zero
	Now     func() time.Time  // the clock
	Random  io.Reader         // for nonces; used under a lock
}

// String names the account without its secrets.
func (c Config) String() string { return fmt.Sprintf("wechatpay merchant %s app %s", c.MchID, c.AppID) }

// GoString is [Config.String], so that %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// Check says what is missing or wrong, naming the field.
func (c Config) Check() error {
	bad := func(field, message, hint string) error {
		return &moongate.Error{Code: moongate.Malformed, Field: field, Message: message, Hint: hint}
	}
	switch {
	case !number.MatchString(c.MchID):
		return bad("mch_id", fmt.Sprintf("%q is not a merchant number", c.MchID), "it is 8 to 12 digits")
	case c.AppID == "" || len(c.AppID) > 32:
		return bad("app_id", fmt.Sprintf("%.40q is not an app id", c.AppID), "it looks like wx8888888888888888")
	case c.SerialNo == "":
		return bad("serial_no", "serial of the merchant certificate is missing", "openssl x509 -in apiclient_cert.pem -noout -serial")
	case c.PrivateKey == nil:
		return bad("private_key", "private key of the merchant certificate is missing", "it is apiclient_key.pem")
	case c.PrivateKey.N.BitLen() < 2048:
		return bad("private_key", fmt.Sprintf("key has %d bits", c.PrivateKey.N.BitLen()), "WeChat Pay wants RSA with 2048")
	case len(c.APIv3Key) != 32:
		return bad("apiv3_key", fmt.Sprintf("APIv3 key has %d bytes", len(c.APIv3Key)), "it has 32, as set on the merchant platform")
	case (c.PublicKeyID == "") != (c.PublicKey == nil):
		return bad("public_key", "the wallet's public key and its id come together", "the merchant platform shows both, or leave both out")
	case c.PublicKey != nil && (!strings.HasPrefix(c.PublicKeyID, publicKeyID) || len(c.PublicKeyID) > 64):
		return bad("public_key_id", fmt.Sprintf("%.70q is no id of a public key", c.PublicKeyID), "it begins with "+publicKeyID)
	case c.PublicKey != nil && c.PublicKey.N.BitLen() < 2048:
		return bad("public_key", fmt.Sprintf("key has %d bits", c.PublicKey.N.BitLen()), "it is pub_key.pem of the merchant platform")
	case c.SplitCap < 0 || c.SplitCap > 10_000:
		return bad("split_bps", fmt.Sprintf("%d is not between 0 and 10,000 basis points", c.SplitCap), "3000 unless the wallet has agreed to more; leave it out where the account does not split")
	case slices.ContainsFunc(c.Products, func(p Product) bool { return !slices.Contains([]Product{Native, H5, JSAPI, InApps}, p) }):
		return bad("products", fmt.Sprintf("%.60q name one that there is not", c.Products), "native, h5, jsapi and app")
	case c.Now == nil || c.Random == nil:
		return bad("", "clock or randomness is not wired", "this is a mistake in the program")
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

// Wallet is a [pay.Wallet], [pay.RefundQuerier], [pay.Notifier] and [pay.Biller] at WeChat Pay.
//
// [pay.Wallet]: https://pkg.go.dev/github.com/moongate-hub/moongate/gate/pay#Wallet
type Wallet struct {
	cfg    Config
	nonces *sync.Mutex // held while cfg.Random is read
	trust  *trust
	client *core.Client // its answers are signed
	bills  *core.Client // for the one answer that never is: a bill's file
}

// New makes a connector. It does no I/O: platform certificates are fetched on first use.
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
		cfg.BaseURL = consts.WechatPayAPIServer
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil {
		return nil, err // Check has parsed it already
	}
	if len(cfg.Products) == 0 {
		cfg.Products = []Product{Native, H5}
	}
	nonces := &sync.Mutex{}
	certificates, err := dial(&transport{cfg: cfg, base: base, nonces: nonces, limit: maxAnswer}, &validators.NullValidator{})
	if err != nil {
		return nil, err
	}
	w := &Wallet{cfg: cfg, nonces: nonces, trust: newTrust(certificates, &cfg)}
	if w.client, err = dial(&transport{cfg: cfg, base: base, nonces: nonces, limit: maxAnswer}, w.trust); err != nil {
		return nil, err
	}
	w.bills, err = dial(&transport{cfg: cfg, base: base, nonces: nonces, limit: maxBill}, &validators.NullValidator{})
	return w, err
}

// dial makes an SDK client on a transport. Its signer signs nothing: the SDK would stamp the wall clock into what is
// signed, so the transport replaces the Authorization header.
func dial(t *transport, v auth.Validator) (*core.Client, error) {
	return core.NewClientWithDialSettings(context.Background(), &core.DialSettings{
		Signer:    nobody{},
		Validator: v,
		HTTPClient: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		},
	})
}

// errRedirect: the API never redirects, and following would send the Authorization header elsewhere.
var errRedirect = errors.New("wallet answered with a redirect")

type nobody struct{}

func (nobody) Sign(context.Context, string) (*auth.SignatureResult, error) {
	return &auth.SignatureResult{Signature: "-"}, nil
}

func (nobody) Algorithm() string { return "SHA256-RSA2048" }
