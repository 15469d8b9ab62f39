// Package jcs writes JSON in the canonical form of RFC 8785, the form that participants sign.
//
// Two texts with the same meaning get the same bytes: members sorted by UTF-16 code units, no white space, one
// spelling for every string and number. The bytes are what is hashed and signed, so the input must leave no room for
// two readings. Refused therefore, beyond what is not JSON at all: duplicate members, text that is not UTF-8, lone
// surrogates, and whole numbers beyond ±(2^53−1), which one reader keeps and another rounds (RFC 7493, section 2).
package jcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	rfc8785 "github.com/gowebpki/jcs"

	"github.com/moongate-hub/moongate"
)

// Bounds of a document. They keep the worst case (sorting is quadratic in the members of one object) below a second.
const (
	MaxBytes   = 1 << 20 // of the text as it comes in
	MaxDepth   = 64      // of objects and arrays inside each other
	MaxMembers = 512     // of one object
)

// maxWhole is the largest whole number that every JSON reader agrees on: 2^53−1.
const maxWhole = 1<<53 - 1

// Canonical gives the canonical form of one JSON text. The error is a *moongate.Error with code Malformed or TooLarge
// and says at which byte the trouble is.
func Canonical(text []byte) ([]byte, error) {
	text = bytes.Trim(text, " \t\r\n")
	if err := check(text); err != nil {
		return nil, err
	}
	out, err := rfc8785.Transform(text)
	if err != nil { // what the check leaves: duplicate members and numbers beyond float64
		return nil, &moongate.Error{
			Code: moongate.Malformed, Message: fmt.Sprintf("the JSON text has no canonical form: %v", err),
			Hint: "name every member once and keep numbers finite (RFC 8785)",
		}
	}
	return out, nil
}

// Marshal gives the canonical form of a Go value, by way of its encoding/json form.
func Marshal(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical form of %T: %w", v, err)
	}
	return Canonical(text)
}

// check refuses what has no single reading. The library behind Canonical accepts some texts that are not JSON
// (hexadecimal numbers, blanks inside a number, an unfinished name), so nothing reaches it unchecked.
func check(text []byte) error {
	if len(text) > MaxBytes {
		return &moongate.Error{
			Code: moongate.TooLarge, Message: fmt.Sprintf("the JSON text has %d bytes; at most %d are allowed", len(text), MaxBytes),
		}
	}
	if i := invalidUTF8(text); i >= 0 {
		return malformed(i, "the text is not UTF-8")
	}
	if err := checkDepth(text); err != nil { // before the grammar, whose checker allows ten thousand levels
		return err
	}
	if !json.Valid(text) {
		return malformed(offsetOf(text), "this is not JSON")
	}
	for i := 0; i < len(text); { // grammatical from here on: only strings and numbers can still mislead
		switch c := text[i]; {
		case c == '"':
			end, err := checkString(text, i)
			if err != nil {
				return err
			}
			i = end
		case c == '-' || c >= '0' && c <= '9':
			end, err := checkNumber(text, i)
			if err != nil {
				return err
			}
			i = end
		default:
			i++
		}
	}
	return nil
}

// checkDepth counts levels and members. It needs to know of the grammar only where strings end.
func checkDepth(text []byte) error {
	var members [MaxDepth + 1]int // colons seen in the object open at each level
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > MaxDepth {
				return malformed(i, fmt.Sprintf("more than %d levels of objects and arrays", MaxDepth))
			}
			members[depth] = 0
		case '}', ']':
			depth = max(depth-1, 0)
		case ':':
			if members[depth]++; members[depth] > MaxMembers {
				return malformed(i, fmt.Sprintf("an object with more than %d members", MaxMembers))
			}
		}
	}
	return nil
}

// checkString walks one string of a grammatical text and refuses surrogates that are not a pair. It gives the index
// after the closing quote.
func checkString(text []byte, start int) (int, error) {
	i := start + 1
	for text[i] != '"' {
		if text[i] != '\\' {
			i++
			continue
		}
		if text[i+1] != 'u' {
			i += 2
			continue
		}
		switch unit := codeUnit(text[i+2:]); {
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return 0, malformed(i, "a low surrogate without the high one before it")
		case unit >= 0xD800 && unit <= 0xDBFF:
			if text[i+6] != '\\' || text[i+7] != 'u' || codeUnit(text[i+8:])>>10 != 0xDC00>>10 {
				return 0, malformed(i, "a high surrogate without the low one after it")
			}
			i += 12
		default:
			i += 6
		}
	}
	return i + 1, nil
}

func codeUnit(hex []byte) uint16 {
	n, err := strconv.ParseUint(string(hex[:min(4, len(hex))]), 16, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// checkNumber walks one number of a grammatical text and gives the index after it. Refused is what comes out as digits
// that two readers take for two numbers, whether or not it came in so: 1e17 is as bad as 100000000000000000.
func checkNumber(text []byte, start int) (int, error) {
	end := start
	for end < len(text) && bytes.IndexByte([]byte("+-.eE0123456789"), text[end]) >= 0 {
		end++
	}
	literal := string(text[start:end])
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return 0, malformed(start, fmt.Sprintf("the number %.40s is out of range", literal))
	}
	whole := !strings.ContainsAny(literal, ".eE")
	if size := math.Abs(f); size > maxWhole && (whole || size < 1e21) { // from 1e21 on the canonical form has an exponent
		return 0, malformed(start, fmt.Sprintf("the whole number %.40s is beyond ±(2^53−1); write it as a string", literal))
	}
	return end, nil
}

func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// offsetOf asks the decoder where a text stops being JSON; the text is known to be wrong.
func offsetOf(text []byte) int {
	var v json.RawMessage
	var e *json.SyntaxError
	if errors.As(json.Unmarshal(text, &v), &e) {
		return int(e.Offset)
	}
	return 0
}

func malformed(offset int, what string) error {
	return &moongate.Error{
		Code: moongate.Malformed, Message: fmt.Sprintf("at byte %d: %s", offset, what),
		Hint: "send one JSON text with nothing left to interpretation (RFC 8785, RFC 7493)",
	}
}
