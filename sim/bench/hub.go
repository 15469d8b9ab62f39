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
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party/httpsig"
	"github.com/moongate-hub/moongate/replica"
)

// live is a whole hub, furnished, that serves on loopback.
type live struct {
	*world
	hub      *hub.Hub
	listener net.Listener
	server   *http.Server
}

func newLive(ctx context.Context, opt Options, dir string) (*live, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c, err := hub.Init(dir, hub.Config{
		Name: "bench.example/moongate", Listen: l.Addr().String(), PublicURL: "http://" + l.Addr().String(), Operator: "operator",
	}, opt.Random, opt.Now())
	if err != nil {
		return nil, err
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		return nil, err
	}
	h, err := hub.Open(ctx, hub.Options{Config: c, Secrets: s, Now: opt.Now, Random: opt.Random, Wallets: map[string]pay.Wallet{wallet: idle{}}})
	if err != nil {
		return nil, err
	}
	v := &live{world: &world{node: h.Node, machine: h.Machine(), now: opt.Now}, hub: h, listener: l}
	return v, v.furnish(ctx)
}

func (v *live) serve(h http.Handler) {
	v.server = api.Server(h, slog.New(slog.DiscardHandler))
	go v.server.Serve(v.listener) //nolint:errcheck // it ends with close
}

func (v *live) close() error {
	var err error
	if v.server != nil {
		err = v.server.Close()
	}
	return errors.Join(err, v.hub.Close())
}

// idle is a wallet that takes every order and never tells of one.
type idle struct{}

// Can is anything in CNY.
func (idle) Can() pay.Capabilities {
	return pay.Capabilities{Kind: "idle", Currencies: []money.Currency{money.CNY}, Channels: []pay.Channel{pay.QR}, MaxLife: moongate.Day}
}

// Create hands over.
func (idle) Create(_ context.Context, o pay.Order) (pay.Handoff, error) {
	return pay.Handoff{QR: o.No, Expires: o.Expires}, nil
}

// Query knows nothing yet.
func (idle) Query(_ context.Context, no string) (pay.Outcome, error) {
	return pay.Outcome{No: no, State: pay.Awaiting}, nil
}

// Close closes.
func (idle) Close(_ context.Context, no string) (pay.Outcome, error) {
	return pay.Outcome{No: no, State: pay.Closed}, nil
}

// Refund is never asked.
func (idle) Refund(context.Context, pay.RefundOrder) (pay.RefundOutcome, error) {
	return pay.RefundOutcome{}, errors.New("this wallet gives nothing back")
}

// hammer sends requests over kept connections, as light as a client can be, and reads each answer.
func hammer(addr string, connections int, during time.Duration, now func() time.Time, request func(connection, i int) []byte, want string) (Case, error) {
	all := make([]latencies, connections)
	var stop atomic.Bool
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	cpu, began := cpuTime(), now()
	for c := range connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := hammerOne(addr, &stop, now, func(i int) []byte { return request(c, i) }, want, &all[c]); err != nil {
				failed.CompareAndSwap(nil, &err)
				stop.Store(true)
			}
		}()
	}
	for waited := time.Duration(0); waited < during && !stop.Load(); waited += 50 * time.Millisecond {
		time.Sleep(50 * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	if e := failed.Load(); e != nil {
		return Case{}, *e
	}
	return summary(all, now().Sub(began), cpuTime()-cpu), nil
}

func hammerOne(addr string, stop *atomic.Bool, now func() time.Time, request func(i int) []byte, want string, took *latencies) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 32<<10)
	for i := 0; !stop.Load(); i++ {
		b := request(i)
		t := now()
		if _, err := conn.Write(b); err != nil {
			return err
		}
		status, err := skipAnswer(r)
		if err != nil {
			return err
		}
		*took = append(*took, now().Sub(t))
		if !strings.Contains(status, want) {
			return fmt.Errorf("bench: answered %q, not %s", status, want)
		}
	}
	return nil
}

// skipAnswer reads one answer and gives its first line.
func skipAnswer(r *bufio.Reader) (status string, err error) {
	length := 0
	for line := 0; ; line++ {
		b, err := r.ReadSlice('\n')
		if err != nil {
			return status, err
		}
		b = bytes.TrimRight(b, "\r\n")
		if line == 0 {
			status = string(b)
		}
		if len(b) == 0 {
			break
		}
		if v, ok := bytes.CutPrefix(b, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(v)); err != nil {
				return status, err
			}
		}
	}
	_, err = r.Discard(length)
	return status, err
}

const connections = 32

// Redirect measures clicks through the link gate over HTTP against a handler that only answers 302.
func Redirect(ctx context.Context, opt Options) (*Result, error) {
	dir, err := os.MkdirTemp(opt.Dir, "redirect-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only data of a bench
	v, err := newLive(ctx, opt, filepath.Join(dir, "hub"))
	if err != nil {
		return nil, err
	}
	d, err := replica.Submit[link.DestinationAnswer](ctx, v.node, replica.Request{Caller: market, Command: &link.RegisterDestination{
		Name: "A teapot", Addresses: []link.Address{{Device: link.Web, URL: "https://shop.example/teapot?colour=celadon"}},
	}})
	if err != nil {
		return nil, err
	}
	placed, err := replica.Submit[link.LinkAnswer](ctx, v.node, replica.Request{Caller: publisher, Command: &link.PlaceLink{Destination: d.Destination, Agreement: v.agreement}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(link.Path, v.hub.Links(nil))
	mux.HandleFunc("/bare", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://shop.example/teapot?colour=celadon")
		w.WriteHeader(http.StatusFound)
	})
	v.serve(mux)
	ask := func(path string) func(int, int) []byte {
		b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", path, v.listener.Addr())
		return func(int, int) []byte { return b }
	}
	// In turn, so that what else the machine does falls on both.
	const rounds = 4
	var gate, bare [rounds]Case
	for i := range rounds {
		opt.Progress(fmt.Sprintf("redirects, round %d of %d", i+1, rounds))
		if bare[i], err = hammer(v.listener.Addr().String(), connections, opt.during()/rounds, opt.Now, ask("/bare"), "302"); err != nil {
			return nil, errors.Join(err, v.close())
		}
		if gate[i], err = hammer(v.listener.Addr().String(), connections, opt.during()/rounds, opt.Now, ask(link.Path+placed.Code), "302"); err != nil {
			return nil, errors.Join(err, v.close())
		}
	}
	g, b := median(gate[:]), median(bare[:])
	g.Case, g.Unit, g.LimitRate, g.Ratio, g.Target = fmt.Sprintf("signed click redirects, %d connections", connections), "redirects/s", b.Rate, round(g.Rate/b.Rate), 0.8
	stats := v.hub.Clicks.Stats()
	g.Note = fmt.Sprintf("%d clicks recorded, %d found no room, %d waiting", stats.Recorded, stats.Uncounted, stats.Waiting)
	b.Case, b.Unit = "net/http that only answers 302", "redirects/s"
	return &Result{Name: "redirect", Machine: Machine(), Cases: []Case{g, b}}, v.close()
}

// median is the case with the median rate.
func median(cases []Case) Case {
	sorted := append([]Case(nil), cases...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j].Rate < sorted[j-1].Rate; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[len(sorted)/2]
}

// API measures signed payment requests end to end over HTTP, and where their time goes.
func API(ctx context.Context, opt Options) (*Result, error) {
	dir, err := os.MkdirTemp(opt.Dir, "api-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only data of a bench
	v, err := newLive(ctx, opt, filepath.Join(dir, "hub"))
	if err != nil {
		return nil, err
	}
	v.serve(api.New(v.hub, "bench").Handler())
	addr := v.listener.Addr().String()
	signer := &httpsig.Signer{KeyID: keyID(market), Key: key(market), Now: func() moongate.Time { return moongate.At(opt.Now()) }, Random: reader(opt.Random)}
	var number atomic.Uint64
	var signing atomic.Int64
	request := func(int, int) []byte {
		t := opt.Now()
		defer func() { signing.Add(int64(opt.Now().Sub(t))) }()
		n := number.Add(1)
		b, err := signed(signer, addr, n, &pay.Create{
			Order: fmt.Sprintf("order-%d", n), From: publisher, To: market, Agreement: v.agreement, Amount: money.Of(26800, money.CNY),
			Title: "A teapot", Wallets: []string{wallet}, Payees: payeesOf(int(n % sellers)),
		})
		if err != nil {
			panic(err) // our own request
		}
		return b
	}
	opt.Progress("signed payment requests")
	whole, err := hammer(addr, connections, opt.during(), opt.Now, request, "201")
	if err != nil {
		return nil, errors.Join(err, v.close())
	}
	opt.Progress("its parts: verifying, deciding durably")
	verify := v.verifyTime(signer, addr, opt)
	durable, err := v.durableTime(ctx, opt)
	if err != nil {
		return nil, errors.Join(err, v.close())
	}
	total := whole.P50
	whole.Case, whole.Unit = fmt.Sprintf("signed payment requests, %d connections", connections), "requests/s"
	whole.Parts = map[string]float64{"verify_signature": shareOf(verify, total), "decide_durably": shareOf(durable, total), "rest": shareOf(max(0, total-verify-durable), total)}
	whole.Note = fmt.Sprintf("of the median of %.2f ms: verifying %.2f ms, two durable commands (nonce, payment) %.2f ms, the rest HTTP, JSON and waiting", total, verify, durable)
	return &Result{Name: "api", Machine: Machine(), Cases: []Case{whole}}, v.close()
}

func shareOf(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return round(part / whole)
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

// verifyTime is the median time of verifying one request, in milliseconds.
func (v *live) verifyTime(s *httpsig.Signer, addr string, opt Options) float64 {
	b, err := signed(s, addr, 0, &pay.Create{Order: "x"})
	if err != nil {
		return 0
	}
	verifier := &httpsig.Verifier{Scheme: "http", Authorities: []string{addr}}
	public := key(market).Public().(ed25519.PublicKey)
	var l latencies
	for range 300 {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return 0
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return 0
		}
		t := opt.Now()
		if _, err := verifier.Verify(r, body, moongate.At(opt.Now()), func(string) (ed25519.PublicKey, error) { return public, nil }); err != nil {
			return 0
		}
		l = append(l, opt.Now().Sub(t))
	}
	return l.at(0.5)
}

// durableTime is the median time of two durable commands, one after the other, from as many submitters as there were
// connections, in milliseconds.
func (v *live) durableTime(ctx context.Context, opt Options) (float64, error) {
	var wg sync.WaitGroup
	all := make([]latencies, connections)
	errs := make([]error, connections)
	for c := range connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				t := opt.Now()
				for range 2 {
					if _, err := v.node.Submit(ctx, replica.Request{Command: &replica.Tick{}}); err != nil {
						errs[c] = err
						return
					}
				}
				all[c] = append(all[c], opt.Now().Sub(t))
			}
		}()
	}
	wg.Wait()
	var flat latencies
	for _, l := range all {
		flat = append(flat, l...)
	}
	return flat.at(0.5), errors.Join(errs...)
}
