package link_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

func web(url string) []link.Address { return []link.Address{{Device: link.Web, URL: url}} }

func TestDestination(t *testing.T) {
	w := newWorld(t, link.Limits{})
	tbopen := link.Address{Device: link.IOS, URL: "mallapp://item/1"}
	for _, tt := range []struct {
		caller string
		c      replica.Command
		code   moongate.Code
		says   string
	}{
		{"nobody", &link.RegisterDestination{Name: "x", Addresses: web("https://mall.example/")}, moongate.NotFound, "nobody"},
		{"mall", &link.RegisterDestination{Addresses: web("https://mall.example/")}, moongate.Malformed, "name"},
		{"mall", &link.RegisterDestination{Name: "x"}, moongate.Malformed, "0 addresses"},
		{"mall", &link.RegisterDestination{Name: "x", Addresses: []link.Address{tbopen}}, moongate.Malformed, "not for the web"},
		{"mall", &link.RegisterDestination{Name: "x", Addresses: append(web("https://mall.example/"), tbopen)}, moongate.Refused, "scheme"},
		{"mall", &link.RegisterDestination{Name: "x", Addresses: append(web("https://mall.example/"), web("https://mall.example/")...)}, moongate.Malformed, "twice"},
		{"mall", &link.RegisterDestination{Name: "x", Addresses: append(web("https://mall.example/"), link.Address{Device: "tv", URL: "x://y"})}, moongate.Malformed, "device"},
		{"mall", &link.RegisterDestination{Name: "x", Addresses: web("https://mall.example@evil.example/")}, moongate.Malformed, "user"},
		{"mall", &link.AllowSchemes{Handle: "mall", Schemes: []string{"mallapp"}}, moongate.Forbidden, "operator"},
		{"op", &link.AllowSchemes{Handle: "none", Schemes: []string{"mallapp"}}, moongate.NotFound, "none"},
		{"op", &link.AllowSchemes{Handle: "mall", Schemes: []string{"javascript"}}, moongate.Malformed, "javascript"},
		{"op", &link.AllowSchemes{Handle: "mall", Schemes: []string{"a1", "a1"}}, moongate.Malformed, "twice"},
		{"op", &link.AllowSchemes{Handle: "mall", Schemes: make([]string, 17)}, moongate.Malformed, "17"},
	} {
		w.refuse(tt.caller, tt.c, tt.code, tt.says)
	}
	w.submit("op", &link.AllowSchemes{Handle: "mall", Schemes: []string{"mallapp"}})
	id := w.submit("mall", &link.RegisterDestination{Name: "Tea", NameZH: "茶", Addresses: append(web("https://mall.example/tea"), tbopen)}).(link.DestinationAnswer).Destination
	d, _ := w.links.Destination(id)
	if d.Owner != "mall" || d.Host != "mall.example" || len(d.Addresses) != 2 || d.Hash == [8]byte{} {
		t.Errorf("%+v", d)
	}
	w.refuse("bazaar", &link.ChangeDestination{Destination: id, Name: "x", Addresses: web("https://mall.example/")}, moongate.NotFound, "yours")
	w.refuse("op", &link.ChangeDestination{Destination: id, Name: "x", Addresses: web("https://mall.example/")}, moongate.Forbidden, "owner")
	w.refuse("mall", &link.ChangeDestination{Destination: id, Name: "x", Addresses: web("https://other.mall.example/")}, moongate.Refused, "another host")
	w.submit("mall", &link.ChangeDestination{Destination: id, Name: "Green tea", Addresses: web("https://mall.example/green")})
	if changed, _ := w.links.Destination(id); changed.Name != "Green tea" || changed.Since != d.Since || changed.Hash == d.Hash {
		t.Errorf("%+v", changed)
	}
	w.refuse("news", &link.CloseDestination{Destination: id}, moongate.NotFound, "yours")
	w.submit("op", &link.CloseDestination{Destination: id})
	w.refuse("mall", &link.CloseDestination{Destination: id}, moongate.Conflict, "closed")
	w.refuse("news", &link.PlaceLink{Destination: id, Agreement: w.terms}, moongate.NotFound, "open destination")
}

func TestPlaceLink(t *testing.T) {
	w := newWorld(t, link.Limits{Links: 20}) // of which one publisher may have two
	d := w.destination("mall", "https://mall.example/tea")
	elsewhere := w.destination("mall", "https://elsewhere.example/")
	for _, tt := range []struct {
		caller string
		c      link.PlaceLink
		code   moongate.Code
		says   string
	}{
		{"news", link.PlaceLink{Destination: d, Agreement: w.terms, Campaign: "Spring sale"}, moongate.Malformed, "campaign"},
		{"news", link.PlaceLink{Destination: moongate.ID{1}, Agreement: w.terms}, moongate.NotFound, "destination"},
		{"news", link.PlaceLink{Destination: d, Agreement: moongate.ID{1}}, moongate.NotFound, "agreement"},
		{"watch", link.PlaceLink{Destination: d, Agreement: w.terms}, moongate.NotFound, "no agreement"},
		{"mall", link.PlaceLink{Destination: d, Agreement: w.terms}, moongate.Refused, "no wall"},
		{"news", link.PlaceLink{Destination: elsewhere, Agreement: w.terms}, moongate.Refused, "elsewhere.example"},
	} {
		w.refuse(tt.caller, &tt.c, tt.code, tt.says)
	}
	code := w.link("news", d)
	if l, _ := w.links.Link(code); len(code) != 10 || l.Publisher != "news" || l.Owner != "mall" || l.Campaign != "spring" {
		t.Errorf("%+v", l)
	}
	second := w.link("news", d)
	w.refuse("news", &link.PlaceLink{Destination: d, Agreement: w.terms}, moongate.Limit, "links")
	w.refuse("blog", &link.CloseLink{Code: second}, moongate.NotFound, second)
	w.submit("news", &link.CloseLink{Code: second})
	w.refuse("news", &link.CloseLink{Code: second}, moongate.Conflict, "closed")
	w.link("news", w.destination("mall", "https://deep.mall.example/"))
}

// A link opens, or says why not, as things are at that moment.
func TestResolve(t *testing.T) {
	w := newWorld(t, link.Limits{})
	w.submit("op", &link.AllowSchemes{Handle: "mall", Schemes: []string{"mallapp"}})
	d := w.submit("mall", &link.RegisterDestination{Name: "Tea", Addresses: append(web("https://mall.example/tea?a=1#x"),
		link.Address{Device: link.IOS, URL: "mallapp://tea/1"}, link.Address{Device: link.Android, URL: "mallapp://tea/1", Package: "com.mall.app"})}).(link.DestinationAnswer).Destination
	code := w.link("news", d)
	for _, tt := range []struct {
		device  link.Device
		address string
		direct  bool
	}{
		{link.Web, "https://mall.example/tea?a=1&mg_click=T#x", true},
		{link.WeChat, "https://mall.example/tea?a=1&mg_click=T#x", true},
		{link.IOS, "mallapp://tea/1?mg_click=T", false},
		{link.Android, "intent://tea/1?mg_click=T#Intent;scheme=mallapp;package=com.mall.app;S.browser_fallback_url=https%3A%2F%2Fmall.example%2Ftea%3Fa%3D1%26mg_click%3DT%23x;end", true},
	} {
		r, err := w.resolve(code, tt.device)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.With("T"); got != tt.address || r.Direct() != tt.direct || r.TTL != 5*moongate.Minute || r.Confirm {
			t.Errorf("%s: %s, direct %v, %+v", tt.device, got, r.Direct(), r)
		}
	}
	if r, err := w.resolve(code, link.Web); err != nil || r.With("") != "https://mall.example/tea?a=1#x" {
		t.Errorf("without a token: %s %v", r.With(""), err)
	}
	w.submit("op", &link.AllowSchemes{Handle: "mall"}) // taken back: what was registered is checked again
	if r, err := w.resolve(code, link.IOS); err != nil || !strings.HasPrefix(r.With("T"), "https://") {
		t.Errorf("after the scheme was taken back: %v %v", r.With("T"), err)
	}
	expect := func(when string, code moongate.Code, says string, key string) {
		t.Helper()
		if _, err := w.resolve(key, link.Web); moongate.CodeOf(err) != code || code != "" && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", when, err)
		}
	}
	expect("unknown", moongate.NotFound, "nolink", "nolink")
	w.submit("op", &party.Suspend{Handle: "mall", Reason: "forged goods"})
	expect("suspended", moongate.Forbidden, "forged goods", code)
	w.submit("op", &party.Resume{Handle: "mall"})
	expect("resumed", "", "", code)
	closed := w.link("news", d)
	w.submit("news", &link.CloseLink{Code: closed})
	expect("closed", moongate.Refused, "closed by its publisher", closed)
	w.submit("mall", &link.CloseDestination{Destination: d})
	expect("destination closed", moongate.Refused, "closed by its owner", code)
	later := w.link("news", w.destination("mall", "https://mall.example/"))
	w.tick(start + 400*moongate.Day)
	expect("agreement over", moongate.Refused, "ended", later)
}

// A batch of clicks is one crossing for each pair of participants and agreement, and what met a block is told.
func TestClicks(t *testing.T) {
	w := newWorld(t, link.Limits{})
	tea, shoes, rugs := w.destination("mall", "https://mall.example/tea"), w.destination("mall", "https://shoes.mall.example/"), w.destination("bazaar", "https://bazaar.example/")
	codes := []string{w.link("news", tea), w.link("news", shoes), w.link("blog", tea), w.link("news", rugs)}
	block := w.block("blog", link.BlockLinks{Destination: tea})
	r := w.recorder(0)
	var made []link.Click
	for i, n := range []int{2, 1, 0, 3} {
		for range n {
			res, err := w.resolve(codes[i], link.IOS)
			if err != nil || res.Block != nil {
				t.Fatal(err, res.Block)
			}
			made = append(made, r.Click(&res, link.IOS, w.Now))
		}
	}
	for range 3 {
		r.Met(codes[2], block, w.Now)
	}
	if s := r.Stats(); s.Waiting != 6 || s.Oldest != w.Now || s.Recorded != 0 {
		t.Errorf("before: %+v", s)
	}
	before := len(w.events())
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.Waiting != 0 || s.Recorded != 6 {
		t.Errorf("after: %+v", s)
	}
	var got []string
	for _, e := range w.events()[before:] {
		switch e := e.(type) {
		case *crossing.Recorded:
			got = append(got, fmt.Sprintf("%s from %s to %s", e.Kind, e.From, e.To))
		case *link.Clicked:
			got = append(got, fmt.Sprintf("%d clicks from %s to %s", len(e.Clicks), e.Publisher, e.Owner))
		case *link.Met:
			got = append(got, fmt.Sprintf("%d met the block for %s", e.Stopped.Count, e.Reason))
			if diff := cmp.Diff([]string{"blog", "mall"}, e.Readers("parties")); diff != "" {
				t.Error(diff)
			}
		case *link.Counted:
			got = append(got, fmt.Sprintf("through %d", e.Through))
		}
	}
	want := []string{"link from news to mall", "3 clicks from news to mall", "link from news to bazaar", "3 clicks from news to bazaar", "3 met the block for scams_and_fraud", "through 6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, c := range made {
		if w.links.Lost(&c) {
			t.Errorf("click %d counts as lost", c.Number)
		}
	}

	// A batch that leaves a gap, or comes from outside, is refused; one that comes again changes nothing.
	c := made[0]
	line := link.Line{ID: c.ID, Link: c.Link, At: c.At, Device: link.IOS}
	w.refuse("news", &link.RecordClicks{Recorder: c.Recorder, First: 7, Clicks: []link.Line{line}}, moongate.Forbidden, "hub itself")
	w.refuse("", &link.RecordClicks{Recorder: c.Recorder, First: 8, Clicks: []link.Line{line}}, moongate.Conflict, "is at 6")
	w.refuse("", &link.RecordClicks{Recorder: c.Recorder, First: 6, Clicks: []link.Line{line, line}}, moongate.Conflict, "is at 6")
	before = len(w.events())
	w.submit("", &link.RecordClicks{Recorder: c.Recorder, First: 6, Clicks: []link.Line{line}})
	w.submit("", &link.RecordClicks{Recorder: c.Recorder, First: 1, Clicks: []link.Line{line, line}})
	if after := len(w.events()); after != before {
		t.Errorf("batches that came again left %d events", after-before)
	}
	w.refuse("", &link.RecordClicks{First: 7, Clicks: []link.Line{line}}, moongate.Malformed, "clicks")
	w.refuse("", &link.RecordClicks{Recorder: 1, First: 1}, moongate.Malformed, "0 clicks")
}

// Clicks that are no crossing any more when they are recorded are told to both sides, and count as recorded.
func TestTurnedDown(t *testing.T) {
	w := newWorld(t, link.Limits{})
	code := w.link("news", w.destination("mall", "https://mall.example/tea"))
	r := w.recorder(0)
	res, err := w.resolve(code, link.Web)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Click(&res, link.Web, w.Now)
	w.submit("op", &party.Suspend{Handle: "mall", Reason: "forged goods"})
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	refused, told := 0, 0
	for _, e := range w.events() {
		switch e := e.(type) {
		case *crossing.Refused:
			refused++
		case *link.TurnedDown:
			told++
			if e.Clicks != 1 || !strings.Contains(e.Reason.Message, "forged goods") {
				t.Errorf("%+v", e)
			}
		case *link.Clicked:
			t.Errorf("%+v", e)
		}
	}
	if refused != 1 || told != 1 || w.links.Lost(&c) {
		t.Errorf("%d refused, %d told, lost %v", refused, told, w.links.Lost(&c))
	}
}

// Where the terms charge for a link, each click is a crossing of its own and pays.
func TestChargedClicks(t *testing.T) {
	w := newWorld(t, link.Limits{})
	w.terms = w.agree(strings.NewReplacer("id: news-to-mall", "id: by-the-click", "for: [conversion], bps: 500", `for: [link], fixed: {CNY: "0.20"}`).Replace(terms), w.submit)
	code := w.link("news", w.destination("mall", "https://mall.example/tea"))
	r := w.recorder(0)
	res, err := w.resolve(code, link.Web)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r.Click(&res, link.Web, w.Now)
	}
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	earned := int64(0)
	for _, b := range w.books.Accounts("news", 0, 10) {
		earned += b.Balance.Net(b.Account.Purpose)
	}
	if earned != 100 {
		t.Errorf("five clicks at 0.20 earned %d fen", earned)
	}
}

func TestRecordClick(t *testing.T) {
	w := newWorld(t, link.Limits{})
	tea := w.destination("mall", "https://mall.example/tea")
	code := w.link("news", tea)
	w.refuse("blog", &link.RecordClick{Link: code, Device: link.Web}, moongate.NotFound, "yours")
	w.refuse("news", &link.RecordClick{Link: code, Device: "tv"}, moongate.Malformed, "device")
	c := w.submit("news", &link.RecordClick{Link: code, Device: link.IOS}).(link.ClickAnswer).Click
	if c.Recorder != 0 || c.Publisher != "news" || c.Owner != "mall" || c.Expires != start+5*moongate.Minute || w.links.Lost(&c) {
		t.Errorf("%+v", c)
	}
	opened, err := w.tokens().Open(w.tokens().Seal(&c))
	if err != nil || opened != c {
		t.Errorf("%+v %v", opened, err)
	}
	id := w.block("news", link.BlockLinks{Destination: tea})
	left := w.refuse("news", &link.RecordClick{Link: code, Device: link.IOS}, moongate.Refused, "bank passwords")
	if m, ok := left[0].(*link.Met); !ok || m.Stopped.Block != id || m.Stopped.Count != 1 {
		t.Errorf("left %+v", left)
	}
	w.submit("op", &party.Suspend{Handle: "mall", Reason: "x"})
	w.refuse("news", &link.RecordClick{Link: code, Device: link.IOS}, moongate.Forbidden, "suspended")
}

func TestConversion(t *testing.T) {
	w := newWorld(t, link.Limits{Conversions: 12}) // of which one owner may have three
	code := w.link("news", w.destination("mall", "https://mall.example/tea"))
	c := w.submit("news", &link.RecordClick{Link: code, Device: link.IOS}).(link.ClickAnswer).Click
	good := link.Convert{Click: c, Reference: "order-1", Amount: cny(10_000), At: start + moongate.Hour}
	w.tick(start + moongate.Hour)
	for _, tt := range []struct {
		change func(*link.Convert)
		caller string
		code   moongate.Code
		says   string
	}{
		{func(c *link.Convert) { c.Reference = "" }, "mall", moongate.Malformed, "reference"},
		{func(c *link.Convert) { c.Reference = "order 1" }, "mall", moongate.Malformed, "reference"},
		{func(c *link.Convert) { c.Amount = cny(0) }, "mall", moongate.Malformed, "amount"},
		{func(c *link.Convert) { c.Amount = cny(-1) }, "mall", moongate.Malformed, "amount"},
		{func(c *link.Convert) { c.Amount.Currency = money.Currency{} }, "mall", moongate.Malformed, "currency"},
		{func(c *link.Convert) { c.At = start - 1 }, "mall", moongate.Refused, "clock"},
		{func(c *link.Convert) { c.At = start + 2*moongate.Hour }, "mall", moongate.Refused, "clock"},
		{func(*link.Convert) {}, "news", moongate.Forbidden, "led to mall"},
		{func(c *link.Convert) { c.Amount = money.Of(100, money.EUR) }, "mall", moongate.Refused, "EUR"},
	} {
		c := good
		tt.change(&c)
		w.refuse(tt.caller, &c, tt.code, tt.says)
	}
	a := w.submit("mall", &good).(link.ConversionAnswer)
	again := good
	again.Amount = cny(20_000)
	w.refuse("mall", &again, moongate.Conflict, a.Conversion.String())
	if o, ok := w.crossings.Lookup(a.Crossing); !ok || o.Kind != crossing.Conversion || o.From != "news" || o.To != "mall" || o.Amount != 10_000 {
		t.Errorf("%+v", o)
	}
	earned := int64(0)
	for _, b := range w.books.Accounts("news", 0, 10) {
		earned += b.Balance.Net(b.Account.Purpose)
	}
	if earned != 500 {
		t.Errorf("5 %% of 100.00 earned %d fen", earned)
	}
	for i := range 2 {
		more := good
		more.Reference = fmt.Sprint("more-", i)
		w.submit("mall", &more)
	}
	more := good
	more.Reference = "one-too-many"
	w.refuse("mall", &more, moongate.Limit, "conversions")
	w.tick(start + 31*moongate.Day)
	w.refuse("mall", &more, moongate.Refused, "720 hours")
	w.tick(start + 92*moongate.Day) // references are forgotten
	c = w.submit("news", &link.RecordClick{Link: code, Device: link.IOS}).(link.ClickAnswer).Click
	w.submit("mall", &link.Convert{Click: c, Reference: "order-1", Amount: cny(1), At: w.Now})

	for _, e := range w.events() { // the sale is for its owner to read, and nobody else
		if e, ok := e.(*link.Converted); ok && (journal.Opens(e, "owner", "news") || !journal.Opens(e, "owner", "mall")) {
			t.Error("the publisher reads the sale")
		}
	}
}

// A click that was never recorded comes back with its sale, once; to a party that must know totals only it stays
// unknown.
func TestLostClick(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(fmt.Sprintf("private %v", private), func(t *testing.T) {
			w := newWorld(t, link.Limits{})
			if private {
				w.terms = w.agree(strings.NewReplacer("id: news-to-mall", "id: quiet", "members: [news, blog]", "id: news, name: News", "links:", "disclosure: [{of: marketplace, to: publisher, level: total_only}]\nlinks:").Replace(terms), w.submit)
			}
			code := w.link("news", w.destination("mall", "https://mall.example/tea"))
			res, err := w.resolve(code, link.Web)
			if err != nil {
				t.Fatal(err)
			}
			r := w.recorder(1)
			kept, over := r.Click(&res, link.Web, w.Now), r.Click(&res, link.Web, w.Now) // the second finds no room
			if s := r.Stats(); s.Waiting != 1 || s.Uncounted != 1 {
				t.Errorf("%+v", s)
			}
			for i, c := range []link.Click{kept, over} {
				if !w.links.Lost(&c) {
					t.Fatalf("click %d is not lost", i)
				}
				w.submit("mall", &link.Convert{Click: c, Reference: fmt.Sprint("order-", i), Amount: cny(10_000), At: w.Now})
				if w.links.Lost(&c) {
					t.Errorf("click %d is lost still", i)
				}
				w.submit("mall", &link.Convert{Click: c, Reference: fmt.Sprint("again-", i), Amount: cny(10_000), At: w.Now})
			}
			recovered, conversions := 0, 0
			for _, e := range w.events() {
				switch e := e.(type) {
				case *link.Recovered:
					recovered++
					if journal.Opens(e, "finder", "news") == private || !journal.Opens(e, "finder", "mall") || e.LostClick.Click.Link != code {
						t.Errorf("%+v", e)
					}
				case *link.Converted:
					conversions++
				}
			}
			if recovered != 2 || conversions != 4 {
				t.Errorf("%d recovered, %d conversions", recovered, conversions)
			}
		})
	}
}

// The state that was written down goes on as the one that was not.
func TestResume(t *testing.T) {
	w := newWorld(t, link.Limits{})
	tea := w.destination("mall", "https://mall.example/tea")
	code := w.link("news", tea)
	w.block("blog", link.BlockLinks{Destination: tea, Expires: start + 5*moongate.Day})
	contested := w.block("news", link.BlockLinks{Host: "*.mall.example", Expires: start + 5*moongate.Day})
	shoes := w.destination("mall", "https://shoes.mall.example/")
	w.submit("mall", &link.Appeal{Block: contested, Destination: shoes, Statement: "These are only shoes, after all."})
	c := w.submit("news", &link.RecordClick{Link: code, Device: link.IOS}).(link.ClickAnswer).Click
	c.Recorder, c.Number = 77, 1
	w.submit("mall", &link.Convert{Click: c, Reference: "order-1", Amount: cny(100), At: w.Now})
	w.submit("", &link.RecordClicks{Recorder: 78, First: 1, Clicks: []link.Line{{ID: c.ID, Link: code, At: w.Now, Device: link.Web}}})

	other := newRooms(w.limits)
	resumed, err := w.Resume(other.machine)
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []moongate.Time{1, 2, 5, 91, 300, 401} {
		for _, l := range []*replica.Local{w.Local, resumed} {
			if err := l.Tick(start + after*moongate.Day); err != nil {
				t.Fatal(err)
			}
			if after == 300 {
				if _, err := l.Do(replica.Request{Command: &link.RecordClicks{Recorder: 78, First: 2, Clicks: []link.Line{{ID: c.ID, Link: code, At: l.Now, Device: link.Web}}}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, err := w.machine.NodeHash()
		if err != nil {
			t.Fatal(err)
		}
		b, err := other.machine.NodeHash()
		if err != nil || a != b {
			t.Fatalf("%d days on, the states differ: %v", after, err)
		}
	}
}
