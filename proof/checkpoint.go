package proof

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxCheckpoint bounds a signed checkpoint: a log's signature and a crowd of witnesses'.
const maxCheckpoint = 1 << 16

// Checkpoint is the head of a log (C2SP tlog-checkpoint): its origin, how many entries it has, and the root over them.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

// Text is the note to be signed: origin, size and root in base64, one a line.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// Sign signs the checkpoint as a C2SP signed note. The first signer is the log's own, and its key's name is the origin.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(signers) == 0 || signers[0].Name() != c.Origin {
		return nil, refuse("checkpoint.origin", fmt.Sprintf("no signer is named %q as the log's origin", c.Origin), "make the log's key under the origin's name")
	}
	return note.Sign(&note.Note{Text: c.Text()}, signers...)
}

// check refuses what must not be signed. Extension lines are not supported, so an origin has one line.
func (c Checkpoint) check() error {
	if c.Origin == "" || len(c.Origin) > 255 || strings.ContainsAny(c.Origin, "\n\r+ \t") {
		return refuse("checkpoint.origin", fmt.Sprintf("%.80q is not an origin", c.Origin), "a URL without scheme, spaces and plus, like hub.example/log")
	}
	if c.Size < 0 {
		return refuse("checkpoint.size", fmt.Sprintf("%d entries is less than none", c.Size), "")
	}
	if c.Size == 0 && c.Root != EmptyRoot() {
		return refuse("checkpoint.root", "an empty log with a root that is not the empty one", "")
	}
	return nil
}

// ParseCheckpoint reads the text of a checkpoint, without signatures, and refuses any other spelling than Text's.
func ParseCheckpoint(text []byte) (Checkpoint, error) {
	bad := refuse("checkpoint", fmt.Sprintf("%.80q is not a checkpoint", text), "three lines: origin, size, root in base64")
	if len(text) > maxCheckpoint {
		return Checkpoint{}, bad
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, bad
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, bad
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: root}
	if c.Text() != string(text) {
		return Checkpoint{}, bad
	}
	return c, c.check()
}

// ReadSigned reads the text of a signed checkpoint and looks at no signature: it is for one that was signed, or verified,
// here before.
func ReadSigned(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return Checkpoint{}, refuse("checkpoint", fmt.Sprintf("%.80q is not a signed checkpoint", signed), "its text, an empty line, and signatures")
	}
	return ParseCheckpoint([]byte(text + "\n"))
}

// OpenCheckpoint verifies a signed checkpoint of the log with the origin: a key of the log itself, under the origin's
// name, must have signed it. The names of other known keys that signed it too, witnesses, are given back in order;
// unknown signatures are passed over, as C2SP signed-note demands.
func OpenCheckpoint(signed []byte, origin string, known note.Verifiers) (c Checkpoint, witnesses []string, err error) {
	if len(signed) > maxCheckpoint {
		return c, nil, refuse("checkpoint", fmt.Sprintf("%d bytes, a checkpoint has at most %d", len(signed), maxCheckpoint), "")
	}
	n, err := note.Open(signed, known)
	if err != nil {
		return c, nil, refuse("checkpoint", fmt.Sprintf("no valid signature: %v", err), "give the verifier key of "+origin)
	}
	if c, err = ParseCheckpoint([]byte(n.Text)); err != nil {
		return Checkpoint{}, nil, err
	}
	if c.Origin != origin {
		return Checkpoint{}, nil, refuse("checkpoint.origin", fmt.Sprintf("the checkpoint is of %q, not of %q", c.Origin, origin), "")
	}
	byLog := false
	for _, s := range n.Sigs {
		if err := canonical(s); err != nil {
			return Checkpoint{}, nil, err
		}
		if s.Name == origin {
			byLog = true
		} else {
			witnesses = append(witnesses, s.Name)
		}
	}
	if !byLog {
		return Checkpoint{}, nil, refuse("checkpoint", fmt.Sprintf("witnesses signed, %q itself did not", origin), "")
	}
	return c, witnesses, nil
}

// canonical refuses a signature whose base64 has stray bits, which would let one signature have two spellings.
func canonical(s note.Signature) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(s.Base64)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != s.Base64 {
		return refuse("checkpoint", fmt.Sprintf("the signature of %q is not canonical base64", s.Name), "")
	}
	return nil
}

// VerifyConsistency checks that the newer checkpoint's log begins with all of the older one's: nothing was taken out,
// changed or put in between. Every log continues the empty one, with an empty proof.
func VerifyConsistency(older, newer Checkpoint, proof []Hash) error {
	if older.Origin != newer.Origin {
		return refuse("checkpoint.origin", fmt.Sprintf("%q and %q are different logs", older.Origin, newer.Origin), "")
	}
	if older.Size > newer.Size {
		return refuse("checkpoint.size", fmt.Sprintf("the log shrank from %d to %d entries", older.Size, newer.Size), "")
	}
	if older.Size == 0 {
		if err := older.check(); err != nil {
			return err
		}
		if newer.Size == 0 {
			if err := newer.check(); err != nil {
				return err
			}
		}
		if len(proof) != 0 {
			return refuse("proof", "a proof from the empty log is empty", "")
		}
		return nil
	}
	if err := tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root); err != nil {
		return refuse("proof", fmt.Sprintf("the log of %d entries does not continue the one of %d", newer.Size, older.Size),
			"keep both checkpoints: together they prove that the log was rewritten")
	}
	return nil
}

// EmptyRoot is the root of a log without entries: SHA-256 of nothing (RFC 6962, section 2.1).
func EmptyRoot() Hash {
	h, _ := tlog.TreeHash(0, nil)
	return h
}
