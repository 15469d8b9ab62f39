package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/moongate-hub/moongate"
)

// Bounds of a configuration file. What is larger or deeper is none, and would keep the parser busy for minutes.
const (
	maxConfig = 64 << 10
	maxNest   = 6
)

// decode reads the text of a configuration. A fault is named with its line.
func decode(path string, b []byte, c *Config) error {
	bad := func(hint, format string, args ...any) error {
		return &moongate.Error{Code: moongate.Malformed, Message: path + ": " + fmt.Sprintf(format, args...), Hint: hint}
	}
	const fields = "the fields are explained in docs/operations.md"
	if len(b) > maxConfig {
		return &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("%s has %d bytes or more; a configuration has a few thousand", path, len(b)), Hint: "name the right file"}
	}
	if !utf8.Valid(b) || bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
		return bad("name the right file", "this is not text")
	}
	flow := 0
	for i, t := range lexer.Tokenize(string(b)) {
		switch t.Type {
		case token.DocumentHeaderType:
			if i > 0 && t.Prev != nil && t.Prev.Type != token.CommentType {
				return bad("keep one", "line %d: another document begins", t.Position.Line)
			}
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType:
			return bad("write the value out", "line %d: anchors, aliases and tags are not used here", t.Position.Line)
		case token.MappingStartType, token.SequenceStartType:
			if flow++; flow > maxNest {
				return bad(fields, "line %d: nested deeper than any field", t.Position.Line)
			}
		case token.MappingEndType, token.SequenceEndType:
			flow--
		}
	}
	err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(c)
	var e yaml.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return bad("make one with: moongate init", "it is empty")
	case errors.As(err, &e) && e.GetToken() != nil && e.GetToken().Position != nil:
		return bad(fields, "line %d: %s", e.GetToken().Position.Line, plainly(e.GetMessage()))
	}
	return bad(fields, "%s", plainly(err.Error()))
}

var wrongType = regexp.MustCompile(`^cannot unmarshal (.+) into Go struct field (\S+) of type (\S+)`)

// plainly puts what the parser says about types in Go into words about the file.
func plainly(message string) string {
	m := wrongType.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	name := strings.ToLower(m[2][strings.LastIndex(m[2], ".")+1:])
	return fmt.Sprintf("%s is %s, and should be %s", name, kindOf(m[1]), kindOf(m[3]))
}

// kindOf is what somebody who writes YAML calls a type of Go's.
func kindOf(t string) string {
	switch {
	case t == "string":
		return "text"
	case t == "bool":
		return "true or false"
	case strings.HasPrefix(t, "int"), strings.HasPrefix(t, "uint"):
		return "a whole number"
	case strings.HasPrefix(t, "float"):
		return "a number with a fraction"
	case strings.HasPrefix(t, "[]"):
		return "a list"
	}
	return "a group of fields"
}
