package main

import (
	"fmt"

	"github.com/moongate-hub/moongate/hub"
)

type fsckVerb struct{ configFlag }

func (v fsckVerb) Run(e *env) error {
	c, s, err := v.read()
	if err != nil {
		return err
	}
	r, err := hub.Fsck(e.ctx, c, s, e.now)
	if err != nil {
		return err
	}
	err = e.show(r, func(t *terminal) {
		for _, f := range r.Findings {
			mark := t.green("✓")
			if !f.OK {
				mark = t.red("✗")
			}
			number := "  "
			if f.Invariant > 0 {
				number = fmt.Sprintf("%d.", f.Invariant)
			}
			t.line("%s %s %s %s", mark, number, f.Check, t.dim(fmt.Sprintf("(%s looked at)", count(f.Looked))))
			for _, p := range f.Problems {
				t.line("     %s", p)
			}
		}
		t.line("")
		t.line("%s events in %s records, state %.16s…, %.1f s", count(int64(r.Position)), count(int64(r.Records)), r.Hash, r.Seconds)
		if r.OK {
			t.line("%s everything holds", t.green("✓"))
		} else {
			t.line("%s something does not hold: keep the directory as it is, and restore a backup beside it", t.red("✗"))
		}
	})
	if err == nil && !r.OK {
		return errSilent
	}
	return err
}
