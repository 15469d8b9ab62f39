package link

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Listens names the event that says that time passed: with it, the state forgets what no decision needs any more. How
// long that is stands in the events, so the state stays a function of the journal.
func (s *State) Listens() []string { return []string{(&replica.Ticked{}).EventKind()} }

// Fold changes the state as an event says.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *DestinationRegistered:
		s.putDestination(&v.Registration, e, e.At)
		s.hold(v.Owner).destinations++
	case *DestinationChanged:
		old, _ := s.destinations.Get(v.Destination)
		s.putDestination(&v.Registration, e, old.Since)
	case *DestinationClosed:
		d, _ := s.destinations.Get(v.Destination)
		d.Closed, d.Head = true, e.Position
		s.destinations.Put(d.ID, d)
		s.hold(d.Owner).destinations--
	case *SchemesAllowed:
		s.schemes.Put(v.Owner, v.Schemes.Schemes)
	case *Placed:
		s.links.Put(v.Link, Link{
			Code: v.Link, Destination: v.Destination, Publisher: v.Publisher, Owner: v.Owner, Agreement: v.Agreement,
			Campaign: v.Campaign, Since: e.At,
		})
		s.hold(v.Publisher).links++
	case *Closed:
		l, _ := s.links.Get(v.Link)
		l.Closed = true
		s.links.Put(v.Link, l)
		s.hold(l.Publisher).links--
	case *Counted:
		if !s.recorders.Has(v.Recorder) {
			s.fading.Add(e.At+recorderMemory, fading{recorder: v.Recorder})
		}
		s.recorders.Put(v.Recorder, recorder{Through: v.Through, Last: e.At})
	case *Recovered:
		s.recovered.Put(v.LostClick.Click.ID, e.At+recorderMemory)
		s.fading.Add(e.At+recorderMemory, fading{click: v.LostClick.Click.ID})
	case *Converted:
		key := saleKey{v.Owner, v.Reference}
		if !s.conversions.Has(key) {
			s.hold(v.Owner).conversions++
		}
		s.conversions.Put(key, sale{Conversion: v.Conversion, Crossing: v.Crossing, Click: v.Click, Forget: v.Forget})
		s.fading.Add(v.Forget, fading{sale: key})
	case *replica.Ticked:
		s.forget(e.At)
	default:
		s.foldBlock(e)
	}
}

func (s *State) putDestination(r *Registration, e journal.Entry, since moongate.Time) {
	s.destinations.Put(r.Destination, Destination{
		ID: r.Destination, Owner: r.Owner, Name: r.Name, NameZH: r.NameZH, Addresses: r.Addresses, Host: r.Host,
		Hash: hashOf(r.Destination, r.Addresses), Since: since, Head: e.Position,
	})
}

func (s *State) foldBlock(e journal.Entry) {
	switch v := e.Event.(type) {
	case *Blocked:
		s.putBlock(Block{Decision: v.Decision, Stage: Standing, Head: e.Position})
		s.index(&v.Decision)
	case *Appealed:
		b, _ := s.blocks.Get(v.Block)
		b.Stage, b.Appeal, b.Head = Contested, &v.Contest, e.Position
		s.putBlock(b)
	case *AppealDecided:
		b, _ := s.blocks.Get(v.Block)
		b.Head = e.Position
		if v.Upheld {
			b.Stage = Upheld
		}
		s.putBlock(b)
	case *Unblocked:
		b, _ := s.blocks.Get(v.Block)
		s.blocks.Delete(v.Block)
		s.unindex(&b.Decision)
	}
}

// putBlock writes a block and when it needs attention.
func (s *State) putBlock(b Block) {
	s.blocks.Put(b.Decision.Block, b)
	s.due.Add(b.deadline(), b.Decision.Block)
}

func (b *Block) deadline() moongate.Time {
	if b.Stage == Contested {
		return min(b.Decision.Expires, b.Appeal.DecideBy)
	}
	return b.Decision.Expires
}

func (s *State) index(d *Decision) {
	t := d.target()
	s.shut[t] = append(s.shut[t], d.Block)
	s.hold(d.By).blocks++
}

func (s *State) unindex(d *Decision) {
	t := d.target()
	var rest []moongate.ID
	for _, id := range s.shut[t] {
		if id != d.Block {
			rest = append(rest, id)
		}
	}
	if s.shut[t] = rest; len(rest) == 0 {
		delete(s.shut, t)
	}
	s.hold(d.By).blocks--
}

// forget drops what has lasted its time.
func (s *State) forget(now moongate.Time) {
	for {
		_, f, ok := s.fading.Next(now)
		if !ok {
			return
		}
		switch {
		case f.recorder != 0:
			switch r, ok := s.recorders.Get(f.recorder); {
			case !ok:
			case r.Last+recorderMemory <= now:
				s.recorders.Delete(f.recorder)
			default: // it counted on; one entry in the list is enough for it
				s.fading.Add(r.Last+recorderMemory, f)
			}
		case !f.click.IsZero():
			if until, ok := s.recovered.Get(f.click); ok && until <= now {
				s.recovered.Delete(f.click)
			}
		default:
			if known, ok := s.conversions.Get(f.sale); ok && known.Forget <= now {
				s.conversions.Delete(f.sale)
				s.hold(f.sale.Owner).conversions--
			}
		}
	}
}

// of reads how much of the room a participant takes.
func (s *State) of(handle string) holdings {
	if h := s.held[handle]; h != nil {
		return *h
	}
	return holdings{}
}

func (s *State) hold(handle string) *holdings {
	h := s.held[handle]
	if h == nil {
		h = &holdings{}
		s.held[handle] = h
	}
	return h
}

// Rebuild makes what is derived anew.
func (s *State) Rebuild() {
	s.held, s.shut = map[string]*holdings{}, map[target][]moongate.ID{}
	s.due = replica.DueByID()
	s.fading = replica.NewDue(fading.less)
	for _, d := range s.destinations.All() {
		if !d.Closed {
			s.hold(d.Owner).destinations++
		}
	}
	for _, l := range s.links.All() {
		if !l.Closed {
			s.hold(l.Publisher).links++
		}
	}
	for id, b := range s.blocks.All() {
		s.index(&b.Decision)
		s.due.Add(b.deadline(), id)
	}
	for id, r := range s.recorders.All() {
		s.fading.Add(r.Last+recorderMemory, fading{recorder: id})
	}
	for id, until := range s.recovered.All() {
		s.fading.Add(until, fading{click: id})
	}
	for key, known := range s.conversions.All() {
		s.hold(key.Owner).conversions++
		s.fading.Add(known.Forget, fading{sale: key})
	}
}

// less orders what fades at the same time; any order does, as long as it is one.
func (f fading) less(g fading) bool {
	switch {
	case f.recorder != g.recorder:
		return f.recorder < g.recorder
	case f.click != g.click:
		return string(f.click[:]) < string(g.click[:])
	case f.sale.Owner != g.sale.Owner:
		return f.sale.Owner < g.sale.Owner
	}
	return f.sale.Reference < g.sale.Reference
}
