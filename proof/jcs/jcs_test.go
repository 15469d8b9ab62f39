package jcs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rfc8785 "github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof/jcs"
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

func TestPublishedVectors(t *testing.T) {
	dir := dataDir(t, "vectors/jcs/testdata")
	files, err := filepath.Glob(filepath.Join(dir, "input", "*.json"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d inputs in %s (%v); 6 are published", len(files), dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			in := read(t, file)
			want, err := hex.DecodeString(strings.Join(strings.Fields(string(read(t, filepath.Join(dir, "outhex", name+".txt")))), ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := jcs.Canonical(in)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The RFC's number test is a stream of generated doubles whose hash is published (RFC 8785, appendix B).
func TestPublishedNumbers(t *testing.T) {
	source := string(read(t, filepath.Join(dataDir(t, "vectors/jcs/testdata"), "numgen.go")))
	_, list, _ := strings.Cut(source, "static := [...]uint64{")
	list, _, _ = strings.Cut(list, "}")
	var next []uint64
	for _, word := range strings.Fields(strings.ReplaceAll(list, ",", " ")) {
		var bits uint64
		if _, err := fmt.Sscanf(word, "0x%x", &bits); err != nil {
			t.Fatal(err)
		}
		next = append(next, bits)
	}
	for i := range uint64(2000) {
		next = append(next, 0x0010000000000000+i)
	}
	var block [32]byte
	for len(next) < 10_100 {
		block = sha256.Sum256(block[:])
		for i := 0; i < 32; i += 8 {
			bits := binary.LittleEndian.Uint64(block[i:])
			if f := math.Float64frombits(bits); f != 0 && !math.IsNaN(f) && !math.IsInf(f, 0) {
				next = append(next, bits)
			}
		}
	}
	h := sha256.New()
	for _, bits := range next[:10_000] {
		f := math.Float64frombits(bits)
		text := fmt.Appendf(nil, "[%.17e]", f)
		got, err := jcs.Canonical(text)
		if size := math.Abs(f); size > 1<<53-1 && size < 1e21 { // ours are narrower: such a number must be refused
			if err == nil {
				t.Fatalf("%s became %s", text, got)
			}
			unwrapped, err := rfc8785.NumberToJSON(f)
			if err != nil {
				t.Fatal(err)
			}
			got = []byte(unwrapped)
		} else if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		fmt.Fprintf(h, "%x,%s\n", bits, bytes.Trim(got, "[]"))
	}
	const want = "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("hash of 10,000 numbers is %s, published is %s", got, want)
	}
}

func TestRefused(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		b.WriteByte('{')
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"%d":0`, i)
		}
		b.WriteByte('}')
		return b.String()
	}
	for _, tt := range []struct {
		name, in, says string
		code           moongate.Code
	}{
		{"nothing", "", "not JSON", moongate.Malformed},
		{"two texts", "{} {}", "not JSON", moongate.Malformed},
		{"unfinished name", `{"a`, "not JSON", moongate.Malformed},
		{"hexadecimal", "[0x10]", "not JSON", moongate.Malformed},
		{"blank inside a number", "[1 2]", "not JSON", moongate.Malformed},
		{"not a number", "[NaN]", "not JSON", moongate.Malformed},
		{"infinity", "[Infinity]", "not JSON", moongate.Malformed},
		{"leading zero", "[01]", "not JSON", moongate.Malformed},
		{"too large a number", "[1e400]", "out of range", moongate.Malformed},
		{"2^53", "[9007199254740992]", "write it as a string", moongate.Malformed},
		{"-2^53", "[-9007199254740992]", "write it as a string", moongate.Malformed},
		{"duplicate", `{"a":1,"a":2}`, "Duplicate key", moongate.Malformed},
		{"duplicate by escape", `{"a":1,"\u0061":2}`, "Duplicate key", moongate.Malformed},
		{"lone high surrogate", `["\ud83d"]`, "high surrogate", moongate.Malformed},
		{"high surrogate and text", `["\ud83dxxxxxx"]`, "high surrogate", moongate.Malformed},
		{"two high surrogates", `["\ud83d\ud83d"]`, "high surrogate", moongate.Malformed},
		{"lone low surrogate", `["\ude02"]`, "low surrogate", moongate.Malformed},
		{"2^60 with an exponent", "[1152921504606846976e0]", "write it as a string", moongate.Malformed},
		{"not UTF-8", "[\"\xff\"]", "UTF-8", moongate.Malformed},
		{"surrogate as UTF-8", "[\"\xed\xa0\x80\"]", "UTF-8", moongate.Malformed},
		{"deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), "levels", moongate.Malformed},
		{"very deep", strings.Repeat("[", 500_000), "levels", moongate.Malformed},
		{"wide", many(jcs.MaxMembers + 1), "members", moongate.Malformed},
		{"long", `"` + strings.Repeat("x", jcs.MaxBytes) + `"`, "at most", moongate.TooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := jcs.Canonical([]byte(tt.in))
			if moongate.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %.60q, %v; want code %s and %q", got, err, tt.code, tt.says)
			}
		})
	}
}

func TestAtTheBounds(t *testing.T) {
	for _, in := range []string{
		"9007199254740991", " -9007199254740991 ", `"😂"`, "null",
		strings.Repeat("[", jcs.MaxDepth) + strings.Repeat("]", jcs.MaxDepth),
	} {
		got, err := jcs.Canonical([]byte(in))
		if err != nil || string(got) != strings.TrimSpace(in) {
			t.Errorf("%.40q became %.40q, %v", in, got, err)
		}
	}
}

// A value's canonical form does not depend on the order or spelling it arrived in.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOfN(rapid.String(), rapid.Int32(), 0, 20).Draw(t, "members")
		var forward, backward []string
		for name, n := range v {
			quoted, err := json.Marshal(name)
			if err != nil {
				t.Fatal(err)
			}
			forward = append(forward, fmt.Sprintf("%s:%d", quoted, n))
			backward = append([]string{fmt.Sprintf(" %s : %d.0e0\n", quoted, n)}, backward...)
		}
		a, err := jcs.Canonical([]byte("{" + strings.Join(forward, ",") + "}"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := jcs.Canonical([]byte("{" + strings.Join(backward, ",") + "}"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := jcs.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) || !bytes.Equal(a, c) {
			t.Fatalf("three forms of one value:\n%s\n%s\n%s", a, b, c)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":[true,null,"\u20ac"]}`, `[1E30,4.50,-0]`, `{"a`, "[1 2]", `"\ud83d\ude02"`, "{\"\":{}}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := jcs.Canonical(in)
		if err != nil {
			return
		}
		if !json.Valid(in) || !json.Valid(once) {
			t.Fatalf("%q became %q: one of them is not JSON", in, once)
		}
		twice, err := jcs.Canonical(once)
		if err != nil {
			t.Fatalf("%q became %q, which is refused: %v", in, once, err)
		}
		if !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q, then %q", in, once, twice)
		}
	})
}
