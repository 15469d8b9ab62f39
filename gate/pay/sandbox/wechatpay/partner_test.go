package wechatpay_test

import (
	"bytes"
	crand "crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/partnerpayments"
	partnerapp "github.com/wechatpay-apiv3/wechatpay-go/services/partnerpayments/app"
	partnerh5 "github.com/wechatpay-apiv3/wechatpay-go/services/partnerpayments/h5"
	partnerjsapi "github.com/wechatpay-apiv3/wechatpay-go/services/partnerpayments/jsapi"
	partnernative "github.com/wechatpay-apiv3/wechatpay-go/services/partnerpayments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/app"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/jsapi"
	"github.com/wechatpay-apiv3/wechatpay-go/services/profitsharing"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
)

const (
	subOne = "1900000201"
	subTwo = "1900000202"
)

// foreign is a foreign program: the official SDK, unchanged but for the host, before a sandbox over loopback.
type foreign struct {
	wallet *wechatpay.Wallet
	m      wechatpay.Merchant
	client *core.Client
	parser *notify.Handler
	told   chan *http.Request
	shop   string
	home   string
}

func newForeign(t *testing.T, subs ...string) *foreign {
	t.Helper()
	f := &foreign{told: make(chan *http.Request, 8)}
	shop := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		keep := r.Clone(t.Context())
		keep.Body = io.NopCloser(bytes.NewReader(body))
		f.told <- keep
		rw.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(shop.Close)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	f.shop, f.home = shop.URL, server.URL
	next := 0
	var err error
	f.wallet, err = wechatpay.New(sandbox.Config{
		Name: "Lotus Pay", BaseURL: server.URL, Now: time.Now, Random: crand.Reader, Scale: 1000,
		NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = f.wallet
	if f.m, err = f.wallet.AddMerchant(mchID, appID); err != nil {
		t.Fatal(err)
	}
	for _, sub := range subs {
		if err := f.wallet.AddSub(mchID, sub); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	httpClient := &http.Client{Transport: redirect{to}}
	bare, err := core.NewClient(ctx, option.WithMerchantCredential(f.m.MchID, f.m.SerialNo, f.m.PrivateKey), option.WithoutValidator(), option.WithHTTPClient(httpClient))
	if err != nil {
		t.Fatal(err)
	}
	mgr := downloader.NewCertificateDownloaderMgr(ctx)
	t.Cleanup(mgr.Stop)
	if err := mgr.RegisterDownloaderWithClient(ctx, bare, f.m.MchID, f.m.APIv3Key); err != nil {
		t.Fatalf("certificates: %v", err)
	}
	f.client, err = core.NewClient(ctx, option.WithWechatPayAutoAuthCipherUsingDownloaderMgr(f.m.MchID, f.m.SerialNo, f.m.PrivateKey, mgr), option.WithHTTPClient(httpClient))
	if err != nil {
		t.Fatal(err)
	}
	f.parser, err = notify.NewRSANotifyHandler(f.m.APIv3Key, verifiers.NewSHA256WithRSAVerifier(mgr.GetCertificateVisitor(f.m.MchID)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// called is what the wallet's app answers to the parameters that it was called with: where it leads, or "".
func (f *foreign) called(t *testing.T, params map[string]string) string {
	t.Helper()
	q := url.Values{}
	for name, v := range params {
		q.Set(name, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(f.home + "/sandbox/bridge?" + q.Encode()) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.Header.Get("Location")
}

// TestOfficialSDKInApps: a page inside the wallet and an app order with the official SDK, which also signs what the bridge and
// the wallet's SDK are called with; the wallet verifies it, and what was tampered with opens nothing.
func TestOfficialSDKInApps(t *testing.T) {
	f := newForeign(t)
	ctx := t.Context()
	page := jsapi.JsapiApiService{Client: f.client}
	order, _, err := page.PrepayWithRequestPayment(ctx, jsapi.PrepayRequest{
		Appid: core.String(appID), Mchid: core.String(mchID), Description: core.String("A teapot"), OutTradeNo: core.String("JSAPI-0001"),
		NotifyUrl: core.String(f.shop + "/notify"), Amount: &jsapi.Amount{Total: core.Int64(1999)}, Payer: &jsapi.Payer{Openid: core.String("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")},
	})
	if err != nil {
		t.Fatal(err)
	}
	params := map[string]string{
		"appId": *order.Appid, "timeStamp": *order.TimeStamp, "nonceStr": *order.NonceStr, "package": *order.Package, "signType": *order.SignType, "paySign": *order.PaySign,
	}
	if to := f.called(t, params); to != "/sandbox/pay?token="+*order.PrepayId {
		t.Errorf("the bridge led to %q", to)
	}
	params["nonceStr"] += "x"
	if to := f.called(t, params); to != "" {
		t.Errorf("what was tampered with led to %q", to)
	}
	if err := f.wallet.Approve(mchID, "JSAPI-0001"); err != nil {
		t.Fatal(err)
	}
	told := map[string]any{}
	if _, err := f.parser.ParseNotifyRequest(ctx, <-f.told, &told); err != nil || told["trade_type"] != "JSAPI" || told["payer"].(map[string]any)["openid"] != "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" {
		t.Errorf("%v %v", told, err)
	}
	_, _, err = page.Prepay(ctx, jsapi.PrepayRequest{
		Appid: core.String(appID), Mchid: core.String(mchID), Description: core.String("A teapot"), OutTradeNo: core.String("JSAPI-0002"),
		NotifyUrl: core.String(f.shop + "/notify"), Amount: &jsapi.Amount{Total: core.Int64(1999)}, Payer: &jsapi.Payer{Openid: core.String("")},
	})
	if !core.IsAPIError(err, "PARAM_ERROR") {
		t.Errorf("an order for nobody: %v", err)
	}

	apps := app.AppApiService{Client: f.client}
	called, _, err := apps.PrepayWithRequestPayment(ctx, app.PrepayRequest{
		Appid: core.String(appID), Mchid: core.String(mchID), Description: core.String("A cup"), OutTradeNo: core.String("APP-000001"),
		NotifyUrl: core.String(f.shop + "/notify"), Amount: &app.Amount{Total: core.Int64(500)},
	})
	if err != nil {
		t.Fatal(err)
	}
	params = map[string]string{
		"appid": appID, "partnerid": *called.PartnerId, "prepayid": *called.PrepayId, "package": *called.Package, "noncestr": *called.NonceStr,
		"timestamp": *called.TimeStamp, "sign": *called.Sign,
	}
	if to := f.called(t, params); to != "/sandbox/pay?token="+*called.PrepayId {
		t.Errorf("the app led to %q", to)
	}
	params["partnerid"] = subOne
	if to := f.called(t, params); to != "" {
		t.Errorf("another merchant's led to %q", to)
	}
	if v := f.wallet.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}

// TestOfficialSDKPartner drives partner mode with the official SDK: an order of every kind for a sub-merchant, its payment,
// refund, split and the split's return.
func TestOfficialSDKPartner(t *testing.T) {
	f := newForeign(t, subOne, subTwo)
	ctx := t.Context()
	sub, sp, me := core.String(subOne), core.String(mchID), core.String(appID)
	to, name := core.String(f.shop+"/notify"), core.String("A teapot")
	natives := partnernative.NativeApiService{Client: f.client}
	if _, _, err := natives.Prepay(ctx, partnernative.PrepayRequest{
		SpAppid: me, SpMchid: sp, SubMchid: sub, Description: name, OutTradeNo: core.String("PARTNER-1"), Attach: core.String("pay_1"), NotifyUrl: to,
		Amount: &partnernative.Amount{Total: core.Int64(10_000), Currency: core.String("CNY")}, SettleInfo: &partnernative.SettleInfo{ProfitSharing: core.Bool(true)},
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (&partnerh5.H5ApiService{Client: f.client}).Prepay(ctx, partnerh5.PrepayRequest{
		SpAppid: me, SpMchid: sp, SubMchid: sub, Description: name, OutTradeNo: core.String("PARTNER-2"), NotifyUrl: to, Amount: &partnerh5.Amount{Total: core.Int64(1)},
		SceneInfo: &partnerh5.SceneInfo{PayerClientIp: core.String("203.0.113.7"), H5Info: &partnerh5.H5Info{Type: core.String("Wap")}},
	}); err != nil {
		t.Error(err)
	}
	pages := partnerjsapi.JsapiApiService{Client: f.client}
	if _, _, err := pages.Prepay(ctx, partnerjsapi.PrepayRequest{
		SpAppid: me, SpMchid: sp, SubMchid: sub, Description: name, OutTradeNo: core.String("PARTNER-3"), NotifyUrl: to, Amount: &partnerjsapi.Amount{Total: core.Int64(1)},
		Payer: &partnerjsapi.Payer{SpOpenid: core.String("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")},
	}); err != nil {
		t.Error(err)
	}
	if _, err := pages.CloseOrder(ctx, partnerjsapi.CloseOrderRequest{OutTradeNo: core.String("PARTNER-3"), SpMchid: sp, SubMchid: sub}); err != nil {
		t.Error(err)
	}
	if _, _, err := (&partnerapp.AppApiService{Client: f.client}).Prepay(ctx, partnerapp.PrepayRequest{
		SpAppid: me, SpMchid: sp, SubMchid: sub, Description: name, OutTradeNo: core.String("PARTNER-4"), NotifyUrl: to, Amount: &partnerapp.Amount{Total: core.Int64(1)},
	}); err != nil {
		t.Error(err)
	}
	if _, _, err := natives.Prepay(ctx, partnernative.PrepayRequest{
		SpAppid: me, SpMchid: sp, SubMchid: core.String("1900000999"), Description: name, OutTradeNo: core.String("PARTNER-5"), NotifyUrl: to, Amount: &partnernative.Amount{Total: core.Int64(1)},
	}); !core.IsAPIError(err, "NO_AUTH") {
		t.Errorf("an order for a stranger: %v", err)
	}

	if err := f.wallet.Approve(mchID, "PARTNER-1"); err != nil {
		t.Fatal(err)
	}
	var told partnerpayments.Transaction
	if _, err := f.parser.ParseNotifyRequest(ctx, <-f.told, &told); err != nil || *told.SpMchid != mchID || *told.SubMchid != subOne || *told.Amount.Total != 10_000 {
		t.Fatalf("%s %v", told, err)
	}
	asked, _, err := natives.QueryOrderByOutTradeNo(ctx, partnernative.QueryOrderByOutTradeNoRequest{OutTradeNo: core.String("PARTNER-1"), SpMchid: sp, SubMchid: sub})
	if err != nil || *asked.TradeState != "SUCCESS" || *asked.TransactionId != *told.TransactionId {
		t.Errorf("%s %v", asked, err)
	}
	if _, _, err = natives.QueryOrderByOutTradeNo(ctx, partnernative.QueryOrderByOutTradeNoRequest{OutTradeNo: core.String("PARTNER-1"), SpMchid: sp, SubMchid: core.String(subTwo)}); !core.IsAPIError(err, "ORDER_NOT_EXIST") {
		t.Errorf("the same order as another's: %v", err)
	}

	receivers := profitsharing.ReceiversApiService{Client: f.client}
	if _, _, err := receivers.AddReceiver(ctx, profitsharing.AddReceiverRequest{
		Appid: me, SubMchid: sub, Account: sp, Type: profitsharing.RECEIVERTYPE_MERCHANT_ID.Ptr(), RelationType: profitsharing.RECEIVERRELATIONTYPE_SERVICE_PROVIDER.Ptr(),
	}); err != nil {
		t.Fatal(err)
	}
	splits := profitsharing.OrdersApiService{Client: f.client}
	if _, _, err := splits.CreateOrder(ctx, profitsharing.CreateOrderRequest{
		Appid: me, SubMchid: sub, OutOrderNo: core.String("S-1"), TransactionId: told.TransactionId, UnfreezeUnsplit: core.Bool(false),
		Receivers: []profitsharing.CreateOrderReceiver{{Type: core.String("MERCHANT_ID"), Account: sp, Amount: core.Int64(500), Description: core.String("commission")}},
	}); err != nil {
		t.Fatal(err)
	}
	for {
		s, _, err := splits.QueryOrder(ctx, profitsharing.QueryOrderRequest{SubMchid: sub, TransactionId: told.TransactionId, OutOrderNo: core.String("S-1")})
		if err != nil {
			t.Fatal(err)
		}
		if *s.State == profitsharing.ORDERSTATUS_FINISHED {
			break
		}
	}
	returns := profitsharing.ReturnOrdersApiService{Client: f.client}
	if _, _, err := returns.CreateReturnOrder(ctx, profitsharing.CreateReturnOrderRequest{
		SubMchid: sub, OutOrderNo: core.String("S-1"), OutReturnNo: core.String("B-1"), ReturnMchid: sp, Amount: core.Int64(500), Description: core.String("refund"),
	}); err != nil {
		t.Fatal(err)
	}
	back, _, err := (&refunddomestic.RefundsApiService{Client: f.client}).Create(ctx, refunddomestic.CreateRequest{
		SubMchid: sub, TransactionId: told.TransactionId, OutRefundNo: core.String("R-1"), NotifyUrl: core.String(f.shop + "/refunded"),
		Amount: &refunddomestic.AmountReq{Refund: core.Int64(10_000), Total: core.Int64(10_000), Currency: core.String("CNY")},
	})
	if err != nil || *back.Status != refunddomestic.STATUS_PROCESSING {
		t.Fatalf("%v %v", back, err)
	}
	refunded := map[string]any{}
	if _, err = f.parser.ParseNotifyRequest(ctx, <-f.told, &refunded); err != nil || refunded["refund_status"] != "SUCCESS" || refunded["sp_mchid"] != mchID || refunded["sub_mchid"] != subOne {
		t.Errorf("%v %v", refunded, err)
	}
}

// TestCombined: a combined order over the official SDK's client, which has no service for it: paid together, told in one
// notification, refunded and split part by part.
func TestCombined(t *testing.T) {
	f := newForeign(t, subOne, subTwo)
	ctx := t.Context()
	post := func(path string, body any) (map[string]any, error) {
		r, err := f.client.Post(ctx, consts.WechatPayAPIServer+path, body)
		if err != nil {
			return nil, err
		}
		v := map[string]any{}
		if r.Response.StatusCode == http.StatusOK {
			err = core.UnMarshalResponse(r.Response, &v)
		}
		return v, err
	}
	get := func(path string) (map[string]any, error) {
		r, err := f.client.Get(ctx, consts.WechatPayAPIServer+path)
		if err != nil {
			return nil, err
		}
		v := map[string]any{}
		return v, core.UnMarshalResponse(r.Response, &v)
	}
	part := func(no, sub string, total int) object {
		return object{
			"mchid": mchID, "sub_mchid": sub, "out_trade_no": no, "attach": "pay_1", "description": "A teapot",
			"amount": object{"total_amount": total, "currency": "CNY"}, "settle_info": object{"profit_sharing": true},
		}
	}
	order := object{
		"combine_appid": appID, "combine_mchid": mchID, "combine_out_trade_no": "TOGETHER-1", "notify_url": f.shop + "/notify",
		"sub_orders": []any{part("PART-0001", subOne, 6000), part("PART-0002", subTwo, 4000)},
	}
	for way, more := range map[string]object{
		"native": nil, "app": nil, "jsapi": {"combine_payer_info": object{"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}},
		"h5": {"scene_info": object{"payer_client_ip": "203.0.113.7", "h5_info": object{"type": "Wap"}}},
	} {
		o := with(order, "combine_out_trade_no", "TOGETHER-"+way)
		o["sub_orders"] = []any{part("PART-1-"+way, subOne, 6000), part("PART-2-"+way, subTwo, 4000)}
		for name, v := range more {
			o[name] = v
		}
		v, err := post("/v3/combine-transactions/"+way, o)
		if err != nil || v["code_url"] == nil && v["prepay_id"] == nil && v["h5_url"] == nil {
			t.Errorf("%s: %v %v", way, v, err)
		}
	}
	if _, err := post("/v3/combine-transactions/native", order); err != nil {
		t.Fatal(err)
	}
	if _, err := post("/v3/combine-transactions/native", order); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if _, err := post("/v3/combine-transactions/native", with(order, "sub_orders", []any{part("PART-0001", subOne, 6001)})); !core.IsAPIError(err, "INVALID_REQUEST") {
		t.Errorf("another order under its number: %v", err)
	}
	if _, err := post("/v3/combine-transactions/native", with(with(order, "combine_out_trade_no", "TOGETHER-9"), "sub_orders", []any{part("PART-0001", subOne, 6000)})); !core.IsAPIError(err, "OUT_TRADE_NO_USED") {
		t.Errorf("a part of two orders: %v", err)
	}
	if err := f.wallet.Approve(mchID, "TOGETHER-1"); err != nil {
		t.Fatal(err)
	}
	told := map[string]any{}
	if _, err := f.parser.ParseNotifyRequest(ctx, <-f.told, &told); err != nil || told["combine_out_trade_no"] != "TOGETHER-1" {
		t.Fatalf("%v %v", told, err)
	}
	asked, err := get("/v3/combine-transactions/out-trade-no/TOGETHER-1")
	if err != nil {
		t.Fatal(err)
	}
	one, two := must(json.Marshal(told["sub_orders"])), must(json.Marshal(asked["sub_orders"]))
	if !bytes.Equal(one, two) || len(asked["sub_orders"].([]any)) != 2 {
		t.Errorf("told %s\nasked %s", one, two)
	}
	refs := map[string]string{}
	for _, s := range asked["sub_orders"].([]any) {
		sub := s.(map[string]any)
		refs[sub["out_trade_no"].(string)] = sub["transaction_id"].(string)
		if sub["trade_state"] != "SUCCESS" {
			t.Errorf("%v", sub)
		}
	}
	shut := object{"combine_appid": appID, "sub_orders": []any{
		object{"mchid": mchID, "out_trade_no": "PART-0001", "sub_mchid": subOne}, object{"mchid": mchID, "out_trade_no": "PART-0002", "sub_mchid": subTwo},
	}}
	if _, err := post("/v3/combine-transactions/out-trade-no/TOGETHER-1/close", shut); !core.IsAPIError(err, "ORDERPAID") {
		t.Errorf("close of what is paid: %v", err)
	}
	if _, err := post("/v3/ecommerce/profitsharing/receivers/add", object{"appid": appID, "type": "MERCHANT_ID", "account": mchID, "relation_type": "PLATFORM"}); err != nil {
		t.Error(err)
	}
	split := object{"appid": appID, "sub_mchid": subTwo, "transaction_id": refs["PART-0002"], "out_order_no": "S-1", "finish": false, "receivers": []any{
		object{"type": "MERCHANT_ID", "receiver_account": mchID, "amount": 200, "description": "commission"},
	}}
	if v, err := post("/v3/ecommerce/profitsharing/orders", split); err != nil || v["sub_mchid"] != subTwo || v["order_id"] == "" {
		t.Errorf("%v %v", v, err)
	}
	if _, err := post("/v3/ecommerce/profitsharing/orders", with(with(split, "sub_mchid", subOne), "out_order_no", "S-2")); !core.IsAPIError(err, "RESOURCE_NOT_EXISTS") {
		t.Errorf("a split of another's order: %v", err)
	}
	for {
		v, err := get("/v3/ecommerce/profitsharing/orders?sub_mchid=" + subTwo + "&transaction_id=" + refs["PART-0002"] + "&out_order_no=S-1")
		if err != nil {
			t.Fatal(err)
		}
		if v["status"] == "FINISHED" {
			break
		}
	}
	if v, err := post("/v3/ecommerce/profitsharing/returnorders", object{"sub_mchid": subTwo, "out_order_no": "S-1", "out_return_no": "B-1", "return_mchid": mchID, "amount": 50, "description": "refund"}); err != nil || v["return_no"] == nil {
		t.Errorf("%v %v", v, err)
	}
	if v, err := get("/v3/ecommerce/profitsharing/returnorders?sub_mchid=" + subTwo + "&out_return_no=B-1&out_order_no=S-1"); err != nil || v["return_mchid"] != mchID {
		t.Errorf("%v %v", v, err)
	}
	if v, err := post("/v3/ecommerce/profitsharing/finish-order", object{"sub_mchid": subTwo, "transaction_id": refs["PART-0002"], "out_order_no": "S-3", "description": "done"}); err != nil || v["order_id"] == nil {
		t.Errorf("%v %v", v, err)
	}
	back := object{"sub_mchid": subOne, "sp_appid": appID, "transaction_id": refs["PART-0001"], "out_refund_no": "R-1", "amount": object{"refund": 1000, "total": 6000, "currency": "CNY"}}
	if v, err := post("/v3/ecommerce/refunds/apply", back); err != nil || v["refund_id"] == nil || v["status"] != nil {
		t.Errorf("%v %v", v, err)
	}
	if _, err := post("/v3/ecommerce/refunds/apply", with(with(back, "sub_mchid", subTwo), "out_refund_no", "R-2")); !core.IsAPIError(err, "RESOURCE_NOT_EXISTS") {
		t.Errorf("a refund of another's order: %v", err)
	}
	if v, err := get("/v3/ecommerce/refunds/out-refund-no/R-1?sub_mchid=" + subOne); err != nil || v["out_trade_no"] != "PART-0001" || !slices.Contains([]any{"PROCESSING", "SUCCESS"}, v["status"]) {
		t.Errorf("%v %v", v, err)
	}
	other := object{"combine_appid": appID, "sub_orders": []any{
		object{"mchid": mchID, "out_trade_no": "PART-1-app", "sub_mchid": subOne}, object{"mchid": mchID, "out_trade_no": "PART-2-app", "sub_mchid": subTwo},
	}}
	if _, err := post("/v3/combine-transactions/out-trade-no/TOGETHER-app/close", other); err != nil {
		t.Error(err)
	}
	if err := f.wallet.Approve(mchID, "PART-1-app"); err == nil {
		t.Error("a part of what is closed was paid")
	}
	for _, p := range f.wallet.Book(mchID).Payments {
		if (p.OutTradeNo == "PART-0001") != (p.Sub == subOne) || (p.OutTradeNo == "PART-0002") != (p.Sub == subTwo) {
			t.Errorf("%+v", p)
		}
	}
	if v := f.wallet.Violations(); len(v) != 2 {
		t.Errorf("violations %v", v)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
