package console

import (
	"net/http"
	"strconv"
	"strings"
)

// Lang is a language that pages are written in.
type Lang string

// Languages of the catalogue. English is what a reader gets who asks for neither.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// Languages in the order in which pages offer them.
var Languages = []Lang{English, Chinese}

// Tag is the BCP 47 tag of a page in the language: the script decides which glyphs a reader sees.
func (l Lang) Tag() string {
	if l == Chinese {
		return "zh-Hans"
	}
	return "en"
}

// Theme is the reader's choice between light and dark; the empty one follows the reader's system.
type Theme string

// Themes a reader can choose.
const (
	Auto  Theme = ""
	Light Theme = "light"
	Dark  Theme = "dark"
)

const preferenceAge = 365 * 24 * 3600 // seconds that a choice is remembered

// Preferences reads language and theme of a request: from the query (?lang=, ?theme=), else from a cookie, else from
// Accept-Language. A choice made in the query is remembered in a cookie, so w's header must not be written yet.
func Preferences(w http.ResponseWriter, r *http.Request) (Lang, Theme) {
	query := r.URL.Query()
	lang, ok := parseLang(query.Get("lang"))
	if ok {
		remember(w, r, "lang", string(lang))
	} else if lang, ok = parseLang(cookie(r, "lang")); !ok {
		lang = acceptLanguage(r.Header.Get("Accept-Language"))
	}
	theme, ok := parseTheme(query.Get("theme"))
	if ok {
		remember(w, r, "theme", query.Get("theme"))
	} else {
		theme, _ = parseTheme(cookie(r, "theme"))
	}
	return lang, theme
}

func parseLang(s string) (Lang, bool) {
	for _, l := range Languages {
		if s == string(l) {
			return l, true
		}
	}
	return English, false
}

func parseTheme(s string) (Theme, bool) {
	switch s {
	case "light":
		return Light, true
	case "dark":
		return Dark, true
	case "auto":
		return Auto, true
	}
	return Auto, false
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func remember(w http.ResponseWriter, r *http.Request, name, value string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // a taste, no secret: without TLS (a hub on loopback) it is kept, too
		Name: name, Value: value, Path: "/", MaxAge: preferenceAge,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// Bounds on a header that anybody can send.
const (
	acceptBytes  = 512
	acceptRanges = 16
)

// acceptLanguage picks the language an Accept-Language header (RFC 9110, section 12.5.4) likes best. Of equal weights
// the first wins; what it cannot read, it passes over; "*" and silence are English.
func acceptLanguage(header string) Lang {
	if len(header) > acceptBytes {
		return English
	}
	best, bestWeight := English, 0
	for i, part := range strings.Split(header, ",") {
		if i == acceptRanges {
			break
		}
		tag, parameter, weighted := strings.Cut(part, ";")
		weight := 1000
		if weighted {
			var ok bool
			if weight, ok = parseWeight(strings.TrimSpace(parameter)); !ok {
				continue
			}
		}
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if lang, ok := parseLang(primary); ok && weight > bestWeight {
			best, bestWeight = lang, weight
		}
	}
	return best
}

// parseWeight reads "q=0.8" as thousandths. RFC 9110, section 12.4.2: at most three digits after the point, at most 1.
func parseWeight(s string) (int, bool) {
	value, ok := strings.CutPrefix(strings.ToLower(s), "q=")
	if !ok {
		return 0, false
	}
	whole, digits, _ := strings.Cut(value, ".")
	if (whole != "0" && whole != "1") || len(digits) > 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+(digits + "000")[:3], 10, 16)
	if err != nil || n > 1000 {
		return 0, false
	}
	return int(n), true
}
