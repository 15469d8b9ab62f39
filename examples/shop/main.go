// Command shop takes a payment through a Moongate hub: shop ORDER FEN TITLE. HUB, MARKET, SELLER, AGREEMENT and KEY come
// from the environment.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: shop ORDER FEN TITLE")
	}
	fen, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	terms, err := moongate.ParseID(os.Getenv("AGREEMENT"))
	if err != nil {
		return err
	}
	key, err := readKey(os.Getenv("KEY"))
	if err != nil {
		return err
	}
	now := func() moongate.Time { return moongate.At(time.Now()) }
	hub, err := client.New(client.Options{
		URL: os.Getenv("HUB"), Random: rand.Reader,
		Signer: &httpsig.Signer{KeyID: party.PublicKey(key.Public().(ed25519.PublicKey)).ID(), Key: key, Now: now, Random: rand.Reader},
	})
	if err != nil {
		return err
	}
	// The client repeats what has no outcome, with the same key.
	till, err := client.DoAs[api.Till](ctx, hub, "order-"+args[0], "/v1/payments", api.NewPayment{Create: pay.Create{
		Order: args[0], From: os.Getenv("MARKET"), To: os.Getenv("SELLER"), Agreement: terms, Amount: money.Of(fen, money.CNY), Title: args[2],
	}})
	if err != nil {
		return err
	}
	fmt.Println("pay here:", till.Cashier)
	for {
		payment, err := client.Get[api.Payment](ctx, hub, "/v1/payments/"+till.Payment.String(), nil)
		if err != nil {
			return err
		}
		if payment.Status != pay.Open { // unknown is open too: the wallet is being asked
			fmt.Printf("order %s: %s\n", args[0], payment.Status)
			return nil
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func readKey(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", file)
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := any.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is not an Ed25519 key", file)
	}
	return key, nil
}
