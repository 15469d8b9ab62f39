package link

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
)

// dataDir finds published test data. Where CI is set, missing data is a failure.
func dataDir(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("MOONGATE_DATA")
	if root == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA is not set: the published data is missing")
		}
		t.Skip("MOONGATE_DATA is not set: the published data is not here")
	}
	return filepath.Join(root, filepath.FromSlash(name))
}

func TestHost(t *testing.T) {
	for _, tt := range []struct{ url, host string }{
		{"https://shop.example.org", "shop.example.org"},
		{"https://shop.example.org/p/1?a=b&c=%E9%97%A8#/view", "shop.example.org"},
		{"https://shop.example.org:8443/p", "shop.example.org"},
		{"https://xn--fiqs8s.example/", "xn--fiqs8s.example"},                                                                // 中国
		{"https://xn--lck851nb2a.example/", "xn--lck851nb2a.example"},                                                        // 日本カ: Han and Katakana
		{"https://xn--wgv71as55mln7a.example/", "xn--wgv71as55mln7a.example"},                                                // 한국日本: Hangul and Han
		{"https://xn--bcher-kva.example/", "xn--bcher-kva.example"},                                                          // bücher
		{"https://xn--n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa.example", "xn--n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa.example"}, // Japanese, RFC 3492
	} {
		if got, err := Host(tt.url, false); err != nil || got != tt.host {
			t.Errorf("%s: %q %v", tt.url, got, err)
		}
	}
	for _, bad := range []struct{ url, says string }{
		{"", "0 bytes"},
		{"https://a.example/" + strings.Repeat("a", 2048), "2066 bytes"},
		{"http://shop.example.org/", "https://"},
		{"//shop.example.org/", "https://"},
		{"shop.example.org/", "https://"},
		{"javascript:alert(1)", "not a web address"},
		{"data:text/html,x", "not a web address"},
		{"https:/shop.example.org", "no host"},
		{"https://", "no host"},
		{"https://user@shop.example.org/", "user"},
		{"https://shop.example.org:x@evil.example/", "user"},
		{"https://good.example@evil.example/", "user"},
		{"https://good.example%40evil.example/", "not a web address"},
		{`https://good.example\@evil.example/`, "backslash"},
		{`https://good.example\.evil.example/`, "backslash"},
		{"https://shop.example.org/a b", "blank"},
		{"https://shop.example.org/a\tb", "blank"},
		{"https://shop.example.org/\r\nSet-Cookie: a=b", "blank"},
		{"https://shop.example.org/%0d%0aSet-Cookie:a", "line break"},
		{"https://shop.example.org/%0D", "line break"},
		{"https://shop.example.org/%00", "line break"},
		{"https://shop.example.org/<script>", "percent-encoded"},
		{"https://商城.example/", "outside ASCII"},
		{"https://shop.example.org/门", "outside ASCII"},
		{"https://shop.example.org/?mg_click=forged", "mg_click"},
		{"https://shop.example.org/?a=1&mg%5Fclick=forged", "mg_click"},
		{"https://Shop.example.org/", "lower case"},
		{"https://shop_1.example.org/", "lower case"},
		{"https://-shop.example.org/", "lower case"},
		{"https://shop..example.org/", `""`},
		{"https://shop.example.org./", "host is a number"},
		{"https://localhost/", "public host"},
		{"https://intranet/", "public host"},
		{"https://router.local/", "private networks"},
		{"https://127.0.0.1/", "number"},
		{"https://169.254.169.254/latest/meta-data", "number"},
		{"https://2130706433/", "public host"},
		{"https://0x7f.0x1/", "number"},
		{"https://[::1]/", "public host"},
		{"https://shop.example.org:/", "empty port"},
		{"https://xn--pple-43d.example/", "mixes"},                       // аpple: Cyrillic а, Latin pple
		{"https://xn--.example/", "lower case"},                          // ends in a hyphen
		{"https://xn--a-jn6bt1b.example/", "mixes"},                      // Han and Latin
		{"https://xn--lck851nb2a2740a.example/", "mixes"},                // Han, Katakana and Hangul
		{"https://xn--a-ylb.example/", "mixes"},                          // Greek and Latin
		{"https://xn--" + "e28h.example/", "not accepted"},               // an emoji
		{"https://xn--99999999999999999.example/", "internationalised"},  // overflow
		{"https://xn--" + strings.Repeat("a", 60) + ".example/", "part"}, // label too long
	} {
		got, err := Host(bad.url, false)
		if moongate.CodeOf(err) != moongate.Malformed || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%q: %q %v; want %q", bad.url, got, err, bad.says)
		}
	}
	for _, local := range []string{"http://127.0.0.1:8080/p", "http://localhost:1/", "http://[::1]:80/"} {
		if _, err := Host(local, true); err != nil {
			t.Errorf("%s in a demonstration: %v", local, err)
		}
		if _, err := Host(local, false); err == nil {
			t.Errorf("%s was let through", local)
		}
	}
	if _, err := Host("http://shop.example.org/", true); err == nil {
		t.Error("http outside this machine was let through")
	}
}

// Real addresses of real sites are let through, or refused for a reason that they really have.
func TestRealAddresses(t *testing.T) {
	f, err := os.Open(filepath.Join(dataDir(t, "links"), "ytdlp_urls.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := slices.IndexFunc(rows[1], func(s string) bool { return strings.HasPrefix(s, "http") })
	if column < 0 {
		t.Fatalf("no address in %q", rows[1])
	}
	taken, refused := 0, map[string]int{}
	for _, row := range rows[1:] {
		u := row[column]
		_, err := Host(u, false)
		switch {
		case err == nil:
			taken++
		case strings.HasPrefix(u, "http://"), strings.ContainsAny(u, " |{}^\"<>`\\"), strings.Contains(u, "%0"), strings.IndexFunc(u, func(r rune) bool { return r > '~' }) >= 0:
			refused["as it should be"]++
		default:
			refused[err.Error()]++
		}
	}
	delete(refused, "as it should be")
	for why, n := range refused {
		if n > 0 && !strings.Contains(why, "lower case") && !strings.Contains(why, "https://") && !strings.Contains(why, "number") {
			t.Errorf("%d times: %s", n, why)
		}
	}
	if taken < len(rows)/2 {
		t.Errorf("of %d addresses only %d were taken", len(rows), taken)
	}
}

// The samples of RFC 3492, section 7.1, and the labels of published lists.
func TestPunycode(t *testing.T) {
	for in, want := range map[string]string{
		"egbpdaj6bu4bxfgehfvwxn":                        "ليهمابتكلموشعربي؟",
		"ihqwcrb4cv8a8dqg056pqjye":                      "他们为什么不说中文",
		"ihqwctvzc91f659drss3x8bo0yb":                   "他們爲什麽不說中文",
		"Proprostnemluvesky-uyb24dma41a":                "Pročprostěnemluvíčesky",
		"n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa":        "なぜみんな日本語を話してくれないのか",
		"b1abfaaepdrnnbgefbadotcwatmq2g4l":              "почемужеонинеговорятпорусски",
		"PorqunopuedensimplementehablarenEspaol-fmd56a": "PorquénopuedensimplementehablarenEspañol",
		"bcher-kva": "bücher",
	} {
		if in == "b1abfaaepdrnnbgefbadotcwatmq2g4l" {
			in = "b1abfaaepdrnnbgefbaDotcwatmq2g4l" // its case carries no meaning here
			in = strings.ToLower(in)
		}
		got, ok := punycode(in)
		if !ok || string(got) != want {
			t.Errorf("%s became %q, want %q", in, string(got), want)
		}
	}
	for _, bad := range []string{"", "-", "a-", "99999999", "é", "a-\x00"} {
		if got, ok := punycode(bad); ok {
			t.Errorf("%q became %q", bad, string(got))
		}
	}
}

// Every internationalised name of the public suffix list is of one alphabet.
func TestPublicSuffixes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(dataDir(t, "links"), "psl_tests.txt"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" .'(),;\n", r) }) {
		if rest, ok := strings.CutPrefix(word, "xn--"); ok {
			seen++
			label, ok := punycode(rest)
			if !ok || oneScript(label) != "" {
				t.Errorf("%s is %q: %s", word, string(label), oneScript(label))
			}
		}
	}
	if seen == 0 {
		t.Error("the list has no internationalised name")
	}
}

func TestAppAddress(t *testing.T) {
	schemes := []string{"tbopen", "weixin"}
	good := []Address{
		{Device: IOS, URL: "tbopen://m.taobao.example/tbopen/index.html?action=ali.open.nav&module=h5"},
		{Device: WeChat, URL: "weixin://dl/business/?t=TICKET"},
		{Device: Android, URL: "tbopen://item?id=1", Package: "com.taobao.taobao"},
	}
	for _, a := range good {
		if err := checkApp(&a, schemes); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []struct {
		a    Address
		code moongate.Code
	}{
		{Address{Device: IOS, URL: ""}, moongate.Malformed},
		{Address{Device: IOS, URL: "tbopen:x"}, moongate.Malformed},
		{Address{Device: IOS, URL: "tbopen://"}, moongate.Malformed},
		{Address{Device: IOS, URL: "alipays://platformapi/startapp"}, moongate.Refused},
		{Address{Device: IOS, URL: "TBOPEN://x"}, moongate.Refused},
		{Address{Device: IOS, URL: "tbopen://user@host/"}, moongate.Malformed},
		{Address{Device: IOS, URL: "tbopen://x\r\nLocation: y"}, moongate.Malformed},
		{Address{Device: IOS, URL: "tbopen://x?mg_click=1"}, moongate.Malformed},
		{Address{Device: IOS, URL: "tbopen://x", Package: "com.x.y"}, moongate.Malformed},
		{Address{Device: Android, URL: "tbopen://x", Package: "com.x;end;S.browser_fallback_url=https://evil.example"}, moongate.Malformed},
		{Address{Device: Android, URL: "tbopen://x", Package: "com"}, moongate.Malformed},
		{Address{Device: Android, URL: "tbopen://x", Package: "com.1x"}, moongate.Malformed},
	} {
		if err := checkApp(&bad.a, schemes); moongate.CodeOf(err) != bad.code {
			t.Errorf("%+v: %v", bad.a, err)
		}
	}
	for _, s := range []string{"tbopen", "weixin", "a1+.-"} {
		if err := checkScheme(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "a", "javascript", "https", "intent", "file", "Tb", "1a", "a:b", strings.Repeat("a", 33)} {
		if err := checkScheme(s); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestPlaceOfToken(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example":             "https://a.example?mg_click=T",
		"https://a.example/p?x=1":       "https://a.example/p?x=1&mg_click=T",
		"https://a.example/p#/v?x=1":    "https://a.example/p?mg_click=T#/v?x=1",
		"tbopen://m/i?x=1#frag":         "tbopen://m/i?x=1&mg_click=T#frag",
		"https://a.example/?x=1&y#z?q#": "https://a.example/?x=1&y&mg_click=T#z?q#",
	} {
		if got := placeOf(in).with("T"); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
	got := intent("tbopen://m/i?x=1&mg_click=T#f", "com.a.b", "https://a.example/?mg_click=T;end")
	if want := "intent://m/i?x=1&mg_click=T#Intent;scheme=tbopen;package=com.a.b;S.browser_fallback_url=https%3A%2F%2Fa.example%2F%3Fmg_click%3DT%3Bend;end"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestPatterns(t *testing.T) {
	if got, want := strings.Join(patterns("a.b.shop.example"), " "), "a.b.shop.example *.b.shop.example *.shop.example"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, good := range []string{"shop.example", "*.shop.example"} {
		if err := checkPattern(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "*", "*.example", "*.*.shop.example", "shop.*", "https://shop.example", "shop.example/p"} {
		if err := checkPattern(bad); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Whatever is let through stays one line, leads to the host it says, and keeps the token apart.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"https://shop.example.org/p?x=1#f", "https://a@b.example", `https:\\a.example`, "https://xn--pple-43d.example", "https://a.example:443"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		host, err := Host(raw, false)
		if err != nil {
			return
		}
		again, err := Host(placeOf(raw).base+placeOf(raw).joint+ClickParameter+"=x", false)
		if err == nil || !strings.Contains(err.Error(), ClickParameter) {
			t.Fatalf("%q with a token is not seen to have one: %q %v", raw, again, err)
		}
		if strings.ContainsAny(raw, "\r\n\\@ ") && strings.Contains(raw[:strings.Index(raw+"/", "/")+2], "@") {
			t.Fatalf("%q was let through", raw)
		}
		if !strings.HasPrefix(raw, "https://"+host) {
			t.Fatalf("%q is said to lead to %q", raw, host)
		}
	})
}
