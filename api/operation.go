package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// op is what an operation says of itself.
type op struct {
	method  string
	path    string
	id      string
	tag     string
	summary string
	detail  string
	scope   party.Scopes // 0: none
	public  bool         // nobody need be known
	signed  bool         // moves money: a signature is needed
	status  int
	example string // of the body, in JSON
	upload  string // the body's type, where it is a file
}

func (a *API) operation(o op) huma.Operation {
	out := huma.Operation{
		Middlewares: huma.Middlewares{a.admitted(o)},
		Method:      o.method, Path: o.path, OperationID: o.id, Tags: []string{o.tag}, Summary: o.summary, Description: o.detail,
		DefaultStatus: o.status, MaxBodyBytes: MaxBody + 1, BodyReadTimeout: -1, // the body was read already
		Errors: []int{400, 401, 403, 404, 409, 413, 422, 503},
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
		out.Extensions = map[string]any{"x-scope": o.scope.Names()}
	}
	if o.upload != "" {
		out.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{o.upload: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
		out.SkipValidateBody = true
	}
	if o.example != "" {
		out.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Example: exampleJSON(o.example)}}}
	}
	return out
}

// KeyHeader is the idempotency key of a request that changes something.
type KeyHeader struct {
	Key string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" patternDescription:"printable ASCII without blanks" doc:"Names this request for good: the same key and body change nothing the second time, and answer the same. Another body under the same key is refused with 422." example:"5f0c7f9e-8f0b-4f0e-9a55-2c6c3f1d2a10"`
}

// commandInput is a request that changes something.
type commandInput[C any] struct {
	KeyHeader
	Body C
}

// raw has an operation write its answer by itself: what is not JSON, or has no bound. Parameters are checked as for any
// other. What breaks off after it began is cut off, and does not look whole.
func raw[I any](a *API, o op, contentType string, serve func(w http.ResponseWriter, r *http.Request, who Principal, in *I) error) {
	if o.method == "" {
		o.method = http.MethodGet
	}
	a.order = append(a.order, o.id)
	operation := a.operation(o)
	operation.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	huma.Register(a.huma, operation, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		who, err := principal(ctx)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			r, w := humago.Unwrap(c)
			began := &answer{ResponseWriter: w}
			err := serve(began, r, who, in)
			switch {
			case err == nil || r.Context().Err() != nil:
			case began.begun:
				a.hub.Log.Error("an answer broke off", "request", requestID(ctx), "operation", o.id, "error", err)
				panic(http.ErrAbortHandler)
			default:
				for _, name := range []string{"Content-Type", "Content-Disposition"} {
					w.Header().Del(name)
				}
				var p *Problem
				if errors.As(a.problem(ctx, err), &p) {
					write(w, p)
				}
			}
		}}, nil
	})
}

// patient is [hub.Patient] by the hub's clock.
func (a *API) patient(w http.ResponseWriter) io.Writer { return hub.Patient(w, a.hub.Now) }

// output is a body, with the position that a later read may ask for.
type output[A any] struct {
	Position string `header:"Moongate-Position" doc:"Send it back with a read, and what the read shows is at least as new as this answer."`
	Body     A
}

// command has an operation submit a room's command, whose JSON form is the request's body.
func command[A any, C any, P interface {
	*C
	replica.Command
}](a *API, o op) {
	if kind := P(new(C)).CommandKind(); a.hub.Machine().AnswerType(kind) != reflect.TypeFor[A]() {
		panic(fmt.Sprintf("api: %s answers with %v, the operation says %v", kind, a.hub.Machine().AnswerType(kind), reflect.TypeFor[A]()))
	}
	submit(a, o, func(_ context.Context, _ Principal, body *C) (prepared[A], error) {
		return prepared[A]{command: P(body)}, nil
	})
}

// prepared is a command ready to be submitted, and what its answer becomes.
type prepared[A any] struct {
	command replica.Command
	print   []byte // see replica.Request.Print
	secrets []replica.Secret
	done    func() // once it was submitted; nil for nothing
}

// submit has an operation make a command of its body: where the gate must check or add what the room cannot.
func submit[A any, C any](a *API, o op, prepare func(ctx context.Context, who Principal, body *C) (prepared[A], error)) {
	submitAs(a, o, func(ctx context.Context, who Principal, _ string, body *C) (prepared[A], error) {
		return prepare(ctx, who, body)
	}, func(_ Principal, _ string, _ *C, answer A) A { return answer })
}

// submitAs is submit whose answer is another than the command's: it may tell what only the gate knows.
func submitAs[B any, A any, C any](a *API, o op, prepare func(ctx context.Context, who Principal, key string, body *C) (prepared[A], error), shape func(who Principal, key string, body *C, answer A) B) {
	if o.method == "" {
		o.method = http.MethodPost
	}
	if o.status == 0 {
		o.status = http.StatusOK
	}
	a.order = append(a.order, o.id)
	huma.Register(a.huma, a.operation(o), func(ctx context.Context, in *commandInput[C]) (*output[B], error) {
		who, spent := pipelined(ctx)
		p, err := prepare(ctx, who, in.Key, &in.Body)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		if p.done != nil {
			defer p.done()
		}
		answer, err := replica.Submit[A](ctx, a.hub.Node, replica.Request{Caller: who.Handle, Key: in.Key, Command: p.command, Print: p.print, Secrets: p.secrets})
		if err := spent(); err != nil {
			return nil, a.problem(ctx, err)
		}
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return &output[B]{a.position(who), shape(who, in.Key, &in.Body, answer)}, nil
	})
}

// position is a token for what is durable now.
func (a *API) position(who Principal) string {
	at, _ := a.hub.Node.Durable()
	return a.hub.Cursor(who.Handle, at)
}

// query has an operation answer from the newest state: see [replica.Node.Current].
func query[I any, A any](a *API, o op, read func(ctx context.Context, who Principal, in *I) (A, error)) {
	register(a, o, func(ctx context.Context, who Principal, in *I) (A, error) {
		if err := a.hub.Node.Current(ctx); err != nil {
			var none A
			return none, err
		}
		return read(ctx, who, in)
	})
}

// register has an operation answer whatever read gives.
func register[I any, A any](a *API, o op, read func(ctx context.Context, who Principal, in *I) (A, error), before ...func(huma.Context, func(huma.Context))) {
	if o.method == "" {
		o.method = http.MethodGet
	}
	a.order = append(a.order, o.id)
	operation := a.operation(o)
	operation.Middlewares = append(operation.Middlewares, before...)
	huma.Register(a.huma, operation, func(ctx context.Context, in *I) (*struct{ Body A }, error) {
		who, err := principal(ctx)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		answer, err := read(ctx, who, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return &struct{ Body A }{answer}, nil
	})
}

// PageInput is what every list takes.
type PageInput struct {
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many at most."`
	After string `query:"after" maxLength:"600" doc:"What the page before gave as next."`
	AtLeast
}

// AtLeast asks for a list that is new enough.
type AtLeast struct {
	Position string `header:"Moongate-Position" maxLength:"64" doc:"What an earlier answer gave: what this shows is at least as new."`
}

// Page is a part of a list, newest first.
type Page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Where to go on; missing at the end."`
}

// viewWait is how long a read waits for the views to be new enough.
const viewWait = 3 * time.Second

// list has an operation answer a page from the views. The room's cursors are enciphered for their reader.
func list[I any, T any](a *API, o op, page func(*I) *PageInput, read func(ctx context.Context, who Principal, in *I, after string, limit int) (rows []T, next string, err error)) {
	register(a, o, func(ctx context.Context, who Principal, in *I) (Page[T], error) {
		p := page(in)
		if err := a.fresh(ctx, who, p.Position); err != nil {
			return Page[T]{}, err
		}
		after, err := a.hub.Unseal(who.Handle, o.id, p.After)
		if err != nil {
			return Page[T]{}, err
		}
		rows, next, err := read(ctx, who, in, after, p.Limit)
		if err != nil {
			return Page[T]{}, err
		}
		if rows == nil {
			rows = []T{}
		}
		return Page[T]{rows, a.hub.Seal(who.Handle, o.id, next)}, nil
	})
}

// listNow is [list] from the newest state and the journal, which need not wait for the views.
func listNow[I any, T any](a *API, o op, page func(*I) *PageInput, read func(ctx context.Context, who Principal, in *I, after string, limit int) (rows []T, next string, err error)) {
	list(a, o, page, func(ctx context.Context, who Principal, in *I, after string, limit int) ([]T, string, error) {
		if err := a.hub.Node.Current(ctx); err != nil {
			return nil, "", err
		}
		return read(ctx, who, in, after, limit)
	})
}

// fresh waits until the views are as new as an answer that the reader has seen.
func (a *API) fresh(ctx context.Context, who Principal, token string) error {
	at, err := a.hub.OpenCursor(who.Handle, token)
	if err != nil {
		return &moongate.Error{Code: moongate.Malformed, Field: "Moongate-Position", Message: "this position is not one of ours, or was given to somebody else", Hint: "send back what an answer to you gave, or leave it out"}
	}
	ctx, cancel := context.WithTimeout(ctx, viewWait)
	defer cancel()
	err = a.hub.Views.Wait(ctx, at)
	if moongate.CodeOf(err) == moongate.Busy { // how far they are is for the hub alone
		return &moongate.Error{Code: moongate.Busy, Message: "the lists are not that new yet", Hint: "ask again in a moment, or leave Moongate-Position out"}
	}
	return err
}

// problem translates an error and has what is internal logged.
func (a *API) problem(ctx context.Context, err error) error {
	p := ProblemOf(err)
	p.Instance = requestID(ctx)
	if p.Code == string(moongate.Internal) {
		a.hub.Log.Error("request failed", "request", p.Instance, "error", err)
	}
	return p
}

// denied is what somebody is told who may not see something, and what he is told where it does not exist: the same.
func denied(what, id string) error {
	return &moongate.Error{Code: moongate.NotFound, Message: "there is no " + what + " " + short(id) + ", or it is not yours to see", Hint: "check the identifier"}
}
