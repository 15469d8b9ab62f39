package proof

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
)

const (
	receiptVersion = "moongate/receipt/v1"
	// MaxReceipt is how many bytes the JSON of a receipt may have.
	MaxReceipt = 1 << 20
	maxHashes  = 4096 // of an event
)

// Receipt shows its holder that an event is in the log, and of its fields what the holder may see. It is complete:
// with the log's verifier key it is checked offline. What stands in it does not depend on other events: the interval's
// index is drawn at random, and blanks look like neighbours.
type Receipt struct {
	Version  string          `json:"version"` // set by Marshal
	Origin   string          `json:"origin"`  // the hub's log
	Kind     string          `json:"kind"`    // of the event
	Groups   []OpenGroup     `json:"groups"`  // opened
	Closed   []Hash          `json:"closed"`  // hashes of all else that the leaf commits to, ascending
	Interval ReceiptInterval `json:"interval"`
	Entry    string          `json:"entry"` // the interval's entry in the public log, as [IntervalEntry] writes it
	Proof    string          `json:"proof"` // that the entry is in the log: a C2SP tlog-proof with the signed checkpoint
}

// ReceiptInterval leads from the event to its interval's root: an RFC 6962 inclusion proof in a tree of 2^20 leaves.
type ReceiptInterval struct {
	Index uint64 `json:"index"`
	Proof []Hash `json:"proof"`
}

// Opened is what a verified receipt shows.
type Opened struct {
	Kind       string
	Groups     []Group       // those opened, but for the position's
	Position   uint64        // 0 where the receipt does not open it; positions start at 1
	Interval   int64         // number of the second in which the event was decided
	Start      moongate.Time // beginning of that second
	LogIndex   int64         // of the interval's entry
	Checkpoint Checkpoint    // that vouches for it
	Witnesses  []string      // who signed the checkpoint beside the log, of those known
}

// MarshalJSON writes the salt as base64 like the data.
func (g OpenGroup) MarshalJSON() ([]byte, error) {
	return json.Marshal(openGroupJSON{g.Audience, g.Salt[:], append([]byte{}, g.Data...)})
}

// UnmarshalJSON refuses a salt that has not 32 bytes, and fields that a group does not have.
func (g *OpenGroup) UnmarshalJSON(b []byte) error {
	var j openGroupJSON
	if err := strictJSON(b, &j); err != nil {
		return err
	}
	if len(j.Salt) != len(g.Salt) {
		return refuse("groups.salt", fmt.Sprintf("%d bytes, a salt has %d", len(j.Salt), len(g.Salt)), "")
	}
	*g = OpenGroup{Audience: j.Audience, Salt: [32]byte(j.Salt), Data: j.Data}
	return nil
}

type openGroupJSON struct {
	Audience string `json:"audience"`
	Salt     []byte `json:"salt"`
	Data     []byte `json:"data"`
}

// Marshal is the receipt's JSON, the one spelling that [ParseReceipt] takes (but for spaces between values).
func (r *Receipt) Marshal() ([]byte, error) {
	c := *r
	c.Version = receiptVersion
	c.Groups = append([]OpenGroup{}, r.Groups...) // none is [], never null
	c.Closed = append([]Hash{}, r.Closed...)
	c.Interval.Proof = append([]Hash{}, r.Interval.Proof...)
	for _, g := range r.Groups {
		if !utf8.ValidString(g.Audience) {
			return nil, refuse("groups.audience", fmt.Sprintf("%q is not UTF-8", g.Audience), "")
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&c); err != nil {
		return nil, fmt.Errorf("proof: encode receipt: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ParseReceipt reads a receipt's JSON. It is strict: at most [MaxReceipt] bytes, no field that a receipt does not have,
// no field twice, in the order that Marshal writes; spaces between values are free. It verifies nothing.
func ParseReceipt(b []byte) (*Receipt, error) {
	if len(b) > MaxReceipt {
		return nil, &moongate.Error{Code: moongate.TooLarge, Field: "receipt", Message: fmt.Sprintf("%d bytes, a receipt has at most %d", len(b), MaxReceipt)}
	}
	var r Receipt
	if err := strictJSON(b, &r); err != nil {
		return nil, refuse("receipt", fmt.Sprintf("not a receipt: %v", err), "give the JSON as it was issued")
	}
	if r.Version != receiptVersion {
		return nil, refuse("version", fmt.Sprintf("%.40q is not a version of receipts that is known here", r.Version), "this program reads "+receiptVersion)
	}
	again, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil || !bytes.Equal(compact.Bytes(), again) {
		return nil, refuse("receipt", "the JSON is not spelled as receipts are", "a field is twice, out of order or missing; give the JSON as it was issued")
	}
	return &r, nil
}

// strictJSON decodes one value and nothing behind it.
func strictJSON(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("something stands behind the JSON value")
	}
	return nil
}

// Leaf is the event's leaf as the receipt has it.
func (r *Receipt) Leaf() Hash {
	hashes := make([]Hash, 0, len(r.Groups)+len(r.Closed))
	for i := range r.Groups {
		hashes = append(hashes, GroupHash(&r.Groups[i].Salt, r.Groups[i].Audience, r.Groups[i].Data))
	}
	hashes = append(hashes, r.Closed...)
	sortHashes(hashes)
	return leafOf(r.Kind, hashes)
}

// Verify checks every step from the opened groups to the signature of the log whose origin the receipt names, and
// gives what it shows. The known verifiers hold the keys that the caller trusts: the log's, and those of witnesses.
// An error says which step failed; nothing of such a receipt may be believed.
func (r *Receipt) Verify(known note.Verifiers) (*Opened, error) {
	if len(r.Groups)+len(r.Closed) > maxHashes {
		return nil, refuse("groups", fmt.Sprintf("%d groups, an event has at most %d", len(r.Groups)+len(r.Closed), maxHashes), "")
	}
	if (len(r.Groups)+len(r.Closed))%padTo != 0 || len(r.Groups)+len(r.Closed) == 0 {
		return nil, refuse("closed", fmt.Sprintf("%d groups opened and %d closed do not make an event", len(r.Groups), len(r.Closed)), "")
	}
	entry, err := ParseEntry([]byte(r.Entry))
	if err != nil {
		return nil, err
	}
	if entry.IsAct() {
		return nil, refuse("entry", fmt.Sprintf("the entry is the act %s, not an interval", entry.Kind), "")
	}
	if err := CheckInterval(r.Leaf(), r.Interval.Index, r.Interval.Proof, entry.Root); err != nil {
		return nil, err
	}
	p, err := ParseLogProof(r.Proof)
	if err != nil {
		return nil, err
	}
	c, witnesses, err := p.Verify([]byte(r.Entry), r.Origin, known)
	if err != nil {
		return nil, err
	}
	o := &Opened{Kind: r.Kind, Interval: entry.Number, Start: entry.Start, LogIndex: p.Index, Checkpoint: c, Witnesses: witnesses}
	for _, g := range r.Groups {
		if g.Audience != PositionAudience {
			o.Groups = append(o.Groups, Group{Audience: g.Audience, Data: g.Data})
		} else if len(g.Data) == 8 {
			o.Position = binary.BigEndian.Uint64(g.Data)
		}
	}
	return o, nil
}
