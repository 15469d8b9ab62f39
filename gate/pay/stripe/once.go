package stripe

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	sdk "github.com/stripe/stripe-go/v84"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
)

// Stripe keeps an answer under its idempotency key for a day, a 5xx too, and says of a 5xx that it proves nothing: what was
// asked may have come about, and what is left half done its people put right later, without changing the answer that is
// kept. It advises against another key for that reason. So another key is taken only when three things hold: the 5xx is the
// one that is kept, so that nothing is under way; the mending has had its time; and what was asked is still not there.
// See "Advanced error handling" at https://docs.stripe.com/error-low-level.
const (
	mending  = time.Hour
	keysEach = 4 // at most, for one thing
)

// once makes something at Stripe that must not be made twice. Find looks for it and gives nil where it is not there; make
// asks for it under a key. The keys follow from the first one and from what Stripe keeps under them, so whoever asks after
// a restart asks under the same.
func once[T any](w *Wallet, op, key string, find func() (*T, error), make func(key string) (*T, error)) (*T, error) {
	var last error
	for n := range keysEach {
		under := key
		if n > 0 {
			under = fmt.Sprintf("%s/%d", key, n+1)
		}
		found, err := find()
		switch {
		case err != nil:
			return nil, undecided(op, err)
		case found != nil:
			return found, nil
		}
		made, err := make(under)
		if err == nil {
			return made, nil
		}
		if last = failed(op, err); !w.mended(under, err) {
			return nil, last
		}
	}
	return nil, last
}

// mended tells whether a failure is a 5xx that Stripe keeps under the key, and has been for long enough. How long is counted
// from when this process first met it: Stripe does not say.
func (w *Wallet) mended(key string, err error) bool {
	var ours *pay.Failure
	var said *sdk.Error
	if errors.As(err, &ours) || !errors.As(err, &said) || said.HTTPStatusCode < http.StatusInternalServerError {
		return false
	}
	now := moongate.At(w.cfg.Now())
	w.mu.Lock()
	defer w.mu.Unlock()
	since, met := w.broken[key]
	if !met {
		for other, at := range w.broken {
			if now-at > 2*moongate.Day {
				delete(w.broken, other)
			}
		}
		if len(w.broken) < maxKnown {
			w.broken[key] = now
		}
		return false
	}
	return said.LastResponse != nil && said.LastResponse.Header.Get("Idempotent-Replayed") == "true" && now.Go().Sub(since.Go()) >= mending
}
