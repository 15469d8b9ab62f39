package link

import (
	"net/http"
	"strings"

	"github.com/moongate-hub/moongate"
)

// Gate answers links: GET /l/CODE.
type Gate struct {
	State    *State
	Read     func(func()) // the machine's
	Tokens   *Tokens
	Recorder *Recorder
	Now      func() moongate.Time
	// Show writes a page; nil writes plain text.
	Show func(http.ResponseWriter, *http.Request, Page)
}

// Page is what a reader sees who is not simply sent on.
type Page struct {
	Status     int
	Resolution *Resolution     // nil where there is no such link
	Block      *Block          // the link is kept shut
	Error      *moongate.Error // the link does not open
	Confirm    bool            // a form that posts to the same address leads on
	Continue   string          // address that the application opens, with the token
	Fallback   string          // the same place on the web, with the token
}

// Path is where a link of this hub begins.
const Path = "/l/"

// ServeHTTP sends the reader on, or says why not. It acknowledges nothing: see [Recorder].
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h["Cache-Control"] = noStore
	code, device, at := strings.TrimPrefix(r.URL.Path, Path), DeviceOf(r.UserAgent()), g.Now()
	var l Resolution
	var err error
	g.Read(func() { l, err = g.State.Resolve(code, device, at) })
	switch {
	case err != nil:
		g.show(w, r, refusalPage(&l, err))
		return
	case l.Block != nil:
		if !preview(r) {
			g.Recorder.Met(code, l.Block.Decision.Block, at)
		}
		g.show(w, r, Page{Status: http.StatusForbidden, Resolution: &l, Block: l.Block, Error: l.Block.refusal()})
		return
	case l.Confirm && r.Method != http.MethodPost:
		g.show(w, r, Page{Status: http.StatusOK, Resolution: &l, Confirm: true})
		return
	}
	token := ""
	if !preview(r) { // who only looks ahead opens nothing
		click := g.Recorder.Click(&l, device, at)
		token = g.Tokens.Seal(&click)
	}
	if !l.Direct() {
		page := Page{Status: http.StatusOK, Resolution: &l, Continue: l.With(token)}
		l.Address = l.Destination.Addresses[0].URL
		page.Fallback = l.With(token)
		g.show(w, r, page)
		return
	}
	h["Location"] = []string{l.With(token)}
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusFound)
}

var noStore = []string{"no-store"}

func refusalPage(l *Resolution, err error) Page {
	p := Page{Status: http.StatusInternalServerError, Error: reasonOf(err)}
	switch p.Error.Code {
	case moongate.NotFound:
		p.Status = http.StatusNotFound
	case moongate.Refused:
		p.Status = http.StatusGone
	case moongate.Forbidden:
		p.Status = http.StatusForbidden
	}
	if l.Link.Code != "" {
		p.Resolution = l
	}
	return p
}

func (g *Gate) show(w http.ResponseWriter, r *http.Request, p Page) {
	if g.Show != nil {
		g.Show(w, r, p)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	var text string
	switch {
	case p.Error != nil:
		text = p.Error.Error()
	case p.Confirm:
		text = "This link leads to " + p.Resolution.Destination.Host + ". Post to this address to go on."
	default:
		text = "Open " + p.Continue + "\nor " + p.Fallback
	}
	_, _ = w.Write([]byte(text + "\n")) // the reader has gone away: nothing to do
}

// preview tells whether somebody only looks where a link leads: a crawler that asks for the head, a browser that loads
// ahead, an application that draws a preview.
func preview(r *http.Request) bool {
	if r.Method == http.MethodHead {
		return true
	}
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if v := r.Header[name]; len(v) > 0 && (strings.Contains(v[0], "prefetch") || strings.Contains(v[0], "preview")) {
			return true
		}
	}
	return false
}

// DeviceOf guesses from a browser's name where a link is opened. A page inside an application is the application's.
func DeviceOf(userAgent string) Device {
	for _, d := range deviceMarks {
		if strings.Contains(userAgent, d.mark) {
			return d.device
		}
	}
	return Web
}

var deviceMarks = []struct {
	mark   string
	device Device
}{
	{"MicroMessenger", WeChat},
	{"AlipayClient", Alipay},
	{"OpenHarmony", Harmony},
	{"HarmonyOS", Harmony},
	{"Android", Android},
	{"iPhone", IOS},
	{"iPad", IOS},
	{"iPod", IOS},
}
