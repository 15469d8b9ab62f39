package webhook

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// dataDir finds published vectors: in the folder that MOONGATE_DATA names.
func dataDir(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("MOONGATE_DATA")
	if root == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA is not set")
		}
		t.Skip("MOONGATE_DATA is not set: published vectors are not tested")
	}
	return filepath.Join(root, name)
}

func TestPublishedVector(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(dataDir(t, "vectors/webhooks"), "vector.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []map[string]string
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(err, len(vectors))
	}
	for _, v := range vectors {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(v["secret"], secretPrefix))
		if err != nil {
			t.Fatal(err)
		}
		seconds, err := strconv.ParseInt(v["webhook-timestamp"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sign([][]byte{key}, v["webhook-id"], time.Unix(seconds, 0), []byte(v["payload"]))
		if err != nil || got != v["webhook-signature"] {
			t.Errorf("got %s, %v, want %s", got, err, v["webhook-signature"])
		}
		if FormatSecret(key) != v["secret"] {
			t.Errorf("secret %s", FormatSecret(key))
		}
	}
}

// What we sign, the library verifies: with either secret while one is being rotated.
func TestSignedByBoth(t *testing.T) {
	keys := [][]byte{make([]byte, 32), []byte(strings.Repeat("k", 32))}
	m := &Message{ID: "evt_1", Kind: "pay.settled", Data: json.RawMessage(`{"a":1}`)}
	payload, err := m.Payload()
	if err != nil || string(payload) != `{"id":"evt_1","type":"pay.settled","timestamp":"","data":{"a":1}}` {
		t.Fatalf("%s, %v", payload, err)
	}
	fields, err := headers(keys, m, time.Now(), payload)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for name, value := range fields {
		h.Set(name, value)
	}
	for _, key := range keys {
		w, err := standardwebhooks.NewWebhook(FormatSecret(key))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(payload, h); err != nil {
			t.Error(err)
		}
		if err := w.Verify(append(payload, ' '), h); err == nil {
			t.Error("another payload verifies")
		}
	}
}

// A key that anybody can guess signs nothing.
func TestEmptyKeysSignNothing(t *testing.T) {
	for _, keys := range [][][]byte{nil, {nil}, {{}}, {make([]byte, 23)}, {make([]byte, 65)}, {make([]byte, 32), {}}} {
		if s, err := sign(keys, "id", time.Now(), nil); err == nil {
			t.Errorf("%d keys signed %q", len(keys), s)
		}
	}
}
