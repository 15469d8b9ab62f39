package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// billCases measure how fast a wallet's bill of one day is held against the books of a hub, and how fast it is read
// alone. The limit is counting the lines of the same file and parsing them with encoding/csv.
func billCases(ctx context.Context, opt Options) (cases []Case, err error) {
	size := opt.size()
	dir, remove, err := opt.temp("bill")
	if err != nil {
		return nil, err
	}
	defer remove()
	v, err := newLive(ctx, opt, filepath.Join(dir, "hub"), idle{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	b := &billBench{merchant: &merchant{live: v, opt: opt}, size: size, path: filepath.Join(dir, "bill.csv"), sales: make([]moongate.ID, size.lines)}
	b.noon = yesterdaysNoon(opt.Now())
	if err := b.sell(ctx); err != nil {
		return nil, err
	}
	for round := range size.rounds {
		opt.Progress(fmt.Sprintf("a bill of %d lines, round %d of %d", size.lines, round+1, size.rounds))
		if err := b.write(round); err != nil {
			return nil, err
		}
		for _, turn := range []func(context.Context) error{b.limit, b.read, b.reconcile} {
			if err := turn(ctx); err != nil {
				return nil, v.fault(ctx, err)
			}
		}
	}
	lines := int64(size.lines * size.rounds)
	one := b.held.asLines(fmt.Sprintf("a bill of %d lines held against the books", size.lines), lines, &b.counted)
	one.Bytes, one.Target = round(float64(b.bytes)/float64(lines)), 0.3
	one.Note = "taken in whole: its sums and hash checked, each line matched by number with what the hub knows, its fee with the terms, and the day's payments that no line names looked for; the limit is the same file's lines counted and parsed by encoding/csv"
	alone := b.alone.asLines("the same bill read and checked alone", lines, &b.counted)
	memory := Case{Case: "memory that a line is read into while the bill is held against the books", Unit: "bytes", Bytes: round(float64(b.allocated) / float64(lines)), Count: lines}
	memory.Note = "all that was allocated meanwhile, garbage included; of it the state keeps what differs"
	return []Case{one, alone, memory}, nil
}

// asLines is a case of lines, which are not timed one by one.
func (m *measured) asLines(name string, lines int64, limit *measured) Case {
	c := Case{
		Case: name, Unit: "lines/s", Rate: round(float64(lines) / m.spent.Seconds()), LimitRate: round(float64(lines) / limit.spent.Seconds()), Count: lines,
		Seconds: m.spent.Seconds(), CPU: round(float64(m.cpu.Nanoseconds()) / 1000 / float64(lines)), Others: round(shareOfMachine(m.others, m.spent)),
	}
	c.Ratio = round(c.Rate / c.LimitRate)
	return c
}

type billBench struct {
	*merchant
	size  size
	path  string
	noon  moongate.Time
	sales []moongate.ID // attempts, as they stand in the bill
	bytes int64

	allocated uint64

	held, alone, counted measured
}

// yesterdaysNoon is in the middle of the day whose bill a wallet has now.
func yesterdaysNoon(now time.Time) moongate.Time {
	local := now.In(shanghai).AddDate(0, 0, -1)
	return moongate.At(time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, shanghai))
}

var shanghai = time.FixedZone("CST", 8*3600)

// sell has payments made and paid, as the wallet would tell.
func (b *billBench) sell(ctx context.Context) error {
	b.opt.Progress(fmt.Sprintf("making %d payments", len(b.sales)))
	err := parallel(b.size.few, len(b.sales), func(i int) error {
		n, order := b.order()
		opened, err := replica.Submit[pay.PaymentAnswer](ctx, b.node, replica.Request{Caller: market, Key: fmt.Sprintf("order-%d", n), Command: order})
		if err != nil {
			return err
		}
		chosen, err := replica.Submit[pay.WalletAnswer](ctx, b.node, replica.Request{Caller: market, Command: &pay.ChooseWallet{Payment: opened.Payment, Wallet: wallet}})
		if err != nil {
			return err
		}
		b.sales[i] = chosen.Attempt
		_, err = b.node.Submit(ctx, replica.Request{Command: &pay.Report{Attempt: chosen.Attempt, Op: pay.OpQuery, Outcome: &pay.Evidence{
			State: pay.Paid, WalletRef: ref(i), Amount: order.Amount, PayerTotal: order.Amount.Minor, PaidAt: b.paidAt(i), Said: "SUCCESS",
		}}})
		return err
	})
	if err != nil {
		return b.fault(ctx, err)
	}
	if err := b.quiet(ctx); err != nil { // a day's bill comes on the day after, when its orders have long been at the wallet
		return err
	}
	at, _ := b.node.Durable()
	return b.live.hub.Views.Wait(ctx, at)
}

func ref(i int) string { return fmt.Sprintf("42000%023d", i) }

func (b *billBench) paidAt(i int) moongate.Time {
	return b.noon + moongate.Time(i%36_000)*moongate.Second
}

// sale is what a shopper pays in this bench, and what the wallet takes of it.
const (
	sale    = 26_800
	saleFee = 161 // 60 basis points
)

// write writes the day's bill, another in each round: one that was taken in already would not be taken in again.
func (b *billBench) write(round int) error {
	f, err := os.Create(b.path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	yuan := func(fen int) string { return money.Of(int64(fen), money.CNY).Decimal() }
	fmt.Fprint(w, "\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n")
	for i, no := range b.sales {
		at := b.paidAt(i).Go().In(shanghai).Format(time.DateTime)
		fmt.Fprintf(w, "`%s,`wx8888888888888888,`1900000109,`0,`,`%s,`%s,`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o,`NATIVE,`SUCCESS,`CMB_DEBIT,`CNY,`%s,`0.00,`0,`0,`0.00,`0.00,`,`,`A teapot,`round %d,`%s000,`0.60%%,`%s,`0.00,`\r\n",
			at, ref(i), no, yuan(sale), round, yuan(saleFee), yuan(sale))
	}
	n := len(b.sales)
	fmt.Fprint(w, "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n")
	fmt.Fprintf(w, "`%d,`%s,`0.00,`0.00,`%s000,`%s,`0.00\r\n", n, yuan(n*sale), yuan(n*saleFee), yuan(n*sale))
	return errors.Join(w.Flush(), f.Close())
}

// timed adds what something took.
func (b *billBench) timed(to *measured, do func() error) error {
	cpu, busy, began := cpuTime(), busyTime(), b.opt.Now()
	err := do()
	one := measured{spent: b.opt.Now().Sub(began), cpu: cpuTime() - cpu}
	one.others = max(0, busyTime()-busy-one.cpu)
	to.add(one)
	return err
}

// limit counts the lines, as wc -l does, and parses them.
func (b *billBench) limit(ctx context.Context) error {
	lines, parsed := 0, 0
	err := b.timed(&b.counted, func() error {
		f, err := os.Open(b.path)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // read only
		part := make([]byte, 256<<10)
		for err == nil {
			var n int
			n, err = f.Read(part)
			lines += bytes.Count(part[:n], []byte{'\n'})
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		r := csv.NewReader(bufio.NewReaderSize(f, 256<<10))
		r.FieldsPerRecord, r.ReuseRecord, r.LazyQuotes = -1, true, true
		for {
			if _, err := r.Read(); errors.Is(err, io.EOF) {
				return ctx.Err()
			} else if err != nil {
				return err
			}
			parsed++
		}
	})
	if want := len(b.sales) + 3; err == nil && (lines != want || parsed != want) {
		err = fmt.Errorf("bench: %d lines counted and %d parsed, of %d", lines, parsed, want)
	}
	return err
}

// read reads the bill, and checks its sums.
func (b *billBench) read(context.Context) error {
	rows := int64(0)
	err := b.timed(&b.alone, func() error {
		f, err := os.Open(b.path)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // read only
		one, err := bill.Open(f, bill.Options{Brief: true})
		if err != nil {
			return err
		}
		var row bill.Row
		for err == nil {
			err = one.Next(&row)
		}
		rows = one.Rows()
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return err
	})
	if err == nil && rows != int64(len(b.sales)) {
		err = fmt.Errorf("bench: %d rows were read of %d", rows, len(b.sales))
	}
	return err
}

// billFile is a bill on the disk.
type billFile struct {
	*os.File
	size int64
}

// Size is its length.
func (f *billFile) Size() int64 { return f.size }

// reconcile takes the bill in. Where anything differs there is no rate.
func (b *billBench) reconcile(ctx context.Context) error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b.bytes += info.Size()
	var answer reconcile.Answer
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = b.timed(&b.held, func() (err error) {
		answer, err = b.live.hub.Bills.Import(ctx, "", reconcile.Source{Wallet: wallet, Text: &billFile{f, info.Size()}})
		return err
	})
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	b.allocated += after.TotalAlloc - before.TotalAlloc
	var have reconcile.Bill
	b.machine.Read(func() { have, _ = b.live.hub.Reconcile.Lookup(answer.Bill) })
	if answer.Known || !answer.Done || have.Figures.Differences != 0 || have.Figures.Matched != int64(len(b.sales)) || have.Figures.Rows != int64(len(b.sales)) {
		return fmt.Errorf("bench: of %d lines %d agree, and %d things differ", len(b.sales), have.Figures.Matched, have.Figures.Differences)
	}
	return nil
}
