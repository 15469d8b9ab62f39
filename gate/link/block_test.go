package link_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/link"
)

const facts = "Visitors were asked for their bank passwords."

func (w *world) block(by string, c link.BlockLinks) moongate.ID {
	w.t.Helper()
	if c.Agreement.IsZero() && by != "op" {
		c.Agreement = w.terms
	}
	if c.Reason == "" {
		c.Reason = "scams_and_fraud"
	}
	if c.Expires == 0 {
		c.Expires = w.Now + 6*moongate.Day
	}
	c.Facts, c.Evidence = facts, strings.Repeat("ab", 32)
	return w.submit(by, &c).(link.BlockAnswer).Block
}

func TestBlock(t *testing.T) {
	w := newWorld(t, link.Limits{})
	tea, shoes := w.destination("mall", "https://mall.example/tea"), w.destination("mall", "https://shoes.mall.example/")
	newsTea, blogTea, newsShoes := w.link("news", tea), w.link("blog", tea), w.link("news", shoes)
	shut := func() string {
		t.Helper()
		var out []string
		for name, code := range map[string]string{"news-tea": newsTea, "blog-tea": blogTea, "news-shoes": newsShoes} {
			r, err := w.resolve(code, link.Web)
			if err != nil {
				t.Fatal(err)
			}
			if r.Block != nil {
				out = append(out, name)
			}
		}
		return strings.Join(sorted(out), " ")
	}
	expect := func(when, want string) {
		t.Helper()
		if got := shut(); got != want {
			t.Errorf("%s: shut are %q, want %q", when, got, want)
		}
	}
	expect("at first", "")
	good := link.BlockLinks{Agreement: w.terms, Destination: tea, Reason: "malware", Facts: facts, Evidence: strings.Repeat("0", 64), Expires: start + moongate.Day}
	for _, tt := range []struct {
		change func(*link.BlockLinks)
		caller string
		code   moongate.Code
		says   string
	}{
		{func(c *link.BlockLinks) { c.Facts = "Bad." }, "news", moongate.Malformed, "facts"},
		{func(c *link.BlockLinks) { c.Host = "mall.example" }, "news", moongate.Malformed, "one of the two"},
		{func(c *link.BlockLinks) { c.Destination = moongate.ID{} }, "news", moongate.Malformed, "one of the two"},
		{func(c *link.BlockLinks) { c.Destination, c.Host = moongate.ID{}, "*" }, "news", moongate.Malformed, "host"},
		{func(c *link.BlockLinks) { c.Evidence = "proof" }, "news", moongate.Malformed, "SHA-256"},
		{func(c *link.BlockLinks) { c.Evidence = strings.Repeat("AB", 32) }, "news", moongate.Malformed, "SHA-256"},
		{func(c *link.BlockLinks) { c.Reason = "competition" }, "news", moongate.Malformed, "not a reason"},
		{func(c *link.BlockLinks) { c.Reason = "self_harm" }, "news", moongate.Refused, "does not allow"},
		{func(c *link.BlockLinks) { c.Evidence = "" }, "news", moongate.Refused, "evidence"},
		{func(c *link.BlockLinks) { c.Expires = 0 }, "news", moongate.Refused, "ends by itself"},
		{func(c *link.BlockLinks) { c.Expires = start + 8*moongate.Day }, "news", moongate.Refused, "within 7d"},
		{func(c *link.BlockLinks) { c.Destination = moongate.ID{9} }, "news", moongate.NotFound, "destination"},
		{func(c *link.BlockLinks) { c.Agreement = moongate.ID{} }, "news", moongate.Forbidden, "operator"},
		{func(*link.BlockLinks) {}, "watch", moongate.NotFound, "no agreement"},
		{func(*link.BlockLinks) {}, "mall", moongate.Refused, "own"},
	} {
		c := good
		tt.change(&c)
		w.refuse(tt.caller, &c, tt.code, tt.says)
	}
	id := w.block("news", link.BlockLinks{Destination: tea, Reason: "malware", Expires: start + moongate.Day})
	expect("news shuts tea", "news-tea")
	w.refuse("news", &good, moongate.Conflict, id.String())
	wide := w.block("news", link.BlockLinks{Host: "*.mall.example", Expires: start + 2*moongate.Day})
	expect("and all below the mall", "news-shoes news-tea")
	w.refuse("blog", &link.Lift{Block: wide, Note: "unfair"}, moongate.Forbidden, "news")
	w.submit("news", &link.Lift{Block: wide, Note: "a mistake"})
	expect("lifted", "news-tea")
	w.refuse("news", &link.Lift{Block: wide, Note: "again"}, moongate.NotFound, "block")
	everywhere := w.block("op", link.BlockLinks{Host: "mall.example", Reason: "court_order"})
	expect("the operator shuts the host", "blog-tea news-tea")
	w.tick(start + moongate.Day)
	expect("news's block is over", "blog-tea news-tea")
	w.submit("op", &link.Lift{Block: everywhere, Note: "the court let go"})
	expect("all lifted", "")

	var public []string
	for _, e := range w.events() {
		switch e := e.(type) {
		case *link.Blocked:
			public = append(public, fmt.Sprintf("blocked by %s: %s (%s), against %q", e.By, e.Host, e.Reason, e.Against))
		case *link.Unblocked:
			public = append(public, fmt.Sprintf("%s %s", e.How, e.Note))
		}
	}
	want := []string{
		`blocked by news: mall.example (malware), against "mall"`, `blocked by news: *.mall.example (scams_and_fraud), against ""`, "lifted a mistake",
		`blocked by op: mall.example (court_order), against ""`, "expired ", "lifted the court let go",
	}
	if diff := cmp.Diff(want, public); diff != "" {
		t.Error(diff)
	}
}

func sorted(s []string) []string {
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	return s
}

func TestAppeal(t *testing.T) {
	const statement = "The page belongs to our bank, which confirms it."
	for _, tt := range []struct {
		name  string
		then  func(w *world, id moongate.ID)
		open  bool // before the block's own end
		ended link.End
	}{
		{"overturned", func(w *world, id moongate.ID) {
			w.submit("watch", &link.DecideAppeal{Block: id, Grounds: "The bank confirms it, the block was wrong."})
		}, true, link.Overturned},
		{"upheld", func(w *world, id moongate.ID) {
			w.submit("op", &link.DecideAppeal{Block: id, Upheld: true, Grounds: "The bank does not know the page."})
			w.refuse("mall", &link.Appeal{Block: id, Destination: w.tea(), Statement: statement}, moongate.Conflict, "was appealed")
		}, false, link.Expired},
		{"undecided", func(w *world, id moongate.ID) {
			w.tick(start + 2*moongate.Day)
			w.refuse("watch", &link.DecideAppeal{Block: id, Upheld: true, Grounds: "The bank does not know the page."}, moongate.NotFound, "block")
		}, true, link.Undecided},
		{"undecided, before time was told to pass", func(w *world, id moongate.ID) {
			w.Now = start + 2*moongate.Day
			w.refuse("watch", &link.DecideAppeal{Block: id, Upheld: true, Grounds: "The bank does not know the page."}, moongate.NotFound, "block")
		}, true, link.Undecided},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, link.Limits{})
			tea := w.destination("mall", "https://mall.example/tea")
			code := w.link("news", tea)
			id := w.block("news", link.BlockLinks{Host: "mall.example"})
			other := w.destination("bazaar", "https://bazaar.example/")
			w.refuse("bazaar", &link.Appeal{Block: id, Destination: other, Statement: statement}, moongate.Forbidden, "does not shut")
			w.refuse("bazaar", &link.Appeal{Block: id, Destination: tea, Statement: statement}, moongate.Forbidden, "does not shut")
			w.refuse("mall", &link.Appeal{Block: id, Destination: tea, Statement: "no"}, moongate.Malformed, "statement")
			w.refuse("watch", &link.DecideAppeal{Block: id, Upheld: true, Grounds: statement}, moongate.Conflict, "no appeal")
			a := w.submit("mall", &link.Appeal{Block: id, Destination: tea, Statement: statement}).(link.AppealAnswer)
			if a.DecideBy != start+2*moongate.Day {
				t.Errorf("to be decided by %s", a.DecideBy)
			}
			for _, partial := range []string{"news", "mall"} {
				w.refuse(partial, &link.DecideAppeal{Block: id, Grounds: statement}, moongate.Forbidden, "cannot decide")
			}
			tt.then(w, id)
			r, err := w.resolve(code, link.Web)
			if err != nil || (r.Block == nil) != tt.open {
				t.Errorf("open is %v: %+v %v", r.Block == nil, r.Block, err)
			}
			w.tick(start + 8*moongate.Day)
			var last *link.Unblocked
			for _, e := range w.events() {
				if e, ok := e.(*link.Unblocked); ok {
					if last != nil {
						t.Error("the block ended twice")
					}
					last = e
				}
			}
			if last == nil || last.How != tt.ended {
				t.Errorf("it ended as %+v", last)
			}
		})
	}
	t.Run("too late", func(t *testing.T) {
		w := newWorld(t, link.Limits{})
		tea := w.destination("mall", "https://mall.example/tea")
		id := w.block("news", link.BlockLinks{Destination: tea})
		w.tick(start + 3*moongate.Day)
		w.refuse("mall", &link.Appeal{Block: id, Destination: tea, Statement: statement}, moongate.Refused, "could be appealed")
	})
	t.Run("who blocks does not judge", func(t *testing.T) {
		w := newWorld(t, link.Limits{})
		tea := w.destination("mall", "https://mall.example/tea")
		id := w.block("op", link.BlockLinks{Destination: tea})
		w.submit("mall", &link.Appeal{Block: id, Destination: tea, Statement: statement})
		w.refuse("op", &link.DecideAppeal{Block: id, Upheld: true, Grounds: statement}, moongate.Forbidden, "his own case")
	})
}

// tea is the first destination registered.
func (w *world) tea() moongate.ID {
	for _, e := range w.events() {
		if e, ok := e.(*link.DestinationRegistered); ok {
			return e.Destination
		}
	}
	return moongate.ID{}
}
