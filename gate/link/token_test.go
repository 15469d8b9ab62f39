package link

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/share"
)

func tokens(t testing.TB, key byte, earlier ...byte) *Tokens {
	t.Helper()
	var old [][]byte
	for _, k := range earlier {
		old = append(old, bytes.Repeat([]byte{k}, 32))
	}
	tk, err := NewTokens(bytes.Repeat([]byte{key}, 32), old...)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

var sample = Click{
	ID: moongate.NewID(moongate.KindClick, moongate.Hub{1, 2, 3}, [12]byte{4}), Link: "abcdefghij",
	Agreement: moongate.NewID(moongate.KindAgreement, moongate.Hub{1, 2, 3}, [12]byte{5}), Publisher: "news", Owner: "mall",
	Campaign: "spring-26", Destination: [8]byte{6}, At: 1893456000e6, Expires: 1893456600e6, Recorder: 7, Number: 8,
}

func TestTokenGoesThereAndBack(t *testing.T) {
	tk := tokens(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		handle := rapid.StringMatching(`[a-z0-9]{1,40}(@[a-z0-9]{1,40})?`)
		c := Click{
			ID: moongate.ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")), Agreement: moongate.ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "agreement")),
			Link: rapid.StringMatching(`[a-z2-7]{10}`).Draw(t, "link"), Publisher: handle.Draw(t, "publisher"), Owner: handle.Draw(t, "owner"),
			Campaign: rapid.StringMatching(`[a-z0-9._-]{0,40}`).Draw(t, "campaign"), At: moongate.Time(rapid.Int64().Draw(t, "at")),
			Expires: moongate.Time(rapid.Int64().Draw(t, "expires")), Recorder: rapid.Uint64().Draw(t, "recorder"), Number: rapid.Uint64().Draw(t, "number"),
		}
		token := tk.Seal(&c)
		if len(token) > maxToken || strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			t.Fatalf("token %q", token)
		}
		got, err := tk.Open(token)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Not one bit of a token can be changed, and no other hub's key opens it.
func TestForgedToken(t *testing.T) {
	tk := tokens(t, 1)
	token := tk.Seal(&sample)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			if c, err := tk.Open(base64.RawURLEncoding.EncodeToString(raw)); moongate.CodeOf(err) != moongate.Refused {
				t.Fatalf("byte %d, bit %d: %+v %v", i, bit, c, err)
			}
			raw[i] ^= 1 << bit
		}
	}
	for _, bad := range []string{"", "A", token[1:], token[:len(token)-1], token + "A", token + "=", token + "\n", token[:8] + "\n" + token[8:], strings.Repeat("A", 600)} {
		if _, err := tk.Open(bad); moongate.CodeOf(err) != moongate.Refused {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	if _, err := tokens(t, 2).Open(token); err == nil {
		t.Error("another key opened it")
	}
	if c, err := tokens(t, 2, 3, 1).Open(token); err != nil || c != sample {
		t.Errorf("after the key was changed: %v", err)
	}
	if _, err := NewTokens(make([]byte, 31)); err == nil {
		t.Error("a short key")
	}
	if _, err := NewTokens(make([]byte, 32), make([]byte, 16)); err == nil {
		t.Error("a short earlier key")
	}
}

func TestLanding(t *testing.T) {
	for _, tt := range []struct {
		owner string
		at    moongate.Time
		code  moongate.Code
	}{
		{"mall", sample.At, ""},
		{"mall", sample.Expires, ""},
		{"mall", sample.Expires + 1, moongate.Refused},
		{"rival", sample.At, moongate.Forbidden},
	} {
		if err := sample.Lands(tt.owner, tt.at); moongate.CodeOf(err) != tt.code {
			t.Errorf("%s at %s: %v", tt.owner, tt.at, err)
		}
	}
	if diff := cmp.Diff(share.Touch{Party: "news", At: sample.At, Channel: "spring-26"}, sample.Touch()); diff != "" {
		t.Error(diff)
	}
}

// Names of clicks say nothing about their order, and do not repeat.
func TestNames(t *testing.T) {
	tk := tokens(t, 1)
	seen := map[moongate.ID]bool{}
	for recorder := range uint64(3) {
		for n := range uint64(1000) {
			id := tk.Name(moongate.Hub{1, 2, 3}, recorder, n)
			if seen[id] || id.Kind() != moongate.KindClick {
				t.Fatalf("recorder %d, click %d: %s", recorder, n, id)
			}
			seen[id] = true
		}
	}
}

func FuzzOpenToken(f *testing.F) {
	tk := tokens(f, 1)
	f.Add(tk.Seal(&sample))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := tk.Open(token)
		if err == nil && tk.Seal(&c) != token {
			t.Fatalf("%q opens as %q does", token, tk.Seal(&c))
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	tk := tokens(b, 1)
	for n := uint64(0); b.Loop(); n++ {
		c := sample
		c.ID = tk.Name(moongate.Hub{1, 2, 3}, 7, n)
		tk.Seal(&c)
	}
}
