package pages

import (
	"net/url"
	"strings"
	"testing"
)

// Whatever comes in ?next=, it leads to a page of the console or nowhere.
func FuzzOnward(f *testing.F) {
	for _, next := range []string{
		"/console", "/console/windows?after=x#y", "/console/../evil", "//evil.example/console", "/console//evil.example", "https://evil.example/console", `/console\evil`,
		"/console/%2e%2e/%2e%2e/evil", "/console/%2f%2fevil.example", "/consolevil", "/console\r\nSet-Cookie: x=y", "javascript:alert(1)", "/console?next=//evil.example", "",
	} {
		f.Add(next)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := onward(next)
		if got == "" {
			return
		}
		base := &url.URL{Scheme: "https", Host: "hub.example", Path: "/console/sign-in"}
		to, err := base.Parse(got)
		if err != nil || to.Host != "hub.example" || to.Scheme != "https" || to.Path != "/console" && !strings.HasPrefix(to.Path, "/console/") || strings.ContainsAny(got, "\r\n\\") {
			t.Fatalf("%q leads to %q", next, to)
		}
	})
}
