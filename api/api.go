package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// API is the hub's HTTP surface.
type API struct {
	Bounds Bounds // of what is served at once

	hub       *hub.Hub
	verifier  *httpsig.Verifier
	mux       *http.ServeMux
	huma      huma.API
	load      load
	replayed  replayed
	document  document
	reference reference
	order     []string   // operation ids as they were registered
	backing   sync.Mutex // held while a backup is taken

	// parsing has room for the bodies that are parsed at once, which takes a hundred times their memory for a moment.
	parsing chan struct{}
}

// New makes the API of a hub. Handler serves it.
func New(h *hub.Hub, version string) *API {
	a := &API{
		Bounds: DefaultBounds, hub: h, mux: http.NewServeMux(), parsing: make(chan struct{}, 4*runtime.GOMAXPROCS(0)),
		verifier: &httpsig.Verifier{Authorities: []string{h.Config.Authority()}, Scheme: strings.SplitN(h.Config.PublicURL, ":", 2)[0]},
	}
	a.huma = humago.New(a.mux, a.humaConfig(version))
	a.routes()
	a.describe()
	return a
}

func (a *API) routes() {
	a.partyRoutes()
	a.agreementRoutes()
	a.ledgerRoutes()
	a.crossingRoutes()
	a.linkRoutes()
	a.paymentRoutes()
	a.billRoutes()
	a.settlementRoutes()
	a.statementRoutes()
	a.webhookRoutes()
	a.logRoutes()
	a.eventRoutes()
	a.operatorRoutes()
	a.documentRoutes()
	a.referenceRoutes()
}

// Handler serves everything, behind bounds that hold for every request. Only what stands below /v1/ is authenticated
// here: pages and gates that were added to [API.Mux] know their callers by other means.
func (a *API) Handler() http.Handler {
	routed := a.routed(a.mux)
	v1 := a.routed(a.authenticate(a.buffered(a.whole(a.mux))))
	return a.guarded(a.bounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			w.Header()["Cache-Control"] = noStore // what it answers is somebody's own, and may hold a secret
			v1.ServeHTTP(w, r)
			return
		}
		routed.ServeHTTP(w, r)
	})))
}

var noStore = []string{"no-store"}

// Mux is where pages and gates add their own paths.
func (a *API) Mux() *http.ServeMux { return a.mux }

type contextKey int

const (
	callerKey contextKey = iota
	requestIDKey
	leaveKey
	parsedKey
)

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// answer knows whether the answer has begun.
type answer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader notes that the answer has begun.
func (w *answer) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer has begun.
func (w *answer) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// guarded names the request, says how browsers are to treat what comes back, and turns a panic into a problem that
// tells nothing. Paths are not logged: some carry what must stay secret.
func (a *API) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		var b [8]byte
		a.hub.Random(b[:])
		id := "req_" + hex.EncodeToString(b[:])
		w := &answer{ResponseWriter: out}
		h := w.Header()
		h["Request-Id"] = []string{id}
		h["X-Content-Type-Options"] = []string{"nosniff"}
		h["Referrer-Policy"] = []string{"no-referrer"}
		h["X-Frame-Options"] = []string{"DENY"}
		if a.verifier.Scheme == "https" {
			h["Strict-Transport-Security"] = []string{"max-age=31536000"}
		}
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey, id))
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value
				panic(p)
			}
			a.hub.Log.Error("a handler failed", "request", id, "pattern", r.Pattern, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if w.begun {
				panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
			writeProblem(w, r, errFailed)
		}()
		next.ServeHTTP(w, r)
	})
}

var errFailed = &moongate.Error{Code: moongate.Internal, Message: "a handler failed"}

// routed answers for paths that nobody serves, and for methods that a path does not have.
func (a *API) routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := a.mux.Handler(r)
		if pattern != "" && (path.Clean(r.URL.Path) == strings.TrimSuffix(r.URL.Path, "/") || r.URL.Path == "/") {
			next.ServeHTTP(w, r)
			return
		}
		p := ProblemOf(&moongate.Error{Code: moongate.NotFound, Message: "nothing is here", Hint: "the reference at /docs lists what is"})
		if pattern == "" {
			tried := tried{header: http.Header{}}
			h.ServeHTTP(&tried, r)
			if tried.status == http.StatusMethodNotAllowed {
				p = ProblemOf(&moongate.Error{Code: moongate.Malformed, Message: "this path has no method " + short(r.Method), Hint: "use one of " + tried.header.Get("Allow")})
				p.Status, p.Title = http.StatusMethodNotAllowed, "Not this method"
				w.Header().Set("Allow", tried.header.Get("Allow"))
			}
		}
		p.Instance = requestID(r.Context())
		write(w, p)
	})
}

// tried keeps what the mux would have answered.
type tried struct {
	header http.Header
	status int
}

// Header is a scratch one.
func (t *tried) Header() http.Header { return t.header }

// Write drops the text.
func (t *tried) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader keeps the status.
func (t *tried) WriteHeader(status int) { t.status = status }
