package pages

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
)

// Options of the pages.
type Options struct {
	Demo bool // every page says that the world is made up
	Rows int  // that a list shows at once; 0: 50
}

// Pages are the pages of one hub.
type Pages struct {
	hub     *hub.Hub
	opt     Options
	draw    *console.Renderer
	words   *console.Catalogue
	origin  *http.CrossOriginProtection
	forgery []byte // keys the tokens against forged requests
	began   moongate.Time
	cache   cache
	needs   map[string]party.Scopes // of pages, by name
}

// New makes the pages of a hub.
func New(h *hub.Hub, draw *console.Renderer, o Options) *Pages {
	o.Rows = cmp.Or(o.Rows, pageRows)
	return &Pages{
		hub: h, opt: o, draw: draw, words: console.Words(), origin: http.NewCrossOriginProtection(),
		forgery: h.Secrets.Derive("moongate/forgery/v1"), began: moongate.At(h.Now()), needs: map[string]party.Scopes{},
	}
}

// Register adds the pages, the cashier and its endpoints, and links. Call it once, before the mux serves.
func (p *Pages) Register(mux *http.ServeMux) {
	mux.Handle("GET "+console.AssetPath, p.draw.Assets())
	mux.Handle(link.Path+"{code}", p.hub.Links(p.link))
	p.hub.Payments.Show(p.cashier)
	p.hub.Payments.Register(mux)

	mux.HandleFunc("GET "+console.Routes["signin"], p.door)
	mux.HandleFunc("POST "+console.Routes["signin"], p.signIn)
	mux.HandleFunc("POST "+console.Routes["signout"], p.signOut)
	mux.HandleFunc("GET "+console.Routes["log"], p.publicLog)
	mux.HandleFunc("GET /console/", p.nowhere)
	mux.Handle("GET /favicon.ico", http.RedirectHandler(p.draw.Icon(), http.StatusFound))
	mux.Handle("GET /{$}", http.RedirectHandler(console.Routes["home"], http.StatusSeeOther))

	p.page(mux, "home", 0, p.home)
	p.page(mux, "crossings", party.LedgerRead, p.crossings)
	p.page(mux, "crossing", party.LedgerRead, p.crossing)
	p.page(mux, "receipt", party.LedgerRead, p.receipt)
	p.page(mux, "payments", party.PaymentsRead, p.payments)
	p.page(mux, "payment", party.PaymentsRead, p.payment)
	p.page(mux, "refunds", party.PaymentsRead, p.refunds)
	p.page(mux, "wallets", party.PaymentsRead, p.wallets)
	p.page(mux, "balances", party.LedgerRead, p.balances)
	p.page(mux, "account", party.LedgerRead, p.account)
	p.page(mux, "windows", party.SettlementRead, p.windows)
	p.page(mux, "window", party.SettlementRead, p.window)
	p.page(mux, "payouts", party.SettlementRead, p.payouts)
	p.page(mux, "exceptions", party.PaymentsRead, p.exceptions)
	p.page(mux, "exception", party.PaymentsRead, p.exception)
	p.page(mux, "bills", party.OperatorScope, p.bills)
	p.page(mux, "bill", party.OperatorScope, p.bill)
	p.page(mux, "differences", party.OperatorScope, p.differences)
	p.page(mux, "difference", party.OperatorScope, p.difference)
	p.page(mux, "agreements", party.AgreementsRead, p.agreements)
	p.page(mux, "agreement", party.AgreementsRead, p.agreement)
	p.page(mux, "links", party.LinksRead, p.links)
	p.page(mux, "link", party.LinksRead, p.block)
	p.page(mux, "destinations", party.LinksRead, p.destinations)
	p.page(mux, "participants", 0, p.participants)
	p.page(mux, "participant", 0, p.participant)
	p.page(mux, "statements", party.StatementsRead, p.statements)
	p.page(mux, "statement", party.StatementsRead, p.statement)
	p.page(mux, "webhooks", party.WebhooksWrite, p.webhooks)
	p.page(mux, "webhook", party.WebhooksWrite, p.webhook)
	p.page(mux, "health", party.OperatorScope, p.health)
	p.page(mux, "find", 0, p.find)

	p.file(mux, "GET "+console.Routes["receipt"]+".json", party.LedgerRead, p.receiptFile)
	p.file(mux, "GET "+console.Routes["statement"]+"/lines", party.StatementsRead, p.statementFile)

	p.lead(mux, console.Routes["exception"]+"/{action}", party.OperatorScope, p.resolve)
	p.lead(mux, console.Routes["participant"]+"/accounts", party.SettlementWrite, p.setPurse)
	p.lead(mux, console.Routes["participant"]+"/accounts/{wallet}/remove", party.SettlementWrite, p.removePurse)
	p.act(mux, console.Routes["bills"]+"/fetch", party.OperatorScope, p.fetchBill)
	mux.HandleFunc("POST "+console.Routes["bills"]+"/upload", p.takeBill)
	p.act(mux, console.Routes["difference"]+"/assign", party.OperatorScope, p.assignDifference)
	p.act(mux, console.Routes["difference"]+"/settle", party.OperatorScope, p.settleDifference)
	p.act(mux, console.Routes["differences"]+"/settle", party.OperatorScope, p.settleDifferences)
	p.act(mux, console.Routes["link"]+"/appeal", party.LinksWrite, p.appeal)
	p.act(mux, console.Routes["link"]+"/lift", party.LinksWrite, p.lift)
	p.lead(mux, console.Routes["window"]+"/close_window", party.OperatorScope, p.closeWindow)
	p.lead(mux, console.Routes["window"]+"/payouts/{payout}/{progress}", party.SettlementWrite, p.reportPayout)
	p.lead(mux, console.Routes["payment"]+"/capture", party.PaymentsWrite, p.capture)
	p.lead(mux, console.Routes["payment"]+"/let_go", party.PaymentsWrite, p.letGo)
	p.act(mux, console.Routes["webhook"]+"/events/{event}/redeliver", party.WebhooksWrite, p.redeliver)
	p.act(mux, console.Routes["webhook"]+"/{action}", party.WebhooksWrite, p.steer)
	p.act(mux, console.Routes["health"]+"/effects/{effect}/retry", party.OperatorScope, p.retry)
}

// visit is one request of somebody who has signed in, or of nobody in particular.
type visit struct {
	*http.Request
	header    http.Header // of the answer
	lang      console.Lang
	theme     console.Theme
	now       moongate.Time
	who       party.Participant
	session   moongate.ID
	signedIn  moongate.Time // when the session was opened
	scopes    party.Scopes
	elsewhere string // where to send the reader in place of a page
}

// operates tells whether the reader may see and do everything.
func (v *visit) operates() bool { return v.scopes&party.OperatorScope != 0 }

// nobody is a handle that no participant has.
const nobody = "\x00"

// own is the participant whose things the reader may see: "" is everybody's, for an operator.
func (v *visit) own() string {
	switch {
	case v.who.Handle == "":
		return nobody
	case v.operates():
		return ""
	}
	return v.who.Handle
}

// sees tells whether the reader may see what is a participant's own.
func (v *visit) sees(handle string) bool {
	return v.operates() || handle != "" && handle == v.who.Handle
}

// reader is on whose behalf the journal is read.
func (v *visit) reader() hub.Reader {
	if v.who.Handle == "" {
		return hub.Reader{Handle: nobody}
	}
	return hub.Reader{Handle: v.who.Handle, All: v.operates()}
}

// position is a place in the journal, for operators: it counts what everybody does.
func (v *visit) position(at uint64) uint64 {
	if !v.operates() {
		return 0
	}
	return at
}

// page serves a page to those who have signed in with a credential of the scope.
func (p *Pages) page(mux *http.ServeMux, name string, scope party.Scopes, fill func(*visit) (console.Page, error)) {
	p.needs[name] = scope
	mux.HandleFunc("GET "+console.Routes[name], func(w http.ResponseWriter, r *http.Request) {
		v := p.enter(w, r)
		if v == nil {
			return
		}
		page, err := p.filled(v, scope, fill)
		switch {
		case err != nil:
			p.fail(w, v, err)
		case v.elsewhere != "":
			http.Redirect(w, r, v.elsewhere, http.StatusSeeOther)
		default:
			p.show(w, v, http.StatusOK, page)
		}
	})
}

func (p *Pages) filled(v *visit, scope party.Scopes, fill func(*visit) (console.Page, error)) (console.Page, error) {
	if err := v.need(scope); err != nil {
		return nil, err
	}
	return fill(v)
}

func (v *visit) need(scope party.Scopes) error {
	if v.scopes.Has(scope) {
		return nil
	}
	return notScoped.in("", "the credential that you signed in with lacks the scope "+scope.String())
}

// file serves a download.
func (p *Pages) file(mux *http.ServeMux, pattern string, scope party.Scopes, write func(*visit, http.ResponseWriter) error) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v := p.enter(w, r)
		if v == nil {
			return
		}
		err := v.need(scope)
		if err == nil {
			w.Header().Set("Cache-Control", "no-store")
			err = write(v, w)
		}
		if err != nil {
			p.fail(w, v, err)
		}
	})
}

// maxForm is the size of a form, in bytes.
const maxForm = 16 << 10

// act serves a form's target: what was asked is done, and the reader sent on to the page that shows it.
func (p *Pages) act(mux *http.ServeMux, path string, scope party.Scopes, do func(*visit) (next string, err error)) {
	p.serveForm(mux, path, scope, func(_ http.ResponseWriter, v *visit) (string, error) { return do(v) })
}

// lead is [Pages.act] for what leads money somewhere, which the API wants signed: whoever asks for it must have shown its
// credential within the last minutes, or shows it with the form.
func (p *Pages) lead(mux *http.ServeMux, path string, scope party.Scopes, do func(*visit) (next string, err error)) {
	p.serveForm(mux, path, scope, func(w http.ResponseWriter, v *visit) (string, error) {
		if err := p.confirmed(w, v, scope); err != nil {
			return "", err
		}
		return do(v)
	})
}

func (p *Pages) serveForm(mux *http.ServeMux, path string, scope party.Scopes, do func(http.ResponseWriter, *visit) (next string, err error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		v := p.enter(w, r)
		if v == nil {
			return
		}
		err := p.genuine(v)
		if err == nil {
			err = v.need(scope)
		}
		next := ""
		if err == nil {
			next, err = do(w, v)
		}
		if err != nil {
			p.fail(w, v, err)
			return
		}
		p.level(r.Context())
		http.Redirect(w, r, next, http.StatusSeeOther)
	})
}

// level waits until the lists show what was just done, but not for long: they follow by themselves.
func (p *Pages) level(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	at, _ := p.hub.Node.Durable()
	_ = p.hub.Views.Wait(ctx, at)
}

// visited begins a visit of somebody who may be unknown.
func (p *Pages) visited(w http.ResponseWriter, r *http.Request) *visit {
	lang, theme := console.Preferences(w, r)
	return &visit{Request: r, header: w.Header(), lang: lang, theme: theme, now: moongate.At(p.hub.Now())}
}

// context is what every page needs.
func (p *Pages) context(v *visit) console.PageContext {
	c := console.PageContext{
		Lang: v.lang, Theme: v.theme, Now: v.now, Query: v.URL.Query(), Hub: p.hub.Config.Name,
	}
	if v.who.Handle != "" {
		c.Viewer = console.Viewer{Party: named(&v.who, v.lang), Operator: v.operates(), Rooms: p.rooms(v)}
		c.Token = p.token(v.session.String())
		c.Open, c.Differ = p.waiting(v), p.differing(v)
	}
	if p.opt.Demo {
		c.Notice = console.DemoWorld
	}
	if _, err := os.Stat(filepath.Join(p.hub.Config.Data, hub.QuarantineFile)); err == nil {
		c.Notice = console.Quarantine
	}
	return c
}

// rooms are the pages that the reader's credential opens, for the navigation: the log is everybody's.
func (p *Pages) rooms(v *visit) []string {
	open := []string{"log"}
	for name, scope := range p.needs {
		if v.scopes.Has(scope) {
			open = append(open, name)
		}
	}
	return open
}

func (p *Pages) show(w http.ResponseWriter, v *visit, status int, page console.Page) {
	p.serve(w, v, status, p.context(v), page)
}

func (p *Pages) serve(w http.ResponseWriter, v *visit, status int, c console.PageContext, page console.Page) {
	if v.who.Handle != "" || v.Method == http.MethodPost {
		// Forms of the console are posted with their origin; under no-referrer browsers would hide it.
		w.Header().Set("Referrer-Policy", "same-origin")
	}
	if err := p.draw.Serve(w, v.Request, status, c, page); err != nil {
		p.hub.Log.Error("a page cannot be drawn", "error", err)
		http.Error(w, "the page cannot be drawn", http.StatusInternalServerError)
	}
}

// fail shows why something cannot be shown, or was not done.
func (p *Pages) fail(w http.ResponseWriter, v *visit, err error) {
	var e *moongate.Error
	if !errors.As(err, &e) || e.Code == moongate.Internal {
		p.hub.Log.Error("a page failed", "request", w.Header().Get("Request-Id"), "pattern", v.Pattern, "error", err)
		err, e = broken, broken.as
	}
	page := console.Problem{Status: statusOf(e.Code), Error: *e, Request: w.Header().Get("Request-Id")}
	var own *refusal
	if errors.As(err, &own) {
		page.Why = own.word
	}
	p.show(w, v, page.Status, page)
}

// statusOf is the HTTP status of a refusal, the same as the API's.
func statusOf(c moongate.Code) int {
	switch c {
	case moongate.Malformed:
		return http.StatusBadRequest
	case moongate.Unauthenticated:
		return http.StatusUnauthorized
	case moongate.Forbidden:
		return http.StatusForbidden
	case moongate.NotFound:
		return http.StatusNotFound
	case moongate.Conflict:
		return http.StatusConflict
	case moongate.KeyReused, moongate.Refused, moongate.Limit:
		return http.StatusUnprocessableEntity
	case moongate.TooLarge:
		return http.StatusRequestEntityTooLarge
	case moongate.Busy, moongate.Unknown:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// missing is the answer for what is not there, and for what is somebody else's: nobody can tell one from the other.
func missing(what string) error {
	return notThere.in("", "there is no such "+what+", or it is not yours")
}

func (p *Pages) nowhere(w http.ResponseWriter, r *http.Request) {
	if v := p.enter(w, r); v != nil {
		p.fail(w, v, missing("page"))
	}
}

// pageRows is how many lines a list shows where nothing else is asked for.
const pageRows = 50

// rows asks for one page of a list; its cursors are sealed for the reader.
func rows[R any](p *Pages, v *visit, list string, ask func(after string, limit int) ([]R, string, error)) ([]R, console.Paging, error) {
	return rowsBeside(p, v, "", list, ask)
}

// rowsBeside is [rows] of a list that stands beside a page's main one: its cursor is in a parameter of its own.
func rowsBeside[R any](p *Pages, v *visit, parameter, list string, ask func(after string, limit int) ([]R, string, error)) ([]R, console.Paging, error) {
	place := console.Paging{List: parameter}
	sealed := v.URL.Query().Get(place.Cursor())
	after, err := p.hub.Unseal(v.who.Handle, list, sealed)
	if err != nil {
		return nil, place, notCursor
	}
	found, next, err := ask(after, p.opt.Rows)
	if err != nil {
		return nil, place, err
	}
	place.Next, place.First = p.hub.Seal(v.who.Handle, list, next), sealed == ""
	return found, place, nil
}

// part is the page of a list that is in memory, by place.
func part[R any](all []R) func(after string, limit int) ([]R, string, error) {
	return func(after string, limit int) ([]R, string, error) {
		from, _ := strconv.Atoi(after)
		from = max(0, min(from, len(all)))
		until := min(from+limit, len(all))
		if until == len(all) {
			return all[from:], "", nil
		}
		return all[from:until], strconv.Itoa(until), nil
	}
}

// idOf reads the identifier in the path; one of another kind names nothing.
func idOf(v *visit, kind moongate.Kind, what string) (moongate.ID, error) {
	id, err := moongate.ParseID(v.PathValue("id"))
	if err != nil || id.Kind() != kind {
		return moongate.ID{}, missing(what)
	}
	return id, nil
}
