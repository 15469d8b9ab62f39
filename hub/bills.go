package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// billsDir is where bills lie while they are read, below the data directory. Nothing in it outlives the process.
const billsDir = "bills"

// openBills makes what takes wallets' bills in.
func (h *Hub) openBills() error {
	dir := filepath.Join(h.Config.Data, billsDir)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	accounts := map[string]string{}
	for _, w := range h.Config.Wallets {
		switch w.Kind {
		case "wechatpay", "alipay": // their bills say whose they are
			accounts[w.Name] = w.MerchantID
		}
	}
	h.Bills = reconcile.NewImporter(reconcile.ImporterOptions{
		State: h.Reconcile, Pay: h.Pay, Crossings: h.Crossing, Read: h.machine.Read, Now: h.machine.Now, Submit: h.Node.Submit,
		Fresh: h.freshViews, Views: h.Views, Wallets: h.opt.Wallets, Accounts: accounts, Dir: dir,
	})
	return nil
}

// freshViews waits until the views know what the state knows now, and says how far that is. Where somebody else drives the
// hub they are brought there; before that, everything that was submitted is decided, so that the same story finds the
// same state.
func (h *Hub) freshViews(ctx context.Context) (at journal.Position, err error) {
	if h.opt.Virtual {
		if _, err := replica.Submit[int](ctx, h.Node, replica.Request{Command: &replica.Tick{}}); err != nil {
			return 0, err
		}
	}
	h.machine.Read(func() { at = h.machine.Position() })
	if !h.opt.Virtual {
		return at, h.Views.Wait(ctx, at)
	}
	got, err := h.Views.CatchUp(ctx, h.Node.Journal())
	if err == nil && got < at {
		err = fmt.Errorf("hub: the views are at event %d, not at %d", got, at)
	}
	return at, err
}

// KeepBills has the hub fetch the bills of each wallet that makes some, from yesterday's on, unless somebody has said
// otherwise before.
func (h *Hub) KeepBills(ctx context.Context) error {
	for handle, w := range h.opt.Wallets {
		if _, ok := w.(pay.Biller); !ok {
			continue
		}
		known, registered := false, false
		h.machine.Read(func() {
			_, known = h.Reconcile.Calendar(handle, pay.TradeBill)
			p, ok := h.Party.Lookup(handle)
			registered = ok && p.Kind == party.Wallet
		})
		if known || !registered {
			continue
		}
		abroad := w.Can().Kind == "stripe"
		zone := time.FixedZone("CST", 8*3600)
		if abroad {
			zone = time.UTC
		}
		c := &reconcile.Schedule{Wallet: handle, Kind: pay.TradeBill, From: h.Now().In(zone).AddDate(0, 0, -1).Format(time.DateOnly), Abroad: abroad, Keep: true}
		if _, err := Do[reconcile.Done](ctx, h, "", "", c); err != nil {
			return err
		}
	}
	return nil
}

// keepBills has what was paid before the start at hand for the bills that come, and looks now and then whether there is a wallet
// whose bills nobody fetches.
func (h *Hub) keepBills(ctx context.Context) {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		if err := h.Bills.Refill(ctx); err != nil && ctx.Err() == nil {
			h.Log.Warn("what was paid before the start is not at hand for bills", "error", err)
		}
		if h.Node.Leads() {
			if err := h.KeepBills(ctx); err != nil && ctx.Err() == nil {
				h.Log.Warn("bills are not fetched", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
