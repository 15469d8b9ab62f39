package journal

import (
	"errors"
	"io"
)

// Sequence reads a CBOR sequence (RFC 8742) that Encoding wrote, value by value, with the shortcut of types that have
// one.
type Sequence struct {
	r     io.Reader
	buf   []byte // what was read and not yet taken
	ended bool
}

// window is how much is read at once, at least.
const window = 1 << 20

// NewSequence reads from r, ahead of what is asked for.
func NewSequence(r io.Reader) *Sequence { return &Sequence{r: r} }

// Decode reads the next value. At the end it is io.EOF.
func (s *Sequence) Decode(v any) error {
	for {
		p := Parser{b: s.buf}
		raw := p.raw()
		if !p.failed {
			s.buf = s.buf[len(raw):]
			return Unmarshal(raw, v)
		}
		if !p.short || s.ended {
			// It is not as it was written, or cut: the library says what is wrong with it.
			rest, err := Decoding.UnmarshalFirst(s.buf, v)
			if err == nil {
				s.buf = rest
			}
			if s.ended || !errors.Is(err, io.ErrUnexpectedEOF) {
				return err
			}
		}
		if err := s.more(); err != nil {
			return err
		}
	}
}

// more reads as much again as is held, and a window at least.
func (s *Sequence) more() error {
	held := make([]byte, len(s.buf), len(s.buf)+max(window, len(s.buf)))
	copy(held, s.buf)
	n, err := io.ReadFull(s.r, held[len(held):cap(held)])
	s.buf = held[:len(held)+n]
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.ended = true
		return nil
	}
	return err
}
