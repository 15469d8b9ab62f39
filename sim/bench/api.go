package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
	"github.com/moongate-hub/moongate/replica"
)

// API measures signed payment requests end to end over HTTP. The limit is the same two commands (the signature's nonce
// and the payment) given to the hub by as many callers without HTTP, JSON or signatures.
func API(ctx context.Context, opt Options) (r *Result, err error) {
	dir, remove, err := opt.temp("api")
	if err != nil {
		return nil, err
	}
	defer remove()
	v, err := newLive(ctx, opt, filepath.Join(dir, "hub"), idle{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	v.serve(api.New(v.hub, "bench").Handler())
	size := opt.size()
	m := &merchant{
		live: v, opt: opt,
		signer: &httpsig.Signer{KeyID: keyID(market), Key: key(market), Now: func() moongate.Time { return moongate.At(opt.Now()) }, Random: reader(opt.Random)},
	}
	var whole, core measured
	bytes := int64(0)
	for round := range size.rounds {
		opt.Progress(fmt.Sprintf("signed payment requests, round %d of %d", round+1, size.rounds))
		before := v.bytes()
		one, err := hammer(ctx, v.address(), size.connection, size.spell, opt.Now, func(int) ([]byte, error) { return m.request() }, " 201 ")
		if err != nil {
			return nil, v.fault(ctx, err)
		}
		whole.add(one)
		bytes += v.bytes() - before
		one, err = spell(ctx, size.connection, size.spell/2, opt.Now, func(int, int) error { return m.submit(ctx) })
		if err != nil {
			return nil, v.fault(ctx, err)
		}
		core.add(one)
	}
	if err := m.audit(whole.count() + core.count()); err != nil {
		return nil, err
	}
	opt.Progress("its parts: signing, verifying")
	signing, verifying, err := m.parts()
	if err != nil {
		return nil, err
	}
	c := whole.asCase(fmt.Sprintf("signed payment requests, %d connections", size.connection), "requests/s")
	c.Bytes = round(float64(bytes) / float64(c.Count))
	c.against(&core)
	all := max(whole.each(), 0.001)
	c.Parts = map[string]float64{
		"sign (client)": round(signing / all), "verify": round(verifying / all), "core and views": round(core.each() / all),
		"http and json, both ends": round(max(0, all-signing-verifying-core.each()) / all),
	}
	c.Note = fmt.Sprintf("processor time for one: %.0f µs, of which signing %.0f, verifying %.0f, the two commands in core and views %.0f; the limit is these commands without HTTP, whose median is %.2f ms", whole.each(), signing, verifying, core.each(), core.at(0.5))
	return &Result{Name: "api", Machine: machine(), Cases: []Case{c}}, nil
}

// merchant asks for payments, each another order.
type merchant struct {
	*live
	opt    Options
	signer *httpsig.Signer
	number atomic.Uint64
}

func (m *merchant) order() (n uint64, c *pay.Create) {
	n = m.number.Add(1)
	return n, &pay.Create{
		Order: fmt.Sprintf("order-%d", n), From: publisher, To: market, Agreement: m.agreement, Amount: money.Of(26800, money.CNY),
		Title: "A teapot", Wallets: []string{wallet}, Payees: []crossing.Payee{{Party: seller(int(n) % m.sellers), Amount: 26800}},
	}
}

// request is a signed order as it goes over the wire.
func (m *merchant) request() ([]byte, error) {
	n, c := m.order()
	return signed(m.signer, m.address(), n, c)
}

// submit has the core do what it does for a request.
func (m *merchant) submit(ctx context.Context) error {
	n, c := m.order()
	nonce := make(chan error, 1)
	use := &party.UseNonce{Key: m.signer.KeyID, Nonce: fmt.Sprintf("bench-%d", n), Expires: moongate.At(m.opt.Now()) + moongate.Minute}
	m.node.Go(replica.Request{Caller: market, Command: use}, func(_ any, err error) { nonce <- err })
	_, err := m.node.Submit(ctx, replica.Request{Caller: market, Key: fmt.Sprintf("bench-%d", n), Command: c})
	return errors.Join(err, <-nonce)
}

// audit counts the payments in the journal: a rate of requests that did not become one would be none.
func (m *merchant) audit(want int) error {
	have := 0
	err := m.node.Journal().EntriesOf(1, map[string]bool{(&pay.Created{}).EventKind(): true}, func(journal.Entry) error {
		have++
		return nil
	})
	if err == nil && have != want {
		err = fmt.Errorf("bench: %d payments were acknowledged, and the journal holds %d", want, have)
	}
	return err
}

// parts measures what signing one request takes, and verifying it, in microseconds of one processor.
func (m *merchant) parts() (sign, verify float64, err error) {
	verifier := &httpsig.Verifier{Scheme: "http", Authorities: []string{m.address()}}
	public := key(market).Public().(ed25519.PublicKey)
	const times = 300
	var signing, verifying time.Duration
	for range times {
		t := m.opt.Now()
		b, err := m.request()
		if err != nil {
			return 0, 0, err
		}
		signing += m.opt.Now().Sub(t)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return 0, 0, err
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return 0, 0, err
		}
		t = m.opt.Now()
		if _, err := verifier.Verify(r, body, moongate.At(t), func(string) (ed25519.PublicKey, error) { return public, nil }); err != nil {
			return 0, 0, err
		}
		verifying += m.opt.Now().Sub(t)
	}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / times }
	return each(signing), each(verifying), nil
}

type reader func([]byte)

// Read fills p.
func (r reader) Read(p []byte) (int, error) { r(p); return len(p), nil }

func signed(s *httpsig.Signer, addr string, n uint64, c *pay.Create) ([]byte, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+addr+"/v1/payments", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", fmt.Sprintf("bench-%d", n))
	if err := s.Sign(r, body); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = r.Write(&b)
	return b.Bytes(), err
}
