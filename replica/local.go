package replica

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Request is a command with what the gate knows about it.
type Request struct {
	Caller  string // the authenticated participant; "" for the hub itself
	Key     string // idempotency key, unique per caller; "" for none
	Command Command
	// Print, where set, is hashed into the fingerprint instead of the command: the canonical plaintext of the request,
	// for a gate that added time, randomness or encryption to the command.
	Print   []byte
	Effect  journal.Position // the event whose effect this reports
	Secrets []Secret         // for the vault
}

// envelop makes a request ready for replication. What it adds (time, randomness) is decided here, once, by the leader.
func envelop(env *envelope, r *Request, at moongate.Time, seed [32]byte, mac func(purpose, caller, name string, body []byte) [16]byte) error {
	body, err := journal.Marshal(r.Command)
	if err != nil {
		return fmt.Errorf("replica: encode command %s: %w", r.Command.CommandKind(), err)
	}
	*env = envelope{Kind: r.Command.CommandKind(), Caller: r.Caller, At: at, Seed: seed, Effect: r.Effect, Body: body, Vault: r.Secrets}
	if r.Key != "" {
		plain := r.Print
		if plain == nil {
			plain = body
		}
		env.Key = mac("key", r.Caller, r.Key, nil)
		env.Print = mac("print", r.Caller, env.Kind, plain)
	}
	return nil
}

// Local is a machine with its journal in memory and no replication: for tests and what-if. It applies exactly as a
// node does, encoding included.
type Local struct {
	Machine *Machine
	Records []journal.Record
	Now     moongate.Time // the clock: move it forward by hand
	n       uint64
}

// NewLocal starts at the given time.
func NewLocal(m *Machine, now moongate.Time) *Local { return &Local{Machine: m, Now: now} }

// Do applies one request and gives its answer. A repeated one is answered from the journal.
func (l *Local) Do(r Request) (any, error) {
	l.n++
	env := new(envelope)
	if err := envelop(env, &r, l.Now, sha256.Sum256(fmt.Append(nil, "local", l.n)), plainMAC); err != nil {
		return nil, err
	}
	h := l.Machine.handlers[env.Kind]
	l.Machine.mu.Lock()
	first := l.Machine.next
	w := newWritten()
	out := l.Machine.apply(env, nil, w)
	index := uint64(len(l.Records)) + 1
	if out.trace {
		l.Machine.settle(&w.done[0], journal.Ref{Index: index})
	}
	l.Machine.mu.Unlock()
	if out.same.Index != 0 {
		d := l.Records[out.same.Index-1].Done[out.same.Number]
		if d.Error != nil {
			return nil, d.Error
		}
		if d.Answer == nil {
			return nil, nil
		}
		return h.answer(d.Answer)
	}
	if out.trace {
		w.close(index, 0, 0, first)
		l.Records = append(l.Records, w.record)
	}
	return out.answer, out.err
}

// Tick moves the clock and lets time pass, until nothing more is due.
func (l *Local) Tick(to moongate.Time) error {
	l.Now = to
	for {
		n, err := l.Do(Request{Command: &Tick{}})
		if err != nil {
			return err
		}
		if n.(int) < l.Machine.core.limits.Due {
			return nil
		}
	}
}

// Entries decodes all events so far.
func (l *Local) Entries() ([]journal.Entry, error) {
	var out []journal.Entry
	for _, r := range l.Records {
		pos := r.First
		for _, d := range r.Done {
			for _, st := range d.Events {
				e, err := l.Machine.registry.Decode(st)
				if err != nil {
					return nil, err
				}
				out = append(out, journal.Entry{Position: pos, At: d.At, Caller: d.Caller, Event: e})
				pos++
			}
		}
	}
	return out, nil
}

// Refold folds the whole journal into another, fresh machine of the same rooms, and compares the states.
func (l *Local) Refold(fresh *Machine) error {
	for i := range l.Records {
		if err := fresh.refold(&l.Records[i]); err != nil {
			return err
		}
	}
	a, err := l.Machine.NodeHash()
	if err != nil {
		return err
	}
	b, err := fresh.NodeHash()
	if err != nil {
		return err
	}
	if a != b {
		return fmt.Errorf("replica: folding the journal again gives another state: %x, not %x", b, a)
	}
	return nil
}

func plainMAC(purpose, caller, name string, body []byte) [16]byte {
	h := sha256.New()
	for _, p := range []string{purpose, caller, name} {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	if body != nil {
		fmt.Fprintf(h, "%d:%s", len(body), body)
	}
	return [16]byte(h.Sum(nil))
}

// Resume writes the state down, loads it into another, fresh machine of the same rooms, and goes on there: what the
// rooms derive is made anew. Two machines that go on alike must stay alike.
func (l *Local) Resume(fresh *Machine) (*Local, error) {
	l.Machine.mu.Lock()
	im := l.Machine.freeze()
	l.Machine.mu.Unlock()
	defer im.release()
	var buf bytes.Buffer
	if _, err := im.write(&buf, l.Machine.hub, uint64(len(l.Records))); err != nil {
		return nil, err
	}
	if _, err := fresh.load(&buf); err != nil {
		return nil, err
	}
	return &Local{Machine: fresh, Records: append([]journal.Record(nil), l.Records...), Now: l.Now, n: l.n}, nil
}
