package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
	ours "github.com/moongate-hub/moongate/proof"
)

// cosign is what a witness adds.
func cosign(signed []byte) []byte {
	return append(bytes.Clone(signed), "— witness.example AAAAAAAA\n"...)
}

// TestCosigned: what witnesses have cosigned is shown in place of the newest checkpoint for a minute, proves what it holds
// for good, is there after a restart, and gives way to nothing smaller and to nothing of another key or tree.
func TestCosigned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := newToyLog(t, dir, Options{})
	shows := func(want []byte) {
		t.Helper()
		got, err := x.l.ReadFile("checkpoint")
		if err != nil || !bytes.Equal(got, want) || !bytes.Equal(x.l.Head(), want) {
			t.Errorf("shown is %.60q, %v; not %.60q", got, err, want)
		}
		newest, err := x.l.ReadFile("checkpoint.newest")
		if err != nil || !bytes.Equal(newest, x.l.Checkpoint()) {
			t.Errorf("the newest is %.60q, %v", newest, err)
		}
	}
	proved := func(pos Position, want []byte) {
		t.Helper()
		r, err := x.l.Receipt(pos, func(Event, string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		p, err := ours.ParseLogProof(r.Proof)
		if err != nil || !bytes.Equal(p.Checkpoint, want) {
			t.Errorf("event %d is proved under %.60q, %v; not %.60q", pos, p.Checkpoint, err, want)
		}
		if _, err := r.Verify(note.VerifierList(x.verify)); err != nil {
			t.Errorf("event %d: %v", pos, err)
		}
	}
	x.pass(20)
	x.publish()
	small := x.l.Checkpoint()
	shows(small)
	x.pass(20)
	x.publish()
	large := x.l.Checkpoint()
	between := x.w[len(x.w)-8].First // behind the small one, in the large one
	if err := x.l.Cosigned(cosign(small)); err != nil {
		t.Fatal(err)
	}
	shows(cosign(small))
	proved(1, cosign(small))
	proved(between, large)
	if err := x.l.Cosigned(cosign(large)); err != nil {
		t.Fatal(err)
	}
	shows(cosign(large))
	proved(1, cosign(large))
	if err := x.l.Cosigned(cosign(small)); moongate.CodeOf(err) != moongate.Conflict {
		t.Errorf("a smaller one: %v", err)
	}
	c, _, err := ours.OpenCheckpoint(large, origin, note.VerifierList(x.verify))
	if err != nil {
		t.Fatal(err)
	}
	c.Size++
	beyond, err1 := c.Sign(x.signer)
	c.Size, c.Root[0] = c.Size-1, c.Root[0]^1
	other, err2 := c.Sign(x.signer)
	for _, signed := range [][]byte{beyond, other} {
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if err := x.l.Cosigned(signed); !errors.Is(err, ErrBeyond) {
			t.Errorf("one that is not of this log: %v", err)
		}
	}
	shows(cosign(large))

	// The proofs that witnesses are given.
	for _, older := range []int64{0, 1, 5, c.Size} {
		path, err := x.l.Consistency(older, c.Size)
		if err != nil || (older == 0 || older == c.Size) != (len(path) == 0) {
			t.Errorf("from %d entries: %d hashes, %v", older, len(path), err)
		}
	}

	reopen := func() {
		t.Helper()
		x.close()
		x.j = openJournal(t, filepath.Join(dir, "journal"), Options{Sync: NoSync})
		if x.l, err = OpenLog(filepath.Join(dir, "log"), x.j, logSecret); err != nil {
			t.Fatal(err)
		}
	}
	reopen()
	shows(cosign(large))
	x.pass(40) // the witnesses are gone
	x.publish()
	shows(cosign(large))
	x.pass(60)
	x.publish()
	shows(x.l.Checkpoint())
	proved(1, cosign(large))

	// Another key, though of the same name, signs from now on.
	private, _, err := note.GenerateKey(rand.NewChaCha8([32]byte{8}), origin)
	if err != nil {
		t.Fatal(err)
	}
	another, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.l.Publish(origin, another); err != nil {
		t.Fatal(err)
	}
	shows(x.l.Checkpoint())
	if b := x.l.CosignedCheckpoint(); b != nil {
		t.Errorf("of another key: %.60q", b)
	}
	if err := x.l.Cosigned(cosign(x.l.Checkpoint())); err != nil {
		t.Fatal(err)
	}
	shows(cosign(x.l.Checkpoint()))
	x.close()

	// A file that was changed is no checkpoint of this log.
	if err := os.WriteFile(filepath.Join(dir, "log", cosignedName), beyond, 0o600); err != nil {
		t.Fatal(err)
	}
	x.j = openJournal(t, filepath.Join(dir, "journal"), Options{Sync: NoSync})
	if _, err := OpenLog(filepath.Join(dir, "log"), x.j, logSecret); err == nil {
		t.Error("a checkpoint that this log does not hold is shown")
	}
	if err := x.j.Close(); err != nil {
		t.Fatal(err)
	}
}
