package agreement_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
)

func TestSigningBytesAreWhatTheyAreSaidToBe(t *testing.T) {
	d := example(t, "apple-korea.yaml").Doc
	want := "moongate agreement signature v1\napp\ntea-timer\n" +
		`{"fees":[{"bps":2600,"for":["conversion"],"from":"app","id":"commission","label":{"en":"Commission","zh":"佣金"},"of":"net","to":"store"}],` +
		`"id":"korea-other-payment","moongate":"agreement/1","name":{"en":"App store with another payment, Korea","zh":"韩国应用商店第三方支付佣金"},` +
		`"calendar"`
	got := string(d.SigningBytes(agreement.App, "tea-timer"))
	want = strings.Replace(want, `{"fees"`, `{"calendar":"+09:00","fees"`, 1)
	want = strings.TrimSuffix(want, `"calendar"`)
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%.500s\nwant it to begin\n%s", got, want)
	}
	sum := sha256.Sum256(d.Canonical())
	if d.Fingerprint() != hex.EncodeToString(sum[:]) || !bytes.HasSuffix([]byte(got), d.Canonical()) {
		t.Error("the fingerprint is not the SHA-256 of the canonical form")
	}
}

func TestSignatures(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("no public key")
	}
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)).Public().(ed25519.PublicKey)
	d := example(t, "private-totals.yaml").Doc
	signature, err := d.SignAs(key, agreement.App, "tea-timer")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.VerifyAs(public, agreement.App, "tea-timer", signature); err != nil {
		t.Error(err)
	}
	changed, err := agreement.Parse(bytes.Replace(agreement.Examples()["private-totals.yaml"], []byte("bps: 600"), []byte("bps: 601"), 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		doc  *agreement.Document
		key  ed25519.PublicKey
		role agreement.Role
		who  string
		sig  []byte
		code moongate.Code
	}{
		"another document":      {changed, public, agreement.App, "tea-timer", signature, moongate.Unauthenticated},
		"another key":           {d, other, agreement.App, "tea-timer", signature, moongate.Unauthenticated},
		"no key":                {d, nil, agreement.App, "tea-timer", signature, moongate.Unauthenticated},
		"a bit":                 {d, public, agreement.App, "tea-timer", append(bytes.Clone(signature[:63]), signature[63]^1), moongate.Unauthenticated},
		"cut":                   {d, public, agreement.App, "tea-timer", signature[:63], moongate.Unauthenticated},
		"the other's role":      {d, public, agreement.Store, "pavilion-store", signature, moongate.Unauthenticated},
		"a role it is not in":   {d, public, agreement.Store, "tea-timer", signature, moongate.Forbidden},
		"a role that is not":    {d, public, agreement.Seller, "tea-timer", signature, moongate.Forbidden},
		"a handle with a break": {d, public, agreement.App, "tea\ntimer", signature, moongate.Malformed},
	} {
		if err := c.doc.VerifyAs(c.key, c.role, c.who, c.sig); moongate.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %s", name, err, c.code)
		}
	}
	if _, err := d.SignAs(key, agreement.Store, "tea-timer"); moongate.CodeOf(err) != moongate.Forbidden {
		t.Errorf("signing in another's role: %v", err)
	}
}

// YAML and JSON of the same terms, however laid out, are the same document.
func TestOneMeaningOneHash(t *testing.T) {
	for name, text := range agreement.Examples() {
		d := example(t, name).Doc
		asJSON, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := agreement.Parse(asJSON)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again.Fingerprint() != d.Fingerprint() {
			t.Errorf("%s: as JSON it is\n%s\nas YAML\n%s", name, again.Canonical(), d.Canonical())
		}
	}
}

// A document made in code is read back as it was meant. (Its hash may differ from that of a text that writes the same
// times with another offset: what is signed is what was written.)
func TestBuild(t *testing.T) {
	for name := range agreement.Examples() {
		d := example(t, name).Doc
		again, err := agreement.Build(*d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(d, again, cmpopts.IgnoreUnexported(agreement.Document{})); diff != "" {
			t.Errorf("%s (-written +built):\n%s", name, diff)
		}
		if twice, err := agreement.Build(*again); err != nil || twice.Fingerprint() != again.Fingerprint() {
			t.Errorf("%s: built twice it is another document, %v", name, err)
		}
	}
}
