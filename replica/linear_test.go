package replica_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// Clients at a hub that is killed again and again: whatever they saw must be what one hub would have shown that did one
// thing after the other, each at some moment between the question and its answer. Porcupine looks for such an order.

const (
	linearPurses = 4
	linearGiven  = 8 // what nobody knows the end of may have happened at any time: each doubles the orders to look through
)

// linearOp is what a client asks: coins into a purse, from one to another, or how many there are.
type linearOp struct {
	ID       int    `json:"id,omitempty"`
	Key      string `json:"key,omitempty"` // none: a look
	From, To int
	Coins    int64
}

// linearAnswer is what it is told. Unknown: nobody told it anything, ever.
type linearAnswer struct {
	ID       int           `json:"id,omitempty"`
	Code     moongate.Code `json:"code,omitempty"`
	From, To int64
	Unknown  bool `json:"-"`
}

func linearPurse(i int) string { return fmt.Sprint("purse ", i) }

// serveLines answers a line of stdin by a line of stdout, many at once, until stdin ends.
func serveLines(n *replica.Node, c *counter) error {
	snapshots := make(chan struct{})
	go func() {
		for range snapshots {
			if err := n.Snapshot(); err != nil {
				say("error %v", err)
			}
		}
	}()
	var mu sync.Mutex
	answer := func(a linearAnswer) {
		b, err := json.Marshal(a)
		if err != nil {
			panic(err)
		}
		mu.Lock()
		defer mu.Unlock()
		say("answer %s", b)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var op linearOp
		if err := json.Unmarshal(lines.Bytes(), &op); err != nil {
			return err
		}
		if op.ID%97 == 0 {
			select {
			case snapshots <- struct{}{}:
			default: // one is being taken
			}
		}
		go func() {
			a := linearAnswer{ID: op.ID}
			if op.Key == "" {
				err := n.Current(context.Background())
				n.Machine().Read(func() {
					p, _ := c.purses.Get(linearPurse(op.To))
					a.To = p.Coins
				})
				a.Code = moongate.CodeOf(err)
				answer(a)
				return
			}
			var command replica.Command = &put{Purse: linearPurse(op.To), Coins: op.Coins}
			if op.From >= 0 {
				command = &move{From: linearPurse(op.From), To: linearPurse(op.To), Coins: op.Coins}
			}
			got, err := n.Submit(context.Background(), replica.Request{Caller: "ann", Key: op.Key, Command: command})
			a.Code = moongate.CodeOf(err)
			switch v := got.(type) {
			case moved:
				a.From, a.To = v.From, v.To
			case balance:
				a.To = v.Coins
			}
			answer(a)
		}()
	}
	return lines.Err()
}

// linearModel is a hub in a few lines: purses that do not go below zero.
func linearModel() porcupine.Model {
	type purses = [linearPurses]int64
	return porcupine.Model{
		Init: func() any { return purses{} },
		Step: func(state, input, output any) (bool, any) {
			p, op, got := state.(purses), input.(linearOp), output.(linearAnswer)
			if op.Key == "" {
				return got.Unknown || got.To == p[op.To], p
			}
			want := linearAnswer{To: p[op.To] + op.Coins}
			switch {
			case op.From >= 0 && p[op.From] < op.Coins, op.From < 0 && want.To < 0:
				want = linearAnswer{Code: moongate.Limit}
			case op.From >= 0:
				p[op.From] -= op.Coins
				want.From = p[op.From]
				p[op.To] += op.Coins
			default:
				p[op.To] += op.Coins
			}
			got.ID = 0
			return got.Unknown || got == want, p
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
	}
}

// linearHub is the process that is killed, as its clients see it.
type linearHub struct {
	t     *testing.T
	dir   string
	start moongate.Time

	mu      sync.Mutex
	child   *exec.Cmd
	in      io.WriteCloser
	waiting map[int]chan linearAnswer
	next    int
	up      chan struct{} // closed while it serves
	over    bool
}

// run starts the process and returns when it serves; gone is closed when it has ended.
func (h *linearHub) run() (gone chan struct{}) {
	h.t.Helper()
	h.start += 30 * moongate.Second
	order, err := json.Marshal(crashOrder{Dir: h.dir, Start: h.start, Serve: true})
	if err != nil {
		h.t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), crashEnv+"="+string(order))
	child.Stderr = os.Stderr
	in, err1 := child.StdinPipe()
	out, err2 := child.StdoutPipe()
	if err1 != nil || err2 != nil {
		h.t.Fatal(err1, err2)
	}
	if err := child.Start(); err != nil {
		h.t.Fatal(err)
	}
	gone = make(chan struct{})
	open := make(chan struct{})
	go func() {
		defer close(gone)
		h.listen(out, open)
		_ = child.Wait() // it was killed
		h.mu.Lock()
		defer h.mu.Unlock()
		for id, ch := range h.waiting {
			ch <- linearAnswer{Unknown: true}
			delete(h.waiting, id)
		}
		h.in = nil
		h.up = make(chan struct{})
	}()
	select {
	case <-open:
	case <-gone:
		h.t.Fatal("it does not start")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.child, h.in = child, in
	close(h.up)
	return gone
}

func (h *linearHub) listen(out io.Reader, open chan struct{}) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var a linearAnswer
		switch line := lines.Text(); {
		case line == "open":
			close(open)
		case len(line) > 7 && line[:7] == "answer " && json.Unmarshal([]byte(line[7:]), &a) == nil:
			h.mu.Lock()
			if ch := h.waiting[a.ID]; ch != nil {
				delete(h.waiting, a.ID)
				a.Unknown = a.Code == moongate.Unknown || a.Code == moongate.Busy
				ch <- a
			}
			h.mu.Unlock()
		default:
			h.t.Errorf("the hub says: %s", line)
		}
	}
}

// ask asks once. Where the hub goes away meanwhile, the answer is unknown; ok is false when nothing was asked.
func (h *linearHub) ask(op linearOp) (a linearAnswer, ok bool) {
	h.mu.Lock()
	up, over := h.up, h.over
	h.mu.Unlock()
	if over {
		return a, false
	}
	<-up
	h.mu.Lock()
	if h.in == nil {
		h.mu.Unlock()
		return linearAnswer{Unknown: true}, !h.over
	}
	h.next++
	op.ID = h.next
	ch := make(chan linearAnswer, 1)
	h.waiting[op.ID] = ch
	b, err := json.Marshal(op)
	if err == nil {
		_, err = h.in.Write(append(b, '\n'))
	}
	if err != nil && h.waiting[op.ID] != nil {
		delete(h.waiting, op.ID)
		ch <- linearAnswer{Unknown: true}
	}
	h.mu.Unlock()
	return <-ch, true
}

// TestLinearizable has clients ask a hub that is killed, and start it again. Who hears nothing asks again under the same
// key, or gives up for good, or asks again although it was answered. MOONGATE_LINEAR, a duration, has it go on for longer.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	lasting, seed := 5*time.Second, uint64(time.Now().UnixNano())
	if testing.Short() {
		lasting = 2 * time.Second
	}
	if text := os.Getenv("MOONGATE_LINEAR"); text != "" {
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	for round := uint64(0); lasting > 0; round++ { // porcupine's work grows faster than the history
		each := min(lasting, 5*time.Second)
		linearRound(t, seed+round, each)
		lasting -= each
	}
}

func linearRound(t *testing.T, seed uint64, lasting time.Duration) {
	t.Helper()
	h := &linearHub{t: t, dir: t.TempDir(), start: 1_700_000_000 * moongate.Second, waiting: map[int]chan linearAnswer{}, up: make(chan struct{})}
	began := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	const clients = 5
	repeated, given, unknown := 0, 0, 0
	names := clients
	var all sync.WaitGroup
	for client := range clients {
		all.Add(1)
		go func() {
			defer all.Done()
			rng := rand.New(rand.NewPCG(seed, uint64(client)))
			name := client
			for n := 0; ; n++ {
				op := linearOp{From: -1, To: rng.IntN(linearPurses), Coins: rng.Int64N(9) - 3}
				switch rng.IntN(4) {
				case 0:
				case 1, 2:
					op.Key = fmt.Sprint(client, " ", n)
				case 3:
					op.Key, op.From, op.Coins = fmt.Sprint(client, " ", n), (op.To+1+rng.IntN(linearPurses-1))%linearPurses, 1+rng.Int64N(3)
				}
				call := time.Since(began)
				a, ok := h.ask(op)
				for ok && a.Unknown {
					mu.Lock()
					unknown++
					again := given >= linearGiven || rng.IntN(20) > 0
					mu.Unlock()
					if !again {
						break
					}
					a, ok = h.ask(op)
				}
				done := porcupine.Operation{ClientId: name, Input: op, Call: call.Nanoseconds(), Output: a, Return: time.Since(began).Nanoseconds()}
				if !ok || a.Unknown { // it may still happen, at any time
					done.Output, done.Return = linearAnswer{Unknown: true}, math.MaxInt64
				}
				mu.Lock()
				if op.Key != "" || done.Return != math.MaxInt64 { // a look that showed nothing says nothing
					history = append(history, done)
				}
				if done.Return == math.MaxInt64 {
					given++ // and whoever asks next is somebody else
					name = names
					names++
				}
				mu.Unlock()
				if !ok {
					return
				}
				if op.Key != "" && !a.Unknown && rng.IntN(6) == 0 { // the client forgot that it was answered
					again, ok := h.ask(op)
					again.ID = a.ID
					if ok && !again.Unknown && again != a {
						t.Errorf("%+v was answered %+v, and %+v when it was repeated", op, a, again)
					}
					mu.Lock()
					repeated++
					mu.Unlock()
				}
			}
		}()
	}
	kills := 0
	rng := rand.New(rand.NewPCG(seed, 1<<32))
	enough := func() bool { // a slow machine is given longer
		mu.Lock()
		defer mu.Unlock()
		return kills >= 4 && unknown >= kills && repeated > 0
	}
	for time.Since(began) < lasting || !enough() && time.Since(began) < 2*time.Minute {
		gone := h.run()
		time.Sleep(time.Duration(20+rng.IntN(400)) * time.Millisecond) // until the power fails
		if err := h.child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-gone
		kills++
	}
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	gone := h.run() // who still waits is served
	all.Wait()
	if err := h.child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-gone
	sought := time.Now()
	result, _ := porcupine.CheckOperationsVerbose(linearModel(), history, 2*time.Minute)
	t.Logf("%d operations looked through in %v, %d kills; %d times a client asked again, %d times although it was answered, %d times it gave up", len(history), time.Since(sought).Round(time.Millisecond), kills, unknown, repeated, given)
	switch result {
	case porcupine.Illegal:
		t.Errorf("seed %d: no order of what was done explains what was answered", seed)
	case porcupine.Unknown:
		t.Errorf("seed %d: %d operations are too many to look through", seed, len(history))
	}
	if !enough() {
		t.Error("this test shows too little")
	}
}
