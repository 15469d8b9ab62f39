package party_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

const t0 = moongate.Time(1893456000) * moongate.Second

// hub is the room in a machine of its own, with an operator "op" and a marketplace "mall" that has one key.
type hub struct {
	t      *testing.T
	limits party.Limits
	room   *party.State
	local  *replica.Local
	mall   ed25519.PrivateKey
}

func newHub(t *testing.T, limits party.Limits) *hub {
	h := &hub{t: t, limits: limits, mall: keyOf(1)}
	h.room = party.New(limits)
	h.local = replica.NewLocal(machine(h.room), t0)
	t.Cleanup(func() { // folding the journal again gives the same state
		if err := h.local.Refold(machine(party.New(limits))); err != nil {
			t.Error(err)
		}
	})
	h.do("", &party.Register{Handle: "op", Kind: party.Operator, Name: "Operator"})
	h.do("op", &party.Register{Handle: "mall", Kind: party.Platform, Name: "Mall", NameZH: "商城", Keys: []party.NewKey{h.prove(h.mall, "mall")}})
	return h
}

func machine(room *party.State) *replica.Machine {
	m := replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, room)
	room.Register(m)
	return m
}

func keyOf(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

func public(k ed25519.PrivateKey) party.PublicKey {
	return party.PublicKey(k.Public().(ed25519.PublicKey))
}

func (h *hub) prove(k ed25519.PrivateKey, handle string) party.NewKey {
	h.t.Helper()
	n, err := party.Prove(k, handle)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// do has a command succeed.
func (h *hub) do(caller string, c replica.Command) any {
	h.t.Helper()
	a, err := h.local.Do(replica.Request{Caller: caller, Command: c})
	if err != nil {
		h.t.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
	}
	return a
}

// refuse has a command fail with a code and a text.
func (h *hub) refuse(caller string, c replica.Command, code moongate.Code, says string) {
	h.t.Helper()
	records := len(h.local.Records)
	_, err := h.local.Do(replica.Request{Caller: caller, Command: c})
	if moongate.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		h.t.Errorf("%s by %q: got %s %v; want %s %q", c.CommandKind(), caller, moongate.CodeOf(err), err, code, says)
	}
	if trace := len(h.local.Records) > records; trace == (code == moongate.Malformed || code == moongate.Busy) {
		h.t.Errorf("%s refused as %s left a trace: %v", c.CommandKind(), code, trace)
	}
}

func (h *hub) tick(to moongate.Time) {
	h.t.Helper()
	if err := h.local.Tick(to); err != nil {
		h.t.Fatal(err)
	}
}

// credential issues one and gives its token.
func (h *hub) credential(caller, handle string, scopes party.Scopes, expires moongate.Time) (string, moongate.ID) {
	h.t.Helper()
	secret := party.Secret(bytes.Repeat([]byte{9}, 32))
	a := h.do(caller, &party.IssueCredential{Handle: handle, Name: "till", Scopes: scopes, Expires: expires, Hash: secret.Hash()}).(party.Issued)
	return party.FormatToken(a.ID, secret), a.ID
}

func TestRegister(t *testing.T) {
	h := newHub(t, party.Limits{Participants: 3})
	got, ok := h.room.Lookup("mall")
	want := party.Participant{Handle: "mall", Kind: party.Platform, Name: "Mall", NameZH: "商城", Since: t0, Head: 2}
	if !ok || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	mallKey := h.prove(h.mall, "mall")
	weak := party.NewKey{Public: party.PublicKey{1}, Possession: party.Signature{1}} // the neutral point: R = 1, S = 0 holds for any message
	for _, tt := range []struct {
		caller string
		c      *party.Register
		code   moongate.Code
		says   string
	}{
		{"mall", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop"}, moongate.Forbidden, "operator"},
		{"nobody", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop"}, moongate.Forbidden, "operator"},
		{"op", &party.Register{Handle: "mall", Kind: party.Merchant, Name: "Shop"}, moongate.Conflict, "taken"},
		{"op", &party.Register{Handle: "Shop", Kind: party.Merchant, Name: "Shop"}, moongate.Malformed, "handle"},
		{"op", &party.Register{Handle: "hub", Kind: party.Merchant, Name: "Shop"}, moongate.Malformed, "reserved"},
		{"op", &party.Register{Handle: "shop", Name: "Shop"}, moongate.Malformed, "kind"},
		{"op", &party.Register{Handle: "shop", Kind: 77, Name: "Shop"}, moongate.Malformed, "kind"},
		{"op", &party.Register{Handle: "shop", Kind: party.Merchant}, moongate.Malformed, "0 characters"},
		{"op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "a\u202eb"}, moongate.Malformed, "do not print"},
		{"op", &party.Register{Handle: "op@harbour", Kind: party.Operator, Name: "Op"}, moongate.Refused, "another hub"},
		{"op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop", Keys: []party.NewKey{mallKey}}, moongate.Malformed, "possession"},
		{"op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop", Keys: []party.NewKey{h.prove(h.mall, "shop")}}, moongate.Conflict, "registered before"},
		{"op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop", Keys: []party.NewKey{weak}}, moongate.Malformed, "anybody"},
		{"op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop", Keys: make([]party.NewKey, 9)}, moongate.Malformed, "9 keys"},
		{"op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop", Keys: []party.NewKey{h.prove(keyOf(2), "shop"), h.prove(keyOf(2), "shop")}}, moongate.Malformed, "twice"},
	} {
		h.refuse(tt.caller, tt.c, tt.code, tt.says)
	}
	h.do("op", &party.Register{Handle: "shop@harbour", Kind: party.Merchant, Name: "Shop"})
	h.refuse("op", &party.Register{Handle: "stall", Kind: party.Merchant, Name: "Stall"}, moongate.Limit, "room for 3")
}

func TestRename(t *testing.T) {
	h := newHub(t, party.Limits{})
	h.do("mall", &party.Rename{Handle: "mall", Name: "Night Mall"})
	h.refuse("op", &party.Rename{Handle: "none", Name: "x"}, moongate.NotFound, "none")
	h.refuse("mall", &party.Rename{Handle: "op", Name: "Mall"}, moongate.Forbidden, "may not act for op")
	for _, bad := range []string{" x", "x\u3000", "a\u202eb", "a\u200bb", "\ufeffx", "a\nb", "a\x7fb", "a\xffb", "\U000e0041"} {
		h.refuse("mall", &party.Rename{Handle: "mall", Name: bad}, moongate.Malformed, "blanks")
	}
	h.do("mall", &party.Rename{Handle: "mall", Name: "Café 夜市 №1 😀"})
	h.do("mall", &party.Rename{Handle: "mall", Name: "Night Mall"})
	if p, _ := h.room.Lookup("mall"); p.Name != "Night Mall" || p.NameZH != "" {
		t.Errorf("%+v", p)
	}
}

// A key is rotated: both are valid for a while, then the old one is not. Each step needs a valid key's signature.
func TestRotation(t *testing.T) {
	h := newHub(t, party.Limits{})
	old, next := public(h.mall), keyOf(2)
	endorse := func(by ed25519.PrivateKey, replaces string) party.Signature {
		return party.Signature(ed25519.Sign(by, party.EndorsementStatement("mall", public(next), replaces)))
	}
	add := party.AddKey{
		Handle: "mall", Key: h.prove(next, "mall"), Replaces: old.ID(), Overlap: moongate.Day,
		EndorsedBy: old.ID(), Endorsement: endorse(h.mall, old.ID()),
	}
	for _, tt := range []struct {
		change func(*party.AddKey)
		caller string
		code   moongate.Code
		says   string
	}{
		{func(c *party.AddKey) { c.EndorsedBy = "" }, "mall", moongate.Forbidden, "no valid key"},
		{func(c *party.AddKey) { c.EndorsedBy = public(next).ID() }, "mall", moongate.Forbidden, "no valid key"},
		{func(c *party.AddKey) { c.Endorsement = endorse(next, old.ID()) }, "mall", moongate.Forbidden, "endorsement"},
		{func(c *party.AddKey) { c.Endorsement = endorse(h.mall, "") }, "mall", moongate.Forbidden, "endorsement"},
		{func(c *party.AddKey) { c.Replaces = "unknown" }, "mall", moongate.NotFound, "unknown"},
		{func(c *party.AddKey) { c.Overlap = 31 * moongate.Day }, "mall", moongate.Malformed, "overlap"},
		{func(c *party.AddKey) { c.Overlap = -1 }, "mall", moongate.Malformed, "overlap"},
		{func(c *party.AddKey) { c.Replaces = "" }, "mall", moongate.Malformed, "overlap"},
		{func(c *party.AddKey) { c.Key.Possession[0] ^= 1 }, "mall", moongate.Malformed, "possession"},
		{func(c *party.AddKey) { c.Key = h.prove(h.mall, "mall") }, "mall", moongate.Conflict, "registered before"},
		{func(*party.AddKey) {}, "nobody", moongate.NotFound, "nobody"},
	} {
		c := add
		tt.change(&c)
		h.refuse(tt.caller, &c, tt.code, tt.says)
	}
	if a := h.do("mall", &add).(party.KeyAnswer); a.Key != public(next).ID() {
		t.Errorf("answer %+v", a)
	}
	for _, tt := range []struct {
		at   moongate.Time
		key  party.PublicKey
		code moongate.Code
	}{
		{t0, old, ""},
		{t0, public(next), ""},
		{t0 - 1, public(next), moongate.Unauthenticated},
		{t0 + moongate.Day - 1, old, ""},
		{t0 + moongate.Day, old, moongate.Unauthenticated},
		{t0 + 300*moongate.Day, public(next), ""},
		{t0, public(keyOf(3)), moongate.Unauthenticated},
	} {
		if _, err := h.room.ValidKey(tt.key.ID(), tt.at); moongate.CodeOf(err) != tt.code {
			t.Errorf("key %s at %s: %v", tt.key, tt.at, err)
		}
	}
	keys := h.room.Keys("mall")
	if len(keys) != 2 || keys[0].Until+keys[1].Until != t0+moongate.Day {
		t.Errorf("keys %+v", keys)
	}
}

func TestRevokedKey(t *testing.T) {
	h := newHub(t, party.Limits{})
	id := public(h.mall).ID()
	h.refuse("op", &party.RevokeKey{Handle: "op", Key: id, Reason: "lost"}, moongate.NotFound, id)
	h.refuse("mall", &party.RevokeKey{Handle: "mall", Key: id}, moongate.Malformed, "reason")
	h.tick(t0 + moongate.Hour)
	h.do("mall", &party.RevokeKey{Handle: "mall", Key: id, Reason: "laptop stolen"})
	h.refuse("mall", &party.RevokeKey{Handle: "mall", Key: id, Reason: "again"}, moongate.Conflict, "not been valid")
	if _, err := h.room.SigningKey(t0 + moongate.Hour)(id); moongate.CodeOf(err) != moongate.Unauthenticated || !strings.Contains(err.Error(), "laptop stolen") {
		t.Errorf("after: %v", err)
	}
	if _, err := h.room.SigningKey(t0)(id); err != nil { // what it signed before stands
		t.Errorf("before: %v", err)
	}
	h.refuse("mall", &party.AddKey{Handle: "mall", Key: h.prove(h.mall, "mall"), EndorsedBy: id}, moongate.Conflict, "registered before")
	h.refuse("mall", &party.AddKey{Handle: "mall", Key: h.prove(keyOf(2), "mall"), EndorsedBy: id}, moongate.Forbidden, "ask the operator")
	h.do("op", &party.AddKey{Handle: "mall", Key: h.prove(keyOf(2), "mall")})
	h.do("op", &party.AddKey{Handle: "op", Key: h.prove(keyOf(3), "op")}) // the first key needs no endorsement
}

func TestCredential(t *testing.T) {
	h := newHub(t, party.Limits{})
	token, id := h.credential("mall", "mall", party.PaymentsWrite|party.PaymentsRead, t0+moongate.Hour)
	c, p, err := h.room.Bearer(token, t0)
	if err != nil || p.Handle != "mall" || c.ID != id || !c.Scopes.Has(party.PaymentsRead) || c.Scopes.Has(party.PaymentsRead|party.LedgerRead) {
		t.Errorf("%+v %+v %v", c, p, err)
	}
	if _, _, err := h.room.Bearer(token, t0+moongate.Hour); moongate.CodeOf(err) != moongate.Unauthenticated || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after an hour: %v", err)
	}
	other := party.FormatToken(id, party.Secret{1})
	unknown := party.FormatToken(moongate.NewID(moongate.KindCredential, moongate.Hub{1, 2, 3}, [12]byte{}), party.Secret{1})
	_, _, errOther := h.room.Bearer(other, t0)
	_, _, errUnknown := h.room.Bearer(unknown, t0)
	if errOther == nil || errUnknown == nil || errOther.Error() != errUnknown.Error() {
		t.Errorf("a wrong secret and an unknown id differ: %v; %v", errOther, errUnknown)
	}
	hash := party.Secret{2}.Hash()
	for _, tt := range []struct {
		caller string
		c      *party.IssueCredential
		code   moongate.Code
		says   string
	}{
		{"mall", &party.IssueCredential{Handle: "mall", Name: "x", Scopes: party.OperatorScope, Hash: hash}, moongate.Refused, "for operators"},
		{"mall", &party.IssueCredential{Handle: "op", Name: "x", Scopes: party.LedgerRead, Hash: hash}, moongate.Forbidden, "may not act"},
		{"mall", &party.IssueCredential{Handle: "mall", Name: "x", Hash: hash}, moongate.Malformed, "scope"},
		{"mall", &party.IssueCredential{Handle: "mall", Name: "x", Scopes: 1 << 20, Hash: hash}, moongate.Malformed, "scope"},
		{"mall", &party.IssueCredential{Handle: "mall", Name: "x", Scopes: party.LedgerRead}, moongate.Malformed, "scope"},
		{"mall", &party.IssueCredential{Handle: "mall", Scopes: party.LedgerRead, Hash: hash}, moongate.Malformed, "name"},
		{"mall", &party.IssueCredential{Handle: "mall", Name: "x", Scopes: party.LedgerRead, Hash: hash, Expires: t0}, moongate.Refused, "expire"},
	} {
		h.refuse(tt.caller, tt.c, tt.code, tt.says)
	}
	h.refuse("op", &party.RevokeCredential{Handle: "op", Credential: id}, moongate.NotFound, id.String())
	h.do("op", &party.RevokeCredential{Handle: "mall", Credential: id})
	h.refuse("mall", &party.RevokeCredential{Handle: "mall", Credential: id}, moongate.NotFound, id.String())
	if _, _, err := h.room.Bearer(token, t0); moongate.CodeOf(err) != moongate.Unauthenticated {
		t.Errorf("revoked: %v", err)
	}
	for range 50 {
		h.credential("mall", "mall", party.LedgerRead, 0)
	}
	if n := len(h.room.Credentials("mall")); n != 50 {
		t.Errorf("%d credentials", n)
	}
	h.refuse("mall", &party.IssueCredential{Handle: "mall", Name: "x", Scopes: party.LedgerRead, Hash: hash}, moongate.Limit, "50 credentials")
	h.do("op", &party.Register{Handle: "shop@harbour", Kind: party.Merchant, Name: "Shop"})
	h.refuse("op", &party.IssueCredential{Handle: "shop@harbour", Name: "x", Scopes: party.LedgerRead, Hash: hash}, moongate.Refused, "another hub")
}

func TestSession(t *testing.T) {
	h := newHub(t, party.Limits{})
	_, credential := h.credential("mall", "mall", party.PaymentsRead, 0)
	secret := party.Secret{5}
	open := &party.OpenSession{Credential: credential, Expires: t0 + moongate.Hour, Hash: secret.Hash()}
	h.refuse("op", open, moongate.NotFound, credential.String())
	h.refuse("mall", &party.OpenSession{Credential: credential, Expires: t0 + 13*moongate.Hour, Hash: secret.Hash()}, moongate.Refused, "12 hours")
	h.refuse("mall", &party.OpenSession{Credential: credential, Expires: t0, Hash: secret.Hash()}, moongate.Refused, "12 hours")
	h.refuse("mall", &party.OpenSession{Credential: credential, Expires: t0 + 1}, moongate.Malformed, "secret")
	id := h.do("mall", open).(party.Issued).ID
	token := party.FormatToken(id, secret)

	session, c, p, err := h.room.SignedIn(token, t0)
	if err != nil || session.ID != id || c.ID != credential || p.Handle != "mall" {
		t.Errorf("%+v %+v %+v %v", session, c, p, err)
	}
	if _, _, err := h.room.Bearer(token, t0); moongate.CodeOf(err) != moongate.Unauthenticated {
		t.Errorf("a session served as a credential: %v", err)
	}
	if _, _, _, err := h.room.SignedIn(party.FormatToken(id, party.Secret{6}), t0); moongate.CodeOf(err) != moongate.Unauthenticated {
		t.Errorf("another secret: %v", err)
	}
	if _, _, _, err := h.room.SignedIn(token, t0+moongate.Hour); moongate.CodeOf(err) != moongate.Unauthenticated {
		t.Errorf("after an hour: %v", err)
	}
	h.do("op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop"})
	h.refuse("shop", &party.CloseSession{Session: id}, moongate.NotFound, id.String())
	h.do("mall", &party.CloseSession{Session: id})
	h.refuse("mall", &party.CloseSession{Session: id}, moongate.NotFound, id.String())

	// A session ends with its credential, and by itself.
	ended := h.do("mall", open).(party.Issued).ID
	h.do("mall", &party.RevokeCredential{Handle: "mall", Credential: credential})
	if _, _, _, err := h.room.SignedIn(party.FormatToken(ended, secret), t0); moongate.CodeOf(err) != moongate.Unauthenticated {
		t.Errorf("after its credential: %v", err)
	}
	_, credential = h.credential("mall", "mall", party.PaymentsRead, 0)
	open.Credential = credential
	for range 64 {
		h.do("mall", open)
	}
	h.refuse("mall", open, moongate.Limit, "64 times")
	h.tick(t0 + moongate.Hour)
	open.Expires += moongate.Hour
	h.do("mall", open)
}

func TestSuspension(t *testing.T) {
	h := newHub(t, party.Limits{})
	token, credential := h.credential("mall", "mall", party.PaymentsRead, 0)
	secret := party.Secret{5}
	session := h.do("mall", &party.OpenSession{Credential: credential, Expires: t0 + moongate.Hour, Hash: secret.Hash()}).(party.Issued).ID
	h.refuse("mall", &party.Suspend{Handle: "mall", Reason: "x"}, moongate.Forbidden, "operator")
	h.refuse("op", &party.Suspend{Handle: "none", Reason: "x"}, moongate.NotFound, "none")
	h.refuse("op", &party.Suspend{Handle: "op", Reason: "x"}, moongate.Refused, "last active operator")
	h.refuse("op", &party.Resume{Handle: "mall"}, moongate.Conflict, "not suspended")
	h.do("op", &party.Suspend{Handle: "mall", Reason: "forged goods"})
	h.refuse("op", &party.Suspend{Handle: "mall", Reason: "x"}, moongate.Conflict, "forged goods")

	_, err := h.room.ValidKey(public(h.mall).ID(), t0)
	_, _, errToken := h.room.Bearer(token, t0)
	_, _, _, errSession := h.room.SignedIn(party.FormatToken(session, secret), t0)
	for _, err := range []error{err, errToken, errSession} {
		if moongate.CodeOf(err) != moongate.Forbidden || !strings.Contains(err.Error(), "forged goods") {
			t.Errorf("suspended: %v", err)
		}
	}
	h.refuse("mall", &party.Rename{Handle: "mall", Name: "x"}, moongate.Forbidden, "suspended")
	h.refuse("op", &party.IssueCredential{Handle: "mall", Name: "x", Scopes: party.LedgerRead, Hash: secret.Hash()}, moongate.Forbidden, "suspended")
	h.do("op", &party.Resume{Handle: "mall"})
	if _, _, err := h.room.Bearer(token, t0); err != nil {
		t.Errorf("resumed: %v", err)
	}

	h.do("", &party.Register{Handle: "op2", Kind: party.Operator, Name: "Second"})
	h.do("op2", &party.Suspend{Handle: "op", Reason: "on leave"})
	h.refuse("op", &party.Resume{Handle: "op"}, moongate.Forbidden, "operator")
	h.refuse("op2", &party.Suspend{Handle: "op2", Reason: "x"}, moongate.Refused, "last active operator")
	h.refuse("mall", &party.Resume{Handle: "none"}, moongate.Forbidden, "operator")
	h.refuse("op2", &party.Resume{Handle: "none"}, moongate.NotFound, "none")
}

func TestReplayWindow(t *testing.T) {
	h := newHub(t, party.Limits{Nonces: 12}) // of which one participant may hold three
	key := public(h.mall).ID()
	use := func(nonce string, expires moongate.Time) *party.UseNonce {
		return &party.UseNonce{Key: key, Nonce: nonce, Expires: expires}
	}
	h.do("mall", use("a", t0+moongate.Minute))
	h.refuse("mall", use("a", t0+moongate.Minute), moongate.Unauthenticated, "received before")
	h.refuse("mall", use("a", t0+2*moongate.Minute), moongate.Unauthenticated, "received before")
	h.refuse("mall", use("", t0), moongate.Malformed, "nonce")
	h.refuse("mall", use(strings.Repeat("n", 65), t0), moongate.Malformed, "nonce")
	h.refuse("mall", use("b", t0-1), moongate.Unauthenticated, "anew")
	h.refuse("mall", use("b", t0+moongate.Hour), moongate.Unauthenticated, "anew")
	h.refuse("op", use("b", t0+moongate.Minute), moongate.Unauthenticated, "not op's")
	h.refuse("mall", &party.UseNonce{Key: "unknown", Nonce: "b", Expires: t0}, moongate.Unauthenticated, "not registered")
	h.do("mall", use("b", t0+moongate.Minute))
	h.do("mall", use("c", t0+5*moongate.Minute))
	h.refuse("mall", use("d", t0+moongate.Minute), moongate.Busy, "too many")
	h.tick(t0 + moongate.Minute) // the last moment at which a and b count
	h.refuse("mall", use("a", t0+moongate.Minute), moongate.Unauthenticated, "received before")
	h.tick(t0 + moongate.Minute + 1)
	h.do("mall", use("d", t0+5*moongate.Minute))
	h.do("mall", use("e", t0+5*moongate.Minute))
	h.refuse("mall", use("f", t0+5*moongate.Minute), moongate.Busy, "too many")
}

// The chain of a participant leads back through all that happened to it.
func TestChain(t *testing.T) {
	h := newHub(t, party.Limits{})
	_, id := h.credential("mall", "mall", party.PaymentsRead, 0)
	h.do("op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop"})
	h.do("op", &party.Suspend{Handle: "mall", Reason: "x"})
	h.do("op", &party.Resume{Handle: "mall"})
	h.do("mall", &party.RevokeCredential{Handle: "mall", Credential: id})
	entries, err := h.local.Entries()
	if err != nil {
		t.Fatal(err)
	}
	at := map[journal.Position]journal.Event{}
	for _, e := range entries {
		at[e.Position] = e.Event
	}
	p, _ := h.room.Lookup("mall")
	var got []string
	for pos := p.Head; pos != 0; {
		got = append(got, at[pos].EventKind())
		switch e := at[pos].(type) {
		case *party.CredentialRevoked:
			pos = e.Before
		case *party.Resumed:
			pos = e.Before
		case *party.Suspended:
			pos = e.Before
		case *party.CredentialIssued:
			pos = e.Before
		case *party.Registered:
			pos = 0
		}
	}
	want := []string{"party.credential_revoked", "party.resumed", "party.suspended", "party.credential_issued", "party.registered"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, e := range entries { // each event may be read by whom it is about, and a secret's hash by nobody
		st, err := h.local.Machine.Registry().Encode(e.Event, new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range st.Groups {
			holder := e.Event.(interface{ Readers(string) []string }).Readers("self")[0]
			if journal.Opens(e.Event, g.Audience, "stranger") || journal.Opens(e.Event, g.Audience, holder) != (g.Audience == "self") {
				t.Errorf("%s: group %q opens for others than %s", st.Kind, g.Audience, holder)
			}
		}
	}
}

// An operator's command is refused when the operator was suspended after the gate had let it in.
func TestSuspendedMeanwhile(t *testing.T) {
	h := newHub(t, party.Limits{})
	h.do("", &party.Register{Handle: "op2", Kind: party.Operator, Name: "Second"})
	h.do("op2", &party.Suspend{Handle: "op", Reason: "x"})
	h.refuse("op", &party.Rename{Handle: "mall", Name: "x"}, moongate.Forbidden, "suspended")
	h.refuse("op", &party.Register{Handle: "shop", Kind: party.Merchant, Name: "Shop"}, moongate.Forbidden, "operator")
}

func ExamplePseudonyms() {
	p, err := party.NewPseudonyms(bytes.Repeat([]byte{42}, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.For("mall", "shopper-1"))
	fmt.Println(p.For("news", "shopper-1"))
	// Output:
	// sh_z7aqewv2i3mha6k6wpgho4dkxi
	// sh_j7bekqv5ik7ktoxyvlv3pgehnm
}

func TestPseudonymSecret(t *testing.T) {
	var e *moongate.Error
	if _, err := party.NewPseudonyms(make([]byte, 31)); !errors.As(err, &e) || !strings.Contains(e.Message, "31 bytes") {
		t.Errorf("%v", err)
	}
}
