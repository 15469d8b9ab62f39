package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/party"
)

// What is secret stands in no file but those of the secrets, and in no line of the log, whatever has happened: tokens,
// keys, the wallet's and the webhooks' secrets, addresses that are keys.
func TestSecretsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	e := furnish(t)
	secrets := map[string][]byte{"the operator's token": []byte(e.operator), "a webhook's secret": []byte(e.secrets["webhook"]), "a cashier's address": []byte(e.secrets["cashier"])}
	// The wallet's key, in the forms in which it could have been written.
	secrets["the wallet's APIv3 key"] = []byte(e.secrets["apiv3"])
	for handle, key := range e.keys {
		for form, text := range map[string][]byte{"": key.Seed(), " in hex": []byte(hex.EncodeToString(key.Seed())), " in base64": []byte(base64.RawURLEncoding.EncodeToString(key.Seed()))} {
			secrets["the key of "+handle+form] = text
		}
	}
	for _, file := range []string{"hub.key", "log.key"} {
		text, err := os.ReadFile(filepath.Join(e.hub.Config.Secrets, file))
		if err != nil {
			t.Fatal(err)
		}
		secrets[file] = bytes.TrimSpace(text)
	}
	raw, err := hex.DecodeString(string(secrets["hub.key"]))
	if err != nil {
		t.Fatal(err)
	}
	secrets["hub.key, raw"] = raw
	var issued api.Token
	e.do(call{path: "/v1/credentials", signer: "mall", body: api.NewCredential{Handle: "mall", Name: "till", Scopes: party.PaymentsRead}}).into(t, &issued)
	secrets["a token"] = []byte(issued.Token)
	_, secret, err := party.ParseToken(issued.Token)
	if err != nil {
		t.Fatal(err)
	}
	secrets["a token's secret"] = secret[:]
	// Requests that fail in all the ways in which a log might speak of them.
	e.do(call{path: "/v1/participants/mall?token=" + issued.Token, token: issued.Token})
	e.do(call{path: "/v1/payments", token: issued.Token, body: `{"order":"` + issued.Token + `"}`})
	e.do(call{path: "/v1/payments/" + e.things["payment"].none, token: issued.Token})
	e.do(call{path: "/v1/nothing/" + issued.Token, token: issued.Token})
	e.do(call{method: "DELETE", path: "/v1/payments", token: issued.Token})
	if err := e.hub.Node.Snapshot(); err != nil {
		t.Fatal(err)
	}

	look := func(where string, text []byte) {
		for what, secret := range secrets {
			if bytes.Contains(text, secret) {
				t.Errorf("%s holds %s", where, what)
			}
		}
	}
	look("the log", []byte(e.log.String()))
	known, files := false, 0
	err = filepath.WalkDir(e.hub.Config.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		known = known || bytes.Contains(text, []byte("ORDER-PAID"))
		look(path, text)
		if info, err := d.Info(); err == nil && info.Mode().Perm()&0o022 != 0 {
			t.Errorf("others may write %s (%v)", path, info.Mode())
		}
		return nil
	})
	if err != nil || !known || files < 6 {
		t.Errorf("looked through %d files, %v; what is no secret was found: %t", files, err, known)
	}
}

// Of many that send one request at once, under one key, all are told the same, and it is done once.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.join("shop", party.Merchant, party.AllScopes)
	rival := w.join("rival", party.Merchant, party.AllScopes)
	issue := call{path: "/v1/credentials", signer: "shop", key: "the-one", body: api.NewCredential{Handle: "shop", Name: "till", Scopes: party.PaymentsWrite}}
	const many = 16
	answers := make([]reply, many)
	requests := make([]func() reply, many)
	for i := range many {
		r := w.request(issue)
		requests[i] = func() reply { return w.send(r) }
	}
	var all sync.WaitGroup
	for i := range many {
		all.Add(1)
		go func() {
			defer all.Done()
			answers[i] = requests[i]()
		}()
	}
	all.Wait()
	for i := range many {
		if answers[i].status != 201 || answers[i].text != answers[0].text {
			t.Errorf("%d: %d %s, not %s", i, answers[i].status, answers[i].text, answers[0].text)
		}
	}
	if got := w.do(call{path: "/v1/credentials", token: rival, key: "the-one", body: api.NewCredential{Handle: "rival", Name: "till", Scopes: party.PaymentsWrite}}); got.status != 201 || got.text == answers[0].text {
		t.Errorf("somebody else's request under a key of the same name: %d %s", got.status, got.text)
	}
	var page api.Page[party.Credential]
	w.do(call{path: "/v1/participants/shop/credentials", signer: "shop"}).into(t, &page)
	if len(page.Items) != 2 {
		t.Errorf("%d credentials, not the first and one more", len(page.Items))
	}
}
