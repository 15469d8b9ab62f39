package hub_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/sim"
)

// outcome is what a golden backup comes to, as the version that made it found.
type outcome struct {
	Position   journal.Position  `json:"position"`
	Records    uint64            `json:"records"`
	Kinds      map[string]int    `json:"kinds"`      // of events
	Checkpoint string            `json:"checkpoint"` // signed, of everything
	Tables     map[string]string `json:"tables"`     // entries and hash
}

// TestGoldenBackups: what earlier versions backed up is restored, event by event, to the same books, the same state and
// the same public log. testdata/golden/NAME.backup is of a hub that a small world lived with, NAME.json what it comes to.
// Neither is ever changed. Where a fold rightly gives a table more than it used to, delete the JSON, have it made anew
// with -update, and say why in the commit.
func TestGoldenBackups(t *testing.T) {
	backups, err := filepath.Glob("testdata/golden/*.backup")
	if err != nil {
		t.Fatal(err)
	}
	if len(backups) == 0 && *update {
		backups = []string{makeBackup(t, "testdata/golden/first")}
	}
	if len(backups) == 0 {
		t.Fatal("there are no golden backups")
	}
	for _, path := range backups {
		t.Run(filepath.Base(path), func(t *testing.T) {
			name := strings.TrimSuffix(path, ".backup")
			c := &hub.Config{Name: "hub.example/demo", Data: filepath.Join(t.TempDir(), "data"), Secrets: t.TempDir(), PublicURL: "https://hub.example", Operator: "operator"}
			for _, file := range []string{"hub.key", "log.key", "log.pub"} { // a checkout lets others read
				b, err := os.ReadFile(filepath.Join(name+".secrets", file))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(c.Secrets, file), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := hub.ReadSecrets(c.Secrets)
			if err != nil {
				t.Fatal(err)
			}
			opt := hub.Options{Config: c, Secrets: s, Now: time.Now, Random: random(t), Virtual: true, NoSync: true}
			if err := restore(t, opt, path); err != nil {
				t.Fatal(err)
			}
			got := come(t, opt)
			b, err := os.ReadFile(name + ".json")
			if errors.Is(err, os.ErrNotExist) && *update {
				if b, err = json.MarshalIndent(got, "", "  "); err == nil {
					err = os.WriteFile(name+".json", append(b, '\n'), 0o600)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			var want outcome
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			for table := range got.Tables {
				if want.Tables[table] == "" {
					delete(got.Tables, table) // a table that came later
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the same journal comes to something else (-want +got):\n%s", diff)
			}
			if r := fsck(t, c, s); !r.OK {
				for _, f := range r.Findings {
					if !f.OK {
						t.Errorf("%s: %v", f.Check, f.Problems)
					}
				}
			}
			if len(want.Kinds) < 35 {
				t.Errorf("%d kinds of events: this story tells too little", len(want.Kinds))
			}
		})
	}
}

func random(t *testing.T) func([]byte) {
	return func(b []byte) {
		if _, err := rand.Read(b); err != nil {
			t.Error(err)
		}
	}
}

// come opens a hub and looks at everything that follows from its journal. It goes on afterwards, as an old hub must.
func come(t *testing.T, opt hub.Options) (o outcome) {
	t.Helper()
	o.Kinds = map[string]int{}
	folded, _, err := replica.Replay(opt.Config.Data, hub.NewRooms(opt.Config).Machine(), func(e journal.Entry) error {
		o.Kinds[e.Event.EventKind()]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Position, o.Records = folded.Position, folded.Records
	h, err := hub.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if o.Tables, err = h.Machine().TableHashes(); err != nil {
		t.Fatal(err)
	}
	if err := h.Publish(); err != nil {
		t.Fatal(err)
	}
	o.Checkpoint = string(h.Node.Log().Checkpoint())
	if _, err := h.Views.CatchUp(t.Context(), h.Node.Journal()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Node.Submit(t.Context(), replica.Request{Command: &replica.Tick{}}); err != nil {
		t.Errorf("a hub from an old backup does not go on: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

// makeBackup has a small world live with a hub, and backs the hub up.
func makeBackup(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := sim.Once(t.Context(), sim.Options{Seed: 5, Orders: 12, Sellers: 4, Dir: dir, Now: time.Now, Surface: surface}); err != nil {
		t.Fatal(err)
	}
	c := &hub.Config{Name: "hub.example/demo", Data: filepath.Join(dir, "data"), Secrets: filepath.Join(dir, "secrets"), PublicURL: "https://hub.example", Operator: "operator"}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.Open(t.Context(), hub.Options{Config: c, Secrets: s, Now: time.Now, Random: random(t), Virtual: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	_, err = h.Backup(&b)
	if err = errors.Join(err, h.Close(), os.MkdirAll(name+".secrets", 0o750), os.WriteFile(name+".backup", b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"hub.key", "log.key", "log.pub"} {
		key, err := os.ReadFile(filepath.Join(c.Secrets, file))
		if err = errors.Join(err, os.WriteFile(filepath.Join(name+".secrets", file), key, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return name + ".backup"
}
