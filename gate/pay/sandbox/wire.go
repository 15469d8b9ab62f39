package sandbox

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is what an endpoint says. A nil value is 204 without a body.
type answer struct {
	value any
	fault *refusal
}

// call is one authenticated request.
type call struct {
	m    *merchant
	op   Op
	no   string // the order or refund it is about, for faults
	body []byte
	r    *http.Request
	hit  map[Kind]*Fault
}

// routes lays out the API, the shopper's pages and the controls.
func (w *Wallet) routes() {
	w.mux = http.NewServeMux()
	api := func(pattern string, op Op, serve func(*Wallet, call) answer) {
		w.mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) { w.serveAPI(rw, r, op, serve) })
	}
	api("GET /v3/certificates", OpCertificates, func(w *Wallet, c call) answer {
		v, fault := w.certificates(c.m)
		return answer{v, fault}
	})
	api("POST /v3/pay/transactions/native", OpNative, (*Wallet).prepay)
	api("POST /v3/pay/transactions/h5", OpH5, (*Wallet).prepay)
	api("GET /v3/pay/transactions/out-trade-no/{no}", OpQuery, (*Wallet).queryOrder)
	api("GET /v3/pay/transactions/id/{id}", OpQuery, (*Wallet).queryOrderByID)
	api("POST /v3/pay/transactions/out-trade-no/{no}/close", OpClose, (*Wallet).closeOrder)
	api("POST /v3/refund/domestic/refunds", OpRefund, (*Wallet).createRefund)
	api("GET /v3/refund/domestic/refunds/{no}", OpQueryRefund, (*Wallet).queryRefund)
	api("GET /v3/bill/tradebill", OpTradeBill, (*Wallet).tradeBill)
	w.mux.HandleFunc("GET /v3/billdownload/file", w.serveFile)
	w.pages()
	w.controls()
}

// ServeHTTP implements http.Handler.
func (w *Wallet) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		http.Error(rw, "sandbox wallet is closed", http.StatusInternalServerError)
		return
	}
	w.mux.ServeHTTP(rw, r)
}

// serveAPI authenticates, lets faults interfere, does the work, and signs the answer.
func (w *Wallet) serveAPI(rw http.ResponseWriter, r *http.Request, op Op, serve func(*Wallet, call) answer) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	if err != nil {
		w.write(rw, nil, parameter("body", "", nil, "请求体过大").status, parameter("body", "", nil, "请求体过大").body())
		return
	}
	w.mu.Lock()
	m, fault := w.authenticate(r, body)
	if fault != nil {
		w.mu.Unlock()
		w.write(rw, nil, fault.status, fault.body())
		return
	}
	c := call{m: m, op: op, no: r.PathValue("no"), body: body, r: r}
	if c.no == "" {
		c.no = numberIn(op, body)
	}
	hit := w.matching(op, c.no)
	c.hit = hit
	if f := hit[DropBefore]; f != nil {
		w.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	var a answer
	if f := hit[Refuse]; f != nil {
		a.fault = catalogue[f.Code]
	} else {
		a = serve(w, c)
	}
	s := w.seal(m, shiftOf(hit[Skew]))
	w.mu.Unlock()

	if f := hit[Delay]; f != nil && !pause(r.Context(), f.Delay) {
		panic(http.ErrAbortHandler) // the work is done; nobody waits for the answer
	}
	if hit[DropAfter] != nil {
		panic(http.ErrAbortHandler)
	}
	status, text := render(a)
	if f := hit[WrongAmount]; f != nil {
		text = bumpAmount(text, f.Amount)
	}
	signing := &s
	switch {
	case hit[Unsigned] != nil || (a.fault != nil && a.fault.unsigned):
		signing = nil
	case hit[Probe] != nil:
		s.spoil = "WECHATPAY/SIGNTEST/"
	}
	if hit[Garbage] != nil {
		status, text, signing = http.StatusOK, []byte("<html><body>502 Bad Gateway</body></html>"), nil
	}
	w.write(rw, signing, status, text)
}

func render(a answer) (int, []byte) {
	if a.fault != nil {
		return a.fault.status, a.fault.body()
	}
	if a.value == nil {
		return http.StatusNoContent, nil
	}
	text, err := json.Marshal(a.value)
	if err != nil { // our own structs of strings and numbers
		return systemError.status, systemError.body()
	}
	return http.StatusOK, text
}

// write sends an answer; without a seal it is unsigned.
func (w *Wallet) write(rw http.ResponseWriter, s *seal, status int, body []byte) {
	h := rw.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-cache, must-revalidate")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Language", "zh-CN")
	if s != nil {
		if err := s.sign(h, body); err != nil {
			status, body = systemError.status, systemError.body()
		}
	}
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // a client that has gone is its own affair
}

// pause waits as a slow wallet does; false where the client gave up first. In memory nothing waits.
func pause(ctx context.Context, d time.Duration) bool {
	if ctx.Value(inMemory{}) != nil {
		return d < memoryPatience
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// authenticate checks the merchant's signature as documented: scheme, five parameters, five minutes, and RSA over
// method, path with query, timestamp, nonce and body.
func (w *Wallet) authenticate(r *http.Request, body []byte) (*merchant, *refusal) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, refuse("SIGN_ERROR", "Http头Authorization值缺失")
	}
	p, ok := parseAuthorization(header)
	if !ok {
		return nil, refuse("SIGN_ERROR", "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
	}
	m := w.merchants[p["mchid"]]
	if m == nil || subtle.ConstantTimeCompare([]byte(m.SerialNo), []byte(p["serial_no"])) != 1 {
		return nil, refuse("SIGN_ERROR", "商户证书序列号有误。请使用签名私钥匹配的证书序列号")
	}
	seconds, err := strconv.ParseInt(p["timestamp"], 10, 64)
	if err != nil {
		return nil, refuse("SIGN_ERROR", "Http头Authorization中的timestamp有误")
	}
	if age := w.now().Sub(time.Unix(seconds, 0)); age > 5*time.Minute || age < -5*time.Minute {
		return nil, refuse("SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
	}
	uri := r.URL.RequestURI()
	message := r.Method + "\n" + uri + "\n" + p["timestamp"] + "\n" + p["nonce_str"] + "\n" + string(body) + "\n"
	sum := sha256.Sum256([]byte(message))
	signature, err := base64.StdEncoding.DecodeString(p["signature"])
	if err != nil || rsa.VerifyPKCS1v15(&m.PrivateKey.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		f := refuse("SIGN_ERROR", "")
		f.Detail = map[string]any{
			"detail": map[string]any{"issue": "sign not match"}, "field": "signature", "location": "authorization",
			"sign_information": map[string]any{
				"method": r.Method, "url": uri, "sign_message_length": len(message),
				"truncated_sign_message": message[:len(message)-1-max(0, len(body)-8)] + "\n",
			},
		}
		return nil, f
	}
	m.public = w.public != nil && r.Header.Get("Wechatpay-Serial") == w.public.serial
	return m, nil
}

// parseAuthorization reads WECHATPAY2-SHA256-RSA2048 mchid="…",nonce_str="…",… in any order, each once.
func parseAuthorization(header string) (map[string]string, bool) {
	rest, ok := strings.CutPrefix(header, "WECHATPAY2-SHA256-RSA2048 ")
	if !ok || len(rest) > 4096 {
		return nil, false
	}
	p := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, quoted, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"' || p[name] != "" {
			return nil, false
		}
		p[name] = quoted[1 : len(quoted)-1]
	}
	for _, name := range []string{"mchid", "nonce_str", "timestamp", "serial_no", "signature"} {
		if p[name] == "" {
			return nil, false
		}
	}
	return p, len(p) == 5
}

// numberIn finds the number a request's body is about, so that a fault can name it.
func numberIn(op Op, body []byte) string {
	var n struct {
		Order  string `json:"out_trade_no"`
		Refund string `json:"out_refund_no"`
	}
	if json.Unmarshal(body, &n) != nil {
		return ""
	}
	if op == OpRefund {
		return n.Refund
	}
	return n.Order
}

// memoryPatience is when a client in memory gives up on a delayed answer.
const memoryPatience = 5 * time.Second

// InMemory carries requests to this wallet without sockets, whatever host they name. Nothing waits, so a program under a
// virtual clock need not either: a wallet that drops the connection, or delays an answer by five seconds or more, looks
// like a timeout at once; a shorter delay has no effect.
func (w *Wallet) InMemory() http.RoundTripper { return carrier{w} }

type (
	carrier  struct{ w *Wallet }
	inMemory struct{} // context key
)

// RoundTrip implements http.RoundTripper.
func (c carrier) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(context.WithValue(r.Context(), inMemory{}, true))
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			answer, err = nil, &net.OpError{Op: "read", Net: "memory", Err: errTimeout{}}
		default:
			panic(p)
		}
	}()
	out := &memory{header: http.Header{}, status: http.StatusOK}
	c.w.ServeHTTP(out, in)
	return &http.Response{
		Status: http.StatusText(out.status), StatusCode: out.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.header, Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r,
	}, nil
}

// memory is an http.ResponseWriter.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (m *memory) Header() http.Header         { return m.header }
func (m *memory) WriteHeader(status int)      { m.status = status }
func (m *memory) Write(b []byte) (int, error) { return m.body.Write(b) }

// errTimeout is what a client sees of a wallet that does not answer.
type errTimeout struct{}

func (errTimeout) Error() string   { return "no answer in time" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

var _ net.Error = errTimeout{}

var errNotFound = errors.New("sandbox: no such order")
