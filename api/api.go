package api

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
	"github.com/moongate-hub/moongate/replica"
)

// API is the hub's HTTP surface.
type API struct {
	hub      *hub.Hub
	verifier *httpsig.Verifier
	mux      *http.ServeMux
	huma     huma.API
}

// New makes the API of a hub. Handler serves it.
func New(h *hub.Hub, version string) *API {
	a := &API{hub: h, mux: http.NewServeMux(), verifier: &httpsig.Verifier{Authorities: []string{h.Config.Authority()}, Scheme: strings.SplitN(h.Config.PublicURL, ":", 2)[0]}}
	c := huma.DefaultConfig("Moongate", version)
	c.Info.Description = "An open interconnection hub: crossings between platforms under signed terms, with proof."
	c.DocsPath, c.SchemasPath = "", ""
	c.OpenAPIPath = "/openapi"
	c.RejectUnknownQueryParameters = true
	c.CreateHooks = nil // no $schema links in bodies
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":    {Type: "http", Scheme: "bearer", Description: "An API credential, mgt_…"},
		"signature": {Type: "apiKey", In: "header", Name: "Signature", Description: "RFC 9421 HTTP message signature with Ed25519; see docs/api.md"},
	}
	a.huma = humago.New(a.mux, c)
	a.huma.OpenAPI().Components.Schemas.RegisterTypeAlias(reflect.TypeFor[party.Scopes](), reflect.TypeFor[[]string]())
	a.routes()
	return a
}

func (a *API) routes() {
	a.partyRoutes()
	a.logRoutes()
	a.eventRoutes()
}

// Handler serves everything, behind bounds that hold for every request.
func (a *API) Handler() http.Handler {
	return a.recovered(a.identified(secured(a.authenticate(a.mux))))
}

// Mux is where pages and gates add their own paths.
func (a *API) Mux() *http.ServeMux { return a.mux }

// Server is an http.Server whose time-outs a slow client cannot stretch.
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func (a *API) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b [8]byte
		a.hub.Random(b[:])
		id := "req_" + hex.EncodeToString(b[:])
		w.Header().Set("Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey, id)))
	})
}

func (a *API) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic's value
				a.hub.Log.Error("a handler failed", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				writeProblem(w, r, &moongate.Error{Code: moongate.Internal, Message: "the hub could not do this"})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

// op is what an operation says of itself.
type op struct {
	method  string
	path    string
	id      string
	tag     string
	summary string
	detail  string
	scope   party.Scopes // 0: none, and nobody need be known
	public  bool
	signed  bool // moves money: a signature is needed
	status  int
}

func (o op) operation() huma.Operation {
	out := huma.Operation{
		Method: o.method, Path: o.path, OperationID: o.id, Tags: []string{o.tag}, Summary: o.summary, Description: o.detail,
		DefaultStatus: o.status, MaxBodyBytes: MaxBody, BodyReadTimeout: 15 * time.Second,
		Errors: []int{400, 401, 403, 404, 409, 422, 503},
	}
	switch {
	case o.public:
		out.Security = []map[string][]string{}
	case o.signed:
		out.Security = []map[string][]string{{"signature": {}}}
	default:
		out.Security = []map[string][]string{{"bearer": {}}, {"signature": {}}}
	}
	if o.scope != 0 {
		out.Description = strings.TrimSpace(out.Description + "\n\nScope: `" + o.scope.String() + "`.")
	}
	return out
}

// commandInput is a room's command as a request body.
type commandInput[C any] struct {
	Key  string `header:"Idempotency-Key" maxLength:"128" doc:"Names this request for good: the same key and body change nothing the second time, and answer the same."`
	Body C
}

type output[A any] struct{ Body A }

// command has an operation submit a room's command, whose JSON form is the request's body.
func command[A any, C any, P interface {
	*C
	replica.Command
}](a *API, o op) {
	if o.method == "" {
		o.method = http.MethodPost
	}
	if o.status == 0 {
		o.status = http.StatusCreated
	}
	huma.Register(a.huma, o.operation(), func(ctx context.Context, in *commandInput[C]) (*output[A], error) {
		who := principal(ctx)
		if err := who.need(o.scope, o.signed); err != nil {
			return nil, err
		}
		if in.Key == "" {
			return nil, ProblemOf(&moongate.Error{Code: moongate.Malformed, Field: "Idempotency-Key", Message: "the header is missing", Hint: "name each request with a key of your own, such as a UUID; a retry has the same"})
		}
		answer, err := hub.Do[A](ctx, a.hub, who.Handle, in.Key, P(&in.Body))
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return &output[A]{answer}, nil
	})
}

// query has an operation answer from what is there.
func query[I any, A any](a *API, o op, read func(ctx context.Context, who Principal, in *I) (A, error)) {
	if o.method == "" {
		o.method = http.MethodGet
	}
	huma.Register(a.huma, o.operation(), func(ctx context.Context, in *I) (*output[A], error) {
		who := principal(ctx)
		if !o.public {
			if err := who.need(o.scope, o.signed); err != nil {
				return nil, a.problem(ctx, err)
			}
		}
		answer, err := read(ctx, who, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return &output[A]{answer}, nil
	})
}

// problem translates an error and has what is internal logged.
func (a *API) problem(ctx context.Context, err error) error {
	p := ProblemOf(err)
	p.Instance = requestID(ctx)
	if p.Status >= http.StatusInternalServerError && p.Code == string(moongate.Internal) {
		a.hub.Log.Error("request failed", "request", p.Instance, "error", err)
	}
	return p
}
