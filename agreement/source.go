package agreement

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
)

// node is a document's text as a tree, the same for YAML and JSON. It holds only what JSON can say.
type node struct {
	kind    nodeKind
	text    string // of a text, a number (digits as written) or a bool
	list    []*node
	members []member
	line    int
}

type member struct {
	name  string
	value *node
}

type nodeKind string

const (
	aText    nodeKind = "a text"
	aNumber  nodeKind = "a number"
	aBool    nodeKind = "true or false"
	aList    nodeKind = "a list"
	anObject nodeKind = "an object"
)

// readTree reads YAML or JSON; a text whose first character is a brace is JSON.
func readTree(data []byte) (*node, error) {
	if len(data) > MaxBytes {
		return nil, &moongate.Error{
			Code: moongate.TooLarge, Message: fmt.Sprintf("the document has %d bytes; at most %d are allowed", len(data), MaxBytes),
			Hint: "split it into several agreements, or refer to parties by an open role",
		}
	}
	if !utf8.Valid(data) {
		return nil, sourceFault(0, "the document is not UTF-8", "save it as UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if start := bytes.TrimLeft(data, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		return readJSON(data)
	}
	return readYAML(data)
}

func sourceFault(line int, message, hint string) *moongate.Error {
	if line > 0 {
		message += fmt.Sprintf(" (line %d)", line)
	}
	return &moongate.Error{Code: moongate.Malformed, Message: message, Hint: hint}
}

var wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,14})$`)

// newNumber refuses fractions, exponents and what a JSON reader might round: money and rates are texts and whole
// numbers here.
func newNumber(text string, line int) (*node, error) {
	if !wholeNumber.MatchString(text) {
		return nil, sourceFault(line, fmt.Sprintf("%.40q is not a whole number", text),
			`write rates in basis points (250 is 2.5 %), and put amounts and other texts of digits in quotes ("0.10")`)
	}
	return &node{kind: aNumber, text: text, line: line}, nil
}

// newText refuses characters that do not print, or change how the text around them reads.
func newText(text string, line int) (*node, error) {
	for _, c := range text {
		if c != '\n' && invisible(c) {
			return nil, sourceFault(line, fmt.Sprintf("a text contains the invisible character %U", c), "remove it")
		}
	}
	return &node{kind: aText, text: text, line: line}, nil
}

// invisible characters, by fixed ranges: the language's own tables change with its version, and whether a document is
// taken must not.
func invisible(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xad || r == 0x61c || // controls, soft hyphen
		r >= 0x2000 && r <= 0x200f || r >= 0x2028 && r <= 0x202f || r >= 0x2060 && r <= 0x206f || // blanks and directions
		r >= 0xd800 && r <= 0xf8ff || r == 0xfeff || r >= 0xfff0 && r <= 0xffff || r >= 0xe0000 // unassigned to anybody
}

// add puts a member into an object, once.
func (n *node) add(name string, value *node, line int) error {
	for _, m := range n.members {
		if m.name == name {
			return sourceFault(line, fmt.Sprintf("%.40q stands twice in one object; first on line %d", name, m.value.line), "keep one of them")
		}
	}
	if len(n.members) >= maxObjectMembers {
		return sourceFault(line, fmt.Sprintf("an object has more than %d members", maxObjectMembers), "")
	}
	n.members = append(n.members, member{name, value})
	return nil
}

// maxObjectMembers bounds the search for duplicates; no object of the format has half as many.
const maxObjectMembers = 256

func tooDeep(line int) error {
	return sourceFault(line, fmt.Sprintf("the document is nested deeper than %d levels", MaxDepth), "no field of the format lies that deep: check brackets and indentation")
}

// appendJSON writes the tree as JSON, in the order of the text.
func (n *node) appendJSON(b []byte) []byte {
	switch n.kind {
	case aText:
		return appendText(b, n.text)
	case aList:
		b = append(b, '[')
		for i, item := range n.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case anObject:
		b = append(b, '{')
		for i, m := range n.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, m.name), ':')
			b = m.value.appendJSON(b)
		}
		return append(b, '}')
	}
	return append(b, n.text...)
}

func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return append(b, `""`...)
	}
	return append(b, text...)
}
