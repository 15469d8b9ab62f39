package wechatpay

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"
)

const (
	skew         = 300 * time.Second // a signature this old, or this far ahead, is no signature
	refreshAfter = 12 * time.Hour
	refreshPause = time.Minute     // between two fetches, whoever asks: a stranger's serials must not make us a flood
	failedPause  = 5 * time.Second // the same for strangers while there are no keys at all, after a fetch that brought none
	maxKeys      = 20
	probe        = "WECHATPAY/SIGNTEST/"
	publicKeyID  = "PUB_KEY_ID_"
)

// What verify's errors wrap. errUncheckable hides its cause from errors.As: that a certificate could not be fetched
// says nothing about the call whose answer it was needed for.
var (
	errForged      = errors.New("not signed by the wallet") // somebody else wrote this, or it was damaged on its way
	errUncheckable = errors.New("no platform certificate to check with")
	errSealed      = fmt.Errorf("%w: does not decrypt with the APIv3 key", errForged)
)

// trust holds the wallet's public keys by serial and checks its signatures. It is the SDK's auth.Validator.
type trust struct {
	client   *core.Client
	apiKey   string
	timeout  time.Duration // of a fetch
	now      func() time.Time
	pinned   *rsa.PublicKey // the wallet's public key, where the account uses one
	pinnedID string

	fetching chan struct{} // has room for one, so that a burst fetches once and the others wait no longer than they may

	mu     sync.RWMutex // guards what follows; never held during I/O
	keys   map[string]platformKey
	newest string
	tried  time.Time // last fetch that was begun
	failed error     // what it came to, while there are no keys
}

type platformKey struct {
	key    *rsa.PublicKey
	from   time.Time
	until  time.Time
	serial string
}

func newTrust(client *core.Client, cfg *Config) *trust {
	return &trust{fetching: make(chan struct{}, 1), client: client, apiKey: cfg.APIv3Key, timeout: cfg.Timeout, now: cfg.Now, pinned: cfg.PublicKey, pinnedID: cfg.PublicKeyID}
}

// Validate checks an answer's signature and leaves its body readable.
func (t *trust) Validate(ctx context.Context, answer *http.Response) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return t.verify(ctx, answer.Header, body)
}

// GetAcceptSerial names the key we can check answers with.
func (t *trust) GetAcceptSerial(ctx context.Context) (string, error) {
	if t.pinned != nil {
		return t.pinnedID, nil
	}
	if err := t.ready(ctx); err != nil {
		return "", err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.newest, nil
}

// ready sees to it that there are keys to check answers with. It is asked before anything that moves money is sent.
func (t *trust) ready(ctx context.Context) error { return t.refresh(ctx, t.stale, true) }

// verify checks the signature over timestamp, nonce and body.
func (t *trust) verify(ctx context.Context, h http.Header, body []byte) error {
	s, err := readSeal(h, t.now())
	if err != nil {
		return err
	}
	key, ok := t.lookup(s.serial)
	if !ok {
		known := func() bool { _, ok := t.lookup(s.serial); return !ok }
		if err := t.refresh(ctx, known, false); err != nil {
			return err
		}
		if key, ok = t.lookup(s.serial); !ok {
			return fmt.Errorf("%w: serial %.40q is none of the wallet's certificates", errForged, s.serial)
		}
	}
	return s.check(key, body)
}

// seal is a signature with what it was made over.
type seal struct {
	serial, stamp, nonce string
	signature            []byte
}

func readSeal(h http.Header, now time.Time) (seal, error) {
	signature := h.Get(consts.WechatPaySignature)
	s := seal{serial: h.Get(consts.WechatPaySerial), stamp: h.Get(consts.WechatPayTimestamp), nonce: h.Get(consts.WechatPayNonce)}
	if signature == "" || s.serial == "" || s.stamp == "" || s.nonce == "" {
		return seal{}, fmt.Errorf("%w: signature headers are missing", errForged)
	}
	if strings.HasPrefix(signature, probe) {
		return seal{}, fmt.Errorf("%w: the wallet probes whether we check", errForged)
	}
	seconds, err := strconv.ParseInt(s.stamp, 10, 64)
	if err != nil {
		return seal{}, fmt.Errorf("%w: timestamp %.20q is not a number", errForged, s.stamp)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age >= skew || age <= -skew {
		return seal{}, fmt.Errorf("%w: signed %s away from our clock, more than %s", errForged, age.Round(time.Second), skew)
	}
	if s.signature, err = base64.StdEncoding.DecodeString(signature); err != nil {
		return seal{}, fmt.Errorf("%w: signature is not base64", errForged)
	}
	return s, nil
}

func (s seal) check(key *rsa.PublicKey, body []byte) error {
	message := make([]byte, 0, len(s.stamp)+len(s.nonce)+len(body)+3)
	message = append(append(message, s.stamp...), '\n')
	message = append(append(message, s.nonce...), '\n')
	message = append(append(message, body...), '\n')
	return checkRSA(key, message, s.signature)
}

// checkRSA is SHA256withRSA: PKCS #1 v1.5 (RFC 8017, section 8.2.2).
func checkRSA(key *rsa.PublicKey, message, signature []byte) error {
	sum := sha256.Sum256(message)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		return fmt.Errorf("%w: signature does not fit", errForged)
	}
	return nil
}

func (t *trust) lookup(serial string) (*rsa.PublicKey, bool) {
	if t.pinned != nil && serial == t.pinnedID {
		return t.pinned, true
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	k, ok := t.keys[serial]
	if !ok || t.now().After(k.until) {
		return nil, false
	}
	return k.key, true
}

// stale tells whether certificates are to be fetched whoever signs next: never where a public key is used.
func (t *trust) stale() bool {
	if t.pinned != nil {
		return false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.keys) == 0 || t.now().Sub(t.tried) >= refreshAfter
}

// refresh fetches the certificates where needed still says so. With keys in hand a failed or premature fetch is no
// error: what is signed with them can still be checked. Without any, what is for our own calls is fetched whenever it is
// asked for; a stranger's notification is told what the last fetch came to.
func (t *trust) refresh(ctx context.Context, needed func() bool, ours bool) error {
	if !needed() {
		return nil
	}
	select {
	case t.fetching <- struct{}{}:
		defer func() { <-t.fetching }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUncheckable, ctx.Err())
	}
	if !needed() {
		return nil
	}
	now := t.now()
	t.mu.Lock()
	have, ago, failed := len(t.keys) > 0 || t.pinned != nil, now.Sub(t.tried), t.failed
	early := have && ago < refreshPause || !have && !ours && failed != nil && ago < failedPause
	if !early {
		t.tried = now
	}
	t.mu.Unlock()
	if early {
		return failed
	}
	// Whoever asked may be gone before the answer comes: the next one needs it, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.timeout)
	defer cancel()
	keys, err := t.fetch(ctx)
	if err != nil && !have {
		var around *url.Error // it names the address that the SDK thinks it asks
		if errors.As(err, &around) {
			err = around.Err
		}
		failed = uncheckable(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch t.failed = failed; {
	case err == nil:
		t.keys, t.newest, t.failed = keys, newestOf(keys), nil
	case have: // what is signed with the keys in hand can still be checked
		t.failed = nil
	}
	return t.failed
}

// unfetched is that the platform certificates could not be had: an errUncheckable with what the wallet said.
type unfetched struct {
	said, code, hint string
	status           int
}

func uncheckable(err error) *unfetched {
	u := &unfetched{said: clip(err.Error())}
	var answered *core.APIError
	var network *net.OpError
	switch {
	case errors.As(err, &answered):
		u.said, u.code, u.status = "wallet says: "+clip(answered.Message), clip(answered.Code), answered.StatusCode
		u.hint = hintOf(u.code, answered.Message)
	case errors.As(err, &network) && network.Op == "dial":
		u.said, u.hint = "the wallet cannot be reached: "+clip(network.Err.Error()), hintNetwork
	case errors.Is(err, errSealed):
		u.said, u.hint = "the wallet's certificates do not decrypt with our APIv3 key", "api_v3_key is not the one that the account has: it cannot be looked up, only set anew, at pay.weixin.qq.com under 账户中心, API安全"
	}
	return u
}

// Error says why.
func (u *unfetched) Error() string {
	text := errUncheckable.Error() + ": " + u.said
	if u.code != "" {
		text += " (" + u.code + ")"
	}
	return text
}

// Unwrap is errUncheckable alone.
func (u *unfetched) Unwrap() error { return errUncheckable }

// fetch downloads and decrypts the platform certificates. Nobody but the wallet and us holds the APIv3 key, so what
// decrypts with it comes from the wallet; the answer's own signature is checked too, against what it brought.
func (t *trust) fetch(ctx context.Context) (map[string]platformKey, error) {
	result, err := t.client.Get(ctx, consts.WechatPayAPIServer+"/v3/certificates")
	if err != nil {
		return nil, err
	}
	defer func() { _ = result.Response.Body.Close() }()
	body, err := io.ReadAll(result.Response.Body)
	if err != nil {
		return nil, err
	}
	keys, err := decryptKeys(body, t.apiKey, t.now())
	if err != nil {
		return nil, err
	}
	s, err := readSeal(result.Response.Header, t.now())
	if err != nil {
		return nil, err
	}
	key := t.pinned
	if k, ok := keys[s.serial]; ok {
		key = k.key
	} else if key == nil || s.serial != t.pinnedID {
		return nil, fmt.Errorf("%w: certificates are signed with serial %.40q, which is not among them", errForged, s.serial)
	}
	return keys, s.check(key, body)
}

func decryptKeys(body []byte, apiKey string, now time.Time) (map[string]platformKey, error) {
	var list struct {
		Data []struct {
			SerialNo string `json:"serial_no"`
			Sealed   sealed `json:"encrypt_certificate"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("%w: certificates are not JSON", errForged)
	}
	if len(list.Data) > maxKeys {
		return nil, fmt.Errorf("%w: %d platform certificates, more than %d", errForged, len(list.Data), maxKeys)
	}
	keys := make(map[string]platformKey, len(list.Data))
	for _, c := range list.Data {
		text, err := c.Sealed.open(apiKey)
		if err != nil {
			return nil, fmt.Errorf("platform certificate %.40q: %w", c.SerialNo, err)
		}
		cert, err := utils.LoadCertificate(string(text))
		if err != nil {
			return nil, fmt.Errorf("%w: platform certificate %.40q does not parse", errForged, c.SerialNo)
		}
		key, isRSA := cert.PublicKey.(*rsa.PublicKey)
		if !isRSA || key.N.BitLen() < 2048 || utils.GetCertificateSerialNumber(*cert) != c.SerialNo {
			return nil, fmt.Errorf("%w: platform certificate %.40q holds another serial or a weak key", errForged, c.SerialNo)
		}
		if now.Before(cert.NotAfter) {
			keys[c.SerialNo] = platformKey{key: key, from: cert.NotBefore, until: cert.NotAfter, serial: c.SerialNo}
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no platform certificate is valid now", errForged)
	}
	return keys, nil
}

func newestOf(keys map[string]platformKey) string {
	var best platformKey
	for _, k := range keys {
		if best.serial == "" || k.from.After(best.from) || (k.from.Equal(best.from) && k.serial > best.serial) {
			best = k
		}
	}
	return best.serial
}

// sealed is AEAD_AES_256_GCM as the wallet writes it (RFC 5116, key of 32 bytes, nonce of 12).
type sealed struct {
	Algorithm      string `json:"algorithm"`
	Nonce          string `json:"nonce"`
	AssociatedData string `json:"associated_data"`
	Ciphertext     string `json:"ciphertext"`
	OriginalType   string `json:"original_type"`
}

func (s sealed) open(apiKey string) ([]byte, error) {
	if s.Algorithm != "AEAD_AES_256_GCM" {
		return nil, fmt.Errorf("%w: cipher %.40q", errForged, s.Algorithm)
	}
	block, err := aes.NewCipher([]byte(apiKey))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(s.Nonce) != gcm.NonceSize() { // Open panics on any other
		return nil, fmt.Errorf("%w: nonce of %d bytes", errForged, len(s.Nonce))
	}
	ciphertext, err := base64.StdEncoding.DecodeString(s.Ciphertext)
	if err != nil {
		return nil, fmt.Errorf("%w: ciphertext is not base64", errForged)
	}
	text, err := gcm.Open(nil, []byte(s.Nonce), ciphertext, []byte(s.AssociatedData))
	if err != nil {
		return nil, errSealed
	}
	return text, nil
}
