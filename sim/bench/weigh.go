package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/replica"
)

// heap is how many bytes of memory are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what had a finalizer, or stood in a pool, goes the second time
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// weigh finds out what an account and an open payment take in memory, each in a hub of its own.
func (b *restart) weigh(ctx context.Context) error {
	b.opt.Progress(fmt.Sprintf("weighing %d accounts", b.size.accounts))
	if err := b.accounts(ctx); err != nil {
		return err
	}
	b.opt.Progress(fmt.Sprintf("weighing %d open payments", b.size.payments))
	return b.payments(ctx)
}

func (b *restart) accounts(ctx context.Context) (err error) {
	w, err := newWorld(ctx, b.opt, b.dir+"-accounts")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	before := heap()
	const each = 1000
	for from := 0; from < b.size.accounts; from += each {
		if _, err := w.node.Submit(ctx, replica.Request{Command: &openMany{From: from, Count: min(each, b.size.accounts-from)}}); err != nil {
			return w.fault(ctx, err)
		}
	}
	b.memory(fmt.Sprintf("memory of an account, of %d", b.size.accounts), heap()-before, int64(b.size.accounts))
	return nil
}

func (b *restart) payments(ctx context.Context) (err error) {
	v, err := newLive(ctx, b.opt, b.dir+"-payments", idle{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	m := &merchant{live: v, opt: b.opt}
	opened := make([]pay.PaymentAnswer, b.size.payments)
	before := heap()
	err = parallel(b.size.few, len(opened), func(i int) (err error) {
		n, c := m.order()
		opened[i], err = replica.Submit[pay.PaymentAnswer](ctx, v.node, replica.Request{Caller: market, Key: fmt.Sprintf("order-%d", n), Command: c})
		return err
	})
	if err != nil {
		return v.fault(ctx, err)
	}
	b.memory(fmt.Sprintf("memory of an open payment, its idempotency key included, of %d", len(opened)), heap()-before, int64(len(opened)))
	err = parallel(b.size.few, len(opened), func(i int) error {
		_, err := v.node.Submit(ctx, replica.Request{Caller: market, Command: &pay.ChooseWallet{Payment: opened[i].Payment, Wallet: wallet}})
		return err
	})
	if err != nil {
		return v.fault(ctx, err)
	}
	if err := v.quiet(ctx); err != nil {
		return err
	}
	b.memory(fmt.Sprintf("memory of an open payment whose order stands at a wallet, of %d", len(opened)), heap()-before, int64(len(opened)))
	runtime.KeepAlive(opened)
	return nil
}

// parallel does n things, so many at a time, and gives the first error.
func parallel(at, n int, do func(i int) error) error {
	type span struct{ from, to int }
	errs := make(chan error, at)
	for g := range at {
		s := span{n * g / at, n * (g + 1) / at}
		go func() {
			for i := s.from; i < s.to; i++ {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var first error
	for range at {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
