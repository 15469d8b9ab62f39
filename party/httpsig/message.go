package httpsig

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
)

// Message is the part of a request that a signature can cover.
type Message struct {
	Method    string      // as on the wire, case kept
	Scheme    string      // "http" or "https"
	Authority string      // lower case, without the scheme's own port
	Path      string      // as on the wire, percent-encoding kept; never empty
	Query     string      // as on the wire with its leading "?"; "?" alone when there is none
	Header    http.Header // fields as they came
}

// maxTarget bounds the request target, maxValue the value of one covered field, in bytes.
const (
	maxTarget = 8 << 10
	maxValue  = 8 << 10
)

// MessageOf reads what is signed from a request, on the server as on the client. The scheme is the caller's to know:
// behind a proxy that ends TLS the server does not see it.
func MessageOf(r *http.Request, scheme string) (Message, error) {
	host, target := r.Host, r.RequestURI
	if target == "" { // a request about to be sent; r.URL is what goes on the wire
		target = r.URL.RequestURI()
		if host == "" {
			host = r.URL.Host
		}
	}
	if len(target) > maxTarget {
		return Message{}, refuse(moongate.TooLarge, "target", "the request target has %d bytes; at most %d can be signed", len(target), maxTarget)
	}
	if !strings.HasPrefix(target, "/") || !printable(target) || strings.ContainsAny(target, " #\t") {
		return Message{}, refuse(moongate.Malformed, "target", "%.80q is not a path and query", target)
	}
	path, query, _ := strings.Cut(target, "?")
	authority, err := authorityOf(host, scheme)
	if err != nil {
		return Message{}, err
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	return Message{Method: method, Scheme: scheme, Authority: authority, Path: path, Query: "?" + query, Header: r.Header}, nil
}

// authorityOf normalises a host by RFC 9110, section 4.2.3: lower case, and no port where it is the scheme's own.
func authorityOf(host, scheme string) (string, error) {
	if host == "" || len(host) > 255 || !printable(host) || strings.ContainsAny(host, " \t/?#@\\\"") {
		return "", refuse(moongate.Malformed, "host", "%.80q is not a host", host)
	}
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", refuse(moongate.Internal, "scheme", "scheme %q: only http and https requests are signed", scheme)
	}
	return strings.TrimSuffix(host, ":"), nil
}

// Base builds the signature base of RFC 9421, section 2.5: one line per covered component, then the parameters as they
// stand in Signature-Input. Components are bare names; derived ones are @method, @authority, @path, @query,
// @target-uri, @scheme and @request-target.
func Base(m *Message, components []string, params string) ([]byte, error) {
	var b strings.Builder
	for i, name := range components {
		if slices.Contains(components[:i], name) {
			return nil, refuse(moongate.Malformed, "Signature-Input", "component %q is listed twice", name)
		}
		value, err := m.component(name)
		if err != nil {
			return nil, err
		}
		b.WriteString(`"` + name + `": ` + value + "\n")
	}
	b.WriteString(`"@signature-params": ` + params)
	return []byte(b.String()), nil
}

func (m *Message) component(name string) (string, error) {
	switch name {
	case "@method":
		return m.Method, nil
	case "@authority":
		return m.Authority, nil
	case "@path":
		return m.Path, nil
	case "@query":
		return m.Query, nil
	case "@scheme":
		return m.Scheme, nil
	case "@request-target":
		return m.target(), nil
	case "@target-uri":
		return m.Scheme + "://" + m.Authority + m.target(), nil
	}
	if !fieldName(name) || name == "signature" || name == "signature-input" {
		return "", refuse(moongate.Malformed, "Signature-Input", "component %.40q cannot be covered", name)
	}
	values := m.Header[textproto.CanonicalMIMEHeaderKey(name)]
	if len(values) == 0 {
		return "", refuse(moongate.Malformed, "Signature-Input", "field %q is covered but the request has none", name)
	}
	trimmed := make([]string, len(values))
	size := 0
	for i, v := range values {
		trimmed[i] = strings.Trim(v, " \t")
		if size += len(v); size > maxValue {
			return "", refuse(moongate.TooLarge, name, "the field has more than %d bytes", maxValue)
		}
		if !printable(trimmed[i]) {
			return "", refuse(moongate.Malformed, name, "a signed field must be printable ASCII")
		}
	}
	return strings.Join(trimmed, ", "), nil
}

// target is the origin form; a lone "?" stands for no query at all.
func (m *Message) target() string {
	if m.Query == "?" {
		return m.Path
	}
	return m.Path + m.Query
}

// fieldName tells whether a name is a field's in lower case (RFC 9110, section 5.1).
func fieldName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// printable tells whether a text is ASCII without control characters; a signature base must be (RFC 9421, 2.5).
func printable(s string) bool {
	for _, c := range []byte(s) {
		if (c < 0x20 || c > 0x7e) && c != '\t' {
			return false
		}
	}
	return true
}

func refuse(code moongate.Code, field, format string, args ...any) error {
	return &moongate.Error{Code: code, Message: fmt.Sprintf(format, args...), Field: field, Hint: hints[code]}
}

var hints = map[moongate.Code]string{
	moongate.Malformed:       "sign the request anew by the profile in the documentation (RFC 9421)",
	moongate.Unauthenticated: "sign the request anew with a registered key and a clock that is right",
	moongate.TooLarge:        "send less",
}
