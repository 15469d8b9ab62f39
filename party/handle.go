package party

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
)

// reserved names mean something else where a handle could stand.
var reserved = []string{"anonymous", "each", "hub", "parties", "public", "self"}

// CheckHandle refuses what cannot name a participant: [a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?, and for a participant of
// another hub the same twice, joined by "@".
func CheckHandle(handle string) error {
	local, hub := SplitHandle(handle)
	if !simple(local) || hub == "" && strings.Contains(handle, "@") || hub != "" && !simple(hub) {
		return &moongate.Error{
			Code: moongate.Malformed, Field: "handle", Message: fmt.Sprintf("%.80q cannot be a handle", handle),
			Hint: "use 1 to 40 of a-z, 0-9 and inner hyphens, like night-market; a participant of another hub is night-market@harbour",
		}
	}
	if slices.Contains(reserved, local) {
		return &moongate.Error{
			Code: moongate.Malformed, Field: "handle", Message: fmt.Sprintf("the handle %q is reserved", handle),
			Hint: "choose another",
		}
	}
	return nil
}

// SplitHandle cuts a handle into its local part and its hub; the hub is empty for our own participants.
func SplitHandle(handle string) (local, hub string) {
	local, hub, _ = strings.Cut(handle, "@")
	return local, hub
}

func simple(s string) bool {
	if s == "" || len(s) > 40 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// CheckText refuses text for people that is empty, too long, or holds what does not print.
func CheckText(field, s string, least, most int) error {
	n := utf8.RuneCountInString(s)
	bad := func(what string) error {
		return &moongate.Error{Code: moongate.Malformed, Field: field, Message: what, Hint: fmt.Sprintf("write %d to %d characters of text", least, most)}
	}
	if n < least || n > most {
		return bad(fmt.Sprintf("the text has %d characters", n))
	}
	if !utf8.ValidString(s) || strings.IndexFunc(s, invisible) >= 0 || strings.Trim(s, " \u3000") != s {
		return bad(fmt.Sprintf("%.80q holds characters that do not print, or blanks at an end", s))
	}
	return nil
}

// invisible tells whether a character does not print, or changes how its neighbours do. The ranges stand here because
// the language's own tables change with its version, and what is decided must not.
func invisible(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xad || r == 0x61c || // controls, soft hyphen
		r >= 0x2000 && r <= 0x200f || r >= 0x2028 && r <= 0x202f || r >= 0x2060 && r <= 0x206f || // blanks and directions
		r >= 0xd800 && r <= 0xf8ff || r == 0xfeff || r >= 0xfff0 && r <= 0xffff || r >= 0xe0000 // unassigned to anybody
}
