package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/share"
)

// These tests measure nothing: they run every case with tiny numbers, and hold its figures against each other.

func tiny(t *testing.T) Options {
	t.Helper()
	return Options{
		Dir: t.TempDir(), Now: time.Now, Progress: func(string) {}, tiny: true,
		Random: func(b []byte) {
			if _, err := rand.Read(b); err != nil {
				t.Error(err)
			}
		},
	}
}

var verbs = map[string]func(context.Context, Options) (*Result, error){
	"crossing": Crossing, "redirect": Redirect, "api": API, "restart": Restart, "pay": Pay,
}

func TestEveryBenchRunsAndItsFiguresAgree(t *testing.T) {
	for name, run := range verbs {
		t.Run(name, func(t *testing.T) {
			opt := tiny(t)
			r, err := run(t.Context(), opt)
			if err != nil {
				t.Fatal(err)
			}
			if r.Name != name || r.Machine == "" || len(r.Cases) == 0 {
				t.Fatalf("%+v", r)
			}
			for i := range r.Cases {
				checkCase(t, &r.Cases[i])
			}
			isEmpty(t, opt.Dir)
		})
	}
}

func checkCase(t *testing.T, c *Case) {
	t.Helper()
	near := func(what string, got, want, within float64) {
		t.Helper()
		if math.Abs(got-want) > within {
			t.Errorf("%s: %s is %v where %v was due", c.Case, what, got, want)
		}
	}
	if c.Case == "" || c.Unit == "" || c.Count <= 0 {
		t.Errorf("%+v says too little", c)
	}
	if c.Unit == "bytes" {
		if c.Rate != 0 || c.Bytes < 0 {
			t.Errorf("%+v: bytes have no rate", c)
		}
		return
	}
	if c.Rate <= 0 || c.Seconds <= 0 {
		t.Fatalf("%+v has no rate", c)
	}
	near("rate × time", c.Rate*c.Seconds, float64(c.Count), 0.51*c.Seconds+0.001*float64(c.Count))
	if c.P50 > c.P99 || c.P50 < 0 || c.P99 > 1000*c.Seconds {
		t.Errorf("%s: p50 %v and p99 %v ms within %v s", c.Case, c.P50, c.P99, c.Seconds)
	}
	if c.LimitRate > 0 {
		near("ratio", c.Ratio, c.Rate/c.LimitRate, 0.001)
	} else if c.Ratio != 0 || c.Target != 0 {
		t.Errorf("%s: ratio %v and target %v without a limit", c.Case, c.Ratio, c.Target)
	}
	if c.Others < 0 || c.Others > 1 {
		t.Errorf("%s: others had %v of the processors", c.Case, c.Others)
	}
	if c.Parts != nil {
		sum := 0.0
		for _, share := range c.Parts {
			sum += share
		}
		if sum < 0.99 {
			t.Errorf("%s: the parts are %v of the whole: %v", c.Case, sum, c.Parts)
		}
	}
}

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		t.Errorf("%s was left behind", f.Name())
	}
}

// What other programs read: every case has every field, whether or not it applies.
func TestResultHasTheFieldsThatWerePromised(t *testing.T) {
	opt := tiny(t)
	opt.Only = "spread"
	r, err := Crossing(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Name, Machine string
		Cases         []map[string]any
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Cases) != 2 {
		t.Fatalf("%d cases are called spread", len(out.Cases))
	}
	for _, c := range out.Cases {
		for _, field := range []string{"case", "rate", "unit", "p50_ms", "p99_ms", "cpu_us_each", "bytes_each", "limit_rate", "ratio"} {
			if _, ok := c[field]; !ok {
				t.Errorf("%v has no %s", c["case"], field)
			}
		}
		if n, _ := c["bytes_each"].(float64); n < 500 {
			t.Errorf("%v: a crossing of %v bytes", c["case"], n)
		}
	}
	opt.Only = "no such case"
	if _, err := Crossing(t.Context(), opt); err == nil || !strings.Contains(err.Error(), opt.Only) {
		t.Errorf("a case that is not there: %v", err)
	}
}

// A hub whose disk fails has no rate, wherever the fault comes.
func TestBrokenHubFailsTheBench(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, after := range []int64{1, 10, 40} {
		for name, run := range map[string]func(context.Context, Options) (*Result, error){"crossing": Crossing, "restart": Restart} {
			opt := tiny(t)
			var synced atomic.Int64
			opt.sync = func(f *os.File) error {
				if synced.Add(1) > after {
					return broken
				}
				return f.Sync()
			}
			r, err := run(t.Context(), opt)
			if !errors.Is(err, broken) || r != nil {
				t.Errorf("%s: a disk that fails after %d syncs gave %+v and %v", name, after, r, err)
			}
			isEmpty(t, opt.Dir)
		}
	}
}

func TestInterruptedBenchLeavesNothing(t *testing.T) {
	for name, run := range verbs {
		opt := tiny(t)
		ctx, cancel := context.WithCancel(t.Context())
		opt.Progress = func(string) { cancel() }
		if r, err := run(ctx, opt); !errors.Is(err, context.Canceled) || r != nil {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		isEmpty(t, opt.Dir)
		if r, err := run(t.Context(), Options{Dir: opt.Dir + "/missing", Now: opt.Now, Random: opt.Random, Progress: func(string) {}, tiny: true}); err == nil || r != nil {
			t.Errorf("%s in a directory that is not there: %+v, %v", name, r, err)
		}
	}
}

// The audit finds crossings that were acknowledged and are not in the books.
func TestAuditFindsWhatIsMissing(t *testing.T) {
	opt := tiny(t)
	w, err := newWorld(t.Context(), opt, opt.Dir+"/hub")
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	m, err := w.load(t.Context(), 3, false, 20*time.Millisecond, nil)
	if err != nil || m.count() == 0 {
		t.Fatalf("%d crossings, %v", m.count(), err)
	}
	if err := w.audit(); err != nil {
		t.Error(err)
	}
	w.paid.Add(1)
	if err := w.audit(); err == nil {
		t.Error("one fen more was acknowledged than is in the books, and the audit did not see it")
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// Redirects are counted only where they are redirects, and requests for payments where they were accepted.
func TestHammerFailsOnAnotherAnswer(t *testing.T) {
	for status, ok := range map[int]bool{http.StatusFound: true, http.StatusServiceUnavailable: false, http.StatusOK: false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		m, err := hammer(t.Context(), s.Listener.Addr().String(), 2, 10*time.Millisecond, time.Now,
			func(int) ([]byte, error) { return []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), nil }, " 302 ")
		if (err == nil) != ok || ok != (m.count() > 0) {
			t.Errorf("status %d: %d measured, %v", status, m.count(), err)
		}
		s.Close()
	}
	if _, err := hammer(t.Context(), "127.0.0.1:1", 1, time.Millisecond, time.Now, nil, ""); err == nil {
		t.Error("nobody listens, and that is no error")
	}
}

func TestSpellEndsWithTheFirstError(t *testing.T) {
	bad := errors.New("bad")
	began := time.Now()
	_, err := spell(t.Context(), 4, time.Hour, time.Now, func(s, i int) error {
		if s == 2 && i == 5 {
			return bad
		}
		return nil
	})
	if !errors.Is(err, bad) || time.Since(began) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestPercentiles(t *testing.T) {
	var m measured
	for i := range 200 {
		m.took = append(m.took, time.Duration(200-i)*time.Millisecond)
	}
	m.spent = 4 * time.Second
	m.cpu = 200 * 25 * time.Microsecond
	if p50, p99, last := m.at(0.5), m.at(0.99), m.at(1); p50 != 101 || p99 != 199 || last != 200 {
		t.Errorf("p50 %v, p99 %v, the longest %v", p50, p99, last)
	}
	if c := m.asCase("x", "y"); c.Rate != 50 || c.CPU != 25 || c.Count != 200 || c.Seconds != 4 {
		t.Errorf("%+v", c)
	}
	if none := (&measured{}).asCase("x", "y"); none.Rate != 0 || none.P99 != 0 || none.CPU != 0 {
		t.Errorf("nothing was measured: %+v", none)
	}
}

// The limit writes what it says: as many bytes as are counted, in batches, on the same disk.
func TestAppendLimitWritesItsBytes(t *testing.T) {
	dir := t.TempDir()
	var last atomic.Int64 // the size of the file when the clock was last read, which is when all are done
	m, err := appendLimit(t.Context(), dir, 4, 1000, 30*time.Millisecond, func() time.Time {
		if info, err := os.Stat(dir + "/bare"); err == nil {
			last.Store(info.Size())
		}
		return time.Now()
	})
	if err != nil || m.count() == 0 {
		t.Fatalf("%d, %v", m.count(), err)
	}
	if size := last.Load(); size != int64(m.count())*1000 {
		t.Errorf("%d appends of 1,000 bytes made a file of %d", m.count(), size)
	}
	isEmpty(t, dir)
	if _, err := appendLimit(t.Context(), dir+"/missing", 1, 10, time.Millisecond, time.Now); err == nil {
		t.Error("the limit of a disk that is not there")
	}
}

// Where nginx is installed it stands beside, and where not nothing is missed.
func TestNginxStandsBesideWhereItIsInstalled(t *testing.T) {
	opt := tiny(t)
	r, err := Redirect(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	want := 2
	if _, err := exec.LookPath("nginx"); err == nil {
		want = 3
	}
	if len(r.Cases) != want {
		t.Errorf("%d cases, %d were due: %+v", len(r.Cases), want, r.Cases)
	}
	t.Setenv("PATH", opt.Dir)
	n, err := startNginx(t.Context(), opt.Dir)
	if n != nil || err != nil {
		t.Errorf("without nginx: %+v, %v", n, err)
	}
	n.stop() // none
}

// What the bench's command and answer append by hand is what the library writes.
func TestEncodingIsTheLibrarys(t *testing.T) {
	for _, v := range []journal.Appender{
		&buy{},
		paid{},
		paid{moongate.ID{3, 1}},
		&buy{Agreement: moongate.ID{2, 1}, Seller: "seller", Amount: 10_000, Touches: []share.Touch{{Party: "a", At: -5}, {Party: "b", At: 7, Channel: "feed", Weight: 3}}},
	} {
		want, err := journal.Encoding.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.AppendCBOR(nil); !bytes.Equal(got, want) {
			t.Errorf("%T: appended %x, the library writes %x", v, got, want)
		}
	}
}
