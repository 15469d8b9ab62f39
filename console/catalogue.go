package console

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/moongate-hub/moongate/money"
)

//go:embed words/*.json
var wordFiles embed.FS

// Catalogue holds every sentence that pages say, in every language, under one key.
type Catalogue struct{ entries map[string]map[Lang]string }

// Words is the catalogue that the program carries.
func Words() *Catalogue {
	c, err := loadCatalogue(wordFiles)
	if err != nil {
		panic(err) // the files are part of the program, and a test loads them
	}
	return c
}

// loadCatalogue reads {"key": {"en": "…", "zh": "…"}} from all files of words/. A key that stands twice, a language
// that is missing and one that nobody knows are errors.
func loadCatalogue(files fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(files, "words/*.json")
	if err != nil {
		return nil, err
	}
	c := &Catalogue{entries: map[string]map[Lang]string{}}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		if err := c.add(data); err != nil {
			return nil, fmt.Errorf("console: %s: %w", name, err)
		}
	}
	return c, nil
}

func (c *Catalogue) add(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return errors.New("not an object of messages")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		var said map[Lang]string
		if err := d.Decode(&said); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if _, twice := c.entries[key]; twice {
			return fmt.Errorf("%s: stands twice", key)
		}
		for _, l := range Languages {
			if strings.TrimSpace(said[l]) == "" {
				return fmt.Errorf("%s: no text in %q", key, l)
			}
		}
		if len(said) != len(Languages) {
			return fmt.Errorf("%s: a language nobody knows", key)
		}
		c.entries[key] = said
	}
	_, err = d.Token()
	return err
}

// Has tells whether the catalogue knows a key.
func (c *Catalogue) Has(key string) bool { return c.entries[key] != nil }

// Keys are all keys, sorted.
func (c *Catalogue) Keys() []string {
	keys := make([]string, 0, len(c.entries))
	for k := range c.entries {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Say is the message of a key with its placeholders filled from name, value pairs. {name} is the value;
// {name?one:other} is "one" where the value is 1 and "other" elsewhere. An unknown key is itself: a page with a raw key
// on it is better than no page.
func (c *Catalogue) Say(l Lang, key string, args ...any) string {
	message, ok := c.entries[key][l]
	if !ok {
		return key
	}
	if !strings.Contains(message, "{") {
		return message
	}
	said := ""
	for {
		before, rest, open := strings.Cut(message, "{")
		said = join(said, before)
		if !open {
			return said
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return said + "{" + rest
		}
		said, message = join(said, fill(l, name, args)), after
	}
}

// join puts a part of a message behind another. Messages have a space around a name, which may be a Latin one; between
// two Chinese characters it goes.
func join(a, b string) string {
	switch {
	case strings.HasSuffix(a, " ") && endsHan(strings.TrimSuffix(a, " ")) && beginsHan(b):
		return strings.TrimSuffix(a, " ") + b
	case strings.HasPrefix(b, " ") && endsHan(a) && beginsHan(strings.TrimPrefix(b, " ")):
		return a + strings.TrimPrefix(b, " ")
	}
	return a + b
}

func endsHan(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.Is(unicode.Han, r)
}

func beginsHan(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.Is(unicode.Han, r)
}

func fill(l Lang, placeholder string, args []any) string {
	name, forms, plural := strings.Cut(placeholder, "?")
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] != name {
			continue
		}
		if plural {
			one, other, _ := strings.Cut(forms, ":")
			if fmt.Sprint(args[i+1]) == "1" {
				return one
			}
			return other
		}
		return plain(l, args[i+1])
	}
	return "{" + placeholder + "}"
}

// plain writes a value inside a sentence.
func plain(l Lang, v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return groupDigits(strconv.Itoa(v))
	case int64:
		return groupDigits(strconv.FormatInt(v, 10))
	case uint64:
		return groupDigits(strconv.FormatUint(v, 10))
	case money.Amount:
		return text(v)
	case Party:
		return v.Label()
	case fmt.Stringer:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}
