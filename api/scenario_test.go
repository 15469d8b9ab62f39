package api_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
	"github.com/moongate-hub/moongate/proof"
)

// terms are between a publisher and a mall; times are filled in.
const terms = `
moongate: agreement/1
id: news-to-mall
version: 1
name: {en: News to mall, zh: 新闻到商城}
parties:
  - {role: publisher, id: news}
  - {role: marketplace, id: mall}
valid: {from: %q, until: %q, notice: 30d}
scope: {kinds: [link, conversion], currencies: [CNY], hosts: [mall.example], beneficiary: marketplace}
fees:
  - {id: commission, label: {en: Commission}, from: marketplace, to: publisher, for: [conversion], bps: 500}
links: {open: direct, click_ttl: 5m, block: {reasons: [scams_and_fraud], longest: 7d, evidence: true, appeal: 3d, decide: 2d}}
settlement: {window: 1d, netting: bilateral}
offer: {kind: closed}
`

// signer is a client that signs with a participant's key.
func (w *world) signer(handle string) *client.Client {
	w.t.Helper()
	private := w.keys[handle]
	c, err := client.New(client.Options{URL: w.url, Random: rand.Reader, Signer: &httpsig.Signer{
		KeyID: party.PublicKey(private.Public().(ed25519.PublicKey)).ID(), Key: private, Now: w.now, Random: rand.Reader,
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func must[A any](t *testing.T) func(A, error) A {
	return func(a A, err error) A {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

func all[T any](t *testing.T, c *client.Client, path string, query url.Values) (rows []T) {
	t.Helper()
	for row, err := range client.All[T](t.Context(), c, path, query) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// agree brings the terms into force, over the API.
func (w *world) agree(terms string, parties map[agreement.Role]string) moongate.ID {
	w.t.Helper()
	day := func(n int) string { return w.now().Go().AddDate(0, 0, n).Format(time.RFC3339) }
	d, err := agreement.Parse(fmt.Appendf(nil, terms, day(-1), day(100)))
	if err != nil {
		w.t.Fatal(err)
	}
	var proposed agreement.Proposal
	for role, handle := range parties {
		c := w.signer(handle)
		if proposed.Agreement.IsZero() {
			proposed = must[agreement.Proposal](w.t)(client.Do[agreement.Proposal](w.t.Context(), c, "/v1/agreements", api.NewVersion{Document: d.Canonical()}))
			if proposed.SHA256 != d.Fingerprint() || proposed.Version != 1 {
				w.t.Fatalf("proposed %+v", proposed)
			}
		}
		raw, err := d.SignAs(w.keys[handle], role, handle)
		if err != nil {
			w.t.Fatal(err)
		}
		must[agreement.Standing](w.t)(client.Do[agreement.Standing](w.t.Context(), c, "/v1/agreements/sign", agreement.Sign{
			Agreement: proposed.Agreement, Version: 1, Role: role, Party: handle, Signature: party.Signature(raw),
			Key: party.PublicKey(w.keys[handle].Public().(ed25519.PublicKey)).ID(),
		}))
	}
	at, _ := w.hub.Node.Durable()
	if err := w.hub.Views.Wait(w.t.Context(), at); err != nil { // whoever reads next has another's position, or none
		w.t.Fatal(err)
	}
	return proposed.Agreement
}

// A reader's click on one platform becomes a sale on another, and a share of it; each side sees its own, others nothing.
func TestFromAgreementToReceipt(t *testing.T) {
	t.Parallel()
	w := open(t)
	ctx := t.Context()
	w.join("news", party.Publisher, party.AllScopes)
	w.join("mall", party.Platform, party.AllScopes)
	w.join("rival", party.Platform, party.AllScopes)
	news, mall, rival, office := w.signer("news"), w.signer("mall"), w.signer("rival"), w.client(w.operator)
	id := w.agree(terms, map[agreement.Role]string{agreement.Publisher: "news", agreement.Marketplace: "mall"})

	t.Run("agreement", func(t *testing.T) {
		path := "/v1/agreements/" + id.String() + "/1"
		got := must[api.Terms](t)(client.Get[api.Terms](ctx, mall, path, nil))
		if got.Status != "agreed" || got.Missing != 0 || got.SHA256 == "" || !strings.Contains(string(got.Document), "news-to-mall") {
			t.Errorf("got %+v", got)
		}
		for lang, word := range map[string]string{"en": "Commission", "zh": "新闻到商城"} {
			if e := must[api.Explanation](t)(client.Get[api.Explanation](ctx, news, path+"/explanation", url.Values{"language": {lang}})); !strings.Contains(e.Text, word) {
				t.Errorf("%s: %s", lang, e.Text)
			}
		}
		if rows := all[agreement.Row](t, news, "/v1/agreements", nil); len(rows) != 1 || rows[0].Agreement != id.String() {
			t.Errorf("the list of a party: %+v", rows)
		}
		if rows := all[agreement.Participation](t, news, path+"/parties", url.Values{"limit": {"1"}}); len(rows) != 2 || rows[0].Signed == 0 {
			t.Errorf("who stands in it: %+v", rows)
		}
		if rows := all[agreement.Row](t, rival, "/v1/agreements", nil); len(rows) != 0 {
			t.Errorf("the list of somebody else: %+v", rows)
		}
		_, closed := client.Get[api.Terms](ctx, rival, path, nil)
		_, none := client.Get[api.Terms](ctx, rival, "/v1/agreements/"+other(id).String()+"/1", nil)
		alike(t, closed, none, id, other(id))
		bad := `{"document":{"moongate":"agreement/1","id":"x","version":0,"fees":[{"id":"a","bps":-1}]}}`
		if got := w.do(call{path: "/v1/agreements", signer: "news", body: bad}); got.status != 400 || len(got.problem(t).Faults) < 3 {
			t.Errorf("a document with faults: %d %s", got.status, got.text)
		}
	})

	destination := must[link.DestinationAnswer](t)(client.Do[link.DestinationAnswer](ctx, mall, "/v1/destinations", link.RegisterDestination{
		Name: "Tea", Addresses: []link.Address{{Device: link.Web, URL: "https://mall.example/tea"}},
	})).Destination
	placed := must[link.LinkAnswer](t)(client.Do[link.LinkAnswer](ctx, news, "/v1/links", link.PlaceLink{Destination: destination, Agreement: id}))
	click := must[api.Opening](t)(client.Do[api.Opening](ctx, news, "/v1/links/clicks", link.RecordClick{Link: placed.Code, Device: link.Web}))
	if !strings.HasPrefix(click.Address, "https://mall.example/tea?mg_click="+click.Token) {
		t.Errorf("opening %+v", click)
	}
	sale := api.NewConversion{Token: click.Token, Reference: "ORDER-1", Amount: money.Of(20000, money.Currency{'C', 'N', 'Y'}), At: w.now()}
	key := must[string](t)(mall.Key())
	converted := must[link.ConversionAnswer](t)(client.DoAs[link.ConversionAnswer](ctx, mall, key, "/v1/links/conversions", sale))
	if again := must[link.ConversionAnswer](t)(client.DoAs[link.ConversionAnswer](ctx, mall, key, "/v1/links/conversions", sale)); again != converted {
		t.Errorf("the same again: %+v, not %+v", again, converted)
	}

	t.Run("needs a signature", func(t *testing.T) {
		token, err := w.hub.IssueToken(ctx, "", "mall", "till", party.AllScopes, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.do(call{path: "/v1/links/conversions", token: token, body: sale}); got.status != 401 || !strings.Contains(got.text, "signed") {
			t.Errorf("got %d %s", got.status, got.text)
		}
	})

	t.Run("ledger", func(t *testing.T) {
		accounts := all[api.Account](t, news, "/v1/accounts", url.Values{"limit": {"1"}})
		at := slices.IndexFunc(accounts, func(a api.Account) bool { return a.Net == 1000 })
		if at < 0 || accounts[at].Account.Owner != "news" {
			t.Fatalf("accounts %+v", accounts)
		}
		name := url.Values{"account": {accounts[at].Name}}
		lines := all[ledger.Line](t, news, "/v1/accounts/history", name)
		if len(lines) != 1 || lines[0].Balance.Net(accounts[at].Account.Purpose) != 1000 {
			t.Errorf("history %+v", lines)
		}
		for when, want := range map[moongate.Time]int64{lines[0].At: 1000, lines[0].At - 1: 0} {
			got := must[api.BalanceThen](t)(client.Get[api.BalanceThen](ctx, news, "/v1/accounts/balance", url.Values{"account": name["account"], "at": {when.String()}}))
			if got.Net != want {
				t.Errorf("at %s: %+v", when, got)
			}
		}
		_, closed := client.Get[api.BalanceThen](ctx, rival, "/v1/accounts/balance", name)
		_, none := client.Get[api.BalanceThen](ctx, rival, "/v1/accounts/balance", url.Values{"account": {"mall/EUR/fee"}})
		if moongate.CodeOf(closed) != moongate.NotFound || moongate.CodeOf(none) != moongate.NotFound {
			t.Errorf("somebody else's: %v, %v", closed, none)
		}
		least := int64(-5)
		if _, err := client.Do[ledger.Balance](ctx, office, "/v1/accounts/limits", ledger.SetLimits{Account: accounts[at].Account, Limits: ledger.Limits{Least: &least}}); err != nil {
			t.Error(err)
		}
	})

	t.Run("crossings", func(t *testing.T) {
		for who, c := range map[string]*client.Client{"news": news, "mall": mall} {
			rows := all[crossing.Row](t, c, "/v1/crossings", url.Values{"limit": {"1"}})
			if len(rows) != 2 || rows[0].ID != converted.Crossing || rows[0].Amount != 20000 {
				t.Errorf("%s sees %+v", who, rows)
			}
			got := must[api.Passage](t)(client.Get[api.Passage](ctx, c, "/v1/crossings/"+converted.Crossing.String(), nil))
			if len(got.Sides) != 1 || got.Sides[0].Party != who {
				t.Errorf("%s sees sides %+v", who, got.Sides)
			}
			text, err := c.GetBytes(ctx, "/v1/crossings/"+converted.Crossing.String()+"/receipt", nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := proof.ParseReceipt([]byte(strings.TrimSpace(string(text))))
			if err != nil {
				t.Fatal(err)
			}
			if opened, err := r.Verify(w.hub.Verifiers()); err != nil || len(opened.Groups) != 2 || opened.Position != 0 {
				t.Errorf("%s's receipt opens %+v, %v", who, opened, err)
			}
		}
		if got := must[api.Passage](t)(client.Get[api.Passage](ctx, office, "/v1/crossings/"+converted.Crossing.String(), nil)); len(got.Sides) != 2 {
			t.Errorf("the operator sees sides %+v", got.Sides)
		}
		if rows := all[crossing.Row](t, rival, "/v1/crossings", nil); len(rows) != 0 {
			t.Errorf("somebody else sees %+v", rows)
		}
		for _, path := range []string{"/v1/crossings/%s", "/v1/crossings/%s/receipt"} {
			_, closed := client.Get[api.Passage](ctx, rival, fmt.Sprintf(path, converted.Crossing), nil)
			_, none := client.Get[api.Passage](ctx, rival, fmt.Sprintf(path, other(converted.Crossing)), nil)
			alike(t, closed, none, converted.Crossing, other(converted.Crossing))
		}
	})

	t.Run("links and blocks", func(t *testing.T) {
		if rows := all[link.LinkRow](t, mall, "/v1/links", nil); len(rows) != 1 || rows[0].Opened != 1 {
			t.Errorf("links %+v", rows)
		}
		if rows := all[link.ConversionRow](t, news, "/v1/links/conversions", nil); len(rows) != 0 {
			t.Errorf("conversions are their owner's: %+v", rows)
		}
		if rows := all[link.ConversionRow](t, mall, "/v1/links/conversions", nil); len(rows) != 1 || rows[0].Crossing != converted.Crossing {
			t.Errorf("conversions %+v", rows)
		}
		blocked := must[link.BlockAnswer](t)(client.Do[link.BlockAnswer](ctx, news, "/v1/blocks", link.BlockLinks{
			Agreement: id, Destination: destination, Reason: "scams_and_fraud", Facts: "Forty buyers reported that nothing was ever delivered.",
			Evidence: strings.Repeat("ab", 32), Expires: w.now() + moongate.Day,
		}))
		_, err := client.Do[api.Opening](ctx, news, "/v1/links/clicks", link.RecordClick{Link: placed.Code, Device: link.Web})
		if code := moongate.CodeOf(err); code != moongate.Refused && code != moongate.Forbidden {
			t.Errorf("a click on a blocked link: %v", err)
		}
		inForce := url.Values{"in_force": {"true"}}
		if rows := all[link.BlockRow](t, news, "/v1/blocks", inForce); len(rows) != 1 || rows[0].Block != blocked.Block {
			t.Errorf("blocks in force: %+v", rows)
		}
		if rows := all[link.BlockRow](t, w.client(""), "/v1/blocks", inForce); len(rows) != 1 { // the lists are new enough by now
			t.Errorf("blocks are public: %+v", rows)
		}
		must[link.AppealAnswer](t)(client.Do[link.AppealAnswer](ctx, mall, "/v1/blocks/appeal", link.Appeal{Block: blocked.Block, Destination: destination, Statement: "All forty parcels were delivered and signed for."}))
		must[link.Done](t)(client.Do[link.Done](ctx, office, "/v1/blocks/decide", link.DecideAppeal{Block: blocked.Block, Grounds: "The parcels' tracking shows that they arrived."}))
		must[api.Opening](t)(client.Do[api.Opening](ctx, news, "/v1/links/clicks", link.RecordClick{Link: placed.Code, Device: link.Web}))
	})
}

// other is an identifier of the same kind that names nothing.
func other(id moongate.ID) moongate.ID {
	id[15] ^= 1
	return id
}

// alike checks that what may not be seen and what is not there are told apart by nothing.
func alike(t *testing.T, closed, none error, a, b moongate.ID) {
	t.Helper()
	if moongate.CodeOf(closed) != moongate.NotFound || moongate.CodeOf(none) != moongate.NotFound ||
		strings.ReplaceAll(closed.Error(), a.String(), "") != strings.ReplaceAll(none.Error(), b.String(), "") {
		t.Errorf("what is not to be seen: %v\nwhat is not there: %v", closed, none)
	}
}
