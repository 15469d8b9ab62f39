package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/webhook"
)

// A hub that was restored tells nobody anything until it is released; then what came meanwhile goes out.
func TestQuarantineHoldsWebhooks(t *testing.T) {
	t.Parallel()
	var file string
	w := openWith(t, func(o *hub.Options) {
		file = filepath.Join(o.Config.Data, hub.QuarantineFile)
		if err := os.WriteFile(file, []byte("restored"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	shop := w.client(w.join("shop", party.Merchant, party.AllScopes))
	var came atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	t.Cleanup(endpoint.Close)
	must[api.WebhookSecret](t)(client.Do[api.WebhookSecret](t.Context(), shop, "/v1/webhooks", webhook.Create{URL: endpoint.URL, Kinds: []string{"party.*"}}))
	must[party.Done](t)(client.Do[party.Done](t.Context(), shop, "/v1/participants/rename", party.Rename{Handle: "shop", Name: "Shop"}))
	at, _ := w.hub.Node.Durable()
	waitFor(t, func() bool { now, _ := w.hub.Node.Durable(); return now > at+2 }) // time passes
	if n := came.Load(); n != 0 {
		t.Errorf("%d messages came from a hub in quarantine", n)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return came.Load() > 0 }) // the message comes
}

// A participant makes a webhook, gets signed messages, looks what became of them, and has one sent again.
func TestWebhooksOverHTTP(t *testing.T) {
	t.Parallel()
	w := open(t)
	ctx := t.Context()
	shop, rival := w.client(w.join("shop", party.Merchant, party.AllScopes)), w.client(w.join("rival", party.Merchant, party.AllScopes))
	type letter struct {
		header http.Header
		body   []byte
	}
	letters := make(chan letter, 10)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		letters <- letter{r.Header, body}
	}))
	t.Cleanup(endpoint.Close)
	next := func() letter {
		t.Helper()
		select {
		case l := <-letters:
			return l
		case <-time.After(10 * time.Second):
			t.Fatal("no message came")
			return letter{}
		}
	}

	ask := webhook.Create{URL: endpoint.URL, Kinds: []string{"party.*"}}
	key := must[string](t)(shop.Key())
	made := must[api.WebhookSecret](t)(client.DoAs[api.WebhookSecret](ctx, shop, key, "/v1/webhooks", ask))
	if again := must[api.WebhookSecret](t)(client.DoAs[api.WebhookSecret](ctx, shop, key, "/v1/webhooks", ask)); again != made || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Errorf("the same again: %+v, not %+v", again, made)
	}
	must[party.Done](t)(client.Do[party.Done](ctx, shop, "/v1/participants/rename", party.Rename{Handle: "shop", Name: "Shop"}))
	first := next()
	verifier, err := standardwebhooks.NewWebhook(made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(first.body, first.header); err != nil {
		t.Error(err)
	}

	path := "/v1/webhooks/" + made.Webhook.String()
	var rows []api.WebhookDelivery
	for deadline := time.Now().Add(10 * time.Second); len(rows) == 0; {
		if rows = all[api.WebhookDelivery](t, shop, path+"/deliveries", nil); time.Now().After(deadline) {
			t.Fatal("the delivery is not noted")
		}
	}
	if rows[0].Event != first.header.Get("webhook-id") || rows[0].Status != 200 || rows[0].Kind != "party.renamed" {
		t.Errorf("deliveries %+v", rows)
	}
	must[webhook.Done](t)(client.Do[webhook.Done](ctx, shop, "/v1/webhooks/redeliver", api.Redelivery{Webhook: made.Webhook, Cursor: rows[0].Cursor}))
	if second := next(); string(second.body) != string(first.body) || second.header.Get("webhook-id") != first.header.Get("webhook-id") {
		t.Errorf("sent again was %s, not %s", second.body, first.body)
	}
	if got := must[api.Webhook](t)(client.Get[api.Webhook](ctx, shop, path, nil)); got.URL != endpoint.URL || got.Generation != 1 || got.Delivered == 0 {
		t.Errorf("got %+v", got)
	}
	rotated := must[api.WebhookSecret](t)(client.Do[api.WebhookSecret](ctx, shop, "/v1/webhooks/rotate", webhook.Rotate{Webhook: made.Webhook}))
	if rotated.Secret == made.Secret {
		t.Error("the rotated secret is the same")
	}

	// Nobody else learns of it, nor reads others' events through it.
	_, closed := client.Get[api.Webhook](ctx, rival, path, nil)
	_, none := client.Get[api.Webhook](ctx, rival, "/v1/webhooks/"+other(made.Webhook).String(), nil)
	alike(t, closed, none, made.Webhook, other(made.Webhook))
	foreign := w.hub.Cursor("shop", 1) // the operator's registration
	if _, err := client.Do[webhook.Done](ctx, shop, "/v1/webhooks/redeliver", api.Redelivery{Webhook: made.Webhook, Cursor: foreign}); moongate.CodeOf(err) != moongate.NotFound {
		t.Errorf("somebody else's event: %v", err)
	}
	for kind, field := range map[string]string{"pay.setled": "kinds[0]", "webhook.*": "kinds[0]"} {
		if got := w.do(call{path: "/v1/webhooks", signer: "shop", body: webhook.Create{URL: endpoint.URL, Kinds: []string{kind}}}); got.status != 400 || got.problem(t).Field != field {
			t.Errorf("kind %s: %d %s", kind, got.status, got.text)
		}
	}
	if got := w.do(call{path: "/v1/webhooks", signer: "shop", body: webhook.Create{URL: "http://169.254.169.254/latest"}}); got.status != 400 || got.problem(t).Field != "url" {
		t.Errorf("an address inside: %d %s", got.status, got.text)
	}
	if strings.Contains(w.log.String(), made.Secret) {
		t.Error("the secret stands in the log")
	}
}
