package link

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
)

// ClickParameter is the query parameter in which a destination receives the click token.
const ClickParameter = "mg_click"

// maxAddress bounds an address, in bytes.
const maxAddress = 2048

// Address is where a link leads on one kind of device.
type Address struct {
	Device Device `cbor:"1,keyasint" json:"device"`
	URL    string `cbor:"2,keyasint" json:"url"`
	// Package is the Android application that opens the URL; with it, a device without the application gets the web
	// address instead of an error.
	Package string `cbor:"3,keyasint,omitempty" json:"package,omitempty"`
}

// Device is where a link is opened: an operating system, or an application that shows pages itself.
type Device string

// Devices. Web is any, and every destination has an address for it.
const (
	Web     Device = "web"
	IOS     Device = "ios"
	Android Device = "android"
	Harmony Device = "harmony"
	WeChat  Device = "wechat" // pages shown inside WeChat
	Alipay  Device = "alipay" // pages shown inside Alipay
)

var devices = []Device{Web, IOS, Android, Harmony, WeChat, Alipay}

// Host checks a web address and gives its host. Refused is whatever two readers could take for two places: user names,
// backslashes, blanks and controls, numbers for hosts, names that mix alphabets; and what only this machine or its
// network could reach. With loopback allowed (a demonstration, a test), http on this machine is let through.
func Host(raw string, loopback bool) (string, error) {
	bad := func(what string) error {
		return malformed("url", "%.120q: %s", "write an absolute https address of a public host, such as https://shop.example.org/p/1", raw, what)
	}
	if len(raw) == 0 || len(raw) > maxAddress {
		return "", bad(fmt.Sprintf("it has %d bytes; 1 to %d are allowed", len(raw), maxAddress))
	}
	if err := plain(raw); err != "" {
		return "", bad(err)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return "", bad("it is not a web address")
	}
	local := loopback && isLoopback(u.Hostname())
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !local):
		return "", bad("it does not begin with https://")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return "", bad("it names a user before the host")
	case u.Host == "":
		return "", bad("it has no host")
	case strings.HasSuffix(u.Host, ":"):
		return "", bad("it has an empty port")
	case u.Query().Has(ClickParameter):
		return "", bad("it has the parameter " + ClickParameter + ", which the hub sets itself")
	}
	if local {
		return u.Hostname(), nil
	}
	if err := checkHost(u.Hostname()); err != "" {
		return "", bad(err)
	}
	return u.Hostname(), nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// plain refuses characters that some reader drops, decodes or takes for a slash. It gives what is wrong, or "".
func plain(s string) string {
	for _, c := range []byte(s) {
		switch {
		case c <= 0x20 || c == 0x7f:
			return "it holds a blank or a control character"
		case c > 0x7f:
			return "it holds a character outside ASCII; percent-encode the path, and write the host in its xn-- form"
		case c == '\\':
			return "it holds a backslash, which some readers take for a slash"
		case c == '"' || c == '<' || c == '>' || c == '`' || c == '{' || c == '}' || c == '|' || c == '^':
			return fmt.Sprintf("it holds %q, which must be percent-encoded", c)
		}
	}
	lower := strings.ToLower(s)
	for _, encoded := range []string{"%00", "%0a", "%0d"} {
		if strings.Contains(lower, encoded) {
			return "it holds an encoded line break or zero"
		}
	}
	return ""
}

// checkApp checks an address that an application opens. Its scheme must be one that the owner was given.
func checkApp(a *Address, schemes []string) error {
	bad := func(what string) error {
		return malformed("addresses", "%s address %.120q: %s", "write an address whose scheme is yours, such as tbopen://m.example/item?id=1", a.Device, a.URL, what)
	}
	if len(a.URL) == 0 || len(a.URL) > maxAddress {
		return bad(fmt.Sprintf("it has %d bytes; 1 to %d are allowed", len(a.URL), maxAddress))
	}
	if err := plain(a.URL); err != "" {
		return bad(err)
	}
	scheme, rest, ok := strings.Cut(a.URL, "://")
	if !ok || rest == "" {
		return bad("it has no scheme and place")
	}
	if !slices.Contains(schemes, scheme) {
		return &moongate.Error{
			Code: moongate.Refused, Field: "addresses", Message: fmt.Sprintf("the scheme %.40q is not one of yours", scheme),
			Hint: "ask the operator to allow it for you",
		}
	}
	u, err := url.Parse(a.URL)
	if err != nil || u.User != nil || u.Query().Has(ClickParameter) {
		return bad("it cannot be parsed, names a user, or has the parameter " + ClickParameter)
	}
	if a.Package != "" && (a.Device != Android || !packageName(a.Package)) {
		return bad(fmt.Sprintf("%.80q is not the package of an Android application", a.Package))
	}
	return nil
}

// packageName tells whether a text is an Android application's: labels of letters, digits and underscores.
func packageName(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 200 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || !(l[0]|0x20 >= 'a' && l[0]|0x20 <= 'z') || strings.Trim(strings.ToLower(l), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return false
		}
	}
	return true
}

// neverSchemes run code, read files, or are what [Host] is for.
var neverSchemes = []string{
	"about", "blob", "content", "data", "file", "filesystem", "ftp", "http", "https", "intent", "jar", "javascript",
	"mailto", "sms", "tel", "vbscript", "view-source", "ws", "wss",
}

func checkScheme(s string) error {
	ok := len(s) >= 2 && len(s) <= 32 && s[0] >= 'a' && s[0] <= 'z'
	for _, c := range []byte(s) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("+-.", c) >= 0)
	}
	if !ok || slices.Contains(neverSchemes, s) {
		return malformed("schemes", "%.40q cannot be an application's scheme", "write it in lower case, such as tbopen", s)
	}
	return nil
}

// place is an address cut in two, so that a click token can be put in between.
type place struct{ base, joint, after string }

func placeOf(address string) place {
	base, _, has := strings.Cut(address, "#")
	p := place{base: base, joint: "?"}
	if strings.Contains(base, "?") {
		p.joint = "&"
	}
	if has {
		p.after = address[len(base):]
	}
	return p
}

func (p place) with(token string) string {
	return p.base + p.joint + ClickParameter + "=" + token + p.after
}

// intent writes an Android address (developer.chrome.com, "Android Intents with Chrome"): the application opens it, or
// the browser goes to the fallback.
func intent(address, application, fallback string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	rest, _, _ = strings.Cut(rest, "#")
	return "intent://" + rest + "#Intent;scheme=" + scheme + ";package=" + application +
		";S.browser_fallback_url=" + url.QueryEscape(fallback) + ";end"
}

func malformed(field, format, hint string, args ...any) error {
	return &moongate.Error{Code: moongate.Malformed, Field: field, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func refused(field, format, hint string, args ...any) error {
	return &moongate.Error{Code: moongate.Refused, Field: field, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func notFound(what, id string) error {
	return &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("there is no %s %.80q", what, id), Hint: "check the spelling"}
}
