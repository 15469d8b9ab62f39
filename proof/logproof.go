package proof

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const logProofHeader = "c2sp.org/tlog-proof@v1\n"

// maxLogProof is how many hashes the inclusion proof in a tree of 2^63 entries has.
const maxLogProof = 63

// LogProof shows that an entry is in a log: its text is a C2SP tlog-proof, which other programs check too.
type LogProof struct {
	Index      int64  // of the entry
	Hashes     []Hash // the inclusion proof, from the leaf's sibling up
	Checkpoint []byte // signed, as published
}

// Text is the C2SP tlog-proof, without extra data.
func (p *LogProof) Text() string {
	var b strings.Builder
	b.WriteString(logProofHeader)
	b.WriteString("index " + strconv.FormatInt(p.Index, 10) + "\n")
	for _, h := range p.Hashes {
		b.WriteString(h.String() + "\n")
	}
	b.WriteString("\n")
	b.Write(p.Checkpoint)
	return b.String()
}

// ParseLogProof reads a C2SP tlog-proof. Extra data is refused: nothing here could vouch for it.
func ParseLogProof(text string) (LogProof, error) {
	bad := refuse("proof", "not a C2SP tlog-proof", "its first lines are "+logProofHeader[:len(logProofHeader)-1]+" and index N")
	rest, ok := strings.CutPrefix(text, logProofHeader)
	head, checkpoint, cut := strings.Cut(rest, "\n\n")
	if !ok || !cut || len(text) > maxCheckpoint+8192 {
		return LogProof{}, bad
	}
	first, hashes, _ := strings.Cut(head, "\n")
	number, ok := strings.CutPrefix(first, "index ")
	index, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || index < 0 {
		return LogProof{}, bad
	}
	p := LogProof{Index: index, Checkpoint: []byte(checkpoint)}
	for hashes != "" {
		var l string
		l, hashes, _ = strings.Cut(hashes, "\n")
		h, err := tlog.ParseHash(l)
		if err != nil || len(p.Hashes) == maxLogProof {
			return LogProof{}, refuse("proof", fmt.Sprintf("line %.60q is not a hash of an inclusion proof", l), "")
		}
		p.Hashes = append(p.Hashes, h)
	}
	if p.Text() != text {
		return LogProof{}, bad
	}
	return p, nil
}

// Verify checks that the entry is in the log with the origin, and gives the checkpoint that says so and the names of
// the witnesses that signed it.
func (p *LogProof) Verify(entry []byte, origin string, known note.Verifiers) (Checkpoint, []string, error) {
	c, witnesses, err := OpenCheckpoint(p.Checkpoint, origin, known)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if p.Index >= c.Size || p.Index < 0 {
		return Checkpoint{}, nil, refuse("proof.index", fmt.Sprintf("entry %d is not in a log of %d", p.Index, c.Size), "wait for a later checkpoint")
	}
	if err := tlog.CheckRecord(p.Hashes, c.Size, c.Root, p.Index, tlog.RecordHash(entry)); err != nil {
		return Checkpoint{}, nil, refuse("proof", fmt.Sprintf("the proof does not lead from the entry to the root of %d entries", c.Size),
			"the entry, its index or the proof were changed")
	}
	return c, witnesses, nil
}
