package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// hubFlags say which running hub a verb talks to, and as whom. A secret never stands on the command line, where every
// user of the machine can read it.
type hubFlags struct {
	Hub       string `group:"hub" default:"http://127.0.0.1:8600" env:"MOONGATE_HUB" help:"The running hub; ${default} unless set." placeholder:"URL"`
	TokenFile string `group:"hub" xor:"who" help:"File that holds an API token. Without it, the environment variable MOONGATE_TOKEN is the token." placeholder:"FILE"`
	Sign      string `group:"hub" xor:"who" help:"Private key that signs each request, instead of a token." placeholder:"FILE"`
}

// changeFlags are those of a verb that changes something.
type changeFlags struct {
	hubFlags
	IdempotencyKey string `group:"hub" help:"Repeat a request whose outcome stayed unknown: the key that its error named. What was done then is not done again." placeholder:"KEY"`
}

// tokenVariable is where a token may stand in the environment.
const tokenVariable = "MOONGATE_TOKEN"

// connect gives a client that says who asks.
func (f hubFlags) connect(e *env) (*client.Client, error) {
	o := client.Options{URL: f.Hub, Random: randomness(e.random)}
	switch {
	case f.Sign != "":
		key, err := readKey(f.Sign)
		if err != nil {
			return nil, err
		}
		o.Signer = &httpsig.Signer{
			KeyID: publicOf(key).ID(), Key: key, Now: func() moongate.Time { return moongate.At(e.now()) }, Random: randomness(e.random),
		}
	default:
		var err error
		if o.Token, err = f.token(); err != nil {
			return nil, err
		}
		if !f.shielded() {
			return nil, &moongate.Error{Code: moongate.Refused, Field: "--hub", Message: fmt.Sprintf("%.80s is not encrypted: everybody on the way could read the token", f.Hub), Hint: "use https://, or sign with a key: --sign FILE"}
		}
	}
	c, err := client.New(o)
	var bad *moongate.Error
	if errors.As(err, &bad) && bad.Field == "url" {
		bad.Field = "--hub"
	}
	return c, err
}

// token is the credential of whoever asks.
func (f hubFlags) token() (string, error) {
	token, where := os.Getenv(tokenVariable), tokenVariable
	if f.TokenFile != "" {
		b, err := readSecret(f.TokenFile, 4096)
		if err != nil {
			return "", err
		}
		token, where = string(b), f.TokenFile
	}
	token = strings.TrimSpace(token)
	if token == "" {
		return "", &moongate.Error{Code: moongate.Unauthenticated, Message: "the hub must know who asks", Hint: "name a file that holds a token (--token-file FILE), put the token into " + tokenVariable + ", or sign with a key (--sign FILE)"}
	}
	if _, _, err := party.ParseToken(token); err != nil {
		var bad *moongate.Error
		if errors.As(err, &bad) {
			bad.Field = where
		}
		return "", err
	}
	return token, nil
}

// shielded tells whether nobody on the way reads along.
func (f hubFlags) shielded() bool {
	u, err := url.Parse(f.Hub)
	if err != nil || u.Scheme != "http" {
		return true // what is no URL at all is refused later, with better words
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// change has the hub do something, once. Where the outcome stays unknown the error says how to ask again.
func change[A any](e *env, f changeFlags, path string, command any) (answer A, err error) {
	c, err := f.connect(e)
	if err != nil {
		return answer, err
	}
	key := f.IdempotencyKey
	if key == "" {
		if key, err = c.Key(); err != nil {
			return answer, err
		}
	}
	answer, err = client.DoAs[A](e.ctx, c, key, path, command)
	var unknown *moongate.Error
	if moongate.CodeOf(err) == moongate.Unknown && errors.As(err, &unknown) {
		text := strings.Replace(err.Error(), "; "+unknown.Hint, "", 1)
		err = &moongate.Error{Code: moongate.Unknown, Message: text, Hint: "it may have happened or not; to be sure, run the same again with --idempotency-key " + key}
	}
	return answer, err
}

// pageFlags are those of a verb that lists.
type pageFlags struct {
	Limit int    `default:"50" help:"How many at most, 1 to 200."`
	After string `help:"Go on behind the page that gave this as next." placeholder:"CURSOR"`
	All   bool   `help:"Everything, page by page."`
}

// most is as much as a hub gives in one page.
const most = 200

// readPage reads a page of a list, or all of it.
func readPage[T any](e *env, f hubFlags, p pageFlags, path string, query url.Values) (page client.Page[T], err error) {
	page.Items = []T{}
	if p.Limit < 1 || p.Limit > most {
		return page, &moongate.Error{Code: moongate.Malformed, Field: "--limit", Message: fmt.Sprintf("%d at once", p.Limit), Hint: fmt.Sprintf("1 to %d, or --all", most)}
	}
	c, err := f.connect(e)
	if err != nil {
		return page, err
	}
	if p.After != "" {
		query.Set("after", p.After)
	}
	query.Set("limit", fmt.Sprint(p.Limit))
	if !p.All {
		return client.Get[client.Page[T]](e.ctx, c, path, query)
	}
	query.Set("limit", fmt.Sprint(most))
	for row, err := range client.All[T](e.ctx, c, path, query) {
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, row)
	}
	return page, nil
}

// more says how to see the rest of a list.
func more(t *terminal, next string) {
	if next != "" {
		t.line("")
		t.line("%s", t.dim("There is more: --all, or --after "+next))
	}
}

// publicOf is a private key's public half.
func publicOf(key ed25519.PrivateKey) party.PublicKey {
	return party.PublicKey(key.Public().(ed25519.PublicKey))
}
