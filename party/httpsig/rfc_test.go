package httpsig

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dataDir finds published test data. Where CI is set, missing data is a failure.
func dataDir(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("MOONGATE_DATA")
	if root == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA is not set: the published vectors are missing")
		}
		t.Skip("MOONGATE_DATA is not set: the published vectors are not here")
	}
	return filepath.Join(root, filepath.FromSlash(name))
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// blocks gives the example blocks between two headings of the specification, lines joined again (RFC 8792).
func blocks(t *testing.T, spec, from, to string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(spec, from)
	section, _, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("the specification has no section between %q and %q", from, to)
	}
	var out []string
	for i, part := range strings.Split(section, "\n~~~") {
		if i%2 == 0 {
			continue
		}
		_, text, _ := strings.Cut(part, "\n") // the rest of the fence line
		_, note, wrapped := strings.Cut(text, "NOTE: '\\' line wrapping per RFC 8792\n\n")
		if wrapped {
			lines := strings.Split(note, "\\\n")
			for j := 1; j < len(lines); j++ {
				lines[j] = strings.TrimLeft(lines[j], " ")
			}
			text = strings.Join(lines, "")
		}
		out = append(out, text)
	}
	return out
}

func request(t *testing.T, text string) (*http.Request, []byte) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, b
}

// The examples of RFC 9421, appendix B.2, that use no component parameters: the signature base comes out byte by byte.
func TestSignatureBasesOfTheRFC(t *testing.T) {
	spec := string(read(t, filepath.Join(dataDir(t, "vectors/rfc9421"), "draft-ietf-httpbis-message-signatures.md")))
	message := blocks(t, spec, "## Test Cases\n", "### Minimal Signature")[0]
	for _, tt := range []struct{ label, from, to string }{
		{"sig-b21", "### Minimal Signature Using", "### Selective Covered"},
		{"sig-b23", "### Full Coverage using", "### Signing a Response"},
		{"sig-b25", "### Signing a Request using hmac", "### Signing a Request using ed25519"},
		{"sig-b26", "### Signing a Request using ed25519", "## TLS-Terminating"},
	} {
		t.Run(tt.label, func(t *testing.T) {
			example := blocks(t, spec, tt.from, tt.to)
			want, fields := strings.TrimSuffix(example[0], "\n"), example[1]
			r, _ := request(t, strings.Replace(message, "Host:", strings.TrimSpace(fields)+"\nHost:", 1))
			m, err := MessageOf(r, "https")
			if err != nil {
				t.Fatal(err)
			}
			input, err := field(r.Header, "Signature-Input")
			if err != nil {
				t.Fatal(err)
			}
			list, ok := input.get(tt.label)
			if !ok {
				t.Fatalf("no %s in %v", tt.label, r.Header)
			}
			var components []string
			for _, it := range list.items {
				components = append(components, it.value.(string))
			}
			got, err := Base(&m, components, list.String())
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if tt.label != "sig-b26" { // the one by Ed25519: it verifies, and the same key makes the same bytes
				return
			}
			var jwk struct{ D, X string }
			if err := json.Unmarshal(read(t, filepath.Join(dataDir(t, "vectors/rfc9421"), "ed25519.json")), &jwk); err != nil {
				t.Fatal(err)
			}
			seed, err := base64.RawURLEncoding.DecodeString(jwk.D)
			if err != nil {
				t.Fatal(err)
			}
			signatures, err := field(r.Header, "Signature")
			if err != nil {
				t.Fatal(err)
			}
			published, err := byteSequence(signatures, "Signature", "sig-b26", 64)
			if err != nil {
				t.Fatal(err)
			}
			if mine := ed25519.Sign(ed25519.NewKeyFromSeed(seed), got); !bytes.Equal(mine, published) {
				t.Errorf("signature %x, published %x", mine, published)
			}
		})
	}
}

// The derived components of RFC 9421, section 2.2.
func TestDerivedComponents(t *testing.T) {
	for _, tt := range []struct{ request, component, want string }{
		{"POST /path?param=value HTTP/1.1\nHost: www.example.com\n\n", "@method", "POST"},
		{"POST /path?param=value HTTP/1.1\nHost: www.example.com\n\n", "@target-uri", "https://www.example.com/path?param=value"},
		{"POST /path?param=value HTTP/1.1\nHost: www.example.com\n\n", "@authority", "www.example.com"},
		{"POST /path?param=value HTTP/1.1\nHost: www.example.com\n\n", "@scheme", "https"},
		{"POST /path?param=value HTTP/1.1\nHost: www.example.com\n\n", "@request-target", "/path?param=value"},
		{"GET /path?param=value HTTP/1.1\nHost: www.example.com\n\n", "@path", "/path"},
		{"GET /path?param=value&foo=bar&baz=bat%2Dman HTTP/1.1\nHost: www.example.com\n\n", "@query", "?param=value&foo=bar&baz=bat%2Dman"},
		{"POST /path?queryString HTTP/1.1\nHost: www.example.com\n\n", "@query", "?queryString"},
		{"GET /path HTTP/1.1\nHost: www.example.com\n\n", "@query", "?"},
		{"GET / HTTP/1.1\nHost: WWW.Example.COM:443\n\n", "@authority", "www.example.com"},
		{"GET / HTTP/1.1\nHost: example.com:8443\n\n", "@authority", "example.com:8443"},
		{"GET /a%2Fb/../c HTTP/1.1\nHost: example.com\n\n", "@path", "/a%2Fb/../c"},
		{"GET / HTTP/1.1\nHost: example.com\nX-Two:  a \nX-Two: b\n\n", "x-two", "a, b"},
	} {
		r, _ := request(t, tt.request)
		m, err := MessageOf(r, "https")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.component(tt.component); err != nil || got != tt.want {
			t.Errorf("%s of %q: got %q, %v; want %q", tt.component, tt.request, got, err, tt.want)
		}
	}
}

// Published edge cases of Ed25519, through the very call that Verify makes.
func TestWycheproof(t *testing.T) {
	var file struct {
		NumberOfTests int
		TestGroups    []struct {
			PublicKey struct{ Pk string }
			Tests     []struct {
				TcID             int
				Msg, Sig, Result string
			}
		}
	}
	if err := json.Unmarshal(read(t, dataDir(t, "vectors/wycheproof-ed25519_test.json")), &file); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, group := range file.TestGroups {
		public := unhex(t, group.PublicKey.Pk)
		for _, tt := range group.Tests {
			ran++
			sig := unhex(t, tt.Sig)
			d, err := parseDictionary("x=:" + base64.StdEncoding.EncodeToString(sig) + ":")
			if err != nil {
				t.Fatal(err)
			}
			raw, err := byteSequence(d, "Signature", "x", ed25519.SignatureSize)
			ok := err == nil && ed25519.Verify(public, unhex(t, tt.Msg), raw)
			if ok != (tt.Result == "valid") {
				t.Errorf("case %d is %s; we say %v", tt.TcID, tt.Result, ok)
			}
		}
	}
	if ran != file.NumberOfTests || ran == 0 {
		t.Errorf("ran %d cases of %d", ran, file.NumberOfTests)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
