package api_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/webhook"
)

// thing is what a parameter can name: something of somebody's, and something of the same form that is not there.
type thing struct{ theirs, none string }

func idThing(id moongate.ID) thing { return thing{id.String(), other(id).String()} }

// estate is a participant with one of everything, and a stranger beside it.
type estate struct {
	*world
	things map[string]thing // by the name of a parameter or a field
	marks  []string         // what the stranger must never read

	secrets map[string]string // what must never be written down
}

// furnish gives mall one of everything.
func furnish(t *testing.T) *estate {
	t.Helper()
	w, wallet, account := openMarket(t)
	ctx := t.Context()
	mall, news := w.signer("mall"), w.signer("news")
	id := w.agree(market, map[agreement.Role]string{agreement.Marketplace: "mall", agreement.Publisher: "news", agreement.Wallet: "lotus", agreement.Seller: "tea"})
	traffic := w.agree(terms, map[agreement.Role]string{agreement.Publisher: "news", agreement.Marketplace: "mall"})

	heard := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(heard.Close)
	hook := must[api.WebhookSecret](t)(client.Do[api.WebhookSecret](ctx, mall, "/v1/webhooks", webhook.Create{URL: heard.URL + "/hidden-path", Name: "order system"}))

	pays := func(order, suspend string) (till api.Till) {
		ask := api.NewPayment{Create: pay.Create{Order: order, From: "news", To: "mall", Agreement: id, Amount: money.Of(10_000, money.CNY), Title: "A teapot for " + order, Suspend: suspend}}
		if suspend == "" {
			ask.Payees = []crossing.Payee{{Party: "tea", Amount: 10_000}}
		}
		till = must[api.Till](t)(client.Do[api.Till](ctx, mall, "/v1/payments", ask))
		after := ""
		chosen := must[pay.WalletAnswer](t)(client.Do[pay.WalletAnswer](ctx, mall, "/v1/payments/choose-wallet", pay.ChooseWallet{Payment: till.Payment, Wallet: "lotus"}))
		follow(t, mall, &after, "pay.handed_over", func(data string) bool { return strings.Contains(data, till.Payment.String()) })
		if err := wallet.Approve(account.MchID, chosen.Attempt.String()); err != nil {
			t.Fatal(err)
		}
		follow(t, mall, &after, "pay.settled", func(data string) bool { return strings.Contains(data, till.Payment.String()) })
		return till
	}
	held, till := pays("ORDER-HELD", "nobody knows whose it is"), pays("ORDER-PAID", "")
	paid := must[api.Payment](t)(client.Get[api.Payment](ctx, mall, "/v1/payments/"+till.Payment.String(), nil))
	back := must[pay.RefundAnswer](t)(client.Do[pay.RefundAnswer](ctx, mall, "/v1/refunds", pay.Refund{Payment: till.Payment, Reference: "RETURN-HIDDEN", Amount: 4_000}))
	troubles := all[pay.ExceptionRow](t, mall, "/v1/exceptions", nil)
	if len(troubles) != 1 || troubles[0].Payment != held.Payment {
		t.Fatalf("exceptions %+v", troubles)
	}

	destination := must[link.DestinationAnswer](t)(client.Do[link.DestinationAnswer](ctx, mall, "/v1/destinations", link.RegisterDestination{
		Name: "Tea", Addresses: []link.Address{{Device: link.Web, URL: "https://mall.example/tea"}},
	})).Destination
	placed := must[link.LinkAnswer](t)(client.Do[link.LinkAnswer](ctx, news, "/v1/links", link.PlaceLink{Destination: destination, Agreement: traffic}))
	click := must[api.Opening](t)(client.Do[api.Opening](ctx, news, "/v1/links/clicks", link.RecordClick{Link: placed.Code, Device: link.Web}))
	sale := api.NewConversion{Token: click.Token, Reference: "SALE-HIDDEN", Amount: money.Of(20_000, money.CNY), At: w.now()}
	must[link.ConversionAnswer](t)(client.Do[link.ConversionAnswer](ctx, mall, "/v1/links/conversions", sale))

	var open settle.Window
	w.hub.Machine().Read(func() { open, _ = w.hub.Settle.Current(id, money.CNY) })
	window := open.ID
	w.join("office-2", party.Operator, party.OperatorScope)
	must[settle.Answer](t)(client.Do[settle.Answer](ctx, w.signer("office-2"), "/v1/settlement/windows/close", settle.Close{Window: window}))
	if err := w.hub.Views.Wait(ctx, w.hub.Machine().Position()); err != nil { // mall's own position does not say that it was closed
		t.Fatal(err)
	}
	var payouts []settle.Payout
	waitFor(t, func() bool { // the refund ends, and the payout finds that nobody pays out, by themselves
		payouts = all[settle.Payout](t, mall, "/v1/settlement/payouts", nil)
		ended := all[pay.RefundRow](t, mall, "/v1/refunds", nil)
		return len(payouts) == 1 && payouts[0].Progress == settle.Manual.String() && len(ended) == 1 && ended[0].Status == pay.RefundSucceeded
	})
	keys := must[api.Page[party.Credential]](t)(client.Get[api.Page[party.Credential]](ctx, mall, "/v1/participants/mall/credentials", nil)).Items
	accounts := all[api.Account](t, mall, "/v1/accounts", nil)
	events := must[api.Feed](t)(client.Get[api.Feed](ctx, mall, "/v1/events", nil)).Items
	month := w.now().Go().Format("2006-01")
	key := party.PublicKey(w.keys["mall"].Public().(ed25519.PublicKey)).ID()

	bill, difference := w.differing("lotus", wallet.Book(account.MchID).Payments[0].OutTradeNo)

	e := &estate{world: w, things: map[string]thing{
		"bill": idThing(bill), "difference": idThing(difference),
		"agreement": idThing(id), "version": {"1", "1"}, "crossing": idThing(paid.Crossing), "payment": idThing(till.Payment), "refund": idThing(back.Refund),
		"exception": idThing(troubles[0].ID), "webhook": idThing(hook.Webhook), "window": idThing(window), "instruction": idThing(must[moongate.ID](t)(moongate.ParseID(payouts[0].Instruction))),
		"credential": idThing(keys[0].ID), "destination": idThing(destination), "reverses": idThing(paid.Crossing), "handle": {"mall", "nobody"}, "owner": {"mall", "nobody"},
		"party": {"mall", "nobody"}, "from": {"mall", "nobody"}, "participant": {"mall", "nobody"}, "account": {accounts[0].Name, "nobody/CNY/payable"}, "cursor": {events[0].Cursor, blurred(events[0].Cursor)},
		"order": {"ORDER-PAID", "ORDER-NONE"}, "currency": {"CNY", "CNY"}, "month": {month, month}, "replaces": {key, strings.Repeat("A", 43)},
		// A total is issued when its month is over, so none is there: both name nothing.
		"statement": {moongate.NewID(moongate.KindStatement, moongate.Hub{1}, [12]byte{1}).String(), moongate.NewID(moongate.KindStatement, moongate.Hub{1}, [12]byte{2}).String()},
	}}
	e.secrets = map[string]string{"webhook": hook.Secret, "cashier": till.Cashier[strings.LastIndexByte(till.Cashier, '/')+1:], "apiv3": account.APIv3Key}
	for name, one := range e.things {
		if name != "version" && name != "currency" && name != "month" && name != "handle" && name != "owner" && name != "party" && name != "from" && name != "participant" {
			e.marks = append(e.marks, one.theirs)
		}
	}
	e.marks = append(e.marks, "ORDER-HELD", held.Payment.String(), traffic.String(), "RETURN-HIDDEN", "SALE-HIDDEN", "hidden-path", "teapot", placed.Code, "news-to-mall", hook.Secret, click.Token)
	return e
}

// blurred is a text of the same form with another meaning.
func blurred(cursor string) string {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		panic(err)
	}
	b[len(b)-1] ^= 1
	return base64.RawURLEncoding.EncodeToString(b)
}

// fresh are cursors: enciphered anew each time, always of one length.
var fresh = regexp.MustCompile(`"(cursor|next)":"[\w-]+"`)

// said is all that an answer tells but for what is new in every one, and for what was asked about.
func (r reply) said(asked []string) string {
	h := r.header.Clone()
	for _, name := range []string{"Request-Id", "Date", "Content-Length"} {
		h.Del(name)
	}
	if at := h.Get("Moongate-Position"); at != "" {
		h.Set("Moongate-Position", strings.Repeat("x", len(at)))
	}
	text := r.text
	if i := strings.Index(text, `"instance":"`); i >= 0 {
		text = text[:i] + text[i+len(`"instance":"req_0123456789abcdef"`):]
	}
	text = fresh.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("x", len(s)) })
	slices.SortFunc(asked, func(a, b string) int { return len(b) - len(a) })
	for _, one := range asked {
		text = strings.ReplaceAll(text, one, "…")
	}
	heads, _ := json.Marshal(h)
	return http.StatusText(r.status) + "\n" + string(heads) + "\n" + text
}

// route is a request about something.
func (e *estate) route(t *testing.T, path string, o openapiRoute, pick func(thing) string) (target string, asked []string) {
	t.Helper()
	query := url.Values{}
	for _, p := range o.Parameters {
		one, known := e.things[p.Name]
		switch {
		case p.In == "path" && !known:
			t.Fatalf("whose %s may be read is not known: furnish gives mall one of everything, this as well", p.Name)
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(pick(one)))
			asked = append(asked, pick(one))
		case p.In == "query" && known:
			query.Set(p.Name, pick(one))
			asked = append(asked, pick(one))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, asked
}

// What is somebody else's cannot be told from what is not there: whatever is asked for, by whatever route, the answers
// are the same to the byte. The routes are those of the OpenAPI document, so that a new one is walked by itself.
func TestWhatIsNotYoursIsNotThere(t *testing.T) {
	t.Parallel()
	e := furnish(t)
	var doc openapi
	e.do(call{path: "/openapi.json"}).into(t, &doc)
	tokens := map[string]string{"office": e.operator}
	for _, handle := range []string{"mall", "rival"} {
		token, err := e.hub.IssueToken(t.Context(), "", handle, "walk", party.AllScopes, 0)
		if err != nil {
			t.Fatal(err)
		}
		tokens[handle] = token
	}
	theirs, none := func(x thing) string { return x.theirs }, func(x thing) string { return x.none }
	shown := 0
	for path, methods := range doc.Paths {
		o, ok := methods["get"]
		if !ok {
			continue
		}
		t.Run(o.ID, func(t *testing.T) {
			e.t = t
			target, asked := e.route(t, path, o, theirs)
			empty, blank := e.route(t, path, o, none)
			closed, missing := e.do(call{path: target, token: tokens["rival"]}), e.do(call{path: empty, token: tokens["rival"]})
			if a, b := closed.said(asked), missing.said(blank); a != b && o.ID != "participant" { // who takes part is public
				t.Errorf("%s\nwhat is somebody else's:\n%s\nwhat is not there:\n%s", target, a, b)
			}
			for _, mark := range e.marks {
				if strings.Contains(closed.text, mark) && !slices.Contains(asked, mark) {
					t.Errorf("%s shows a stranger %s: %s", target, mark, closed.text)
				}
			}
			// The same request by whom it is for: else all of this would find nothing in nothing.
			if o.ID == "statement" {
				return
			}
			as := "mall"
			if closed.status == http.StatusForbidden {
				as = "office"
			}
			var got reply
			waitFor(t, func() bool { // a receipt is there when a checkpoint is
				got = e.do(call{path: target, token: tokens[as]})
				return got.status != http.StatusServiceUnavailable
			})
			if got.status != http.StatusOK {
				t.Errorf("%s by %s: %d %s", target, as, got.status, got.text)
			} else if got.said(asked) != closed.said(asked) {
				shown++
			}
			// A cursor of somebody else's.
			if i := slices.IndexFunc(o.Parameters, func(p openapiParameter) bool { return p.Name == "after" }); i >= 0 && closed.status == http.StatusOK {
				at := e.hub.Seal("mall", o.ID, "1793000000000000."+e.things["payment"].theirs)
				if o.ID == "events" {
					at = e.things["cursor"].theirs
				}
				joint := "?"
				if strings.Contains(target, "?") {
					joint = "&"
				}
				a, b := e.do(call{path: target + joint + "after=" + at, token: tokens["rival"]}), e.do(call{path: empty + joint + "after=" + blurred(at), token: tokens["rival"]})
				if a.status != http.StatusBadRequest || a.said(asked) != b.said(blank) {
					t.Errorf("somebody else's cursor: %d %s\none of nobody's: %d %s", a.status, a.text, b.status, b.text)
				}
			}
		})
	}
	if shown < 25 {
		t.Errorf("only %d routes show their owner more than a stranger", shown)
	}
}

// The same for what changes something: whoever names another's payment, refund or webhook learns not even that it exists.
func TestWhatIsNotYoursCannotBeTouched(t *testing.T) {
	t.Parallel()
	e := furnish(t)
	var doc openapi
	e.do(call{path: "/openapi.json"}).into(t, &doc)
	before := e.state()
	walked := 0
	for path, methods := range doc.Paths {
		e.t = t
		o, ok := methods["post"]
		if !ok || o.Body.Content["application/json"].Example == nil {
			continue
		}
		for _, self := range []bool{false, true} { // in another's name, and in its own
			t.Run(fmt.Sprintf("%s/%t", o.ID, self), func(t *testing.T) {
				e.t = t
				var asked, blank []string
				pick := func(asked *[]string, of func(thing) string) func(string, thing) string {
					return func(name string, x thing) string {
						if self && x.none == "nobody" {
							return "rival"
						}
						*asked = append(*asked, of(x))
						return of(x)
					}
				}
				theirs := e.named(o.Body.Content["application/json"].Example, pick(&asked, func(x thing) string { return x.theirs }))
				none := e.named(o.Body.Content["application/json"].Example, pick(&blank, func(x thing) string { return x.none }))
				if len(asked) == 0 {
					return
				}
				walked++
				closed, missing := e.do(call{path: path, signer: "rival", body: theirs}), e.do(call{path: path, signer: "rival", body: none})
				if closed.status < 400 {
					t.Errorf("%s by a stranger: %d %s", path, closed.status, closed.text)
				}
				if a, b := closed.said(asked), missing.said(blank); a != b {
					t.Errorf("%s\nwhat is somebody else's:\n%s\nwhat is not there:\n%s", path, a, b)
				}
			})
		}
	}
	e.t = t
	if walked < 25 {
		t.Errorf("only %d routes were walked", walked)
	}
	if after := e.state(); after != before {
		t.Errorf("a stranger changed something:\n%s\n%s", before, after)
	}
}

// state is what mall has.
func (e *estate) state() string {
	e.t.Helper()
	mall, out := e.signer("mall"), ""
	for _, path := range []string{"/v1/webhooks", "/v1/payments/" + e.things["payment"].theirs, "/v1/participants/mall", "/v1/destinations", "/v1/exceptions", "/v1/settlement/payouts", "/v1/agreements"} {
		text, err := mall.GetBytes(e.t.Context(), path, nil)
		if err != nil {
			e.t.Fatal(err)
		}
		var shape map[string]any
		if err := json.Unmarshal(text, &shape); err != nil {
			e.t.Fatal(err)
		}
		for _, moves := range []string{"delivered", "failing", "next"} {
			delete(shape, moves)
			if items, ok := shape["items"].([]any); ok {
				for _, item := range items {
					delete(item.(map[string]any), moves)
				}
			}
		}
		text, _ = json.Marshal(shape)
		out += string(text) + "\n"
	}
	return out
}

// named is an example whose fields name something else.
func (e *estate) named(example any, pick func(string, thing) string) any {
	switch v := example.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			if one, known := e.things[name]; known {
				if _, text := value.(string); text && name != "order" && name != "currency" && name != "month" {
					out[name] = pick(name, one)
					continue
				}
			}
			out[name] = e.named(value, pick)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = e.named(v[i], pick)
		}
		return out
	}
	switch example {
	case "…": // an example's blank
		return "x"
	case "2026-02-28T00:00:00Z", "2026-01-31T08:00:00Z":
		return (e.now() + moongate.Day).String()
	}
	return example
}
