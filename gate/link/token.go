package link

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/share"
)

// Click is one opening of a link, as its token tells it. With the token, a click that was lost when a process stopped
// can be recorded after all.
type Click struct {
	ID          moongate.ID   `cbor:"1,keyasint" json:"id"`
	Link        string        `cbor:"2,keyasint" json:"link"` // code
	Agreement   moongate.ID   `cbor:"3,keyasint" json:"agreement"`
	Publisher   string        `cbor:"4,keyasint" json:"publisher"`
	Owner       string        `cbor:"5,keyasint" json:"owner"` // of the destination: for whom the token is
	Campaign    string        `cbor:"6,keyasint,omitempty" json:"campaign,omitempty"`
	Destination [8]byte       `cbor:"7,keyasint" json:"-"` // hash of what the destination was then
	At          moongate.Time `cbor:"8,keyasint" json:"at"`
	Expires     moongate.Time `cbor:"9,keyasint" json:"expires"` // until when the destination accepts it as a landing
	// Recorder and Number say where the click was counted: see [RecordClicks]. A Recorder of 0 means that it was durable
	// before the token was handed out.
	Recorder uint64 `cbor:"10,keyasint" json:"-"`
	Number   uint64 `cbor:"11,keyasint" json:"-"`
}

// MaxTTL is the longest that a destination accepts a token as a landing.
const MaxTTL = 10 * moongate.Minute

// Touch is the click as a step on a journey to a sale.
func (c *Click) Touch() share.Touch {
	return share.Touch{Party: c.Publisher, At: c.At, Channel: c.Campaign}
}

// Lands checks that a destination may take the token as a landing now. The hub cannot see whether it was used before;
// a destination that must know keeps the ids of the last ten minutes.
func (c *Click) Lands(owner string, now moongate.Time) error {
	switch {
	case c.Owner != owner:
		return &moongate.Error{Code: moongate.Forbidden, Message: fmt.Sprintf("the click is for another destination than %s's", owner), Hint: "only the owner of the destination may use its tokens"}
	case now > c.Expires:
		return refused("token", "the click of %s could land until %s, and here it is %s", "open the link again", c.At, c.Expires, now)
	}
	return nil
}

// Tokens seals clicks with a key of the hub's: HMAC-SHA256 truncated to 128 bits (RFC 2104). Inside one hub that is
// enough, and 80 times as fast as a signature.
type Tokens struct {
	current *sealer
	earlier []*sealer
}

// NewTokens needs a key for sealing, and those used before it, whose tokens still open. A key has 32 bytes or more.
func NewTokens(key []byte, earlier ...[]byte) (*Tokens, error) {
	t := &Tokens{}
	for i, k := range append([][]byte{key}, earlier...) {
		if len(k) < 32 {
			return nil, malformed("key", "the key for click tokens has %d bytes", "use 32 random bytes or more", len(k))
		}
		s := newSealer(k)
		if i == 0 {
			t.current = s
		} else {
			t.earlier = append(t.earlier, s)
		}
	}
	return t, nil
}

// sealer is what follows from one key, ready to be used by many goroutines.
type sealer struct{ pool sync.Pool }

// sealing is HMAC and a cipher under a key, and memory to work in.
type sealing struct {
	mac   hash.Hash
	names cipher.Block
	text  []byte
	token []byte
	name  [aes.BlockSize]byte
}

func newSealer(key []byte) *sealer {
	key = append([]byte(nil), key...)
	return &sealer{pool: sync.Pool{New: func() any {
		s := &sealing{mac: hmac.New(sha256.New, key)}
		s.mac.Write([]byte{nameClick})
		block, err := aes.NewCipher(s.mac.Sum(nil))
		if err != nil {
			panic(err) // 32 bytes are a key
		}
		s.names = block
		return s
	}}}
}

// sum appends the code of a text for a purpose.
func (s *sealing) sum(to []byte, purpose byte, text []byte) []byte {
	s.name[0] = purpose // a byte that is in memory already
	s.mac.Reset()
	s.mac.Write(s.name[:1])
	s.mac.Write(text)
	return s.mac.Sum(to)
}

// Purposes under one key.
const (
	sealClick = 1
	nameClick = 2
)

const (
	tokenVersion = 1
	fixedPart    = 1 + 16 + 16 + 8 + 8 + 8 + 8 + 8
	macSize      = 16
	maxToken     = 512
)

// Name gives the click that a recorder counts next its identifier: AES-256 of recorder and number under a key of its own,
// truncated to 96 bits. It says nothing about how many there were.
func (t *Tokens) Name(hub moongate.Hub, recorder, number uint64) moongate.ID {
	s := t.current.pool.Get().(*sealing)
	defer t.current.pool.Put(s)
	binary.BigEndian.PutUint64(s.name[:], recorder)
	binary.BigEndian.PutUint64(s.name[8:], number)
	s.names.Encrypt(s.name[:], s.name[:])
	return moongate.NewID(moongate.KindClick, hub, [12]byte(s.name[:12]))
}

// Seal writes a click's token: up to 512 characters that may stand in a URL.
func (t *Tokens) Seal(c *Click) string {
	s := t.current.pool.Get().(*sealing)
	defer t.current.pool.Put(s)
	b := append(s.text[:0], tokenVersion)
	b = append(b, c.ID[:]...)
	b = append(b, c.Agreement[:]...)
	b = append(b, c.Destination[:]...)
	for _, n := range []uint64{uint64(c.At), uint64(c.Expires), c.Recorder, c.Number} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, field := range []string{c.Link, c.Publisher, c.Owner, c.Campaign} {
		b = append(b, byte(len(field)))
		b = append(b, field...)
	}
	end := len(b) + macSize
	b = s.sum(b, sealClick, b)
	s.text, s.token = b, base64.RawURLEncoding.AppendEncode(s.token[:0], b[:end])
	return string(s.token)
}

// Open reads a token and refuses whatever this hub did not seal. It says nothing about time: see [Click.Lands].
func (t *Tokens) Open(token string) (Click, error) {
	bad := &moongate.Error{Code: moongate.Refused, Field: "token", Message: "this is not a click token of this hub, or it was changed", Hint: "pass it on as it came, in " + ClickParameter}
	if len(token) > maxToken {
		return Click{}, bad
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < fixedPart+4+macSize || raw[0] != tokenVersion || len(token) != base64.RawURLEncoding.EncodedLen(len(raw)) {
		return Click{}, bad
	}
	b, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	genuine := t.current.opens(b, mac)
	for _, s := range t.earlier {
		genuine = s.opens(b, mac) || genuine
	}
	if !genuine {
		return Click{}, bad
	}
	c := Click{ID: moongate.ID(b[1:17]), Agreement: moongate.ID(b[17:33]), Destination: [8]byte(b[33:41])}
	c.At, c.Expires = moongate.Time(binary.BigEndian.Uint64(b[41:])), moongate.Time(binary.BigEndian.Uint64(b[49:]))
	c.Recorder, c.Number = binary.BigEndian.Uint64(b[57:]), binary.BigEndian.Uint64(b[65:])
	rest := b[fixedPart:]
	for _, s := range []*string{&c.Link, &c.Publisher, &c.Owner, &c.Campaign} {
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return Click{}, bad
		}
		*s, rest = string(rest[1:1+rest[0]]), rest[1+rest[0]:]
	}
	if len(rest) != 0 {
		return Click{}, bad
	}
	return c, nil
}

func (s *sealer) opens(text, mac []byte) bool {
	one := s.pool.Get().(*sealing)
	defer s.pool.Put(one)
	want := one.sum(one.text[:0], sealClick, text)
	one.text = want
	return subtle.ConstantTimeCompare(want[:macSize], mac) == 1
}
