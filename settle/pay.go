package settle

import (
	"context"
	"fmt"

	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// Order asks a wallet to pay one participant out of what it holds for all. No is the outside idempotency key, 30 of
// a-z, 2-7 and _: the same for every try, on every node.
type Order struct {
	No     string
	To     string
	Amount money.Amount
}

// Outcome is a wallet's statement about an order. Without Paid, Refused or Manual it is still on its way: ask again.
type Outcome struct {
	Paid    bool
	Refused bool   // for good: the money stayed
	Manual  bool   // the wallet cannot be told, or refuses to pay more: somebody must pay by hand
	Part    int64  // with Manual, what it did pay of the amount
	Ref     string // the wallet's own number
	Said    string // the wallet's own words, for people
}

// Payer has a wallet carry out an order, through its split or transfer API. It queries before it repeats, so that an
// order is paid at most once. An error means that nothing is known yet.
type Payer func(ctx context.Context, o Order) (Outcome, error)

// Handler tells wallets of instructions. A wallet without a payer is paid from by hand: its instructions become
// [Manual], and wait for an operator or the payee to confirm them.
func Handler(payers map[string]Payer) effect.Handler {
	return effect.HandlerFunc(func(ctx context.Context, e journal.Entry) (replica.Command, error) {
		var i Instruction
		switch v := e.Event.(type) {
		case *Instructed:
			i = v.Instruction
		case *Reported: // once more
			i = Instruction{ID: v.Instruction, From: v.From, To: v.To, Currency: v.Currency, Amount: v.Amount}
		default:
			return nil, fmt.Errorf("settle: %s is no instruction", e.Event.EventKind())
		}
		pay := payers[i.From]
		if pay == nil {
			return &Report{Instruction: i.ID, Progress: Manual}, nil
		}
		o, err := pay(ctx, Order{No: i.ID.String(), To: i.To, Amount: money.Of(i.Amount, i.Currency)})
		switch {
		case err != nil:
			return nil, fmt.Errorf("settle: instruction %s to %s: %w", i.ID, i.From, err)
		case o.Paid:
			return &Report{Instruction: i.ID, Progress: Paid, Ref: short(o.Ref, 128)}, nil
		case o.Manual:
			return &Report{Instruction: i.ID, Progress: Manual, Reason: short(o.Said, 500), Part: o.Part}, nil
		case o.Refused:
			said := short(o.Said, 500)
			if said == "" {
				said = "the wallet refused it"
			}
			return &Report{Instruction: i.ID, Progress: Returned, Ref: short(o.Ref, 128), Reason: said}, nil
		}
		return nil, &effect.Later{Why: fmt.Sprintf("instruction %s is still on its way at %s: %.200s", i.ID, i.From, o.Said)}
	})
}

// short brings what a wallet said to a length and form that the journal takes.
func short(s string, most int) string {
	var out []rune
	for _, c := range s {
		if c < 0x20 || c >= 0x7f && c < 0xa0 || c >= 0x2000 && c <= 0x206f || c >= 0xd800 && c <= 0xf8ff || c >= 0xfe00 && c <= 0xffff || c >= 0xe0000 {
			c = ' '
		}
		if len(out) == most || c == ' ' && (len(out) == 0 || out[len(out)-1] == ' ') {
			continue
		}
		out = append(out, c)
	}
	for len(out) > 0 && (out[len(out)-1] == ' ' || out[len(out)-1] == '\u3000') {
		out = out[:len(out)-1]
	}
	for len(out) > 0 && out[0] == '\u3000' {
		out = out[1:]
	}
	return string(out)
}
