package replica

// Spare is memory that serves one command after the other: for plans, and for events, in a room that is a [Reuser].
type Spare[T any] struct {
	kept []*T
	used int // by the command at hand
}

// spared is for how much of one command memory is kept.
const spared = 64

// Take gives an empty value, good until the command is decided.
func (s *Spare[T]) Take() *T {
	if s.used == len(s.kept) {
		if s.used == spared {
			return new(T)
		}
		s.kept = append(s.kept, new(T))
	}
	s.used++
	return s.kept[s.used-1]
}

// Reuse empties what the command took: whoever kept some of it is found out at once.
func (s *Spare[T]) Reuse() {
	for _, v := range s.kept[:s.used] {
		*v = *new(T)
	}
	s.used = 0
}
