package link

import (
	"fmt"
	"strings"
)

// checkHost refuses what cannot be the name of a public host, and names that imitate others by mixing alphabets. It
// gives what is wrong, or "".
func checkHost(host string) string {
	labels := strings.Split(host, ".")
	switch {
	case len(host) > 253 || len(labels) < 2:
		return fmt.Sprintf("%q is not a public host name", host)
	case strings.Trim(labels[len(labels)-1], "0123456789") == "" || strings.HasPrefix(labels[len(labels)-1], "0x"):
		return "its host is a number; name the host"
	}
	for _, l := range labels {
		if !ldh(l) {
			return fmt.Sprintf("its host has the part %q; write names in lower case, of a-z, 0-9 and inner hyphens", l)
		}
		if !strings.HasPrefix(l, "xn--") {
			continue
		}
		runes, ok := punycode(l[len("xn--"):])
		if !ok {
			return fmt.Sprintf("its host has the part %q, which is no internationalised name", l)
		}
		if err := oneScript(runes); err != "" {
			return fmt.Sprintf("its host has the part %q (%s), %s", l, string(runes), err)
		}
	}
	switch labels[len(labels)-1] {
	case "local", "localhost", "internal", "lan", "home", "corp", "onion", "arpa":
		return "its host is known in private networks alone"
	}
	return ""
}

// ldh tells whether a label is letters, digits and inner hyphens, in lower case (RFC 5890, section 2.3.1).
func ldh(l string) bool {
	if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for _, c := range []byte(l) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// punycode decodes an internationalised label without its prefix (RFC 3492, section 6.2).
func punycode(s string) ([]rune, bool) {
	const base, tmin, tmax, skew, damp = 36, 1, 26, 38, 700
	var out []rune
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		out, s = []rune(s[:i]), s[i+1:]
	}
	if s == "" {
		return nil, false
	}
	n, i, bias := rune(128), 0, 72
	for s != "" {
		before, weight := i, 1
		for k := base; ; k += base {
			if s == "" || weight > 1<<26 {
				return nil, false
			}
			c := int(s[0])
			s = s[1:]
			digit := c - 'a'
			if c >= '0' && c <= '9' {
				digit = c - '0' + 26
			}
			if digit < 0 || digit >= base {
				return nil, false
			}
			i += digit * weight
			t := min(max(k-bias, tmin), tmax)
			if digit < t {
				break
			}
			weight *= base - t
		}
		count := len(out) + 1
		delta := (i - before) / 2
		if before == 0 {
			delta = (i - before) / damp
		}
		delta += delta / count
		bias = 0
		for delta > (base-tmin)*tmax/2 {
			delta /= base - tmin
			bias += base
		}
		bias += (base - tmin + 1) * delta / (delta + skew)
		n += rune(i / count)
		i %= count
		if n > 0x10ffff || n >= 0xd800 && n < 0xe000 {
			return nil, false
		}
		out = append(out, 0)
		copy(out[i+1:], out[i:])
		out[i] = n
		i++
	}
	return out, true
}

// script is an alphabet. The ranges stand here because the language's own tables change with its version, and what is
// decided must not.
type script struct {
	name   string
	ranges [][2]rune
}

var scripts = []script{
	{"Latin", [][2]rune{{'a', 'z'}, {0xdf, 0xf6}, {0xf8, 0x24f}, {0x1e00, 0x1eff}}},
	{"Han", [][2]rune{{0x3005, 0x3007}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0x20000, 0x3134f}}},
	{"Japanese", [][2]rune{{0x3041, 0x3096}, {0x309d, 0x309f}, {0x30a1, 0x30ff}}},
	{"Korean", [][2]rune{{0xac00, 0xd7a3}}},
	{"Cyrillic", [][2]rune{{0x430, 0x45f}, {0x461, 0x52f}}},
	{"Greek", [][2]rune{{0x3ac, 0x3ce}}},
	{"Arabic", [][2]rune{{0x620, 0x64a}, {0x671, 0x6d3}}},
	{"Hebrew", [][2]rune{{0x5d0, 0x5ea}}},
	{"Thai", [][2]rune{{0xe01, 0xe3a}, {0xe40, 0xe4e}}},
	{"Devanagari", [][2]rune{{0x900, 0x963}}},
}

// oneScript refuses a label of more than one alphabet (Unicode UTS #39, section 5.2), but for Han with Japanese or
// Korean, which is how those are written. It gives what is wrong, or "".
func oneScript(label []rune) string {
	var seen []string
	for _, r := range label {
		if r >= '0' && r <= '9' || r == '-' {
			continue
		}
		name := scriptOf(r)
		if name == "" {
			return fmt.Sprintf("which holds %U, of an alphabet that is not accepted", r)
		}
		known := false
		for _, s := range seen {
			known = known || s == name
		}
		if !known {
			seen = append(seen, name)
		}
	}
	switch {
	case len(seen) < 2:
		return ""
	case len(seen) == 2 && (seen[0] == "Han" || seen[1] == "Han"):
		if other := strings.TrimPrefix(seen[0]+seen[1], "Han"); strings.TrimSuffix(other, "Han") == "Japanese" || strings.TrimSuffix(other, "Han") == "Korean" {
			return ""
		}
	}
	return "which mixes " + strings.Join(seen, " and ")
}

func scriptOf(r rune) string {
	for _, s := range scripts {
		for _, x := range s.ranges {
			if r >= x[0] && r <= x[1] {
				return s.name
			}
		}
	}
	return ""
}

// hostPattern is a host, or "*." and a host for everything below it.
func checkPattern(pattern string) error {
	if err := checkHost(strings.TrimPrefix(pattern, "*.")); err != "" {
		return malformed("host", "%.120q: %s", "write a host such as shop.example.org, or *.example.org for all below it", pattern, err)
	}
	return nil
}

// patterns lists what a host is matched by: itself, and "*." with each host above it.
func patterns(host string) []string {
	out := []string{host}
	for {
		_, above, ok := strings.Cut(host, ".")
		if !ok || !strings.Contains(above, ".") {
			return out
		}
		out = append(out, "*."+above)
		host = above
	}
}
