package world

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/settle"
)

// The treasuries of the gardens: a wallet was told to pay, or somebody owes another; the money comes, and who was paid
// says so. Nobody else can.

// treasury has what was instructed arrive, now and always.
func (w *World) treasury() {
	var look func()
	look = func() {
		// What could not be confirmed stays in the list, and is confirmed next time.
		if err := w.confirm(w.ctx); err == nil || w.ctx.Err() == nil {
			w.opt.Loop.After(w.pace.Look*time.Duration(w.patience), look)
		}
	}
	w.opt.Loop.After(w.pace.Look, look)
}

func (w *World) confirm(ctx context.Context) error {
	for _, progress := range []settle.Progress{settle.Sent, settle.Manual} {
		for p, err := range client.All[settle.Payout](ctx, w.operator, "/v1/settlement/payouts", url.Values{"progress": {progress.String()}, "limit": {"200"}}) {
			if err != nil {
				return err
			}
			if p.Wallet && progress == settle.Sent {
				continue // its wallet is still being told
			}
			id, err := moongate.ParseID(p.Instruction)
			if err != nil {
				return err
			}
			payee := w.members[p.To]
			if payee == nil {
				return fmt.Errorf("payout %s is to %s, whom nobody knows", p.Instruction, p.To)
			}
			_, err = client.DoAs[settle.Answer](ctx, payee.hub, "paid/"+p.Instruction, "/v1/settlement/payouts/report", &settle.Report{
				Instruction: id, Progress: settle.Paid, Ref: fmt.Sprintf("%s-%s", p.From, id.String()[len(id.String())-8:]),
			})
			if err != nil {
				return err
			}
			w.count(func(t *Tally) {
				t.Payouts++
				t.PaidOut[p.Currency] += p.Amount
			})
		}
	}
	return nil
}
