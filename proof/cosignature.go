package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
)

// A witness looks at the heads of many logs, and cosigns one when it continues the last that it has cosigned of that log:
// what it has signed, nobody can be shown differently. The protocol is C2SP tlog-witness, the signature C2SP
// tlog-cosignature, with Ed25519.

// Cosigner verifies what one witness has cosigned. It is a [note.Verifier].
type Cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

const (
	cosignatureType = 0x04 // Ed25519 cosignatures, as the first byte of a verifier key
	cosignatureSize = 8 + ed25519.SignatureSize
)

// NewCosigner reads a witness's verifier key: name+hash+key, as C2SP signed-note writes it. The key must be one that makes
// cosignatures; a log's own key is none.
func NewCosigner(verifier string) (*Cosigner, error) {
	name, rest, _ := strings.Cut(verifier, "+")
	// What stands where a key should is not repeated: it may be a secret.
	bad := func(why string) (*Cosigner, error) {
		return nil, refuse("witness", "the key of the witness "+why, "a verifier key looks like witness.example/w1+1c2d3e4f+BA…; the witness's operator publishes it")
	}
	hash, text, ok := strings.Cut(rest, "+")
	if !ok || name == "" || len(name) > 255 || strings.ContainsAny(name, " \t\r\n") {
		return bad("is not a verifier key")
	}
	if name == "PRIVATE" {
		return bad("is its private one, which nobody but the witness needs")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case err != nil || len(key) == 0 || base64.StdEncoding.EncodeToString(key) != text:
		return bad("is not a verifier key")
	case key[0] == 0x01:
		return bad("is the key of a log, whose signatures say no time")
	case key[0] != cosignatureType || len(key) != 1+ed25519.PublicKeySize:
		return bad("is a key of another kind than Ed25519 cosignatures")
	}
	sum := sha256.Sum256([]byte(name + "\n" + string(key)))
	if hex.EncodeToString(sum[:4]) != hash {
		return bad("has another hash than its name and key")
	}
	return &Cosigner{name, binary.BigEndian.Uint32(sum[:4]), key[1:]}, nil
}

// Name is the witness's.
func (c *Cosigner) Name() string { return c.name }

// KeyHash tells its key from others under the same name.
func (c *Cosigner) KeyHash() uint32 { return c.hash }

// Verify checks a cosignature over a checkpoint's text.
func (c *Cosigner) Verify(text, signature []byte) bool {
	if len(signature) != cosignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(signature)
	if at > math.MaxInt64 {
		return false
	}
	message := append([]byte("cosignature/v1\ntime "+strconv.FormatUint(at, 10)+"\n"), text...)
	return ed25519.Verify(c.key, message, signature[8:])
}

// Cosignature is what a witness has said of a checkpoint: that at this time it was the largest head of the log that it had
// seen, and continued all those before.
type Cosignature struct {
	Name string        `json:"name"`
	At   moongate.Time `json:"at"`
	line string
}

// cosignatureOf reads a signature that was verified.
func cosignatureOf(s note.Signature) (Cosignature, error) {
	if err := canonical(s); err != nil {
		return Cosignature{}, err
	}
	raw, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(raw) != 4+cosignatureSize {
		return Cosignature{}, refuse("checkpoint", fmt.Sprintf("the cosignature of %q is not one", s.Name), "")
	}
	seconds := binary.BigEndian.Uint64(raw[4:])
	if seconds > math.MaxInt64/uint64(moongate.Second) {
		return Cosignature{}, refuse("checkpoint", fmt.Sprintf("the cosignature of %q is of second %d", s.Name, seconds), "")
	}
	return Cosignature{s.Name, moongate.Time(seconds) * moongate.Second, "— " + s.Name + " " + s.Base64 + "\n"}, nil
}

// Cosigned finds which of the witnesses have cosigned a checkpoint, in the order of its lines. It says nothing of the log's
// own signature: that is [OpenCheckpoint]'s. A line that bears a witness's name and key, and does not verify, is an error.
func Cosigned(signed []byte, by ...*Cosigner) ([]Cosignature, error) {
	if len(signed) > maxCheckpoint {
		return nil, refuse("checkpoint", fmt.Sprintf("%d bytes, a checkpoint has at most %d", len(signed), maxCheckpoint), "")
	}
	known := make([]note.Verifier, 0, len(by))
	for _, c := range by {
		known = append(known, c)
	}
	n, err := note.Open(signed, note.VerifierList(known...))
	var none *note.UnverifiedNoteError
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, refuse("checkpoint", fmt.Sprintf("its cosignatures: %v", err), "")
	}
	all := make([]Cosignature, 0, len(n.Sigs))
	for _, s := range n.Sigs {
		c, err := cosignatureOf(s)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Cosign adds cosignatures to a signed checkpoint.
func Cosign(signed []byte, by ...Cosignature) []byte {
	out := bytes.Clone(signed)
	for _, c := range by {
		out = append(out, c.line...)
	}
	return out
}

// WitnessRequest is the body of add-checkpoint: the size of the head that the witness has cosigned last, the proof that
// this one continues it, and the signed checkpoint.
func WitnessRequest(old int64, proof []Hash, signed []byte) []byte {
	b := append([]byte("old "), strconv.FormatInt(old, 10)...)
	b = append(b, '\n')
	for _, h := range proof {
		b = append(append(b, h.String()...), '\n')
	}
	b = append(b, '\n')
	return append(b, signed...)
}

// MaxWitnessAnswer bounds what a witness may answer, in bytes.
const MaxWitnessAnswer = 16 << 10

// WitnessAnswer finds the witness's cosignature of a checkpoint in its answer to add-checkpoint. Lines of other keys are
// passed over, as the protocol demands.
func WitnessAnswer(answer, signed []byte, by *Cosigner) (Cosignature, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok || len(answer) > MaxWitnessAnswer {
		return Cosignature{}, refuse("witness", fmt.Sprintf("an answer of %d bytes", len(answer)), "it is a few lines")
	}
	found, err := Cosigned(append([]byte(text+"\n\n"), answer...), by)
	if err != nil {
		return Cosignature{}, err
	}
	if len(found) != 1 {
		return Cosignature{}, refuse("witness", fmt.Sprintf("its answer has no signature of %s", by.name), "is the key the witness's own, and is this its address?")
	}
	return found[0], nil
}

// WitnessSize reads how far a witness is that has cosigned another head than it was asked to continue.
func WitnessSize(answer []byte) (int64, error) {
	text, ok := strings.CutSuffix(string(answer), "\n")
	size, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || size < 0 || strconv.FormatInt(size, 10) != text {
		return 0, refuse("witness", fmt.Sprintf("%.40q is not the size of a log", answer), "")
	}
	return size, nil
}
