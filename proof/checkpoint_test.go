package proof

import (
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
)

func TestCheckpointRoundTrip(t *testing.T) {
	signer, verifier := keys(t, "hub.example/log", 1)
	witness, watching := keys(t, "witness.example", 2)
	tree, _ := grown(t, 5)
	c, err := tree.Checkpoint("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.Sign(signer, witness)
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range []struct {
		verifiers note.Verifiers
		witnesses int
	}{{note.VerifierList(verifier), 0}, {note.VerifierList(verifier, watching), 1}} {
		got, witnesses, err := OpenCheckpoint(signed, "hub.example/log", known.verifiers)
		if err != nil || got != c || len(witnesses) != known.witnesses {
			t.Errorf("opened %+v, witnesses %v, %v", got, witnesses, err)
		}
	}
	if _, _, err := OpenCheckpoint(signed, "hub.example/log", note.VerifierList(watching)); err == nil {
		t.Error("a witness alone vouches for the log")
	}
	if _, _, err := OpenCheckpoint(signed, "hub.example/other", note.VerifierList(verifier)); err == nil {
		t.Error("the checkpoint passes for another log's")
	}
	_, impostor := keys(t, "hub.example/log", 3)
	if _, _, err := OpenCheckpoint(signed, "hub.example/log", note.VerifierList(impostor)); err == nil {
		t.Error("another key of the same name verifies")
	}
}

func TestSignRefuses(t *testing.T) {
	signer, _ := keys(t, "hub.example/log", 1)
	other, _ := keys(t, "else.example", 1)
	for name, try := range map[string]func() ([]byte, error){
		"no signer":      func() ([]byte, error) { return Checkpoint{"hub.example/log", 0, EmptyRoot()}.Sign() },
		"other's name":   func() ([]byte, error) { return Checkpoint{"hub.example/log", 0, EmptyRoot()}.Sign(other) },
		"negative size":  func() ([]byte, error) { return Checkpoint{"hub.example/log", -1, Hash{}}.Sign(signer) },
		"empty, rooted":  func() ([]byte, error) { return Checkpoint{"hub.example/log", 0, Hash{1}}.Sign(signer) },
		"two-line name":  func() ([]byte, error) { return Checkpoint{"hub.example\nlog", 1, Hash{}}.Sign(signer) },
		"without origin": func() ([]byte, error) { return Checkpoint{"", 1, Hash{}}.Sign(signer) },
	} {
		if _, err := try(); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	good := Checkpoint{"hub.example/log", 5, Hash{1}}.Text()
	if _, err := ParseCheckpoint([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "\n\n\n", good + "extension\n", strings.TrimSuffix(good, "\n"), strings.Replace(good, "\n5", "\n05", 1),
		strings.Replace(good, "\n5", "\n+5", 1), strings.Replace(good, "\n5", "\n-5", 1), strings.Replace(good, "\n5", "\n99999999999999999999", 1),
		strings.Replace(good, "hub", "h b", 1), strings.Replace(good, "=", "", 1), strings.Replace(good, "A=", "B=", 1), "\r" + good,
	} {
		if c, err := ParseCheckpoint([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, c)
		}
	}
}

func TestVerifyConsistencyRefuses(t *testing.T) {
	tree, _ := grown(t, 9)
	at := func(n int64) Checkpoint {
		root, err := tree.Root(n)
		if err != nil {
			t.Fatal(err)
		}
		return Checkpoint{"log", n, root}
	}
	p, err := tree.Consistency(4, 9)
	if err != nil {
		t.Fatal(err)
	}
	forked := at(4)
	forked.Root[3] ^= 1
	renamed := at(9)
	renamed.Origin = "other"
	for name, c := range map[string]struct {
		older, newer Checkpoint
		proof        []Hash
		ok           bool
	}{
		"grown":                {at(4), at(9), p, true},
		"the same":             {at(9), at(9), nil, true},
		"from nothing":         {at(0), at(9), nil, true},
		"nothing to nothing":   {at(0), at(0), nil, true},
		"shrunk":               {at(9), at(4), p, false},
		"rewritten":            {forked, at(9), p, false},
		"other log":            {at(4), renamed, p, false},
		"proof of another":     {at(5), at(9), p, false},
		"no proof":             {at(4), at(9), nil, false},
		"proof too long":       {at(4), at(9), append(p[:len(p):len(p)], Hash{}), false},
		"proof from nothing":   {at(0), at(9), p, false},
		"nothing with a root":  {Checkpoint{"log", 0, Hash{1}}, at(9), nil, false},
		"same size, two roots": {forked, at(4), nil, false},
		"negative":             {Checkpoint{"log", -1, Hash{}}, at(9), nil, false},
	} {
		if err := VerifyConsistency(c.older, c.newer, c.proof); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte(Checkpoint{"hub.example/log", 5, Hash{1}}.Text()))
	f.Add([]byte("a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"))
	_, verifier := keys(f, "hub.example/log", 1)
	known := note.VerifierList(verifier)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCheckpoint(b); err == nil && c.Text() != string(b) {
			t.Errorf("%q has another spelling %q", b, c.Text())
		}
		if c, _, err := OpenCheckpoint(b, "hub.example/log", known); err == nil {
			t.Errorf("%+v opened without the key", c)
		}
	})
}

// What has no signatures was not signed.
func TestReadSigned(t *testing.T) {
	tree, _ := grown(t, 5)
	c, err := tree.Checkpoint("hub.example/moongate")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSigned([]byte(c.Text() + "\n— hub.example/moongate AAAAAA==\n")); err != nil || got != c {
		t.Error(got, err)
	}
	for _, text := range []string{"", "\n\n", c.Text(), c.Text()[:len(c.Text())-1], c.Text() + "one line more\n\n— x AAAA\n"} {
		if got, err := ReadSigned([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
