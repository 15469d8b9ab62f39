package httpsig

import (
	"reflect"
	"strings"
	"testing"
)

// The examples of RFC 8941, section 3, as far as they use types that a signature uses, with their canonical form.
func TestDictionary(t *testing.T) {
	for _, tt := range []struct{ in, canonical string }{
		{`en="Applepie", da=:w4ZibGV0w6ZydGU=:`, `en="Applepie", da=:w4ZibGV0w6ZydGU=:`},
		{`a=?0, b, c; foo=bar`, `a=?0, b=?1, c=?1;foo=bar`},
		{`rating=15,feelings=(joy  sadness )`, `rating=15, feelings=(joy sadness)`},
		{`a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid`, `a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid`},
		{`sig1=("foo";a=1;b "bar"); k="x\"\\y" ` + "\t,\t" + `*b.c-_=()`, `sig1=("foo";a=1;b "bar");k="x\"\\y", *b.c-_=()`},
		{`a=-999999999999999;b=:: `, `a=-999999999999999;b=::`},
		{`a=*foo/bar:1`, `a=*foo/bar:1`},
	} {
		d, err := parseDictionary(tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if got := d.canonical(); got != tt.canonical {
			t.Errorf("%q became %q, want %q", tt.in, got, tt.canonical)
		}
	}
}

func (d dictionary) canonical() string {
	var out []string
	for _, m := range d {
		out = append(out, m.name+"="+m.String())
	}
	return strings.Join(out, ", ")
}

func TestNotADictionary(t *testing.T) {
	for _, in := range []string{
		"", " ", ",", "a=1,", "a=1,,b=2", "A=1", "1a=1", "a=", "a=(", "a=(1", "a=(1 2", "a=(1,2)", `a=("x""y")`, "a=1 b=2", "a=1;", "a=1; ",
		"a=1;B=2", "a=-", "a=1.5", "a=1.", "a=1234567890123456", `a="`, `a="\`, `a="\x"`, "a=\"\x7f\"", "a=\"\u00e9\"", "a=:", "a=:AA", "a=:A:",
		"a=:AB==:", "a=:AAAA\n:", "a=:-_==:", "a=?2", "a=@1", `a=%"x"`, "a=%0", "a=1, a=2", "a=1;b=1;b=2", "a=(1);b;b", "a =1", "a= 1", "\ta=1",
	} {
		if d, err := parseDictionary(in); err == nil {
			t.Errorf("%q became %q", in, d.canonical())
		}
	}
}

// What is read can be written, and what is written is read as the same.
func FuzzDictionary(f *testing.F) {
	f.Add(`moongate=("@method" "@path";x=1);created=1;nonce="a\"b", b=:AAAA:;c=?0, d=tok`)
	f.Add(`a0=%0`)
	f.Add(`a=(`)
	f.Fuzz(func(t *testing.T, in string) {
		d, err := parseDictionary(in)
		if err != nil {
			return
		}
		again, err := parseDictionary(d.canonical())
		if err != nil {
			t.Fatalf("%q is written as %q, which is refused: %v", in, d.canonical(), err)
		}
		if again.canonical() != d.canonical() || len(again) != len(d) {
			t.Fatalf("%q, then %q", d.canonical(), again.canonical())
		}
		for i := range d {
			if !reflect.DeepEqual(d[i].params, again[i].params) {
				t.Fatalf("parameters of %q: %v, then %v", d[i].name, d[i].params, again[i].params)
			}
		}
	})
}
