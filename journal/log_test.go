package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
	ours "github.com/moongate-hub/moongate/proof"
)

const origin = "hub.example/log"

var logSecret = [32]byte{1, 2, 3}

// keys of the toy's log, the same in every run.
func logKeys(t testing.TB) (note.Signer, note.Verifier) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.NewChaCha8([32]byte{9}), origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err1 := note.NewSigner(private)
	v, err2 := note.NewVerifier(public)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return s, v
}

// A toyLog is a journal of so many seconds with a log beside it.
type toyLog struct {
	t       testing.TB
	dir     string
	j       *Journal
	l       *Log
	w       written
	rng     *rand.Rand
	signer  note.Signer
	signed  [][]byte // checkpoints published
	verify  note.Verifier
	second  int64
	entries [][]byte // of closed intervals: the model
	acts    []string
	open    *modelInterval
}

// modelInterval is an interval as the model sees it.
type modelInterval struct {
	number int64
	leaves []ours.Hash
	acts   [][]byte
}

func newToyLog(t testing.TB, dir string, opt Options) *toyLog {
	t.Helper()
	x := &toyLog{t: t, dir: dir, rng: rand.New(rand.NewPCG(21, 22)), second: 1_700_000_000}
	x.signer, x.verify = logKeys(t)
	if opt.Sync == nil {
		opt.Sync = NoSync
	}
	x.j = openJournal(t, filepath.Join(dir, "journal"), opt)
	l, err := OpenLog(filepath.Join(dir, "log"), x.j, logSecret)
	if err != nil {
		t.Fatal(err)
	}
	x.l = l
	return x
}

// pass lets seconds pass; some are quiet, some have several records, some an act.
func (x *toyLog) pass(seconds int) {
	x.t.Helper()
	for range seconds {
		x.second += 1 + int64(x.rng.IntN(20)/19)
		for range 1 + x.rng.IntN(2) {
			r := x.w.next(x.rng)
			for i := range r.Done {
				r.Done[i].At = moongate.Time(x.second)*moongate.Second + moongate.Time(i)
			}
			x.add(r)
		}
	}
	if err := x.l.Wait(x.j.Next()); err != nil {
		x.t.Fatal(err)
	}
}

func (x *toyLog) add(r *Record) {
	x.t.Helper()
	if err := errors.Join(x.j.Append(r), x.j.Sync()); err != nil {
		x.t.Fatal(err)
	}
	x.w = append(x.w, r)
	x.l.Add(r, nil)
	x.model(r)
}

// model takes a record into the model of the public log.
func (x *toyLog) model(r *Record) {
	at := r.First
	for i := range r.Done {
		d := &r.Done[i]
		for ordinal, st := range d.Events {
			if n := int64(d.At / moongate.Second); x.open == nil || x.open.number != n {
				x.closeInterval()
				x.open = &modelInterval{number: n}
			}
			var groups []ours.Hash
			for g := range st.Groups {
				salt := ours.Salt(&d.Seed, uint64(ordinal), g)
				groups = append(groups, ours.GroupHash(&salt, st.Groups[g].Audience, st.Groups[g].Data))
			}
			header := ours.Salt(&d.Seed, uint64(ordinal), ours.Header)
			x.open.leaves = append(x.open.leaves, ours.EventLeaf(&header, uint64(at), st.Kind, groups))
			if st.Kind == "toy.ruled" {
				e, err := toys().Decode(st)
				if err != nil {
					x.t.Fatal(err)
				}
				rule := e.(*ruled).Rule
				text := fmt.Sprintf(`{"title":%q,"fee":%d}`, rule.Title, rule.Fee)
				if rule.Text != "" {
					text = fmt.Sprintf(`{"title":%q,"fee":%d,"text":%q}`, rule.Title, rule.Fee, rule.Text)
				}
				x.acts = append(x.acts, text)
				if len(text) > 60000 {
					text = fmt.Sprintf(`{"sha256":"%x","bytes":%d}`, sha256.Sum256([]byte(text)), len(text))
				}
				act, err := ours.ActEntry("toy.ruled", x.open.number, []byte(text))
				if err != nil {
					x.t.Fatal(err)
				}
				x.open.acts = append(x.open.acts, act)
			}
			at++
		}
	}
}

func (x *toyLog) closeInterval() {
	if x.open == nil {
		return
	}
	seed := ours.IntervalSeed(&logSecret, x.open.number)
	tree := ours.NewInterval(&seed)
	for _, leaf := range x.open.leaves {
		tree.Append(leaf)
	}
	x.entries = append(append(x.entries, ours.IntervalEntry(x.open.number, tree.Root())), x.open.acts...)
	x.open = nil
}

// root is the Merkle tree hash of RFC 6962, section 2.1, as it is written there.
func root(entries [][]byte) []byte {
	switch n := len(entries); n {
	case 0:
		h := sha256.Sum256(nil)
		return h[:]
	case 1:
		h := sha256.Sum256(append([]byte{0}, entries[0]...))
		return h[:]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		h := sha256.Sum256(append(append([]byte{1}, root(entries[:k])...), root(entries[k:])...))
		return h[:]
	}
}

func (x *toyLog) publish() {
	x.t.Helper()
	b, err := x.l.Publish(origin, x.signer)
	if err != nil {
		x.t.Fatal(err)
	}
	if b != nil {
		x.signed = append(x.signed, b)
	}
}

// check holds the newest checkpoint against the model.
func (x *toyLog) check() error {
	c, _, err := ours.OpenCheckpoint(x.l.Checkpoint(), origin, note.VerifierList(x.verify))
	if err != nil {
		return err
	}
	if c.Size != int64(len(x.entries)) || !bytes.Equal(c.Root[:], root(x.entries)) {
		return fmt.Errorf("the log has %d entries and root %s, the model %d and %x", c.Size, c.Root, len(x.entries), root(x.entries))
	}
	return nil
}

func (x *toyLog) close() {
	x.t.Helper()
	if err := errors.Join(x.l.Close(), x.j.Close()); err != nil {
		x.t.Fatal(err)
	}
}

// TestLogIsTheModels, and every published checkpoint is an older root of the same tree.
func TestLogIsTheModels(t *testing.T) {
	t.Parallel()
	x := newToyLog(t, t.TempDir(), Options{})
	x.publish()
	if x.l.Checkpoint() != nil {
		t.Error("an empty log was published")
	}
	for range 12 {
		x.pass(40)
		x.publish()
		if err := x.check(); err != nil {
			t.Fatal(err)
		}
		x.publish() // nothing new: the same tree again
		if err := x.check(); err != nil {
			t.Fatal(err)
		}
	}
	if x.l.Size() != int64(len(x.entries)) || x.l.Lag() != 0 || len(x.acts) < 20 {
		t.Errorf("size %d of %d, lag %d, %d acts", x.l.Size(), len(x.entries), x.l.Lag(), len(x.acts))
	}
	for _, signed := range x.signed {
		c, _, err := ours.OpenCheckpoint(signed, origin, note.VerifierList(x.verify))
		if err != nil || !bytes.Equal(c.Root[:], root(x.entries[:c.Size])) {
			t.Errorf("the checkpoint of %d entries is not of this tree (%v)", c.Size, err)
		}
	}
	x.close()
}

// TestTesseraReadsTheLog: Tessera's client, which is not ours, finds every entry in and every checkpoint consistent with
// the files on the disk.
func TestTesseraReadsTheLog(t *testing.T) {
	t.Parallel()
	x := newToyLog(t, t.TempDir(), Options{})
	for range 9 {
		x.pass(35)
		x.publish()
	}
	x.close()
	ctx := context.Background()
	f := client.FileFetcher{Root: filepath.Join(x.dir, "log")}
	cp, _, _, err := client.FetchCheckpoint(ctx, f.ReadCheckpoint, x.verify, origin)
	if err != nil {
		t.Fatal(err)
	}
	if cp.Size != uint64(len(x.entries)) || cp.Size < 300 {
		t.Fatalf("Tessera reads %d entries, the model has %d", cp.Size, len(x.entries))
	}
	build, err := client.NewProofBuilder(ctx, cp.Size, f.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(0); i < cp.Size; i++ {
		path, err := build.InclusionProof(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(x.entries[i])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, cp.Size, leaf, path, cp.Hash); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
		bundle, err := client.GetEntryBundle(ctx, f.ReadEntryBundle, i/256, cp.Size)
		if err != nil || !bytes.Equal(bundle.Entries[i%256], x.entries[i]) {
			t.Fatalf("entry %d of the bundle: %v", i, err)
		}
	}
	for _, signed := range x.signed {
		older, _, err := ours.OpenCheckpoint(signed, origin, note.VerifierList(x.verify))
		if err != nil {
			t.Fatal(err)
		}
		path, err := build.ConsistencyProof(ctx, uint64(older.Size), cp.Size)
		if err == nil {
			err = proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(older.Size), cp.Size, path, older.Root[:], cp.Hash)
		}
		if err != nil {
			t.Errorf("from %d entries: %v", older.Size, err)
		}
	}
}

// TestReceiptsOpenTheirGroups: for every event and everybody, a receipt that verifies offline and shows exactly the
// groups that are theirs, byte for byte as the journal has them.
func TestReceiptsOpenTheirGroups(t *testing.T) {
	t.Parallel()
	x := newToyLog(t, t.TempDir(), Options{SegmentBytes: 4000})
	x.pass(30)
	x.publish()
	published := x.l.rows[len(x.l.rows)-1].Next
	x.pass(1)
	opened, checked := map[string]int{}, 0
	for _, r := range x.w {
		at := r.First
		for _, d := range r.Done {
			for _, st := range d.Events {
				e, err := toys().Decode(st)
				if err != nil {
					t.Fatal(err)
				}
				for _, who := range []string{"ann", "bo", "cy", "di", "eve", ""} {
					sees := func(e Event, audience string) bool { return Opens(e, audience, who) }
					receipt, err := x.l.Receipt(at, sees)
					if at >= published {
						if moongate.CodeOf(err) != moongate.Busy {
							t.Fatalf("event %d, which is not published: %v", at, err)
						}
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					b, err := receipt.Marshal()
					if err != nil {
						t.Fatal(err)
					}
					parsed, err := ours.ParseReceipt(b)
					if err != nil {
						t.Fatal(err)
					}
					o, err := parsed.Verify(note.VerifierList(x.verify))
					if err != nil {
						t.Fatalf("event %d for %q: %v", at, who, err)
					}
					var want []ours.Group
					for _, g := range st.Groups {
						if Opens(e, g.Audience, who) {
							want = append(want, ours.Group{Audience: g.Audience, Data: g.Data})
							opened[who]++
						} else if bytes.Contains(b, []byte(hex.EncodeToString(g.Data))) {
							t.Errorf("event %d: the receipt for %q holds the group for %q", at, who, g.Audience)
						}
					}
					if len(want) != len(o.Groups) || !slices.EqualFunc(want, o.Groups, func(a, b ours.Group) bool {
						return a.Audience == b.Audience && bytes.Equal(a.Data, b.Data)
					}) {
						t.Errorf("event %d for %q opens %v, not %v", at, who, o.Groups, want)
					}
					if o.Kind != st.Kind || o.Interval != int64(d.At/moongate.Second) || o.Position != 0 {
						t.Errorf("event %d: the receipt says %+v", at, o)
					}
					checked++
				}
				at++
			}
		}
	}
	if checked < 300 || opened["ann"] == 0 || opened["cy"] == 0 || opened["eve"] >= opened["ann"] || opened["eve"] == 0 {
		t.Errorf("%d receipts, opened %v: this test shows too little", checked, opened)
	}
	for _, at := range []Position{0, x.j.Next(), x.j.Next() + 99} {
		if _, err := x.l.Receipt(at, func(Event, string) bool { return true }); moongate.CodeOf(err) != moongate.Busy {
			t.Errorf("a receipt of event %d, which is not there: %v", at, err)
		}
	}
	x.close()
}

// TestNoReceiptBeforeACheckpoint, and none from a log whose tiles were damaged since.
func TestNoReceiptThatDoesNotVerify(t *testing.T) {
	t.Parallel()
	x := newToyLog(t, t.TempDir(), Options{})
	all := func(Event, string) bool { return true }
	x.pass(300)
	if _, err := x.l.Receipt(1, all); moongate.CodeOf(err) != moongate.Busy {
		t.Errorf("before any checkpoint: %v", err)
	}
	x.publish()
	if _, err := x.l.Receipt(1, all); err != nil {
		t.Fatal(err)
	}
	tile := filepath.Join(x.dir, "log", "tile", "0", "000")
	b, err := os.ReadFile(tile)
	if err != nil {
		t.Fatal(err)
	}
	b[40] ^= 1
	if err := os.WriteFile(tile, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := x.l.Receipt(1, all); mustName(err, "log") != nil {
		t.Errorf("from a damaged tile: %v", err)
	}
	x.close()
}

// TestPublicActsAreInPlain: each stands in the log by itself, and one that is too long by its hash.
func TestPublicActsAreInPlain(t *testing.T) {
	t.Parallel()
	x := newToyLog(t, t.TempDir(), Options{})
	x.pass(20)
	long := &ruled{Rule{Title: "all of it", Text: strings.Repeat("x", 70000)}}
	st, err := toys().Encode(long, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	x.second++
	last := x.w[len(x.w)-1]
	x.add(&Record{Index: last.Index + 1, First: last.Next(), Done: []Done{{At: moongate.Time(x.second) * moongate.Second, Events: []Stored{st}}}})
	x.pass(20)
	x.publish()
	if err := x.check(); err != nil {
		t.Fatal(err)
	}
	x.close()
	found, short := 0, 0
	for i, e := range x.entries {
		entry, err := ours.ParseEntry(e)
		if err != nil {
			t.Fatal(err)
		}
		if !entry.IsAct() {
			continue
		}
		found++
		if len(entry.JSON) < 200 && bytes.Contains(entry.JSON, []byte(`"bytes":70`)) {
			short++
		} else if string(entry.JSON) != x.acts[found-1] {
			t.Errorf("entry %d is %s, not %s", i, entry.JSON, x.acts[found-1])
		}
	}
	if want := len(x.acts) - len(x.open.acts); found != want || found < 5 || short != 1 {
		t.Errorf("%d acts in the log, %d of them by their hash; there were %d", found, short, want)
	}
}

// TestLogServesItsFiles by their paths, and nothing else.
func TestLogServesItsFiles(t *testing.T) {
	x := newToyLog(t, t.TempDir(), Options{})
	x.pass(300)
	if _, err := x.l.ReadFile(checkpointName); moongate.CodeOf(err) != moongate.NotFound {
		t.Errorf("a checkpoint before the first: %v", err)
	}
	x.publish()
	if b, err := x.l.ReadFile(checkpointName); err != nil || !bytes.Equal(b, x.signed[0]) {
		t.Errorf("the checkpoint: %s, %v", b, err)
	}
	for _, id := range ours.Tiles(0, int64(len(x.entries))) {
		if _, err := x.l.ReadFile(id.Path()); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"", "head", "intervals", "tile/0/999", "tile/0/../../head", "/tile/0/000", "tile/entries/000.p/0", "../journal/durable"} {
		if b, err := x.l.ReadFile(path); moongate.CodeOf(err) != moongate.NotFound {
			t.Errorf("%q: %d bytes, %v", path, len(b), err)
		}
	}
	x.close()
}

// TestPublishBesideAdd reads receipts and publishes while records come in; run it with -race.
func TestPublishBesideAdd(t *testing.T) {
	t.Parallel()
	x := newToyLog(t, t.TempDir(), Options{})
	x.pass(5)
	x.publish()
	done, quit := make(chan error, 2), make(chan struct{})
	go func() {
		done <- func() error {
			for {
				select {
				case <-quit:
					return nil
				default:
				}
				if _, err := x.l.Publish(origin, x.signer); err != nil {
					return err
				}
			}
		}()
	}()
	go func() {
		done <- func() error {
			for at := Position(1); ; at++ {
				select {
				case <-quit:
					return nil
				default:
				}
				r, err := x.l.Receipt(at, func(Event, string) bool { return true })
				if moongate.CodeOf(err) == moongate.Busy {
					at = 1
					continue
				}
				if err == nil {
					_, err = r.Verify(note.VerifierList(x.verify))
				}
				if err != nil {
					return err
				}
			}
		}()
	}()
	x.pass(300)
	close(quit)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	x.publish()
	if err := x.check(); err != nil {
		t.Error(err)
	}
	x.close()
}
