package pages_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/proof"
)

// One world serves all: what the tests do to it, they do to things of their own.
func TestPages(t *testing.T) {
	w := open(t)
	w.settle()
	t.Run("door", func(t *testing.T) { tryTheDoor(t, w) })
	t.Run("operator sees everything", func(t *testing.T) { seeEverything(t, w) })
	t.Run("participants see their own", func(t *testing.T) { seeOwn(t, w) })
	t.Run("strangers learn nothing", func(t *testing.T) { learnNothing(t, w) })
	t.Run("scopes", func(t *testing.T) { lackScopes(t, w) })
	t.Run("receipt", func(t *testing.T) { takeReceipt(t, w) })
	t.Run("webhook", func(t *testing.T) { redeliver(t, w) })
	t.Run("filters", func(t *testing.T) { narrow(t, w) })
	t.Run("exception", func(t *testing.T) { resolveException(t, w) })
	t.Run("block", func(t *testing.T) { blockAndAppeal(t, w) })
	t.Run("cashier", func(t *testing.T) { payAtCashier(t, w) })
	t.Run("wallets that are not offered", func(t *testing.T) { leaveOut(t, w) })
	t.Run("accounts at wallets", func(t *testing.T) { moveAccounts(t, w) })
	t.Run("window", func(t *testing.T) { closeWindow(t, w) })
	t.Run("paging", func(t *testing.T) { turnPages(t, w) })
	if said := w.log.String(); strings.Contains(said, "level=ERROR") {
		t.Errorf("the hub complained:\n%s", said)
	}
	for handle, token := range w.tokens {
		if strings.Contains(w.log.String(), token) {
			t.Errorf("the log holds %s's token", handle)
		}
	}
}

func tryTheDoor(t *testing.T, w *world) {
	v := w.visitor()
	if got := v.get("/console/windows"); got.status != http.StatusSeeOther || got.header.Get("Location") != "/console/sign-in?next=%2Fconsole%2Fwindows" {
		t.Errorf("a stranger is sent to %d %q", got.status, got.header.Get("Location"))
	}
	door := v.get("/console/sign-in?next=/console/windows")
	form := func(token, credential, next string) url.Values {
		return url.Values{"token": {token}, "credential": {credential}, "next": {next}}
	}
	for _, c := range []struct {
		name   string
		form   url.Values
		change func(*http.Request)
		status int
	}{
		{"without the form's token", form("", w.tokens["mall"], ""), nil, http.StatusForbidden},
		{"with somebody else's token", form(w.visitor().get("/console/sign-in").token(t), w.tokens["mall"], ""), nil, http.StatusForbidden},
		{"from another site", form(door.token(t), w.tokens["mall"], ""), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, http.StatusForbidden},
		{"with what is no credential", form(door.token(t), "open sesame", ""), nil, http.StatusUnauthorized},
		{"with a credential that is not known", form(door.token(t), mangled(w.tokens["mall"]), ""), nil, http.StatusUnauthorized},
		{"with a form that is too large", url.Values{"token": {door.token(t)}, "credential": {strings.Repeat("x", 20<<10)}}, nil, http.StatusForbidden},
	} {
		change := c.change
		if change == nil {
			change = func(*http.Request) {}
		}
		if got := v.post("/console/sign-in", c.form, change); got.status != c.status || strings.Contains(got.body, w.tokens["mall"]) {
			t.Errorf("%s: %d", c.name, got.status)
		}
	}
	in := v.post("/console/sign-in", form(door.token(t), w.tokens["mall"], "/console/windows"))
	if in.status != http.StatusSeeOther || in.header.Get("Location") != "/console/windows" {
		t.Fatalf("signing in: %d %q", in.status, in.header.Get("Location"))
	}
	cookie := in.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie lacks %s: %s", want, cookie)
		}
	}
	for _, next := range []string{"https://evil.example/console", "//evil.example/console", "/console/../../evil", "/v1/health", `/console\evil`} {
		again := w.visitor()
		door := again.get("/console/sign-in")
		got := again.post("/console/sign-in", form(door.token(t), w.tokens["mall"], next)).header.Get("Location")
		if got != "/console" {
			t.Errorf("next %q leads to %q", next, got)
		}
	}

	kept := v.client.Jar.Cookies(must(url.Parse(w.url)))
	home := v.get("/console")
	if got := v.post("/console/sign-out", url.Values{}); got.status != http.StatusForbidden {
		t.Errorf("signing out without a token: %d", got.status)
	}
	if got := v.post("/console/sign-out", url.Values{"token": {home.token(t)}}); got.status != http.StatusSeeOther {
		t.Errorf("signing out: %d", got.status)
	}
	v.client.Jar.SetCookies(must(url.Parse(w.url)), kept)
	if got := v.get("/console"); got.status != http.StatusSeeOther {
		t.Errorf("the old cookie still opens the console: %d", got.status)
	}
	if got := v.get("/console/sign-in?lang=zh"); !strings.Contains(got.body, `lang="zh-Hans"`) {
		t.Error("the door does not speak Chinese")
	}
	if got := v.get("/console/sign-in"); !strings.Contains(got.body, `lang="zh-Hans"`) {
		t.Error("the language is forgotten")
	}
}

func must[A any](a A, err error) A {
	if err != nil {
		panic(err)
	}
	return a
}

// mangled is a well-formed token with another secret.
func mangled(token string) string {
	id, secret, err := party.ParseToken(token)
	if err != nil {
		panic(err)
	}
	secret[0] ^= 1
	return party.FormatToken(id, secret)
}

// addresses are every page there is, filled with what is in the world.
func (w *world) addresses() map[string]string {
	ids := map[string]string{
		"crossing": w.crossing.String(), "receipt": w.crossing.String(), "payment": w.paid.String(), "account": "kiln:CNY:payable",
		"window": w.window(), "webhook": w.hook.String(), "agreement": w.agreement.String(), "participant": "kiln", "statement": w.agreement.String() + ".CNY." + w.now().Go().Format("2006-01"),
	}
	all := map[string]string{}
	for name, route := range console.Routes {
		switch name {
		case "signin", "signout", "exception", "link", "bill", "difference":
			continue
		case "statement":
			ids[name] += ".mall"
		}
		all[name] = strings.Replace(route, "{id}", url.PathEscape(ids[name]), 1)
	}
	return all
}

// window is the one that is open.
func (w *world) window() (id string) {
	w.hub.Machine().Read(func() {
		if open, ok := w.hub.Settle.Current(w.agreement, [3]byte{'C', 'N', 'Y'}); ok {
			id = open.ID.String()
		}
	})
	return id
}

var rawKey = regexp.MustCompile(`>\s*(state|kind|step|purpose|party|nav|exception|reason|role|field|group|empty|payment|action)\.[a-z_.]+\s*<`)

func seeEverything(t *testing.T, w *world) {
	v := w.as("office")
	w.until("the log holds the crossing", func() bool { return v.get(w.addresses()["receipt"]).status == http.StatusOK })
	want := map[string][]string{
		"home":         {"Willow Reads", "268.00", "Lotus Market"},
		"crossings":    {w.crossing.String(), w.visit.String()},
		"crossing":     {"ORDER-0417", w.paid.String(), "Crane Pay took", "252.99", w.window()},
		"receipt":      {"moongate log receipt", "hub.example", "receipt.json"},
		"payments":     {"ORDER-0417", "paid"},
		"payment":      {"Crane Pay", "ORDER-0417", w.crossing.String()},
		"balances":     {"kiln:CNY:payable", "Crane Pay"},
		"account":      {w.crossing.String(), "Old Kiln Pottery"},
		"window":       {w.window(), "close_window"},
		"agreements":   {"Three gardens"},
		"agreement":    {"Commission", "5%", "sha256"},
		"links":        {w.code, "Teapot No. 7", "autumn"},
		"destinations": {"mall.example"},
		"participants": {"Rival Bazaar", "Old Kiln Pottery"},
		"participant":  {"Old Kiln Pottery", "payments:write"},
		"statement":    {"Three gardens", w.crossing.String()},
		"health":       {"Lists and searches", "leads alone"},
		"wallets":      {"Crane Pay", "100% of 1 payment paid", "sandbox"},
		"webhooks":     {"orders", "Lotus Market", "pay.settled"},
		"webhook":      {"orders", w.hook.String(), "/events"},
		"windows":      {w.window(), "Three gardens"},
		"log":          {w.hub.Secrets.Verifier, "hub.example"},
	}
	for name, address := range w.addresses() {
		for _, lang := range []string{"en", "zh"} {
			got := v.get(address + "?lang=" + lang)
			if got.status != http.StatusOK {
				t.Errorf("%s %s: %d %s", name, address, got.status, words(got.body))
				continue
			}
			if csp := got.header.Get("Content-Security-Policy"); csp != console.ContentSecurityPolicy {
				t.Errorf("%s: policy %q", name, csp)
			}
			if found := rawKey.FindString(got.body); found != "" {
				t.Errorf("%s in %s shows a bare key %s", name, lang, found)
			}
			if lang == "zh" {
				continue
			}
			for _, text := range want[name] {
				if !strings.Contains(html.UnescapeString(got.body), text) {
					t.Errorf("%s does not show %q: %s", name, text, words(got.body))
				}
			}
			part := v.part(address)
			if part.status != http.StatusOK || strings.Contains(part.body, "<html") {
				t.Errorf("%s: what htmx asks for again: %d, %d bytes", name, part.status, len(part.body))
			}
		}
	}
	if got := v.get("/console/find?q=ORDER-0417"); !strings.Contains(got.body, w.paid.String()) {
		t.Errorf("an order number finds nothing: %s", words(got.body))
	}
	if got := v.get("/console/nothing-here"); got.status != http.StatusNotFound || !strings.Contains(got.body, "<html") {
		t.Errorf("a page that is not there: %d", got.status)
	}
	for _, form := range []string{"csv", "json"} {
		got := v.get(w.addresses()["statement"] + "/lines?format=" + form)
		if got.status != http.StatusOK || !strings.Contains(got.body, w.crossing.String()) || !strings.Contains(got.header.Get("Content-Disposition"), form) {
			t.Errorf("statement as %s: %d %q", form, got.status, got.body)
		}
	}
}

// part asks as htmx does.
func (v *visitor) part(path string) answer {
	r := must(http.NewRequest(http.MethodGet, v.w.url+path, nil))
	r.Header.Set("HX-Request", "true")
	r.Header.Set("HX-Request-Type", "partial")
	return v.send(r)
}

var tags = regexp.MustCompile(`<[^>]*>|\s+`)

// words are what a page says, for a failing test to show.
func words(body string) string {
	if i := strings.Index(body, "<main"); i >= 0 {
		body = body[i:]
	}
	return tags.ReplaceAllString(body, " ")
}

func seeOwn(t *testing.T, w *world) {
	for _, c := range []struct {
		handle    string
		sees, not []string
	}{
		{"mall", []string{"/console/payments", "ORDER-0417", "/console/balances", "mall:CNY:payable", "/console/crossings", w.crossing.String(), "/console/agreements", "Three gardens", "/console/statements", w.agreement.String()}, nil},
		{"news", []string{"/console/crossings", w.crossing.String(), "/console/links", w.code}, []string{"/console/payments/" + w.paid.String(), "/console/balances/kiln:CNY:payable"}},
		{"kiln", []string{"/console/crossings", w.crossing.String(), "/console/balances", "kiln:CNY:payable", "/console/windows", w.window()}, []string{"/console/payments/" + w.paid.String(), "/console/balances/mall:CNY:payable", "/console/balances/:CNY:clearing"}},
	} {
		v := w.as(c.handle)
		page := answer{}
		for _, text := range c.sees {
			if strings.HasPrefix(text, "/") {
				page = v.get(text)
				continue
			}
			if !strings.Contains(page.body, text) {
				t.Errorf("%s does not find %q: %d %s", c.handle, text, page.status, words(page.body))
			}
		}
		for _, path := range c.not {
			if got := v.get(path); got.status != http.StatusNotFound {
				t.Errorf("%s reads %s: %d", c.handle, path, got.status)
			}
		}
		for _, path := range []string{"/console", "/console/balances", "/console/crossings/" + w.crossing.String()} {
			if got := v.get(path); strings.Contains(got.body, "osition") || got.status != http.StatusOK {
				t.Errorf("%s reads how far the journal is on %s: %d %s", c.handle, path, got.status, words(got.body))
			}
		}
		if got := v.get("/console/system"); got.status != http.StatusForbidden {
			t.Errorf("%s reads the hub's health: %d", c.handle, got.status)
		}
	}
	// The seller sees its own side of the sale: what came in, and who took what of it.
	if got := w.as("kiln").get("/console/crossings/" + w.crossing.String()); !strings.Contains(got.body, "13.40") || strings.Contains(got.body, "ORDER-0417") {
		t.Errorf("the seller's own side: %s", words(got.body))
	}
}

// learnNothing has somebody without any part in it try every identifier of the world, and compares with identifiers
// that name nothing.
func learnNothing(t *testing.T, w *world) {
	v := w.as("rival")
	receipt := moongate.ID{}
	other := func(id moongate.ID) string {
		receipt = id
		receipt[15] ^= 1
		return receipt.String()
	}
	window := must(moongate.ParseID(w.window()))
	month := w.now().Go().Format("2006-01")
	for _, c := range []struct{ theirs, none string }{
		{"/console/crossings/" + w.crossing.String(), "/console/crossings/" + other(w.crossing)},
		{"/console/crossings/" + w.crossing.String() + "/receipt", "/console/crossings/" + other(w.crossing) + "/receipt"},
		{"/console/crossings/" + w.crossing.String() + "/receipt.json", "/console/crossings/" + other(w.crossing) + "/receipt.json"},
		{"/console/payments/" + w.paid.String(), "/console/payments/" + other(w.paid)},
		{"/console/webhooks/" + w.hook.String(), "/console/webhooks/" + other(w.hook)},
		{"/console/balances/kiln:CNY:payable", "/console/balances/nobody:CNY:payable"},
		{"/console/balances/:CNY:clearing:" + w.window(), "/console/balances/:CNY:clearing:" + other(window)},
		{"/console/windows/" + w.window(), "/console/windows/" + other(window)},
		{"/console/agreements/" + w.agreement.String(), "/console/agreements/" + other(w.agreement)},
		{"/console/agreements/" + w.agreement.String() + "?version=1", "/console/agreements/" + other(w.agreement) + "?version=1"},
		{"/console/statements/" + w.agreement.String() + ".CNY." + month, "/console/statements/" + other(w.agreement) + ".CNY." + month},
		{"/console/statements/" + w.agreement.String() + ".CNY." + month + ".mall", "/console/statements/" + other(w.agreement) + ".CNY." + month + ".mall"},
		{"/console/statements/" + w.agreement.String() + ".CNY." + month + "/lines?format=csv", "/console/statements/" + other(w.agreement) + ".CNY." + month + "/lines?format=csv"},
		{"/console/find?q=" + w.paid.String(), "/console/find?q=" + other(w.paid)},
		{"/console/find?q=" + w.crossing.String(), "/console/find?q=" + other(w.crossing)},
		{"/console/find?q=" + w.agreement.String(), "/console/find?q=" + other(w.agreement)},
		{"/console/find?q=" + w.window(), "/console/find?q=" + other(window)},
		{"/console/find?q=ORDER-0417", "/console/find?q=ORDER-0418"},
		{"/console/find?q=kiln:CNY:payable", "/console/find?q=nobody:CNY:payable"},
	} {
		theirs, none := v.get(c.theirs), v.get(c.none)
		if !strings.Contains(c.theirs, "find") && theirs.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", c.theirs, theirs.status, words(theirs.body))
		}
		if a, b := plain(theirs.body, c.theirs), plain(none.body, c.none); theirs.status != none.status || a != b {
			t.Errorf("%s answers %d\n%s\nand what names nothing answers %d\n%s", c.theirs, theirs.status, a, none.status, b)
		}
	}
	secrets := []string{w.hook.String(), w.crossing.String(), w.visit.String(), w.paid.String(), w.agreement.String(), w.window(), "ORDER-0417", "268.00", "kiln:CNY", w.code}
	for name, address := range w.addresses() {
		if strings.Contains(address, w.crossing.String()) || name == "payment" || name == "account" || name == "window" || name == "agreement" || name == "statement" || name == "webhook" {
			continue
		}
		for _, query := range []string{"", "?party=kiln", "?from=news&to=mall", "?state=done", "?wallet=crane-pay", "?order=ORDER-0417", "?kind=payment", "?range=30d"} {
			if name == "participants" && query == "?kind=payment" {
				continue
			}
			got := v.get(address + query)
			for _, secret := range secrets {
				if strings.Contains(got.body, secret) && !strings.Contains(query, secret) {
					t.Errorf("%s%s tells rival of %s", address, query, secret)
				}
			}
		}
	}
	// A cursor that was sealed for another reader, and one that is none.
	for _, after := range []string{w.crossing.String(), "1.x", w.hub.Seal("mall", "crossings", w.crossing.String())} {
		if got := v.get("/console/crossings?after=" + url.QueryEscape(after)); got.status != http.StatusBadRequest {
			t.Errorf("cursor %q: %d", after, got.status)
		}
	}
	// What only an operator does.
	token := v.get("/console").token(t)
	for _, path := range []string{
		"/console/windows/" + w.window() + "/close_window", "/console/exceptions/" + w.paid.String() + "/dismiss", "/console/system/effects/1/retry",
	} {
		if got := v.post(path, url.Values{"token": {token}, "note": {"mine now"}}); got.status != http.StatusForbidden {
			t.Errorf("rival posts to %s: %d", path, got.status)
		}
	}
}

var varying = regexp.MustCompile(`req_[0-9a-f]+|value="[^"]*"|href="[^"]*"|hx-get="[^"]*"`)

// plain is a page without what differs from request to request, and without what it was asked for.
func plain(body, path string) string {
	body = html.UnescapeString(varying.ReplaceAllString(words(body), ""))
	body = echo.ReplaceAllString(body, "")
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r == '=' || r == '?' }) {
		body = strings.ReplaceAll(body, part, "…")
	}
	return body
}

var echo = regexp.MustCompile(`“[^”]*”`)

func lackScopes(t *testing.T, w *world) {
	v := w.with(w.issue("mall", party.LinksRead))
	if got := v.get("/console"); got.status != http.StatusOK || strings.Contains(got.body, w.crossing.String()) {
		t.Errorf("home without the ledger's scope: %d", got.status)
	}
	if got := v.get("/console/links"); got.status != http.StatusOK || !strings.Contains(got.body, w.code) {
		t.Errorf("links: %d", got.status)
	}
	for _, path := range []string{"/console/payments", "/console/crossings", "/console/balances", "/console/windows", "/console/exceptions", "/console/agreements", "/console/statements", "/console/crossings/" + w.crossing.String() + "/receipt.json"} {
		if got := v.get(path); got.status != http.StatusForbidden {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if got := v.get("/console/find?q=" + w.paid.String()); strings.Contains(got.body, "ORDER-0417") {
		t.Error("a search finds what the credential may not read")
	}
	// An operator's credential without the operator's scope is nobody special.
	if got := w.with(w.issue("office", party.AllScopes)).get("/console/crossings"); strings.Contains(got.body, w.crossing.String()) {
		t.Error("an operator without the scope reads everything")
	}
}

func takeReceipt(t *testing.T, w *world) {
	for _, handle := range []string{"kiln", "news", "office"} {
		got := w.as(handle).get("/console/crossings/" + w.crossing.String() + "/receipt.json")
		r, err := proof.ParseReceipt([]byte(got.body))
		if err != nil {
			t.Fatalf("%s: %d %v", handle, got.status, err)
		}
		opened, err := r.Verify(w.hub.Verifiers())
		if err != nil {
			t.Fatal(err)
		}
		if (opened.Position != 0) != (handle == "office") {
			t.Errorf("%s's receipt opens position %d", handle, opened.Position)
		}
		for _, g := range opened.Groups {
			if who, own := strings.CutPrefix(g.Audience, "@"); own && handle != "office" && who != handle {
				t.Errorf("%s's receipt opens %s's side", handle, who)
			}
		}
	}
}

func blockAndAppeal(t *testing.T, w *world) {
	block := do[link.BlockAnswer](w, "news", &link.BlockLinks{
		Agreement: w.agreement, Destination: w.place, Reason: "scams_and_fraud", Facts: "Three readers say that the coupon is not honoured.",
		Evidence: strings.Repeat("ab", 32), Expires: w.now() + moongate.Day,
	}).Block
	w.level()
	public := w.visitor()
	if got := public.get("/l/" + w.code); got.status != http.StatusForbidden || !strings.Contains(got.body, "Three readers say") || !strings.Contains(got.body, "/console/links/"+block.String()) {
		t.Errorf("a reader meets: %d %s", got.status, words(got.body))
	}
	for _, handle := range []string{"rival", "news"} {
		if got := w.as(handle).get("/console/links"); strings.Contains(got.body, block.String()+"/appeal") {
			t.Errorf("%s may appeal", handle)
		}
	}
	mall := w.as("mall")
	page := mall.get("/console/links")
	if !strings.Contains(page.body, "/console/links/"+block.String()+"/appeal") {
		t.Fatalf("whose destination is shut may not appeal: %s", words(page.body))
	}
	if got := mall.post("/console/links/"+block.String()+"/appeal", url.Values{"token": {page.token(t)}, "note": {"too short"}}); got.status != http.StatusBadRequest {
		t.Errorf("an appeal without a reason: %d", got.status)
	}
	if got := mall.post("/console/links/"+block.String()+"/appeal", url.Values{"token": {page.token(t)}, "note": {"The coupon is honoured; the readers used it twice."}}); got.status != http.StatusSeeOther {
		t.Fatalf("appeal: %d %s", got.status, words(got.body))
	}
	if got := mall.get("/console/links"); !strings.Contains(got.body, "used it twice") {
		t.Errorf("the appeal does not show: %s", words(got.body))
	}
	if got := w.as("rival").post("/console/links/"+block.String()+"/lift", url.Values{"token": {w.as("rival").get("/console").token(t)}, "note": {"away with it"}}); got.status != http.StatusForbidden {
		t.Errorf("somebody else lifts it: %d", got.status)
	}
	news := w.as("news")
	if got := news.post("/console/links/"+block.String()+"/lift", url.Values{"token": {news.get("/console/links").token(t)}, "note": {"we were mistaken"}}); got.status != http.StatusSeeOther {
		t.Errorf("lifting: %d %s", got.status, words(got.body))
	}
	if got := public.get("/l/" + w.code); got.status != http.StatusFound || !strings.HasPrefix(got.header.Get("Location"), "https://mall.example/tea?") {
		t.Errorf("the link after it: %d %q", got.status, got.header.Get("Location"))
	}
	w.until("the log tells of the block", func() bool { return strings.Contains(public.get("/log").body, "Three readers say") })
}

func payAtCashier(t *testing.T, w *world) {
	payment := w.sell("ORDER-0600", 9900, "")
	path := strings.TrimPrefix(w.hub.Payments.Address(payment), w.url)
	shopper := w.visitor()
	page := shopper.get(path)
	for _, want := range []string{"99.00", "Crane Pay", "Lotus Market", "Teapot No. 7", `value="crane-pay"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the cashier does not show %q: %s", want, words(page.body))
		}
	}
	if h := page.header; page.status != http.StatusOK || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(h.Get("X-Robots-Tag"), "noindex") {
		t.Errorf("the cashier: %d %v", page.status, h)
	}
	if got := shopper.post(path, url.Values{"wallet": {"piggy-bank"}}); got.status == http.StatusSeeOther || !strings.Contains(got.body, "<html") {
		t.Errorf("a wallet that is not offered: %d", got.status)
	}
	if got := shopper.post(path, url.Values{"wallet": {"crane-pay"}}); got.status != http.StatusSeeOther {
		t.Fatalf("choosing: %d %s", got.status, words(got.body))
	}
	w.until("the code shows", func() bool { return strings.Contains(shopper.get(path).body, `class="code"`) })
	if got := shopper.get(path); !strings.Contains(got.body, `http-equiv="refresh"`) {
		t.Error("without script the page never learns what became of the payment")
	}
	w.approve(payment)
	if got := shopper.get(path); !strings.Contains(got.body, "Paid") || strings.Contains(got.body, `http-equiv="refresh"`) {
		t.Errorf("after paying: %s", words(got.body))
	}
	if got := shopper.get("/pay/" + payment.String() + ".AAAAAAAAAAAAAAAAAAAAAA"); got.status != http.StatusNotFound || strings.Contains(got.body, "99.00") {
		t.Errorf("a forged address: %d", got.status)
	}
}

func closeWindow(t *testing.T, w *world) {
	id := w.window()
	path := "/console/windows/" + id
	office := w.as("office")
	page := office.get(path)
	for _, want := range []string{"Old Kiln Pottery", "Crane Pay", "Lotus Market", `class="owed"`, `class="owes"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the open window does not show %q: %s", want, words(page.body))
		}
	}
	if got := w.as("kiln").get(path); got.status != http.StatusOK || strings.Contains(got.body, "Crane Pay") || strings.Contains(got.body, "close_window") {
		t.Errorf("the seller's own part: %d %s", got.status, words(got.body))
	}
	if got := office.post(path+"/close_window", url.Values{"token": {page.token(t)}}); got.status != http.StatusSeeOther {
		t.Fatalf("closing: %d %s", got.status, words(got.body))
	}
	w.level()
	page = office.get(path)
	for _, want := range []string{"Old Kiln Pottery", "Crane Pay", "The window closed", "ins_"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the closed window does not show %q: %s", want, words(page.body))
		}
	}
	if sum := regexp.MustCompile(`Together\s+(\S+) &nbsp;CNY`).FindStringSubmatch(words(page.body)); sum == nil || sum[1] != "0.00" {
		t.Errorf("positions add up to %q: %s", sum, words(page.body))
	}
	own := w.as("mall").get(path)
	if own.status != http.StatusOK || !strings.Contains(own.body, "Lotus Market") || strings.Contains(own.body, "Old Kiln Pottery") {
		t.Errorf("the marketplace's own part: %d %s", own.status, words(own.body))
	}
	if got := w.as("rival").get(path); got.status != http.StatusNotFound {
		t.Errorf("a stranger reads it: %d", got.status)
	}
	for _, handle := range []string{"mall", "office"} {
		if got := w.as(handle).get("/console/windows"); !strings.Contains(got.body, id) {
			t.Errorf("%s's list has lost it: %s", handle, words(got.body))
		}
	}
	if got := w.as("rival").get("/console/windows"); strings.Contains(got.body, id) {
		t.Error("a stranger's list has it")
	}
}
