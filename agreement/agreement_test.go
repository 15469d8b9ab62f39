package agreement_test

import (
	"testing"

	"github.com/moongate-hub/moongate/agreement"
)

// example gives one of the documents that come with the package, compiled.
func example(t testing.TB, name string) *agreement.Terms {
	t.Helper()
	d, err := agreement.Parse(agreement.Examples()[name])
	if err != nil {
		t.Fatalf("%s:\n%v", name, err)
	}
	terms, err := agreement.Compile(d)
	if err != nil {
		t.Fatal(err)
	}
	return terms
}

func TestExamplesAreValid(t *testing.T) {
	if len(agreement.Examples()) < 10 {
		t.Fatalf("%d examples", len(agreement.Examples()))
	}
	for name := range agreement.Examples() {
		example(t, name)
	}
}
