package alipay_test

import (
	"bytes"
	crand "crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	sdk "github.com/smartwalle/alipay/v3"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
)

// served is a sandbox on loopback, with a shop that keeps what it is told.
type served struct {
	url    string
	wallet *alipay.Wallet
	m      alipay.Merchant
	shop   string
	told   chan url.Values
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{told: make(chan url.Values, 16)}
	shop := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		s.told <- r.PostForm
		sdk.ACKNotification(rw)
	}))
	t.Cleanup(shop.Close)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	next := 0
	var err error
	s.wallet, err = alipay.New(sandbox.Config{
		Name: "Lotus Pay", BaseURL: server.URL, Now: time.Now, Random: crand.Reader, Scale: 1000,
		NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = s.wallet
	t.Cleanup(func() { _ = s.wallet.Close() })
	if s.m, err = s.wallet.AddMerchant(appID, pid); err != nil {
		t.Fatal(err)
	}
	s.url, s.shop = server.URL, shop.URL
	return s
}

// TestGoClient drives the sandbox over loopback with github.com/smartwalle/alipay unchanged, with a public key and with
// certificates, through a rotation.
func TestGoClient(t *testing.T) {
	for _, mode := range []string{"key", "certificates"} {
		t.Run(mode, func(t *testing.T) {
			s := serve(t)
			client, err := sdk.New(appID, s.m.KeyText(mode == "key"), true, sdk.WithProductionGateway(s.url+"/gateway.do"))
			if err != nil {
				t.Fatal(err)
			}
			if mode == "key" {
				text, err := s.m.AlipayKeyText()
				if err != nil {
					t.Fatal(err)
				}
				err = client.LoadAliPayPublicKey(text)
				if err != nil {
					t.Fatal(err)
				}
			} else if err := errors.Join(client.LoadAppCertPublicKey(s.m.AppCert), client.LoadAliPayRootCert(s.m.RootCert), client.LoadAlipayCertPublicKey(s.m.AlipayCert)); err != nil {
				t.Fatal(err)
			}
			drive(t, s, client)
			if mode == "key" {
				return
			}
			if err := s.wallet.RotateNow(); err != nil {
				t.Fatal(err)
			}
			if a, err := client.TradeQuery(t.Context(), sdk.TradeQuery{OutTradeNo: "ORDER1"}); err != nil || a.TradeStatus != sdk.TradeStatusSuccess {
				t.Errorf("after a rotation: %v %v", a, err)
			}
		})
	}
}

func drive(t *testing.T, s *served, client *sdk.Client) {
	t.Helper()
	ctx := t.Context()
	order := sdk.Trade{OutTradeNo: "ORDER1", TotalAmount: "19.99", Subject: "A teapot", NotifyURL: s.shop + "/notify", PassbackParams: "pay_1"}
	qr, err := client.TradePreCreate(ctx, sdk.TradePreCreate{Trade: order})
	if err != nil || !qr.IsSuccess() {
		t.Fatalf("precreate: %v %v", qr, err)
	}
	if a, err := client.TradeQuery(ctx, sdk.TradeQuery{OutTradeNo: "ORDER1"}); err != nil || a.SubCode != "ACQ.TRADE_NOT_EXIST" {
		t.Errorf("query before anybody looked: %v %v", a, err)
	}
	page, err := http.Get(qr.QRCode) //nolint:noctx // as a browser does
	if err != nil {
		t.Fatal(err)
	}
	_ = page.Body.Close()
	if err := s.wallet.Approve(appID, "ORDER1"); err != nil {
		t.Fatal(err)
	}
	n, err := client.DecodeNotification(ctx, <-s.told)
	if err != nil || n.OutTradeNo != "ORDER1" || n.TradeStatus != sdk.TradeStatusSuccess || n.TotalAmount != "19.99" || n.PassbackParams != "pay_1" {
		t.Fatalf("notification: %+v %v", n, err)
	}
	a, err := client.TradeQuery(ctx, sdk.TradeQuery{TradeNo: n.TradeNo})
	if err != nil || a.TradeStatus != sdk.TradeStatusSuccess || a.BuyerPayAmount != "19.99" {
		t.Errorf("query: %+v %v", a, err)
	}
	back, err := client.TradeRefund(ctx, sdk.TradeRefund{OutTradeNo: "ORDER1", RefundAmount: "9.99", OutRequestNo: "R1"})
	if err != nil || back.FundChange != "Y" {
		t.Errorf("refund: %+v %v", back, err)
	}
	if n, err := client.DecodeNotification(ctx, <-s.told); err != nil || n.OutBizNo != "R1" || n.RefundFee != "9.99" {
		t.Errorf("refund notification: %+v %v", n, err)
	}
	if q, err := client.TradeFastPayRefundQuery(ctx, sdk.TradeFastPayRefundQuery{OutTradeNo: "ORDER1", OutRequestNo: "R1"}); err != nil || q.RefundStatus != "REFUND_SUCCESS" {
		t.Errorf("refund query: %+v %v", q, err)
	}
	wap := order
	wap.OutTradeNo, wap.ProductCode, wap.ReturnURL = "ORDER2", "QUICK_WAP_WAY", s.shop+"/thanks"
	to, err := client.TradeWapPay(sdk.TradeWapPay{Trade: wap})
	if err != nil {
		t.Fatal(err)
	}
	cashier, err := http.Get(to.String()) //nolint:noctx // as a browser does
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(cashier.Body)
	if err != nil || !bytes.Contains(text, []byte("19.99")) {
		t.Errorf("cashier: %d %v", cashier.StatusCode, err)
	}
	_ = cashier.Body.Close()
	if c, err := client.TradeClose(ctx, sdk.TradeClose{OutTradeNo: "ORDER2"}); err != nil || !c.IsSuccess() {
		t.Errorf("close: %+v %v", c, err)
	}
	if n, err := client.DecodeNotification(ctx, <-s.told); err != nil || n.TradeStatus != sdk.TradeStatusClosed {
		t.Errorf("close notification: %+v %v", n, err)
	}
	if c, err := client.TradeCancel(ctx, sdk.TradeCancel{OutTradeNo: "ORDER2"}); err != nil || c.Action != "close" {
		t.Errorf("cancel: %+v %v", c, err)
	}
	split := sdk.NewPayload("alipay.trade.royalty.relation.bind").AddBizField("out_request_no", "B1").AddBizField("receiver_list", []object{{"type": "userId", "account": other}})
	var bound struct {
		sdk.Error
		ResultCode string `json:"result_code"`
	}
	if err := client.Request(ctx, split, &bound); err != nil || bound.ResultCode != "SUCCESS" {
		t.Errorf("bind: %+v %v", bound, err)
	}
	// The library's own amount is a float; 3 and 0.3 come out as JSON numbers.
	if r, err := client.TradeOrderSettle(ctx, sdk.TradeOrderSettle{OutRequestNo: "S1", TradeNo: a.TradeNo, RoyaltyParameters: []*sdk.RoyaltyParameter{{TransIn: other, Amount: 0.3}}}); err != nil || !r.IsSuccess() {
		t.Errorf("settle: %+v %v", r, err)
	}
	if b, err := client.BillDownloadURLQuery(ctx, sdk.BillDownloadURLQuery{BillType: "trade", BillDate: time.Now().In(sandbox.Beijing).Format(time.DateOnly)}); err != nil || b.IsSuccess() {
		t.Errorf("bill of today: %+v %v", b, err)
	}
	if v := s.wallet.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}
