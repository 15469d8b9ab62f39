package stripe

import (
	"errors"
	"net"
	"net/http"

	sdk "github.com/stripe/stripe-go/v84"

	"github.com/moongate-hub/moongate/gate/pay"
)

// failed turns an error of the library into what it proves. Answers are authenticated by TLS, not signed.
func failed(op string, err error) error {
	var f *pay.Failure
	if errors.As(err, &f) {
		return f
	}
	var said *sdk.Error
	if errors.As(err, &said) {
		f = pay.Fail(op, pay.Unknown, "Stripe says: "+clip(said.Msg), nil)
		f.Code, f.Status = clip(string(said.Code)), said.HTTPStatusCode
		switch {
		case said.HTTPStatusCode == http.StatusTooManyRequests || said.HTTPStatusCode == http.StatusUnauthorized:
			f.Verdict = pay.NotDone // turned away before anything was done
		case said.Type == sdk.ErrorTypeIdempotency || said.HTTPStatusCode == http.StatusConflict:
			// The same request is under way, or was made with other parameters: ask.
		case said.Code == sdk.ErrorCodeBalanceInsufficient:
			f.Verdict = pay.NotDone // the account must be topped up; then the same number goes through
		case said.HTTPStatusCode >= 400 && said.HTTPStatusCode < 500:
			f.Verdict = pay.Refused
		}
		return f
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return pay.Fail(op, pay.NotDone, "Stripe cannot be reached", err)
	}
	return pay.Fail(op, pay.Unknown, "no answer from Stripe that makes sense", err)
}

// undecided is the failure of a call that was not even made, because Stripe did not say whether it was made before: that it
// was not must not be claimed.
func undecided(op string, err error) error {
	return pay.Fail(op, pay.Unknown, "Stripe did not say whether this was done before", err)
}
