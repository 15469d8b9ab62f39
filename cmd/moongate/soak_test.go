//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestSoak runs for as long as MOONGATE_SOAK says, a duration: worlds of other seeds, each with a hub that is killed in
// the middle of a payment, killed again at every start, checked, backed up, restored, rebuilt and checked again; and
// replays that are killed until they come to an end. Whatever happens, the state is the one that it was.
func TestSoak(t *testing.T) {
	text := os.Getenv("MOONGATE_SOAK")
	if text == "" {
		t.Skip("MOONGATE_SOAK says for how long, as 2h")
	}
	lasting, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	began, seed := time.Now(), uint64(time.Now().UnixNano())
	rounds := 0
	for ; rounds == 0 || time.Since(began) < lasting; rounds++ {
		s := &soak{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, uint64(rounds)))}
		number := s.rng.Uint32()
		t.Logf("round %d, seed %d, after %v", rounds+1, number, time.Since(began).Round(time.Second))
		s.world(number)
		s.story(number)
		s.replay()
		if err := os.RemoveAll(s.dir); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%d rounds in %v", rounds, time.Since(began).Round(time.Second))
}

type soak struct {
	t   *testing.T
	dir string
	rng *rand.Rand
}

// verdict is what verbs print with --json, as far as it matters here.
type verdict struct {
	Hash       string `json:"state_hash"`
	OK         bool   `json:"ok"`
	Invariants bool   `json:"invariants_ok"`
	Failures   []string
}

// run runs a verb to its end.
func (s *soak) run(args ...string) (v verdict) {
	s.t.Helper()
	cmd := exec.Command("moongate", append(args, "--json")...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		s.t.Fatalf("moongate %v: %v\n%s%s", args, err, out, exit.Stderr)
	}
	if err == nil {
		err = json.Unmarshal(out, &v)
	}
	if err != nil {
		s.t.Fatalf("moongate %v: %v: %s", args, err, out)
	}
	return v
}

// kill runs a verb and kills it after a while. It tells whether the verb had come to its end before.
func (s *soak) kill(after time.Duration, args ...string) (ended bool) {
	s.t.Helper()
	cmd := exec.Command("moongate", args...)
	if _, err := cmd.StdinPipe(); err != nil { // a leash, for verbs that have one
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		s.t.Fatalf("moongate %v ended by itself: %v", args, err)
	}
	return err == nil
}

func (s *soak) fsck(config, want string) string {
	s.t.Helper()
	v := s.run("fsck", "-c", config)
	if !v.OK || want != "" && v.Hash != want {
		s.t.Fatalf("fsck of %s: ok %v, state %s, and it was %s", config, v.OK, v.Hash, want)
	}
	return v.Hash
}

// world plays a world in virtual time, twice: the same seed is the same state.
func (s *soak) world(seed uint32) {
	s.t.Helper()
	first := s.run("demo", "--once", "--seed", fmt.Sprint(seed), "--orders", "150")
	second := s.run("demo", "--once", "--seed", fmt.Sprint(seed), "--orders", "150")
	if !first.Invariants || first.Hash != second.Hash {
		s.t.Fatalf("seed %d: invariants %v, states %s and %s", seed, first.Invariants, first.Hash, second.Hash)
	}
}

// story has the live demonstration kill its hub, and goes on with what it leaves behind.
func (s *soak) story(seed uint32) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "story")
	if v := s.run("demo", "--leave", "--seed", fmt.Sprint(seed), "--orders", "40", "--span", "10s", "--listen", "127.0.0.1:0", "--dir", dir); !v.Invariants || len(v.Failures) > 0 {
		s.t.Fatalf("seed %d: invariants %v, failures %v", seed, v.Invariants, v.Failures)
	}
	config := filepath.Join(dir, "moongate.yaml")
	for range 5 {
		s.kill(time.Duration(s.rng.IntN(1500))*time.Millisecond, "serve", "-c", config, "--metrics", "none", "--demo", "--leash")
	}
	was := s.fsck(config, "")
	backup := filepath.Join(s.dir, "backup")
	s.run("backup", "-c", config, backup)
	lost := filepath.Join(s.dir, "lost")
	if err := os.Rename(filepath.Join(dir, "data"), lost); err != nil {
		s.t.Fatal(err)
	}
	if v := s.run("restore", "from", "-c", config, backup); v.Hash != was {
		s.t.Fatalf("the restored state is %s, and it was %s", v.Hash, was)
	}
	s.fsck(config, was)
	if v := s.run("restore", "raft", "-c", config); v.Hash != was {
		s.t.Fatalf("with raft's files made anew the state is %s, and it was %s", v.Hash, was)
	}
	s.fsck(config, was)
}

// replay kills a replay until it comes to its end: what it ends with is what an unbroken one ends with.
func (s *soak) replay() {
	s.t.Helper()
	sample := filepath.Join("..", "..", "sim", "sample", "olist")
	whole := s.run("replay", "--format", "olist", sample)
	broken := filepath.Join(s.dir, "replay")
	kills := 0
	for !s.kill(time.Duration(50+s.rng.IntN(500)+kills*20)*time.Millisecond, "replay", "--format", "olist", sample, "--data", broken) {
		kills++
	}
	again := s.run("replay", "--format", "olist", sample, "--data", broken)
	if !again.Invariants || again.Hash != whole.Hash {
		s.t.Fatalf("after %d kills: invariants %v, state %s, and unbroken it is %s", kills, again.Invariants, again.Hash, whole.Hash)
	}
	s.fsck(filepath.Join(broken, "moongate.yaml"), "")
	s.t.Logf("the replay was killed %d times", kills)
}
