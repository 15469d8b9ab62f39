package hub

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Manifest is the last file of a backup: what the others are.
type Manifest struct {
	Format   int               `json:"format"`
	Hub      string            `json:"hub"`
	LogKey   string            `json:"log_key,omitempty"` // the verifier key: whose secrets it takes
	Made     time.Time         `json:"made"`
	Position journal.Position  `json:"position"` // of the last event
	Index    uint64            `json:"index"`    // of the last raft entry
	Files    map[string]string `json:"files"`    // name → SHA-256
}

const (
	backupFormat = 1
	manifestName = "manifest.json"
	// QuarantineFile, in the data directory, says that the hub was restored: effects only ask, until an operator has
	// compared with the wallets and removes it.
	QuarantineFile = "quarantine"
)

// Backup writes everything that cannot be made again, except the secrets, as a tar archive under zstd: journal, vault
// and the newest checkpoint. The hub goes on meanwhile.
func (h *Hub) Backup(w io.Writer) (*Manifest, error) {
	z, err := zstd.NewWriter(w)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	b := &backupWriter{tar: tar.NewWriter(z), made: h.Now().UTC().Truncate(time.Second), files: map[string]string{}}
	// The checkpoint first: the journal that follows reaches at least as far.
	if signed := h.Node.Log().Checkpoint(); signed != nil {
		if err := b.add("log/checkpoint", int64(len(signed)), bytes.NewReader(signed)); err != nil {
			return nil, err
		}
	}
	files, at, index := h.Node.Journal().Files()
	for _, f := range files {
		if err := b.file("journal/"+filepath.Base(f.Path), f); err != nil {
			return nil, err
		}
	}
	var vault bytes.Buffer
	if _, err := h.Node.Vault().WriteTo(&vault); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := b.add("vault", int64(vault.Len()), &vault); err != nil {
		return nil, err
	}
	m := &Manifest{Format: backupFormat, Hub: h.Config.Name, LogKey: h.Secrets.Verifier, Made: b.made, Position: at, Index: index, Files: b.files}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := b.add(manifestName, int64(len(text)), bytes.NewReader(text)); err != nil {
		return nil, err
	}
	if err := errors.Join(b.tar.Close(), z.Close()); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return m, nil
}

type backupWriter struct {
	tar   *tar.Writer
	made  time.Time
	files map[string]string
}

func (b *backupWriter) file(name string, f journal.File) error {
	r, err := os.Open(f.Path)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer r.Close() //nolint:errcheck // read only
	return b.add(name, f.Size, io.LimitReader(r, f.Size))
}

func (b *backupWriter) add(name string, size int64, r io.Reader) error {
	if err := b.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: b.made, Format: tar.FormatPAX}); err != nil {
		return fmt.Errorf("backup: %s: %w", name, err)
	}
	h := sha256.New()
	if _, err := io.Copy(b.tar, io.TeeReader(r, h)); err != nil {
		return fmt.Errorf("backup: %s: %w", name, err)
	}
	b.files[name] = hex.EncodeToString(h.Sum(nil))
	return nil
}

// Restore makes a data directory from a backup: it checks every file against the manifest, folds the journal, and
// makes raft's files. The hub then starts in quarantine. The directory must not hold anything yet; after a failure it
// holds nothing.
func Restore(ctx context.Context, opt Options, r io.Reader) (m *Manifest, done *replica.Replayed, err error) {
	dir := opt.Config.Data
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		return nil, nil, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s is not empty", dir), Hint: "move it away first; nothing was changed"}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if m, err = unpackBackup(ctx, dir, r); err != nil {
		return nil, nil, err
	}
	if m.Hub != opt.Config.Name {
		return nil, nil, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("the backup is of the hub %s, the configuration of %s", m.Hub, opt.Config.Name), Hint: "use the configuration and the secrets of that hub"}
	}
	if m.LogKey != "" && !opt.Secrets.signedUnder(m.LogKey) {
		return nil, nil, &moongate.Error{Code: moongate.Conflict, Field: opt.Config.Secrets, Message: "these are another hub's secrets: the backup's log was signed with the key of " + m.LogKey, Hint: "use the secrets of the hub that was backed up"}
	}
	if done, err = rebuild(opt); err != nil {
		return nil, nil, err
	}
	if done.Position != m.Position {
		return nil, nil, &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("the journal ends at event %d, the manifest says %d", done.Position, m.Position), Hint: "the backup is damaged; use another one"}
	}
	return m, done, journal.WriteFile(filepath.Join(dir, QuarantineFile), quarantineText(m), 0o600)
}

// RebuildRaft makes raft's log and snapshots of a data directory anew from its journal, where they are damaged or lost,
// and gives the folder that the old ones were moved to, "" where there were none. Nothing that was acknowledged is lost:
// what only raft's log holds was never answered. The hub goes on without a quarantine, for its journal is its own.
func RebuildRaft(opt Options) (old string, done *replica.Replayed, err error) {
	if err := replica.Idle(opt.Config.Data); err != nil {
		return "", nil, err
	}
	dir := filepath.Join(opt.Config.Data, "raft")
	if _, err := os.Stat(dir); err == nil {
		old = dir + ".old-" + opt.Now().UTC().Format("20060102T150405Z")
		if err := os.Rename(dir, old); err != nil {
			return "", nil, fmt.Errorf("restore: %w", err)
		}
	}
	defer func() {
		if err != nil && old != "" {
			err = errors.Join(err, os.RemoveAll(dir), os.Rename(old, dir))
		}
	}()
	done, err = rebuild(opt)
	return old, done, err
}

// rebuild folds a data directory's journal, and makes raft's files.
func rebuild(opt Options) (done *replica.Replayed, err error) {
	h := &Hub{Config: opt.Config, Secrets: opt.Secrets, Now: opt.Now, Random: opt.Random, opt: opt}
	rooms := NewRooms(opt.Config)
	node := h.nodeOptions()
	node.Seed = func(*replica.Request) [32]byte { return [32]byte{} } // nothing is submitted
	var fatal error
	node.Fatal = func(e error) { fatal = errors.Join(fatal, e) }
	done, err = replica.Rebuild(rooms.machine, node)
	return done, errors.Join(err, fatal)
}

func unpackBackup(ctx context.Context, dir string, r io.Reader) (*Manifest, error) {
	damaged := func(format string, args ...any) error {
		return &moongate.Error{Code: moongate.Malformed, Message: "the backup is damaged: " + fmt.Sprintf(format, args...), Hint: "use another one; nothing was changed"}
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return nil, damaged("%v", err)
	}
	defer z.Close()
	sums := map[string]string{}
	in := tar.NewReader(z)
	for ctx.Err() == nil {
		head, err := in.Next()
		if err != nil {
			return nil, damaged("it ends without a manifest (%v)", err)
		}
		if head.Name == manifestName {
			var m Manifest
			if err := json.NewDecoder(io.LimitReader(in, 16<<20)).Decode(&m); err != nil || m.Format != backupFormat {
				return nil, damaged("its manifest is not of format %d (%v)", backupFormat, err)
			}
			return &m, sameFiles(m.Files, sums, damaged)
		}
		name := path.Clean(head.Name)
		if head.Typeflag != tar.TypeReg || name != head.Name || name != "vault" && name != "log/checkpoint" && !strings.HasPrefix(name, "journal/") || strings.Count(name, "/") > 1 {
			return nil, damaged("it holds %q, which no backup holds", head.Name)
		}
		h := sha256.New()
		if err := unpackFile(filepath.Join(dir, filepath.FromSlash(name)), in, h); err != nil {
			return nil, damaged("%s: %v", name, err)
		}
		sums[name] = hex.EncodeToString(h.Sum(nil))
	}
	return nil, context.Cause(ctx)
}

func sameFiles(want, have map[string]string, damaged func(string, ...any) error) error {
	for name, sum := range want {
		if have[name] != sum {
			return damaged("%s is not what the manifest says", name)
		}
	}
	if len(have) != len(want) {
		return damaged("it holds %d files and its manifest %d", len(have), len(want))
	}
	return nil
}

func unpackFile(to string, r io.Reader, h hash.Hash) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.MultiWriter(f, h), r)
	return errors.Join(err, f.Sync(), f.Close())
}
