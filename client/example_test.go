package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// A marketplace asks for a payment, is told that it was made, and asks to give back more than it may: docs/api.md shows it.
func Example_payment() {
	quay, err := openQuay()
	if err != nil {
		log.Fatal(err)
	}
	defer quay.close()
	if err := firstPayment(context.Background(), quay); err != nil {
		log.Fatal(err)
	}

	// Output:
	// the payment is open
	// the payment has succeeded
	// limit in amount
}

func firstPayment(ctx context.Context, quay *quay) error {
	now := func() moongate.Time { return moongate.At(time.Now()) }
	market, err := client.New(client.Options{
		URL:    quay.url,
		Signer: &httpsig.Signer{KeyID: quay.keyID, Key: quay.key, Now: now, Random: rand.Reader},
		Random: rand.Reader,
	})
	if err != nil {
		return err
	}
	order := api.NewPayment{Create: pay.Create{
		Order: "1001", From: "quay-market", To: "ferry-tea", Agreement: quay.terms,
		Amount: money.Of(199_00, money.CNY), Title: "Tea, first flush",
	}}
	till, err := client.DoAs[api.Till](ctx, market, "order-1001", "/v1/payments", order)
	if err != nil {
		return err
	}
	fmt.Println("the payment is", till.Status)
	quay.shopperPays(till.Cashier) // in a browser

	for event, err := range market.Events(ctx, "") {
		if err != nil {
			return err
		}
		if event.Kind == "pay.settled" {
			break
		}
	}
	payment, err := client.Get[api.Payment](ctx, market, "/v1/payments/"+till.Payment.String(), nil)
	if err != nil {
		return err
	}
	fmt.Println("the payment has", payment.Status)

	_, err = client.DoAs[pay.RefundAnswer](ctx, market, "return-1", "/v1/refunds", pay.Refund{
		Payment: till.Payment, Reference: "return-1", Amount: 300_00, Reason: "one tin was dented",
	})
	var refusal *moongate.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, "in", refusal.Field)
	}
	return nil
}

// quay is a hub on this machine with a sandbox wallet, a market and a seller, and terms that both have signed.
type quay struct {
	url   string
	keyID string // the market's
	key   ed25519.PrivateKey
	terms moongate.ID
	stop  []func()
}

func (q *quay) close() {
	for i := len(q.stop) - 1; i >= 0; i-- {
		q.stop[i]()
	}
}

const quayTerms = `
moongate: agreement/1
id: quay-terms
version: 1
name: {en: Quay Market and its sellers}
parties:
  - {role: marketplace, id: quay-market}
  - {role: seller, id: ferry-tea}
valid: {from: "2026-01-01T00:00:00Z", notice: 30d}
scope: {kinds: [payment, refund], currencies: [CNY], beneficiary: seller}
fees: [{id: commission, label: {en: Commission}, from: seller, to: marketplace, bps: 500}]
settlement: {window: 1d, netting: multilateral}
offer: {kind: closed}
`

func openQuay() (q *quay, err error) {
	q = &quay{}
	defer func() {
		if err != nil {
			q.close()
		}
	}()
	atWallet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	atHub, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	q.url = "http://" + atHub.Addr().String()
	connector, err := q.openWallet(atWallet)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "moongate-example-")
	if err != nil {
		return nil, err
	}
	q.stop = append(q.stop, func() { os.RemoveAll(dir) })
	random := func(b []byte) { rand.Read(b) }
	config, err := hub.Init(dir, hub.Config{Name: "hub.example", Listen: atHub.Addr().String(), PublicURL: q.url, Operator: "office"}, random, time.Now())
	if err != nil {
		return nil, err
	}
	secrets, err := hub.ReadSecrets(config.Secrets)
	if err != nil {
		return nil, err
	}
	h, err := hub.Open(context.Background(), hub.Options{
		Config: config, Secrets: secrets, Now: time.Now, Random: random, NoSync: true,
		Wallets: map[string]pay.Wallet{"crane-pay": connector}, Fatal: func(err error) { panic(err) },
	})
	if err != nil {
		return nil, err
	}
	q.stop = append(q.stop, func() { h.Close() })
	a := api.New(h, "example")
	h.Payments.Register(a.Mux())
	q.serve(atHub, a.Handler())
	return q, q.moveIn(h)
}

// openWallet has a sandbox wallet serve, and gives the connector of an account there.
func (q *quay) openWallet(l net.Listener) (pay.Wallet, error) {
	wallet, err := wechatbox.New(sandbox.Config{Name: "Crane Pay", BaseURL: "http://" + l.Addr().String(), Now: time.Now, Random: rand.Reader, Scale: 100})
	if err != nil {
		return nil, err
	}
	q.stop = append(q.stop, func() { wallet.Close() })
	q.serve(l, wallet)
	account, err := wallet.AddMerchant("1900000109", "wx8888888888888888")
	if err != nil {
		return nil, err
	}
	return wechatpay.New(wechatpay.Config{
		MchID: account.MchID, AppID: account.AppID, SerialNo: account.SerialNo, PrivateKey: account.PrivateKey, APIv3Key: account.APIv3Key,
		BaseURL: "http://" + l.Addr().String(), Now: time.Now, Random: rand.Reader,
	})
}

func (q *quay) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: api.HeaderTimeout}
	go server.Serve(l)
	q.stop = append(q.stop, func() { server.Close() })
}

// moveIn registers everybody, and has the market and the seller sign their terms.
func (q *quay) moveIn(h *hub.Hub) error {
	ctx := context.Background()
	d, err := agreement.Parse([]byte(quayTerms))
	if err != nil {
		return err
	}
	if _, err := hub.Do[party.Done](ctx, h, "", "", &party.Register{Handle: "crane-pay", Kind: party.Wallet, Name: "Crane Pay"}); err != nil {
		return err
	}
	for _, one := range []struct {
		handle string
		kind   party.Kind
		role   agreement.Role
	}{{"ferry-tea", party.Merchant, agreement.Seller}, {"quay-market", party.Platform, agreement.Marketplace}} {
		if _, q.key, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return err
		}
		key, err := party.Prove(q.key, one.handle)
		if err != nil {
			return err
		}
		q.keyID = key.Public.ID()
		if _, err := hub.Do[party.Done](ctx, h, "", "", &party.Register{Handle: one.handle, Kind: one.kind, Name: one.handle, Keys: []party.NewKey{key}}); err != nil {
			return err
		}
		if q.terms.IsZero() {
			proposed, err := hub.Do[agreement.Proposal](ctx, h, one.handle, "", &agreement.Propose{Document: d.Canonical()})
			if err != nil {
				return err
			}
			q.terms = proposed.Agreement
		}
		signature, err := d.SignAs(q.key, one.role, one.handle)
		if err != nil {
			return err
		}
		if _, err := hub.Do[agreement.Standing](ctx, h, one.handle, "", &agreement.Sign{
			Agreement: q.terms, Version: 1, Role: one.role, Party: one.handle, Key: q.keyID, Signature: party.Signature(signature),
		}); err != nil {
			return err
		}
	}
	return nil
}

var handoff = regexp.MustCompile(`http\S+/wxpay/bizpayurl\?pr=\w+`)

// shopperPays does what a shopper does in a browser: chooses the wallet, and approves at the wallet's page.
func (q *quay) shopperPays(cashier string) {
	resp, err := http.PostForm(cashier, url.Values{"wallet": {"crane-pay"}})
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	for page := ""; page == ""; {
		if resp, err = http.Get(cashier); err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		page = handoff.FindString(string(text)) // it is there once the wallet has answered
		if page == "" {
			continue
		}
		wallet, token, _ := strings.Cut(page, "/wxpay/bizpayurl?pr=")
		if resp, err = http.PostForm(wallet+"/sandbox/pay", url.Values{"token": {token}, "answer": {"approve"}}); err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
	}
}
