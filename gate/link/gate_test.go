package link_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/party"
)

const (
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
	android = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
	wechat  = iphone + " MicroMessenger/8.0.50(0x18003230) NetType/WIFI Language/zh_CN"
)

func (w *world) gate(r *link.Recorder) *link.Gate {
	return &link.Gate{State: w.links, Read: w.machine.Read, Tokens: w.tokens(), Recorder: r, Now: func() moongate.Time { return w.Now }}
}

func TestGate(t *testing.T) {
	w := newWorld(t, link.Limits{})
	w.submit("op", &link.AllowSchemes{Handle: "mall", Schemes: []string{"mallapp"}})
	tea := w.submit("mall", &link.RegisterDestination{Name: "Tea", Addresses: append(web("https://mall.example/tea"),
		link.Address{Device: link.IOS, URL: "mallapp://tea/1"}, link.Address{Device: link.Android, URL: "mallapp://tea/1", Package: "com.mall.app"})}).(link.DestinationAnswer).Destination
	code := w.link("news", tea)
	shut := w.link("blog", tea)
	w.block("blog", link.BlockLinks{Destination: tea})
	closed := w.link("news", tea)
	w.submit("news", &link.CloseLink{Code: closed})
	direct := w.terms
	w.terms = w.agree(strings.NewReplacer("id: news-to-mall", "id: asking-first", "open: direct", "open: confirm").Replace(terms), w.submit)
	asking := w.link("news", tea)
	w.terms = direct

	r := w.recorder(0)
	g := w.gate(r)
	for _, tt := range []struct {
		name, method, path string
		header             http.Header
		status             int
		location, says     string
		clicks             int // that it counts
	}{
		{"open", "GET", "/l/" + code, nil, 302, "https://mall.example/tea?mg_click=TOKEN", "", 1},
		{"the request names no place", "GET", "/l/" + code + "?url=https://evil.example&redir_url=https://evil.example", nil, 302, "https://mall.example/tea?mg_click=TOKEN", "", 1},
		{"android", "GET", "/l/" + code, http.Header{"User-Agent": {android}}, 302, "intent://tea/1?mg_click=TOKEN#Intent;scheme=mallapp;package=com.mall.app;S.browser_fallback_url=https%3A%2F%2Fmall.example%2Ftea%3Fmg_click%3DTOKEN;end", "", 1},
		{"iphone", "GET", "/l/" + code, http.Header{"User-Agent": {iphone}}, 200, "", "Open mallapp://tea/1?mg_click=", 1},
		{"inside wechat", "GET", "/l/" + code, http.Header{"User-Agent": {wechat}}, 302, "https://mall.example/tea?mg_click=TOKEN", "", 1},
		{"head", "HEAD", "/l/" + code, nil, 302, "https://mall.example/tea", "", 0},
		{"prefetch", "GET", "/l/" + code, http.Header{"Sec-Purpose": {"prefetch;prerender"}}, 302, "https://mall.example/tea", "", 0},
		{"preview", "GET", "/l/" + code, http.Header{"X-Purpose": {"preview"}}, 302, "https://mall.example/tea", "", 0},
		{"ask first", "GET", "/l/" + asking, nil, 200, "", "leads to mall.example", 0},
		{"yes", "POST", "/l/" + asking, nil, 303, "https://mall.example/tea?mg_click=TOKEN", "", 1},
		{"shut", "GET", "/l/" + shut, nil, 403, "", "bank passwords", 0},
		{"closed", "GET", "/l/" + closed, nil, 410, "", "closed by its publisher", 0},
		{"unknown", "GET", "/l/nothing", nil, 404, "", "no link", 0},
		{"none", "GET", "/l/", nil, 404, "", "no link", 0},
		{"deeper", "GET", "/l/" + code + "/x", nil, 404, "", "no link", 0},
		{"delete", "DELETE", "/l/" + code, nil, 405, "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := r.Stats().Waiting
			req := httptest.NewRequest(tt.method, tt.path, nil)
			for name, v := range tt.header {
				req.Header[name] = v
			}
			res := httptest.NewRecorder()
			g.ServeHTTP(res, req)
			location := res.Header().Get("Location")
			token := ""
			if _, rest, ok := strings.Cut(location, "mg_click="); ok {
				token = rest[:strings.IndexAny(rest+"#", "#&")]
			}
			if res.Code != tt.status || strings.NewReplacer(token, "TOKEN").Replace(location) != tt.location && token != "" || token == "" && location != tt.location {
				t.Errorf("%d %s; want %d %s", res.Code, location, tt.status, tt.location)
			}
			if !strings.Contains(res.Body.String(), tt.says) {
				t.Errorf("it says %q; want %q", res.Body, tt.says)
			}
			if got := r.Stats().Waiting - before; got != tt.clicks {
				t.Errorf("%d clicks counted, want %d", got, tt.clicks)
			}
			if res.Code != 405 && res.Header().Get("Cache-Control") != "no-store" {
				t.Error("the answer may be stored")
			}
			if token != "" {
				c, err := w.tokens().Open(token)
				if err != nil || c.Publisher != "news" || c.Owner != "mall" || c.Lands("mall", w.Now) != nil {
					t.Errorf("token: %+v %v", c, err)
				}
			}
		})
	}
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	met := 0
	for _, e := range w.events() {
		if e, ok := e.(*link.Met); ok {
			met += int(e.Stopped.Count)
		}
	}
	if met != 1 {
		t.Errorf("%d openings met the block, want 1", met)
	}
	w.submit("op", &party.Suspend{Handle: "mall", Reason: "forged goods"})
	res := httptest.NewRecorder()
	g.ServeHTTP(res, httptest.NewRequest("GET", "/l/"+code, nil))
	if res.Code != 403 || !strings.Contains(res.Body.String(), "forged goods") {
		t.Errorf("%d %s", res.Code, res.Body)
	}
	var shown link.Page
	g.Show = func(w http.ResponseWriter, _ *http.Request, p link.Page) { shown = p; w.WriteHeader(p.Status) }
	g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/l/"+code, nil))
	if shown.Status != 403 || shown.Resolution.Destination.Name != "Tea" || shown.Error.Code != moongate.Forbidden {
		t.Errorf("shown %+v", shown)
	}
}

func TestDeviceOf(t *testing.T) {
	for agent, want := range map[string]link.Device{
		"": link.Web, "curl/8": link.Web, iphone: link.IOS, android: link.Android, wechat: link.WeChat,
		android + " AlipayClient/10.5": link.Alipay, "Mozilla/5.0 (Phone; OpenHarmony 5.0) ArkWeb/4.1": link.Harmony,
	} {
		if got := link.DeviceOf(agent); got != want {
			t.Errorf("%q is %s, want %s", agent, got, want)
		}
	}
}

// nothing is a response that is thrown away.
type nothing struct{ h http.Header }

func (n nothing) Header() http.Header         { return n.h }
func (n nothing) Write(b []byte) (int, error) { return len(b), nil }
func (n nothing) WriteHeader(int)             {}

// BenchmarkGate is what the gate itself costs, without HTTP around it; recording the clicks is counted in.
func BenchmarkGate(b *testing.B) {
	w := newWorld(b, link.Limits{})
	code := w.link("news", w.destination("mall", "https://mall.example/tea"))
	r := w.recorder(0)
	g := w.gate(r)
	req := httptest.NewRequest("GET", "/l/"+code, nil)
	req.Header.Set("User-Agent", android)
	out := nothing{http.Header{}}
	for n := 0; b.Loop(); n++ {
		g.ServeHTTP(out, req)
		if n%1000 == 999 {
			if err := r.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
