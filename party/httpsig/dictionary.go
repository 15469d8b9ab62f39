package httpsig

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// dictionary is a structured field of RFC 8941, section 3.2, in order. Read are strings, integers, byte sequences,
// tokens and booleans, alone or in lists; decimals and the later types have no place in a signature. A name that
// comes twice is refused, where the RFC lets the last one win: nobody honest writes it.
type dictionary []member

// member is a list of items, or one item.
type member struct {
	name   string
	isList bool
	items  []item // of a list, or the only one
	params []param
}

type item struct {
	value  any // string, int64, []byte, token or bool
	params []param
}

type param struct {
	name  string
	value any
}

type token string

func (d dictionary) get(name string) (member, bool) {
	for _, m := range d {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// only is the value of a member that is no list.
func (m *member) only() any {
	if m.isList {
		return nil
	}
	return m.items[0].value
}

func (m *member) param(name string) any {
	for _, p := range m.params {
		if p.name == name {
			return p.value
		}
	}
	return nil
}

// parseDictionary reads a field whose lines have been joined with commas. The text is bounded by the caller.
func parseDictionary(text string) (dictionary, error) {
	p := &parser{s: strings.Trim(text, " ")}
	var d dictionary
	for {
		m, err := p.member()
		if err != nil {
			return nil, err
		}
		if _, dup := d.get(m.name); dup {
			return nil, fmt.Errorf("%q stands there twice", m.name)
		}
		d = append(d, m)
		p.skip(" \t")
		if p.s == "" {
			return d, nil
		}
		if !p.take(',') {
			return nil, p.unexpected()
		}
		p.skip(" \t")
	}
}

// parser holds what is left of the text.
type parser struct{ s string }

func (p *parser) skip(blanks string) { p.s = strings.TrimLeft(p.s, blanks) }

func (p *parser) take(c byte) bool {
	if p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *parser) unexpected() error {
	if p.s == "" {
		return fmt.Errorf("it ends too early")
	}
	return fmt.Errorf("unexpected %.12q", p.s)
}

// while takes the longest prefix whose characters pass.
func (p *parser) while(pass func(c byte) bool) string {
	n := 0
	for n < len(p.s) && pass(p.s[n]) {
		n++
	}
	taken := p.s[:n]
	p.s = p.s[n:]
	return taken
}

func (p *parser) member() (m member, err error) {
	if m.name, err = p.key(); err != nil {
		return m, err
	}
	switch {
	case !p.take('='):
		m.items = []item{{value: true}}
	case p.take('('):
		m.isList = true
		if m.items, err = p.list(); err != nil {
			return m, err
		}
	default:
		v, err := p.value()
		if err != nil {
			return m, err
		}
		m.items = []item{{value: v}}
	}
	m.params, err = p.parameters()
	return m, err
}

func (p *parser) list() (items []item, err error) {
	for {
		p.skip(" ")
		if p.take(')') {
			return items, nil
		}
		var it item
		if it.value, err = p.value(); err != nil {
			return nil, err
		}
		if it.params, err = p.parameters(); err != nil {
			return nil, err
		}
		if p.s == "" || p.s[0] != ' ' && p.s[0] != ')' {
			return nil, p.unexpected()
		}
		items = append(items, it)
	}
}

func (p *parser) parameters() (params []param, err error) {
	for p.take(';') {
		p.skip(" ")
		next := param{value: true}
		if next.name, err = p.key(); err != nil {
			return nil, err
		}
		if p.take('=') {
			if next.value, err = p.value(); err != nil {
				return nil, err
			}
		}
		for _, q := range params {
			if q.name == next.name {
				return nil, fmt.Errorf("parameter %q stands there twice", q.name)
			}
		}
		params = append(params, next)
	}
	return params, nil
}

func (p *parser) key() (string, error) {
	if p.s == "" || !lower(p.s[0]) && p.s[0] != '*' {
		return "", p.unexpected()
	}
	return p.while(func(c byte) bool { return lower(c) || digit(c) || strings.IndexByte("_-.*", c) >= 0 }), nil
}

func (p *parser) value() (any, error) {
	if p.s == "" {
		return nil, p.unexpected()
	}
	switch c := p.s[0]; {
	case c == '"':
		return p.text()
	case c == ':':
		return p.bytes()
	case c == '-' || digit(c):
		return p.integer()
	case c == '*' || lower(c) || lower(c|0x20):
		return token(p.while(func(c byte) bool {
			return lower(c) || lower(c|0x20) || digit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
		})), nil
	case strings.HasPrefix(p.s, "?0"), strings.HasPrefix(p.s, "?1"):
		is := p.s[1] == '1'
		p.s = p.s[2:]
		return is, nil
	}
	return nil, p.unexpected()
}

func (p *parser) text() (string, error) {
	var b strings.Builder
	for i := 1; i < len(p.s); i++ {
		c := p.s[i]
		switch {
		case c == '"':
			p.s = p.s[i+1:]
			return b.String(), nil
		case c == '\\':
			i++
			if i == len(p.s) || p.s[i] != '"' && p.s[i] != '\\' {
				return "", fmt.Errorf("a backslash that escapes nothing")
			}
			c = p.s[i]
		case c < 0x20 || c > 0x7e:
			return "", fmt.Errorf("byte %#02x in a string", c)
		}
		b.WriteByte(c)
	}
	return "", fmt.Errorf("a string without an end")
}

func (p *parser) bytes() ([]byte, error) {
	text, rest, ok := strings.Cut(p.s[1:], ":")
	if !ok {
		return nil, fmt.Errorf("a byte sequence without an end")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder skips line breaks
		return nil, fmt.Errorf("%.12q is not base64", text)
	}
	p.s = rest
	return b, nil
}

func (p *parser) integer() (int64, error) {
	sign := ""
	if p.take('-') {
		sign = "-"
	}
	digits := p.while(digit)
	if len(digits) == 0 || len(digits) > 15 || strings.HasPrefix(p.s, ".") {
		return 0, fmt.Errorf("%.20q is not a whole number of up to 15 digits", sign+digits+p.s)
	}
	return strconv.ParseInt(sign+digits, 10, 64)
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }
func digit(c byte) bool { return c >= '0' && c <= '9' }

// String is the canonical form of a list or item with its parameters, without its name (RFC 8941, section 4.1).
func (m *member) String() string {
	var b strings.Builder
	if m.isList {
		b.WriteByte('(')
	}
	for i, it := range m.items {
		if i > 0 {
			b.WriteByte(' ')
		}
		writeValue(&b, it.value)
		writeParams(&b, it.params)
	}
	if m.isList {
		b.WriteByte(')')
	}
	writeParams(&b, m.params)
	return b.String()
}

func writeParams(b *strings.Builder, params []param) {
	for _, p := range params {
		b.WriteString(";" + p.name)
		if p.value != true {
			b.WriteByte('=')
			writeValue(b, p.value)
		}
	}
}

func writeValue(b *strings.Builder, v any) {
	switch v := v.(type) {
	case string:
		b.WriteByte('"')
		for _, c := range []byte(v) {
			if c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		b.WriteByte('"')
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case []byte:
		b.WriteString(":" + base64.StdEncoding.EncodeToString(v) + ":")
	case token:
		b.WriteString(string(v))
	case bool:
		if v {
			b.WriteString("?1")
		} else {
			b.WriteString("?0")
		}
	}
}
