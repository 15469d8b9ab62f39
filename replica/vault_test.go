package replica_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

func secret(n int) replica.Secret {
	return replica.Secret{Subject: crashSubject(n), Key: sha("vault", n)}
}

// bring submits a command with a secret.
func bring(t testing.TB, n *replica.Node, i int) {
	t.Helper()
	r := replica.Request{Caller: "ann", Key: fmt.Sprint("bring ", i), Command: &put{Purse: fmt.Sprint("p", i%3), Coins: 1}, Secrets: []replica.Secret{secret(i)}}
	if _, err := n.Submit(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func erase(t testing.TB, n *replica.Node, i int) {
	t.Helper()
	if _, err := n.Submit(context.Background(), replica.Request{Command: &replica.Erase{Subject: crashSubject(i)}}); err != nil {
		t.Fatal(err)
	}
}

// holding lists the files below a directory that hold some bytes.
func holding(t testing.TB, dir string, key [32]byte) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(b, key[:]) {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			names = append(names, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestErasureIsComplete searches all bytes of all files of a hub. A key is in the vault and in raft's log and nowhere
// else: not in the journal, not in snapshots, not in the public log. Erased, it is gone for readers at once, and from
// the disk when Compact has returned, with everything else as it was.
func TestErasureIsComplete(t *testing.T) {
	t.Parallel()
	opt := moving(options(t, t.TempDir()))
	opt.SegmentBytes = 8 << 10
	n, _ := open(t, opt)
	for i := range 60 {
		bring(t, n, i)
		if i == 20 || i == 40 {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := n.Log().Publish(crashOrigin, crashSigner()); err != nil {
		t.Fatal(err)
	}
	shut(t, n)
	for i := range 60 {
		for _, name := range holding(t, opt.Dir, secret(i).Key) {
			if name != "vault" && name != filepath.Join("raft", "raft.db") {
				t.Errorf("%s holds key %d", name, i)
			}
		}
	}
	n, _ = open(t, opt)
	gone := []int{3, 30, 55}
	for _, i := range gone {
		if _, ok, err := n.Vault().Get(crashSubject(i)); !ok || err != nil {
			t.Errorf("key %d did not survive the restart (%v)", i, err)
		}
		if len(holding(t, opt.Dir, secret(i).Key)) == 0 {
			t.Fatal("the search finds nothing: this test shows nothing")
		}
		erase(t, n, i)
		if _, ok, err := n.Vault().Get(crashSubject(i)); ok || err != nil {
			t.Errorf("key %d can be read after it was erased (%v)", i, err)
		}
	}
	if ids, err := n.Vault().Erased(); err != nil || len(ids) != len(gone) {
		t.Errorf("outstanding: %v, %v", ids, err)
	}
	shut(t, n) // what is outstanding outlives a restart
	n, _ = open(t, opt)
	before := nodeHash(t, n)
	var copies bytes.Buffer
	if _, err := n.Vault().WriteTo(&copies); err != nil {
		t.Fatal(err)
	}
	if err := n.Compact(); err != nil {
		t.Fatal(err)
	}
	for _, i := range gone {
		if names := holding(t, opt.Dir, secret(i).Key); len(names) > 0 {
			t.Errorf("key %d is still in %v", i, names)
		}
		if k := secret(i).Key; bytes.Contains(copies.Bytes(), k[:]) {
			t.Errorf("a backup of the vault holds key %d", i)
		}
	}
	if ids, err := n.Vault().Erased(); err != nil || len(ids) != 0 {
		t.Errorf("outstanding after Compact: %v, %v", ids, err)
	}
	if nodeHash(t, n) != before {
		t.Error("Compact changed the state")
	}
	for range 2 {
		for i := range 60 {
			key, ok, err := n.Vault().Get(crashSubject(i))
			if want := !slices.Contains(gone, i); ok != want || err != nil || ok && key != secret(i).Key {
				t.Errorf("key %d: %v, %v", i, ok, err)
			}
		}
		fill(t, n, 0, 30)
		before = nodeHash(t, n)
		shut(t, n)
		n, _ = open(t, opt)
		if nodeHash(t, n) != before {
			t.Error("after a restart: another state")
		}
	}
	for _, i := range gone {
		if names := holding(t, opt.Dir, secret(i).Key); len(names) > 0 {
			t.Errorf("key %d came back in %v", i, names)
		}
	}
	shut(t, n)
}

// TestErasureBesideWork compacts while commands and erasures come in; run it with -race.
func TestErasureBesideWork(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	opt.EraseEvery = 5 * time.Millisecond // the node compacts by itself, too
	n, _ := open(t, opt)
	var work sync.WaitGroup
	for w := range 4 {
		work.Add(1)
		go func() {
			defer work.Done()
			for i := w; i < 80; i += 4 {
				bring(t, n, i)
				if i%3 == 0 {
					erase(t, n, i)
				}
				if i%20 == 0 {
					if err := n.Compact(); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	work.Wait()
	eventually(t, "the node clears what was erased by itself", func() bool {
		ids, err := n.Vault().Erased()
		return err == nil && len(ids) == 0
	})
	for i := range 80 {
		names := holding(t, opt.Dir, secret(i).Key)
		if i%3 == 0 && len(names) > 0 {
			t.Errorf("key %d is still in %v", i, names)
		}
		if _, ok, err := n.Vault().Get(crashSubject(i)); ok != (i%3 != 0) || err != nil {
			t.Errorf("key %d: %v %v", i, ok, err)
		}
	}
	want := nodeHash(t, n)
	shut(t, n)
	n, _ = open(t, opt)
	if nodeHash(t, n) != want {
		t.Error("after a restart: another state")
	}
	shut(t, n)
}

// TestSecretsOfRefusedCommands are not kept, nor those of repeated ones; the first secret of a subject stays.
func TestSecretsOfRefusedCommands(t *testing.T) {
	t.Parallel()
	n, _ := open(t, options(t, t.TempDir()))
	send := func(key string, c replica.Command, s replica.Secret) {
		n.Submit(context.Background(), replica.Request{Caller: "ann", Key: key, Command: c, Secrets: []replica.Secret{s}})
	}
	send("1", &put{Purse: "p", Coins: -5}, secret(1))
	send("2", &put{Purse: "p", Fail: "malformed"}, secret(2))
	send("3", &put{Purse: "p", Coins: 1}, secret(3))
	send("3", &put{Purse: "p", Coins: 1}, secret(4))
	send("4", &put{Purse: "p", Coins: 1}, replica.Secret{Subject: crashSubject(3), Key: [32]byte{1}})
	for i := 1; i <= 4; i++ {
		key, ok, err := n.Vault().Get(crashSubject(i))
		if ok != (i == 3) || err != nil || ok && key != secret(3).Key {
			t.Errorf("secret %d: %v, %v", i, ok, err)
		}
	}
	if _, err := n.Submit(context.Background(), replica.Request{Command: &replica.Erase{Subject: moongate.ID{1}}}); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("what is no subject was erased: %v", err)
	}
	shut(t, n)
}

// TestSecretsComeBeforeTheJournal: when a group of entries crosses from one segment into the next, the journal syncs on
// its own. The secrets of the group are in the vault by then: an entry that the journal holds is not looked at again.
func TestSecretsComeBeforeTheJournal(t *testing.T) {
	t.Parallel()
	const count = 12
	opt := options(t, t.TempDir())
	opt.SegmentBytes = 1 // every record begins a segment
	var n *replica.Node
	var armed atomic.Bool
	var once sync.Once
	grouped := make(chan struct{})
	looks, missing := 0, 0
	opt.Sync = func(f *os.File) error {
		if !armed.Load() || !strings.HasSuffix(f.Name(), ".journal") {
			return nil
		}
		once.Do(func() { <-grouped }) // the first waits, so that what follows becomes one group
		b, err := os.ReadFile(f.Name())
		for i := range count {
			if bytes.Contains(b, fmt.Append(nil, "purse of ", i, ".")) {
				looks++
				if _, ok, err := n.Vault().Get(crashSubject(i)); !ok || err != nil {
					missing++
				}
			}
		}
		return err
	}
	n, _ = open(t, opt)
	armed.Store(true)
	var all sync.WaitGroup
	for i := range count {
		before := n.Applied()
		all.Add(1)
		n.Go(replica.Request{Caller: "ann", Command: &put{Purse: fmt.Sprint("purse of ", i, "."), Coins: 1}, Secrets: []replica.Secret{secret(i)}}, func(_ any, err error) {
			if err != nil {
				t.Error(err)
			}
			all.Done()
		})
		within(t, "a command is not applied", func() bool { return n.Applied() > before }) // each in an entry of its own
	}
	close(grouped)
	all.Wait()
	if missing > 0 || looks < count {
		t.Errorf("%d events were in the journal before their secrets were in the vault, in %d looks", missing, looks)
	}
	shut(t, n)
}

// TestEveryFlippedBitOfTheVault is named, or changes no key.
func TestEveryFlippedBitOfTheVault(t *testing.T) {
	if raceDetector {
		t.Skip("bbolt follows the offsets of a damaged page beyond it, into memory that others write: to the detector a race")
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault")
	v, err := replica.OpenVault(path)
	if err != nil {
		t.Fatal(err)
	}
	const keys = 20
	for i := range keys {
		if err := v.Put(secret(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(v.Erase(crashSubject(4), crashSubject(5)), v.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	named, harmless := 0, 0
	step := 1
	if testing.Short() {
		step = 67
	}
	for i := 0; i < len(whole); i += step {
		was := whole[i]
		flip(t, path, i, was^1<<((i/step)%8))
		v, err := replica.OpenVault(path)
		if err != nil {
			var d *journal.Damage
			if !errors.As(err, &d) {
				t.Errorf("byte %d: %v", i, err)
			}
			named++
			// Where bbolt panicked it keeps its lock, until the process ends as it should: go on with another file.
			path = filepath.Join(filepath.Dir(path), fmt.Sprint("vault", named))
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for k := range keys {
			key, ok, err := v.Get(crashSubject(k))
			if want := k != 4 && k != 5; ok != want || err != nil || ok && key != secret(k).Key {
				t.Errorf("byte %d: key %d is %v, %v, and nothing was said", i, k, ok, err)
			}
		}
		harmless++
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		flip(t, path, i, was)
	}
	t.Logf("of %d bytes: %d named, %d harmless", len(whole), named, harmless)
	if named < 100/step {
		t.Error("this test shows too little")
	}
}

// flip writes one byte of a file.
func flip(t testing.TB, path string, at int, b byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{b}, int64(at)); err != nil {
		t.Fatal(err)
	}
}

// TestStaleFilesAreRemoved: a process may be killed while it writes a file anew.
func TestStaleFilesAreRemoved(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	bring(t, n, 1)
	shut(t, n)
	key := secret(1).Key
	for _, name := range []string{"vault.new", filepath.Join("raft", "raft.db.new")} {
		if err := os.WriteFile(filepath.Join(opt.Dir, name), key[:], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, _ = open(t, opt)
	erase(t, n, 1)
	if err := n.Compact(); err != nil {
		t.Fatal(err)
	}
	if names := holding(t, opt.Dir, key); len(names) > 0 {
		t.Errorf("the key is still in %v", names)
	}
	shut(t, n)
}
