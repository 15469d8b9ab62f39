package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// controls lays out what a test drives the wallet with over HTTP. Writing wants a JSON content type, which a foreign
// page cannot send without asking first.
//
//	GET    /sandbox             what there is: accounts, counts, faults, violations
//	POST   /sandbox/approve     {"mchid":…,"out_trade_no":…} pays an order without a browser
//	POST   /sandbox/decline     the same, declining
//	POST   /sandbox/faults      a Fault
//	DELETE /sandbox/faults      forget all faults, and set the clock right
//	POST   /sandbox/clock       {"ahead":"20m"} puts the wallet's own clock off; "-20m" is behind
//
// A wire may have more, added with [Wallet.Control].
func (w *Wallet) controls() {
	w.mux.HandleFunc("GET /sandbox", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, http.StatusOK, w.Status()) })
	w.Control("POST /sandbox/approve", func(r *http.Request) error { return w.decideOrder(r, w.Approve) })
	w.Control("POST /sandbox/decline", func(r *http.Request) error { return w.decideOrder(r, w.Decline) })
	w.Control("POST /sandbox/faults", func(r *http.Request) error {
		var f Fault
		if err := decode(r, &f); err != nil {
			return err
		}
		return w.Inject(f)
	})
	w.Control("DELETE /sandbox/faults", func(*http.Request) error { w.Clear(); return nil })
	w.Control("POST /sandbox/clock", w.setClock)
}

// Status is what the wallet says of itself.
type Status struct {
	Name       string      `json:"name"`
	BaseURL    string      `json:"base_url"`
	Serial     string      `json:"platform_serial,omitempty"` // of the certificate that signs, where there is one
	Accounts   []string    `json:"accounts"`
	Orders     int         `json:"orders"`
	Waiting    int         `json:"notifications_waiting"`
	Faults     []Fault     `json:"faults"`
	Violations []Violation `json:"violations"`
}

// Status tells how the wallet stands.
func (w *Wallet) Status() Status {
	s := Status{Name: w.cfg.Name, BaseURL: w.cfg.BaseURL, Waiting: w.Waiting(), Faults: w.Faults(), Violations: w.Violations()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wire.Status(&s)
	return s
}

func (w *Wallet) decideOrder(r *http.Request, do func(account, no string) error) error {
	var p map[string]string
	if err := decode(r, &p); err != nil {
		return err
	}
	account, no := p[w.wire.Account], p["out_trade_no"]
	if account == "" || no == "" || len(p) != 2 {
		return fmt.Errorf("sandbox: %s and out_trade_no are wanted, and nothing else", w.wire.Account)
	}
	return do(account, no)
}

// maxSkew bounds how far a clock may be put off.
const maxSkew = 366 * 24 * time.Hour

func (w *Wallet) setClock(r *http.Request) error {
	var p struct {
		Ahead string `json:"ahead"`
	}
	if err := decode(r, &p); err != nil {
		return err
	}
	d, err := time.ParseDuration(p.Ahead)
	if err != nil || d > maxSkew || d < -maxSkew {
		return fmt.Errorf("sandbox: ahead: %.40q is no time of up to a year, like 20m or -90s", p.Ahead)
	}
	w.SetSkew(d)
	return nil
}

func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// Control adds an endpoint to drive the wallet with. An error is answered 409.
func (w *Wallet) Control(pattern string, do func(*http.Request) error) {
	w.mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) {
		// A page elsewhere can make a browser post a form, but neither JSON nor DELETE.
		if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" && r.Method != http.MethodDelete {
			reply(rw, http.StatusUnsupportedMediaType, map[string]string{"error": "Content-Type must be application/json"})
			return
		}
		r.Body = http.MaxBytesReader(rw, r.Body, maxBody)
		if err := do(r); err != nil {
			reply(rw, http.StatusConflict, map[string]string{"error": err.Error()})
			return
		}
		reply(rw, http.StatusOK, map[string]bool{"ok": true})
	})
}

func reply(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v) // a client that has gone is its own affair
}
