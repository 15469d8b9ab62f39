package main

import (
	"context"
	"encoding/hex"
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
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/pages"
)

type serveVerb struct {
	configFlag
	Metrics   string        `default:"127.0.0.1:8601" help:"Address for Prometheus metrics, on this machine only; 'none' for no metrics." placeholder:"HOST:PORT"`
	LogFormat string        `default:"text" enum:"text,json" help:"How the log on standard error is written: text or json."`
	LogLevel  slog.Level    `default:"info" help:"What the log tells: debug, info, warn or error."`
	Drain     time.Duration `default:"15s" help:"How long requests under way may take to end when the hub is stopped."`
	Demo      bool          `hidden:"" help:"Say on every page that this is a demonstration."`
	Leash     bool          `hidden:"" help:"Stop when standard input ends: with whoever started this."`
	Accept    bool          `name:"accept-clock" help:"Start although this machine's clock is far from the hub's time: the clock is right."`
	SkipEntry []string      `help:"Leave a poisoned raft entry out, on every node alike: its index and SHA-256." placeholder:"INDEX@HASH"`
}

func (v serveVerb) Run(e *env) error {
	c, s, err := v.read()
	if err != nil {
		return err
	}
	skip, err := parseSkips(v.SkipEntry)
	if err != nil {
		return err
	}
	log := v.logger(e.err)
	// Both ports are taken before anything is opened: a hub that cannot be reached must not start to call wallets.
	listener, err := listen(e.ctx, "listen", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	var metricsAt net.Listener
	if v.Metrics != "none" {
		if metricsAt, err = listenLocal(e.ctx, v.Metrics); err != nil {
			return err
		}
		defer metricsAt.Close()
	}
	began := e.now()
	wallets, err := hub.Connect(c, nil, e.now, randomness(e.random))
	if err != nil {
		return err
	}
	h, err := hub.Open(e.ctx, hub.Options{
		Config: c, Secrets: s, Now: e.now, Random: e.random, Skip: skip, AcceptClock: v.Accept, ClockWitness: c.WalletClock(e.now), Log: log, Wallets: wallets,
		Fatal: func(err error) {
			// What is in memory may be wrong now: nothing more is written, not even in passing.
			log.Error("the hub must stop; start it again", "error", err)
			os.Exit(exitFatal)
		},
	})
	if err != nil {
		return err
	}
	handler, err := surface(h, v.Demo)
	if err == nil {
		err = v.serve(e, served{hub: h, handler: handler, log: log, listener: listener, metricsAt: metricsAt, began: began})
	}
	return errors.Join(err, h.Close())
}

// surface is all that a hub serves on its public address: the API, the gates' endpoints, and pages.
func surface(h *hub.Hub, demo bool) (http.Handler, error) {
	draw, err := console.New(console.Words())
	if err != nil {
		return nil, err
	}
	a := api.New(h, version)
	pages.New(h, draw, pages.Options{Demo: demo}).Register(a.Mux())
	return a.Handler(), nil
}

// randomness is a source of random bytes as an io.Reader.
type randomness func([]byte)

// Read fills p.
func (r randomness) Read(p []byte) (int, error) { r(p); return len(p), nil }

// exitFatal is the exit code after a fault of disk or logic: whoever supervises the process starts it again.
const exitFatal = 70

// served is what a running hub consists of.
type served struct {
	hub       *hub.Hub
	handler   http.Handler
	log       *slog.Logger
	listener  net.Listener
	metricsAt net.Listener // nil: none
	began     time.Time
}

// serve answers until the process is told to stop, and then lets what is under way end.
func (v serveVerb) serve(e *env, s served) error {
	base, cut := context.WithCancel(context.Background())
	defer cut()
	m := newMetrics(s.hub)
	server := api.Server(m.counted(s.handler, e.now), s.log)
	server.BaseContext = func(net.Listener) context.Context { return base }
	v.announce(e, s) // both ports are taken: who comes now waits a moment and is served
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(s.listener) }()
	metrics := &http.Server{Handler: m.handler(), ReadHeaderTimeout: api.HeaderTimeout}
	if s.metricsAt != nil {
		go func() { failed <- metrics.Serve(s.metricsAt) }()
	}
	leash := make(chan struct{})
	if v.Leash {
		go func() {
			_, _ = io.Copy(io.Discard, e.in)
			close(leash)
		}()
	}
	var err error
	select {
	case <-leash:
		s.log.Info("stopping: whoever started this has gone")
	case <-e.ctx.Done():
		s.log.Info("stopping: requests under way may end", "within", v.Drain)
	case err = <-failed:
		s.log.Error("serving failed", "error", err)
	}
	// Streams never end by themselves: their context does, when half of the time is over.
	ctx, cancel := context.WithTimeout(context.Background(), v.Drain)
	defer cancel()
	timer := time.AfterFunc(v.Drain/2, cut)
	defer timer.Stop()
	if shut := server.Shutdown(ctx); shut != nil {
		s.log.Warn("requests were cut off", "error", shut)
		shut = server.Close()
		err = errors.Join(err, shut)
	}
	err = errors.Join(err, metrics.Close())
	s.log.Info("stopped")
	return err
}

// announce says where everything is, once all of it can be reached.
func (v serveVerb) announce(e *env, s served) {
	c := s.hub.Config
	at, _ := s.hub.Node.Durable()
	s.log.Info("ready", "hub", c.Name, "listen", s.listener.Addr().String(), "wallets", len(c.Wallets), "event", at, "after", e.now().Sub(s.began).Round(time.Millisecond))
	if quarantined(s.hub) {
		s.log.Warn("this hub was restored from a backup and is in quarantine: wallets are asked, never told", "end it with", "moongate restore release")
	}
	public := strings.TrimSuffix(c.PublicURL, "/")
	metrics := "none"
	if s.metricsAt != nil {
		metrics = "http://" + s.metricsAt.Addr().String() + "/metrics"
	}
	if e.json {
		_ = e.show(map[string]string{
			"hub": c.Name, "listen": s.listener.Addr().String(), "console": public + "/console", "reference": public + "/docs",
			"log": public + "/log/", "metrics": metrics,
		}, nil)
		return
	}
	t := newTerminal(e.out)
	t.line("%s %s serves on %s", t.green("✓"), c.Name, t.bold(public))
	t.line("  console    %s/console", public)
	t.line("  reference  %s/docs", public)
	t.line("  public log %s/log/", public)
	t.line("  metrics    %s", metrics)
}

func quarantined(h *hub.Hub) bool {
	_, err := os.Stat(filepath.Join(h.Config.Data, hub.QuarantineFile))
	return err == nil
}

func (v serveVerb) logger(w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: v.LogLevel}
	if v.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

func listen(ctx context.Context, field, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &moongate.Error{Code: moongate.Conflict, Field: field, Message: fmt.Sprintf("cannot listen on %s: %v", address, err), Hint: "another program has it, perhaps another hub: stop that one, or choose another port"}
	}
	return l, nil
}

// listenLocal refuses what others could reach: metrics tell how busy everybody is.
func listenLocal(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	if err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "--metrics", Message: fmt.Sprintf("%q is not an address of this machine alone", address), Hint: "like 127.0.0.1:8601; a collector elsewhere reaches it through a proxy that knows who asks"}
	}
	return listen(ctx, "--metrics", address)
}

// parseSkips reads entries to leave out: INDEX@HASH, the hash in hexadecimal.
func parseSkips(list []string) (map[uint64][32]byte, error) {
	skip := map[uint64][32]byte{}
	for _, s := range list {
		number, sum, ok := strings.Cut(s, "@")
		index, err := strconv.ParseUint(number, 10, 64)
		hash, hexErr := hex.DecodeString(sum)
		if !ok || err != nil || hexErr != nil || index == 0 || len(hash) != 32 {
			return nil, &moongate.Error{Code: moongate.Malformed, Field: "--skip-entry", Message: fmt.Sprintf("%.100q is not INDEX@HASH", s), Hint: "copy both from the message with which the hub stopped"}
		}
		skip[index] = [32]byte(hash)
	}
	return skip, nil
}
