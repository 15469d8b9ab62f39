package hub

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Cursors are positions that a participant hands back. They are enciphered: the difference of two positions would tell
// how much happened at everybody else's between them.

// derivePlace gives the key for what names places in the journal. Where a restored hub goes on under a new origin, the
// same places hold other events than before: a cursor from then leads nowhere, and an event has another name.
func (h *Hub) derivePlace(purpose string) []byte {
	if origin := h.Secrets.Origin(); origin != h.Config.Name {
		purpose += " " + origin
	}
	return h.Secrets.Derive(purpose)
}

func (h *Hub) cursorCipher() cipher.AEAD {
	block, err := aes.NewCipher(h.derivePlace("moongate/cursor/v1"))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has a block of 16 bytes
	}
	return aead
}

// Cursor enciphers a position for one reader.
func (h *Hub) Cursor(reader string, at journal.Position) string {
	nonce := make([]byte, 12, 12+8+16)
	h.Random(nonce)
	plain := binary.BigEndian.AppendUint64(nil, uint64(at))
	return base64.RawURLEncoding.EncodeToString(h.cursorCipher().Seal(nonce, nonce, plain, []byte(reader)))
}

// OpenCursor reads a cursor that [Hub.Cursor] made for the same reader; an empty one is the beginning.
func (h *Hub) OpenCursor(reader, cursor string) (journal.Position, error) {
	if cursor == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(b) == 12+8+16 {
		if plain, err := h.cursorCipher().Open(nil, b[:12], b[12:], []byte(reader)); err == nil {
			return journal.Position(binary.BigEndian.Uint64(plain)), nil
		}
	}
	return 0, notOurs
}

// Seal enciphers a cursor of a list for one reader; an empty one stays empty.
func (h *Hub) Seal(reader, list, cursor string) string {
	if cursor == "" {
		return ""
	}
	nonce := make([]byte, 12, 12+len(cursor)+16)
	h.Random(nonce)
	return base64.RawURLEncoding.EncodeToString(h.cursorCipher().Seal(nonce, nonce, []byte(cursor), []byte(reader+"\x00"+list)))
}

// Unseal reads a cursor that [Hub.Seal] made for the same reader and list.
func (h *Hub) Unseal(reader, list, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	if err == nil && len(b) > 12+16 {
		if plain, err := h.cursorCipher().Open(nil, b[:12], b[12:], []byte(reader+"\x00"+list)); err == nil {
			return string(plain), nil
		}
	}
	return "", notOurs
}

var notOurs = &moongate.Error{Code: moongate.Malformed, Field: "after", Message: "this cursor is not one of ours, or was given to somebody else", Hint: "leave it out to begin anew"}
