package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate/proof"
)

// TestLogVerifyWitnesses: a copy of a log passes where as many of the named witnesses have cosigned its checkpoint as are
// wanted, each counted once, and the checkpoint is still the log's.
func TestLogVerifyWitnesses(t *testing.T) {
	dir := t.TempDir()
	generate := func(name string, seed byte) (secret, public string) {
		secret, public, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), name)
		if err != nil {
			t.Fatal(err)
		}
		return secret, public
	}
	secret, logKey := generate("hub.example/log", 1)
	log, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	tree := proof.NewTree(func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, filepath.FromSlash(path))) })
	for i := range 300 {
		if _, err := tree.Append(proof.IntervalEntry(int64(i), proof.Hash{byte(i)})); err != nil {
			t.Fatal(err)
		}
	}
	files, err := tree.Flush()
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, data []byte) {
		t.Helper()
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files {
		write(f.Path, f.Data)
	}
	c, err := tree.Checkpoint("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	signers := []note.Signer{log}
	for i, name := range []string{"witness.example/north", "witness.example/south", "witness.example/west"} {
		secret, public := generate(name, byte(10+i))
		if public, err = f_note.VKeyToCosignatureV1(public); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, public)
		if i < 2 { // the last one does not sign
			s, err := f_note.NewSignerForCosignatureV1(secret)
			if err != nil {
				t.Fatal(err)
			}
			signers = append(signers, s)
		}
	}
	signed, err := c.Sign(signers...)
	if err != nil {
		t.Fatal(err)
	}
	write("checkpoint", signed)
	write("north.pub", []byte(keys[0]+"\n"))
	lines := strings.SplitAfter(string(signed), "\n")
	alone := strings.Join(lines[:5], "") // the log's signature, and nobody's else
	spoiled := strings.Replace(string(signed), lines[5], lines[5][:len(lines[5])-12]+"AAAA"+lines[5][len(lines[5])-8:], 1)
	verify := func(args ...string) (witnesses int, said string) {
		t.Helper()
		var out, errs strings.Builder
		code := run(&env{ctx: t.Context(), out: &out, err: &errs, in: strings.NewReader(""), now: time.Now, random: random},
			append([]string{"log", "verify", "--json", "--key", logKey, "--dir", dir}, args...))
		if code != 0 {
			return -1, errs.String()
		}
		var got struct {
			OK        bool                `json:"ok"`
			Size      int64               `json:"size"`
			Witnesses []proof.Cosignature `json:"witnesses"`
		}
		if err := json.Unmarshal([]byte(out.String()), &got); err != nil || !got.OK || got.Size != 300 {
			t.Errorf("%v: %s", err, out.String())
		}
		return len(got.Witnesses), ""
	}
	north, south, west := "--witness="+keys[0], "--witness="+keys[1], "--witness="+keys[2]
	for _, one := range []struct {
		checkpoint string
		args       []string
		want       int
		said       string
	}{
		{string(signed), nil, 0, ""},
		{string(signed), []string{north}, 1, ""},
		{string(signed), []string{"--witness=" + filepath.Join(dir, "north.pub"), south}, 2, ""},
		{string(signed), []string{north, south, west, "--at-least=2"}, 2, ""},
		{string(signed), []string{north, south, west}, -1, "2 of the 3 witnesses have cosigned the checkpoint (witness.example/north, witness.example/south), and 3 are wanted"},
		{string(signed), []string{west}, -1, "0 of the 1 witnesses have cosigned the checkpoint (none)"},
		{string(signed), []string{north, north}, -1, "named twice"},
		{string(signed), []string{north, "--at-least=2"}, -1, "2 of 1 witnesses"},
		{string(signed), []string{"--at-least=1"}, -1, "1 of 0 witnesses"},
		{string(signed), []string{"--witness=" + logKey}, -1, "the key of a log"},
		{alone, []string{north}, -1, "0 of the 1 witnesses"},
		{spoiled, []string{north}, -1, "cosignatures"},
		{spoiled, []string{south}, 1, ""}, // a line of a key that is not asked for is passed over
	} {
		write("checkpoint", []byte(one.checkpoint))
		if got, said := verify(one.args...); got != one.want || !strings.Contains(said, one.said) {
			t.Errorf("%v: %d, %s", one.args, got, said)
		}
	}
	// In a hub's own directory the cosigned checkpoint stands beside a newer one.
	write("checkpoint", []byte(alone))
	write("checkpoint.cosigned", signed)
	if got, said := verify(north, south); got != 2 {
		t.Errorf("%d, %s", got, said)
	}
	var out strings.Builder
	if code := run(&env{ctx: t.Context(), out: &out, err: io.Discard, in: strings.NewReader(""), now: time.Now, random: random}, []string{"log", "verify", "--key", logKey, "--dir", dir, north}); code != 0 || !strings.Contains(out.String(), "witness.example/north has cosigned it") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
