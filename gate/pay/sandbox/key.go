package sandbox

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
)

const keyBits = 2048

// newKey makes an RSA key from the given randomness alone. crypto/rsa takes none but the system's, and a seeded run
// needs the same keys again. The keys guard play money; nothing else may use this.
func newKey(random io.Reader) (*rsa.PrivateKey, error) {
	const e = 65537
	one, exponent := big.NewInt(1), big.NewInt(e)
	prime := func() (*big.Int, error) {
		buf := make([]byte, keyBits/16)
		for {
			if _, err := io.ReadFull(random, buf); err != nil {
				return nil, err
			}
			buf[0] |= 0xc0 // the product has all its bits
			buf[len(buf)-1] |= 1
			p := new(big.Int).SetBytes(buf)
			if coprime := new(big.Int).GCD(nil, nil, exponent, new(big.Int).Sub(p, one)); coprime.Cmp(one) == 0 && p.ProbablyPrime(8) {
				return p, nil
			}
		}
	}
	p, err := prime()
	if err != nil {
		return nil, err
	}
	q, err := prime()
	if err != nil {
		return nil, err
	}
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: e},
		D:         new(big.Int).ModInverse(exponent, phi),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	return key, key.Validate()
}

// MarshalKey is a key as the state file keeps it: PKCS #8.
func MarshalKey(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(fmt.Sprintf("sandbox: %v", err)) // an RSA key always has this form
	}
	return der
}

// ParseKey reads it again.
func ParseKey(der []byte) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return k, nil
}

// Bytes reads the wallet's randomness; the caller holds the lock. It is given by the program, so its end is a mistake
// there.
func (w *Wallet) Bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(w.cfg.Random, b); err != nil {
		panic(fmt.Sprintf("sandbox: no randomness: %v", err))
	}
	return b
}

// Hex is n bytes as digits and capital letters.
func (w *Wallet) Hex(n int) string { return strings.ToUpper(hex.EncodeToString(w.Bytes(n))) }

// Token is n letters and digits.
func (w *Wallet) Token(n int) string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789abcdefg" // 64
	b := w.Bytes(n)
	for i := range b {
		b[i] = letters[b[i]&63]
	}
	return string(b)
}

// Digits is n digits.
func (w *Wallet) Digits(n int) string {
	b := w.Bytes(n)
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	return string(b)
}
