package alipay

import (
	"bytes"
	"context"
	"crypto"
	"crypto/md5" //nolint:gosec // how the protocol numbers certificates; nothing is protected by it
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/smartwalle/alipay/v3"

	"github.com/moongate-hub/moongate"
)

// refreshGap is how long no further certificate is asked for: serials that a stranger makes up must not turn us into a
// flood.
const refreshGap = time.Minute

var (
	errUnknownKey = errors.New("signed with a key that is not known here")
	errForged     = errors.New("signature does not fit")
)

// trust holds the wallet's keys: one that was given, or those of certificates that a root has signed.
type trust struct {
	now    func() time.Time
	client *sdk.Client
	certs  bool

	// Of certificates: who may have signed one of the wallet's, and whose name it has. The wallet's intermediates are not
	// marked as authorities, and sign merchants' certificates too; so a new one must be by who signed the one that was
	// given, and bear the same name.
	anchors []*x509.Certificate
	subject []byte

	mu    sync.RWMutex // held for a look or an exchange, never during a call
	keys  []walletKey  // newest last
	asked time.Time    // when a certificate was last asked for
}

// walletKey is a key of the wallet's.
type walletKey struct {
	serial string // empty for a key that was given
	key    *rsa.PublicKey
	cert   *x509.Certificate // nil for a key that was given
}

func newTrust(cfg *Config, client *sdk.Client) (*trust, error) {
	t := &trust{now: cfg.Now, client: client}
	if cfg.AlipayKey != nil {
		der, err := x509.MarshalPKIXPublicKey(cfg.AlipayKey)
		if err != nil {
			return nil, fmt.Errorf("alipay: public key: %w", err)
		}
		t.keys = []walletKey{{key: cfg.AlipayKey}}
		return t, client.LoadAliPayPublicKey(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	}
	own, roots, err := cfg.certificates()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(client.LoadAppCertPublicKey(cfg.AppCert), client.LoadAliPayRootCert(cfg.RootCert)); err != nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "app_cert", Message: "this is not a certificate in PEM", Hint: "it is appCertPublicKey.crt of the open platform"}
	}
	t.certs, t.anchors, t.subject = true, roots, own[0].RawSubject
	for range own[1:] { // in whatever order they stand in the file
		for _, between := range own[1:] {
			if t.signed(between) == nil {
				t.anchors = append(t.anchors, between)
			}
		}
	}
	if err := t.signed(own[0]); err != nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "alipay_cert", Message: err.Error(), Hint: "certificate and root come from the same page of the open platform"}
	}
	if t.now().After(own[0].NotAfter) {
		return t, nil // it ran out, and still says who may have signed the next, which is fetched when it turns up
	}
	return t, t.take(own[0])
}

// signed tells whether one of those who may has signed a certificate.
func (t *trust) signed(c *x509.Certificate) error {
	for _, by := range t.anchors {
		if bytes.Equal(by.RawSubject, c.RawIssuer) && by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			return nil
		}
	}
	return errors.New("the certificate does not hang on the root")
}

// certificatesIn reads the RSA certificates of a PEM text. The wallet's root file has some on other curves too, which
// Go does not read; they are passed over.
func certificatesIn(text string) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if strings.TrimSpace(string(rest)) != "" {
				return nil, errors.New("this is not PEM")
			}
			return list, nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		if _, ok := c.PublicKey.(*rsa.PublicKey); ok {
			list = append(list, c)
		}
	}
}

// serialOf numbers a certificate as the protocol does.
func serialOf(c *x509.Certificate) string {
	sum := md5.Sum([]byte(c.Issuer.String() + c.SerialNumber.String())) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// take accepts a certificate that is in force, has the right name, and was signed by who may.
func (t *trust) take(c *x509.Certificate) error {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	switch now := t.now(); {
	case !ok || key.N.BitLen() < 2048:
		return errors.New("the certificate's key is not RSA with 2048 bits")
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return errors.New("the certificate is not in force")
	case !bytes.Equal(c.RawSubject, t.subject):
		return errors.New("the certificate is somebody else's")
	}
	if err := t.signed(c); err != nil {
		return err
	}
	serial := serialOf(c)
	if err := t.client.LoadAlipayCertPublicKey(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))); err != nil {
		return fmt.Errorf("the certificate cannot be used: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.ContainsFunc(t.keys, func(k walletKey) bool { return k.serial == serial }) {
		return nil
	}
	t.keys = append(t.keys, walletKey{serial: serial, key: key, cert: c})
	return nil
}

// fetch asks the wallet for its certificate of a serial that is not known yet, at most once a minute.
func (t *trust) fetch(ctx context.Context, serial string) error {
	if !t.certs || len(serial) != 2*md5.Size {
		return errUnknownKey
	}
	t.mu.Lock()
	early := t.now().Sub(t.asked) < refreshGap && !t.asked.IsZero()
	if !early {
		t.asked = t.now()
	}
	t.mu.Unlock()
	if early {
		return errUnknownKey
	}
	answer, err := t.client.CertDownload(ctx, sdk.CertDownload{AliPayCertSN: serial})
	if err != nil || answer.AliPayCertContent == "" {
		return fmt.Errorf("%w; its certificate cannot be fetched", errUnknownKey)
	}
	text, err := base64.StdEncoding.DecodeString(answer.AliPayCertContent)
	if err != nil {
		return fmt.Errorf("%w; its certificate cannot be read", errUnknownKey)
	}
	list, err := certificatesIn(string(text))
	if err != nil || len(list) == 0 || serialOf(list[0]) != serial {
		return fmt.Errorf("%w; another certificate was sent", errUnknownKey)
	}
	return t.take(list[0])
}

// verify checks the signature of a notification. Where it does not say which key has signed, any that is known may have.
func (t *trust) verify(ctx context.Context, serial, text, signature string) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return errForged
	}
	sum := sha256.Sum256([]byte(text))
	for range 2 {
		known, good := t.try(serial, sum[:], raw)
		switch {
		case good:
			return nil
		case known:
			return errForged
		}
		if err := t.fetch(ctx, serial); err != nil {
			return err
		}
	}
	return errUnknownKey
}

// try checks a signature with the keys that may have made it.
func (t *trust) try(serial string, sum, raw []byte) (known, good bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i := len(t.keys) - 1; i >= 0; i-- {
		k := t.keys[i]
		if t.certs && serial != "" && k.serial != serial {
			continue
		}
		known = true
		if k.cert != nil && t.now().After(k.cert.NotAfter) {
			continue
		}
		if rsa.VerifyPKCS1v15(k.key, crypto.SHA256, sum, raw) == nil {
			return true, true
		}
	}
	return known, false
}
