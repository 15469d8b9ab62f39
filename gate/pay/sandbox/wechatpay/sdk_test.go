package wechatpay_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/h5"
	sdknative "github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"

	crand "crypto/rand"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
)

// redirect sends the SDK's requests, whose host is a constant, to the sandbox. It is the only thing a foreign program
// has to change.
type redirect struct{ to *url.URL }

func (r redirect) RoundTrip(q *http.Request) (*http.Response, error) {
	q = q.Clone(q.Context())
	q.URL.Scheme, q.URL.Host, q.Host = r.to.Scheme, r.to.Host, r.to.Host
	return http.DefaultTransport.RoundTrip(q)
}

// TestOfficialSDK drives the sandbox over loopback with the official Go SDK, unchanged: its signer, its certificate
// downloader, its response validator, its notification handler and its services.
func TestOfficialSDK(t *testing.T) {
	notified := make(chan *http.Request, 8)
	shopServer := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		keep := r.Clone(t.Context())
		keep.Body = io.NopCloser(bytes.NewReader(body))
		notified <- keep
		rw.WriteHeader(http.StatusNoContent)
	}))
	defer shopServer.Close()

	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	defer server.Close()
	next := 0
	wallet, err := wechatpay.New(sandbox.Config{
		Name: "Lotus Pay", BaseURL: server.URL, Now: time.Now, Random: crand.Reader, Scale: 1000,
		NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = wallet
	m, err := wallet.AddMerchant(mchID, appID)
	if err != nil {
		t.Fatal(err)
	}

	ctx := t.Context()
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	httpClient := &http.Client{Transport: redirect{to}}
	bare, err := core.NewClient(ctx, option.WithMerchantCredential(m.MchID, m.SerialNo, m.PrivateKey), option.WithoutValidator(), option.WithHTTPClient(httpClient))
	if err != nil {
		t.Fatal(err)
	}
	mgr := downloader.NewCertificateDownloaderMgr(ctx)
	defer mgr.Stop()
	if err := mgr.RegisterDownloaderWithClient(ctx, bare, m.MchID, m.APIv3Key); err != nil {
		t.Fatalf("certificates: %v", err)
	}
	client, err := core.NewClient(ctx, option.WithWechatPayAutoAuthCipherUsingDownloaderMgr(m.MchID, m.SerialNo, m.PrivateKey, mgr), option.WithHTTPClient(httpClient))
	if err != nil {
		t.Fatal(err)
	}
	parser, err := notify.NewRSANotifyHandler(m.APIv3Key, verifiers.NewSHA256WithRSAVerifier(mgr.GetCertificateVisitor(m.MchID)))
	if err != nil {
		t.Fatal(err)
	}

	nativeService := sdknative.NativeApiService{Client: client}
	prepay, _, err := nativeService.Prepay(ctx, sdknative.PrepayRequest{
		Appid: core.String(appID), Mchid: core.String(mchID), Description: core.String("A teapot"), OutTradeNo: core.String("NATIVE-001"),
		TimeExpire: core.Time(time.Now().Add(time.Hour)), Attach: core.String("pay_1"), NotifyUrl: core.String(shopServer.URL + "/notify"),
		Amount: &sdknative.Amount{Total: core.Int64(1999), Currency: core.String("CNY")},
	})
	if err != nil {
		t.Fatalf("native: %v", err)
	}
	if !strings.HasPrefix(*prepay.CodeUrl, server.URL) {
		t.Errorf("code_url %q does not lead to the sandbox", *prepay.CodeUrl)
	}
	h5Service := h5.H5ApiService{Client: client}
	if _, _, err := h5Service.Prepay(ctx, h5.PrepayRequest{
		Appid: core.String(appID), Mchid: core.String(mchID), Description: core.String("A cup"), OutTradeNo: core.String("H5-000001"),
		NotifyUrl: core.String(shopServer.URL + "/notify"), Amount: &h5.Amount{Total: core.Int64(500)},
		SceneInfo: &h5.SceneInfo{PayerClientIp: core.String("203.0.113.7"), H5Info: &h5.H5Info{Type: core.String("Wap")}},
	}); err != nil {
		t.Fatalf("h5: %v", err)
	}
	if _, err := h5Service.CloseOrder(ctx, h5.CloseOrderRequest{OutTradeNo: core.String("H5-000001"), Mchid: core.String(mchID)}); err != nil {
		t.Fatalf("close, whose 204 is signed too: %v", err)
	}

	if err := wallet.Approve(mchID, "NATIVE-001"); err != nil {
		t.Fatal(err)
	}
	var told payments.Transaction
	n, err := parser.ParseNotifyRequest(ctx, <-notified, &told)
	if err != nil {
		t.Fatalf("notification: %v", err)
	}
	if n.EventType != "TRANSACTION.SUCCESS" || *told.OutTradeNo != "NATIVE-001" || *told.Amount.Total != 1999 || *told.Attach != "pay_1" {
		t.Errorf("notified %s of %s", n.EventType, told)
	}
	asked, _, err := nativeService.QueryOrderById(ctx, sdknative.QueryOrderByIdRequest{TransactionId: told.TransactionId, Mchid: core.String(mchID)})
	if err != nil || *asked.TradeState != "SUCCESS" {
		t.Fatalf("query by id: %v %v", asked, err)
	}

	refundService := refunddomestic.RefundsApiService{Client: client}
	back, _, err := refundService.Create(ctx, refunddomestic.CreateRequest{
		TransactionId: told.TransactionId, OutRefundNo: core.String("R-1"), NotifyUrl: core.String(shopServer.URL + "/refunded"),
		Amount: &refunddomestic.AmountReq{Refund: core.Int64(999), Total: core.Int64(1999), Currency: core.String("CNY")},
	})
	if err != nil || *back.Status != refunddomestic.STATUS_PROCESSING {
		t.Fatalf("refund: %v %v", back, err)
	}
	refunded := map[string]any{}
	if n, err = parser.ParseNotifyRequest(ctx, <-notified, &refunded); err != nil || n.EventType != "REFUND.SUCCESS" || refunded["refund_status"] != "SUCCESS" {
		t.Fatalf("refund notification: %v %v %v", n, refunded, err)
	}
	if back, _, err = refundService.QueryByOutRefundNo(ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: core.String("R-1")}); err != nil || *back.Status != refunddomestic.STATUS_SUCCESS {
		t.Fatalf("refund query: %v %v", back, err)
	}

	_, _, err = nativeService.QueryOrderByOutTradeNo(ctx, sdknative.QueryOrderByOutTradeNoRequest{OutTradeNo: core.String("NEVER-ORDERED"), Mchid: core.String(mchID)})
	if !core.IsAPIError(err, "ORDER_NOT_EXIST") {
		t.Errorf("query of an unknown order: %v", err)
	}
	if _, err := client.Get(ctx, consts.WechatPayAPIServer+"/v3/bill/tradebill?bill_date="+time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly)); !core.IsAPIError(err, "INVALID_REQUEST") {
		t.Errorf("bill of today: %v", err)
	}
	if err := wallet.Rotate(); err != nil {
		t.Fatal(err)
	}
	mgr.DownloadCertificates(ctx)
	if n := len(mgr.GetCertificateMap(ctx, m.MchID)); n != 2 {
		t.Errorf("%d platform certificates after a rotation began, not 2", n)
	}
	if err := wallet.RotateNow(); err != nil {
		t.Fatal(err)
	}
	if err := mgr.RegisterDownloaderWithClient(ctx, bare, m.MchID, m.APIv3Key); err != nil {
		t.Fatalf("certificates: %v", err)
	}
	if _, _, err = nativeService.QueryOrderByOutTradeNo(ctx, sdknative.QueryOrderByOutTradeNoRequest{OutTradeNo: core.String("NATIVE-001"), Mchid: core.String(mchID)}); err != nil {
		t.Errorf("query after the platform certificate was rotated: %v", err)
	}
	if v := wallet.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}

// TestBillOverSDK downloads yesterday's bill as the SDK's documentation says: apply with a client that checks
// signatures, download with one that does not, compare the hash of the unpacked file.
func TestBillOverSDK(t *testing.T) {
	w := newWorld(t, nil)
	w.pay("ORDER-01", 1999)
	w.Advance(26 * time.Hour)
	a := w.ask("GET", "/v3/bill/tradebill?bill_date=2026-03-04&tar_type=GZIP", nil)
	var applied struct {
		HashType    string `json:"hash_type"`
		HashValue   string `json:"hash_value"`
		DownloadURL string `json:"download_url"`
	}
	if err := json.Unmarshal(a.body, &applied); err != nil || applied.HashType != "SHA1" {
		t.Fatalf("%s: %v", a.body, err)
	}
	u, err := url.Parse(applied.DownloadURL)
	if err != nil {
		t.Fatal(err)
	}
	file := w.ask("GET", u.RequestURI(), nil)
	if file.header.Get("Wechatpay-Signature") != "" {
		t.Error("the download is signed; the real one never is")
	}
	in, err := gzip.NewReader(bytes.NewReader(file.body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha1.Sum(plain); hex.EncodeToString(sum[:]) != applied.HashValue {
		t.Errorf("hash %x, published %s", sum, applied.HashValue)
	}
	if again := w.ask("GET", u.RequestURI(), nil); again.status != http.StatusOK {
		t.Errorf("second download within five minutes: %d", again.status)
	}
	w.Advance(6 * time.Minute)
	if late := w.ask("GET", u.RequestURI(), nil); late.status != http.StatusBadRequest || late.json["code"] != "INVALID_REQUEST" {
		t.Errorf("download after five minutes: %d %s", late.status, late.body)
	}
	other, err := w.wallet.AddMerchant("1900000110", appID)
	if err != nil {
		t.Fatal(err)
	}
	a = w.ask("GET", "/v3/bill/tradebill?bill_date=2026-03-04", nil)
	u, err = url.Parse(a.json["download_url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	w.m = other
	if a := w.ask("GET", u.RequestURI(), nil); a.status != http.StatusForbidden || a.json["code"] != "NO_AUTH" {
		t.Errorf("another merchant's download: %d %s", a.status, a.body)
	}
}
