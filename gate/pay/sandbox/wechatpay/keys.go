package wechatpay

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// signTest begins the signatures of probes.
const signTest = "WECHATPAY/SIGNTEST/"

// overlap is how long a new certificate is handed out before it signs.
const overlap = 24 * time.Hour

// platform is a platform certificate with its key. Two are handed out at most: the newest, and the one that signs until
// the newest does, or did before.
type platform struct {
	key    *rsa.PrivateKey
	cert   *x509.Certificate
	serial string
	signs  time.Time // from when on
}

// Rotate makes a new platform certificate. It is handed out at once and signs after a day (scaled), as a careful wallet
// does it.
func (w *Wallet) Rotate() error {
	w.Lock()
	defer w.Unlock()
	return w.rotate(w.Now().Add(w.Wait(overlap)))
}

// RotateNow makes a new platform certificate that signs at once: clients meet a serial that they have never seen.
func (w *Wallet) RotateNow() error {
	w.Lock()
	defer w.Unlock()
	return w.rotate(w.Now())
}

// PublicKey gives the wallet's public key (微信支付公钥) and its id. A merchant who asks for it, by that id in the header
// Wechatpay-Serial of a request, has its answers and notifications signed with it, and not with a certificate.
func (w *Wallet) PublicKey() (id string, key *rsa.PublicKey, err error) {
	w.Lock()
	defer w.Unlock()
	if w.public == nil {
		made, err := w.cfg.NewKey()
		if err != nil {
			return "", nil, err
		}
		w.public = &platform{key: made, serial: "PUB_KEY_ID_" + w.Digits(40)}
		w.Keep("Public", savedPublic{ID: w.public.serial, Key: sandbox.MarshalKey(made)})
	}
	return w.public.serial, &w.public.key.PublicKey, nil
}

// signer is what signs for a merchant now.
func (w *Wallet) signer(m *merchant) *platform {
	if m != nil && m.public && w.public != nil {
		return w.public
	}
	last := len(w.platform) - 1
	if last > 0 && w.Now().Before(w.platform[last].signs) {
		return w.platform[last-1]
	}
	return w.platform[last]
}

func (w *Wallet) rotate(signs time.Time) error {
	key, err := w.cfg.NewKey()
	if err != nil {
		return err
	}
	serial := new(big.Int).SetBytes(w.Bytes(20))
	serial.SetBit(serial, 158, 1).SetBit(serial, 159, 0) // positive, and forty hex digits always
	from := w.Now().Add(time.Duration(len(w.platform))*time.Second - time.Hour)
	p, err := certify(key, serial, from)
	if err != nil {
		return err
	}
	p.signs = signs
	w.platform = append(w.platform, p)
	if len(w.platform) > 2 {
		w.platform = w.platform[len(w.platform)-2:]
	}
	w.Keep("Platform", p.saved())
	return nil
}

func certify(key *rsa.PrivateKey, serial *big.Int, from time.Time) (*platform, error) {
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Country: []string{"CN"}, Organization: []string{"Moongate sandbox wallet"}, CommonName: "not WeChat Pay"},
		NotBefore:    from,
		NotAfter:     from.AddDate(5, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(nil, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sandbox: platform certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sandbox: platform certificate: %w", err)
	}
	return &platform{key: key, cert: cert, serial: strings.ToUpper(hex.EncodeToString(cert.SerialNumber.Bytes()))}, nil
}

// seal is what an answer or notification is signed with, taken under the lock and used outside it.
type seal struct {
	by    *platform
	stamp string
	nonce string
	spoil string // written over the beginning of the signature
}

func (w *Wallet) seal(m *merchant, shift time.Duration) seal {
	return seal{by: w.signer(m), stamp: strconv.FormatInt(w.Now().Add(shift).Unix(), 10), nonce: w.Hex(16)}
}

// sign writes the signature headers over a body.
func (s seal) sign(h http.Header, body []byte) error {
	sum := sha256.Sum256([]byte(s.stamp + "\n" + s.nonce + "\n" + string(body) + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, s.by.key, crypto.SHA256, sum[:])
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString(signature)
	if s.spoil != "" {
		text = s.spoil + text[len(s.spoil):]
	}
	h.Set("Wechatpay-Nonce", s.nonce)
	h.Set("Wechatpay-Signature", text)
	h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
	h.Set("Wechatpay-Timestamp", s.stamp)
	h.Set("Wechatpay-Serial", s.by.serial)
	return nil
}

// sealed is AEAD_AES_256_GCM as the API writes it.
type sealed struct {
	OriginalType   string `json:"original_type,omitempty"`
	Algorithm      string `json:"algorithm"`
	Ciphertext     string `json:"ciphertext"`
	AssociatedData string `json:"associated_data"`
	Nonce          string `json:"nonce"`
}

func encrypt(key, nonce, about string, text []byte) (sealed, error) {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return sealed{}, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return sealed{}, err
	}
	return sealed{
		Algorithm: "AEAD_AES_256_GCM", AssociatedData: about, Nonce: nonce,
		Ciphertext: base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), text, []byte(about))),
	}, nil
}

// certificates answers GET /v3/certificates.
func (w *Wallet) certificates(m *merchant) (any, *refusal) {
	type entry struct {
		SerialNo      string `json:"serial_no"`
		EffectiveTime string `json:"effective_time"`
		ExpireTime    string `json:"expire_time"`
		Sealed        sealed `json:"encrypt_certificate"`
	}
	list := struct {
		Data []entry `json:"data"`
	}{}
	for _, p := range w.platform {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
		s, err := encrypt(m.APIv3Key, w.Token(12), "certificate", text)
		if err != nil {
			return nil, systemError
		}
		list.Data = append(list.Data, entry{p.serial, stamp(p.cert.NotBefore), stamp(p.cert.NotAfter), s})
	}
	return list, nil
}

// stamp is a time as the API writes it.
func stamp(t time.Time) string { return t.In(sandbox.Beijing).Format(time.RFC3339) }

// Certificate gives the platform certificate that signs now, in DER, and its serial.
func (w *Wallet) Certificate() (serial string, der []byte) {
	w.Lock()
	defer w.Unlock()
	p := w.signer(nil)
	return p.serial, p.cert.Raw
}

// MerchantCertificate gives the certificate of a merchant's own key (apiclient_cert.pem), in DER. Nobody asks for it but
// clients that read its serial from it.
func (w *Wallet) MerchantCertificate(mchID string) ([]byte, error) {
	w.Lock()
	defer w.Unlock()
	m := w.merchants[mchID]
	if m == nil {
		return nil, fmt.Errorf("%w: merchant %.20q", errNotFound, mchID)
	}
	serial, ok := new(big.Int).SetString(m.SerialNo, 16)
	if !ok {
		return nil, fmt.Errorf("sandbox: serial %q of merchant %s is not hexadecimal", m.SerialNo, mchID)
	}
	p, err := certify(m.PrivateKey, serial, w.Now().Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	return p.cert.Raw, nil
}
