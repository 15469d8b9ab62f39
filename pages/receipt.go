package pages

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/proof"
)

// prove finds the receipt of a crossing that the reader may see.
func (p *Pages) prove(v *visit) (*proof.Receipt, crossing.Row, error) {
	id, err := idOf(v, moongate.KindCrossing, "crossing")
	if err != nil {
		return nil, crossing.Row{}, err
	}
	row, err := p.findCrossing(v, id)
	if err != nil {
		return nil, row, err
	}
	r, err := p.hub.Receipt(row.Position, v.reader())
	if moongate.CodeOf(err) == moongate.Busy { // its text says where the event stands
		err = unproven
	}
	return r, row, err
}

func (p *Pages) receiptFile(v *visit, w http.ResponseWriter) error {
	r, row, err := p.prove(v)
	if err != nil {
		return err
	}
	b, err := r.Marshal()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="receipt-`+row.ID.String()+`.json"`)
	_, _ = w.Write(b) //nolint:gosec // JSON, and sent as a file to keep
	return nil
}

func (p *Pages) receipt(v *visit) (console.Page, error) {
	r, row, err := p.prove(v)
	if err != nil {
		return nil, err
	}
	page := console.Receipt{
		Crossing: row.ID.String(), Kind: row.Kind.String(), At: row.At, Holder: named(&v.who, v.lang), Event: hexOf(r.Leaf()),
		Origin: r.Origin, Download: "/console/crossings/" + row.ID.String() + "/receipt.json",
		Command: "moongate log receipt --key " + p.hub.Secrets.Verifier + " receipt-" + row.ID.String() + ".json",
	}
	opened, err := r.Verify(p.hub.Verifiers())
	if err != nil {
		p.hub.Log.Error("a receipt of this hub's own does not verify", "error", err)
		return page, nil
	}
	page.Verified = true
	p.fillProof(&page, r, opened)
	e, err := p.hub.Node.Journal().Entry(row.Position)
	if err != nil {
		return nil, err
	}
	page.Groups, err = p.groups(v, r, e)
	return page, err
}

func hexOf(h proof.Hash) string { return hex.EncodeToString(h[:]) }

func (p *Pages) fillProof(page *console.Receipt, r *proof.Receipt, opened *proof.Opened) {
	page.Leaf, page.Size, page.Root = opened.LogIndex, opened.Checkpoint.Size, hexOf(opened.Checkpoint.Root)
	if entry, err := proof.ParseEntry([]byte(r.Entry)); err == nil {
		page.Interval = hexOf(entry.Root)
	}
	for level, h := range r.Interval.Proof {
		page.Inside = append(page.Inside, console.Hash{Value: hexOf(h), Left: r.Interval.Index>>level&1 == 1})
	}
	found, err := proof.ParseLogProof(r.Proof)
	if err != nil {
		return
	}
	page.Outside = outside(found.Index, opened.Checkpoint.Size, found.Hashes)
	page.Note = string(found.Checkpoint)
	page.Signer = signerOf(page.Note)
	page.SignedAt = p.signedAt()
}

// outside walks an inclusion proof of an RFC 6962 tree as RFC 9162, section 2.1.3.2 does, to learn on which side each
// neighbour stands.
func outside(index, size int64, hashes []proof.Hash) []console.Hash {
	path := make([]console.Hash, 0, len(hashes))
	at, last := index, size-1
	for _, h := range hashes {
		left := at&1 == 1 || at == last
		if left {
			for at&1 == 0 && at != 0 {
				at, last = at>>1, last>>1
			}
		}
		path = append(path, console.Hash{Value: hexOf(h), Left: left})
		at, last = at>>1, last>>1
	}
	return path
}

// signerOf is the name of the first key that signed a note.
func signerOf(note string) string {
	for line := range strings.Lines(note) {
		if rest, ok := strings.CutPrefix(line, "— "); ok {
			name, _, _ := strings.Cut(rest, " ")
			return name
		}
	}
	return ""
}

// groups are the opened groups with their fields, then the hashes of those that stay closed.
func (p *Pages) groups(v *visit, r *proof.Receipt, e journal.Entry) ([]console.Group, error) {
	all := make([]console.Group, 0, len(r.Groups)+len(r.Closed))
	for i := range r.Groups {
		g := &r.Groups[i]
		shown := console.Group{Audience: g.Audience, Hash: hexOf(proof.GroupHash(&g.Salt, g.Audience, g.Data)), Open: true}
		switch {
		case g.Audience == proof.PositionAudience:
			shown.Audience = "position"
		case strings.HasPrefix(g.Audience, "@"):
			shown.Audience = "self"
			if handle := g.Audience[1:]; handle != v.who.Handle {
				shown.Audience = p.party(handle, v.lang).Label()
			}
		}
		if g.Audience == proof.PositionAudience {
			shown.Fields = []console.Field{{Name: "position", Value: strconv.FormatUint(uint64(e.Position), 10)}}
		} else {
			fields, raw, err := p.fields(v, e, g.Audience)
			if err != nil {
				return nil, err
			}
			shown.Fields, shown.Raw = fields, raw
		}
		all = append(all, shown)
	}
	for _, h := range r.Closed {
		all = append(all, console.Group{Hash: hexOf(h)})
	}
	return all, nil
}

// fields are the facts of one group: of a crossing in words, of anything else raw, as they stand.
func (p *Pages) fields(v *visit, e journal.Entry, audience string) (fields []console.Field, raw bool, err error) {
	recorded, ok := e.Event.(*crossing.Recorded)
	switch {
	case ok && audience == "parties":
		return p.sharedFields(v, recorded), false, nil
	case ok && strings.HasPrefix(audience, "@"):
		for _, side := range recorded.Sides {
			if side.Party == audience[1:] {
				return p.sideFields(v, side), false, nil
			}
		}
	}
	data, err := p.hub.Machine().Registry().Open(e.Event, func(a string) bool { return a == audience })
	return fieldsOf(data), true, err
}

func (p *Pages) sharedFields(v *visit, e *crossing.Recorded) []console.Field {
	fields := []console.Field{
		{Name: "kind", Value: p.word(v, "kind", e.Kind.String())},
		{Name: "time", At: e.At},
		{Name: "from", Value: p.party(e.From, v.lang).Label()},
		{Name: "to", Value: p.party(e.To, v.lang).Label()},
	}
	if !e.Currency.IsZero() && e.Kind != crossing.Link {
		fields = append(fields, console.Field{Name: "amount", Value: money.Of(e.Amount, e.Currency).Figures() + " " + e.Currency.String()})
	}
	return append(fields, lastFields(e.Agreement, e.Version, e.Reverses)...)
}

func (p *Pages) sideFields(v *visit, side *crossing.Side) []console.Field {
	fields := []console.Field{{Name: "kind", Value: p.word(v, "kind", side.Kind.String())}, {Name: "time", At: side.At}}
	for _, l := range side.Lines {
		name, value := p.word(v, "purpose", l.What.String()), money.Of(l.Amount, side.Currency).Figures()+" "+side.Currency.String()
		if fee := p.feeLabel(v, side.Agreement, side.Version, l.Fee); fee != "" {
			name = fee
		}
		if l.Other != "" {
			value += " · " + p.party(l.Other, v.lang).Label()
		}
		fields = append(fields, console.Field{Name: name, Value: value})
	}
	return append(fields, lastFields(side.Agreement, side.Version, side.Reverses)...)
}

func lastFields(agreement moongate.ID, version int, reverses moongate.ID) (fields []console.Field) {
	if !agreement.IsZero() {
		fields = append(fields, console.Field{Name: "agreement", Ref: console.Ref{Kind: "agreement", ID: agreement.String()}}, console.Field{Name: "version", Value: strconv.Itoa(version)})
	}
	if !reverses.IsZero() {
		fields = append(fields, console.Field{Name: "reverses", Ref: console.Ref{Kind: "crossing", ID: reverses.String()}})
	}
	return fields
}

// word is a word of the pages' catalogue.
func (p *Pages) word(v *visit, set, word string) string {
	if key := set + "." + word; p.words.Has(key) {
		return p.words.Say(v.lang, key)
	}
	return word
}

// fieldsShown bounds the fields of a group and the length of each.
const (
	fieldsShown = 40
	fieldLength = 300
)

// fieldsOf lists the facts of a JSON object, each with the path that leads to it.
func fieldsOf(data json.RawMessage) []console.Field {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var object any
	if len(data) == 0 || d.Decode(&object) != nil {
		return nil
	}
	var fields []console.Field
	flatten("", object, &fields)
	return fields[:min(len(fields), fieldsShown)]
}

func flatten(name string, value any, to *[]console.Field) {
	join := func(more string) string {
		if name == "" {
			return strings.ToLower(more)
		}
		return name + "." + strings.ToLower(more)
	}
	switch value := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(value))
		for k := range value {
			names = append(names, k)
		}
		sort.Strings(names)
		for _, k := range names {
			flatten(join(k), value[k], to)
		}
	case []any:
		for i, one := range value {
			flatten(join(strconv.Itoa(i+1)), one, to)
		}
	case nil:
	default:
		if value == "" {
			return
		}
		b, err := json.Marshal(value)
		if err != nil {
			return
		}
		*to = append(*to, console.Field{Name: name, Value: bound(strings.Trim(string(b), `"`), fieldLength)})
	}
}
