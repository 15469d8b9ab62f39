package api_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// A shopper inside the wallet's app, over HTTP: the merchant names the payer, gets what the app's bridge is called with, and is
// paid. The payer stands in no file of the hub's; erasing him by what the wallet calls him deletes his key.
func TestPayerOverHTTP(t *testing.T) {
	t.Parallel()
	w, wallet, account := openMarket(t)
	ctx, mall, office := t.Context(), w.signer("mall"), w.client(w.operator)
	id := w.agree(market, map[agreement.Role]string{agreement.Marketplace: "mall", agreement.Publisher: "news", agreement.Wallet: "lotus", agreement.Seller: "tea"})
	const who = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	ask := api.NewPayment{
		Create: pay.Create{
			Order: "ORDER-1", From: "news", To: "mall", Agreement: id, Amount: money.Of(10_000, money.CNY), Title: "A teapot",
			Payees: []crossing.Payee{{Party: "tea", Amount: 10_000}},
		},
		Payers: []pay.PayerAt{{Wallet: "lotus", Payer: who}},
	}
	key := must[string](t)(mall.Key())
	till := must[api.Till](t)(client.DoAs[api.Till](ctx, mall, key, "/v1/payments", ask))
	if again := must[api.Till](t)(client.DoAs[api.Till](ctx, mall, key, "/v1/payments", ask)); again.Payment != till.Payment || again.Cashier != till.Cashier {
		t.Errorf("the same again: %+v, not %+v", again, till)
	}
	another := ask
	another.Payers = []pay.PayerAt{{Wallet: "lotus", Payer: who + "2"}}
	if _, err := client.DoAs[api.Till](ctx, mall, key, "/v1/payments", another); moongate.CodeOf(err) != moongate.KeyReused {
		t.Errorf("the same key for another payer: %v", err)
	}
	after := ""
	chosen := must[pay.WalletAnswer](t)(client.Do[pay.WalletAnswer](ctx, mall, "/v1/payments/choose-wallet", pay.ChooseWallet{Payment: till.Payment, Wallet: "lotus", Channel: pay.InApp}))
	follow(t, mall, &after, "pay.handed_over", func(string) bool { return true })
	p := must[api.Payment](t)(client.Get[api.Payment](ctx, mall, "/v1/payments/"+till.Payment.String(), nil))
	if p.Attempt == nil || p.Attempt.ID != chosen.Attempt || p.Attempt.Channel != pay.InApp || p.Attempt.Handoff == nil {
		t.Fatalf("%+v", p.Attempt)
	}
	call, q := map[string]string{}, url.Values{}
	if err := json.Unmarshal([]byte(p.Attempt.Handoff.Params), &call); err != nil {
		t.Fatal(err)
	}
	for name, v := range call {
		q.Set(name, v)
	}
	rec := httptest.NewRecorder()
	wallet.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/sandbox/bridge?"+q.Encode(), nil))
	if rec.Code != http.StatusSeeOther {
		t.Errorf("the wallet's app does not take %s: %d", p.Attempt.Handoff.Params, rec.Code)
	}
	if err := wallet.Approve(account.MchID, chosen.Attempt.String()); err != nil {
		t.Fatal(err)
	}
	follow(t, mall, &after, "pay.settled", func(string) bool { return true })

	subject := w.hub.Payments.Person("lotus", who)
	if _, ok, err := w.hub.Node.Vault().Get(subject); !ok || err != nil {
		t.Fatalf("no key: %v", err)
	}
	w.nowhere(who)
	for _, bad := range []api.Erasure{{}, {Wallet: "lotus"}, {Subject: subject, Wallet: "lotus", Payer: who}} {
		if _, err := client.Do[api.Done](ctx, office, "/v1/erasures", bad); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := client.Do[api.Done](ctx, mall, "/v1/erasures", api.Erasure{Wallet: "lotus", Payer: who}); moongate.CodeOf(err) != moongate.Forbidden {
		t.Errorf("erased by a merchant: %v", err)
	}
	must[api.Done](t)(client.Do[api.Done](ctx, office, "/v1/erasures", api.Erasure{Wallet: "lotus", Payer: who}))
	if _, ok, err := w.hub.Node.Vault().Get(subject); ok || err != nil {
		t.Errorf("the key is still there: %v", err)
	}
}

// nowhere looks for text in every file of the hub's, and in its log.
func (w *world) nowhere(text string) {
	w.t.Helper()
	files := 0
	err := filepath.WalkDir(w.hub.Config.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			w.t.Errorf("%s stands in %s", text, path)
		}
		files++
		return err
	})
	if err != nil || files < 3 {
		w.t.Errorf("%d files were searched: %v", files, err)
	}
	if bytes.Contains([]byte(w.log.String()), []byte(text)) {
		w.t.Errorf("%s stands in the log", text)
	}
}
