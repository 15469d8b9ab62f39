package console

import (
	"bytes"
	"testing"
)

func TestEveryPageDrawsInEveryLanguage(t *testing.T) {
	r := newRenderer(t)
	for _, l := range Languages {
		for _, f := range fixtures(l) {
			t.Run(string(l)+"/"+f.name, func(t *testing.T) {
				var b bytes.Buffer
				if err := r.Render(&b, f.draw(l), f.page); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
