package bench

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	box "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// Pay measures payments through a sandbox wallet end to end, and how fast a wallet's bill is held against the books.
func Pay(ctx context.Context, opt Options) (*Result, error) {
	r := &Result{Name: "pay", Machine: machine()}
	for _, part := range []struct {
		name string
		run  func(context.Context, Options) ([]Case, error)
	}{{"payments through a sandbox wallet", paymentCase}, {"a bill held against the books", billCases}} {
		if !strings.Contains(part.name, opt.Only) {
			continue
		}
		cases, err := part.run(ctx, opt)
		if err != nil {
			return nil, err
		}
		r.Cases = append(r.Cases, cases...)
	}
	if len(r.Cases) == 0 {
		return nil, noCase(opt.Only)
	}
	return r, nil
}

// paymentCase measures payments as they are: the market asks for one and chooses the wallet, with two signed requests
// over HTTP; the hub orders at the wallet; a shopper approves; the wallet notifies the hub; the hub splits the money. The
// limit is the RSA of it: each payment has the hub's order, the wallet's answer and its notification signed and verified.
func paymentCase(ctx context.Context, opt Options) (cases []Case, err error) {
	size := opt.size()
	dir, remove, err := opt.temp("pay")
	if err != nil {
		return nil, err
	}
	defer remove()
	p, err := openPurse(opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	v, err := newLive(ctx, opt, filepath.Join(dir, "hub"), p.connector)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	a := api.New(v.hub, "bench")
	v.hub.Payments.Register(a.Mux()) // where the wallet notifies
	v.serve(a.Handler())
	m := &merchant{live: v, opt: opt}
	hub, err := client.New(client.Options{
		URL: "http://" + v.address(), Random: reader(opt.Random),
		Signer: &httpsig.Signer{KeyID: keyID(market), Key: key(market), Now: func() moongate.Time { return moongate.At(opt.Now()) }, Random: reader(opt.Random)},
	})
	if err != nil {
		return nil, err
	}
	following, stop := context.WithCancelCause(ctx)
	s := &shoppers{merchant: m, purse: p, hub: hub, waiting: map[moongate.ID]chan struct{}{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.follow(following); err != nil {
			stop(err)
		}
	}()
	defer func() { stop(nil); <-ended }()
	var whole, limit measured
	bytes := int64(0)
	for round := range size.rounds {
		opt.Progress(fmt.Sprintf("payments through a wallet, round %d of %d", round+1, size.rounds))
		before := v.bytes()
		one, err := spell(following, size.connection, size.spell, opt.Now, func(int, int) error { return s.pay(following) })
		if err != nil {
			return nil, v.fault(ctx, err)
		}
		whole.add(one)
		bytes += v.bytes() - before
		one, err = spell(ctx, runtime.NumCPU(), size.spell/2, opt.Now, func(int, int) error { return p.signatures() })
		if err != nil {
			return nil, err
		}
		limit.add(one)
	}
	if err := s.audit(whole.count()); err != nil {
		return nil, err
	}
	c := whole.asCase(fmt.Sprintf("payments through a sandbox wallet, %d shoppers", size.connection), "payments/s")
	c.Bytes = round(float64(bytes) / float64(c.Count))
	c.against(&limit)
	c.Note = "hub and wallet in one process, over sockets; the limit is three RSA signatures and their verification for each payment, on all processors"
	return []Case{c}, nil
}

// purse is a sandbox wallet that serves on loopback, with a connector to an account at it.
type purse struct {
	wallet    *box.Wallet
	server    *http.Server
	account   box.Merchant
	connector pay.Wallet
}

func openPurse(opt Options) (*purse, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &purse{}
	url := "http://" + l.Addr().String()
	// It notifies a millisecond after the payment, not a second: what is measured is work, not waiting.
	if p.wallet, err = box.New(sandbox.Config{Name: "Bench Pay", BaseURL: url, Now: opt.Now, Random: reader(opt.Random), Limit: 10_000_000, Scale: 1000}); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if p.account, err = p.wallet.AddMerchant("1900000109", "wx8888888888888888"); err != nil {
		return nil, errors.Join(err, l.Close(), p.wallet.Close())
	}
	p.server = &http.Server{Handler: p.wallet, ReadHeaderTimeout: 5 * time.Second}
	go p.server.Serve(l) //nolint:errcheck // it ends with close
	carrier := http.DefaultTransport.(*http.Transport).Clone()
	carrier.MaxIdleConnsPerHost = 64
	p.connector, err = wechatpay.New(wechatpay.Config{
		MchID: p.account.MchID, AppID: p.account.AppID, SerialNo: p.account.SerialNo, PrivateKey: p.account.PrivateKey, APIv3Key: p.account.APIv3Key,
		BaseURL: url, Now: opt.Now, Random: reader(opt.Random), Carrier: carrier,
	})
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *purse) close() error { return errors.Join(p.server.Close(), p.wallet.Close()) }

// signatures is the RSA of one payment.
func (p *purse) signatures() error {
	sum := sha256.Sum256([]byte("POST\n/v3/pay/transactions/native\n"))
	for range 3 {
		s, err := rsa.SignPKCS1v15(rand.Reader, p.account.PrivateKey, crypto.SHA256, sum[:])
		if err != nil {
			return err
		}
		if err := rsa.VerifyPKCS1v15(&p.account.PrivateKey.PublicKey, crypto.SHA256, sum[:], s); err != nil {
			return err
		}
	}
	return nil
}

// shoppers buy and pay, one thing after the other.
type shoppers struct {
	*merchant
	purse *purse
	hub   *client.Client

	mu      sync.Mutex // guards what follows
	waiting map[moongate.ID]chan struct{}
	come    map[moongate.ID]bool // what happened before anybody waited for it
}

// pay sees one payment through.
func (s *shoppers) pay(ctx context.Context) error {
	_, order := s.order()
	opened, err := client.Do[pay.PaymentAnswer](ctx, s.hub, "/v1/payments", order)
	if err != nil {
		return err
	}
	chosen, err := client.Do[pay.WalletAnswer](ctx, s.hub, "/v1/payments/choose-wallet", pay.ChooseWallet{Payment: opened.Payment, Wallet: wallet})
	if err != nil {
		return err
	}
	if err := s.await(ctx, chosen.Attempt); err != nil { // the order stands at the wallet
		return err
	}
	if err := s.purse.wallet.Approve(s.purse.account.MchID, chosen.Attempt.String()); err != nil {
		return err
	}
	return s.await(ctx, opened.Payment) // the hub has heard, and split the money
}

// await waits until something happened, which happens once.
func (s *shoppers) await(ctx context.Context, id moongate.ID) error {
	s.mu.Lock()
	if s.come[id] {
		delete(s.come, id)
		s.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	s.waiting[id] = c
	s.mu.Unlock()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	select {
	case <-c:
		return nil
	case <-patience.C:
		return fmt.Errorf("bench: nothing was heard of %s for a minute", id)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *shoppers) happened(id moongate.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.waiting[id]; c != nil {
		delete(s.waiting, id)
		close(c)
		return
	}
	if s.come == nil {
		s.come = map[moongate.ID]bool{}
	}
	s.come[id] = true
}

// follow reads the journal while it is written.
func (s *shoppers) follow(ctx context.Context) error {
	kinds := map[string]bool{(&pay.HandedOver{}).EventKind(): true, (&pay.Settled{}).EventKind(): true, (&pay.ExceptionOpened{}).EventKind(): true}
	for from := journal.Position(1); ; {
		at, more := s.node.Durable()
		if at >= from {
			err := s.node.Journal().EntriesOf(from, kinds, func(e journal.Entry) error {
				if e.Position > at {
					return nil // it is read the next time
				}
				switch v := e.Event.(type) {
				case *pay.HandedOver:
					s.happened(v.Attempt)
				case *pay.Settled:
					s.happened(v.Payment)
				case *pay.ExceptionOpened:
					return fmt.Errorf("bench: %s", v.Facts)
				}
				return nil
			})
			if err != nil {
				return err
			}
			from = at + 1
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}

// audit holds what was seen against the journal and the wallet: a rate of payments that are not in both would be none.
func (s *shoppers) audit(want int) error {
	have := 0
	err := s.node.Journal().EntriesOf(1, map[string]bool{(&pay.Settled{}).EventKind(): true}, func(journal.Entry) error {
		have++
		return nil
	})
	if err == nil && have != want {
		err = fmt.Errorf("bench: %d payments were seen through, and the journal holds %d", want, have)
	}
	if n := len(s.purse.wallet.Violations()); n > 0 {
		err = errors.Join(err, fmt.Errorf("bench: the wallet found %d things that the hub did wrongly", n))
	}
	return err
}
