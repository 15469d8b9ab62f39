package agreement

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Fold changes the state as an event says.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *Proposed:
		s.foldProposed(v, e)
	case *Signed:
		key := versionKey{v.Agreement, v.Version}
		ver, _ := s.versions.Get(key)
		d := s.doc(key)
		p := d.Party(v.Role)
		if ver.Status == Awaiting { // who comes back after leaving is not counted again
			ver = d.signedBy(ver, p)
		}
		if p.Open != "" {
			ver.Members++
		}
		s.versions.Put(key, ver)
		s.putBinding(bindingKey{v.Agreement, v.Version, v.Role, v.Party}, Bound{Since: e.At, Event: e.Position})
		s.moveHead(v.Agreement, e.Position)
	case *Agreed:
		s.change(versionKey{v.Agreement, v.Version}, func(ver *Version) {
			ver.Status, ver.From, ver.Until = InForce, v.From, v.Until
		})
		if v.Replaces != 0 {
			s.change(versionKey{v.Agreement, v.Replaces}, func(ver *Version) {
				if ver.Status == Awaiting {
					ver.Status = Withdrawn // answered by a counter-offer that was agreed instead
				} else if ver.Until == 0 || ver.Until > v.From {
					ver.Until = v.From
				}
			})
		}
		s.moveHead(v.Agreement, e.Position)
	case *Dropped:
		s.change(versionKey{v.Agreement, v.Version}, func(ver *Version) { ver.Status = v.Status })
		s.moveHead(v.Agreement, e.Position)
	case *Left:
		s.foldLeft(v)
		s.moveHead(v.Agreement, e.Position)
	case *Terminated:
		r, _ := s.agreements.Get(v.Agreement)
		r.Ends, r.Head = v.Ends, e.Position
		s.agreements.Put(v.Agreement, r)
		for n := 1; n <= r.Versions; n++ {
			s.change(versionKey{v.Agreement, n}, func(ver *Version) {
				switch {
				case ver.Status == Awaiting:
					ver.Status = Withdrawn
				case ver.Until == 0 || ver.Until > v.Ends:
					ver.Until = v.Ends
				}
			})
		}
	}
}

// signedBy counts one more signature in a role.
func (d *Document) signedBy(v Version, p *Party) Version {
	switch {
	case d.Offer.Kind == OfferJoint && d.Offer.Of == p.Role:
		v.Joined++
	case p.Open == "":
		v.Missing--
	}
	return v
}

func (s *State) foldProposed(v *Proposed, e journal.Entry) {
	key := versionKey{v.Agreement, v.Version}
	d := stored(v.Document)
	r, _ := s.agreements.Get(v.Agreement)
	r.Slug, r.Versions, r.Head = d.ID, max(r.Versions, v.Version), e.Position
	s.agreements.Put(v.Agreement, r)
	ver := Version{Document: v.Document, By: v.By, Status: Awaiting, Proposed: e.At, Missing: d.needed()}
	s.versions.Put(key, ver)
	s.cache(key, &ver)
}

func (s *State) foldLeft(v *Left) {
	r, _ := s.agreements.Get(v.Agreement)
	for n := 1; n <= r.Versions; n++ {
		for _, p := range s.doc(versionKey{v.Agreement, n}).Parties {
			key := bindingKey{v.Agreement, n, p.Role, v.Party}
			if b, ok := s.bindings.Get(key); ok && (b.Until == 0 || b.Until > v.Ends) {
				b.Until = v.Ends
				s.putBinding(key, b)
				if p.Open != "" {
					s.change(versionKey{v.Agreement, n}, func(ver *Version) { ver.Members-- })
				}
			}
		}
	}
}

// putBinding notes a signature, or when its part ends.
func (s *State) putBinding(key bindingKey, b Bound) {
	s.bindings.Put(key, b)
	s.sit(key, b)
}

// sit has the binding found by participant. What is read outside the state may hold on to the list that was there: the
// new one is a copy.
func (s *State) sit(key bindingKey, b Bound) {
	t, err := s.Version(key.Agreement, key.Version)
	if err != nil {
		panic(fmt.Errorf("agreement: a signature under terms that are not there: %w", err))
	}
	in := s.seats[t]
	if in == nil {
		in = map[string][]seat{}
		s.seats[t] = in
	}
	list := slices.DeleteFunc(slices.Clone(in[key.Party]), func(o seat) bool { return o.role == key.Role })
	in[key.Party] = append(list, seat{key.Role, b.Until})
}

func (s *State) moveHead(id moongate.ID, head journal.Position) {
	r, _ := s.agreements.Get(id)
	r.Head = head
	s.agreements.Put(id, r)
}

func (s *State) change(key versionKey, f func(*Version)) {
	v, ok := s.versions.Get(key)
	if !ok {
		return
	}
	f(&v)
	s.versions.Put(key, v)
	for _, c := range s.terms[key.Agreement] {
		if c.terms.Doc.Version == key.Version {
			c.take(&v)
		}
	}
}

// cache compiles a version. What was accepted once compiles for good: the format's meaning never changes.
func (s *State) cache(key versionKey, v *Version) {
	t, err := Compile(stored(v.Document))
	if err != nil {
		panic(fmt.Errorf("agreement: version %d of %s does not compile: %w", key.Version, key.Agreement, err))
	}
	t.ID = key.Agreement
	c := &cached{terms: t}
	c.take(v)
	s.terms[key.Agreement] = append(s.terms[key.Agreement], c)
	s.bytes += len(v.Document)
	if v.Status == Awaiting {
		s.due.Add(t.Doc.lapses(), key)
	}
}

func (c *cached) take(v *Version) {
	c.status, c.from, c.until = v.Status, v.From, v.Until
	if c.until == 0 {
		c.until = forever
	}
}

// Rebuild makes what is derived from the tables.
func (s *State) Rebuild() {
	s.terms = map[moongate.ID][]*cached{}
	s.seats = map[*Terms]map[string][]seat{}
	s.bytes = 0
	s.due = replica.NewDue(func(a, b versionKey) bool {
		return cmp.Or(slices.Compare(a.Agreement[:], b.Agreement[:]), cmp.Compare(a.Version, b.Version)) < 0
	})
	for key, v := range s.versions.All() {
		s.cache(key, &v)
	}
	for key, b := range s.bindings.All() {
		s.sit(key, b)
	}
	for _, list := range s.terms {
		slices.SortFunc(list, func(a, b *cached) int { return cmp.Compare(a.terms.Doc.Version, b.terms.Doc.Version) })
	}
}

// stored reads a document that was checked when it was proposed: its shape is still strict, but rules that were made
// since do not apply to it.
func stored(canonical []byte) *Document {
	tree, err := readTree(canonical)
	if err != nil {
		panic(fmt.Errorf("agreement: a stored document cannot be read: %w", err))
	}
	d, r := &Document{canonical: canonical}, &report{lines: map[string]int{}}
	r.decode(tree, reflect.ValueOf(d).Elem(), "")
	if err := r.err(); err != nil {
		panic(fmt.Errorf("agreement: a stored document cannot be read: %w", err))
	}
	return d
}

func (s *State) doc(key versionKey) *Document {
	for _, c := range s.terms[key.Agreement] {
		if c.terms.Doc.Version == key.Version {
			return c.terms.Doc
		}
	}
	return &Document{}
}

// needed counts the signatures of named parties that a version needs, those of the joint role left out.
func (d *Document) needed() int {
	n := 0
	for i := range d.Parties {
		p := &d.Parties[i]
		if p.Open != "" || p.Signs == SignsNever || d.Offer.Kind == OfferJoint && p.Role == d.Offer.Of {
			continue
		}
		n += max(1, len(p.Members))
	}
	return n
}

// lapses is when a version that lacks signatures lapses.
func (d *Document) lapses() moongate.Time {
	at := d.end()
	if d.Offer.SignBy != 0 {
		at = min(at, d.Offer.SignBy)
	}
	return at
}

// named lists the participants that a document names, each once, in its order.
func (d *Document) named() []string {
	var all []string
	seen := map[string]bool{}
	for i := range d.Parties {
		for _, p := range append(slices.Clone(d.Parties[i].Members), d.Parties[i].ID) {
			if p != "" && !seen[p] {
				seen[p] = true
				all = append(all, p)
			}
		}
	}
	return all
}

// alone lists the participants that stand alone in their roles.
func (d *Document) alone() []string {
	var all []string
	for i := range d.Parties {
		if p := d.Parties[i].ID; p != "" && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}
