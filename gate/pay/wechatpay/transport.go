package wechatpay

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"
)

// Sizes of what a wallet may send. A larger answer is cut, fails its signature, and so counts as none.
const (
	maxAnswer = 1 << 20
	maxBill   = 4 << 30
)

// transport carries the SDK's requests to the configured host and signs them with the configured clock and nonces
// (WECHATPAY2-SHA256-RSA2048: method, path with query, timestamp, nonce, body, a line each).
type transport struct {
	cfg    Config
	base   *url.URL
	nonces *sync.Mutex // held while cfg.Random is read; shared by the clients of one Wallet
	limit  int64       // bytes of an answer
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := bodyOf(r)
	if err != nil {
		return nil, err
	}
	authorization, err := t.authorize(r.Method, r.URL.RequestURI(), body)
	if err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host = t.base.Scheme, t.base.Host, t.base.Host
	out.Header.Set(consts.Authorization, authorization)
	out.Body = io.NopCloser(bytes.NewReader(body))
	out.ContentLength = int64(len(body))
	if len(body) == 0 {
		out.Body = http.NoBody
	}
	answer, err := t.cfg.Carrier.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	answer.Body = &bounded{Reader: io.LimitReader(answer.Body, t.limit), Closer: answer.Body}
	return answer, nil
}

func (t *transport) authorize(method, uri string, body []byte) (string, error) {
	nonce, err := drawNonce(t.nonces, t.cfg.Random)
	if err != nil {
		return "", err
	}
	stamp := strconv.FormatInt(t.cfg.Now().Unix(), 10)
	signature, err := utils.SignSHA256WithRSA(method+"\n"+uri+"\n"+stamp+"\n"+nonce+"\n"+string(body)+"\n", t.cfg.PrivateKey)
	if err != nil {
		return "", fmt.Errorf("cannot sign with the merchant's key: %w", err)
	}
	return `WECHATPAY2-SHA256-RSA2048 mchid="` + t.cfg.MchID + `",nonce_str="` + nonce + `",timestamp="` + stamp +
		`",serial_no="` + t.cfg.SerialNo + `",signature="` + signature + `"`, nil
}

// nonce draws one for what the shopper's device calls the wallet with.
func (w *Wallet) nonce() (string, error) { return drawNonce(w.nonces, w.cfg.Random) }

func drawNonce(lock *sync.Mutex, random io.Reader) (string, error) {
	var entropy [16]byte
	lock.Lock()
	_, err := io.ReadFull(random, entropy[:])
	lock.Unlock()
	if err != nil {
		return "", fmt.Errorf("no randomness for a nonce: %w", err)
	}
	return hex.EncodeToString(entropy[:]), nil
}

func bodyOf(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	defer func() { _ = r.Body.Close() }() // a buffer of the SDK's: closing it cannot fail
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if len(body) == maxAnswer {
		return nil, errors.New("request body too large")
	}
	return body, nil
}

type bounded struct {
	io.Reader
	io.Closer
}
