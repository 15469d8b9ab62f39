package pages

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// bills lists what wallets' bills came to, how fetching them went, and takes one in by hand.
func (p *Pages) bills(v *visit) (console.Page, error) {
	q := v.URL.Query()
	page := console.Bills{
		Wallet: bound(q.Get("wallet"), 128), Kind: bound(q.Get("kind"), 20), Day: bound(q.Get("day"), 10),
		Newest: v.now.Go().Add(-16 * time.Hour).UTC().Format(time.DateOnly), // yesterday in Shanghai
	}
	var err error
	if page.Wallets, err = p.billers(v); err != nil {
		return nil, err
	}
	p.hub.Machine().Read(func() { page.Open = int64(p.hub.Reconcile.Open()) })
	found, paging, err := rows(p, v, "bills", func(after string, limit int) ([]reconcile.BillRow, string, error) {
		return reconcile.Bills(v.Context(), p.hub.Views, reconcile.BillFilter{Wallet: page.Wallet, Kind: pay.BillKind(page.Kind), Day: page.Day}, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range found {
		page.Lines = append(page.Lines, p.billLine(v, &found[i]))
	}
	fetches, further, err := rowsBeside(p, v, "fetches", "fetches", func(after string, limit int) ([]reconcile.FetchRow, string, error) {
		return reconcile.Fetches(v.Context(), p.hub.Views, page.Wallet, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Further = further
	for i := range fetches {
		r := &fetches[i]
		line := console.FetchLine{Wallet: p.party(r.Wallet, v.lang), Kind: string(r.Kind), Day: r.Day, State: string(r.Result), Message: r.Message, Tries: r.Tries, At: r.At}
		if line.State == "" {
			line.State = "asking"
		}
		if !r.Bill.IsZero() {
			line.Bill = r.Bill.String()
		}
		page.Fetches = append(page.Fetches, line)
	}
	return page, nil
}

// billers are the wallets whose bills may come: all that are registered, also those that the hub has no account at.
func (p *Pages) billers(v *visit) ([]console.Option, error) {
	found, _, err := party.List(v.Context(), p.hub.Views, party.Filter{Kind: party.Wallet}, "", gardensShown)
	if err != nil {
		return nil, err
	}
	return options(v, found), nil
}

func options(v *visit, found []party.Row) []console.Option {
	all := make([]console.Option, 0, len(found))
	for i := range found {
		r := &found[i]
		all = append(all, console.Option{Value: r.Handle, Label: inLang(v.lang, r.Name, r.NameZH)})
	}
	return all
}

func (p *Pages) billLine(v *visit, r *reconcile.BillRow) console.BillLine {
	line := console.BillLine{
		ID: r.ID.String(), Wallet: p.party(r.Wallet, v.lang), Kind: string(r.Kind), Day: r.Day, State: "level", Rows: r.Rows, Matched: r.Matched,
		Guessed: r.Guessed, Aside: r.Aside, Differ: r.Differences, Missing: r.Missing, Healed: r.Healed, Open: r.Open, Hash: r.Hash, Published: r.Published,
		Bytes: r.Bytes, By: p.party(r.By, v.lang), Began: r.Began, Ended: r.Ended,
	}
	if !r.Earlier.IsZero() {
		line.Earlier = r.Earlier.String()
	}
	switch {
	case r.Ended == 0:
		line.State = "taking"
	case r.Open > 0:
		line.State = "differs"
	case r.Hash == "":
		line.State = "nothing"
	}
	for _, s := range r.Sums {
		line.Sums = append(line.Sums, console.BillSum{
			Theirs: money.Of(s.Theirs, s.Currency), Ours: money.Of(s.Ours, s.Currency), Gap: money.Of(s.Theirs-s.Ours, s.Currency), Aside: money.Of(s.Aside, s.Currency),
			Terms: money.Of(s.Terms, s.Currency), Fee: s.Fee, Untold: s.Untold, Rounding: s.Rounding,
		})
	}
	return line
}

func (p *Pages) bill(v *visit) (console.Page, error) {
	id, err := idOf(v, moongate.KindBill, "bill")
	if err != nil {
		return nil, err
	}
	found, err := reconcile.FindBill(v.Context(), p.hub.Views, id)
	if moongate.CodeOf(err) == moongate.NotFound {
		return nil, missing("bill")
	}
	if err != nil {
		return nil, err
	}
	page := console.Bill{Line: p.billLine(v, &found)}
	differs, paging, err := rows(p, v, "differences/"+id.String(), func(after string, limit int) ([]reconcile.DifferenceRow, string, error) {
		return reconcile.Differences(v.Context(), p.hub.Views, reconcile.DifferenceFilter{Bill: id, Oldest: true}, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range differs {
		page.Lines = append(page.Lines, p.differenceLine(v, &differs[i]))
	}
	return page, nil
}

// fetchBill has a wallet's bill fetched now; how it went stands in the list.
func (p *Pages) fetchBill(v *visit) (string, error) {
	_, err := hub.Do[reconcile.Done](v.Context(), p.hub, v.who.Handle, "", &reconcile.Fetch{
		Wallet: v.PostForm.Get("wallet"), Kind: pay.BillKind(v.PostForm.Get("kind")), Day: v.PostForm.Get("day"),
	})
	return console.Routes["bills"], err
}

// takeBill takes in a bill that is handed in: the form's fields come before the file, which is read as it comes.
func (p *Pages) takeBill(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, hub.MaxBill+maxForm)
	v := p.enter(w, r)
	if v == nil {
		return
	}
	row, err := p.handedIn(w, v)
	if err != nil {
		p.fail(w, v, err)
		return
	}
	http.Redirect(w, r, "/console/bills/"+row.ID.String(), http.StatusSeeOther)
}

func (p *Pages) handedIn(w http.ResponseWriter, v *visit) (row reconcile.BillRow, err error) {
	if err := p.origin.Check(v.Request); err != nil {
		return row, forged
	}
	if err := v.need(party.OperatorScope); err != nil {
		return row, err
	}
	parts, err := v.MultipartReader()
	if err != nil {
		return row, unreadable
	}
	fields := map[string]string{}
	for range 10 {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return row, fileless
		}
		if err != nil {
			return row, unreadable
		}
		if part.FormName() != "file" {
			if fields[part.FormName()], err = field(part); err != nil {
				return row, unreadable
			}
			continue
		}
		if !p.hasToken(v, fields["token"]) {
			return row, forged
		}
		row, err = p.hub.TakeBill(v.Context(), w, part, v.who.Handle, reconcile.Source{
			Wallet: fields["wallet"], Kind: pay.BillKind(fields["kind"]), Day: fields["day"], Published: fields["hash"],
		})
		_ = http.NewResponseController(w).SetWriteDeadline(p.hub.Now().Add(time.Minute)) // a connection that has none is in memory
		return row, err
	}
	return row, unreadable
}

// field reads a small part of a form.
func field(part *multipart.Part) (string, error) {
	text, err := io.ReadAll(io.LimitReader(part, 1024))
	return string(text), err
}

// differing is how many differences are not settled, for those who see them.
func (p *Pages) differing(v *visit) (n int) {
	if v.operates() {
		p.hub.Machine().Read(func() { n = p.hub.Reconcile.Open() })
	}
	return n
}

// classesAndAges sums the differences that stand somewhere up twice, as for exceptions.
func (p *Pages) classesAndAges(v *visit, standing reconcile.Standing) (classes, byAge []console.KindCount, err error) {
	found, err := cached(&p.cache, "differences/"+standing.String(), p.hub.Now, func() ([]reconcile.Aging, error) {
		return reconcile.Ages(context.WithoutCancel(v.Context()), p.hub.Views, standing, v.now)
	})
	if err != nil || len(found) == 0 {
		return nil, nil, err
	}
	byAge = make([]console.KindCount, len(ages))
	for i := range found {
		sum := int64(0)
		for age, n := range found[i].ByAge {
			byAge[age].Kind = ages[age]
			byAge[age].Count += n
			sum += n
		}
		classes = append(classes, console.KindCount{Kind: found[i].Class.String(), Count: sum})
	}
	return classes, byAge, nil
}
