package replay

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// Clock is a hub's virtual time.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now is the virtual time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Set moves the virtual time; it never goes back.
func (c *Clock) Set(at moongate.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := at.Go(); t.After(c.at) {
		c.at = t
	}
}

// Seed derives a request's randomness from the request, so that a run that was broken off goes on as it began.
func Seed(r *replica.Request) [32]byte {
	h := sha256.New()
	for _, s := range []string{"moongate/replay/v1", r.Caller, r.Key, r.Command.CommandKind()} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(r.Effect))
	h.Write(b[:])
	body, err := journal.Encoding.Marshal(r.Command)
	if err != nil {
		panic(err) // the machine could not replicate it either
	}
	h.Write(body)
	return [32]byte(h.Sum(nil))
}

// desk is where a replay makes its requests.
type desk struct {
	ctx   context.Context
	hub   *hub.Hub
	clock *Clock
	name  string // of the replay: keys begin with it
}

// request is one request, and where its answer goes.
type request struct {
	caller, key string
	at          moongate.Time
	command     replica.Command
	done        func(any, error) error
}

// all makes requests in order, without waiting between them, and returns when all are answered.
func (d *desk) all(requests []request) error {
	type reply struct {
		a   any
		err error
	}
	replies := make([]reply, len(requests))
	var wg sync.WaitGroup
	for i := range requests {
		r := &requests[i]
		d.clock.Set(r.at)
		wg.Add(1)
		d.hub.Node.Go(replica.Request{Caller: r.caller, Key: d.key(r.key), Command: r.command}, func(a any, err error) {
			replies[i] = reply{a, err}
			wg.Done()
		})
	}
	wg.Wait()
	for i, r := range replies {
		if err := requests[i].done(r.a, r.err); err != nil {
			return fmt.Errorf("%s %s: %w", requests[i].command.CommandKind(), requests[i].key, err)
		}
	}
	return d.ctx.Err()
}

func (d *desk) key(k string) string {
	if k == "" {
		return ""
	}
	return d.name + "/" + k
}

// tick lets time pass up to a moment. It has a key as every request: a tick too many would be another history.
func (d *desk) tick(at moongate.Time) error {
	d.clock.Set(at)
	for n := 0; ; n++ {
		acted, err := replica.Submit[int](d.ctx, d.hub.Node, replica.Request{Key: d.key(fmt.Sprintf("tick/%d/%d", at, n)), Command: &replica.Tick{}})
		if err != nil {
			return err
		}
		if acted < 1000 { // what one tick handles at most
			return nil
		}
	}
}

// privateKey is the key of a participant of a replay: it follows from the handle, and guards nothing.
func (d *desk) privateKey(handle string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("moongate/replay/key/v1/" + d.name + "/" + handle))
	return ed25519.NewKeyFromSeed(seed[:])
}

// register lets participants take part; one that does already stays as it is.
func (d *desk) register(at moongate.Time, kind party.Kind, handles ...string) error {
	requests := make([]request, 0, len(handles))
	for _, handle := range handles {
		key, err := party.Prove(d.privateKey(handle), handle)
		if err != nil {
			return err
		}
		requests = append(requests, request{
			at: at, key: "register/" + handle, command: &party.Register{Handle: handle, Kind: kind, Name: handle, Keys: []party.NewKey{key}},
			done: func(_ any, err error) error {
				if moongate.CodeOf(err) == moongate.Conflict {
					return nil // it was there before the run that is resumed
				}
				return err
			},
		})
	}
	return d.all(requests)
}

// signer is somebody who signs a document, and in which role.
type signer struct {
	who  string
	role agreement.Role
}

func each(role agreement.Role, handles ...string) []signer {
	all := make([]signer, len(handles))
	for i, h := range handles {
		all[i] = signer{h, role}
	}
	return all
}

// agree has the named parties sign a document, and gives the agreement.
func (d *desk) agree(at moongate.Time, doc *agreement.Document, proposer string, signers []signer) (moongate.ID, error) {
	d.clock.Set(at)
	p, err := hub.Do[agreement.Proposal](d.ctx, d.hub, proposer, d.key("propose/"+doc.ID), &agreement.Propose{Document: doc.Canonical()})
	if err != nil {
		return moongate.ID{}, err
	}
	for _, s := range signers {
		sig, err := doc.SignAs(d.privateKey(s.who), s.role, s.who)
		if err != nil {
			return moongate.ID{}, err
		}
		_, err = hub.Do[agreement.Standing](d.ctx, d.hub, s.who, d.key("sign/"+doc.ID+"/"+s.who), &agreement.Sign{
			Agreement: p.Agreement, Version: p.Version, Role: s.role, Party: s.who, Key: d.keyID(s.who), Signature: party.Signature(sig),
		})
		if err != nil {
			return moongate.ID{}, err
		}
	}
	return p.Agreement, nil
}

func (d *desk) keyID(handle string) string {
	return party.PublicKey(d.privateKey(handle).Public().(ed25519.PublicKey)).ID()
}

// accept binds members to an open role of an agreement.
func (d *desk) accept(at moongate.Time, id moongate.ID, doc *agreement.Document, role agreement.Role, handles ...string) error {
	requests := make([]request, 0, len(handles))
	for _, who := range handles {
		sig, err := doc.SignAs(d.privateKey(who), role, who)
		if err != nil {
			return err
		}
		requests = append(requests, request{
			caller: who, at: at, key: "accept/" + doc.ID + "/" + who,
			command: &agreement.Accept{
				Agreement: id, Version: doc.Version, Role: role, Party: who,
				Key: d.keyID(who), Signature: party.Signature(sig),
			},
			done: func(_ any, err error) error { return err },
		})
	}
	return d.all(requests)
}
