package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestPayBillStreams reads a bill of a million lines, which would take a quarter of a gigabyte, in bounded memory.
func TestPayBillStreams(t *testing.T) {
	rows := 1_000_000
	if testing.Short() {
		rows = 100_000
	}
	file := filepath.Join(t.TempDir(), "bill.csv")
	writeBill(t, file, rows)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var out strings.Builder
	code := run(&env{ctx: t.Context(), out: &out, err: io.Discard, in: strings.NewReader(""), now: time.Now, random: random}, []string{"pay", "bill", file, "--json"})
	runtime.ReadMemStats(&after)
	if code != 0 || !strings.Contains(out.String(), fmt.Sprintf("\"rows\": %d,", rows)) {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 64<<20 {
		t.Errorf("the heap took %d MB more", grown>>20)
	}
}

// writeBill writes a fund-flow bill of so many payments.
func writeBill(t *testing.T, file string, rows int) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprint(w, "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n")
	for i := range rows {
		fmt.Fprintf(w, "`2026-03-04 10:00:00,`42000000002026030400%08d,`70000000002026030400%08d,`交易,`交易,`收入,`1.00,`%d.00,`system,`,`order-%08d\r\n", i, i, i+1, i)
	}
	fmt.Fprintf(w, "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`%d,`%d,`%d.00,`0,`0.00\r\n", rows, rows, rows)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
