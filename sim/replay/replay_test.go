package replay_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/sim/olist"
	"github.com/moongate-hub/moongate/sim/replay"
	"github.com/moongate-hub/moongate/sim/retail"
	"github.com/moongate-hub/moongate/sim/sample"
)

func open(t testing.TB, dir, format string, progress func(done, total int64)) *replay.Run {
	t.Helper()
	r, err := replay.Open(context.Background(), replay.Options{
		Dir: dir, Format: format, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		Progress: progress, Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func silent(int64, int64) {}

func runOlist(t testing.TB, dir string, x *olist.Export) *replay.OlistReport {
	t.Helper()
	r := open(t, dir, "olist", silent)
	rep, err := r.Olist(x)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return rep
}

// books of our own: what each participant must be paid, from the export alone.
func expected(x *olist.Export) map[string]int64 {
	due := map[string]int64{}
	for i := range x.Orders {
		o := &x.Orders[i]
		if len(o.Items) == 0 || o.Paid() != o.Owed() {
			continue // all of it waits
		}
		for _, it := range o.Items {
			due["seller-"+it.Seller] += it.Cents()
		}
	}
	return due
}

func TestOlistSample(t *testing.T) {
	x, err := olist.Read(sample.Olist())
	if err != nil {
		t.Fatal(err)
	}
	rep := runOlist(t, filepath.Join(t.TempDir(), "hub"), x)
	checkOlist(t, x, rep)
	again := runOlist(t, filepath.Join(t.TempDir(), "hub"), x)
	again.Seconds = rep.Seconds
	if d := cmp.Diff(rep, again); d != "" {
		t.Errorf("the same export, another result:\n%s", d)
	}
}

func checkOlist(t *testing.T, x *olist.Export, rep *replay.OlistReport) {
	t.Helper()
	if !rep.InvariantsOK {
		t.Errorf("invariants: %v", rep.Problems)
	}
	held := 0
	for i := range x.Orders {
		o := &x.Orders[i]
		if len(o.Items) == 0 || len(o.Payments) > 0 && o.Paid() != o.Owed() {
			for _, p := range o.Payments {
				if p.Cents > 0 {
					held++
				}
			}
		}
	}
	if rep.Exceptions != held {
		t.Errorf("%d exceptions, want %d: one for each payment of an order that does not add up", rep.Exceptions, held)
	}
	// The sellers together get what they are owed, less a commission of 12 % on goods, to the unit that rounding moves.
	gross, net := int64(0), int64(0)
	for _, v := range expected(x) {
		gross += v
	}
	for who, v := range rep.NetPositions {
		if who == "olist" || len(who) > 7 && who[:7] == "seller-" {
			net += v
		}
	}
	if gross != net {
		t.Errorf("sellers and marketplace were paid %d, the orders that add up come to %d", net, gross)
	}
}

func TestOlistDemo10000(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand orders take a while")
	}
	x, err := olist.Read(data(t, "olist/demo-10000"))
	if err != nil {
		t.Fatal(err)
	}
	rep := runOlist(t, filepath.Join(t.TempDir(), "hub"), x)
	checkOlist(t, x, rep)
	if len(rep.MismatchCents) != 66 || len(rep.MultiSellerOrders) != 145 {
		t.Errorf("%d mismatching and %d multi-seller orders, want 66 and 145", len(rep.MismatchCents), len(rep.MultiSellerOrders))
	}
}

// data is a folder of the test data that is not in the repository.
func data(t testing.TB, path string) fs.FS {
	t.Helper()
	root := os.Getenv("MOONGATE_DATA")
	if root == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA does not name the folder of test data")
		}
		t.Skip("set MOONGATE_DATA to the folder of test data to run this")
	}
	return os.DirFS(filepath.Join(root, filepath.FromSlash(path)))
}

func runRetail(t testing.TB, dir string, f fs.File) *replay.RetailReport {
	t.Helper()
	in, err := retail.New("online_retail.csv", f, retail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, dir, "online-retail", silent)
	rep, err := r.Retail(in)
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestRetailSample(t *testing.T) {
	f, err := sample.OnlineRetail().Open("online_retail.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rep := runRetail(t, filepath.Join(t.TempDir(), "hub"), f)
	if !rep.InvariantsOK {
		t.Errorf("invariants: %v", rep.Problems)
	}
	if got := rep.NetPositions["online-retail"]; got <= 0 || got >= rep.SoldPence-rep.RefundedPence {
		t.Errorf("the merchant was paid %d of %d sold and %d given back", got, rep.SoldPence, rep.RefundedPence)
	}
}
