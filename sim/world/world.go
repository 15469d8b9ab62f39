package world

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// Handles are those of all gardens that have pages of their own.
func (w *World) Handles() []string {
	list := append(handles(w.Cast.Publishers), w.Cast.Store.Handle)
	for _, m := range w.Cast.Markets {
		list = append(list, m.Handle)
	}
	for _, a := range w.Cast.Apps {
		list = append(list, a.Handle)
	}
	return list
}

// Witnesses are one participant of each kind.
func (w *World) Witnesses() []string {
	c := &w.Cast
	return []string{c.Publishers[0].Handle, c.Markets[0].Handle, c.Wallets[0].Handle, c.Sellers[0].Handle, c.Store.Handle, c.Apps[0].Handle}
}

// Hub is the hub as a participant sees it; "" is the operator.
func (w *World) Hub(handle string) *client.Client {
	if m := w.members[handle]; m != nil {
		return m.hub
	}
	return w.operator
}

// clickParameter is where a hub puts the click token of a reader that it sends on.
const clickParameter = link.ClickParameter

// shanghai is the calendar of the terms.
var shanghai = time.FixedZone("+08:00", 8*3600)

var (
	cny = money.Currency{'C', 'N', 'Y'}
	eur = money.Currency{'E', 'U', 'R'}
)

// Options are what a world is made of.
type Options struct {
	Chance    Chance
	Loop      *Loop
	Carrier   http.RoundTripper          // how everybody reaches everybody
	Hub       string                     // URL of the hub
	Token     string                     // of its operator
	Address   func(handle string) string // URL of a garden's own pages
	Wallets   map[string]*sandbox.Wallet // by handle
	WalletURL func(handle string) string // where a wallet's pages are
	Window    moongate.Time              // of settlement; 0 for what the terms say
	Sellers   int                        // how many
}

// World is a cast with its servers, links and shoppers.
type World struct {
	Cast  Cast
	Books *Books

	opt      Options
	random   *Stream
	operator *client.Client
	members  map[string]*member
	counters []*counter
	terms    map[string]moongate.ID // by the marketplace's or app's handle
	links    []placed
	appLinks []placed

	// Of the running story, which is told on the loop alone.
	ctx      context.Context //nolint:containedctx // of the story; every step belongs to it
	pace     Pace
	patience int // of the offices, in times of thought
	blocked  *Blocked
	stormed  []*Order
	tally    Tally
}

// placed is a link somewhere on a publisher's pages.
type placed struct {
	code, url   string
	publisher   string
	market      *Market // nil for an app's
	good        Good
	destination moongate.ID
}

// New makes a world; Settle lets it move in.
func New(o Options) (*World, error) {
	w := &World{
		Cast: Settle(o.Chance, o.Sellers), Books: NewBooks(), opt: o, random: o.Chance.Stream("gardens"),
		members: map[string]*member{}, terms: map[string]moongate.ID{},
	}
	var err error
	w.operator, err = client.New(client.Options{URL: o.Hub, Token: o.Token, Random: o.Chance.Stream("operator"), HTTP: w.http(), Tries: 1})
	if err != nil {
		return nil, err
	}
	kinds := map[string]party.Kind{}
	for _, p := range w.Cast.Publishers {
		kinds[p.Handle] = party.Publisher
	}
	for _, p := range w.Cast.Wallets {
		kinds[p.Handle] = party.Wallet
	}
	for _, s := range w.Cast.Sellers {
		kinds[s.Handle] = party.Merchant
	}
	for _, a := range w.Cast.Apps {
		kinds[a.Handle] = party.App
	}
	for _, g := range w.Cast.everybody() {
		kind, ok := kinds[g.Handle]
		if !ok {
			kind = party.Platform
		}
		if _, err := w.enrol(g, kind); err != nil {
			return nil, err
		}
	}
	for _, m := range w.Cast.Markets {
		w.counters = append(w.counters, newCounter(w, m))
	}
	return w, nil
}

// MoveIn registers everybody, has the agreements signed and the links placed. Asked again after it broke off, it goes
// on: everything it does is named.
func (w *World) MoveIn(ctx context.Context) error {
	for _, g := range w.Cast.everybody() {
		if err := w.register(ctx, w.members[g.Handle]); err != nil {
			return fmt.Errorf("world: registering %s: %w", g.Handle, err)
		}
	}
	for i, g := range w.Cast.payees() {
		if err := w.openAccounts(ctx, w.members[g.Handle], i); err != nil {
			return fmt.Errorf("world: accounts of %s: %w", g.Handle, err)
		}
	}
	for _, m := range w.Cast.Markets {
		if err := w.agreeGardens(ctx, m); err != nil {
			return fmt.Errorf("world: terms of %s: %w", m.Handle, err)
		}
		if err := w.placeLinks(ctx, m); err != nil {
			return fmt.Errorf("world: links to %s: %w", m.Handle, err)
		}
	}
	for _, a := range w.Cast.Apps {
		if err := w.agreeQuiet(ctx, a); err != nil {
			return fmt.Errorf("world: terms of %s: %w", a.Handle, err)
		}
	}
	return nil
}

func (w *World) now() moongate.Time { return moongate.At(w.opt.Loop.Now()) }

func (w *World) agreeGardens(ctx context.Context, m *Market) error {
	doc, err := w.Cast.gardens(m, hostOf(w.opt.Address(m.Handle)), w.opt.Window, w.now())
	if err != nil {
		return err
	}
	id, err := w.members[m.Handle].propose(ctx, doc)
	if err != nil {
		return err
	}
	w.terms[m.Handle] = id
	roles := map[string]agreement.Role{m.Handle: agreement.Marketplace}
	signers := []string{m.Handle}
	for _, p := range w.Cast.Publishers {
		roles[p.Handle], signers = agreement.Publisher, append(signers, p.Handle)
	}
	for _, p := range w.Cast.Wallets {
		roles[p.Handle], signers = agreement.Wallet, append(signers, p.Handle)
	}
	for _, who := range signers {
		if err := w.members[who].sign(ctx, id, doc, roles[who]); err != nil {
			return err
		}
	}
	for _, s := range w.Cast.SellersOf(m) {
		if err := w.members[s.Handle].accept(ctx, id, doc, agreement.Seller); err != nil {
			return err
		}
	}
	return nil
}

// linked is how many of a market's goods publishers write about.
const linked = 8

func (w *World) placeLinks(ctx context.Context, m *Market) error {
	for i, g := range m.Goods[:min(linked, len(m.Goods))] {
		for k, p := range w.Cast.Publishers {
			if i%4 == 3 && k != i%len(w.Cast.Publishers) {
				continue // not everybody writes about everything
			}
			address := fmt.Sprintf("%s/goods/%d?via=%s", w.opt.Address(m.Handle), g.Number, p.Handle)
			d, err := w.members[m.Handle].destination(ctx, g.Name, g.NameZH, address)
			if err != nil {
				return err
			}
			code, err := w.members[p.Handle].place(ctx, d, w.terms[m.Handle], "spring")
			if err != nil {
				return err
			}
			w.links = append(w.links, placed{code: code, url: w.opt.Hub + link.Path + code, publisher: p.Handle, market: m, good: g, destination: d})
		}
	}
	return nil
}

func (w *World) agreeQuiet(ctx context.Context, a App) error {
	doc, err := w.Cast.quiet(a, w.now())
	if err != nil {
		return err
	}
	store, app := w.members[w.Cast.Store.Handle], w.members[a.Handle]
	id, err := app.propose(ctx, doc)
	if err != nil {
		return err
	}
	w.terms[a.Handle] = id
	if err := store.sign(ctx, id, doc, agreement.Store); err != nil {
		return err
	}
	if err := app.sign(ctx, id, doc, agreement.App); err != nil {
		return err
	}
	d, err := app.destination(ctx, a.Name, a.NameZH, w.opt.Address(a.Handle)+"/")
	if err != nil {
		return err
	}
	code, err := store.place(ctx, d, id, "store")
	if err != nil {
		return err
	}
	w.appLinks = append(w.appLinks, placed{code: code, url: w.opt.Hub + link.Path + code, publisher: store.Handle, destination: d})
	return nil
}

func (w *World) agreementOf(m *Market) moongate.ID { return w.terms[m.Handle] }

// publisherOf gives a handle back if it is a publisher's.
func (w *World) publisherOf(handle string) string {
	if slices.ContainsFunc(w.Cast.Publishers, func(g Garden) bool { return g.Handle == handle }) {
		return handle
	}
	return ""
}

func hostOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, ":")
	return host
}
