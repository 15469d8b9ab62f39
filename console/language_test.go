package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAcceptLanguage(t *testing.T) {
	for _, test := range []struct {
		header string
		want   Lang
	}{
		{"", English},
		{"zh", Chinese},
		{"zh-CN,zh;q=0.9,en;q=0.8", Chinese},
		{"en-GB,en;q=0.9,zh-CN;q=0.8", English},
		{"fr-FR, de;q=0.9, zh-TW;q=0.5, en;q=0.4", Chinese},
		{"en;q=0, zh;q=0.001", Chinese},
		{"en;q=0.5,zh;q=0.5", English},
		{"zh;q=0", English},
		{"*", English},
		{"ZH-hans", Chinese},
		{"zh;q=1.001", English}, // weights end at 1
		{"zh;q=.5", English},
		{"zh;q=0.1234", English},
		{"zh;q=1e9", English},
		{"zh;q=+0.5", English},
		{"zh;level=1", English},
		{"zhong", English},
		{strings.Repeat("x,", 20) + "zh", English}, // too many ranges
		{strings.Repeat(" ", acceptBytes) + "zh", English},
	} {
		if got := acceptLanguage(test.header); got != test.want {
			t.Errorf("acceptLanguage(%.60q) = %s, want %s", test.header, got, test.want)
		}
	}
}

func FuzzAcceptLanguage(f *testing.F) {
	for _, s := range []string{"zh-CN,zh;q=0.9,en;q=0.8", "*;q=0.1", ";;;,,,", "zh;q=1.000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got := acceptLanguage(header)
		if got != English && got != Chinese {
			t.Errorf("%q is no language of pages", got)
		}
		if got == Chinese && !strings.Contains(strings.ToLower(header), "zh") {
			t.Errorf("Chinese for %q", header)
		}
	})
}

func TestPreferences(t *testing.T) {
	for _, test := range []struct {
		name, target, accept string
		cookies              []*http.Cookie
		lang                 Lang
		theme                Theme
		kept                 int // cookies that are set
	}{
		{name: "nothing said", target: "/", lang: English},
		{name: "browser", target: "/", accept: "zh", lang: Chinese},
		{name: "cookie before browser", target: "/", accept: "zh", cookies: []*http.Cookie{{Name: "lang", Value: "en"}}, lang: English},
		{name: "query before cookie", target: "/?lang=zh", cookies: []*http.Cookie{{Name: "lang", Value: "en"}}, lang: Chinese, kept: 1},
		{name: "nonsense", target: "/?lang=xx&theme=pink", cookies: []*http.Cookie{{Name: "lang", Value: "../"}, {Name: "theme", Value: "x"}}, lang: English},
		{name: "dark", target: "/?theme=dark", lang: English, theme: Dark, kept: 1},
		{name: "back to the system", target: "/?theme=auto", cookies: []*http.Cookie{{Name: "theme", Value: "dark"}}, lang: English, theme: Auto, kept: 1},
		{name: "dark, remembered", target: "/", cookies: []*http.Cookie{{Name: "theme", Value: "dark"}}, lang: English, theme: Dark},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, test.target, nil)
			r.Header.Set("Accept-Language", test.accept)
			for _, c := range test.cookies {
				r.AddCookie(c)
			}
			lang, theme := Preferences(w, r)
			if lang != test.lang || theme != test.theme {
				t.Errorf("got %q %q, want %q %q", lang, theme, test.lang, test.theme)
			}
			if kept := w.Result().Cookies(); len(kept) != test.kept {
				t.Errorf("%d cookies are set, want %d", len(kept), test.kept)
			}
		})
	}
}
