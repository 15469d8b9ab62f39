package replica_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/moongate-hub/moongate"
)

// TestCurrentSeesWhatWasAcknowledged: whoever reads behind Current sees every command that was answered before.
func TestCurrentSeesWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	n, c := open(t, options(t, t.TempDir()))
	var acked atomic.Int64
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := acked.Load()
				if err := n.Current(context.Background()); err != nil {
					t.Error(err)
					return
				}
				n.Machine().Read(func() {
					if got := c.total.Get(); got < before {
						t.Errorf("%d were acknowledged, %d are seen", before, got)
					}
				})
			}
		}()
	}
	for w := range 16 {
		writers.Add(1)
		go func() {
			defer writers.Done()
			for i := range 60 {
				if _, err := do(n, fmt.Sprint(w, "/", i), &put{Purse: fmt.Sprint(w), Coins: 1}); err != nil {
					t.Error(err)
					return
				}
				acked.Add(1)
			}
		}()
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	shut(t, n)
	if err := n.Current(context.Background()); moongate.CodeOf(err) != moongate.Busy {
		t.Errorf("a closed node is current: %v", err)
	}
}

// TestSnapshotsUnderLoad: several submitters, snapshots one after another and readers; then the state comes back from
// whatever snapshot was the last. Run it with -race.
func TestSnapshotsUnderLoad(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	opt.SegmentBytes, opt.TrailingBytes, opt.SnapshotBytes = 64<<10, 1, 30<<10
	n, c := open(t, opt)
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		others.Add(1)
		go func() {
			defer others.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				n.Machine().Read(func() {
					sum := int64(0)
					for _, p := range c.purses.All() {
						sum += p.Coins
					}
					if sum != c.total.Get() {
						t.Errorf("purses hold %d, the total says %d", sum, c.total.Get())
					}
				})
				if _, err := n.Machine().Hash(); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	others.Add(1)
	snaps := 0
	go func() {
		defer others.Done()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := n.Snapshot(); err != nil {
				t.Error(err)
				return
			}
			snaps++
		}
	}()
	commands := 3000
	if testing.Short() {
		commands = 300
	}
	fill(t, n, 0, commands)
	close(stop)
	others.Wait()
	want := nodeHash(t, n)
	shut(t, n)
	n, _ = open(t, opt)
	if nodeHash(t, n) != want {
		t.Error("after the restart: another state")
	}
	shut(t, n)
	if snaps < 2 {
		t.Errorf("only %d snapshots were taken", snaps)
	}
}

// TestCloseAnswersEverybody: who waits when the node closes, or comes later, is answered; nobody is left waiting.
func TestCloseAnswersEverybody(t *testing.T) {
	t.Parallel()
	n, _ := open(t, options(t, t.TempDir()))
	var waiting sync.WaitGroup
	var answered, unknown atomic.Int64
	stop := make(chan struct{})
	for w := range 8 {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := do(n, fmt.Sprint(w, "/", i), &put{Purse: "p", Coins: 1})
				switch moongate.CodeOf(err) {
				case "":
					answered.Add(1)
				case moongate.Unknown:
					unknown.Add(1)
				default:
					t.Error(err)
				}
			}
		}()
	}
	eventually(t, "some are answered", func() bool { return answered.Load() > 100 })
	shut(t, n)
	eventually(t, "some come too late", func() bool { return unknown.Load() > 8 })
	close(stop)
	waiting.Wait()
}

// TestFaultOfTheDisk: the n-th sync of the journal's directory fails, for every n. The process would end; after a
// restart every acknowledged command is there.
func TestFaultOfTheDisk(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	step := int64(1)
	if testing.Short() {
		step = 9
	}
	for fail := int64(0); ; fail += step {
		opt := moving(options(t, t.TempDir()))
		fatal := catch(&opt)
		var syncs atomic.Int64
		opt.SegmentBytes = 2000
		opt.Sync = func(*os.File) error {
			if syncs.Add(1) > fail {
				return broken
			}
			return nil
		}
		n, _, err := tryOpen(opt)
		acked := map[string]bool{}
		if err == nil {
			for i := range 40 {
				key := fmt.Sprint(i)
				if _, err := do(n, key, &put{Purse: key, Coins: 1}); err != nil {
					break
				}
				acked[key] = true
			}
			if err := n.Close(); err != nil && !errors.Is(err, broken) {
				t.Errorf("sync %d: close: %v", fail, err)
			}
		}
		if all := len(acked) == 40; err == nil && all {
			if fail < 20 {
				t.Errorf("only %d syncs", fail)
			}
			break
		}
		if err := errors.Join(err, fatal.err()); !errors.Is(err, broken) {
			t.Fatalf("sync %d: %v", fail, err)
		}
		opt = moving(options(t, opt.Dir))
		n, c := open(t, opt)
		for key := range acked {
			if p, _ := c.purses.Get(key); p.Coins != 1 {
				t.Errorf("sync %d: the acknowledged command %s is gone, or there twice: %d coins", fail, key, p.Coins)
			}
		}
		shut(t, n)
	}
}
