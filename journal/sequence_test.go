package journal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// However a reader gives its bytes, a sequence gives the values that were written, and then the end.
func TestSequenceGivesWhatWasWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var all bytes.Buffer
	var want []*Record
	var w written
	for range 300 {
		r := w.next(rng)
		w = append(w, r)
		want = append(want, r)
		b, err := r.AppendCBOR(nil)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	long := strings.Repeat("x", 3*window) // larger than what is read at once
	if err := Encoding.MarshalToBuffer(long, &all); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"whole":           bytes.NewReader(all.Bytes()),
		"by halves":       iotest.HalfReader(bytes.NewReader(all.Bytes())),
		"end with data":   iotest.DataErrReader(bytes.NewReader(all.Bytes())),
		"one by one":      iotest.OneByteReader(bytes.NewReader(all.Bytes())),
		"of another kind": bytes.NewBuffer(bytes.Clone(all.Bytes())),
	} {
		s := NewSequence(r)
		for i := range want {
			got := new(Record)
			if err := s.Decode(got); err != nil || !reflect.DeepEqual(got, readBack(t, want[i])) {
				t.Fatalf("%s: value %d: %+v, %v", name, i, got, err)
			}
		}
		var last string
		if err := s.Decode(&last); err != nil || last != long {
			t.Errorf("%s: the long text: %d bytes, %v", name, len(last), err)
		}
		for range 2 {
			if err := s.Decode(&last); !errors.Is(err, io.EOF) {
				t.Errorf("%s: at the end: %v", name, err)
			}
		}
	}
}

func readBack(t *testing.T, r *Record) *Record {
	t.Helper()
	b, err := Encoding.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Record)
	if err := Decoding.Unmarshal(b, back); err != nil {
		t.Fatal(err)
	}
	return back
}

// What is cut, damaged or cannot be read is an error and not the end.
func TestSequenceRefuses(t *testing.T) {
	good := AppendText(AppendInt(nil, 7), "seven")
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"cut":                   {bytes.NewReader(good[:len(good)-1]), io.ErrUnexpectedEOF},
		"cut in a head":         {bytes.NewReader(append(bytes.Clone(good[:1]), 0x79, 0)), io.ErrUnexpectedEOF},
		"a faulty reader":       {io.MultiReader(bytes.NewReader(good[:3]), iotest.ErrReader(io.ErrNoProgress)), io.ErrNoProgress},
		"of no fixed length":    {bytes.NewReader(append(bytes.Clone(good[:1]), 0x7f, 0xff)), nil},
		"of another kind":       {bytes.NewReader(append(bytes.Clone(good[:1]), 7)), nil},
		"not a value, no end":   {io.MultiReader(bytes.NewReader(append(bytes.Clone(good[:1]), 0xff)), iotest.ErrReader(io.ErrNoProgress)), nil},
		"longer than all of it": {bytes.NewReader(append(bytes.Clone(good[:1]), 0x7b, 0x7f, 0, 0, 0, 0, 0, 0, 0)), nil},
	} {
		s := NewSequence(c.r)
		var n int64
		var text string
		err := s.Decode(&n)
		if err == nil {
			err = s.Decode(&text)
		}
		if err == nil || errors.Is(err, io.EOF) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %d, %q, %v", name, n, text, err)
		}
	}
	// A number that is longer than it need be is read as the library reads it.
	var n int64
	s := NewSequence(bytes.NewReader([]byte{0x18, 7, 8}))
	if err := s.Decode(&n); err != nil || n != 7 {
		t.Errorf("%d, %v", n, err)
	}
	if err := s.Decode(&n); err != nil || n != 8 {
		t.Errorf("%d, %v", n, err)
	}
}
