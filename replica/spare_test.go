package replica

import "testing"

// What a command took is empty when it is decided, and serves the next; what is beyond measure is not kept.
func TestSpare(t *testing.T) {
	t.Parallel()
	var s Spare[int]
	seen := map[*int]bool{}
	for command := range 3 {
		for i := range spared + 2 {
			v := s.Take()
			if *v != 0 {
				t.Fatalf("command %d: value %d is %d at first", command, i, *v)
			}
			if i < spared && command > 0 && !seen[v] {
				t.Fatalf("command %d: value %d is new", command, i)
			}
			*v, seen[v] = i+1, true
		}
		if s.Reuse(); len(s.kept) != spared {
			t.Fatalf("command %d: %d are kept", command, len(s.kept))
		}
	}
	v := s.Take()
	if *v = 7; s.Take() == v {
		t.Fatal("one value was given twice")
	}
	if s.Reuse(); *v != 0 {
		t.Errorf("a command was decided, and its value is %d", *v)
	}
}
