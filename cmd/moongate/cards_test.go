package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/stripe/stripetest"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party/httpsig"
	"github.com/moongate-hub/moongate/settle"
)

// cardsKey is where a script keeps its account at Stripe.
type cardsKey struct{}

// scriptCards opens an account at Stripe for a hub, and writes how it is reached into a configuration.
func scriptCards(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "cards NAME CONFIG")
	account := stripetest.New(time.Now)
	server := httptest.NewServer(account)
	ts.Defer(server.Close)
	*ts.Value(cardsKey{}).(**stripetest.Account) = account
	ts.Check(os.WriteFile(ts.MkAbs("stripe.key"), []byte(stripetest.SecretKey), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stripe.hook"), []byte(stripetest.WebhookSecret), 0o600))
	config := ts.MkAbs(args[1])
	f, err := os.OpenFile(config, os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = f.WriteString("wallets:\n  - {name: " + args[0] + ", kind: stripe, base_url: " + server.URL + ", secret_key: " + ts.MkAbs("stripe.key") +
		", webhook_secret: " + ts.MkAbs("stripe.hook") + ", currencies: [CNY]}\n")
	ts.Check(err)
	ts.Check(f.Close())
}

// scriptReserve has a merchant ask for a payment of 200.00 that is authorised first, and a shopper say yes to it.
func scriptReserve(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 4, "reserve VARIABLE KEY ORDER AGREEMENT")
	account := *ts.Value(cardsKey{}).(**stripetest.Account)
	c := scriptClient(ts, args[1])
	agreement, err := moongate.ParseID(args[3])
	ts.Check(err)
	ctx := context.Background()
	till, err := client.Do[api.Till](ctx, c, pathPayments, &api.NewPayment{Create: pay.Create{
		Order: args[2], From: "market", To: "tea", Agreement: agreement, Amount: money.Of(20_000, money.CNY), Title: "A teapot", Wallets: []string{"egret"}, Capture: pay.Manual,
		ReturnURL: "https://market.example/",
	}})
	ts.Check(err)
	_, err = client.Do[pay.WalletAnswer](ctx, c, pathPayments+"/choose-wallet", &pay.ChooseWallet{Payment: till.Payment, Wallet: "egret", Channel: pay.Redirect})
	ts.Check(err)
	payment := scriptUntil(ts, c, till.Payment, func(p *api.Payment) bool { return p.Attempt != nil && p.Attempt.Status == pay.AttemptAwaiting })
	if account.Pay(payment.Attempt.ID.String()) == nil {
		ts.Fatalf("there is no page to pay on")
	}
	scriptTell(ts, false, nil)
	scriptUntil(ts, c, till.Payment, func(p *api.Payment) bool { return p.Status == pay.StatusAuthorised })
	ts.Setenv(args[0], till.Payment.String())
}

// scriptUntil reads a payment until something holds of it.
func scriptUntil(ts *testscript.TestScript, c *client.Client, id moongate.ID, holds func(*api.Payment) bool) api.Payment {
	for deadline := time.Now().Add(time.Minute); ; {
		p, err := client.Get[api.Payment](context.Background(), c, pathPayments+"/"+id.String(), nil)
		ts.Check(err)
		if holds(&p) {
			return p
		}
		if time.Now().After(deadline) {
			ts.Fatalf("payment %s is still %s: %+v", id, p.Status, p.Attempt)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// scriptTell brings the account's events to the hub.
func scriptTell(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 0, "tell")
	for _, l := range (*ts.Value(cardsKey{}).(**stripetest.Account)).Letters() {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, ts.Getenv("MOONGATE_HUB")+pay.NotifyPath+"egret", bytes.NewReader(l.Body))
		ts.Check(err)
		r.Header = l.Header
		answer, err := http.DefaultClient.Do(r)
		ts.Check(err)
		ts.Check(answer.Body.Close())
		if answer.StatusCode >= 300 {
			ts.Fatalf("%s was answered with %s", l.Kind, answer.Status)
		}
	}
}

// scriptStands waits until a payment has a status.
func scriptStands(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 3, "stands KEY PAYMENT STATUS")
	id, err := moongate.ParseID(args[1])
	ts.Check(err)
	scriptUntil(ts, scriptClient(ts, args[0]), id, func(p *api.Payment) bool { return p.Status == pay.Status(args[2]) })
}

// scriptCloseWindow closes the window that is open, and waits until its payouts wait for a person.
func scriptCloseWindow(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "closewindow KEY PAYOUTS")
	c := scriptClient(ts, args[0])
	open, err := client.Get[client.Page[settle.WindowRow]](context.Background(), c, pathWindows, url.Values{"state": {"open"}})
	ts.Check(err)
	if len(open.Items) != 1 {
		ts.Fatalf("open windows: %+v", open.Items)
	}
	id, err := moongate.ParseID(open.Items[0].Window)
	ts.Check(err)
	_, err = client.Do[settle.Answer](context.Background(), c, "/v1/settlement/windows/close", &settle.Close{Window: id})
	ts.Check(err)
	for deadline := time.Now().Add(time.Minute); ; {
		page, err := client.Get[client.Page[settle.Payout]](context.Background(), c, pathPayouts, url.Values{"progress": {"manual"}, "window": {id.String()}})
		ts.Check(err)
		if fmt.Sprint(len(page.Items)) == args[1] {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("payouts of window %s that wait for a person: %+v", id, page.Items)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func scriptClient(ts *testscript.TestScript, file string) *client.Client {
	key, err := readKey(ts.MkAbs(file))
	ts.Check(err)
	c, err := client.New(client.Options{
		URL: ts.Getenv("MOONGATE_HUB"), Random: rand.Reader,
		Signer: &httpsig.Signer{KeyID: publicOf(key).ID(), Key: key, Now: func() moongate.Time { return moongate.At(time.Now()) }, Random: rand.Reader},
	})
	ts.Check(err)
	return c
}
