package pay

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// choose sends the shopper to a wallet, or takes back that he was sent.
func (s *State) choose(step *replica.Step, c *ChooseWallet) (WalletAnswer, error) {
	p, err := s.mine(step, c.Payment)
	if err != nil {
		return WalletAnswer{}, err
	}
	a, _ := s.attempts.Get(p.Attempt)
	var why *Chosen
	if c.Auto {
		if m, err := s.consider(&p, &a, c, step.At); m == moveNone {
			return WalletAnswer{Attempt: p.Attempt, Wallet: a.Wallet}, err
		}
		if step.Caller == "" && p.Choose != ByHub {
			return WalletAnswer{}, &moongate.Error{Code: moongate.Refused, Field: "auto", Message: "the shopper chooses the wallet of this payment", Hint: "name one"}
		}
		ways := slices.DeleteFunc(slices.Clone(c.Ways), func(w WalletWay) bool {
			_, _, err := s.takes(step, &p, w.Wallet, c.Able)
			return err != nil
		})
		way, reason, ok := s.pick(step, &p, ways)
		if !ok {
			return WalletAnswer{}, &moongate.Error{Code: moongate.Refused, Field: "auto", Message: "no wallet is left to choose for this payment", Hint: "name one, or start a new payment"}
		}
		c = &ChooseWallet{Payment: c.Payment, Wallet: way.Wallet, Channel: way.Channel, Ways: ways, Able: c.Able}
		why = reason
	}
	m, err := s.consider(&p, &a, c, step.At)
	if err != nil {
		return WalletAnswer{}, err
	}
	switch m {
	case moveRenew:
		step.Emit(&CreateDue{Try: s.try(&p, p.Attempt, &a), Chain: Chain{p.Head, step.At + patience}})
	case moveGiveUp:
		s.emitClose(step, &p, p.Attempt, &a, WhySwitched, "", "")
	case moveOpen, moveSwitch:
		parts, _, err := s.takes(step, &p, c.Wallet, c.Able)
		if err != nil {
			return WalletAnswer{}, err
		}
		if m == moveOpen {
			to, ways := WalletWay{c.Wallet, c.channel()}, c.Ways
			if why == nil {
				ways = nil
			}
			return WalletAnswer{Attempt: s.emitChosen(step, &p, to, parts, why, ways), Wallet: c.Wallet, Chosen: why}, nil
		}
		s.emitClose(step, &p, p.Attempt, &a, WhySwitched, c.Wallet, c.channel())
	}
	return WalletAnswer{Attempt: p.Attempt, Switching: m == moveSwitch || m == moveGiveUp || a.Status == AttemptClosing}, nil
}

func (c *ChooseWallet) channel() Channel {
	if c.Channel == "" {
		return QR
	}
	return c.Channel
}

// move is what a choice comes to.
type move uint8

const (
	moveNone   move = iota // it is chosen already, or nothing is
	moveRenew              // the way to the order has run out
	moveOpen               // nothing is in the way
	moveSwitch             // what was chosen before is closed first
	moveGiveUp             // what was chosen before is closed
)

// Useful tells what a choice would come to as far as the payment knows: an error, or nothing to do. The cashier asks
// before it submits one, so that a shopper who presses everything a hundred times leaves no trace of it.
func (s *State) Useful(c *ChooseWallet, now moongate.Time) (bool, error) {
	p, ok := s.payments.Get(c.Payment)
	if !ok {
		return false, noSuch(c.Payment)
	}
	a, _ := s.attempts.Get(p.Attempt)
	m, err := s.consider(&p, &a, c, now)
	if err == nil && (m == moveOpen || m == moveSwitch) && c.Wallet != "" && len(p.Payees) > 0 {
		_, _, err = s.parted(c.Wallet, p.Payees, c.Able)
	}
	return err == nil && m != moveNone, err
}

func (s *State) consider(p *Payment, a *Attempt, c *ChooseWallet, now moongate.Time) (move, error) {
	by, live := c.channel(), a.Status.Live()
	switch {
	case by != QR && by != Redirect && by != InApp && by != App:
		return 0, malformed("channel", fmt.Sprintf("%.20q is no way to a wallet", by), "qr, redirect, in_app or app; leave it out for a code to scan")
	case p.Status != Open || p.Cancel:
		return 0, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("the payment is %s", p.stands()), Hint: "start a new one"}
	case now >= p.Expires:
		return 0, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("the payment could be paid until %s", p.Expires), Hint: "start a new one"}
	case c.Auto && live:
		return moveNone, nil // while one may be paid, no other is tried
	case c.Auto:
		return moveOpen, nil
	case c.Wallet == "" && live && a.Status != AttemptClosing:
		return moveGiveUp, nil
	case c.Wallet == "":
		return moveNone, nil
	case !slices.Contains(p.Wallets, c.Wallet):
		return 0, &moongate.Error{Code: moongate.Refused, Field: "wallet", Message: fmt.Sprintf("%.40q is not offered for this payment", c.Wallet), Hint: "choose one of those offered"}
	case by == InApp && p.payer(c.Wallet) == nil:
		return 0, &moongate.Error{Code: moongate.Refused, Field: "channel", Message: fmt.Sprintf("inside its app %s wants to know who pays, and the payment does not say", c.Wallet), Hint: "name the payer when the payment is created, or choose another channel"}
	case a.Status == AttemptAwaiting && a.Wallet == c.Wallet && a.Channel == by && a.Asked == 0 && now >= a.Way.Expires:
		return moveRenew, nil
	case live && a.Status != AttemptClosing && a.Wallet == c.Wallet && a.Channel == by,
		a.Status == AttemptClosing && p.NextTo == c.Wallet && p.NextBy == by:
		return moveNone, nil
	case p.Attempts >= maxAttempts:
		return 0, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("this payment was tried %d times", p.Attempts), Hint: "start a new payment"}
	case !live:
		return moveOpen, nil
	case a.Status == AttemptClosing && now < a.Looked+lookPause:
		return 0, &moongate.Error{Code: moongate.Busy, Message: "the wallet chosen before is just being asked to close its order", Hint: "choose again in a moment"}
	}
	return moveSwitch, nil
}

func noSuch(payment moongate.ID) error {
	return &moongate.Error{Code: moongate.NotFound, Field: "payment", Message: fmt.Sprintf("there is no payment %s", payment), Hint: "check the identifier"}
}
