package proof

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	mproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
)

// paid is an event with three readers, and its receipt for one of them in a log with some history.
func paid(t testing.TB, sees ...string) (*Receipt, note.Verifiers) {
	t.Helper()
	signer, verifier := keys(t, "hub.example/log", 1)
	e := Event{Position: 41, Kind: "crossing.paid", Groups: []Group{
		{"parties", []byte("order 7: 10.00 CNY")}, {"@seller", []byte("9.40")}, {"wallet", []byte("0.06")},
	}}
	salts := &[32]byte{8}
	in := interval(1, 5)
	n := in.Append(e.Leaf(salts, 2))
	in.Append(Hash{9})
	index, proof, err := in.Proof(n)
	if err != nil {
		t.Fatal(err)
	}
	entry := IntervalEntry(1767225600, in.Root())
	tree := NewTree(shelf{}.read)
	for i := range 6 {
		if i == 3 {
			_, err = tree.Append(entry)
		} else {
			_, err = tree.Append(entryNumber(i))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := tree.Checkpoint("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	hashes, err := tree.Inclusion(3, 6)
	if err != nil {
		t.Fatal(err)
	}
	open, closed := e.Open(salts, 2, func(a string) bool { return slices.Contains(sees, a) })
	logProof := LogProof{Index: 3, Hashes: hashes, Checkpoint: signed}
	return &Receipt{
		Origin: "hub.example/log", Kind: e.Kind, Groups: open, Closed: closed,
		Interval: ReceiptInterval{index, proof}, Entry: string(entry), Proof: logProof.Text(),
	}, note.VerifierList(verifier)
}

func TestReceipt(t *testing.T) {
	for name, c := range map[string]struct {
		sees     []string
		groups   []Group
		position uint64
	}{
		"seller":  {[]string{"@seller"}, []Group{{"@seller", []byte("9.40")}}, 0},
		"auditor": {[]string{"parties", "wallet", PositionAudience}, []Group{{"parties", []byte("order 7: 10.00 CNY")}, {"wallet", []byte("0.06")}}, 41},
		"nobody":  {nil, nil, 0},
	} {
		r, known := paid(t, c.sees...)
		b, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		read, err := ParseReceipt(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := read.Verify(known)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Kind != "crossing.paid" || got.Interval != 1767225600 || got.Start != 1767225600*moongate.Second || got.LogIndex != 3 || got.Checkpoint.Size != 6 {
			t.Errorf("%s: shows %+v", name, got)
		}
		if got.Position != c.position {
			t.Errorf("%s: position %d, want %d", name, got.Position, c.position)
		}
		if diff := cmp.Diff(c.groups, got.Groups); diff != "" {
			t.Errorf("%s: groups (-want +got):\n%s", name, diff)
		}
		for _, secret := range []string{"order 7: 10.00 CNY", "9.40", "0.06"} {
			opened := slices.ContainsFunc(c.groups, func(g Group) bool { return string(g.Data) == secret })
			if !opened && bytes.Contains(b, marshalled(t, secret)) {
				t.Errorf("%s: %q stands in the receipt", name, secret)
			}
		}
	}
}

// marshalled is how data stands in JSON, without the quotes.
func marshalled(t *testing.T, data string) []byte {
	b, err := json.Marshal([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Trim(b, `"`)
}

func TestEveryFlippedBitFails(t *testing.T) {
	r, known := paid(t, "@seller", PositionAudience)
	good, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 5
	}
	b := slices.Clone(good)
	for bit := 0; bit < 8*len(b); bit += step {
		b[bit/8] ^= 1 << (bit % 8)
		if read, err := ParseReceipt(b); err == nil {
			if _, err := read.Verify(known); err == nil {
				from := max(0, bit/8-20)
				t.Errorf("bit %d may be flipped: …%q…", bit, b[from:min(len(b), from+40)])
			}
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	for cut := range good {
		if _, err := ParseReceipt(good[:cut]); err == nil {
			t.Errorf("a receipt cut off at %d of %d bytes is read", cut, len(good))
		}
	}
}

// Fields exchanged between two true receipts do not make a third.
func TestReceiptsDoNotMix(t *testing.T) {
	seller, known := paid(t, "@seller")
	wallet, _ := paid(t, "wallet")
	for name, change := range map[string]func(r *Receipt){
		"kind":               func(r *Receipt) { r.Kind = "crossing.refunded" },
		"origin":             func(r *Receipt) { r.Origin = "hub.example/other" },
		"another's groups":   func(r *Receipt) { r.Groups = wallet.Groups },
		"both groups":        func(r *Receipt) { r.Groups = append(r.Groups, wallet.Groups...) },
		"a closed hash less": func(r *Receipt) { r.Closed = r.Closed[1:] },
		"no hash at all":     func(r *Receipt) { r.Groups, r.Closed = nil, nil },
		"four less":          func(r *Receipt) { r.Groups, r.Closed = nil, make([]Hash, 8) },
		"a great many":       func(r *Receipt) { r.Closed = make([]Hash, 2*maxHashes) },
		"another's salt":     func(r *Receipt) { r.Groups[0].Salt = wallet.Groups[0].Salt },
		"another place":      func(r *Receipt) { r.Interval.Index++ },
		"a place outside":    func(r *Receipt) { r.Interval.Index += 1 << Depth },
		"another second":     func(r *Receipt) { r.Entry = strings.Replace(r.Entry, "1767225600", "1767225601", 1) },
		"another root":       func(r *Receipt) { r.Entry = string(IntervalEntry(1767225600, Hash{})) },
		"an act": func(r *Receipt) {
			b, err := ActEntry("block.decided", 1767225600, []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Entry = string(b)
		},
		"another index": func(r *Receipt) { r.Proof = strings.Replace(r.Proof, "index 3", "index 4", 1) },
		"index beyond":  func(r *Receipt) { r.Proof = strings.Replace(r.Proof, "index 3", "index 6", 1) },
		"extra data":    func(r *Receipt) { r.Proof = strings.Replace(r.Proof, "index 3", "extra AA==\nindex 3", 1) },
		"no checkpoint": func(r *Receipt) { r.Proof, _, _ = strings.Cut(r.Proof, "\n\n") },
		"larger log":    func(r *Receipt) { r.Proof = strings.Replace(r.Proof, "\n6\n", "\n7\n", 1) },
	} {
		r := *seller
		r.Groups, r.Closed = slices.Clone(r.Groups), slices.Clone(r.Closed)
		change(&r)
		if o, err := r.Verify(known); err == nil {
			t.Errorf("%s: verifies as %+v", name, o)
		} else if moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%s: the error is not for people: %v", name, err)
		}
	}
	if _, err := seller.Verify(known); err != nil {
		t.Errorf("the receipt itself: %v", err)
	}
	if _, err := seller.Verify(note.VerifierList()); err == nil {
		t.Error("verifies without any key")
	}
}

func TestParseReceiptIsStrict(t *testing.T) {
	r, known := paid(t, "@seller")
	b, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	var spaced bytes.Buffer
	if err := json.Indent(&spaced, b, "", "  "); err != nil {
		t.Fatal(err)
	}
	read, err := ParseReceipt(spaced.Bytes())
	if err != nil {
		t.Fatalf("indented by hand: %v", err)
	}
	if _, err := read.Verify(known); err != nil {
		t.Errorf("indented by hand: %v", err)
	}
	for name, bad := range map[string]string{
		"unknown field":  strings.Replace(good, `{"version"`, `{"count":7,"version"`, 1),
		"capital letter": strings.Replace(good, `"kind"`, `"Kind"`, 1),
		"field twice":    strings.Replace(good, `"kind"`, `"kind":"x","kind"`, 1),
		"group field":    strings.Replace(good, `{"audience"`, `{"x":1,"audience"`, 1),
		"short salt":     strings.Replace(good, `"salt":"`, `"salt":"","data":"`, 1),
		"version":        strings.Replace(good, "receipt/v1", "receipt/v2", 1),
		"two":            good + good,
		"null":           "null",
		"a list":         "[" + good + "]",
		"null list":      strings.Replace(good, `"closed":[`, `"closed":null,"x":[`, 1),
		"too large":      good + strings.Repeat(" ", MaxReceipt),
	} {
		if bad == good {
			t.Errorf("%s: the test changes nothing", name)
		}
		if _, err := ParseReceipt([]byte(bad)); err == nil {
			t.Errorf("%s: is read", name)
		}
	}
	r.Groups[0].Audience = "\xff"
	if _, err := r.Marshal(); err == nil {
		t.Error("an audience that JSON would change is written")
	}
}

// A log client that is not ours needs three steps, each an RFC 6962 inclusion proof or a note.
func TestOtherLibraryChecksReceipt(t *testing.T) {
	r, known := paid(t, "@seller")
	p, err := ParseLogProof(r.Proof)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(hashes []Hash) (out [][]byte) {
		for _, h := range hashes {
			out = append(out, h[:])
		}
		return out
	}
	leaf := r.Leaf()
	entry, err := ParseEntry([]byte(r.Entry))
	if err != nil {
		t.Fatal(err)
	}
	if err := mproof.VerifyInclusion(rfc6962.DefaultHasher, r.Interval.Index, 1<<Depth, leaf[:], raw(r.Interval.Proof), entry.Root[:]); err != nil {
		t.Errorf("event in interval: %v", err)
	}
	n, err := note.Open(p.Checkpoint, known)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCheckpoint([]byte(n.Text))
	if err != nil {
		t.Fatal(err)
	}
	if err := mproof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.Index), uint64(c.Size), rfc6962.DefaultHasher.HashLeaf([]byte(r.Entry)), raw(p.Hashes), c.Root[:]); err != nil {
		t.Errorf("interval in log: %v", err)
	}
}

func FuzzReceipt(f *testing.F) {
	r, known := paid(f, "@seller", PositionAudience)
	b, err := r.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":"moongate/receipt/v1","origin":"","kind":"","groups":[],"closed":[],"interval":{"index":0,"proof":[]},"entry":"","proof":""}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		read, err := ParseReceipt(in)
		if err != nil {
			return
		}
		if _, err := read.Verify(known); err != nil {
			return
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, in); err != nil || !bytes.Equal(compact.Bytes(), b) {
			t.Errorf("verifies, and is not the receipt that was issued: %q", in)
		}
	})
}

func FuzzLogProof(f *testing.F) {
	r, _ := paid(f, "@seller")
	f.Add(r.Proof)
	f.Add("c2sp.org/tlog-proof@v1\nindex 0\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := ParseLogProof(text); err == nil && p.Text() != text {
			t.Errorf("%q has another spelling %q", text, p.Text())
		}
	})
}
