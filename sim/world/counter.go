package world

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// counter is a marketplace's own shop: its pages, its orders, and its requests to the hub.
type counter struct {
	w      *World
	market *Market
	me     *member

	mu       sync.Mutex // guards what follows
	visitors map[string]*visitor
	orders   []*Order
	payments map[moongate.ID]*Order
	cashiers map[string]*Order // by where the shopper pays

	// Of the back office, which runs on the loop alone.
	cursor  string
	givings map[moongate.ID]given // by refund
}

func newCounter(w *World, m *Market) *counter {
	return &counter{
		w: w, market: m, me: w.members[m.Handle], visitors: map[string]*visitor{},
		payments: map[moongate.ID]*Order{}, cashiers: map[string]*Order{}, givings: map[moongate.ID]given{},
	}
}

// visitor is a browser that came by.
type visitor struct {
	tokens []string // clicks that led here, oldest first
	from   []string // publishers of those clicks, as far as the links tell
	order  *Order   // that the hub has not taken yet
}

// Order is a purchase at a marketplace.
type Order struct {
	No      string
	Market  *Market
	Goods   []Good
	Parts   []Part // by seller
	Tokens  []string
	Touched []string // publishers, each once, in the order of the first touch
	Payment moongate.ID
	Cashier string // where the shopper pays
	Status  pay.Status

	// What the world knows of it, and the marketplace could not.
	speaks    speaks
	life      time.Duration // of the payment, where it is another than the story's
	purchase  *purchase
	attempts  []attempt
	refunds   int
	asked     int64 // of the first part, back
	sabotaged bool
}

// attempt is an order at a wallet.
type attempt struct {
	purse  Purse
	number string
}

// Total is what the shopper pays.
func (o *Order) Total() int64 {
	total := int64(0)
	for _, p := range o.Parts {
		total += p.Gross
	}
	return total
}

// Title is what the shopper reads at the cashier, in the language in which it was bought.
func (o *Order) Title() string { return o.titleIn(o.speaks) }

func (o *Order) titleIn(s speaks) string {
	first, more := o.Goods[0], len(o.Goods)-1
	title := s.T(first.String(), first.NameZH+"，"+first.Seller.NameZH)
	if more > 0 {
		title += s.T(fmt.Sprintf(", and %d more", more), fmt.Sprintf("，另 %d 件", more))
	}
	return title
}

// basket puts goods together by seller.
func basket(goods []Good) []Part {
	var parts []Part
	for _, g := range goods {
		i := slices.IndexFunc(parts, func(p Part) bool { return p.Seller == g.Seller.Handle })
		if i < 0 {
			i, parts = len(parts), append(parts, Part{Seller: g.Seller.Handle})
		}
		parts[i].Gross += g.Price + g.Freight
		parts[i].Freight += g.Freight
	}
	return parts
}

// Bounds of a visit.
const (
	maxTokens = 32
	maxGoods  = 8
)

func (c *counter) routes(mux *http.ServeMux) {
	base := "/" + c.market.Handle
	mux.HandleFunc("GET "+base+"/", func(rw http.ResponseWriter, r *http.Request) {
		show(rw, http.StatusOK, "market", view{speaks: speaksTo(rw, r), Garden: c.market.Garden, Base: c.w.base(c.market.Handle), Goods: c.market.Goods})
	})
	mux.HandleFunc("GET "+base+"/goods/{number}", c.good)
	mux.HandleFunc("POST "+base+"/buy", c.buy)
	mux.HandleFunc("GET "+base+"/orders/{no}", c.order)
}

func (c *counter) trouble(rw http.ResponseWriter, s speaks, status int, said, more, program string) {
	show(rw, status, "trouble", view{speaks: s, Garden: c.market.Garden, Base: c.w.base(c.market.Handle), Said: said, More: more, Program: program})
}

func (c *counter) find(number string) (Good, bool) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(c.market.Goods) {
		return Good{}, false
	}
	return c.market.Goods[n-1], true
}

// visit knows a browser by its cookie.
func (c *counter) visit(rw http.ResponseWriter, r *http.Request) *visitor {
	name := "visitor-" + c.market.Handle
	if known, err := r.Cookie(name); err == nil {
		if v := c.visitors[known.Value]; v != nil {
			return v
		}
	}
	var b [12]byte
	c.w.random.Fill(b[:])
	id := hex.EncodeToString(b[:])
	v := &visitor{}
	c.visitors[id] = v
	http.SetCookie(rw, &http.Cookie{Name: name, Value: id, Path: "/", MaxAge: 30 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // gardens of the demonstration are served without TLS
	return v
}

func (c *counter) good(rw http.ResponseWriter, r *http.Request) {
	s := speaksTo(rw, r)
	g, ok := c.find(r.PathValue("number"))
	if !ok {
		c.trouble(rw, s, http.StatusNotFound, s.T("There is no such thing here", "没有这件商品"), s.T("It may have been sold out.", "可能已售罄。"), "")
		return
	}
	c.mu.Lock()
	v := c.visit(rw, r)
	if token := clicked(r); token != "" && !slices.Contains(v.tokens, token) && len(v.tokens) < maxTokens {
		v.tokens = append(v.tokens, token)
		if from := c.w.publisherOf(r.URL.Query().Get("via")); from != "" {
			v.from = append(v.from, from)
		}
	}
	from := ""
	if n := len(v.from); n > 0 {
		from = s.Of(c.w.Cast.gardenOf(v.from[n-1]))
	}
	c.mu.Unlock()
	show(rw, http.StatusOK, "good", view{speaks: s, Garden: c.market.Garden, Base: c.w.base(c.market.Handle), Good: g, From: from})
}

// buy makes an order, asks the hub for a payment and sends the shopper to the cashier.
func (c *counter) buy(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 4<<10)
	var goods []Good
	if err := r.ParseForm(); err == nil {
		for _, number := range r.PostForm["good"] {
			if g, ok := c.find(number); ok && len(goods) < maxGoods {
				goods = append(goods, g)
			}
		}
	}
	s := speaksTo(rw, r)
	if len(goods) == 0 {
		c.trouble(rw, s, http.StatusBadRequest, s.T("There is no such thing here", "没有这件商品"), s.T("Go back to the shelves.", "请回到货架。"), "")
		return
	}
	o := c.open(rw, r, s, goods)
	if err := c.ask(r.Context(), o); err != nil {
		c.trouble(rw, s, http.StatusBadGateway, s.T("The hub did not take the order", "枢纽没有接受订单"), s.T("Try again: the same order is not made twice.", "请重试：同一订单不会重复生成。"), err.Error())
		return
	}
	http.Redirect(rw, r, o.Cashier, http.StatusSeeOther)
}

// open makes an order, or finds the one that the hub did not take a moment ago.
func (c *counter) open(rw http.ResponseWriter, r *http.Request, s speaks, goods []Good) *Order {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.visit(rw, r)
	if v.order != nil && v.order.Cashier == "" && slices.Equal(v.order.Goods, goods) {
		return v.order
	}
	v.order = &Order{
		No: fmt.Sprintf("%s-%06d", c.market.Handle, len(c.orders)+1), Market: c.market, Goods: goods, Parts: basket(goods),
		Tokens: slices.Clone(v.tokens), Touched: unique(v.from), speaks: s,
	}
	c.orders = append(c.orders, v.order)
	return v.order
}

// ask has the hub expect a payment for an order.
func (c *counter) ask(ctx context.Context, o *Order) error {
	create := pay.Create{
		Order: o.No, From: c.market.Handle, To: o.Parts[0].Seller, Agreement: c.w.agreementOf(c.market),
		Amount: money.Amount{Minor: o.Total(), Currency: cny}, Title: o.Title(),
		ReturnURL: c.w.opt.Address(c.market.Handle) + "/orders/" + o.No,
	}
	life := c.w.pace.Life
	if o.life > 0 {
		life = o.life
	}
	if life > 0 {
		create.Expires = c.w.now() + moongate.Time(life.Microseconds())
	}
	for _, p := range o.Parts {
		create.Payees = append(create.Payees, crossing.Payee{Party: p.Seller, Amount: p.Gross, Freight: p.Freight})
	}
	if n := len(o.Touched); n > 0 {
		create.From, create.To = o.Touched[n-1], c.market.Handle
	}
	answer, err := client.DoAs[asked](ctx, c.me.hub, "pay/"+o.No, "/v1/payments", struct {
		pay.Create
		Clicks []string `json:"clicks,omitempty"`
	}{create, o.Tokens})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o.Payment, o.Cashier = answer.Payment, answer.Cashier
	c.payments[o.Payment], c.cashiers[o.Cashier] = o, o
	return nil
}

// asked is the hub's answer to a payment that was asked for.
type asked struct {
	Payment moongate.ID `json:"payment"`
	Cashier string      `json:"cashier"`
}

func (c *counter) orderNo(no string) *Order {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.orders {
		if o.No == no {
			return o
		}
	}
	return nil
}

// order shows what became of an order. The shopper's word counts for nothing: the hub is asked.
func (c *counter) order(rw http.ResponseWriter, r *http.Request) {
	s := speaksTo(rw, r)
	o := c.orderNo(r.PathValue("no"))
	if o == nil {
		c.trouble(rw, s, http.StatusNotFound, s.T("There is no such order", "没有这个订单"), s.T("Check the number.", "请检查单号。"), "")
		return
	}
	headline, status := s.T("We are asking the hub", "正在询问枢纽"), s.T("It says nothing just now. Load the page again in a moment.", "枢纽暂无答复，请稍后刷新。")
	if p, err := client.Get[standing](r.Context(), c.me.hub, "/v1/payments/"+o.Payment.String(), nil); err == nil {
		headline, status = s.became(p.Status), s.T("So says the hub, which asked the wallet.", "以枢纽向钱包查询的结果为准。")
	}
	show(rw, http.StatusOK, "order", view{
		speaks: s, Garden: c.market.Garden, Base: c.w.base(c.market.Handle), Order: o.No, Title: o.titleIn(s), Total: o.Total(), Status: status, Said: headline,
	})
}

// became says what became of an order.
func (s speaks) became(status pay.Status) string {
	switch status {
	case pay.Open:
		return s.T("Not paid yet", "尚未付款")
	case pay.Succeeded:
		return s.T("Thank you, it is on its way", "谢谢，商品即将发出")
	case pay.Held:
		return s.T("Paid, and being looked into", "已付款，正在核对")
	case pay.Expired:
		return s.T("It was not paid in time", "未在时限内付款")
	case pay.Cancelled:
		return s.T("It was cancelled", "订单已取消")
	case pay.Returned:
		return s.T("The money went back", "款项已退回")
	}
	return string(status)
}

// standing is a payment as its merchant sees it.
type standing struct {
	Payment  moongate.ID `json:"payment"`
	Status   pay.Status  `json:"status"`
	Crossing moongate.ID `json:"crossing"`
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
