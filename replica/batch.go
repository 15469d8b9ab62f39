package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/moongate-hub/moongate/journal"
)

// waiting is the requests that were admitted and are not on their way. Nobody waits to get in: admission bounds them.
type waiting struct {
	some chan struct{} // holds one where there may be any

	mu      sync.Mutex // guards tickets
	tickets long[*ticket]
}

func newWaiting() *waiting { return &waiting{some: make(chan struct{}, 1)} }

func (w *waiting) put(t *ticket) {
	w.mu.Lock()
	w.tickets.push(t)
	alone := w.tickets.len() == 1
	w.mu.Unlock()
	if alone {
		w.wake()
	}
}

func (w *waiting) wake() {
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// take gives the oldest, until they have so many bytes.
func (w *waiting) take(bytes int64) (taken []*ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.tickets.len() > 0 && bytes > 0 {
		t := w.tickets.shift()
		taken = append(taken, t)
		bytes -= t.size
	}
	if w.tickets.len() > 0 {
		w.wake()
	}
	return taken
}

// batch gathers what waits into raft entries, a few in flight, with no delay of its own.
func (n *Node) batch(ctx context.Context) {
	defer n.done.Done()
	defer n.drain()
	slots := make(chan struct{}, n.opt.InFlight)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case <-n.queue.some:
		case <-ctx.Done():
			return
		}
		tickets := n.queue.take(int64(n.opt.BatchBytes))
		if len(tickets) == 0 {
			<-slots
			continue
		}
		if n.opt.TickEvery > 0 && n.clock.check(n.opt.Clock()) != nil {
			for _, t := range tickets {
				t.answer(nil, errClock)
			}
			<-slots
			continue
		}
		id, data, err := n.pack(tickets)
		if err != nil {
			n.fatal(err)
			for _, t := range tickets {
				t.answer(nil, unknown(err))
			}
			return
		}
		n.local.Store(id, tickets)
		future := n.raft.Apply(data, 0)
		go func() {
			if err := future.Error(); err != nil {
				n.local.Delete(id)
				for _, t := range tickets {
					t.answer(nil, unknown(err))
				}
			}
			<-slots
		}()
	}
}

func (n *Node) drain() {
	for _, t := range n.queue.take(math.MaxInt64) {
		t.answer(nil, unknown(context.Canceled))
	}
}

// A raft entry is a batch: CRC-32C of the rest, sixteen bytes that name the batch, and the envelopes, each behind its
// length in four bytes.
const entryHeader = 4 + 16

type batchID [16]byte

// envelopeBytes is what an envelope has at most beside its texts, its body and what is for the vault, its length included.
const envelopeBytes = 104

func (n *Node) pack(tickets []*ticket) (batchID, []byte, error) {
	var id batchID
	copy(id[:], n.process[:])
	binary.BigEndian.PutUint64(id[8:], n.batches.Add(1))
	size := entryHeader
	for _, t := range tickets {
		size += len(t.env.Kind) + len(t.env.Caller) + len(t.env.Body) + envelopeBytes
	}
	data := make([]byte, entryHeader, size)
	copy(data[4:], id[:])
	now := n.opt.Clock()
	for _, t := range tickets {
		if t.env.At == 0 {
			t.env.At = now
		}
		at := len(data)
		b, err := t.env.appendCBOR(append(data, 0, 0, 0, 0))
		if err != nil {
			return id, nil, fmt.Errorf("replica: encode %s: %w", t.env.Kind, err)
		}
		data = b
		binary.LittleEndian.PutUint32(data[at:], uint32(len(data)-at-4))
	}
	binary.LittleEndian.PutUint32(data, journal.Sum(data[4:]))
	return id, data, nil
}

func unpack(data []byte) (batchID, []*envelope, error) {
	if len(data) < entryHeader || journal.Sum(data[4:]) != binary.LittleEndian.Uint32(data) {
		return batchID{}, nil, errors.New("the checksum does not match")
	}
	id := batchID(data[4:entryHeader])
	var envs []*envelope
	for rest := data[entryHeader:]; len(rest) > 0; {
		if len(rest) < 4 || int(binary.LittleEndian.Uint32(rest)) > len(rest)-4 {
			return id, nil, errors.New("a command is cut off")
		}
		size := binary.LittleEndian.Uint32(rest)
		env := new(envelope)
		if err := journal.Decoding.Unmarshal(rest[4:4+size], env); err != nil {
			return id, nil, err
		}
		envs = append(envs, env)
		rest = rest[4+size:]
	}
	return id, envs, nil
}
