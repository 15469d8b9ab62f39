package party

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Bounds of what one participant may hold.
const (
	maxKeys        = 256 // for good, since keys are never forgotten
	maxCredentials = 50
	maxSessions    = 64
)

// MaxSession is the longest that a console session lasts.
const MaxSession = 12 * moongate.Hour

// Limits bound what the room keeps.
type Limits struct {
	Participants int // 1,000,000 unless set
	Nonces       int // signed requests within their lifetime; 1,000,000 unless set. One participant may hold a quarter
}

// State is what the next decision about participants needs. Its reads are called under the machine's Read.
type State struct {
	limits       Limits
	participants *replica.Table[string, Participant]
	keys         *replica.Table[string, Key]
	credentials  *replica.Table[moongate.ID, Credential]
	sessions     *replica.Table[moongate.ID, Session]
	nonces       *replica.Table[[16]byte, nonce]

	// Derived from the tables.
	holdings  map[string]*holdings
	active    map[string]bool // who may act
	operators int             // that are active
	stale     *replica.Due[[16]byte]
	ending    *replica.Due[moongate.ID] // sessions
}

// nonce is one request that was seen.
type nonce struct {
	Holder string        `cbor:"1,keyasint"`
	Until  moongate.Time `cbor:"2,keyasint"`
}

// holdings is what one participant has.
type holdings struct {
	keys        []string
	credentials []moongate.ID
	sessions    []moongate.ID
	nonces      int
}

// New makes an empty room.
func New(limits Limits) *State {
	if limits.Participants == 0 {
		limits.Participants = 1_000_000
	}
	if limits.Nonces == 0 {
		limits.Nonces = 1_000_000
	}
	s := &State{
		limits:       limits,
		participants: replica.NewTable[string, Participant]("participants"),
		keys:         replica.NewTable[string, Key]("keys"),
		credentials:  replica.NewTable[moongate.ID, Credential]("credentials"),
		sessions:     replica.NewTable[moongate.ID, Session]("sessions"),
		nonces:       replica.NewTable[[16]byte, nonce]("nonces"),
	}
	s.Rebuild()
	return s
}

// Name is the room's.
func (s *State) Name() string { return "party" }

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored {
	return []replica.Stored{s.participants, s.keys, s.credentials, s.sessions, s.nonces}
}

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{
		&Registered{}, &Renamed{}, &KeyAdded{}, &KeyRevoked{}, &CredentialIssued{}, &CredentialRevoked{},
		&Suspended{}, &Resumed{}, &SessionOpened{}, &SessionClosed{}, &NonceUsed{},
	}
}

// Register tells the machine which commands the room answers.
func (s *State) Register(m *replica.Machine) {
	replica.Handle(m, s.register)
	replica.Handle(m, s.rename)
	replica.Handle(m, s.addKey)
	replica.Handle(m, s.revokeKey)
	replica.Handle(m, s.issueCredential)
	replica.Handle(m, s.revokeCredential)
	replica.Handle(m, s.suspend)
	replica.Handle(m, s.resume)
	replica.Handle(m, s.openSession)
	replica.Handle(m, s.closeSession)
	replica.Handle(m, s.useNonce)
}

// Lookup finds a participant.
func (s *State) Lookup(handle string) (Participant, bool) { return s.participants.Get(handle) }

// Active finds a participant that may act: [moongate.NotFound] for none, [moongate.Forbidden] for a suspended one.
func (s *State) Active(handle string) (Participant, error) {
	p, ok := s.participants.Get(handle)
	if !ok {
		return p, notFound("participant", handle)
	}
	if !p.Active() {
		return p, &moongate.Error{
			Code: moongate.Forbidden, Message: fmt.Sprintf("participant %s is suspended: %s", handle, p.Suspended),
			Hint: "ask the operator of the hub",
		}
	}
	return p, nil
}

// May is [State.Active] for whoever only wants to know that a participant may act: it is asked several times for each
// crossing, and copies nothing.
func (s *State) May(handle string) error {
	if s.active[handle] {
		return nil
	}
	_, err := s.Active(handle)
	return err
}

// IsOperator tells whether a caller acts for the hub: an active operator, or the hub itself.
func (s *State) IsOperator(caller string) bool {
	p, ok := s.participants.Get(caller)
	return caller == "" || ok && p.Kind == Operator && p.Active()
}

// Key finds a key by its id, valid or not.
func (s *State) Key(id string) (Key, bool) { return s.keys.Get(id) }

// ValidKey finds a key whose signature counts at a time, of a participant that may act now. What fails is
// [moongate.Unauthenticated] or [moongate.Forbidden] and says why.
func (s *State) ValidKey(id string, at moongate.Time) (Key, error) {
	k, ok := s.keys.Get(id)
	if !ok {
		return k, &moongate.Error{Code: moongate.Unauthenticated, Message: fmt.Sprintf("key %.60q is not registered", id), Hint: "register it, or sign with one that is"}
	}
	if !k.ValidAt(at) {
		why := "it was rotated"
		if k.Revoked != "" {
			why = "it was revoked: " + k.Revoked
		}
		return k, &moongate.Error{Code: moongate.Unauthenticated, Message: fmt.Sprintf("key %s is not valid at %s; %s", id, at, why), Hint: "sign with a valid key"}
	}
	_, err := s.Active(k.Holder)
	return k, err
}

// SigningKey is [State.ValidKey] in the form that httpsig.Verifier asks for.
func (s *State) SigningKey(at moongate.Time) func(id string) (ed25519.PublicKey, error) {
	return func(id string) (ed25519.PublicKey, error) {
		k, err := s.ValidKey(id, at)
		return k.Public[:], err
	}
}

// Keys lists a participant's keys, oldest first.
func (s *State) Keys(handle string) []Key {
	var keys []Key
	for _, id := range s.of(handle).keys {
		k, _ := s.keys.Get(id)
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Public.String(), b.Public.String()))
	})
	return keys
}

// Credentials lists a participant's credentials, oldest first.
func (s *State) Credentials(handle string) []Credential {
	var credentials []Credential
	for _, id := range s.of(handle).credentials {
		c, _ := s.credentials.Get(id)
		credentials = append(credentials, c)
	}
	slices.SortFunc(credentials, func(a, b Credential) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), slices.Compare(a.ID[:], b.ID[:]))
	})
	return credentials
}

// Bearer says whose an API token is. A token that is not known and one with another secret look alike.
func (s *State) Bearer(token string, at moongate.Time) (Credential, Participant, error) {
	id, secret, err := ParseToken(token)
	if err != nil {
		return Credential{}, Participant{}, err
	}
	c, ok := s.credentials.Get(id)
	if !c.Hash.Matches(secret) || !ok || id.Kind() != moongate.KindCredential {
		return Credential{}, Participant{}, &moongate.Error{Code: moongate.Unauthenticated, Message: "the credential is not known, or was revoked", Hint: "issue another"}
	}
	if err := c.expired(at); err != nil {
		return Credential{}, Participant{}, err
	}
	p, err := s.Active(c.Holder)
	if err != nil {
		return Credential{}, Participant{}, err
	}
	return c, p, nil
}

// SignedIn says whose a console session's token is, with the credential that opened it and its scopes.
func (s *State) SignedIn(token string, at moongate.Time) (Session, Credential, Participant, error) {
	fail := func(err error) (Session, Credential, Participant, error) {
		return Session{}, Credential{}, Participant{}, err
	}
	id, secret, err := ParseToken(token)
	if err != nil {
		return fail(err)
	}
	session, ok := s.sessions.Get(id)
	if !session.Hash.Matches(secret) || !ok || at >= session.Expires {
		return fail(&moongate.Error{Code: moongate.Unauthenticated, Message: "the session has ended", Hint: "sign in again"})
	}
	c, ok := s.credentials.Get(session.Credential)
	if !ok {
		return fail(&moongate.Error{Code: moongate.Unauthenticated, Message: "the session's credential was revoked", Hint: "sign in with another"})
	}
	if err := c.expired(at); err != nil {
		return fail(err)
	}
	p, err := s.Active(session.Holder)
	if err != nil {
		return fail(err)
	}
	return session, c, p, nil
}

func (c *Credential) expired(at moongate.Time) error {
	if c.Expires == 0 || at < c.Expires {
		return nil
	}
	return &moongate.Error{Code: moongate.Unauthenticated, Message: fmt.Sprintf("the credential %q expired at %s", c.Name, c.Expires), Hint: "issue another"}
}

// of reads what a participant has.
func (s *State) of(handle string) holdings {
	if h := s.holdings[handle]; h != nil {
		return *h
	}
	return holdings{}
}

func notFound(what, id string) error {
	return &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("there is no %s %.80q", what, id), Hint: "check the spelling"}
}
