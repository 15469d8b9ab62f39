//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim/world"
)

// demo is the demonstration as a process of its own, with a person before its terminal.
type demo struct {
	t     *testing.T
	cmd   *exec.Cmd
	keys  io.WriteCloser // what the person types
	tmp   string         // where it may leave nothing behind
	ended chan error

	mu     sync.Mutex // guards what follows
	said   bytes.Buffer
	errors bytes.Buffer
}

type heard struct {
	d  *demo
	to *bytes.Buffer
}

func (h heard) Write(b []byte) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return h.to.Write(b)
}

func startDemo(t *testing.T, args ...string) *demo {
	t.Helper()
	d := &demo{t: t, tmp: t.TempDir(), ended: make(chan error, 1)}
	d.cmd = exec.Command("moongate", append([]string{"demo", "--listen", "127.0.0.1:0", "--orders", "12", "--span", "3s"}, args...)...)
	d.cmd.Env = append(os.Environ(), "TMPDIR="+d.tmp)
	d.cmd.Stdout, d.cmd.Stderr = heard{d, &d.said}, heard{d, &d.errors}
	var err error
	if d.keys, err = d.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.ended <- d.cmd.Wait() }()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // the hub ends with it
		if t.Failed() {
			t.Logf("the demonstration said:\n%s\nand complained:\n%s", d.text(), d.complaints())
		}
	})
	return d
}

func (d *demo) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()
}

func (d *demo) complaints() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errors.String()
}

// until waits for what the demonstration says, and gives the groups of the pattern.
func (d *demo) until(pattern string) []string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	eventually(d.t, "the demonstration says "+pattern, func() bool {
		found = re.FindStringSubmatch(d.text())
		select {
		case err := <-d.ended:
			d.ended <- err
			if found == nil {
				d.t.Fatalf("it ended (%v) before it said %s", err, pattern)
			}
		default:
		}
		return found != nil
	})
	return found
}

// over waits for the end, and checks that nothing is left.
func (d *demo) over() error {
	d.t.Helper()
	select {
	case err := <-d.ended:
		left, readErr := os.ReadDir(d.tmp)
		if readErr != nil || len(left) > 0 {
			d.t.Errorf("it left %v behind (%v)", left, readErr)
		}
		return err
	case <-time.After(time.Minute):
		d.t.Fatal("the demonstration does not end")
		return nil
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("a minute has passed, and still not: %s", what)
		}
		time.Sleep(25 * time.Millisecond) // between two looks
	}
}

// The story ends by itself: its hub was killed in the middle of a payment, and everything holds.
func TestDemoTellsAStory(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "--leave", "--json")
	if err := d.over(); err != nil {
		t.Fatalf("it ends with %v", err)
	}
	var got struct {
		Crossings  int64  `json:"crossings"`
		StateHash  string `json:"state_hash"`
		OK         bool   `json:"invariants_ok"`
		Orders     int    `json:"orders"`
		Violations *int   `json:"violations"`
		Failures   []string
		Down       float64 `json:"down_seconds"`
		Killed     world.Interrupted
		Takings    map[string]int64
		Findings   []hub.Finding
	}
	if err := json.Unmarshal([]byte(d.text()), &got); err != nil {
		t.Fatalf("it printed something else than one object: %v", err)
	}
	if !got.OK || got.Violations == nil || *got.Violations != 0 || len(got.Failures) > 0 || len(got.StateHash) != 64 {
		t.Errorf("invariants_ok %v, violations %v, failures %v, state_hash %q", got.OK, got.Violations, got.Failures, got.StateHash)
	}
	if got.Orders < 12 || got.Crossings < 12 || got.Takings["lotus-market"]+got.Takings["maple-mall"] <= 0 {
		t.Errorf("%d orders, %d crossings, takings %v", got.Orders, got.Crossings, got.Takings)
	}
	if got.Killed.Status != pay.Succeeded || got.Killed.Crossing.IsZero() || got.Down <= 0 {
		t.Errorf("the payment during which the hub died: %+v, down for %v s", got.Killed, got.Down)
	}
	for _, f := range got.Findings {
		if !f.OK {
			t.Errorf("%s: %v", f.Check, f.Problems)
		}
	}
}

// A stranger goes through the doors, pays while the hub is dead, and leaves.
func TestDemoOpensDoors(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.until("Ctrl-C closes everything")
	b := &world.Browser{Carrier: http.DefaultTransport, Agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile", Lang: "en"}
	open := func(b *world.Browser, address string) *world.Page {
		t.Helper()
		p, err := b.Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	home := d.until(`console +(http://\S+)/console`)[1]

	allowed := d.until(`a link +(\S+)\s+of (.*): it opens (.*) at (.*)\n`)
	p := open(b, allowed[1])
	if p.Status != http.StatusOK || len(p.Hops) != 1 || p.Hops[0].String() != allowed[1] || p.URL.Host == p.Hops[0].Host || !strings.Contains(p.Said(), allowed[3]) {
		t.Errorf("the allowed link: %d at %s by way of %v: %s", p.Status, p.URL, p.Hops, p.Said())
	}
	shut := d.until(`a shut link +(\S+)`)[1]
	for lang, reason := range map[string]string{"en": "Scams and fraud", "zh": "诈骗"} {
		p := open(&world.Browser{Carrier: http.DefaultTransport, Lang: lang}, shut)
		if p.Status != http.StatusForbidden && p.Status != http.StatusUnavailableForLegalReasons || len(p.Hops) > 0 || !strings.Contains(p.Said(), reason) {
			t.Errorf("the shut link in %s: %d by way of %v: %s", lang, p.Status, p.Hops, p.Said())
		}
	}
	d.checkReceipt()

	// At the wallet's page the hub is killed. The wallet takes the money, and nobody is there to be told.
	cashier := d.until(`a cashier +(\S+)`)[1]
	p = open(b, cashier)
	form := p.FormWith("crane-pay")
	if p.Status != http.StatusOK || form == nil {
		t.Fatalf("the cashier: %d: %s", p.Status, p.Said())
	}
	if _, err := b.Press(t.Context(), p, form, "crane-pay"); err != nil {
		t.Fatal(err)
	}
	way := ""
	eventually(t, "the cashier shows the way to the wallet", func() bool {
		found := regexp.MustCompile(`href="([^"]*prepay_id=[^"]*)"`).FindStringSubmatch(open(b, cashier).Text)
		if found != nil {
			way = html.UnescapeString(found[1])
		}
		return found != nil
	})
	wallet := open(b, way)
	pid, err := strconv.Atoi(d.until(`kill -9 (\d+)`)[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.until("the hub is dead")
	if form = wallet.FormWith("approve"); form == nil {
		t.Fatalf("the wallet's page: %d: %s", wallet.Status, wallet.Said())
	}
	if _, err := b.Press(t.Context(), wallet, form, "approve"); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err) // the way back leads to the hub, which is dead
	}
	if _, err := io.WriteString(d.keys, "\n"); err != nil {
		t.Fatal(err)
	}
	second := d.until(`serves again, as process (\d+)`)[1]
	eventually(t, "the cashier says what the wallet says", func() bool {
		p = open(b, cashier)
		return strings.Contains(p.Said(), "Paid")
	})

	// Ctrl-C: the hub, the wallets and the gardens go.
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := d.over(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if pid, err = strconv.Atoi(second); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hub's process has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	for _, address := range []string{home, way, allowed[1]} {
		if p, err := b.Open(t.Context(), address); err == nil {
			t.Errorf("somebody still answers at %s: %d", address, p.Status)
		}
	}
}

// checkReceipt verifies the receipt with a program that is not ours, where that can run, and with ours.
func (d *demo) checkReceipt() {
	d.t.Helper()
	shown := d.until(`check_receipt\.py (\S+) '(\S+)'`)
	file, key := shown[1], shown[2]
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	if exec.CommandContext(ctx, "python3", "-c", "import cryptography").Run() == nil {
		out, err := exec.CommandContext(ctx, "python3", filepath.Join("..", "..", "docs", "design", "check_receipt.py"), file, key).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "good: crossing.recorded") {
			d.t.Errorf("check_receipt.py: %v: %s", err, out)
		}
	} else {
		d.t.Log("python3 or its module cryptography is not installed: check_receipt.py was not run")
	}
	out, err := exec.CommandContext(ctx, "moongate", "log", "receipt", file, "--key", key).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "crossing.recorded happened") {
		d.t.Errorf("log receipt: %v: %s", err, out)
	}
	// Another key, or a byte of it changed: both find it.
	b, err := os.ReadFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	forged := filepath.Join(d.t.TempDir(), "forged.json")
	if err := os.WriteFile(forged, bytes.Replace(b, []byte(`"index":`), []byte(`"index":1`), 1), 0o600); err != nil {
		d.t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, "moongate", "log", "receipt", forged, "--key", key).CombinedOutput(); err == nil {
		d.t.Errorf("a forged receipt verifies: %s", out)
	}
}
