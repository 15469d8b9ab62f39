package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// billDir and billStop are the variables that make this program a hub that takes a bill in, to be killed with so many of
// its commands begun.
const (
	billDir  = "MOONGATE_TEST_BILL_HUB"
	billStop = "MOONGATE_TEST_BILL_STOP"
)

// The bill of the killed hub: of its payments some are not in the bill, and of the bill's rows some are nobody's.
const (
	soldHere, missingThere, strange = 400, 300, 1500
	differences                     = missingThere + strange
)

// importCommands is how many it takes: the beginning, differences by 200, the end.
const importCommands = 2 + (differences+199)/200

// imported is what a hub tells when it has the bill.
type imported struct {
	First, Again          reconcile.Answer
	Figures               reconcile.Figures
	Found, Healed         int64
	Listed, Lines, Opened int // differences: all, those with a row of their own, those that the state counts as open
	Events                int // that came of giving the bill once more
	Problems              []string
}

// TestMain lets this program be a hub that takes a bill in.
func TestMain(m *testing.M) {
	if dir := os.Getenv(billDir); dir != "" {
		go func() { // a leash: its end is that of the parent
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		stop, _ := strconv.Atoi(os.Getenv(billStop))
		if err := takeBill(context.Background(), dir, stop); err != nil {
			fmt.Println("error:", err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestKilledInTheMiddleOfABill: a hub is killed with kill -9 while it takes a bill in, each time with another command of it
// on its way. Started again it takes in all of it: every difference once, and the money adds up.
func TestKilledInTheMiddleOfABill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	dir := t.TempDir()
	run := func(stop int) string {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), billDir+"="+dir, fmt.Sprintf("%s=%d", billStop, stop))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cmd.StdinPipe(); err != nil { // a leash
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReaderSize(out, 1<<20).ReadString('\n')
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err != nil {
			t.Fatalf("the hub said %q: %v", line, err)
		}
		return strings.TrimSpace(line)
	}
	for stop := 1; stop <= importCommands; stop++ {
		if got := run(stop); got != fmt.Sprintf("at %d", stop) {
			t.Fatalf("to be killed at command %d, the hub said %s", stop, got)
		}
	}
	var got imported
	if line := run(0); json.Unmarshal([]byte(line), &got) != nil {
		t.Fatal(line)
	}
	if !got.First.Done || !got.Again.Done || !got.Again.Known || got.Again.Bill != got.First.Bill || got.Events != 0 {
		t.Errorf("taken in: %+v; given once more: %+v, and %d events came of it", got.First, got.Again, got.Events)
	}
	f := got.Figures
	if f.Rows != soldHere-missingThere+strange || f.Matched != soldHere-missingThere || f.Differences != differences || f.Missing != missingThere {
		t.Errorf("figures %+v", f)
	}
	if len(f.Sums) != 1 || f.Sums[0].Theirs != (soldHere-missingThere+strange)*sale || f.Sums[0].Ours != soldHere*sale {
		t.Errorf("sums %+v", f.Sums)
	}
	if got.Found > differences || got.Listed != differences || got.Lines != strange || got.Opened != differences || got.Healed != 0 {
		t.Errorf("%+v", got)
	}
	for _, problem := range got.Problems {
		t.Error(problem)
	}
}

// takeBill opens the hub of a directory, makes its payments and its bill when it is the first time, and takes the bill in.
// With so many commands of that begun it says so, and waits to be killed.
func takeBill(ctx context.Context, dir string, stop int) error {
	opt := Options{Dir: dir, Now: time.Now, Progress: func(string) {}, tiny: true, Random: func(b []byte) { _, _ = rand.Read(b) }}
	b := &billBench{size: opt.size(), path: filepath.Join(dir, "bill.csv"), noon: yesterdaysNoon(time.Now())}
	v, err := billHub(ctx, opt, b)
	if err != nil {
		return err
	}
	begun := 0
	submit := func(ctx context.Context, r replica.Request) (any, error) {
		if begun++; begun == stop {
			v.node.Go(r, func(any, error) {}) // it may get as far as it will
			fmt.Println("at", begun)
			select {}
		}
		return v.node.Submit(ctx, r)
	}
	fresh := func(ctx context.Context) (at journal.Position, err error) {
		v.machine.Read(func() { at = v.machine.Position() })
		return at, v.hub.Views.Wait(ctx, at)
	}
	importer := reconcile.NewImporter(reconcile.ImporterOptions{
		State: v.hub.Reconcile, Pay: v.hub.Pay, Crossings: v.hub.Crossing, Read: v.machine.Read, Now: v.machine.Now, Submit: submit,
		Fresh: fresh, Views: v.hub.Views, Dir: dir,
	})
	give := func() (reconcile.Answer, error) {
		f, err := os.Open(b.path)
		if err != nil {
			return reconcile.Answer{}, err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return reconcile.Answer{}, err
		}
		return importer.Import(ctx, "", reconcile.Source{Wallet: wallet, Text: &billFile{f, info.Size()}})
	}
	var got imported
	if got.First, err = give(); err != nil {
		return err
	}
	events := func() (n int, err error) {
		err = v.node.Journal().EntriesOf(1, billEvents, func(journal.Entry) error { n++; return nil })
		return n, err
	}
	before, err := events()
	if err != nil {
		return err
	}
	if got.Again, err = give(); err != nil {
		return err
	}
	if got.Events, err = events(); err != nil {
		return err
	}
	got.Events -= before
	v.machine.Read(func() {
		have, _ := v.hub.Reconcile.Lookup(got.First.Bill)
		got.Figures, got.Found, got.Healed, got.Opened = have.Figures, have.Found, have.Healed, v.hub.Reconcile.Open()
		got.Problems = v.hub.Reconcile.Check()
	})
	if _, err := fresh(ctx); err != nil {
		return err
	}
	if err := v.hub.Views.QueryRowContext(ctx, `SELECT count(*), count(DISTINCT nullif(line, 0)) FROM difference`).Scan(&got.Listed, &got.Lines); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

// billEvents are all that taking a bill in can emit.
var billEvents = map[string]bool{
	(&reconcile.Began{}).EventKind(): true, (&reconcile.Found{}).EventKind(): true, (&reconcile.Taken{}).EventKind(): true,
	(&reconcile.Reconciled{}).EventKind(): true, (&reconcile.Ended{}).EventKind(): true,
}

// billHub opens the hub of a directory. The first time it sells, and the wallet makes its bill.
func billHub(ctx context.Context, opt Options, b *billBench) (*live, error) {
	dir := filepath.Join(opt.Dir, "hub")
	if _, err := os.Stat(b.path); err == nil {
		return reopened(ctx, opt, dir)
	}
	v, err := newLive(ctx, opt, dir, idle{})
	if err != nil {
		return nil, err
	}
	b.merchant, b.sales = &merchant{live: v, opt: opt}, make([]moongate.ID, soldHere)
	if err := b.sell(ctx); err != nil {
		return nil, err
	}
	b.sales = b.sales[missingThere:]
	for i := range strange {
		b.sales = append(b.sales, moongate.NewID(moongate.KindAttempt, moongate.Hub{9}, [12]byte(binary.BigEndian.AppendUint64(make([]byte, 4), uint64(i)))))
	}
	return v, b.write(0)
}

func reopened(ctx context.Context, opt Options, dir string) (*live, error) {
	c, err := hub.ReadConfig(filepath.Join(dir, "moongate.yaml"))
	if err != nil {
		return nil, err
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		return nil, err
	}
	h, err := hub.Open(ctx, hub.Options{Config: c, Secrets: s, Now: opt.Now, Random: opt.Random, Fatal: func(err error) { panic(err) }})
	if err != nil {
		return nil, err
	}
	return &live{world: &world{now: opt.Now, node: h.Node, machine: h.Machine()}, hub: h}, nil
}
