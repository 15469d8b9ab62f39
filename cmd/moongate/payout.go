package main

import (
	"fmt"
	"net/url"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/settle"
)

// pathPayouts is where the hub keeps what settlement has paid, and is to.
const pathPayouts = "/v1/settlement/payouts"

type payoutVerb struct {
	List     payoutList     `cmd:"" help:"List payouts, latest due first: those that you give or get, or all for operators."`
	Show     payoutShow     `cmd:"" help:"Show how a payout stands: what was paid of it, and what is under way."`
	Sent     payoutSent     `cmd:"" help:"Have the wallet of a manual payout told again, of what is left; for operators."`
	Manual   payoutManual   `cmd:"" help:"Leave a payout to a person: its wallet is told no more, and somebody pays by hand; for operators."`
	Paid     payoutPaid     `cmd:"" help:"Say that a payout has arrived, all of it; for its payee, and for operators who paid it by hand."`
	Returned payoutReturned `cmd:"" help:"Say that a payout came back and will not be paid: its claim goes into the next window; for operators."`
}

type payoutList struct {
	Progress    settle.Progress `help:"planned, sent, manual, paid or returned." placeholder:"WORD"`
	Window      moongate.ID     `help:"Only those of this window." placeholder:"ID"`
	Wallet      string          `help:"Only those that this wallet pays." placeholder:"NAME"`
	Participant string          `help:"Only those that this participant gives or gets." placeholder:"NAME"`
	pageFlags
	hubFlags
}

func (v payoutList) Run(e *env) error {
	query := url.Values{}
	if v.Wallet != "" {
		query.Set("wallet", v.Wallet)
	}
	if v.Participant != "" {
		query.Set("participant", v.Participant)
	}
	if v.Progress != 0 {
		query.Set("progress", v.Progress.String())
	}
	if !v.Window.IsZero() {
		query.Set("window", v.Window.String())
	}
	page, err := readPage[settle.Payout](e, v.hubFlags, v.pageFlags, pathPayouts, query)
	if err != nil {
		return err
	}
	return e.show(page, func(t *terminal) {
		rows := make([][]string, 0, len(page.Items))
		for i := range page.Items {
			p := &page.Items[i]
			rows = append(rows, []string{p.Instruction, p.From, p.To, figures(p.Amount, p.Currency), p.Currency, p.Progress, day(p.Due), p.Reason})
		}
		if len(rows) == 0 {
			t.line("There are none.")
			return
		}
		t.table([]align{left, left, left, right, left, left, left, left}, []string{"payout", "from", "to", "amount", "", "", "due", ""}, rows)
		more(t, page.Next)
	})
}

// figures are minor units of a currency that a hub named.
func figures(minor int64, currency string) string {
	places := 0
	if c, err := money.ParseCurrency(currency); err == nil {
		places, _ = c.Exponent()
	}
	return amount(minor, places)
}

type payoutShow struct {
	Payout moongate.ID `arg:"" help:"Which, as moongate payout list names it."`
	hubFlags
}

func (v payoutShow) Run(e *env) error {
	p, err := readPayout(e, v.hubFlags, v.Payout)
	if err != nil {
		return err
	}
	return e.show(p, func(t *terminal) {
		t.line("%s  %s to %s: %s %s", t.bold(p.Instruction), p.From, p.To, figures(p.Amount, p.Currency), p.Currency)
		t.line("  %s since %s", p.Progress, moment(p.Changed))
		if p.Part > 0 && p.Progress != settle.Paid.String() {
			t.line("  paid of it    %s", figures(p.Part, p.Currency))
			t.line("  left          %s", figures(p.Amount-p.Part, p.Currency))
		}
		if p.UnderWay > 0 {
			t.line("  under way     %s", figures(p.UnderWay, p.Currency))
		}
		if p.Ref != "" {
			t.line("  reference     %s", p.Ref)
		}
		if p.Reason != "" {
			t.line("  %s", p.Reason)
		}
		if p.Progress == settle.Manual.String() {
			t.line("%s", t.dim(fmt.Sprintf("  Pay what is left at %s under the number %s, and say so: moongate payout paid %s --sign FILE", p.From, p.Instruction, p.Instruction)))
		}
	})
}

func readPayout(e *env, f hubFlags, id moongate.ID) (p api.Payout, err error) {
	c, err := f.connect(e)
	if err != nil {
		return p, err
	}
	return client.Get[api.Payout](e.ctx, c, pathPayouts+"/"+id.String(), nil)
}

type payoutSent struct {
	Payout moongate.ID `arg:"" help:"Which one."`
	changeFlags
}

func (v payoutSent) Run(e *env) error {
	return report(e, v.changeFlags, &settle.Report{Instruction: v.Payout, Progress: settle.Sent}, "its wallet is told again, of what is left")
}

type payoutManual struct {
	Payout moongate.ID `arg:"" help:"Which one."`
	Reason string      `help:"Why, for whoever asks later." placeholder:"TEXT"`
	changeFlags
}

func (v payoutManual) Run(e *env) error {
	return report(e, v.changeFlags, &settle.Report{Instruction: v.Payout, Progress: settle.Manual, Reason: v.Reason}, "its wallet is told no more; somebody pays what is left by hand")
}

type payoutPaid struct {
	Payout moongate.ID `arg:"" help:"Which one."`
	Ref    string      `help:"The wallet's or the bank's number of the payment." placeholder:"TEXT"`
	changeFlags
}

func (v payoutPaid) Run(e *env) error {
	return report(e, v.changeFlags, &settle.Report{Instruction: v.Payout, Progress: settle.Paid, Ref: v.Ref}, "the payee has all of it")
}

type payoutReturned struct {
	Payout moongate.ID `arg:"" help:"Which one."`
	Reason string      `required:"" help:"Why it could not be paid." placeholder:"TEXT"`
	changeFlags
}

func (v payoutReturned) Run(e *env) error {
	return report(e, v.changeFlags, &settle.Report{Instruction: v.Payout, Progress: settle.Returned, Reason: v.Reason}, "its claim is in the window that is open now")
}

// report says what became of a payout, and what that means.
func report(e *env, f changeFlags, r *settle.Report, means string) error {
	answer, err := change[settle.Answer](e, f, pathPayouts+"/report", r)
	if err != nil {
		return err
	}
	out := struct {
		Payout   moongate.ID     `json:"instruction"`
		Progress settle.Progress `json:"progress"`
		settle.Answer
	}{r.Instruction, r.Progress, answer}
	return e.show(out, func(t *terminal) {
		t.line("%s %s is %s: %s", t.green("✓"), r.Instruction, r.Progress, means)
		if answer.Status == settle.Settled {
			t.line("%s", t.dim("  It was the last of its window, which is settled."))
		}
	})
}
