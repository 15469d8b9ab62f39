package hub

import (
	"io"
	"net/http"
	"time"
)

// patience is how long the reader of a long answer may take for one write of ours.
const patience = time.Minute

// Patient writes an answer that has no bound: each write has a time of its own, and all of them together as much as
// they need.
func Patient(w http.ResponseWriter, now func() time.Time) io.Writer { return &patient{w: w, now: now} }

type patient struct {
	w   http.ResponseWriter
	now func() time.Time
	on  bool
}

// Write writes within the time.
func (p *patient) Write(b []byte) (int, error) {
	rc := http.NewResponseController(p.w)
	if !p.on {
		if err := rc.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
		p.on = true
	}
	if err := rc.SetWriteDeadline(p.now().Add(patience)); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}
