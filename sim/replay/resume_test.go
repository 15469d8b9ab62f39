package replay_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/sim/olist"
	"github.com/moongate-hub/moongate/sim/retail"
	"github.com/moongate-hub/moongate/sim/sample"
)

// TestMain lets the test binary be a replay that can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("MOONGATE_TEST_REPLAY"); dir != "" {
		go func() { // a leash: its end is that of the parent
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		os.Exit(replayChild(dir))
	}
	os.Exit(m.Run())
}

// replayChild replays until it is done or killed, and says how far it is, a line a chunk.
func replayChild(dir string) int {
	t := &childT{}
	say := func(done, _ int64) { fmt.Println(done) }
	switch os.Getenv("MOONGATE_TEST_FORMAT") {
	case "olist":
		x, err := olist.Read(sample.Olist())
		if err != nil {
			return 1
		}
		r := open(t, dir, "olist", say)
		if _, err := r.Olist(x); err != nil {
			fmt.Println(err)
			return 1
		}
		return closed(r.Close())
	default:
		f, err := sample.OnlineRetail().Open("online_retail.csv")
		if err != nil {
			return 1
		}
		in, err := retail.New("online_retail.csv", f, retail.Options{})
		if err != nil {
			return 1
		}
		r := open(t, dir, "online-retail", say)
		if _, err := r.Retail(in); err != nil && !errors.Is(err, io.EOF) {
			fmt.Println(err)
			return 1
		}
		return closed(r.Close())
	}
}

func closed(err error) int {
	if err != nil {
		return 1
	}
	return 0
}

// childT is as much of a test as the child needs.
type childT struct{ testing.TB }

func (*childT) Helper()                        {}
func (*childT) Fatal(args ...any)              { fmt.Println(args...); os.Exit(1) }
func (*childT) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...); os.Exit(1) }

// killed runs a replay in a process of its own and kills it after it has said so many lines.
func killed(t *testing.T, dir, format string, lines int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MOONGATE_TEST_REPLAY="+dir, "MOONGATE_TEST_FORMAT="+format)
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
	in := bufio.NewScanner(out)
	for n := 0; n < lines && in.Scan(); n++ {
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// A replay that is killed, again and again, ends as one that is not.
func TestResumeAfterKill(t *testing.T) {
	x, err := olist.Read(sample.Olist())
	if err != nil {
		t.Fatal(err)
	}
	whole := runOlist(t, filepath.Join(t.TempDir(), "hub"), x)
	broken := filepath.Join(t.TempDir(), "hub")
	for _, lines := range []int{1, 7, 23} {
		killed(t, broken, "olist", lines)
	}
	again := runOlist(t, broken, x)
	if !again.Resumed {
		t.Error("nothing was there to go on with")
	}
	again.Seconds, again.Resumed = whole.Seconds, whole.Resumed
	if d := cmp.Diff(whole, again); d != "" {
		t.Errorf("olist: another result after it was killed:\n%s", d)
	}
	if testing.Short() {
		return
	}
	retailRun := func(dir string) any {
		f, err := sample.OnlineRetail().Open("online_retail.csv")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rep := runRetail(t, dir, f)
		rep.Seconds, rep.Resumed = 0, false
		return rep
	}
	want := retailRun(filepath.Join(t.TempDir(), "hub"))
	broken = filepath.Join(t.TempDir(), "hub")
	for _, lines := range []int{2, 5} {
		killed(t, broken, "online-retail", lines)
	}
	if d := cmp.Diff(want, retailRun(broken)); d != "" {
		t.Errorf("online-retail: another result after it was killed:\n%s", d)
	}
}
