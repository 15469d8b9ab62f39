package console

import (
	"cmp"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// functions are what templates may call, bound to a language.
func (r *Renderer) functions(lang Lang) template.FuncMap {
	say := func(key string, args ...any) string { return r.words.Say(lang, key, args...) }
	return template.FuncMap{
		"t":     say,
		"word":  func(set, word string) string { return r.word(lang, set, word) },
		"words": func(set string, list []string) string { return r.list(lang, set, list) },
		"story": func(s Step) string { return r.story(lang, s) },
		"lasted": func(from, to moongate.Time) string {
			if to-from < 10*moongate.Second {
				return r.words.Say(lang, "age.moment")
			}
			return r.age(lang, to, from)
		},
		"age":       func(now, at moongate.Time) string { return r.age(lang, now, at) },
		"language":  func(l Lang) string { return r.words.Say(l, "language") },
		"languages": func() []Lang { return Languages },
		"tag":       lang.Tag,
		"asset":     r.assets.url,
		"day":       func(t moongate.Time) string { return t.Go().Format("2006-01-02") },
		"date":      func(t moongate.Time) template.HTML { return stamp(t, "day") },
		"time":      func(t moongate.Time) template.HTML { return stamp(t, "minute") },
		"moment":    func(t moongate.Time) template.HTML { return stamp(t, "second") },
		"money":     figure,
		"signed":    signed,
		"of":        money.Of,
		"count":     func(n any) string { return plain(lang, n) },
		"bytes":     size,
		"symbol":    symbol,
		"figures":   money.Amount.Figures,
		"short":     shorten,
		"tone":      func(state string) string { return string(toneOf(state)) },
		"as":        stateOf,
		"act":       func(kind string) string { return string(cmp.Or(acts[kind], idle)) },
		"onward":    func(s string) template.URL { return template.URL(safeOnward(s)) }, //nolint:gosec // safeOnward is the check
		"to":        to,
		"refer":     func(ref Ref) string { return to(ref.Kind, ref.ID) },
		"back":      safeBack,
		"handoff":   func(s string) template.URL { return template.URL(safeHandoff(s)) }, //nolint:gosec // safeHandoff is the check
		"qr":        quick,
		"river":     layRiver,
		"strip":     strip,
		"share":     share,
		"bars":      bars,
		"fare":      fare,
		"heaps":     heaps,
		"fine":      fine,
		"why":       func(key string) string { return r.why(lang, key) },
		"foreign":   func(text string) bool { return lang == Chinese && !strings.ContainsFunc(text, isHan) },
		"says":      func(d DifferenceLine) string { return r.says(lang, d) },
		"less":      func(a, b int64) int64 { return a - b },
		"draw":      draw,
		"climb":     climb,
		"left":      left,
		"span":      func(d moongate.Time) string { return d.Go().Sub(moongate.Time(0).Go()).String() },
		"seconds":   func(now, until moongate.Time) int64 { return max(1, int64((until-now)/moongate.Second)+1) },
		"elapsed":   elapsed,
		"vocab":     func(set string) []string { return vocabularies[set] },
		"list":      func(items ...string) []string { return items },
		"args":      args,
		"id":        func(kind, id string) Ref { return Ref{Kind: kind, ID: id} },
		"has":       func(a money.Amount) bool { return !a.Currency.IsZero() },
		"neg":       func(a money.Amount) (money.Amount, error) { return a.Neg() },
		"final":     func(c Cashier) bool { return c.final() },
	}
}

// word is a word of a vocabulary, or the word itself where the vocabulary does not know it.
func (r *Renderer) word(lang Lang, set, word string) string {
	if key := set + "." + word; r.words.Has(key) {
		return r.words.Say(lang, key)
	}
	return strings.ReplaceAll(word, "_", " ")
}

// list is several words of a vocabulary inside a sentence.
func (r *Renderer) list(lang Lang, set string, words []string) string {
	said := make([]string, len(words))
	for i, w := range words {
		said[i] = r.word(lang, set, w)
	}
	return strings.Join(said, r.words.Say(lang, "comma"))
}

// why is the sentence of a reason, nothing where there is none: an older console shows the text of a newer hub's program.
func (r *Renderer) why(lang Lang, key string) string {
	if !r.words.Has(key) {
		return ""
	}
	return r.words.Say(lang, key)
}

func isHan(c rune) bool { return unicode.Is(unicode.Han, c) }

// says is the sentence about a difference.
func (r *Renderer) says(lang Lang, d DifferenceLine) string {
	key := "difference.says." + d.Sentence()
	if !r.words.Has(key) {
		return r.word(lang, "difference", d.Class)
	}
	return r.words.Say(lang, key, "wallet", d.Wallet, "theirs", d.Says, "ours", d.Books)
}

// story is the sentence of a step.
func (r *Renderer) story(lang Lang, s Step) string {
	key := "step." + s.What
	if !r.words.Has(key) {
		return r.word(lang, "step", s.What)
	}
	return r.words.Say(lang, key, "party", s.Party, "other", s.Other, "amount", s.Amount)
}

func toneOf(state string) tone {
	if state == "" {
		return good
	}
	if t, ok := states[state]; ok {
		return t
	}
	return idle
}

// age is how long ago something was, in one unit.
func (r *Renderer) age(lang Lang, now, at moongate.Time) string {
	d := now - at
	switch {
	case at == 0:
		return r.words.Say(lang, "age.never")
	case d < 10*moongate.Second:
		return r.words.Say(lang, "age.now")
	case d < 2*moongate.Minute:
		return r.words.Say(lang, "age.seconds", "n", int64(d/moongate.Second))
	case d < 2*moongate.Hour:
		return r.words.Say(lang, "age.minutes", "n", int64(d/moongate.Minute))
	case d < 2*moongate.Day:
		return r.words.Say(lang, "age.hours", "n", int64(d/moongate.Hour))
	}
	return r.words.Say(lang, "age.days", "n", int64(d/moongate.Day))
}

// left is what remains until a time, as a clock: "14:32", or "1:04:32".
func left(now, until moongate.Time) string {
	s := max(0, int64((until-now+moongate.Second-1)/moongate.Second))
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// elapsed is how much of a span remains, in thousandths: what the ring around the amount shows.
func elapsed(from, now, until moongate.Time) int64 {
	if until <= from {
		return 0
	}
	return min(1000, max(0, int64((until-now)*1000/(until-from))))
}

// layouts are how a time is shown, by how exact it is; a script rewrites them in the reader's zone.
var layouts = map[string]string{
	"day": "2006-01-02", "minute": "2006-01-02 15:04", "second": "2006-01-02 15:04:05",
}

// stamp is a time in UTC, marked up so that a script can move it into the reader's zone.
func stamp(t moongate.Time, exact string) template.HTML {
	if t == 0 {
		return `<span class="none">–</span>`
	}
	u := t.Go()
	zone := " UTC"
	if exact == "day" {
		zone = ""
	}
	return template.HTML(fmt.Sprintf( //nolint:gosec // only digits and fixed letters
		`<time datetime="%s" title="%s UTC" data-exact="%s">%s%s</time>`,
		u.Format("2006-01-02T15:04:05Z"), u.Format("2006-01-02 15:04:05"), exact, u.Format(layouts[exact]), zone))
}

// size writes a number of bytes in binary units, cut to one place.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i, tenths := 0, int64(0)
	for n >= 1024 && i < len(units)-1 {
		n, tenths, i = n/1024, n%1024*10/1024, i+1
	}
	whole := groupDigits(strconv.FormatInt(n, 10))
	if tenths == 0 {
		return whole + "\u00a0" + units[i]
	}
	return fmt.Sprintf("%s.%d\u00a0%s", whole, tenths, units[i])
}

// shorten keeps both ends of an identifier or a hash: what tells two apart is at its ends.
func shorten(s string) string {
	const head, tail = 6, 4
	prefix := ""
	if i := strings.LastIndexByte(s, '_'); i >= 0 && i < 12 {
		prefix, s = s[:strings.IndexByte(s, '_')+1], s[i+1:]
	}
	if len(s) <= head+tail+6 {
		return prefix + s
	}
	return prefix + s[:head] + "…" + s[len(s)-tail:]
}

// args hands several values to a template that takes one.
func args(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("console: args wants name, value pairs")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// keep lists the parameters of a query but the named ones, in a fixed order.
func keep(q url.Values, without []string) []Field {
	var fields []Field
next:
	for name, values := range q {
		for _, w := range slices.Concat(without, cursors, []string{"lang", "theme"}) {
			if name == w {
				continue next
			}
		}
		for _, v := range values {
			fields = append(fields, Field{Name: name, Value: v})
		}
	}
	sort.Slice(fields, func(i, j int) bool {
		return fields[i].Name+"\x00"+fields[i].Value < fields[j].Name+"\x00"+fields[j].Value
	})
	return fields
}
