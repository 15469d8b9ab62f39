package pages_test

import (
	"context"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/pages"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/webhook"
)

// walk follows a list from page to page by its own parameter, and gives what the rows name, in order.
func (v *visitor) walk(path, parameter string, row *regexp.Regexp) (found []string) {
	v.w.t.Helper()
	next := regexp.MustCompile(`href="(\?[^"]*)" rel="next"`)
	here, query, _ := strings.Cut(path, "?")
	for range 200 {
		got := v.get(path)
		if got.status != 200 {
			v.w.t.Fatalf("%s: %d %s", path, got.status, words(got.body))
		}
		for _, m := range row.FindAllStringSubmatch(got.body, -1) {
			found = append(found, m[1])
		}
		before, on := must(url.ParseQuery(query)).Get(parameter), ""
		for _, m := range next.FindAllStringSubmatch(got.body, -1) { // those of other lists carry this one's place along
			q := strings.ReplaceAll(m[1][1:], "&amp;", "&")
			if at := must(url.ParseQuery(q)).Get(parameter); at != "" && at != before {
				on = q
			}
		}
		if on == "" {
			return found
		}
		query = on
		path = here + "?" + query
	}
	v.w.t.Fatalf("%s has no end", path)
	return nil
}

func turnPages(t *testing.T, w *world) {
	const more = 60
	for range more {
		do[link.ClickAnswer](w, "news", &link.RecordClick{Link: w.code, Device: link.Web})
	}
	w.level()
	found := w.as("news").walk("/console/crossings", "after", regexp.MustCompile(`href="/console/crossings/(cx_[a-z0-9_]+)"`))
	once := slices.Clone(found)
	slices.Sort(once)
	if once = slices.Compact(once); len(once) != len(found) || len(once) < more {
		t.Errorf("%d crossings on all pages, %d of them different, want at least %d", len(found), len(once), more)
	}
}

// Every list of every page, one row at a time: each row stands on one page, and none is lost. Lists that stand side by
// side are turned each by itself.
func TestEveryListIsPaged(t *testing.T) {
	w := open(t)
	w.settle()
	hooks := []string{w.hook.String()}
	for _, owner := range []string{"mall", "news"} {
		hooks = append(hooks, do[webhook.Answer](w, owner, &webhook.Create{URL: "http://127.0.0.1:9/" + owner}).Webhook.String())
	}
	var blocks []string
	for _, host := range []string{"a.mall.example", "b.mall.example", "c.mall.example"} {
		blocks = append(blocks, do[link.BlockAnswer](w, "news", &link.BlockLinks{
			Agreement: w.agreement, Host: host, Reason: "scams_and_fraud", Facts: "Nothing was ever delivered.", Evidence: strings.Repeat("ab", 32), Expires: w.now() + moongate.Day,
		}).Block.String())
	}
	for _, reference := range []string{"R1", "R2", "R3"} {
		do[pay.RefundAnswer](w, "mall", &pay.Refund{Payment: w.paid, Reference: reference, Amount: 100})
	}
	window := w.window()
	var parties []string
	w.hub.Machine().Read(func() {
		id, _ := moongate.ParseID(window)
		parties = w.hub.Settle.Parties(id)
	})
	if len(parties) < 3 {
		t.Fatalf("parties %v", parties)
	}
	draw, err := console.New(console.Words())
	if err != nil {
		t.Fatal(err)
	}
	a := api.New(w.hub, "test")
	pages.New(w.hub, draw, pages.Options{Rows: 1}).Register(a.Mux())
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	w.level()
	office := w.as("office")

	is := func(name string, found, want []string) {
		t.Helper()
		slices.Sort(found)
		want = slices.Sorted(slices.Values(want))
		if !slices.Equal(found, want) {
			t.Errorf("%s, page by page: %v, want %v", name, found, want)
		}
	}
	lead := regexp.MustCompile(`<td class="lead"><a class="party" href="/console/participants/([a-z-]+)">[^<]*</a></td><td class="num">`)
	is("blocks", office.walk("/console/links", "blocks", regexp.MustCompile(`<li id="(blk_[a-z0-9_]+)"`)), blocks)
	is("signatures", office.walk("/console/agreements/"+w.agreement.String(), "signatures", regexp.MustCompile(`<b><a class="party" href="/console/participants/([a-z-]+)"`)), []string{"mall", "news", "crane-pay", "kiln"})
	is("webhooks", office.walk("/console/webhooks", "after", regexp.MustCompile(`href="/console/webhooks/(whk_[a-z0-9_]+)"`)), hooks)
	is("the marketplace's webhooks", w.as("mall").walk("/console/webhooks", "after", regexp.MustCompile(`href="/console/webhooks/(whk_[a-z0-9_]+)"`)), []string{hooks[0], hooks[1]})
	is("refunds of a payment", office.walk("/console/payments/"+w.paid.String(), "refunds", regexp.MustCompile(`<td class="lead">(R\d)`)), []string{"R1", "R2", "R3"})
	is("positions of an open window", office.walk("/console/windows/"+window, "positions", lead), parties)
	is("open windows", office.walk("/console/windows", "open", regexp.MustCompile(`href="/console/windows/(win_[a-z0-9_]+)"`)), []string{window})
	is("agreements of a participant", w.as("kiln").walk("/console/participants/kiln", "agreements", regexp.MustCompile(`<td class="lead"><a href="/console/agreements/(agr_[a-z0-9_]+)"`)), []string{w.agreement.String()})
	is("months", w.as("kiln").walk("/console/statements", "months", regexp.MustCompile(`<td class="lead"><a href="/console/statements/(agr_[a-z0-9_]+)[.]`)), []string{w.agreement.String()})

	id, _ := moongate.ParseID(window)
	do[settle.Answer](w, "office", &settle.Close{Window: id})
	w.level()
	is("positions of a closed window", office.walk("/console/windows/"+window, "positions", lead), parties)
	payouts, _, err := settle.Payouts(context.Background(), w.hub.Views, settle.PayoutFilter{Window: id}, "", 100)
	if err != nil || len(payouts) < 2 {
		t.Fatalf("payouts %v, %v", payouts, err)
	}
	var want []string
	for i := range payouts {
		want = append(want, payouts[i].Instruction)
	}
	is("payouts", office.walk("/console/windows/"+window, "payouts", regexp.MustCompile(`title="(ins_[a-z0-9_]+)"`)), want)
	is("payouts across windows", office.walk("/console/payouts", "after", regexp.MustCompile(`title="(ins_[a-z0-9_]+)"`)), want)
	page := words(office.get("/console/windows/" + window).body)
	if sum := regexp.MustCompile(`Together\s+(\S+) &nbsp;CNY`).FindStringSubmatch(page); sum == nil || sum[1] != "0.00" {
		t.Errorf("the positions of all pages add up to %q: %s", sum, page)
	}
	if got := office.get("/console/windows/" + window + "?payouts=nonsense"); got.status != 400 {
		t.Errorf("a cursor that is none: %d", got.status)
	}
}
