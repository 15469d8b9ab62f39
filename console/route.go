package console

import (
	"net/url"
	"strings"
)

// Routes are the paths that pages link to, as patterns of [net/http.ServeMux]. Whoever wires the console serves each
// of them; the key is the page's name, which is also a [Ref]'s Kind.
var Routes = map[string]string{
	"home":         "/console",
	"crossings":    "/console/crossings",
	"crossing":     "/console/crossings/{id}",
	"receipt":      "/console/crossings/{id}/receipt",
	"payments":     "/console/payments",
	"payment":      "/console/payments/{id}",
	"refunds":      "/console/refunds",
	"balances":     "/console/balances",
	"account":      "/console/balances/{id}",
	"windows":      "/console/windows",
	"window":       "/console/windows/{id}",
	"payouts":      "/console/payouts",
	"exceptions":   "/console/exceptions",
	"exception":    "/console/exceptions/{id}", // answers with a redirect into the queue
	"bills":        "/console/bills",
	"bill":         "/console/bills/{id}",
	"differences":  "/console/differences",
	"difference":   "/console/differences/{id}",
	"agreements":   "/console/agreements",
	"agreement":    "/console/agreements/{id}",
	"links":        "/console/links",
	"link":         "/console/links/{id}", // likewise
	"destinations": "/console/destinations",
	"participants": "/console/participants",
	"participant":  "/console/participants/{id}",
	"statements":   "/console/statements",
	"statement":    "/console/statements/{id}",
	"webhooks":     "/console/webhooks",
	"webhook":      "/console/webhooks/{id}",
	"wallets":      "/console/wallets",
	"health":       "/console/system",
	"find":         "/console/find",
	"signin":       "/console/sign-in",
	"signout":      "/console/sign-out",
	"log":          "/log",
}

// to is the path of a page; the id is escaped. A page that nobody serves leads home.
func to(page string, id ...string) string {
	pattern, ok := Routes[page]
	if !ok {
		pattern = Routes["home"]
	}
	if len(id) == 1 {
		return strings.Replace(pattern, "{id}", url.PathEscape(id[0]), 1)
	}
	return pattern
}

// safeBack lets through what a page may link a reader to: a path of this hub, or an https or loopback http address.
// Anything else, a script above all, becomes "".
func safeBack(address string) string {
	u, err := url.Parse(address)
	if err != nil || strings.ContainsAny(address, "\\\r\n\t") || u.User != nil {
		return ""
	}
	switch {
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//"):
		return address
	case u.Scheme == "https" && u.Host != "":
		return address
	case u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost" || u.Hostname() == "::1"):
		return address
	}
	return ""
}

// safeOnward lets through any application's own scheme, for the link gate has checked the address against those that
// its owner may use. What a browser itself would run or open is refused all the same.
func safeOnward(address string) string {
	if a := safeBack(address); a != "" {
		return a
	}
	u, err := url.Parse(address)
	if err != nil || strings.ContainsAny(address, "\\\r\n\t \"<>") || !strings.Contains(address, "://") {
		return ""
	}
	switch u.Scheme {
	case "", "http", "https", "javascript", "data", "vbscript", "file", "blob", "filesystem", "about", "view-source", "ftp", "ws", "wss":
		return ""
	}
	return address
}

// safeHandoff lets through what opens a wallet: safeBack's addresses and the wallets' own schemes.
func safeHandoff(address string) string {
	if a := safeBack(address); a != "" {
		return a
	}
	u, err := url.Parse(address)
	if err != nil || strings.ContainsAny(address, "\\\r\n\t \"<>") {
		return ""
	}
	switch u.Scheme {
	case "weixin", "alipays", "alipay":
		return address
	}
	return ""
}
