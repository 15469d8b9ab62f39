package pages

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	pathpkg "path"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
)

// Cookies. Where the hub is reached by https only, their names make browsers refuse them from anywhere else.
const (
	sessionCookie = "moongate"
	doorCookie    = "moongate-door"
	hostPrefix    = "__Host-"
)

func (p *Pages) secure() bool { return strings.HasPrefix(p.hub.Config.PublicURL, "https://") }

func (p *Pages) cookieName(name string) string {
	if p.secure() {
		return hostPrefix + name
	}
	return name
}

func (p *Pages) setCookie(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the hub is reached by https; without, it is on loopback
		Name: p.cookieName(name), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: p.secure(), SameSite: http.SameSiteLaxMode,
	})
}

func (p *Pages) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(p.cookieName(name))
	if err != nil || len(c.Value) > 256 {
		return ""
	}
	return c.Value
}

// token is what a form must carry: it follows from what only the reader's own browser sends.
func (p *Pages) token(of string) string {
	m := hmac.New(sha256.New, p.forgery)
	m.Write([]byte(of))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// genuine refuses a form that was not posted from a page of ours for this very session.
func (p *Pages) genuine(v *visit) error { return p.posted(v.Request, v.session.String()) }

func (p *Pages) posted(r *http.Request, of string) error {
	if err := p.origin.Check(r); err != nil {
		return forged
	}
	if err := r.ParseForm(); err != nil {
		return unreadable
	}
	if !hmac.Equal([]byte(r.PostForm.Get("token")), []byte(p.token(of))) {
		return forged
	}
	return nil
}

// hasToken tells whether a token is that of the reader's own forms.
func (p *Pages) hasToken(v *visit, token string) bool {
	return hmac.Equal([]byte(token), []byte(p.token(v.session.String())))
}

// enter finds out who visits. Whoever has not signed in is sent to the door, and nil comes back.
func (p *Pages) enter(w http.ResponseWriter, r *http.Request) *visit {
	v := p.visited(w, r)
	if p.recognise(v) {
		return v
	}
	door := console.Routes["signin"]
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if here := r.URL.RequestURI(); here != console.Routes["home"] && onward(here) != "" {
			door += "?next=" + url.QueryEscape(here)
		}
	}
	if r.Header.Get("HX-Request") == "true" { // a page that is open: the whole of it goes to the door, not a part
		w.Header().Set("HX-Redirect", console.Routes["signin"])
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	http.Redirect(w, r, door, http.StatusSeeOther)
	return nil
}

// recognise reads the session's cookie.
func (p *Pages) recognise(v *visit) bool {
	token := p.cookie(v.Request, sessionCookie)
	if token == "" {
		return false
	}
	var session party.Session
	var credential party.Credential
	var err error
	p.hub.Machine().Read(func() { session, credential, v.who, err = p.hub.Party.SignedIn(token, v.now) })
	if err != nil {
		v.who = party.Participant{}
		return false
	}
	v.session, v.signedIn, v.scopes = session.ID, session.Since, credential.Scopes
	return true
}

// door shows the form to sign in with.
func (p *Pages) door(w http.ResponseWriter, r *http.Request) {
	v := p.visited(w, r)
	next := onward(r.URL.Query().Get("next"))
	if p.recognise(v) {
		http.Redirect(w, r, orHome(next), http.StatusSeeOther) //nolint:gosec // onward lets pages of the console through alone
		return
	}
	p.showDoor(w, v, http.StatusOK, console.SignIn{Next: next})
}

func (p *Pages) showDoor(w http.ResponseWriter, v *visit, status int, page console.SignIn) {
	held := p.cookie(v.Request, doorCookie)
	if held == "" {
		var b [16]byte
		p.hub.Random(b[:])
		held = base64.RawURLEncoding.EncodeToString(b[:])
		p.setCookie(w, doorCookie, held, int(doorLife/moongate.Second))
	}
	c := p.context(v)
	c.Token = p.token("door/" + held)
	w.Header().Set("Referrer-Policy", "same-origin")
	p.serve(w, v, status, c, page)
}

const doorLife = moongate.Hour

// signIn opens a session for whoever has a credential.
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v := p.visited(w, r)
	held := p.cookie(r, doorCookie)
	err := p.posted(r, "door/"+held)
	if err != nil || held == "" {
		p.showDoor(w, v, http.StatusForbidden, console.SignIn{Next: onward(r.PostForm.Get("next"))})
		return
	}
	next := onward(r.PostForm.Get("next"))
	var credential party.Credential
	p.hub.Machine().Read(func() {
		credential, _, err = p.hub.Party.Bearer(strings.TrimSpace(r.PostForm.Get("credential")), v.now)
	})
	if err != nil {
		p.showDoor(w, v, http.StatusUnauthorized, console.SignIn{Failed: true, Next: next})
		return
	}
	if _, err := p.openSession(w, v, &credential); err != nil {
		p.fail(w, v, err)
		return
	}
	p.setCookie(w, doorCookie, "", -1)
	http.Redirect(w, r, orHome(next), http.StatusSeeOther) //nolint:gosec // onward lets pages of the console through alone
}

// openSession signs the holder of a credential in.
func (p *Pages) openSession(w http.ResponseWriter, v *visit, c *party.Credential) (moongate.ID, error) {
	secret, err := party.NewSecret(p.hub.Rand())
	if err != nil {
		return moongate.ID{}, err
	}
	opened, err := hub.Do[party.Issued](v.Context(), p.hub, c.Holder, "", &party.OpenSession{Credential: c.ID, Expires: v.now + party.MaxSession, Hash: secret.Hash()})
	if err != nil {
		return moongate.ID{}, err
	}
	p.setCookie(w, sessionCookie, party.FormatToken(opened.ID, secret), int(party.MaxSession/moongate.Second))
	return opened.ID, nil
}

// freshFor is how long after signing in a session may lead money somewhere without showing its credential again. A browser
// that was left open, or a cookie that was taken, can read longer than it can act.
const freshFor = 10 * moongate.Minute

func (v *visit) fresh() bool { return v.now < v.signedIn+freshFor }

// confirmed lets through who has signed in a moment ago, or shows its credential again. That opens another session in place
// of the one there was, so that a queue is worked without showing it for each line.
func (p *Pages) confirmed(w http.ResponseWriter, v *visit, scope party.Scopes) error {
	given := strings.TrimSpace(v.PostForm.Get("credential"))
	if given == "" {
		if v.fresh() {
			return nil
		}
		return stale
	}
	var c party.Credential
	var err error
	p.hub.Machine().Read(func() { c, _, err = p.hub.Party.Bearer(given, v.now) })
	if err != nil || c.Holder != v.who.Handle || !c.Scopes.Has(scope) {
		return strange
	}
	if v.fresh() {
		return nil
	}
	before := v.session
	if v.session, err = p.openSession(w, v, &c); err != nil {
		return err
	}
	_, err = hub.Do[party.Done](v.Context(), p.hub, v.who.Handle, "", &party.CloseSession{Session: before})
	return err
}

// signOut ends the session, here and in the books.
func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v := p.visited(w, r)
	if p.recognise(v) {
		if err := p.genuine(v); err != nil {
			p.fail(w, v, err)
			return
		}
		if _, err := hub.Do[party.Done](r.Context(), p.hub, v.who.Handle, "", &party.CloseSession{Session: v.session}); err != nil {
			p.fail(w, v, err)
			return
		}
	}
	p.setCookie(w, sessionCookie, "", -1)
	http.Redirect(w, r, console.Routes["signin"], http.StatusSeeOther)
}

// onward lets through a page of ours to go on to after signing in, and nothing that leads anywhere else.
func onward(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || len(path) > 1000 || strings.ContainsAny(path, "\\\r\n\t") {
		return ""
	}
	if u.Path != pathpkg.Clean(u.Path) {
		return ""
	}
	home := console.Routes["home"]
	if path != home && !strings.HasPrefix(path, home+"/") && !strings.HasPrefix(path, home+"?") {
		return ""
	}
	return path
}

func orHome(next string) string {
	if next == "" {
		return console.Routes["home"]
	}
	return next
}
