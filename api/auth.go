package api

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
	"github.com/moongate-hub/moongate/replica"
)

// Principal is who makes a request, as far as that is established.
type Principal struct {
	Handle string
	Scopes party.Scopes
	Signed bool // with a key, not only by a bearer credential
}

// Operates tells whether the principal may see and do everything. An operator whose credential lacks the scope may not.
func (p Principal) Operates() bool { return p.Scopes&party.OperatorScope != 0 }

// caller is a principal whose nonce may still be on its way into the journal.
type caller struct {
	Principal
	head  *httpsig.Head // what was signed, where the body has yet to be compared with it
	spent func() error  // waits until the nonce is spent; nil where there is none
	still func() error  // tells whether what established the principal still does
}

// principal says who makes a request. Where it is signed its nonce is spent afterwards, durably.
func principal(ctx context.Context) (Principal, error) {
	parsed(ctx)
	c, _ := ctx.Value(callerKey).(caller)
	if c.spent != nil {
		if err := c.spent(); err != nil {
			return Principal{}, err
		}
	}
	return c.Principal, nil
}

// pipelined is [principal] for a command with an idempotency key, which need not wait for the nonce: the journal takes
// both in order, and a replayed request finds its key used. The answer must wait for spent.
func pipelined(ctx context.Context) (who Principal, spent func() error) {
	parsed(ctx)
	c, _ := ctx.Value(callerKey).(caller)
	if c.spent == nil {
		return c.Principal, func() error { return nil }
	}
	return c.Principal, c.spent
}

// authenticate establishes who makes a request, by a signature (RFC 9421) or a bearer credential, before any of its body
// is read. A request without either goes on as nobody's, if it brings no body; a false one does not.
func (a *API) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := a.callerOf(r)
		if err == nil && c.Handle == "" && r.ContentLength != 0 {
			err = c.need(0, false)
		}
		if err != nil {
			if r.ContentLength != 0 {
				w.Header().Set("Connection", "close") // what still arrives is not waited for
			}
			writeProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey, c)))
	})
}

// whole compares the body of a signed request with what was signed of it, and begins to spend the nonce.
func (a *API) whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(callerKey).(caller)
		if c.head == nil {
			next.ServeHTTP(w, r)
			return
		}
		err := c.head.Holds(bodyOf(r))
		if err == nil {
			c.spent, err = a.spend(r, c.Handle, &c.head.Proof)
		}
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey, c)))
	})
}

func (a *API) callerOf(r *http.Request) (caller, error) {
	if httpsig.Present(r.Header) {
		return a.signed(r)
	}
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return caller{}, nil
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return caller{}, &moongate.Error{Code: moongate.Unauthenticated, Message: "this kind of Authorization is not known here", Hint: "send Authorization: Bearer TOKEN, or sign the request (RFC 9421)"}
	}
	var c party.Credential
	var who party.Participant
	check := func() (err error) {
		now := moongate.At(a.hub.Now())
		a.hub.Machine().Read(func() { c, who, err = a.hub.Party.Bearer(strings.TrimSpace(token), now) })
		return err
	}
	if err := check(); err != nil {
		return caller{}, err
	}
	return caller{Principal: Principal{Handle: who.Handle, Scopes: c.Scopes}, still: check}, nil
}

// still tells whether a principal that was established a while ago would be again.
func still(ctx context.Context) error {
	if c, _ := ctx.Value(callerKey).(caller); c.still != nil {
		return c.still()
	}
	return nil
}

// signed checks a request's signature. Whether the key still counts, and what is wrong with its holder, learns only
// whoever has the key.
func (a *API) signed(r *http.Request) (caller, error) {
	now := moongate.At(a.hub.Now())
	head, err := a.verifier.VerifyHead(r, now, func(id string) (key ed25519.PublicKey, err error) {
		a.hub.Machine().Read(func() {
			if k, ok := a.hub.Party.Key(id); ok {
				key = k.Public[:]
				return
			}
			_, err = a.hub.Party.ValidKey(id, now)
		})
		return key, err
	})
	if err != nil {
		return caller{}, err
	}
	var who party.Participant
	check := func() (err error) {
		a.hub.Machine().Read(func() {
			var k party.Key
			if k, err = a.hub.Party.ValidKey(head.KeyID, moongate.At(a.hub.Now())); err == nil {
				who, err = a.hub.Party.Active(k.Holder)
			}
		})
		return err
	}
	if err := check(); err != nil {
		return caller{}, err
	}
	scopes := party.AllScopes
	if who.Kind == party.Operator {
		scopes |= party.OperatorScope
	}
	return caller{Principal: Principal{Handle: who.Handle, Scopes: scopes, Signed: true}, head: &head, still: check}, nil
}

// spend begins to spend a signature's nonce, and gives what waits until it is spent.
func (a *API) spend(r *http.Request, by string, proof *httpsig.Proof) (spent func() error, err error) {
	if a.replayed.again(proof.KeyID, proof.Nonce, moongate.At(a.hub.Now())) {
		return nil, party.Replayed
	}
	done := make(chan error, 1)
	a.hub.Node.Go(replica.Request{Caller: by, Command: &party.UseNonce{Key: proof.KeyID, Nonce: proof.Nonce, Expires: proof.Expires}},
		func(_ any, err error) { done <- err })
	ctx := r.Context()
	return func() error {
		select {
		case err := <-done:
			done <- err // whoever asks again learns the same
			return err
		case <-ctx.Done():
			return &moongate.Error{Code: moongate.Unknown, Message: "the request was given up", Hint: "sign it anew and send it again with the same key"}
		}
	}, nil
}

// parsed says that a request's body has become what an operation works with: the next may be parsed.
func parsed(ctx context.Context) {
	if done, ok := ctx.Value(parsedKey).(func()); ok {
		done()
	}
}

// admitted lets those through who may use an operation, before anything that they sent is read or checked: parsing is
// work, and what a refusal says of a request is for those who may make it.
func (a *API) admitted(o op) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(c)
		who, _ := c.Context().Value(callerKey).(caller)
		if err := who.need(o.scope, o.signed); err != nil && !o.public {
			writeProblem(w, r, err)
			return
		}
		if _, held := r.Body.(*heldBody); held {
			select {
			case a.parsing <- struct{}{}:
			case <-r.Context().Done():
				return // the client is gone
			}
			parsed := sync.OnceFunc(func() { <-a.parsing })
			defer parsed()
			c = huma.WithValue(c, parsedKey, parsed)
		}
		next(c)
	}
}

// need tells whether a principal may use an operation.
func (p Principal) need(scope party.Scopes, signature bool) error {
	switch {
	case p.Handle == "":
		return &moongate.Error{Code: moongate.Unauthenticated, Message: "this needs a credential", Hint: "send Authorization: Bearer TOKEN, or sign the request (RFC 9421)"}
	case !p.Scopes.Has(scope):
		return &moongate.Error{Code: moongate.Forbidden, Message: fmt.Sprintf("the credential lacks the scope %s", scope), Hint: "issue one that has it"}
	case signature && !p.Signed:
		return &moongate.Error{Code: moongate.Unauthenticated, Message: "what moves money must be signed with a key, not only carry a credential", Hint: "sign the request as RFC 9421 says; docs/api.md shows how"}
	}
	return nil
}
