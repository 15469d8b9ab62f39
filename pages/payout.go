package pages

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/settle"
)

// payouts lists instructions across windows. What the reader may say of one stands on its window's page.
func (p *Pages) payouts(v *visit) (page console.Page, err error) {
	q := v.URL.Query()
	list := console.Payouts{
		State: bound(q.Get("state"), 20), Wallet: bound(q.Get("wallet"), 128), Party: bound(q.Get("participant"), 128), Wallets: p.walletOptions(v),
	}
	if list.Parties, err = p.gardens(v); err != nil {
		return nil, err
	}
	f := settle.PayoutFilter{Party: v.own(), Other: list.Party, Wallet: list.Wallet}
	if list.State != "" {
		if err := f.Progress.UnmarshalText([]byte(list.State)); err != nil {
			return nil, err
		}
	}
	found, paging, err := rows(p, v, "payouts", func(after string, limit int) ([]settle.Payout, string, error) {
		return settle.Payouts(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	list.Paging = paging
	for i := range found {
		instruction, err := p.instruction(v, &found[i])
		if err != nil {
			return nil, err
		}
		p.soFar(&instruction)
		list.Lines = append(list.Lines, console.PayoutLine{Instruction: instruction, Window: found[i].Window, Due: found[i].Due, Note: found[i].Reason})
	}
	return list, nil
}

// soFar adds to a payout that has not ended what was paid of it by now, and what its wallet is paying.
func (p *Pages) soFar(i *console.Instruction) (known settle.Instruction, paid, underWay int64, open bool) {
	id, err := moongate.ParseID(i.ID)
	if err != nil {
		return known, 0, 0, false
	}
	p.hub.Machine().Read(func() {
		if known, open = p.hub.Settle.Instruction(id); open {
			paid, underWay = p.hub.Settle.PaidOut(id, 0)
		}
	})
	if !open || known.Progress == settle.Planned {
		return known, 0, 0, false
	}
	i.State = known.Progress.String()
	if paid > 0 {
		i.Paid = money.Of(paid, known.Currency)
	}
	if underWay > 0 {
		i.UnderWay = money.Of(underWay, known.Currency)
	}
	return known, paid, underWay, true
}

// standsNow adds to a payout that has not ended how it stands by now, and what the reader may say of it.
func (p *Pages) standsNow(v *visit, i *console.Instruction, window string) {
	known, paid, underWay, open := p.soFar(i)
	if !open {
		return
	}
	act := func(word string, says settle.Progress) console.Action {
		return console.Action{Word: word, Target: "/console/windows/" + window + "/payouts/" + i.ID + "/" + says.String(), Again: !v.fresh(), Danger: says != settle.Sent && says != settle.Manual}
	}
	arrived := act("pay", settle.Paid)
	arrived.Ref = true
	if !v.operates() {
		if v.who.Handle == known.To && v.scopes.Has(party.SettlementWrite) {
			i.Actions = append(i.Actions, arrived)
		}
		return
	}
	if underWay > 0 {
		return // whoever paid by hand now would pay what the wallet is paying
	}
	if known.Progress == settle.Manual || !known.Wallet {
		i.Actions = append(i.Actions, arrived)
	}
	switch {
	case !known.Wallet:
	case known.Progress == settle.Manual:
		i.Actions = append(i.Actions, act("tell_again", settle.Sent))
	default:
		byHand := act("by_hand", settle.Manual)
		byHand.Note = true
		i.Actions = append(i.Actions, byHand)
	}
	if paid == 0 {
		back := act("came_back", settle.Returned)
		back.Note = true
		i.Actions = append(i.Actions, back)
	}
}

// reportPayout says what became of a payout.
func (p *Pages) reportPayout(v *visit) (string, error) {
	window, err := idOf(v, moongate.KindWindow, "window")
	if err != nil {
		return "", err
	}
	id, err := moongate.ParseID(v.PathValue("payout"))
	if err != nil {
		return "", missing("payout")
	}
	var known settle.Instruction
	p.hub.Machine().Read(func() { known, _ = p.hub.Settle.Instruction(id) })
	if known.Window != window {
		return "", missing("payout")
	}
	var says settle.Progress
	if err := says.UnmarshalText([]byte(v.PathValue("progress"))); err != nil {
		return "", missing("payout")
	}
	_, err = hub.Do[settle.Answer](v.Context(), p.hub, v.who.Handle, "", &settle.Report{
		Instruction: id, Progress: says, Ref: v.PostForm.Get("ref"), Reason: v.PostForm.Get("note"),
	})
	return "/console/windows/" + window.String(), err
}
