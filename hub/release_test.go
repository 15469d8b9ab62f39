package hub_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/proof"
	"github.com/moongate-hub/moongate/replica"
)

// lost is a hub that was backed up, went on and published more, and then lost its disk.
type lost struct {
	opt          hub.Options
	backup       string
	then, newest []byte // checkpoints: of the backup, and what the world saw last
	cursor       string
	id           string
	receipt      *proof.Receipt
	at           journal.Position
}

func lose(t *testing.T) *lost {
	t.Helper()
	dir := t.TempDir()
	c, err := hub.Init(dir, hub.Config{Name: "hub.example", Listen: "127.0.0.1:0", PublicURL: "http://127.0.0.1", Operator: "office"}, random(t), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(-time.Hour)
	l := &lost{opt: hub.Options{Config: c, Secrets: s, Now: func() time.Time { return now }, Random: random(t), Virtual: true, NoSync: true}}
	h, err := hub.Open(t.Context(), l.opt)
	if err != nil {
		t.Fatal(err)
	}
	register := func(handle string) {
		t.Helper()
		now = now.Add(10 * time.Second)
		if _, err := hub.Do[party.Done](t.Context(), h, "", "", &party.Register{Handle: handle, Kind: party.Merchant, Name: handle}); err != nil {
			t.Fatal(err)
		}
	}
	publish := func() []byte {
		t.Helper()
		if err := h.Node.Log().Wait(last(h) + 1); err != nil {
			t.Fatal(err)
		}
		if err := h.Publish(); err != nil {
			t.Fatal(err)
		}
		return h.Node.Log().Checkpoint()
	}
	for _, name := range []string{"anna", "bo", "cy"} {
		register(name)
	}
	l.then = publish()
	l.at = 1
	if l.receipt, err = h.Receipt(l.at, hub.Reader{All: true}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := h.Backup(&b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"di", "ed"} {
		register(name)
	}
	l.newest = publish()
	l.cursor, l.id = h.Cursor("anna", last(h)), h.EventID("anna", last(h))
	l.backup = filepath.Join(t.TempDir(), "backup")
	if err := errors.Join(h.Close(), os.WriteFile(l.backup, b.Bytes(), 0o600), os.RemoveAll(c.Data)); err != nil {
		t.Fatal(err)
	}
	l.restore(t)
	l.opt.Now = time.Now
	return l
}

func (l *lost) restore(t *testing.T) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(l.opt.Config.Data), restore(t, l.opt, l.backup)); err != nil {
		t.Fatal(err)
	}
}

func (l *lost) held() bool {
	_, err := os.Stat(filepath.Join(l.opt.Config.Data, hub.QuarantineFile))
	return err == nil
}

// A restored hub goes on under its log's name only where the log holds all that the world has seen of it; else it needs
// another name, and then nothing from the lost time is taken for something that happens now.
func TestReleaseOfARestoredHub(t *testing.T) {
	l := lose(t)
	release := func(p hub.Published) (*hub.Released, error) {
		p.Random = random(t)
		return hub.Release(t.Context(), l.opt.Config, l.opt.Secrets, p)
	}
	forged := bytes.Replace(l.newest, []byte("\n4\n"), []byte("\n2\n"), 1)
	for what, c := range map[string]struct {
		p    hub.Published
		code moongate.Code
	}{
		"nothing is said":              {hub.Published{}, moongate.Conflict},
		"a checkpoint of another size": {hub.Published{Checkpoint: forged}, moongate.Malformed},
		"the same name again":          {hub.Published{Origin: "hub.example"}, moongate.Conflict},
		"a name that is none":          {hub.Published{Origin: "Hub Example"}, moongate.Malformed},
	} {
		if _, err := release(c.p); moongate.CodeOf(err) != c.code || !l.held() {
			t.Errorf("%s: %v, in quarantine: %v", what, err, l.held())
		}
	}
	if _, err := release(hub.Published{Checkpoint: l.newest}); !errors.Is(err, journal.ErrBeyond) || !l.held() {
		t.Errorf("the world has seen more: %v, in quarantine: %v", err, l.held())
	}
	if r, err := release(hub.Published{Checkpoint: l.then}); err != nil || r.Origin != "hub.example" || l.held() {
		t.Errorf("the world has seen no more: %+v, %v", r, err)
	}
	if _, err := release(hub.Published{Checkpoint: l.then}); moongate.CodeOf(err) != moongate.Conflict {
		t.Errorf("released twice: %v", err)
	}

	l.restore(t)
	r, err := release(hub.Published{Origin: "hub.example/2", Checkpoint: l.newest})
	if err != nil || r.Origin != "hub.example/2" || l.held() {
		t.Fatalf("under another name: %+v, %v", r, err)
	}
	if l.opt.Secrets, err = hub.ReadSecrets(l.opt.Config.Secrets); err != nil {
		t.Fatal(err)
	}
	if f := fsck(t, l.opt.Config, l.opt.Secrets); !f.OK {
		t.Errorf("before it publishes anything: %+v", f)
	}
	h, err := hub.Open(t.Context(), l.opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Node.Submit(t.Context(), replica.Request{Command: &replica.Tick{}}); err != nil {
		t.Fatal(err)
	}
	if err := h.Publish(); err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(r.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := proof.OpenCheckpoint(h.Node.Log().Checkpoint(), "hub.example/2", note.VerifierList(key)); err != nil || c.Size < r.Entries {
		t.Errorf("what it publishes: %+v, %v", c, err)
	}
	if _, err := l.receipt.Verify(h.Verifiers()); err != nil {
		t.Errorf("a receipt from before: %v", err)
	}
	if _, err := h.OpenCursor("anna", l.cursor); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("a cursor from the lost time: %v", err)
	}
	for at := journal.Position(1); at < 20; at++ {
		if h.EventID("anna", at) == l.id {
			t.Errorf("event %d has the name of one from the lost time", at)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if f := fsck(t, l.opt.Config, l.opt.Secrets); !f.OK {
		t.Errorf("after it went on: %+v", f)
	}
}

// last is the position of the newest durable event.
func last(h *hub.Hub) journal.Position {
	at, _ := h.Node.Durable()
	return at
}

// While a restored hub is in quarantine it publishes no checkpoint; time passes all the same.
func TestQuarantinePublishesNothing(t *testing.T) {
	l := lose(t)
	l.opt.Virtual, l.opt.AcceptClock = false, true
	published := func(passes bool) {
		t.Helper()
		h, err := hub.Open(t.Context(), l.opt)
		if err != nil {
			t.Fatal(err)
		}
		before := string(h.Node.Log().Checkpoint())
		at := last(h)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) { // between two looks
			if passes && string(h.Node.Log().Checkpoint()) != before || !passes && last(h) > at+3 {
				break
			}
		}
		if got := string(h.Node.Log().Checkpoint()) != before; got != passes {
			t.Errorf("a new checkpoint: %v, want %v", got, passes)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	published(false)
	if _, err := hub.Release(t.Context(), l.opt.Config, l.opt.Secrets, hub.Published{Checkpoint: l.then}); err != nil {
		t.Fatal(err)
	}
	published(true)
}
