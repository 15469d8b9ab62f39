package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
)

// controls lays out what a test drives the wallet with over HTTP. Writing wants a JSON content type, which a foreign
// page cannot send without asking first.
//
//	GET    /sandbox             what there is: merchants, counts, faults, violations
//	POST   /sandbox/approve     {"mchid":…,"out_trade_no":…} pays an order without a browser
//	POST   /sandbox/decline     the same, declining
//	POST   /sandbox/faults      a Fault
//	DELETE /sandbox/faults      forget all faults
//	POST   /sandbox/rotate      a new platform certificate, which signs at once
func (w *Wallet) controls() {
	w.mux.HandleFunc("GET /sandbox", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, http.StatusOK, w.Status()) })
	w.mux.HandleFunc("POST /sandbox/approve", w.control(func(r *http.Request) error { return w.decideOrder(r, w.Approve) }))
	w.mux.HandleFunc("POST /sandbox/decline", w.control(func(r *http.Request) error { return w.decideOrder(r, w.Decline) }))
	w.mux.HandleFunc("POST /sandbox/faults", w.control(func(r *http.Request) error {
		var f Fault
		if err := decode(r, &f); err != nil {
			return err
		}
		return w.Inject(f)
	}))
	w.mux.HandleFunc("DELETE /sandbox/faults", w.control(func(*http.Request) error { w.Clear(); return nil }))
	w.mux.HandleFunc("POST /sandbox/rotate", w.control(func(*http.Request) error { return w.RotateNow() }))
}

// Status is what the wallet says of itself.
type Status struct {
	Name       string      `json:"name"`
	BaseURL    string      `json:"base_url"`
	Serial     string      `json:"platform_serial"`
	Merchants  []string    `json:"merchants"`
	Orders     int         `json:"orders"`
	Waiting    int         `json:"notifications_waiting"`
	Faults     []Fault     `json:"faults"`
	Violations []Violation `json:"violations"`
}

// Status tells how the wallet stands.
func (w *Wallet) Status() Status {
	s := Status{Name: w.cfg.Name, BaseURL: w.cfg.BaseURL, Merchants: w.Merchants(), Waiting: w.Waiting(), Faults: w.Faults(), Violations: w.Violations()}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Serial, s.Orders = w.signer(nil).serial, w.orders
	return s
}

func (w *Wallet) decideOrder(r *http.Request, do func(mchID, no string) error) error {
	var p struct {
		MchID string `json:"mchid"`
		No    string `json:"out_trade_no"`
	}
	if err := decode(r, &p); err != nil {
		return err
	}
	return do(p.MchID, p.No)
}

func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (w *Wallet) control(do func(*http.Request) error) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
			reply(rw, http.StatusUnsupportedMediaType, map[string]string{"error": "Content-Type must be application/json"})
			return
		}
		r.Body = http.MaxBytesReader(rw, r.Body, maxBody)
		if err := do(r); err != nil {
			reply(rw, http.StatusConflict, map[string]string{"error": err.Error()})
			return
		}
		reply(rw, http.StatusOK, map[string]bool{"ok": true})
	}
}

func reply(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v) // a client that has gone is its own affair
}
