package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof"
)

type logVerb struct {
	Verify  logVerify  `cmd:"" help:"Read a public log, running or copied, and check that all of it fits its checkpoint."`
	Receipt logReceipt `cmd:"" help:"Verify a receipt offline."`
}

type logVerify struct {
	Key  string `required:"" help:"The log's verifier key, or a file that holds it."`
	URL  string `help:"A running hub's log, such as https://hub.example.org/log." xor:"where" required:""`
	Dir  string `help:"A downloaded copy." type:"existingdir" xor:"where" required:""`
	Then string `help:"An older checkpoint: check that the log still begins as it said." type:"existingfile" placeholder:"FILE"`
	// ThenKey is for a log whose key was changed between the two.
	ThenKey string `help:"The key that signed the older checkpoint, where the log's key was changed since; or a file that holds it." placeholder:"KEY"`
	witnessFlags
}

// witnessFlags say who must have cosigned a checkpoint, so that its log could not show others another one.
type witnessFlags struct {
	// A key has no separator in it that could be told from the next one: the flag is repeated.
	Witness []string `help:"A witness's verifier key, or a file that holds it: the checkpoint must bear its cosignature. Give one for each witness." placeholder:"KEY" sep:"none"`
	AtLeast int      `help:"How many of the witnesses must have cosigned; all of them unless set." placeholder:"N"`
}

// verifier reads a log's public key. What stands where a key should is not repeated: it may be a secret.
func verifier(flag, key string) (note.Verifiers, string, error) {
	bad := func(format string, args ...any) (note.Verifiers, string, error) {
		return nil, "", &moongate.Error{Code: moongate.Malformed, Field: flag, Message: fmt.Sprintf(format, args...), Hint: "a verifier key looks like hub.example.org/moongate+33d7b496+AeHT…; the hub's log.pub holds it"}
	}
	what := "this"
	if b, err := readFile(key, 4096); err == nil {
		key, what = strings.TrimSpace(string(b)), "what "+key+" holds"
	} else if !strings.Contains(key, "+") {
		return bad("%.80q is neither a verifier key nor a file that can be read", key)
	}
	if strings.HasPrefix(key, "PRIVATE+KEY+") {
		return bad("%s is the log's private key, which nobody but the hub needs", what)
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return bad("%s is not a verifier key: %v", what, err)
	}
	return note.VerifierList(v), v.Name(), nil
}

func (v logVerify) Run(e *env) error {
	if v.ThenKey != "" && v.Then == "" {
		return &moongate.Error{Code: moongate.Malformed, Field: "--then-key", Message: "a key, and no older checkpoint", Hint: "name the checkpoint with --then"}
	}
	known, origin, err := verifier("--key", v.Key)
	if err != nil {
		return err
	}
	read := v.reader(e)
	signed, err := read("checkpoint")
	if err != nil {
		return err
	}
	c, _, err := proof.OpenCheckpoint(signed, origin, known)
	if err != nil {
		return err
	}
	witnesses, err := v.witnesses(signed)
	if err != nil {
		return err
	}
	intervals, acts, err := v.entries(e, c, read)
	if err != nil {
		return err
	}
	older := int64(0)
	if v.Then != "" {
		if v.ThenKey != "" {
			if known, origin, err = verifier("--then-key", v.ThenKey); err != nil {
				return err
			}
		}
		if older, err = consistent(v.Then, c, origin, known, read); err != nil {
			return err
		}
	}
	out := map[string]any{"ok": true, "origin": c.Origin, "size": c.Size, "root": c.Root.String(), "intervals": intervals, "acts": acts, "witnesses": witnesses, "consistent_with": older}
	return e.show(out, func(t *terminal) {
		t.line("%s %s: %s entries fit the signed checkpoint", t.green("✓"), c.Origin, count(c.Size))
		t.line("  %s intervals, %s public acts, root %s", count(intervals), count(acts), c.Root)
		if older > 0 {
			t.line("  it begins with the %s entries of the older checkpoint, unchanged", count(older))
		}
		showWitnesses(e, t, witnesses)
	})
}

func showWitnesses(e *env, t *terminal, all []proof.Cosignature) {
	for _, w := range all {
		t.line("  %s has cosigned it, %s ago", w.Name, e.now().Sub(w.At.Go()).Round(time.Second))
	}
}

// witnesses finds who has cosigned the checkpoint, and refuses one that too few have.
func (v *witnessFlags) witnesses(signed []byte) ([]proof.Cosignature, error) {
	if v.AtLeast < 0 || v.AtLeast > len(v.Witness) {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "--at-least", Message: fmt.Sprintf("%d of %d witnesses", v.AtLeast, len(v.Witness)), Hint: "name each witness with --witness"}
	}
	by := make([]*proof.Cosigner, 0, len(v.Witness))
	for _, key := range v.Witness {
		if b, err := readFile(key, 4096); err == nil {
			key = strings.TrimSpace(string(b))
		}
		one, err := proof.NewCosigner(key)
		if err != nil {
			return nil, err
		}
		for _, other := range by {
			if other.Name() == one.Name() && other.KeyHash() == one.KeyHash() {
				return nil, &moongate.Error{Code: moongate.Malformed, Field: "--witness", Message: one.Name() + " is named twice", Hint: "each witness counts once"}
			}
		}
		by = append(by, one)
	}
	found, err := proof.Cosigned(signed, by...)
	if err != nil {
		return nil, err
	}
	if wanted := cmp.Or(v.AtLeast, len(by)); len(found) < wanted {
		names := make([]string, len(found))
		for i, one := range found {
			names[i] = one.Name
		}
		return nil, &moongate.Error{
			Code: moongate.Refused, Field: "--witness", Message: fmt.Sprintf("%d of the %d witnesses have cosigned the checkpoint (%s), and %d are wanted", len(found), len(by), cmp.Or(strings.Join(names, ", "), "none"), wanted),
			Hint: "ask again in a minute; if it stays so, ask the log's operator and the witnesses",
		}
	}
	return found, nil
}

// entries reads every bundle, checks it against its tile and the tiles against the checkpoint, and counts.
func (v logVerify) entries(e *env, c proof.Checkpoint, read proof.ReadTile) (intervals, acts int64, err error) {
	p := e.progress("entries", c.Size)
	defer p.done()
	var last int64
	for n := int64(0); n*proof.TileWidth < c.Size; n++ {
		if err := e.ctx.Err(); err != nil {
			return 0, 0, err
		}
		entries, err := proof.ReadEntries(c, read, n)
		if err != nil {
			return 0, 0, err
		}
		for i, b := range entries {
			entry, err := proof.ParseEntry(b)
			if err != nil {
				return 0, 0, fmt.Errorf("entry %d: %w", n*proof.TileWidth+int64(i), err)
			}
			if entry.Number < last {
				return 0, 0, &moongate.Error{Code: moongate.Refused, Message: fmt.Sprintf("entry %d is of second %d, after one of %d", n*proof.TileWidth+int64(i), entry.Number, last), Hint: "the log went back in time: ask its operator"}
			}
			last = entry.Number
			if entry.IsAct() {
				acts++
			} else {
				intervals++
			}
		}
		p.at(n*proof.TileWidth + int64(len(entries)))
	}
	return intervals, acts, nil
}

func (v logVerify) reader(e *env) proof.ReadTile {
	if v.Dir != "" {
		return func(path string) ([]byte, error) {
			if path == "checkpoint" && len(v.Witness) > 0 { // of a hub's own directory, where the newest stands beside it
				if b, err := os.ReadFile(filepath.Join(v.Dir, "checkpoint.cosigned")); err == nil {
					return b, nil
				}
			}
			return os.ReadFile(filepath.Join(v.Dir, filepath.FromSlash(path)))
		}
	}
	client := &http.Client{Timeout: 20 * time.Second}
	return func(path string) ([]byte, error) {
		r, err := http.NewRequestWithContext(e.ctx, http.MethodGet, strings.TrimSuffix(v.URL, "/")+"/"+path, nil)
		if err != nil || r.URL.Host == "" {
			return nil, &moongate.Error{Code: moongate.Malformed, Field: "--url", Message: fmt.Sprintf("%.80q is not the URL of a log", v.URL), Hint: "write it like https://hub.example.org/log"}
		}
		resp, err := client.Do(r)
		if err != nil {
			return nil, &moongate.Error{Code: moongate.Unknown, Field: "--url", Message: fmt.Sprintf("the log was not reached: %v", err), Hint: "check the URL, and whether the hub runs"}
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK { // a tile may be missing where the one for fewer entries is there
			return nil, fmt.Errorf("%s answered %s, and no word of a log: %w", r.URL, resp.Status, os.ErrNotExist)
		}
		return io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	}
}

// consistent checks that the log still begins with what an older checkpoint said.
func consistent(file string, c proof.Checkpoint, origin string, known note.Verifiers, read proof.ReadTile) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	old, _, err := proof.OpenCheckpoint(b, origin, known)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	tree, err := proof.OpenTree(c, read)
	if err != nil {
		return 0, err
	}
	path, err := tree.Consistency(old.Size, c.Size)
	if err != nil {
		return 0, err
	}
	return old.Size, proof.VerifyConsistency(old, c, path)
}

type logReceipt struct {
	Key  string `required:"" help:"The log's verifier key, or a file that holds it."`
	File string `arg:"" help:"The receipt; - is standard input."`
	witnessFlags
}

func (v logReceipt) Run(e *env) error {
	known, _, err := verifier("--key", v.Key)
	if err != nil {
		return err
	}
	in := e.in
	if v.File != "-" {
		f, err := os.Open(v.File)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, proof.MaxReceipt+1))
	if err != nil {
		return err
	}
	r, err := proof.ParseReceipt(bytes.TrimSpace(b))
	if err != nil {
		return err
	}
	opened, err := r.Verify(known)
	if err != nil {
		return err
	}
	p, err := proof.ParseLogProof(r.Proof)
	if err != nil {
		return err
	}
	witnesses, err := v.witnesses(p.Checkpoint)
	if err != nil {
		return err
	}
	out := map[string]any{"ok": true, "witnesses": witnesses, "kind": opened.Kind, "second": opened.Start, "origin": opened.Checkpoint.Origin, "size": opened.Checkpoint.Size, "opened": len(opened.Groups), "closed": len(r.Closed)}
	return e.show(out, func(t *terminal) {
		t.line("%s %s happened in the second of %s", t.green("✓"), opened.Kind, opened.Start)
		t.line("  proven by %s, checkpoint of %s entries", opened.Checkpoint.Origin, count(opened.Checkpoint.Size))
		showWitnesses(e, t, witnesses)
		t.line("  %d groups of fields are open to you, %d hashes stand for the rest", len(opened.Groups), len(r.Closed))
	})
}
