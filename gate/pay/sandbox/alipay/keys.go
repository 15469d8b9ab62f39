package alipay

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// identity is a key with its certificate.
type identity struct {
	key    *rsa.PrivateKey
	cert   *x509.Certificate
	serial string // as the protocol writes it
}

// issue makes a certificate for a key, signed by the root, or by itself where there is none yet. Its names have no sign that
// clients would escape: they do not agree how, and the serial is over the names.
func (w *Wallet) issue(key *rsa.PrivateKey, name string, root *identity) (*identity, error) {
	from := w.Now().Add(-time.Hour)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(w.Bytes(15)),
		Subject:      pkix.Name{Country: []string{"CN"}, Organization: []string{"Moongate sandbox wallet"}, CommonName: name},
		NotBefore:    from,
		NotAfter:     from.AddDate(5, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,

		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	parent, by := template, key
	if root != nil {
		parent, by = root.cert, root.key
	} else {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage |= x509.KeyUsageCertSign
		template.NotAfter = from.AddDate(20, 0, 0)
	}
	der, err := x509.CreateCertificate(nil, template, parent, &key.PublicKey, by)
	if err != nil {
		return nil, fmt.Errorf("sandbox: certificate of %s: %w", name, err)
	}
	return read(key, der)
}

func read(key *rsa.PrivateKey, der []byte) (*identity, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sandbox: certificate: %w", err)
	}
	return &identity{key: key, cert: cert, serial: serial(cert)}, nil
}

func (i *identity) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw}))
}

// RotateNow gives the wallet a new key, with a certificate of the same root. Who holds the key itself cannot check
// answers any more; who holds certificates fetches the new one by its serial.
func (w *Wallet) RotateNow() error {
	w.Lock()
	defer w.Unlock()
	return w.rotate()
}

func (w *Wallet) rotate() error {
	key, err := w.cfg.NewKey()
	if err != nil {
		return err
	}
	id, err := w.issue(key, "signs answers", w.root)
	if err != nil {
		return err
	}
	w.signers = append(w.signers, id)
	w.signers = w.signers[max(0, len(w.signers)-maxSigners):]
	w.Keep("Signer", id.saved())
	return nil
}

// signer is what signs now.
func (w *Wallet) signer() *identity { return w.signers[len(w.signers)-1] }

// certificate answers alipay.open.app.alipaycert.download: the wallet's certificate of a serial, as PEM in base64.
func (w *Wallet) certificate(c call) answer {
	var q struct {
		Serial string `json:"alipay_cert_sn"`
	}
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	for _, id := range w.signers {
		if id.serial == q.Serial {
			return answer{fields: fields{"alipay_cert_content": base64.StdEncoding.EncodeToString([]byte(id.pem()))}}
		}
	}
	return answer{fault: refuse("isv.alipay-cert-not-exist", "")}
}
