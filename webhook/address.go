package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/moongate-hub/moongate"
)

// maxURL bounds an endpoint's address, in bytes.
const maxURL = 2048

// CheckURL refuses an address that no message may go to: any but https at a public host. What a name stands for is found out when a message is sent:
// see [Dialer]. With loopback allowed (a demonstration, a test), http on this machine is let through.
func CheckURL(raw string, loopback bool) error {
	bad := func(why string) error {
		return &moongate.Error{Code: moongate.Malformed, Field: "url", Message: fmt.Sprintf("%.120q: %s", raw, why), Hint: "write an https address of a public host, such as https://shop.example.org/hooks"}
	}
	if len(raw) == 0 || len(raw) > maxURL {
		return bad(fmt.Sprintf("it has %d bytes; 1 to %d are allowed", len(raw), maxURL))
	}
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			return bad("it holds a blank, a control, a backslash or a letter that is not ASCII; percent-encode it")
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || strings.HasSuffix(u.Host, ":") {
		return bad("it is not a web address")
	}
	local := loopback && isLocal(u.Hostname())
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !local):
		return bad("it does not begin with https://")
	case u.User != nil:
		return bad("it names a user")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return bad("it has a fragment, which would not be sent")
	}
	if local {
		return nil
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if a, err := netip.ParseAddr(host); err == nil && !Public(a) {
		return bad("its address is not a public one")
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if _, err := netip.ParseAddr(host); err != nil && (last == host || last == "" || last[0] >= '0' && last[0] <= '9' || private(last)) {
		return bad("its host is not a public name")
	}
	return nil
}

func isLocal(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// private names never mean the same to two networks (RFC 6761, RFC 6762, RFC 8375).
func private(last string) bool {
	switch last {
	case "localhost", "local", "internal", "arpa", "onion", "test", "invalid":
		return true
	}
	return false
}

// reserved are the networks that no public host is in (IANA special-purpose registries), and those that lead to one of
// them by another spelling: IPv4 within IPv6.
var reserved = func() (all []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}()

var globalV6 = netip.MustParsePrefix("2000::/3")

// Public tells whether an address is one that anybody may be reached at.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Zone() != "" || a.Is6() && !globalV6.Contains(a) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}
