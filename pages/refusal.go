package pages

import (
	"github.com/moongate-hub/moongate"
)

// refusal is what the pages themselves refuse, with a word for it in the catalogue: problem.why.WORD says it in the reader's
// language, and problem.todo.WORD what to do.
type refusal struct {
	as   *moongate.Error // how programs read it
	word string
}

// Error is the English text.
func (r *refusal) Error() string { return r.as.Error() }

// Unwrap gives the error as programs read it.
func (r *refusal) Unwrap() error { return r.as }

func refuse(word string, code moongate.Code, field, message, hint string) *refusal {
	return &refusal{&moongate.Error{Code: code, Field: field, Message: message, Hint: hint}, word}
}

var (
	forged     = refuse("forged", moongate.Forbidden, "", "this form was not sent from a page of this hub, or the page is out of date", "go back, load the page again and repeat")
	stale      = refuse("stale", moongate.Unauthenticated, "credential", "you signed in more than 10 minutes ago", "go back, load the page again, and enter your credential with what you ask for")
	strange    = refuse("strange", moongate.Unauthenticated, "credential", "this credential is not one of yours, or may not do this", "go back, and enter the one that you signed in with")
	unreadable = refuse("unreadable", moongate.Malformed, "", "the form cannot be read", "go back and try again")
	fileless   = refuse("fileless", moongate.Malformed, "file", "there is no file", "choose the bill as the wallet made it")
	unchosen   = refuse("unchosen", moongate.Malformed, "difference", "no difference is chosen", "tick those that are to be settled")
	broken     = refuse("broken", moongate.Internal, "", "the page could not be made", "try again in a moment")
	notDay     = refuse("not_day", moongate.Malformed, "", "this is no day", "write it like 2026-11-20")
	notAmount  = refuse("not_amount", moongate.Malformed, "amount", "this is no amount that can be taken", "write it in the payment's currency, like 150.00")
	notCursor  = refuse("not_cursor", moongate.Malformed, "after", "this is no place in this list", "leave it out to begin anew")
	notScoped  = refuse("not_scoped", moongate.Forbidden, "", "the credential that you signed in with lacks a scope", "sign in with another one")
	unproven   = refuse("unproven", moongate.Busy, "", "no published checkpoint holds it yet", "ask again in two seconds")
	notThere   = refuse("not_there", moongate.NotFound, "", "there is nothing here, or it is not yours", "check the identifier")
)

// in names what an error is about: a field, or a thing.
func (r *refusal) in(field, message string) *refusal {
	e := *r.as
	e.Field, e.Message = field, message
	return &refusal{&e, r.word}
}
