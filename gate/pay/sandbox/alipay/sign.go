package alipay

import (
	"crypto"
	"crypto/md5" //nolint:gosec // how the protocol numbers certificates; nothing is protected by it
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// content is what the signature of parameters covers (异步通知验签, 如何签名): those that are not empty, sorted by name, as
// name=value joined with &, without some names.
func content(p map[string]string, without ...string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if p[name] == "" || slices.Contains(without, name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name + "=" + p[name])
	}
	return b.String()
}

// sign is RSA2: RSASSA-PKCS1-v1_5 with SHA-256, in base64.
func sign(key *rsa.PrivateKey, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	return base64.StdEncoding.EncodeToString(signature), err
}

func signed(key *rsa.PublicKey, text, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	sum := sha256.Sum256([]byte(text))
	return err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil
}

// spoil makes a signature wrong, and leaves it base64.
func spoil(signature string) string { return "AAAA" + signature[4:] }

// serial numbers a certificate as the protocol does: MD5 over issuer (RFC 2253) and serial number in decimal.
func serial(c *x509.Certificate) string {
	sum := md5.Sum([]byte(c.Issuer.String() + c.SerialNumber.String())) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}
