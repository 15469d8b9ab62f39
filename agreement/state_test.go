package agreement_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/view"
)

// t0 is 1 December 2025, a month before the examples come into force.
const t0 = moongate.Time(1764547200) * moongate.Second

// hub is the room in a machine with the participants, all of them registered with one key each.
type hub struct {
	t     *testing.T
	room  *agreement.State
	local *replica.Local
	keys  map[string]ed25519.PrivateKey
}

var participants = map[string]party.Kind{
	"lotus-market": party.Platform, "willow-reads": party.Publisher, "plum-notes": party.Publisher,
	"crane-pay": party.Wallet, "carp-pay": party.Wallet, "tea-house": party.Merchant, "kite-maker": party.Merchant, "ink-stone": party.Merchant,
	"silk-fan": party.Merchant, "rice-paper": party.Merchant, "jade-comb": party.Merchant, "bamboo-flute": party.Merchant, "plum-wine": party.Merchant,
	"pavilion-store": party.Platform, "tea-timer": party.App, "night-market": party.Merchant,
}

func newRooms(limits agreement.Limits) (*replica.Machine, *agreement.State) {
	parties := party.New(party.Limits{})
	room := agreement.New(parties, limits)
	m := replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, parties, room)
	parties.Register(m)
	room.Register(m)
	return m, room
}

func newHub(t *testing.T, limits agreement.Limits) *hub {
	t.Helper()
	h := &hub{t: t, keys: map[string]ed25519.PrivateKey{}}
	m, room := newRooms(limits)
	h.room, h.local = room, replica.NewLocal(m, t0)
	h.do("", &party.Register{Handle: "op", Kind: party.Operator, Name: "Operator"})
	for handle, kind := range participants {
		seed := bytes.Repeat([]byte(handle+"."), 32)[:32]
		h.keys[handle] = ed25519.NewKeyFromSeed(seed)
		proof, err := party.Prove(h.keys[handle], handle)
		if err != nil {
			t.Fatal(err)
		}
		h.do("op", &party.Register{Handle: handle, Kind: kind, Name: handle, Keys: []party.NewKey{proof}})
	}
	t.Cleanup(func() {
		fresh, _ := newRooms(limits)
		if err := h.local.Refold(fresh); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *hub) do(caller string, c replica.Command) any {
	h.t.Helper()
	a, err := h.local.Do(replica.Request{Caller: caller, Command: c})
	if err != nil {
		h.t.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
	}
	return a
}

func (h *hub) refuse(caller string, c replica.Command, code moongate.Code, says string) {
	h.t.Helper()
	_, err := h.local.Do(replica.Request{Caller: caller, Command: c})
	if moongate.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		h.t.Errorf("%s by %q: %s %v; want %s %q", c.CommandKind(), caller, moongate.CodeOf(err), err, code, says)
	}
}

func (h *hub) propose(caller string, id moongate.ID, d *agreement.Document) moongate.ID {
	h.t.Helper()
	return h.do(caller, &agreement.Propose{Agreement: id, Document: d.Canonical()}).(agreement.Proposal).Agreement
}

// signed makes the command with which a party signs.
func (h *hub) signed(id moongate.ID, d *agreement.Document, role agreement.Role, who string) *agreement.Sign {
	key := h.keys[who]
	return &agreement.Sign{
		Agreement: id, Version: d.Version, Role: role, Party: who, Key: party.PublicKey(key.Public().(ed25519.PublicKey)).ID(),
		Signature: party.Signature(ed25519.Sign(key, d.SigningBytes(role, who))),
	}
}

func (h *hub) sign(id moongate.ID, d *agreement.Document, role agreement.Role, who ...string) agreement.Standing {
	h.t.Helper()
	var s agreement.Standing
	for _, one := range who {
		s = h.do(one, h.signed(id, d, role, one)).(agreement.Standing)
	}
	return s
}

func (h *hub) accept(id moongate.ID, d *agreement.Document, role agreement.Role, who string) *agreement.Accept {
	return (*agreement.Accept)(h.signed(id, d, role, who))
}

// gardens brings the demonstration's agreement into force.
func (h *hub) gardens() (moongate.ID, *agreement.Document) {
	h.t.Helper()
	d := example(h.t, "three-gardens.yaml").Doc
	id := h.propose("lotus-market", moongate.ID{}, d)
	h.sign(id, d, agreement.Marketplace, "lotus-market")
	h.sign(id, d, agreement.Publisher, "willow-reads", "plum-notes")
	if s := h.sign(id, d, agreement.Wallet, "crane-pay"); s.Status != agreement.Awaiting || s.Missing != 1 {
		h.t.Errorf("before the last signature it stands at %+v", s)
	}
	if s := h.sign(id, d, agreement.Wallet, "carp-pay"); s.Status != agreement.InForce || s.From != d.Valid.From || s.Until != d.Valid.Until {
		h.t.Errorf("after the last signature it stands at %+v", s)
	}
	return id, d
}

func (h *hub) kinds() []string {
	h.t.Helper()
	entries, err := h.local.Entries()
	if err != nil {
		h.t.Fatal(err)
	}
	var kinds []string
	for _, e := range entries {
		if k := e.Event.EventKind(); strings.HasPrefix(k, "agreement.") {
			kinds = append(kinds, strings.TrimPrefix(k, "agreement."))
		}
	}
	return kinds
}

func TestOpenOffer(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	id, d := h.gardens()
	if _, err := h.room.InForce(id, t0); moongate.CodeOf(err) != moongate.Refused || !strings.Contains(err.Error(), "comes into force at 2025-12-31T16:00:00Z") {
		t.Errorf("before it begins: %v", err)
	}
	january := d.Valid.From + moongate.Day
	terms, err := h.room.InForce(id, january)
	if err != nil || terms.ID != id || terms.Doc.Fingerprint() != d.Fingerprint() {
		t.Fatalf("in January: %v, %v", terms, err)
	}
	h.refuse("tea-house", h.signed(id, d, agreement.Seller, "tea-house"), moongate.Refused, "accept it instead")
	h.do("tea-house", h.accept(id, d, agreement.Seller, "tea-house"))
	h.refuse("tea-house", h.accept(id, d, agreement.Seller, "tea-house"), moongate.Conflict, "has signed")
	h.refuse("tea-timer", h.accept(id, d, agreement.Seller, "tea-timer"), moongate.Refused, "open to a merchant; tea-timer is a app")
	h.refuse("kite-maker", h.accept(id, d, agreement.Seller, "tea-house"), moongate.Forbidden, "may not act for")
	h.refuse("lotus-market", h.accept(id, d, agreement.Marketplace, "lotus-market"), moongate.Refused, "sign it instead")
	for role, want := range map[agreement.Role]string{agreement.Seller: "tea-house", agreement.Wallet: "carp-pay", agreement.Publisher: "plum-notes"} {
		if !h.room.Stands(terms, role, want, january) || h.room.Stands(terms, role, "kite-maker", january) {
			t.Errorf("who stands as %s is wrong", role)
		}
	}
	if r, ok := h.room.RoleOf(terms, "tea-house", january); !ok || r != agreement.Seller {
		t.Errorf("tea-house is %q", r)
	}
	if !h.room.Member(id, "tea-house", january) || h.room.Member(id, "night-market", january) || h.room.Member(id, "tea-house", t0) {
		t.Error("members are wrong")
	}
	if !h.room.MayRead(id, 1, "night-market") || h.room.MayRead(id, 2, "night-market") {
		t.Error("an open offer is for everybody to read")
	}
	want := []string{"proposed", "signed", "signed", "signed", "signed", "signed", "agreed", "published", "signed"}
	if diff := cmp.Diff(want, h.kinds()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestClosedAgreementIsSecret(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	d := example(t, "private-totals.yaml").Doc
	id := h.propose("tea-timer", moongate.ID{}, d)
	h.sign(id, d, agreement.Store, "pavilion-store")
	if s := h.sign(id, d, agreement.App, "tea-timer"); s.Status != agreement.InForce || s.Until != 0 {
		t.Errorf("it stands at %+v", s)
	}
	if slices.Contains(h.kinds(), "published") {
		t.Error("it was published")
	}
	entries, err := h.local.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Event.EventKind(), "agreement.") {
			continue
		}
		for who, want := range map[string]bool{"tea-timer": true, "pavilion-store": true, "tea-house": false} {
			if got := journal.Opens(e.Event, "parties", who); got != want {
				t.Errorf("%s may read %s: %v", who, e.Event.EventKind(), got)
			}
			if journal.Opens(e.Event, journal.Hub, who) {
				t.Errorf("%s may read what of %s is for the hub", who, e.Event.EventKind())
			}
		}
	}
	if h.room.MayRead(id, 1, "tea-house") || !h.room.MayRead(id, 1, "tea-timer") {
		t.Error("who may read it is wrong")
	}
	stranger := version(t, 2, "07-01", "", "id: pavilion-store, name", "id: night-market, name")
	h.refuse("night-market", &agreement.Propose{Agreement: id, Document: stranger.Canonical()}, moongate.NotFound, "there is no agreement")
}

func TestProposeRefuses(t *testing.T) {
	h := newHub(t, agreement.Limits{Agreements: 2})
	d := example(t, "private-totals.yaml").Doc
	id := h.propose("tea-timer", moongate.ID{}, d)
	var other moongate.ID
	other[0] = byte(moongate.KindAgreement)
	past := version(t, 2, "01-01", "03-15")
	for _, c := range []struct {
		name   string
		caller string
		id     moongate.ID
		text   []byte
		code   moongate.Code
		says   string
	}{
		{"nonsense", "tea-timer", moongate.ID{}, []byte("[]"), moongate.Malformed, "not an agreement"},
		{"a fault", "tea-timer", moongate.ID{}, bytes.Replace(d.Canonical(), []byte(`"version":1`), []byte(`"version":0`), 1), moongate.Malformed, "0 is not a version"},
		{"not canonical", "tea-timer", moongate.ID{}, agreement.Examples()["private-totals.yaml"], moongate.Malformed, "not in canonical form"},
		{"by an outsider", "tea-house", moongate.ID{}, d.Canonical(), moongate.Forbidden, "not named in the document"},
		{"by nobody known", "ghost", moongate.ID{}, d.Canonical(), moongate.NotFound, "ghost"},
		{"of no agreement", "tea-timer", other, d.Canonical(), moongate.NotFound, "there is no agreement"},
		{"the same version", "tea-timer", id, d.Canonical(), moongate.Conflict, "version 1 of quiet-garden was proposed before"},
		{"another id", "lotus-market", id, example(t, "three-gardens.yaml").Doc.Canonical(), moongate.Refused, "not three-gardens"},
		{"replacing nothing", "tea-timer", moongate.ID{}, version(t, 2, "07-01", "", "offer: {kind: closed}", replaces(d)).Canonical(), moongate.Refused, "a new agreement does not have"},
	} {
		h.refuse(c.caller, &agreement.Propose{Agreement: c.id, Document: c.text}, c.code, c.says)
	}
	h.propose("op", moongate.ID{}, example(t, "three-gardens.yaml").Doc)
	h.refuse("tea-timer", &agreement.Propose{Document: d.Canonical()}, moongate.Limit, "room for 2 agreements")
	if err := h.local.Tick(past.Valid.Until); err != nil {
		t.Fatal(err)
	}
	h.refuse("tea-timer", &agreement.Propose{Agreement: id, Document: past.Canonical()}, moongate.Refused, "would have to be signed before")
}

func TestSignRefuses(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	d := example(t, "private-totals.yaml").Doc
	id := h.propose("tea-timer", moongate.ID{}, d)
	change := func(f func(*agreement.Sign)) *agreement.Sign {
		s := h.signed(id, d, agreement.App, "tea-timer")
		f(s)
		return s
	}
	for _, c := range []struct {
		name string
		by   string
		sign *agreement.Sign
		code moongate.Code
		says string
	}{
		{"a bit of the signature", "tea-timer", change(func(s *agreement.Sign) { s.Signature[5] ^= 1 }), moongate.Unauthenticated, "is not one of version 1"},
		{"the other's key", "tea-timer", change(func(s *agreement.Sign) { s.Key = h.signed(id, d, agreement.Store, "pavilion-store").Key }), moongate.Forbidden, "is not tea-timer's"},
		{"an unknown key", "tea-timer", change(func(s *agreement.Sign) { s.Key = "x" }), moongate.Unauthenticated, "not registered"},
		{"another version", "tea-timer", change(func(s *agreement.Sign) { s.Version = 2 }), moongate.NotFound, "no version 2"},
		{"the other's role", "tea-timer", change(func(s *agreement.Sign) { s.Role = agreement.Store }), moongate.Forbidden, "not named as store"},
		{"for another", "pavilion-store", change(func(*agreement.Sign) {}), moongate.Forbidden, "may not act for"},
	} {
		h.refuse(c.by, c.sign, c.code, c.says)
	}
	h.sign(id, d, agreement.App, "tea-timer")
	h.refuse("tea-timer", h.signed(id, d, agreement.App, "tea-timer"), moongate.Conflict, "has signed")
}

func TestJointAgreement(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	d := example(t, "small-sellers-together.yaml").Doc
	id := h.propose("tea-house", moongate.ID{}, d)
	h.sign(id, d, agreement.Marketplace, "lotus-market")
	h.sign(id, d, agreement.Seller, "tea-house", "kite-maker", "ink-stone", "silk-fan")
	if s := h.sign(id, d, agreement.Wallet, "crane-pay"); s.Missing != 1 || s.Status != agreement.Awaiting {
		t.Errorf("four of five: %+v", s)
	}
	if s := h.sign(id, d, agreement.Seller, "rice-paper"); s.Status != agreement.InForce {
		t.Errorf("five of five: %+v", s)
	}
	h.sign(id, d, agreement.Seller, "plum-wine") // afterwards too
	terms, err := h.room.InForce(id, d.Valid.From)
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]bool{"rice-paper": true, "plum-wine": true, "jade-comb": false} {
		if h.room.Stands(terms, agreement.Seller, who, d.Valid.From) != want {
			t.Errorf("%s stands: %v", who, !want)
		}
	}
}

func TestLapse(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	d := example(t, "small-sellers-together.yaml").Doc
	id := h.propose("lotus-market", moongate.ID{}, d)
	h.sign(id, d, agreement.Seller, "tea-house")
	if err := h.local.Tick(d.Offer.SignBy - 1); err != nil {
		t.Fatal(err)
	}
	if v, _ := h.room.Lookup(id, 1); v.Status != agreement.Awaiting {
		t.Errorf("the moment before it is %s", v.Status)
	}
	if err := h.local.Tick(d.Offer.SignBy); err != nil {
		t.Fatal(err)
	}
	if v, _ := h.room.Lookup(id, 1); v.Status != agreement.Lapsed {
		t.Errorf("afterwards it is %s", v.Status)
	}
	h.refuse("kite-maker", h.signed(id, d, agreement.Seller, "kite-maker"), moongate.Conflict, "lapsed without its signatures")
	if _, err := h.room.InForce(id, d.Valid.From); !strings.Contains(err.Error(), "lapsed without its signatures") {
		t.Error(err)
	}
}

func TestCounterOffer(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	first := version(t, 1, "01-01", "")
	id := h.propose("pavilion-store", moongate.ID{}, first)
	h.sign(id, first, agreement.Store, "pavilion-store")
	counter := version(t, 2, "01-01", "", "bps: 1200", "bps: 900", "offer: {kind: closed}",
		fmt.Sprintf("offer: {kind: counter, counter: {version: 1, sha256: %q}}", first.Fingerprint()))
	wrong := version(t, 2, "01-01", "", "offer: {kind: closed}", fmt.Sprintf("offer: {kind: counter, counter: {version: 1, sha256: %q}}", counter.Fingerprint()))
	h.refuse("tea-timer", &agreement.Propose{Agreement: id, Document: wrong.Canonical()}, moongate.Refused, "version 1 has the SHA-256")
	h.propose("tea-timer", id, counter)
	h.sign(id, counter, agreement.App, "tea-timer")
	h.sign(id, counter, agreement.Store, "pavilion-store")
	if v, _ := h.room.Lookup(id, 1); v.Status != agreement.Withdrawn {
		t.Errorf("what was answered is %s", v.Status)
	}
	terms, err := h.room.InForce(id, first.Valid.From)
	if err != nil || terms.Doc.Version != 2 {
		t.Errorf("in force: %v, %v", terms, err)
	}
	h.refuse("tea-timer", h.signed(id, first, agreement.App, "tea-timer"), moongate.Conflict, "was withdrawn")
}

func TestReplacement(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	first := version(t, 1, "01-01", "")
	id := h.propose("tea-timer", moongate.ID{}, first)
	h.sign(id, first, agreement.App, "tea-timer")
	h.sign(id, first, agreement.Store, "pavilion-store")
	overlap := version(t, 2, "07-01", "")
	h.refuse("tea-timer", &agreement.Propose{Agreement: id, Document: overlap.Canonical()}, moongate.Refused, "versions overlap: version 1 is in force until further notice")
	second := version(t, 2, "07-01", "", "offer: {kind: closed}", replaces(first))
	h.propose("tea-timer", id, second)
	h.sign(id, second, agreement.App, "tea-timer")
	july := second.Valid.From
	if terms, err := h.room.InForce(id, july); err != nil || terms.Doc.Version != 1 {
		t.Errorf("half signed: %v", err)
	}
	h.sign(id, second, agreement.Store, "pavilion-store")
	for at, want := range map[moongate.Time]int{july - 1: 1, july: 2, july + 1000*moongate.Day: 2} {
		if terms, err := h.room.InForce(id, at); err != nil || terms.Doc.Version != want {
			t.Errorf("at %s: %v, want version %d", at, err, want)
		}
	}
	if terms, err := h.room.Version(id, 1); err != nil || terms.Doc.Version != 1 {
		t.Errorf("the old terms are gone: %v", err)
	}
}

// Those who accepted an open offer have not signed what replaces it: they get the notice that they were granted.
func TestNoticeToMembers(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	id, d := h.gardens()
	h.do("tea-house", h.accept(id, d, agreement.Seller, "tea-house"))
	next := func(from string) *agreement.Document {
		text := string(agreement.Examples()["three-gardens.yaml"])
		text = strings.Replace(text, "version: 1", "version: 2", 1)
		text = strings.Replace(text, "bps: 60", "bps: 70", 1)
		text = strings.Replace(text, `from: "2026-01-01T00:00:00+08:00"`, fmt.Sprintf("from: %q", from), 1)
		text += fmt.Sprintf("replaces: {version: 1, sha256: %q}\n", d.Fingerprint())
		n, err := agreement.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := h.local.Tick(d.Valid.From); err != nil {
		t.Fatal(err)
	}
	soon, later := next("2026-02-15T00:00:00+08:00"), next("2026-03-15T00:00:00+08:00")
	h.refuse("lotus-market", &agreement.Propose{Agreement: id, Document: soon.Canonical()}, moongate.Refused, "grants a notice of fee changes of 60d")
	h.propose("lotus-market", id, later)
}

func TestTerminate(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	id, d := h.gardens()
	h.do("tea-house", h.accept(id, d, agreement.Seller, "tea-house"))
	if err := h.local.Tick(d.Valid.From); err != nil {
		t.Fatal(err)
	}
	now := h.local.Now
	h.refuse("tea-house", &agreement.Terminate{Agreement: id, Party: "tea-house"}, moongate.Malformed, "0 characters")
	h.refuse("night-market", &agreement.Terminate{Agreement: id, Party: "night-market", Reason: "no"}, moongate.NotFound, "no agreement")
	h.refuse("kite-maker", &agreement.Terminate{Agreement: id, Party: "tea-house", Reason: "no"}, moongate.Forbidden, "may not act")
	leaves := h.do("tea-house", &agreement.Terminate{Agreement: id, Party: "tea-house", Reason: "closing the shop"}).(agreement.Notice).Ends
	if leaves != now+30*moongate.Day {
		t.Errorf("it leaves at %s", leaves)
	}
	h.refuse("tea-house", &agreement.Terminate{Agreement: id, Party: "tea-house", Reason: "again"}, moongate.Conflict, "has given notice")
	if !h.room.Member(id, "tea-house", leaves-1) || h.room.Member(id, "tea-house", leaves) || !h.room.Member(id, "crane-pay", leaves) {
		t.Error("who is a member afterwards is wrong")
	}
	if err := h.local.Tick(leaves + moongate.Day); err != nil {
		t.Fatal(err)
	}
	h.do("tea-house", h.accept(id, d, agreement.Seller, "tea-house")) // and comes back
	ends := h.do("lotus-market", &agreement.Terminate{Agreement: id, Party: "lotus-market", Reason: "a better offer"}).(agreement.Notice).Ends
	if _, err := h.room.InForce(id, ends-1); err != nil {
		t.Error(err)
	}
	if _, err := h.room.InForce(id, ends); moongate.CodeOf(err) != moongate.Refused {
		t.Errorf("after the end: %v", err)
	}
	h.refuse("lotus-market", &agreement.Terminate{Agreement: id, Party: "lotus-market", Reason: "again"}, moongate.Conflict, "was terminated")
	if kinds := h.kinds(); !slices.Equal(kinds[len(kinds)-2:], []string{"terminated", "discontinued"}) {
		t.Errorf("events end with %v", kinds[len(kinds)-2:])
	}
}

func TestWithdraw(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	d := example(t, "private-totals.yaml").Doc
	id := h.propose("tea-timer", moongate.ID{}, d)
	h.refuse("pavilion-store", &agreement.Withdraw{Agreement: id, Version: 1}, moongate.Forbidden, "may not act for tea-timer")
	h.refuse("tea-house", &agreement.Withdraw{Agreement: id, Version: 1}, moongate.NotFound, "no agreement")
	h.do("tea-timer", &agreement.Withdraw{Agreement: id, Version: 1})
	h.refuse("tea-timer", &agreement.Withdraw{Agreement: id, Version: 1}, moongate.Conflict, "was withdrawn")
}

// An offer that mirrors somebody's public terms needs nobody's signature but those of who accepts.
func TestMirroredOffer(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	d := example(t, "apple-korea.yaml").Doc
	id := h.propose("op", moongate.ID{}, d)
	h.do("tea-timer", h.accept(id, d, agreement.App, "tea-timer"))
	terms, err := h.room.InForce(id, t0)
	if err != nil {
		t.Fatal(err)
	}
	if !h.room.Stands(terms, agreement.Store, "app-store-kr", t0) || !h.room.Stands(terms, agreement.App, "tea-timer", t0) {
		t.Error("who stands is wrong")
	}
}

func TestMostMembers(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	d, err := agreement.Parse(bytes.Replace(agreement.Examples()["three-gardens.yaml"], []byte("open: merchant,"), []byte("open: merchant, limits: {most: 1},"), 1))
	if err != nil {
		t.Fatal(err)
	}
	id := h.propose("lotus-market", moongate.ID{}, d)
	h.refuse("tea-house", h.accept(id, d, agreement.Seller, "tea-house"), moongate.Conflict, "still needs 5 signatures")
	h.sign(id, d, agreement.Marketplace, "lotus-market")
	h.sign(id, d, agreement.Publisher, "willow-reads", "plum-notes")
	h.sign(id, d, agreement.Wallet, "crane-pay", "carp-pay")
	h.do("tea-house", h.accept(id, d, agreement.Seller, "tea-house"))
	h.refuse("kite-maker", h.accept(id, d, agreement.Seller, "kite-maker"), moongate.Limit, "room for 1 members")
}

// entries gives a Local's events to a view.
type entries struct{ local *replica.Local }

func (s entries) EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error {
	all, err := s.local.Entries()
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Position >= from && kinds[e.Event.EventKind()] {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s entries) Durable() (journal.Position, uint64) { return s.local.Machine.Position(), 0 }

func TestList(t *testing.T) {
	h := newHub(t, agreement.Limits{})
	id, d := h.gardens()
	h.do("tea-house", h.accept(id, d, agreement.Seller, "tea-house"))
	private := example(t, "private-totals.yaml").Doc
	h.local.Now += moongate.Second
	quiet := h.propose("tea-timer", moongate.ID{}, private)
	store, err := view.Open(filepath.Join(t.TempDir(), "views.db"), h.room.Views()...)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.CatchUp(context.Background(), entries{h.local}); err != nil {
		t.Fatal(err)
	}
	slugs := func(f agreement.Filter) []string {
		var all []string
		for after := ""; ; {
			rows, next, err := agreement.List(context.Background(), store, f, after, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				all = append(all, r.Slug+" "+r.Status)
			}
			if after = next; next == "" {
				return all
			}
		}
	}
	for _, c := range []struct {
		filter agreement.Filter
		want   []string
	}{
		{agreement.Filter{}, []string{"quiet-garden awaiting", "three-gardens agreed"}},
		{agreement.Filter{Party: "tea-house"}, []string{"three-gardens agreed"}},
		{agreement.Filter{Party: "night-market"}, []string{"three-gardens agreed"}}, // an open offer
		{agreement.Filter{Party: "pavilion-store"}, []string{"quiet-garden awaiting", "three-gardens agreed"}},
		{agreement.Filter{Status: "awaiting"}, []string{"quiet-garden awaiting"}},
		{agreement.Filter{Slug: "nothing"}, nil},
	} {
		if diff := cmp.Diff(c.want, slugs(c.filter)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.filter, diff)
		}
	}
	if _, _, err := agreement.List(context.Background(), store, agreement.Filter{}, "1; DROP TABLE", 10); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("a forged cursor: %v", err)
	}
	var names []string
	for after := ""; ; {
		page, next, err := agreement.Participants(context.Background(), store, id, 1, "", after, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page {
			if p.Signed == 0 {
				t.Errorf("%s has not signed", p.Party)
			}
			names = append(names, p.Party)
		}
		if after = next; next == "" {
			break
		}
	}
	if want := []string{"lotus-market", "plum-notes", "willow-reads", "tea-house", "carp-pay", "crane-pay"}; !slices.Equal(names, want) {
		t.Errorf("participants %v", names)
	}
	page, _, err := agreement.Participants(context.Background(), store, quiet, 1, "", "", 10)
	if err != nil || len(page) != 2 || page[0].Signed != 0 {
		t.Errorf("%v, %v", page, err)
	}

	// Whom an open offer won is between each of them and those whom the document names.
	for reader, want := range map[string]bool{"tea-house": true, "night-market": false} {
		page, _, err := agreement.Participants(context.Background(), store, id, 1, reader, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(page, func(p agreement.Participation) bool { return p.Party == "tea-house" }) != want || len(page) < 5 {
			t.Errorf("%s sees %+v", reader, page)
		}
	}
	for reader, may := range map[string]bool{"lotus-market": true, "tea-house": false, "night-market": false, "": false} {
		if h.room.MayCount(id, 1, reader) != may || h.room.MayCount(id, 2, reader) {
			t.Errorf("%q may see all of them: %t", reader, !may)
		}
	}
}
