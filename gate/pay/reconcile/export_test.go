package reconcile

import (
	"fmt"
	"slices"
)

// Kept lists what the book of what was paid holds.
func (s *State) Kept() (list []string) {
	n := 0
	for key, day := range s.paid.days {
		for _, one := range day {
			list = append(list, fmt.Sprintf("%v %+v", key, one))
			n++
		}
	}
	if n != s.paid.n {
		list = append(list, fmt.Sprint("counted ", s.paid.n))
	}
	slices.Sort(list)
	return list
}
