package api

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a body holds, it is refused, or read by everybody alike: valid JSON in UTF-8, no name twice, nothing lost.
func FuzzBody(f *testing.F) {
	for _, text := range []string{
		`{"handle":"shop","name":"Tea"}`, `{"a":1,"a":2}`, `{"a":{"b":[1,2,{"c":null}]}}`, `[[[[]]]]`, `{"a":"\ud83c\udf75"}`, `{"a":"\ud83c"}`, `{"a":1e400}`,
		`{"a":NaN}`, "{\"a\":\"\xff\"}", `{"a":1}{"a":1}`, `{"a":1} `, "\ufeff{}", `{"a":01}`, `{"A":1,"a":2}`, `"x"`, ``, `{"a":`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first any
		if err := strictJSON(data, &first); err != nil {
			return
		}
		if !utf8.Valid(data) || !json.Valid(data) {
			t.Fatalf("%q was taken", data)
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		var second any
		if err := strictJSON(again, &second); err != nil {
			t.Fatalf("what was made of %q is refused: %v", data, err)
		}
		if strings.ContainsRune(string(again), utf8.RuneError) {
			t.Fatalf("%q lost some of its text", data)
		}
	})
}
