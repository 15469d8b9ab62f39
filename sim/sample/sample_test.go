package sample_test

import (
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/sim/olist"
	"github.com/moongate-hub/moongate/sim/retail"
	"github.com/moongate-hub/moongate/sim/sample"
)

var update = flag.Bool("update", false, "write the sample's files")

// TestFiles holds the committed files against the generator.
func TestFiles(t *testing.T) {
	want := map[string]string{"online-retail/" + sample.OnlineRetailFile: shop()}
	for name, text := range marketplace() {
		want["olist/"+name] = text
	}
	got := map[string]string{}
	for prefix, folder := range map[string]fs.FS{"olist/": sample.Olist(), "online-retail/": sample.OnlineRetail()} {
		entries, err := fs.ReadDir(folder, ".")
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			text, err := fs.ReadFile(folder, entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			got[prefix+entry.Name()] = string(text)
		}
	}
	if *update {
		for name, text := range want {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.FromSlash(name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the files are not what the generator writes; run go test ./sim/sample -update (-want +got):\n%s", diff)
	}
}

func TestOlist(t *testing.T) {
	x, err := olist.Read(sample.Olist())
	if err != nil {
		t.Fatal(err)
	}
	r := x.Report()
	sorted := func(ids ...string) []string { slices.Sort(ids); return ids }
	mismatches := map[string]int64{}
	for n := 9; n < orderCount; n += 40 {
		mismatches[id("order", n)] = 1
	}
	for n := 29; n < orderCount; n += 40 {
		mismatches[id("order", n)] = -1
	}
	mismatches[id("order", 33)], mismatches[id("order", 93)] = 317, 317
	if diff := cmp.Diff(mismatches, r.MismatchCents); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(sorted(id("order", 7), id("order", 47), id("order", 87)), r.OrdersWithoutItems); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{id("order", 50)}, r.OrdersWithoutPayment); diff != "" {
		t.Error(diff)
	}
	if r.Orders != orderCount || r.Items != 181 || r.Payments != 135 || len(r.MultiSellerOrders) != 13 {
		t.Errorf("%d orders, %d items, %d payments, %d with several sellers", r.Orders, r.Items, r.Payments, len(r.MultiSellerOrders))
	}
	if first, last := x.Orders[0].Purchased.String(), x.Orders[orderCount-1].Purchased.String(); first[:7] != "2025-01" || last[:7] != "2025-04" {
		t.Errorf("orders from %s to %s", first, last)
	}
}

func TestOnlineRetail(t *testing.T) {
	f, err := sample.OnlineRetail().Open(sample.OnlineRetailFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := retail.New(sample.OnlineRetailFile, f, retail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	parts, together := 0, 0
	for {
		invoice, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if invoice.Part > 1 {
			parts++
		}
		for _, line := range invoice.Lines {
			if len(line.Against) > 1 {
				together++
			}
		}
	}
	if parts != 1 || together != 1 {
		t.Errorf("%d invoices interrupted, %d cancellations of several sales; want one of each", parts, together)
	}
	want := retail.Report{
		Lines: 312, Used: 303,
		Refused: map[retail.Reason]int64{
			retail.AdjustBadDebt: 2, retail.AmountZero: 1, retail.CancellationWithoutCustomer: 1, retail.Malformed: 1,
			retail.OriginalNotFound: 2, retail.PriceZero: 1, retail.StockAdjustment: 1,
		},
		FirstLine: map[retail.Reason]int{
			retail.AdjustBadDebt: 223, retail.AmountZero: 179, retail.CancellationWithoutCustomer: 192, retail.Malformed: 141,
			retail.OriginalNotFound: 2, retail.PriceZero: 64, retail.StockAdjustment: 222,
		},
		Sales: 44, Cancellations: 8, SoldPence: 542360, RefundedPence: 12489,
	}
	if diff := cmp.Diff(want, r.Report()); diff != "" {
		t.Error(diff)
	}
}
