package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// Principal is who makes a request, as far as that is established.
type Principal struct {
	Handle string
	Scopes party.Scopes
	Signed bool // with a key, not only by a bearer credential
}

type contextKey int

const (
	principalKey contextKey = iota
	requestIDKey
)

func principal(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey).(Principal)
	return p
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// MaxBody is how many bytes a request may have, unless an operation says otherwise.
const MaxBody = 1 << 20

// authenticate establishes who makes a request, by a signature (RFC 9421) or a bearer credential. A request without
// either goes on as nobody's; a false one does not.
func (a *API) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := a.principalOf(w, r)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey, p)))
	})
}

func (a *API) principalOf(w http.ResponseWriter, r *http.Request) (Principal, error) {
	if httpsig.Present(r.Header) {
		return a.signed(w, r)
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		if r.Header.Get("Authorization") != "" {
			return Principal{}, &moongate.Error{Code: moongate.Unauthenticated, Message: "this kind of Authorization is not known here", Hint: "send Authorization: Bearer TOKEN, or sign the request (RFC 9421)"}
		}
		return Principal{}, nil
	}
	var c party.Credential
	var who party.Participant
	var err error
	a.hub.Machine().Read(func() { c, who, err = a.hub.Party.Bearer(token, moongate.At(a.hub.Now())) })
	if err != nil {
		return Principal{}, err
	}
	return Principal{Handle: who.Handle, Scopes: c.Scopes}, nil
}

// signed checks a signed request. Its nonce is spent before anything else is done, so that it counts once.
func (a *API) signed(w http.ResponseWriter, r *http.Request) (Principal, error) {
	body, err := readBody(w, r)
	if err != nil {
		return Principal{}, err
	}
	now := moongate.At(a.hub.Now())
	var who party.Participant
	proof, err := a.verifier.Verify(r, body, now, func(id string) (key ed25519.PublicKey, err error) {
		a.hub.Machine().Read(func() {
			var k party.Key
			if k, err = a.hub.Party.ValidKey(id, now); err == nil {
				key = k.Public[:]
				who, err = a.hub.Party.Active(k.Holder)
			}
		})
		return key, err
	})
	if err != nil {
		return Principal{}, err
	}
	if _, err := hub.Do[party.Done](r.Context(), a.hub, who.Handle, "", &party.UseNonce{Key: proof.KeyID, Nonce: proof.Nonce, Expires: proof.Expires}); err != nil {
		return Principal{}, err
	}
	return Principal{Handle: who.Handle, Scopes: party.AllScopes | operatorScope(who), Signed: true}, nil
}

func operatorScope(p party.Participant) party.Scopes {
	if p.Kind == party.Operator {
		return party.OperatorScope
	}
	return 0
}

// readBody reads a bounded body and puts it back.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("the body has more than %d bytes", MaxBody), Hint: "send less at once"}
	}
	if err != nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Message: "the body did not arrive whole", Hint: "send it again with the same key"}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
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
