package replica

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A long list is a slice, whatever is put in and taken out at either end.
func TestLongIsASlice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var list long[int]
		var model []int
		next := 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			n := rapid.IntRange(0, 2*longPage).Draw(t, "n")
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				for range n {
					next++
					list.push(next)
					model = append(model, next)
				}
			case 1:
				for range min(n, len(model)) {
					if v := list.pop(); v != model[len(model)-1] {
						t.Fatal("popped", v, "of", model)
					}
					model = model[:len(model)-1]
				}
			default:
				for range min(n, len(model)) {
					if v := list.shift(); v != model[0] {
						t.Fatal("shifted", v, "of", model)
					}
					model = model[1:]
				}
			}
			var have []int
			for i := range list.len() {
				have = append(have, *list.at(i))
			}
			if !slices.Equal(have, model) {
				t.Fatal(have, "instead of", model)
			}
			if most := len(model)/longPage + 2; len(list.pages) > most {
				t.Fatal(len(list.pages), "pages for", len(model), "items")
			}
		}
	})
}
