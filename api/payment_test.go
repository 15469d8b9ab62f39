package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/statement"
)

const market = `
moongate: agreement/1
id: market
version: 1
name: {en: A market and a wallet}
parties:
  - {role: marketplace, id: mall}
  - {role: publisher, id: news}
  - {role: wallet, id: lotus}
  - {role: seller, id: tea}
valid: {from: %q, until: %q, notice: 30d}
scope: {kinds: [payment, refund], currencies: [CNY], beneficiary: seller}
fees:
  - {id: commission, label: {en: Commission}, from: seller, to: marketplace, bps: 500}
  - {id: wallet_fee, label: {en: Wallet fee}, from: seller, to: wallet, bps: 60, min: {CNY: "0.01"}}
settlement: {window: 1d, netting: multilateral}
offer: {kind: closed}
`

// openMarket is a world with a wallet at which payments can be made.
func openMarket(t *testing.T) (*world, *wechatbox.Wallet, wechatbox.Merchant) {
	t.Helper()
	wallet, err := wechatbox.New(sandbox.Config{Name: "Lotus Pay", BaseURL: "https://wallet.test", Now: time.Now, Random: rand.Reader, Scale: 1000})
	if err != nil {
		t.Fatal(err)
	}
	merchant, err := wallet.AddMerchant("1900000109", "wx8888888888888888")
	if err != nil {
		t.Fatal(err)
	}
	connector, err := wechatpay.New(wechatpay.Config{
		MchID: merchant.MchID, AppID: merchant.AppID, SerialNo: merchant.SerialNo, PrivateKey: merchant.PrivateKey, APIv3Key: merchant.APIv3Key,
		BaseURL: "https://wallet.test", Carrier: wallet.InMemory(), Now: time.Now, Random: rand.Reader,
		Products: []wechatpay.Product{wechatpay.Native, wechatpay.H5, wechatpay.JSAPI, wechatpay.InApps},
	})
	if err != nil {
		t.Fatal(err)
	}
	var h *hub.Hub
	w := openWith(t, func(o *hub.Options) { o.Wallets = map[string]pay.Wallet{"lotus": connector} }, func(a *api.API, _ *http.Server) {
		a.Mux().HandleFunc("POST /pay/notify/", func(rw http.ResponseWriter, r *http.Request) {
			mux := http.NewServeMux()
			h.Payments.Register(mux)
			mux.ServeHTTP(rw, r)
		})
	})
	h = w.hub
	for handle, kind := range map[string]party.Kind{"mall": party.Platform, "news": party.Publisher, "lotus": party.Wallet, "tea": party.Merchant, "rival": party.Merchant} {
		w.join(handle, kind, party.AllScopes)
	}
	return w, wallet, merchant
}

// follow waits until a participant is told of an event.
func follow(t *testing.T, c *client.Client, after *string, kind string, ok func(string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for e, err := range c.Events(ctx, *after) {
		if err != nil {
			t.Fatalf("waiting for %s: %v", kind, err)
		}
		if *after = e.Cursor; e.Kind == kind && ok(string(e.Data)) {
			return
		}
	}
	t.Fatalf("%s did not come", kind)
}

// A payment from request to refund, settlement and statement, as its merchant's program would do it.
func TestPaymentOverHTTP(t *testing.T) {
	t.Parallel()
	w, wallet, account := openMarket(t)
	ctx := t.Context()
	mall, tea, rival, office := w.signer("mall"), w.signer("tea"), w.signer("rival"), w.client(w.operator)
	id := w.agree(market, map[agreement.Role]string{agreement.Marketplace: "mall", agreement.Publisher: "news", agreement.Wallet: "lotus", agreement.Seller: "tea"})

	ask := api.NewPayment{Create: pay.Create{
		Order: "ORDER-1", From: "news", To: "mall", Agreement: id, Amount: money.Of(10_000, money.CNY), Title: "A teapot",
		Payees: []crossing.Payee{{Party: "tea", Amount: 10_000}},
	}}
	key := must[string](t)(mall.Key())
	till := must[api.Till](t)(client.DoAs[api.Till](ctx, mall, key, "/v1/payments", ask))
	if again := must[api.Till](t)(client.DoAs[api.Till](ctx, mall, key, "/v1/payments", ask)); again.Payment != till.Payment || again.Cashier != till.Cashier || !strings.HasPrefix(till.Cashier, w.url+"/pay/"+till.Payment.String()) {
		t.Errorf("the same again: %+v, not %+v", again, till)
	}
	if again := must[api.Till](t)(client.Do[api.Till](ctx, mall, "/v1/payments", ask)); again.Payment != till.Payment || again.Cashier != till.Cashier {
		t.Errorf("the same order under another key: %+v, not %+v", again, till)
	}
	dearer := ask
	dearer.Amount, dearer.Payees = money.Of(20_000, money.CNY), nil
	if _, err := client.Do[api.Till](ctx, mall, "/v1/payments", dearer); moongate.CodeOf(err) != moongate.Conflict {
		t.Errorf("the same order with another amount: %v", err)
	}
	token, err := w.hub.IssueToken(ctx, "", "mall", "till", party.AllScopes, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do[api.Till](ctx, w.client(token), "/v1/payments", ask); moongate.CodeOf(err) != moongate.Unauthenticated {
		t.Errorf("without a signature: %v", err)
	}
	path := "/v1/payments/" + till.Payment.String()
	_, closed := client.Get[api.Payment](ctx, rival, path, nil)
	_, none := client.Get[api.Payment](ctx, rival, "/v1/payments/"+other(till.Payment).String(), nil)
	alike(t, closed, none, till.Payment, other(till.Payment))

	after := ""
	chosen := must[pay.WalletAnswer](t)(client.Do[pay.WalletAnswer](ctx, mall, "/v1/payments/choose-wallet", pay.ChooseWallet{Payment: till.Payment, Wallet: "lotus"}))
	follow(t, mall, &after, "pay.handed_over", func(string) bool { return true })
	if p := must[api.Payment](t)(client.Get[api.Payment](ctx, mall, path, nil)); p.Attempt == nil || p.Attempt.ID != chosen.Attempt || p.Attempt.Status != pay.AttemptAwaiting {
		t.Errorf("the shopper may pay: %+v", p)
	}
	if err := wallet.Approve(account.MchID, chosen.Attempt.String()); err != nil {
		t.Fatal(err)
	}
	follow(t, mall, &after, "pay.settled", func(data string) bool { return strings.Contains(data, "succeeded") })
	paid := must[api.Payment](t)(client.Get[api.Payment](ctx, mall, path, nil))
	if paid.Status != pay.Succeeded || paid.Left.Minor != 10_000 || paid.Crossing.IsZero() || paid.Cashier != "" {
		t.Errorf("paid: %+v", paid)
	}

	refund := pay.Refund{Payment: till.Payment, Reference: "RETURN-1", Amount: 4_000}
	back := must[pay.RefundAnswer](t)(client.Do[pay.RefundAnswer](ctx, mall, "/v1/refunds", refund))
	if _, err := client.Do[pay.RefundAnswer](ctx, mall, "/v1/refunds", pay.Refund{Payment: till.Payment, Reference: "RETURN-2", Amount: 6_001}); err == nil {
		t.Error("more than was paid goes back")
	}
	follow(t, mall, &after, "pay.refund_ended", func(data string) bool { return strings.Contains(data, "succeeded") })
	if p := must[api.Payment](t)(client.Get[api.Payment](ctx, mall, path, nil)); p.Refunded.Minor != 4_000 || p.Left.Minor != 6_000 {
		t.Errorf("after the refund: %+v", p)
	}

	t.Run("lists", func(t *testing.T) {
		at, _ := w.hub.Node.Durable()
		if err := w.hub.Views.Wait(ctx, at); err != nil { // lists follow
			t.Fatal(err)
		}
		if rows := all[pay.Row](t, mall, "/v1/payments", url.Values{"status": {"succeeded"}}); len(rows) != 1 || rows[0].Refunded.Minor != 4_000 {
			t.Errorf("payments %+v", rows)
		}
		if rows := all[pay.RefundRow](t, mall, "/v1/refunds", url.Values{"payment": {till.Payment.String()}}); len(rows) != 1 || rows[0].ID != back.Refund || rows[0].Status != pay.RefundSucceeded {
			t.Errorf("refunds %+v", rows)
		}
		if rows := all[pay.ExceptionRow](t, mall, "/v1/exceptions", nil); len(rows) != 0 {
			t.Errorf("exceptions %+v", rows)
		}
		if rows := all[pay.Row](t, rival, "/v1/payments", nil); len(rows) != 0 {
			t.Errorf("somebody else's payments %+v", rows)
		}
		var kinds []string
		for _, e := range all[client.Event](t, mall, path+"/events", nil) {
			kinds = append(kinds, e.Kind)
		}
		var one []string // page by page it is the same story
		for _, e := range all[client.Event](t, mall, path+"/events", url.Values{"limit": {"1"}}) {
			one = append(one, e.Kind)
		}
		if !slices.Equal(one, kinds) {
			t.Errorf("one by one: %v, not %v", one, kinds)
		}
		slices.Reverse(kinds)
		if len(kinds) < 6 || kinds[0] != "pay.created" || !slices.Contains(kinds, "pay.settled") || kinds[len(kinds)-1] != "pay.refund_ended" {
			t.Errorf("the story %v", kinds)
		}
	})

	t.Run("settlement", func(t *testing.T) {
		windows := all[settle.WindowRow](t, tea, "/v1/settlement/windows", nil)
		if len(windows) != 0 {
			t.Errorf("closed windows: %+v", windows)
		}
		listOpenWindows(t, w, id)
		if got := w.do(call{path: "/v1/settlement/windows/" + other(id).String() + "/positions", signer: "tea"}); got.status != 403 {
			t.Errorf("everybody's positions: %d %s", got.status, got.text)
		}
		if _, err := client.Do[settle.Answer](ctx, tea, "/v1/settlement/payouts/report", settle.Report{Instruction: moongate.NewID(moongate.KindInstruction, moongate.Hub{1}, [12]byte{1}), Progress: settle.Paid}); moongate.CodeOf(err) != moongate.NotFound {
			t.Errorf("a payout that is not there: %v", err)
		}
		if rows := all[settle.Payout](t, tea, "/v1/settlement/payouts", nil); len(rows) != 0 {
			t.Errorf("payouts %+v", rows)
		}
	})

	t.Run("statements", func(t *testing.T) {
		months := must[client.Page[statement.Month]](t)(client.Get[client.Page[statement.Month]](ctx, tea, "/v1/statements/months", nil))
		if len(months.Items) == 0 || months.Items[0].Agreement != id.String() {
			t.Fatalf("months %+v", months)
		}
		which := url.Values{"agreement": {id.String()}, "currency": {"CNY"}, "month": {months.Items[0].Month}}
		st := must[statement.Itemised](t)(client.Get[statement.Itemised](ctx, tea, "/v1/statements/itemised", which))
		// The payment of 100.00 less 5 % and 0.6 %, and of both what the refund of 40.00 gives back.
		if want := int64(6_000 - 300 - 36); st.Net != want || len(st.Problems) != 0 || st.Crossings != 2 {
			t.Errorf("net %d, not %d: %+v", st.Net, want, st)
		}
		text, err := tea.GetBytes(ctx, "/v1/statements/itemised.csv", which)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil || len(rows) != len(st.Lines)+1 {
			t.Errorf("%d lines of CSV for %d, %v:\n%s", len(rows), len(st.Lines), err, text)
		}
		for _, p := range []string{"/v1/statements/itemised", "/v1/statements/itemised.csv"} {
			_, closed := rival.GetBytes(ctx, p, which)
			which := url.Values{"agreement": {other(id).String()}, "currency": {"CNY"}, "month": {"2026-01"}}
			_, none := rival.GetBytes(ctx, p, which)
			alike(t, closed, none, id, other(id))
		}
		if got := w.do(call{path: "/v1/statements/itemised.csv?agreement=" + id.String() + "&currency=CNY&month=2026-13", signer: "tea"}); got.status != 400 || got.problem(t).Field != "month" {
			t.Errorf("no month: %d %s", got.status, got.text)
		}
	})

	t.Run("operator", func(t *testing.T) {
		h := must[api.Health](t)(client.Get[api.Health](ctx, office, "/v1/health", nil))
		if !h.Leads || h.Position == 0 || h.Buried != 0 || h.Quarantine {
			t.Errorf("health %+v", h)
		}
		must[api.Effects](t)(client.Get[api.Effects](ctx, office, "/v1/effects", nil))
		if rows := all[api.BuriedEffect](t, office, "/v1/effects/buried", nil); len(rows) != 0 {
			t.Errorf("buried %+v", rows)
		}
		if _, err := client.Do[api.Done](ctx, office, "/v1/effects/revive", api.Revival{Effect: 1}); moongate.CodeOf(err) != moongate.NotFound {
			t.Errorf("nothing to revive: %v", err)
		}
		archive, err := office.GetBytes(ctx, "/v1/backup", nil)
		if err != nil || !bytes.HasPrefix(archive, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			t.Fatalf("a backup of %d bytes: %v", len(archive), err)
		}
		restored := *w.hub.Config
		restored.Data = t.TempDir() + "/data"
		if m, _, err := hub.Restore(ctx, hub.Options{Config: &restored, Secrets: w.hub.Secrets, Now: time.Now, Random: func(b []byte) { rand.Read(b) }}, bytes.NewReader(archive)); err != nil || m.Position == 0 {
			t.Errorf("restoring it: %+v, %v", m, err)
		}
		for _, p := range []string{"/v1/health", "/v1/effects", "/v1/effects/buried", "/v1/backup"} {
			if got := w.do(call{path: p, signer: "mall"}); got.status != 403 {
				t.Errorf("%s by a participant: %d %s", p, got.status, got.text)
			}
		}
	})
	if v := wallet.Violations(); len(v) != 0 {
		t.Errorf("the wallet saw %v", v)
	}
}

// listOpenWindows reads who is told of the window that is open: those who stand in it, each its own position, and an
// operator, who has none.
func listOpenWindows(t *testing.T, w *world, id moongate.ID) {
	t.Helper()
	w.join("office-2", party.Operator, party.OperatorScope)
	var open settle.Window
	w.hub.Machine().Read(func() { open, _ = w.hub.Settle.Current(id, money.CNY) })
	for _, c := range []struct {
		who  string
		rows int
		net  int64
	}{
		{"tea", 1, 6_000 - 300 - 36},
		{"office-2", 1, 0},
		{"rival", 0, 0},
	} {
		for _, query := range []url.Values{{"state": {"open"}}, {"state": {"open"}, "agreement": {id.String()}}, {"state": {"open"}, "limit": {"1"}}} {
			rows := all[settle.WindowRow](t, w.signer(c.who), "/v1/settlement/windows", query)
			if len(rows) != c.rows {
				t.Fatalf("%s is told of %+v by %v", c.who, rows, query)
			}
			if c.rows == 1 && (rows[0].Window != open.ID.String() || rows[0].Status != "open" || rows[0].Until != open.Until || rows[0].Net != c.net || (rows[0].Party == "") != (c.net == 0)) {
				t.Errorf("%s is told of %+v by %v", c.who, rows[0], query)
			}
		}
	}
	if _, _, err := w.hub.OpenWindows(t.Context(), hub.Reader{Handle: "tea"}, moongate.ID{}, "1.win_x", 1); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("a cursor of closed windows: %v", err)
	}
}
