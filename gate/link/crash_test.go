package link_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/replica"
)

const (
	childDir   = "MOONGATE_LINK_CHILD" // set in the process that is going to be killed
	childEvery = 150 * time.Millisecond
	childRoom  = 50_000
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		go func() { // a leash: its end is that of the parent
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func open(dir string) (*replica.Node, rooms, error) {
	r := newRooms(link.Limits{})
	n, err := replica.Open(context.Background(), r.machine, replica.Options{
		Dir: dir, Hub: hubTag, Secret: []byte("0123456789abcdef"), Clock: func() moongate.Time { return moongate.At(time.Now()) },
		Seed:  func(*replica.Request) (s [32]byte) { _, _ = rand.Read(s[:]); return s },
		Fatal: func(err error) { panic(err) },
	})
	return n, r, err
}

// serve is the process that is killed: a hub with one link, and a gate for it.
func serve(dir string) (err error) {
	n, r, err := open(dir)
	if err != nil {
		return err
	}
	w := &world{rooms: r, t: &testing.T{}}
	do := func(caller string, c replica.Command) any {
		a, e := n.Submit(context.Background(), replica.Request{Caller: caller, Command: c})
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", c.CommandKind(), e)
		}
		return a
	}
	w.people(do)
	id := w.agree(terms, do)
	place := do("mall", &link.RegisterDestination{Name: "Tea", Addresses: web("https://mall.example/tea")}).(link.DestinationAnswer)
	code := do("news", &link.PlaceLink{Destination: place.Destination, Agreement: id}).(link.LinkAnswer).Code
	if err != nil {
		return err
	}
	now := func() moongate.Time { return moongate.At(time.Now()) }
	rec, err := link.NewRecorder(link.RecorderOptions{
		Hub: hubTag, Tokens: w.tokens(), Random: rand.Reader, Submit: n.Submit, Now: now, Every: childEvery, Room: childRoom,
	})
	if err != nil {
		return err
	}
	go rec.Run(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s%s%s\n", l.Addr(), link.Path, code)
	g := &link.Gate{State: r.links, Read: r.machine.Read, Tokens: w.tokens(), Recorder: rec, Now: now}
	return (&http.Server{Handler: g, ReadHeaderTimeout: time.Second}).Serve(l)
}

// The hub is killed while readers click. What is lost was clicked within the window, and comes back with its sale.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills a process")
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := child.StdinPipe(); err != nil { // a leash
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	clicks, killed := clickUntilKilled(t, child, strings.TrimSpace(line))

	n, r, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	tokens := (&world{t: t}).tokens()
	var lost []link.Click
	recorded := 0
	const window = childEvery + 2*time.Second // the batch under way took less than that
	for _, c := range clicks {
		opened, err := tokens.Open(c.token)
		if err != nil {
			t.Fatal(err)
		}
		gone := false
		r.machine.Read(func() { gone = r.links.Lost(&opened) })
		switch {
		case !gone:
			recorded++
		case c.at.Before(killed.Add(-window)):
			t.Errorf("a click of %s before the end is lost", killed.Sub(c.at))
		default:
			lost = append(lost, opened)
		}
	}
	t.Logf("%d clicks recorded, %d lost", recorded, len(lost))
	if recorded == 0 || len(lost) == 0 || len(lost) > childRoom {
		t.Fatalf("%d clicks recorded, %d lost", recorded, len(lost))
	}
	for i, c := range lost[:min(len(lost), 20)] {
		for j := range 2 {
			sale := &link.Convert{Click: c, Reference: fmt.Sprintf("order-%d-%d", i, j), Amount: cny(100), At: c.At}
			if _, err := n.Submit(context.Background(), replica.Request{Caller: "mall", Key: sale.Reference, Command: sale}); err != nil {
				t.Fatal(err)
			}
		}
		r.machine.Read(func() {
			if r.links.Lost(&c) {
				t.Errorf("click %d is lost still", c.Number)
			}
		})
	}
}

type answered struct {
	token string
	at    time.Time
}

// clickUntilKilled clicks from several goroutines, kills the process in the middle of it, and gives what was answered.
func clickUntilKilled(t *testing.T, child *exec.Cmd, url string) ([]answered, time.Time) {
	t.Helper()
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8},
	}
	var mu sync.Mutex
	var clicks []answered
	var readers sync.WaitGroup
	enough := make(chan struct{})
	var once sync.Once
	began := time.Now()
	for range 8 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				res, err := client.Get(url)
				if err != nil {
					return // the process is gone
				}
				res.Body.Close()
				_, token, ok := strings.Cut(res.Header.Get("Location"), link.ClickParameter+"=")
				if !ok {
					t.Errorf("answer %s to %q", res.Status, res.Header)
					return
				}
				now := time.Now()
				mu.Lock()
				clicks = append(clicks, answered{token, now})
				if len(clicks) > 500 && now.Sub(began) > 3*childEvery {
					once.Do(func() { close(enough) })
				}
				mu.Unlock()
			}
		}()
	}
	<-enough
	killed := time.Now()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	readers.Wait()
	_ = child.Wait() // it was killed
	return clicks, killed
}
