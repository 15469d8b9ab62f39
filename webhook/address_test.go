package webhook

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
)

func TestCheckURL(t *testing.T) {
	for address, want := range map[string]string{
		"https://shop.example.org/hooks?x=1":                 "",
		"https://shop.example.org:8443/":                     "",
		"https://8.8.8.8/hooks":                              "",
		"https://[2a00:1450:4001:81b::200e]/":                "",
		"http://shop.example.org/":                           "https",
		"ftp://shop.example.org/":                            "https",
		"HTTPS://shop.example.org/":                          "",
		"https://user:pw@shop.example.org/":                  "user",
		"https://shop.example.org/#a":                        "fragment",
		"https://shop.example.org\\@evil.example/":           "backslash",
		"https://shop.example.org/ a":                        "blank",
		"https://shop.example.org/\r\nX: y":                  "blank",
		"https://магазин.example/":                           "ASCII",
		"https://":                                           "web address",
		"https:shop.example.org":                             "web address",
		"https://shop.example.org:/":                         "web address",
		"https://localhost/":                                 "public name",
		"https://localhost./":                                "public name",
		"https://intranet/":                                  "public name",
		"https://db.internal/":                               "public name",
		"https://printer.local/":                             "public name",
		"https://1.0.0.127.in-addr.arpa/":                    "public name",
		"https://127.0.0.1/":                                 "not a public one",
		"https://10.1.2.3/":                                  "not a public one",
		"https://169.254.169.254/latest/meta-data/":          "not a public one",
		"https://[::1]/":                                     "not a public one",
		"https://[::ffff:10.0.0.1]/":                         "not a public one",
		"https://[fd00::1]/":                                 "not a public one",
		"https://[fe80::1%25eth0]/":                          "not a public one",
		"https://[64:ff9b::a00:1]/":                          "not a public one",
		"https://2130706433/":                                "public name",
		"https://0x7f.1/":                                    "public name",
		"https://127.1/":                                     "public name",
		"https://" + strings.Repeat("a", 2048) + ".example/": "bytes",
		"": "bytes",
	} {
		err := CheckURL(address, false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || moongate.CodeOf(err) != moongate.Malformed) {
			t.Errorf("%.60q: %v, want %q", address, err, want)
		}
	}
	for address, ok := range map[string]bool{
		"http://127.0.0.1:9000/": true, "http://localhost:9000/": true, "https://[::1]:9000/": true, "http://10.0.0.1/": false, "http://shop.example/": false,
	} {
		if err := CheckURL(address, true); (err == nil) != ok {
			t.Errorf("with loopback %q: %v", address, err)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2a00:1450::1": true, "223.5.5.5": true,
		"0.0.0.0": false, "10.0.0.1": false, "100.64.0.1": false, "127.0.0.1": false, "169.254.169.254": false, "172.16.0.1": false,
		"172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false, "192.0.2.1": false, "198.18.0.1": false, "198.51.100.1": false,
		"203.0.113.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false,
		"::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "fc00::1": false, "fe80::1": false, "ff02::1": false, "64:ff9b::8.8.8.8": false,
		"2001:db8::1": false, "2001::1": false, "2002:7f00:1::": false, "100::1": false, "3fff::1": false,
	} {
		if got := Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// A name that stands for a private address, also beside a public one or only at the second look, is not connected to.
func TestNamesThatLeadInside(t *testing.T) {
	looks := 0
	p := &Poster{Now: time.Now, Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
		looks++
		switch host {
		case "inside.example":
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		case "both.example":
			return []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("::ffff:127.0.0.1")}, nil
		}
		return nil, nil
	}}
	m := &Message{ID: "evt_1", Kind: "a.b", Data: []byte("{}")}
	for _, host := range []string{"inside.example", "both.example", "nowhere.example"} {
		if r := p.post(t.Context(), "https://"+host+"/", [][]byte{make([]byte, 32)}, m); r.failed != errNotPublic.Error() || r.status != 0 {
			t.Errorf("%s: %+v", host, r)
		}
	}
	if looks != 3 {
		t.Errorf("%d look-ups for three messages", looks)
	}
	if r := p.post(t.Context(), "http://127.0.0.1:1/", [][]byte{make([]byte, 32)}, m); !strings.Contains(r.failed, "https") {
		t.Errorf("loopback, which was allowed once: %+v", r)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://shop.example/", "https://[::1]/", "http://localhost", "https://a@b/", "https://0x7f.1", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if CheckURL(raw, false) == nil && !strings.HasPrefix(strings.ToLower(raw), "https://") {
			t.Errorf("%q is taken", raw)
		}
	})
}
