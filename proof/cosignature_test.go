package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// witnessKeys makes a witness with somebody else's implementation of cosignatures, and its key as it would publish it.
func witnessKeys(t testing.TB, name string, seed byte) (*f_note.Signer, string) {
	t.Helper()
	secret, public, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := f_note.NewSignerForCosignatureV1(secret)
	if err != nil {
		t.Fatal(err)
	}
	if public, err = f_note.VKeyToCosignatureV1(public); err != nil {
		t.Fatal(err)
	}
	return signer, public
}

func cosigner(t testing.TB, key string) *Cosigner {
	t.Helper()
	c, err := NewCosigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answerOf is what a witness answers: the signature lines alone.
func answerOf(t testing.TB, text string, by ...note.Signer) []byte {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, by...)
	if err != nil {
		t.Fatal(err)
	}
	return signed[len(text)+1:]
}

// What another implementation cosigns is read, moved to the checkpoint, and found there.
func TestCosigned(t *testing.T) {
	log, verifier := keys(t, "hub.example/log", 1)
	north, northKey := witnessKeys(t, "witness.example/north", 2)
	south, southKey := witnessKeys(t, "witness.example/south", 3)
	stranger, strangerKey := witnessKeys(t, "witness.example/stranger", 4)
	tree, _ := grown(t, 5)
	c, err := tree.Checkpoint("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.Sign(log)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Truncate(time.Second)
	var all []Cosignature
	for key, answer := range map[string][]byte{northKey: answerOf(t, c.Text(), stranger, north), southKey: answerOf(t, c.Text(), south)} {
		one, err := WitnessAnswer(answer, signed, cosigner(t, key))
		if err != nil {
			t.Fatal(err)
		}
		if at := one.At.Go(); at.Before(before) || at.After(time.Now()) || one.Name != cosigner(t, key).Name() {
			t.Errorf("%+v", one)
		}
		all = append(all, one)
	}
	cosigned := Cosign(signed, all...)
	if got, err := Cosigned(cosigned, cosigner(t, northKey), cosigner(t, southKey), cosigner(t, strangerKey)); err != nil || len(got) != 2 {
		t.Errorf("found %v, %v", got, err)
	}
	if got, err := Cosigned(cosigned, cosigner(t, strangerKey)); err != nil || len(got) != 0 {
		t.Errorf("found %v, %v", got, err)
	}
	if got, err := Cosigned(signed, cosigner(t, northKey)); err != nil || len(got) != 0 {
		t.Errorf("found %v, %v", got, err)
	}
	// The log's own signature is as it was, and so is what others' programs find.
	if got, _, err := OpenCheckpoint(cosigned, "hub.example/log", note.VerifierList(verifier)); err != nil || got != c {
		t.Errorf("%+v, %v", got, err)
	}
	others, err := f_note.NewVerifierForCosignatureV1(southKey)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(cosigned, note.VerifierList(others, verifier)); err != nil || len(n.Sigs) != 2 {
		t.Errorf("%+v, %v", n, err)
	}
	// A witness that takes the log's name is no log.
	mimic, mimicKey := witnessKeys(t, "hub.example/log", 5)
	alone := append([]byte(c.Text()+"\n"), answerOf(t, c.Text(), mimic)...)
	if _, _, err := OpenCheckpoint(alone, "hub.example/log", note.VerifierList(verifier)); err == nil {
		t.Error("a witness of the log's name vouches for the log")
	}
	if got, err := Cosigned(alone, cosigner(t, mimicKey)); err != nil || len(got) != 1 {
		t.Errorf("found %v, %v", got, err)
	}
}

// cosignatureLine writes a signature as C2SP tlog-cosignature has it, said out loud.
func cosignatureLine(name string, key ed25519.PrivateKey, at uint64, header, text string) string {
	public := append([]byte{0x04}, key.Public().(ed25519.PublicKey)...)
	id := sha256.Sum256([]byte(name + "\n" + string(public)))
	raw := binary.BigEndian.AppendUint64(id[:4:4], at)
	raw = append(raw, ed25519.Sign(key, []byte(fmt.Sprintf("%s\ntime %d\n%s", header, at, text)))...)
	return "— " + name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

func vkey(name string, kind byte, key []byte) string {
	public := append([]byte{kind}, key...)
	id := sha256.Sum256([]byte(name + "\n" + string(public)))
	return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(public))
}

func TestCosignatureRefuses(t *testing.T) {
	const name, text = "witness.example/w1", "hub.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	by := cosigner(t, vkey(name, 0x04, key.Public().(ed25519.PublicKey)))
	signed := []byte(text + "\n— hub.example/log AAAAAAAA\n")
	good := cosignatureLine(name, key, 1_700_000_000, "cosignature/v1", text)
	if one, err := WitnessAnswer([]byte(good), signed, by); err != nil || one.At.Go().Unix() != 1_700_000_000 {
		t.Fatalf("%+v, %v", one, err)
	}
	for what, answer := range map[string]string{
		"nothing":               "",
		"a page":                "<html>502</html>\n",
		"no end of line":        strings.TrimSuffix(good, "\n"),
		"another text":          cosignatureLine(name, key, 1_700_000_000, "cosignature/v1", strings.Replace(text, "\n0\n", "\n1\n", 1)),
		"another header":        cosignatureLine(name, key, 1_700_000_000, "cosignature/v2", text),
		"a time beyond time":    cosignatureLine(name, key, 1<<63, "cosignature/v1", text),
		"a time beyond ours":    cosignatureLine(name, key, 1<<62, "cosignature/v1", text),
		"another time":          strings.Replace(good, good[len("— "+name+" ")+8:len("— "+name+" ")+12], "AAAA", 1),
		"another name":          cosignatureLine("witness.example/w2", key, 1_700_000_000, "cosignature/v1", text),
		"another key":           cosignatureLine(name, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)), 1_700_000_000, "cosignature/v1", text),
		"text before":           "well: " + good,
		"another note behind":   good + "\n" + good,
		"more than is answered": strings.Repeat("— other.example AAAAAAAA\n", 1000) + good,
	} {
		if one, err := WitnessAnswer([]byte(answer), signed, by); err == nil {
			t.Errorf("%s: %+v", what, one)
		}
	}
	if _, err := WitnessAnswer([]byte("— other.example AAAAAAAA\n"+good), signed, by); err != nil {
		t.Errorf("a line of an unknown key: %v", err)
	}
	public := []byte(key.Public().(ed25519.PublicKey))
	secret, _, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 64)), name)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"nothing": "", "a name": name, "no key": name + "+00000000+", "a log's key": vkey(name, 0x01, public), "another kind": vkey(name, 0x06, public),
		"a short key": vkey(name, 0x04, public[1:]), "no name": vkey("", 0x04, public), "a blank in it": vkey("witness example", 0x04, public),
		"another hash": strings.Replace(vkey(name, 0x04, public), "+", "+0", 1), "another name": strings.Replace(vkey(name, 0x04, public), "w1", "w2", 1), "a secret": secret,
	} {
		if _, err := NewCosigner(text); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for text, want := range map[string]int64{"0\n": 0, "20852163\n": 20852163, "": -1, "7": -1, "07\n": -1, "-7\n": -1, "7\n\n": -1, "+7\n": -1, "99999999999999999999\n": -1, "7 \n": -1} {
		if got, err := WitnessSize([]byte(text)); (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

// The request is the specification's example, but for its hashes.
func TestWitnessRequest(t *testing.T) {
	h := EmptyRoot()
	got := string(WitnessRequest(20852014, []Hash{h, h}, []byte("example.com/behind-the-sofa\n…")))
	want := "old 20852014\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nexample.com/behind-the-sofa\n…"
	if got != want {
		t.Errorf("%q", got)
	}
	if got := string(WitnessRequest(0, nil, []byte("x\n"))); got != "old 0\n\nx\n" {
		t.Errorf("%q", got)
	}
}

func FuzzCosigned(f *testing.F) {
	const name, text = "witness.example/w1", "hub.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	by := cosigner(f, vkey(name, 0x04, key.Public().(ed25519.PublicKey)))
	f.Add(text, cosignatureLine(name, key, 1_700_000_000, "cosignature/v1", text))
	f.Fuzz(func(t *testing.T, text, answer string) {
		signed := []byte(text + "\n— hub.example/log AAAAAAAA\n")
		one, err := WitnessAnswer([]byte(answer), signed, by)
		if err != nil {
			return
		}
		found, err := Cosigned(Cosign(signed, one), by)
		if err != nil || len(found) != 1 || found[0] != one {
			t.Errorf("%q is not found again: %v, %v", one.line, found, err)
		}
	})
}

func FuzzCosigner(f *testing.F) {
	f.Add(vkey("witness.example/w1", 0x04, make([]byte, 32)))
	f.Fuzz(func(t *testing.T, key string) {
		if c, err := NewCosigner(key); err == nil && vkey(c.Name(), 0x04, c.key) != key {
			t.Errorf("%q is read from %q", vkey(c.Name(), 0x04, c.key), key)
		}
	})
}
