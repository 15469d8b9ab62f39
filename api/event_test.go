package api_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/proof"
)

func (w *world) client(token string) *client.Client {
	w.t.Helper()
	c, err := client.New(client.Options{URL: w.url, Token: token, Random: rand.Reader})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// A participant reads its own events and no others, in pages or as a stream; an operator reads all, with a credential
// that says so.
func TestEventsAreTheReadersOwn(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop, rival := w.join("shop", party.Merchant, party.AllScopes), w.join("rival", party.Merchant, party.AllScopes)
	for _, name := range []string{"One", "Two", "Three"} {
		w.do(call{path: "/v1/participants/rename", token: shop, body: party.Rename{Handle: "shop", Name: name}}).into(t, &struct{}{})
		w.do(call{path: "/v1/participants/rename", token: rival, body: party.Rename{Handle: "rival", Name: name}}).into(t, &struct{}{})
	}
	read := func(token string, limit string) (kinds []string, cursors []string) {
		after := ""
		for {
			page, err := client.Get[api.Feed](t.Context(), w.client(token), "/v1/events", url.Values{"after": {after}, "limit": {limit}})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Items {
				kinds, cursors = append(kinds, e.Kind), append(cursors, e.Cursor)
				if text := string(e.Data); token != w.operator && (!strings.Contains(text, "shop") || strings.Contains(text, "Before")) {
					t.Errorf("somebody else's, or a position: %s %s", e.Kind, text)
				}
			}
			if !page.More {
				return kinds, cursors
			}
			after = page.Next
		}
	}
	want := []string{"party.registered", "party.credential_issued", "party.renamed", "party.renamed", "party.renamed"}
	kinds, cursors := read(shop, "100")
	if !slices.Equal(kinds, want) {
		t.Errorf("got %v", kinds)
	}
	if kinds, _ := read(shop, "1"); !slices.Equal(kinds, want) {
		t.Errorf("one by one: %v", kinds)
	}
	if all, _ := read(w.operator, "100"); len(all) < 12 || !slices.Equal(all[:2], want[:2]) {
		t.Errorf("the operator reads %v", all)
	}
	if got := w.do(call{path: "/v1/events?after=" + cursors[0], token: rival}); got.status != 400 || got.problem(t).Field != "after" {
		t.Errorf("somebody else's cursor: %d %s", got.status, got.text)
	}
	less, err := w.hub.IssueToken(t.Context(), "", "office", "only events", party.EventsRead, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range func() []string { k, _ := readAs(w, less); return k }() {
		if strings.HasPrefix(kind, "core.") {
			t.Errorf("an operator's credential without the scope reads %s", kind)
		}
	}

	// The same as a stream, taken up behind a cursor, while more happens.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var streamed []string
	for e, err := range w.client(shop).Events(ctx, cursors[1]) {
		if err != nil {
			t.Fatal(err)
		}
		if streamed = append(streamed, e.Kind); len(streamed) == 3 {
			w.do(call{path: "/v1/participants/rename", token: rival, body: party.Rename{Handle: "rival", Name: "Four"}}).into(t, &struct{}{})
			w.do(call{path: "/v1/participants/rename", token: shop, body: party.Rename{Handle: "shop", Name: "Four"}}).into(t, &struct{}{})
		}
		if len(streamed) == 4 {
			break
		}
	}
	if !slices.Equal(streamed, []string{"party.renamed", "party.renamed", "party.renamed", "party.renamed"}) {
		t.Errorf("the stream gave %v", streamed)
	}
}

func readAs(w *world, token string) (kinds []string, err error) {
	page, err := client.Get[api.Feed](w.t.Context(), w.client(token), "/v1/events", nil)
	for _, e := range page.Items {
		kinds = append(kinds, e.Kind)
	}
	return kinds, err
}

// A receipt proves an event with the log's key alone, and opens what the holder may see; whose it is not learns nothing.
func TestReceipts(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop, rival := w.join("shop", party.Merchant, party.AllScopes), w.join("rival", party.Merchant, party.AllScopes)
	page, err := client.Get[api.Feed](t.Context(), w.client(shop), "/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := w.client(shop).GetBytes(t.Context(), "/v1/events/"+page.Items[0].Cursor+"/receipt", nil) // waits while busy
	if err != nil {
		t.Fatal(err)
	}
	r, err := proof.ParseReceipt([]byte(strings.TrimSpace(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := r.Verify(w.hub.Verifiers())
	if err != nil || opened.Kind != "party.registered" || opened.Position != 0 || len(opened.Groups) != 1 {
		t.Errorf("opened %+v, %v", opened, err)
	}
	// The page's own cursor may stand at an event of somebody else's.
	mine := w.do(call{path: "/v1/events?limit=1", token: rival})
	var other api.Feed
	mine.into(t, &other)
	for _, cursor := range []string{other.Next, w.hub.Cursor("rival", 1), w.hub.Cursor("rival", 1<<40)} {
		if cursor == other.Next {
			continue // its own event
		}
		if got := w.do(call{path: "/v1/events/" + cursor + "/receipt", token: rival}); got.status != 404 || got.problem(t).Code != string(moongate.NotFound) {
			t.Errorf("somebody else's event: %d %s", got.status, got.text)
		}
	}
}

// A stream ends when the credential that opened it does.
func TestStreamsHaveBounds(t *testing.T) {
	t.Parallel()
	w := open(t, func(a *api.API, _ *http.Server) { a.Bounds.StreamsEach = 1 })
	shop := w.join("shop", party.Merchant, party.AllScopes)
	request := call{path: "/v1/events", token: shop, header: map[string]string{"Accept": "text/event-stream"}}
	resp, err := transport.Do(w.request(request))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(resp.Body)
	first, err := lines.ReadString('\n')
	if err != nil || !strings.HasPrefix(first, "id: ") {
		t.Fatalf("got %q, %v", first, err)
	}
	if got := w.do(request); got.status != 503 {
		t.Errorf("a second stream: %d %s", got.status, got.text)
	}
	resp.Body.Close()
	deadline := time.Now().Add(5 * time.Second)
	for {
		again, err := transport.Do(w.request(request))
		if err != nil {
			t.Fatal(err)
		}
		if again.StatusCode == http.StatusOK {
			again.Body.Close()
			break
		}
		text, _ := io.ReadAll(again.Body)
		again.Body.Close()
		var p api.Problem
		if err := json.Unmarshal(text, &p); err != nil || time.Now().After(deadline) {
			t.Fatalf("after the first was closed: %s", text)
		}
	}
}
