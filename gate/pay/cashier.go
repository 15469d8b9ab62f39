package pay

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// Page is what a shopper sees.
type Page struct {
	Status int             // HTTP
	Till   *Till           // nil where there is no such payment
	Error  *moongate.Error // why the last request came to nothing, nil where it did not
}

// Till is a payment as its shopper sees it.
type Till struct {
	Payment  moongate.ID
	State    TillState
	Merchant string // handle
	Title    string // what is bought
	Order    string
	Amount   money.Amount
	Refunded money.Amount
	Wallets  []string // handles of those that can be chosen
	Chosen   string   // handle, or ""
	Channel  Channel  // by which the shopper was sent to the one chosen
	Handoff  string   // address that opens the wallet
	Code     string   // what the QR code says
	Params   string   // what the wallet's bridge, or its SDK for apps, is called with: JSON, or as the wallet documents it
	Opened   moongate.Time
	Until    moongate.Time
	Paid     moongate.Time
	Auto     bool   // the shopper may leave the choice of the wallet to the hub
	Change   bool   // another wallet may be chosen: the order at this one is closed first
	Back     string // where the shopper came from
}

// TillState is what the shopper is told of a payment.
type TillState string

// What a shopper is told.
const (
	TillChoosing       TillState = "choosing"
	TillAwaiting       TillState = "awaiting"
	TillUnknown        TillState = "unknown"    // the wallet is being asked
	TillAuthorised     TillState = "authorised" // the money is reserved, and the merchant takes it later
	TillHeld           TillState = "held"       // the money came, and a person looks into it
	TillLate           TillState = "late"       // the money came after the end, and goes back
	TillSucceeded      TillState = "succeeded"
	TillFailed         TillState = "failed" // the wallet would not have it; another may be chosen
	TillExpired        TillState = "expired"
	TillCancelled      TillState = "cancelled"
	TillRefunded       TillState = "refunded"
	TillPartlyRefunded TillState = "partly_refunded"
)

// Tell says in one word what has become of a payment whose last attempt is given.
func (p *Payment) Tell(a *Attempt, now moongate.Time) TillState {
	switch p.Status {
	case Succeeded:
		switch {
		case p.Refunded == 0:
			return TillSucceeded
		case p.Refunded < p.Amount.Minor:
			return TillPartlyRefunded
		}
		return TillRefunded
	case Returned:
		return TillRefunded
	case Expired:
		return TillExpired
	case Cancelled:
		return TillCancelled
	case Held:
		return TillHeld
	case StatusAuthorised:
		return TillAuthorised
	}
	switch {
	case a.Status == AttemptAwaiting && now < a.Way.Expires:
		return TillAwaiting
	case a.Status == AttemptAwaiting && now < p.Expires:
		return TillChoosing // the way there has run out; choosing the same wallet gives another
	case a.Status.Live():
		return TillUnknown
	case now >= p.Expires:
		return TillExpired
	case a.Status == AttemptFailed && a.Why == "":
		return TillFailed
	}
	return TillChoosing
}

// Till shows a payment to its shopper. Call it under the machine's Read.
func (s *State) Till(id moongate.ID, now moongate.Time) (Till, bool) {
	p, ok := s.payments.Get(id)
	if !ok {
		return Till{}, false
	}
	a, _ := s.attempts.Get(p.Attempt)
	t := Till{
		Payment: p.Payment, State: p.Tell(&a, now), Merchant: p.Merchant, Title: p.Title, Order: p.Order, Amount: p.Amount,
		Refunded: money.Of(p.Refunded, p.Amount.Currency), Chosen: a.Wallet, Channel: a.Channel, Opened: p.Created, Until: p.Expires, Back: p.ReturnURL,
	}
	if p.Status == Returned && a.Outcome != nil {
		t.Refunded = a.Outcome.Amount
	}
	if a.Status == AttemptPaid && a.Outcome != nil {
		t.Paid = a.Outcome.PaidAt
	}
	switch t.State {
	case TillChoosing, TillFailed:
		t.Wallets, t.Auto = p.Wallets, p.Choose == ByHub
	case TillAwaiting:
		t.Handoff, t.Code, t.Params, t.Change = a.Way.URL, a.Way.QR, a.Way.Params, p.Attempts < maxAttempts
	}
	if p.NextTo != "" {
		t.Chosen = p.NextTo
	}
	if p.Status == Expired || p.Status == Cancelled {
		s.tellLate(&p, &t)
	}
	return t, true
}

// tellLate says so where money came after the end, and where it has gone back: such a shopper was charged.
func (s *State) tellLate(p *Payment, t *Till) {
	for _, id := range s.of[p.Payment] {
		if a, ok := s.attempts.Get(id); ok && a.Status == AttemptPaid && a.Outcome != nil {
			t.State, t.Chosen, t.Paid, t.Refunded = TillLate, a.Wallet, a.Outcome.PaidAt, a.Outcome.Amount
		}
	}
	for _, id := range s.of[p.Payment] {
		if r, ok := s.refunds.Get(id); ok && t.State == TillLate && r.Status == RefundSucceeded {
			t.State, t.Refunded = TillRefunded, r.Amount
		}
	}
}

// maxForm is the size of the cashier's form, in bytes.
const maxForm = 4 << 10

// Cashier shows a payment to its shopper: GET /pay/TOKEN. The form on it posts there the wallet that was chosen, or an
// empty one to choose again. A wallet on the same phone is opened, on another screen its code is shown.
func (g *Gate) Cashier(w http.ResponseWriter, r *http.Request) {
	private(w)
	id, ok := g.open(r.PathValue("token"))
	if !ok {
		g.show(w, r, Page{Status: http.StatusNotFound, Error: noPayment()})
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		g.showTill(w, r, id, http.StatusOK, nil)
	case http.MethodPost:
		g.choose(w, r, id)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (g *Gate) choose(w http.ResponseWriter, r *http.Request, id moongate.ID) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || !r.PostForm.Has("wallet") && !r.PostForm.Has("auto") {
		g.showTill(w, r, id, http.StatusBadRequest, &moongate.Error{Code: moongate.Malformed, Field: "wallet", Message: "the form does not name a wallet", Hint: "choose one"})
		return
	}
	c := &ChooseWallet{Payment: id, Wallet: r.PostForm.Get("wallet"), Auto: r.PostForm.Has("auto")}
	if c.Auto {
		c.Wallet = ""
	} else {
		c.Channel = g.channel(c.Wallet, phone(r))
		if g.inside(id, c.Wallet, r) {
			c.Channel = InApp
		}
	}
	g.Fill(c, phone(r))
	var useful bool
	var err error
	g.opt.Read(func() { useful, err = g.opt.State.Useful(c, g.opt.Now()) })
	if useful {
		if c.Channel == Redirect || c.Auto {
			g.homes.put(id, g.opt.Client(r))
		}
		_, err = g.opt.Submit(r.Context(), replica.Request{Command: c})
	}
	switch code := moongate.CodeOf(err); {
	case err == nil, code == moongate.Conflict: // the page shows how it stands
		http.Redirect(w, r, CashierPath+g.token(id), http.StatusSeeOther) //nolint:gosec // a path of our own
	case code == moongate.NotFound:
		g.show(w, r, Page{Status: http.StatusNotFound, Error: noPayment()})
	default:
		g.showTill(w, r, id, http.StatusConflict, plain(err))
	}
}

// Fill fills in what the wallet takes that was chosen; where the hub is to choose, what each of the payment's wallets takes, and
// how the shopper gets there: on a phone, or before another screen.
func (g *Gate) Fill(c *ChooseWallet, phone bool) {
	if !c.Auto {
		c.Able = g.able([]string{c.Wallet})
		return
	}
	var wallets []string
	g.opt.Read(func() {
		p, _ := g.opt.State.Lookup(c.Payment)
		wallets = p.Wallets
	})
	c.Able = g.able(wallets)
	for _, handle := range wallets {
		if _, ok := g.opt.Wallets[handle]; ok {
			c.Ways = append(c.Ways, WalletWay{handle, g.channel(handle, phone)})
		}
	}
}

// inside tells whether the shopper's browser is the wallet's own app, and the wallet can be asked for an order by whoever it
// is: a page there pays through the app's bridge.
func (g *Gate) inside(id moongate.ID, wallet string, r *http.Request) bool {
	w, ok := g.opt.Wallets[wallet]
	if !ok {
		return false
	}
	can := w.Can()
	known := false
	g.opt.Read(func() {
		p, _ := g.opt.State.Lookup(id)
		known = p.payer(wallet) != nil
	})
	return known && can.Kind == "wechatpay" && slices.Contains(can.Channels, InApp) && strings.Contains(r.UserAgent(), "MicroMessenger/")
}

// phone tells whether the shopper's browser is on one.
func phone(r *http.Request) bool { return strings.Contains(r.UserAgent(), "Mobile") }

// channel is how a shopper best gets to a wallet.
func (g *Gate) channel(wallet string, phone bool) Channel {
	w, ok := g.opt.Wallets[wallet]
	if !ok {
		return QR
	}
	ways := w.Can().Channels
	if slices.Contains(ways, Redirect) && (phone || !slices.Contains(ways, QR)) {
		return Redirect
	}
	return QR
}

// Return is where a wallet sends the shopper's browser back to: GET /pay/TOKEN/return. It proves nothing; the wallet is
// asked, and the cashier shows how the payment stands.
func (g *Gate) Return(w http.ResponseWriter, r *http.Request) {
	private(w)
	id, ok := g.open(r.PathValue("token"))
	if !ok {
		g.show(w, r, Page{Status: http.StatusNotFound, Error: noPayment()})
		return
	}
	worth := false
	g.opt.Read(func() {
		p, _ := g.opt.State.Lookup(id)
		a, _ := g.opt.State.Attempt(p.Attempt)
		worth = a.Worth(g.opt.Now())
	})
	if worth {
		// Where this fails, the wallet is asked a little later anyway.
		_, _ = g.opt.Submit(r.Context(), replica.Request{Command: &Return{Payment: id}})
	}
	http.Redirect(w, r, CashierPath+g.token(id), http.StatusSeeOther) //nolint:gosec // a path of our own
}

func (g *Gate) showTill(w http.ResponseWriter, r *http.Request, id moongate.ID, status int, reason *moongate.Error) {
	p := Page{Status: status, Error: reason}
	g.opt.Read(func() {
		if t, ok := g.opt.State.Till(id, g.opt.Now()); ok {
			t.Wallets = g.opt.State.fitting(id, t.Wallets, g.able(t.Wallets))
			p.Till = &t
		}
	})
	if p.Till == nil {
		p.Status, p.Error = http.StatusNotFound, noPayment()
	}
	g.show(w, r, p)
}

func noPayment() *moongate.Error {
	return &moongate.Error{Code: moongate.NotFound, Message: "there is no such payment, or it is long over", Hint: "go back to where you came from"}
}

// plain is an error as a shopper may see it.
func plain(err error) *moongate.Error {
	if e := (*moongate.Error)(nil); errors.As(err, &e) && e.Code != moongate.Internal {
		return e
	}
	return &moongate.Error{Code: moongate.Busy, Message: "that did not work", Hint: "try again in a moment"}
}

// private keeps the page, whose address is a key, out of caches, of what the next site learns, and of search.
func private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("X-Content-Type-Options", "nosniff")
}

func (g *Gate) show(w http.ResponseWriter, r *http.Request, p Page) {
	if g.opt.Show != nil {
		g.opt.Show(w, r, p)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	if p.Error != nil {
		fmt.Fprintln(w, p.Error)
	}
	if t := p.Till; t != nil {
		fmt.Fprintf(w, "%s\n%s %s: %s\n", t.State, t.Merchant, t.Amount, t.Title)
		for _, line := range append([]string{t.Code, t.Handoff, t.Params, t.Back}, t.Wallets...) {
			if line != "" {
				fmt.Fprintln(w, line)
			}
		}
	}
}
