package party

import (
	"crypto/sha256"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// maxNonceLife is the longest that a signature can stay valid: its lifetime of five minutes, begun five minutes ahead
// of our clock. What is kept longer would be somebody filling our memory.
const maxNonceLife = 11 * moongate.Minute

func (s *State) issueCredential(step *replica.Step, c *IssueCredential) (Issued, error) {
	if err := CheckText("name", c.Name, 1, 80); err != nil {
		return Issued{}, err
	}
	if !c.Scopes.known() || c.Scopes == 0 || c.Hash == (SecretHash{}) {
		return Issued{}, &moongate.Error{Code: moongate.Malformed, Field: "scopes", Message: fmt.Sprintf("scopes %#x", uint32(c.Scopes)), Hint: "name at least one scope"}
	}
	p, err := s.self(step, c.Handle)
	if err != nil {
		return Issued{}, err
	}
	if !p.Active() {
		_, err := s.Active(c.Handle)
		return Issued{}, err
	}
	if _, hub := SplitHandle(c.Handle); hub != "" {
		return Issued{}, &moongate.Error{Code: moongate.Refused, Field: "handle", Message: fmt.Sprintf("%s belongs to another hub", c.Handle), Hint: "its own hub gives it credentials"}
	}
	if c.Scopes&OperatorScope != 0 && p.Kind != Operator {
		return Issued{}, &moongate.Error{Code: moongate.Refused, Field: "scopes", Message: fmt.Sprintf("%s is a %s; the scope operator is for operators", c.Handle, p.Kind), Hint: "leave that scope out"}
	}
	if c.Expires != 0 && c.Expires <= step.At {
		return Issued{}, &moongate.Error{Code: moongate.Refused, Field: "expires", Message: fmt.Sprintf("the credential would have expired at %s", c.Expires), Hint: "choose a time to come, or none"}
	}
	if n := len(s.of(c.Handle).credentials); n >= maxCredentials {
		return Issued{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("%s has %d credentials", c.Handle, n), Hint: "revoke those that are not used"}
	}
	id := step.NewID(moongate.KindCredential)
	step.Emit(&CredentialIssued{
		CredentialTerms{About: About{c.Handle}, ID: id, Name: c.Name, Scopes: c.Scopes, Expires: c.Expires},
		Verifier{Hash: c.Hash, Before: p.Head},
	})
	return Issued{ID: id}, nil
}

func (s *State) revokeCredential(step *replica.Step, c *RevokeCredential) (Done, error) {
	p, err := s.self(step, c.Handle)
	if err != nil {
		return Done{}, err
	}
	if known, ok := s.credentials.Get(c.Credential); !ok || known.Holder != c.Handle {
		return Done{}, notFound("credential", c.Credential.String())
	}
	step.Emit(&CredentialRevoked{CredentialRevocation{About: About{c.Handle}, ID: c.Credential}, Chain{p.Head}})
	return Done{}, nil
}

func (s *State) openSession(step *replica.Step, c *OpenSession) (Issued, error) {
	if c.Hash == (SecretHash{}) {
		return Issued{}, &moongate.Error{Code: moongate.Malformed, Field: "hash", Message: "the session has no secret", Hint: "draw one"}
	}
	credential, ok := s.credentials.Get(c.Credential)
	if !ok || credential.Holder != step.Caller {
		return Issued{}, notFound("credential", c.Credential.String())
	}
	if err := credential.expired(step.At); err != nil {
		return Issued{}, err
	}
	p, err := s.Active(step.Caller)
	if err != nil {
		return Issued{}, err
	}
	if c.Expires <= step.At || c.Expires > step.At+MaxSession {
		return Issued{}, &moongate.Error{Code: moongate.Refused, Field: "expires", Message: fmt.Sprintf("a session from %s to %s", step.At, c.Expires), Hint: "a session lasts up to 12 hours"}
	}
	if n := len(s.of(step.Caller).sessions); n >= maxSessions {
		return Issued{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("%s is signed in %d times", step.Caller, n), Hint: "sign out elsewhere"}
	}
	id := step.NewID(moongate.KindSession)
	step.Emit(&SessionOpened{
		SignIn{About: About{step.Caller}, ID: id, Credential: c.Credential, Expires: c.Expires},
		Verifier{Hash: c.Hash, Before: p.Head},
	})
	return Issued{ID: id}, nil
}

func (s *State) closeSession(step *replica.Step, c *CloseSession) (Done, error) {
	session, ok := s.sessions.Get(c.Session)
	if !ok || session.Holder != step.Caller && !s.IsOperator(step.Caller) {
		return Done{}, notFound("session", c.Session.String())
	}
	p, _ := s.participants.Get(session.Holder)
	step.Emit(&SessionClosed{SignOut{About: About{session.Holder}, ID: c.Session}, Chain{p.Head}})
	return Done{}, nil
}

func (s *State) useNonce(step *replica.Step, c *UseNonce) (Done, error) {
	if c.Nonce == "" || len(c.Nonce) > 64 {
		return Done{}, &moongate.Error{Code: moongate.Malformed, Field: "nonce", Message: fmt.Sprintf("a nonce of %d bytes", len(c.Nonce)), Hint: "use up to 64"}
	}
	k, err := s.ValidKey(c.Key, step.At)
	if err != nil {
		return Done{}, err
	}
	if k.Holder != step.Caller {
		return Done{}, &moongate.Error{Code: moongate.Unauthenticated, Message: fmt.Sprintf("key %s is not %s's", c.Key, step.Caller), Hint: "sign with a key of your own"}
	}
	if c.Expires < step.At || c.Expires > step.At+maxNonceLife {
		return Done{}, &moongate.Error{Code: moongate.Unauthenticated, Message: fmt.Sprintf("the signature is valid until %s, and here it is %s", c.Expires, step.At), Hint: "sign the request anew"}
	}
	mark := markOf(c.Key, c.Nonce)
	if seen, ok := s.nonces.Get(mark); ok && seen.Until >= step.At {
		return Done{}, Replayed
	}
	if s.of(k.Holder).nonces >= s.limits.Nonces/4 || s.nonces.Len() >= s.limits.Nonces {
		return Done{}, &moongate.Error{Code: moongate.Busy, Message: "too many signed requests within their lifetime", Hint: "try again in a few minutes"}
	}
	step.Emit(&NonceUsed{Mark: mark, Holder: k.Holder, Until: c.Expires})
	return Done{}, nil
}

// Replayed is what the second of two requests with one signature is told. The field tells a program that the request
// was not looked at: it may sign it anew, and send it again with the same idempotency key.
var Replayed = &moongate.Error{Code: moongate.Unauthenticated, Field: NonceField, Message: "this signed request was received before", Hint: "sign every request anew, a repeated one too"}

// NonceField is the field of [Replayed].
const NonceField = "nonce"

// markOf stands for a key and a nonce. The key's id has a fixed length, so no two pairs read the same.
func markOf(key, nonce string) [16]byte {
	sum := sha256.Sum256([]byte(key + "\x00" + nonce))
	return [16]byte(sum[:16])
}
