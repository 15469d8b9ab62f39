package bench

import (
	"path/filepath"
	"testing"

	"github.com/moongate-hub/moongate"
)

// A bill that differs from the books has no rate.
func TestBillThatDiffersFailsTheBench(t *testing.T) {
	opt := tiny(t)
	dir := t.TempDir()
	v, err := newLive(t.Context(), opt, filepath.Join(dir, "hub"), idle{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	b := &billBench{
		merchant: &merchant{live: v, opt: opt}, size: opt.size(), path: filepath.Join(dir, "bill.csv"),
		sales: make([]moongate.ID, opt.size().lines), noon: yesterdaysNoon(opt.Now()),
	}
	if err := b.sell(t.Context()); err != nil {
		t.Fatal(err)
	}
	for round, change := range []func(){
		func() {},
		func() { b.sales[1] = b.sales[0] }, // one twice, and one not at all
		func() { b.sales = b.sales[1:] },
	} {
		change()
		if err := b.write(round); err != nil {
			t.Fatal(err)
		}
		if err := b.limit(t.Context()); err != nil {
			t.Error(err)
		}
		if err := b.read(t.Context()); err != nil {
			t.Error(err)
		}
		if err := b.reconcile(t.Context()); (err == nil) != (round == 0) {
			t.Errorf("round %d: %v", round, err)
		}
	}
}
