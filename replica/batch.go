package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/moongate-hub/moongate/journal"
)

// batch gathers what waits into raft entries, a few in flight, with no delay of its own.
func (n *Node) batch(ctx context.Context) {
	defer n.done.Done()
	slots := make(chan struct{}, n.opt.InFlight)
	for {
		var t *ticket
		select {
		case t = <-n.queue:
		case <-ctx.Done():
			n.drain()
			return
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			t.answer(nil, unknown(ctx.Err()))
			n.drain()
			return
		}
		tickets := []*ticket{t}
		for size := t.size; size < int64(n.opt.BatchBytes); {
			select {
			case t = <-n.queue:
				tickets = append(tickets, t)
				size += t.size
				continue
			default:
			}
			break
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
	for {
		select {
		case t := <-n.queue:
			t.answer(nil, unknown(context.Canceled))
		default:
			return
		}
	}
}

// A raft entry is a batch: CRC-32C of the rest, sixteen bytes that name the batch, and the envelopes, each behind its
// length in four bytes.
const entryHeader = 4 + 16

type batchID [16]byte

func (n *Node) pack(tickets []*ticket) (batchID, []byte, error) {
	var id batchID
	copy(id[:], n.process[:])
	binary.BigEndian.PutUint64(id[8:], n.batches.Add(1))
	data := make([]byte, entryHeader, entryHeader+len(tickets)*320)
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
