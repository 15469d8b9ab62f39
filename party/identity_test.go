package party

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
)

func TestCheckHandle(t *testing.T) {
	long := strings.Repeat("a", 40)
	for _, good := range []string{"a", "0", "mall", "night-market", "a--b", long, "mall@harbour", long + "@" + long} {
		if err := CheckHandle(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{
		"", "-", "-a", "a-", "A", "a_b", "a b", "a.b", long + "a", "@", "a@", "@a", "a@b@c", "a@B", "mäll", "a\n", "hub", "public@harbour", "self",
	} {
		if err := CheckHandle(bad); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Published thumbprints: RFC 8037, appendix A.3, and the one known for the key of RFC 9421, appendix B.1.4.
func TestKeyID(t *testing.T) {
	for x, want := range map[string]string{
		"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
		"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs": "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U",
	} {
		var k PublicKey
		if err := k.UnmarshalText([]byte(x)); err != nil {
			t.Fatal(err)
		}
		if got := k.ID(); got != want {
			t.Errorf("thumbprint of %s is %s, published is %s", x, got, want)
		}
	}
	for _, bad := range []string{"", "11qY", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "\n1qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"} {
		if err := new(PublicKey).UnmarshalText([]byte(bad)); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// For every point that we call weak, a signature can be made without any private key: R one of the small points, S = 0.
func TestWeakKeys(t *testing.T) {
	forged := func(k PublicKey) bool {
		for _, r := range smallOrder {
			for _, sign := range []byte{0, 0x80} {
				var s Signature
				copy(s[:], r[:])
				s[31] |= sign
				for i := range 64 { // one message in eight or less fits, by chance
					if k.Verify(fmt.Appendf(nil, "message %d", i), s) {
						return true
					}
				}
			}
		}
		return false
	}
	for _, y := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			k := y
			k[31] |= sign
			if !weak(k) {
				t.Errorf("%x is let through", k)
			}
			decodes := sign == 0 || y[0] != 1 && y[0] != 0xec && y[0] != 0xee // x = 0 has no negative
			if decodes && !forged(k) {
				t.Errorf("%x is called weak, but nothing can be forged", k)
			}
		}
	}
	honest := PublicKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32)).Public().(ed25519.PublicKey))
	if weak(honest) || forged(honest) {
		t.Error("an honest key is called weak")
	}
}

func TestToken(t *testing.T) {
	pattern := regexp.MustCompile(TokenPattern)
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]moongate.Kind{moongate.KindCredential, moongate.KindSession}).Draw(t, "kind")
		entropy := [12]byte(rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "entropy"))
		secret := Secret(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "secret"))
		id := moongate.NewID(kind, moongate.Hub{1, 2, 3}, entropy)
		token := FormatToken(id, secret)
		gotID, gotSecret, err := ParseToken(token)
		if err != nil || gotID != id || gotSecret != secret {
			t.Fatalf("%s became %s %v", token, gotID, err)
		}
		if found := pattern.FindString("Authorization: Bearer " + token + "\n"); found != token {
			t.Fatalf("the pattern finds %q in a text with %s", found, token)
		}
		i := rapid.IntRange(0, len(token)-1).Draw(t, "changed")
		c := rapid.SampledFrom([]byte("abcxyz234567_ AZ-")).Draw(t, "to")
		if mistyped := token[:i] + string(c) + token[i+1:]; mistyped != token {
			if _, _, err := ParseToken(mistyped); moongate.CodeOf(err) != moongate.Unauthenticated || strings.Contains(err.Error(), token[40:]) {
				t.Fatalf("%s, mistyped, gives %v", token, err)
			}
		}
	})
}

func TestSecretStaysOutOfLogs(t *testing.T) {
	s := Secret(bytes.Repeat([]byte{0xab}, 32))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(verb, struct{ S Secret }{s}); strings.Contains(out, "ab") || strings.Contains(out, "171") {
			t.Errorf("%s prints %s", verb, out)
		}
	}
	if _, err := NewSecret(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a secret drawn from too little")
	}
}

func TestScopesAndKinds(t *testing.T) {
	b, err := json.Marshal(struct {
		Kind   Kind   `json:"kind"`
		Scopes Scopes `json:"scopes"`
	}{DataHolder, PaymentsWrite | LedgerRead})
	if want := `{"kind":"data-holder","scopes":["payments:write","ledger:read"]}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v; want %s", b, err, want)
	}
	for _, tt := range []struct {
		in   string
		want Scopes
		code moongate.Code
	}{
		{`[]`, 0, ""},
		{`["operator","payments:write"]`, OperatorScope | PaymentsWrite, ""},
		{`["payments:write","payments:write"]`, 0, moongate.Malformed},
		{`["payments"]`, 0, moongate.Malformed},
		{`"operator"`, 0, moongate.Malformed},
	} {
		var got Scopes
		if err := json.Unmarshal([]byte(tt.in), &got); moongate.CodeOf(err) != tt.code || got != tt.want {
			t.Errorf("%s: %v %v", tt.in, got, err)
		}
	}
	if !OperatorScope.Has(LedgerRead) || AllScopes.Has(OperatorScope) || !AllScopes.Has(ParticipantEdit) || (scopesEnd << 1).known() || !OperatorScope.known() {
		t.Error("scopes")
	}
	if names := (AllScopes | OperatorScope).Names(); len(names) != len(scopeNames) || scopeAt(len(scopeNames)-2) != scopesEnd>>1 {
		t.Errorf("%d names for the scopes %s", len(scopeNames), AllScopes|OperatorScope)
	}
	for k := Platform; k <= Operator; k++ {
		if got, err := ParseKind(k.String()); err != nil || got != k {
			t.Errorf("%s: %v %v", k, got, err)
		}
	}
	for _, bad := range []string{"", "Platform", "kind9"} {
		if _, err := ParseKind(bad); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Two participants cannot join their shoppers, and no two pairs share a name.
func TestPseudonyms(t *testing.T) {
	p, err := NewPseudonyms(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	q, err := NewPseudonyms(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, pair := range [][2]string{{"mall", "1"}, {"mall", "2"}, {"mall1", ""}, {"mal", "l1"}, {"", "mall1"}, {"news", "1"}} {
		for i, hub := range []*Pseudonyms{p, q} {
			name, from := hub.For(pair[0], pair[1]), fmt.Sprint(i, pair)
			if other, dup := seen[name]; dup || len(name) != 29 {
				t.Errorf("%s and %s are both %s", from, other, name)
			}
			seen[name] = from
			if again := hub.For(pair[0], pair[1]); again != name {
				t.Errorf("%s is %s, then %s", from, name, again)
			}
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(FormatToken(moongate.NewID(moongate.KindCredential, moongate.Hub{1}, [12]byte{2}), Secret{3}))
	f.Add("mgt_aaaaa_aaaaaaaaaaaaaaaaaaaa_" + strings.Repeat("a", 59))
	f.Add("mgs_____")
	f.Fuzz(func(t *testing.T, token string) {
		id, secret, err := ParseToken(token)
		if err == nil && FormatToken(id, secret) != token {
			t.Fatalf("%q is read as %q", token, FormatToken(id, secret))
		}
	})
}
