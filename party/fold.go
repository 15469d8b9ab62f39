package party

import (
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Listens names the event that says that time passed: it lets nonces and sessions go. Their opening events say until
// when they last, so the state stays a function of the journal.
func (s *State) Listens() []string { return []string{(&replica.Ticked{}).EventKind()} }

// Fold changes the state as an event says.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *Registered:
		s.participants.Put(v.Handle, Participant{Handle: v.Handle, Kind: v.Kind, Name: v.Name, NameZH: v.NameZH, Since: e.At, Head: e.Position})
		s.active[v.Handle] = true
		if v.Kind == Operator {
			s.operators++
		}
		for _, k := range v.Keys {
			s.putKey(Key{Public: k, Holder: v.Handle, Since: e.At})
		}
	case *Renamed:
		s.change(v.Handle, e.Position, func(p *Participant) { p.Name, p.NameZH = v.Name, v.NameZH })
	case *KeyAdded:
		s.putKey(Key{Public: v.Key, Holder: v.Handle, Since: e.At})
		if old, ok := s.keys.Get(v.Replaces); ok {
			old.Until = v.ReplacedUntil
			s.keys.Put(v.Replaces, old)
		}
		s.change(v.Handle, e.Position, nil)
	case *KeyRevoked:
		k, _ := s.keys.Get(v.Key)
		k.Until, k.Revoked = e.At, v.Reason
		s.keys.Put(v.Key, k)
		s.change(v.Handle, e.Position, nil)
	case *CredentialIssued:
		s.credentials.Put(v.ID, Credential{ID: v.ID, Holder: v.Handle, Name: v.Name, Scopes: v.Scopes, Since: e.At, Expires: v.Expires, Hash: v.Hash})
		h := s.hold(v.Handle)
		h.credentials = append(h.credentials, v.ID)
		s.change(v.Handle, e.Position, nil)
	case *CredentialRevoked:
		s.credentials.Delete(v.ID)
		h := s.hold(v.Handle)
		h.credentials = without(h.credentials, v.ID)
		for _, id := range slices.Clone(h.sessions) {
			if session, ok := s.sessions.Get(id); ok && session.Credential == v.ID {
				s.endSession(id)
			}
		}
		s.change(v.Handle, e.Position, nil)
	case *Suspended:
		s.change(v.Handle, e.Position, func(p *Participant) {
			p.Suspended = v.Reason
			if p.Kind == Operator {
				s.operators--
			}
		})
	case *Resumed:
		s.change(v.Handle, e.Position, func(p *Participant) {
			p.Suspended = ""
			if p.Kind == Operator {
				s.operators++
			}
		})
	case *SessionOpened:
		s.putSession(Session{ID: v.ID, Holder: v.Handle, Credential: v.Credential, Since: e.At, Expires: v.Expires, Hash: v.Hash})
		s.change(v.Handle, e.Position, nil)
	case *SessionClosed:
		s.endSession(v.ID)
		s.change(v.Handle, e.Position, nil)
	case *NonceUsed:
		s.putNonce(v.Mark, nonce{Holder: v.Holder, Until: v.Until})
	case *replica.Ticked:
		s.forget(e.At)
	}
}

// change rewrites a participant and moves the head of its chain.
func (s *State) change(handle string, head journal.Position, f func(*Participant)) {
	p, _ := s.participants.Get(handle)
	p.Head = head
	if f != nil {
		f(&p)
		s.active[handle] = p.Active()
	}
	s.participants.Put(handle, p)
}

func (s *State) putKey(k Key) {
	s.keys.Put(k.Public.ID(), k)
	h := s.hold(k.Holder)
	h.keys = append(h.keys, k.Public.ID())
}

func (s *State) putSession(session Session) {
	s.sessions.Put(session.ID, session)
	h := s.hold(session.Holder)
	h.sessions = append(h.sessions, session.ID)
	s.ending.Add(session.Expires, session.ID)
}

func (s *State) endSession(id moongate.ID) {
	session, ok := s.sessions.Get(id)
	if !ok {
		return
	}
	s.sessions.Delete(id)
	h := s.hold(session.Holder)
	h.sessions = without(h.sessions, id)
}

func (s *State) putNonce(mark [16]byte, n nonce) {
	if old, ok := s.nonces.Get(mark); ok { // expired, and not yet swept
		s.hold(old.Holder).nonces--
	}
	s.nonces.Put(mark, n)
	s.hold(n.Holder).nonces++
	s.stale.Add(n.Until, mark)
}

// forget drops what has lasted its time.
func (s *State) forget(now moongate.Time) {
	for {
		_, mark, ok := s.stale.Next(now - 1) // valid until and including its last moment
		if !ok {
			break
		}
		if n, ok := s.nonces.Get(mark); ok && n.Until < now {
			s.nonces.Delete(mark)
			s.hold(n.Holder).nonces--
		}
	}
	for {
		_, id, ok := s.ending.Next(now)
		if !ok {
			return
		}
		if session, ok := s.sessions.Get(id); ok && session.Expires <= now {
			s.endSession(id)
		}
	}
}

func (s *State) hold(handle string) *holdings {
	h := s.holdings[handle]
	if h == nil {
		h = &holdings{}
		s.holdings[handle] = h
	}
	return h
}

func without(ids []moongate.ID, id moongate.ID) []moongate.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(other moongate.ID) bool { return other == id })
}

// Rebuild makes what is derived anew.
func (s *State) Rebuild() {
	s.holdings, s.active, s.operators = map[string]*holdings{}, map[string]bool{}, 0
	s.stale = replica.NewDue(func(a, b [16]byte) bool { return string(a[:]) < string(b[:]) })
	s.ending = replica.DueByID()
	for handle, p := range s.participants.All() {
		s.active[handle] = p.Active()
		if p.Kind == Operator && p.Active() {
			s.operators++
		}
	}
	for id, k := range s.keys.All() {
		h := s.hold(k.Holder)
		h.keys = append(h.keys, id)
	}
	for id, c := range s.credentials.All() {
		h := s.hold(c.Holder)
		h.credentials = append(h.credentials, id)
	}
	for id, session := range s.sessions.All() {
		h := s.hold(session.Holder)
		h.sessions = append(h.sessions, id)
		s.ending.Add(session.Expires, id)
	}
	for mark, n := range s.nonces.All() {
		s.hold(n.Holder).nonces++
		s.stale.Add(n.Until, mark)
	}
}
