package main

import (
	"net/url"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/settle"
)

// pathWindows is where the hub keeps settlement windows.
const pathWindows = "/v1/settlement/windows"

type windowVerb struct {
	List  windowList  `cmd:"" help:"List settlement windows: closed ones, or those that are open; yours, or all for operators."`
	Close windowClose `cmd:"" help:"Close an open window before its time: claims are netted, and wallets told what to pay; for operators."`
}

type windowList struct {
	State     string      `help:"open or closed." enum:"open,closed" default:"closed"`
	Agreement moongate.ID `help:"Only those of this agreement." placeholder:"ID"`
	pageFlags
	hubFlags
}

func (v windowList) Run(e *env) error {
	query := url.Values{"state": {v.State}}
	if !v.Agreement.IsZero() {
		query.Set("agreement", v.Agreement.String())
	}
	page, err := readPage[settle.WindowRow](e, v.hubFlags, v.pageFlags, pathWindows, query)
	if err != nil {
		return err
	}
	return e.show(page, func(t *terminal) {
		if len(page.Items) == 0 {
			t.line("There are none.")
			more(t, page.Next)
			return
		}
		rows := make([][]string, 0, len(page.Items))
		for i := range page.Items {
			w := &page.Items[i]
			net := ""
			if w.Party != "" {
				net = figures(w.Net, w.Currency)
			}
			rows = append(rows, []string{w.Window, w.Agreement, w.Status, moment(w.From), moment(w.Until), net, w.Currency})
		}
		t.table([]align{left, left, left, left, left, right, left}, []string{"window", "agreement", "", "from", "until", "your net", ""}, rows)
		more(t, page.Next)
	})
}

type windowClose struct {
	Window moongate.ID `arg:"" help:"Which, as moongate window list --state open names it."`
	changeFlags
}

func (v windowClose) Run(e *env) error {
	answer, err := change[settle.Answer](e, v.changeFlags, pathWindows+"/close", &settle.Close{Window: v.Window})
	if err != nil {
		return err
	}
	return e.show(answer, func(t *terminal) {
		t.line("%s %s is %s", t.green("✓"), v.Window, answer.Status)
		t.line("%s", t.dim("  What is paid of it: moongate payout list --window "+v.Window.String()))
	})
}
