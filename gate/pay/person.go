package pay

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// Who a shopper is at a wallet (WeChat's openid) is needed for one thing: the wallet wants it of an order that is paid inside
// its own app. So it is enciphered at the gate, under a key of the shopper's that stands in the vault; command, journal and
// state hold ciphertext, deciding never opens it, and the effect that asks the wallet opens it for that one call. Erasing the
// shopper deletes the key.

// PayerAt is who the shopper is at a wallet, as a merchant says it.
type PayerAt struct {
	Wallet string `json:"wallet"`
	Payer  string `json:"payer" minLength:"1" maxLength:"128" doc:"The shopper's identifier there, for the app that asks: WeChat's openid. It is kept enciphered, given to the wallet alone, and can be erased."`
}

// Payer is [PayerAt] enciphered.
type Payer struct {
	Wallet string      `cbor:"1,keyasint"`
	Person moongate.ID `cbor:"2,keyasint"` // whose key it is under
	Sealed []byte      `cbor:"3,keyasint"`
}

// People are the keys of the persons whose fields the hub keeps.
type People interface {
	// Get finds a person's key; false means that it was erased, or never was.
	Get(person moongate.ID) (key [32]byte, ok bool, err error)
}

const (
	payerField = "pay.payer"
	maxPayer   = 128 // bytes
	maxSealed  = maxPayer + 64
	doors      = 64
)

// Person names a shopper by whom a wallet knows him. The name tells nothing to those who do not have the gate's secret, and is
// the same every time: what is known of a person can be erased by it.
func (g *Gate) Person(wallet, payer string) moongate.ID {
	m := hmac.New(sha256.New, g.opt.Secret)
	m.Write([]byte("moongate/person/v1\x00" + wallet + "\x00" + payer))
	return moongate.NewID(moongate.KindSubject, g.opt.Hub, [12]byte(m.Sum(nil)))
}

// Sealing is what came of [Gate.Seal]. Submit its payers and secrets, then call Done: until then nobody else draws a key for
// one of these persons, whose fields would never open.
type Sealing struct {
	Payers  []Payer
	Secrets []replica.Secret
	Done    func()
}

// Seal enciphers who the shopper is, and draws keys for those who have none.
func (g *Gate) Seal(list []PayerAt) (s Sealing, err error) {
	s.Done = func() {}
	if len(list) == 0 {
		return s, nil
	}
	if g.opt.People == nil || g.opt.Random == nil {
		return s, malformed("payers", "this hub keeps no keys of persons", "leave them out")
	}
	if err := g.checkPayers(list); err != nil {
		return s, err
	}
	var locked []*sync.Mutex
	for i := range doors { // in order, so that no two wait for each other
		if slices.ContainsFunc(list, func(p PayerAt) bool { return door(g.Person(p.Wallet, p.Payer)) == i }) {
			g.people[i].Lock()
			locked = append(locked, &g.people[i])
		}
	}
	s.Done = sync.OnceFunc(func() {
		for _, l := range locked {
			l.Unlock()
		}
	})
	for _, p := range list {
		if err := g.seal(&s, p); err != nil {
			s.Done()
			return Sealing{Done: func() {}}, err
		}
	}
	return s, nil
}

func door(person moongate.ID) int { return int(person[len(person)-1]) % doors }

func (g *Gate) checkPayers(list []PayerAt) error {
	if len(list) > maxWallets {
		return malformed("payers", fmt.Sprintf("%d payers", len(list)), fmt.Sprintf("name at most %d, one for a wallet", maxWallets))
	}
	for i, p := range list {
		field := fmt.Sprintf("payers/%d", i)
		switch w, ok := g.opt.Wallets[p.Wallet]; {
		case !ok || !slices.Contains(w.Can().Channels, InApp):
			return malformed(field, fmt.Sprintf("%.60q is not paid inside its own app", p.Wallet), "name a wallet that is, or leave the payer out")
		case p.Payer == "" || len(p.Payer) > maxPayer || !utf8.ValidString(p.Payer):
			return malformed(field, fmt.Sprintf("the payer has %d bytes", len(p.Payer)), fmt.Sprintf("1 to %d", maxPayer))
		case slices.ContainsFunc(list[:i], func(o PayerAt) bool { return o.Wallet == p.Wallet }):
			return malformed(field, fmt.Sprintf("%.60q has two payers", p.Wallet), "name one")
		}
	}
	return nil
}

func (g *Gate) seal(s *Sealing, p PayerAt) error {
	one := replica.Secret{Subject: g.Person(p.Wallet, p.Payer)}
	key, known, err := g.opt.People.Get(one.Subject)
	if err != nil {
		return fmt.Errorf("pay: the key of a person: %w", err)
	}
	if one.Key = key; !known {
		if _, err := io.ReadFull(g.opt.Random, one.Key[:]); err != nil {
			return fmt.Errorf("pay: no randomness for the key of a person: %w", err)
		}
		s.Secrets = append(s.Secrets, one)
	}
	sealed, err := one.Seal(g.opt.Random, payerField, p.Payer)
	if err != nil {
		return err
	}
	s.Payers = append(s.Payers, Payer{Wallet: p.Wallet, Person: one.Subject, Sealed: sealed})
	return nil
}

// unseal opens who pays, for the call to the wallet.
func (g *Gate) unseal(p *Payer) (string, error) {
	unknown := func(why string) (string, error) { return "", Fail(string(OpCreate), Unknown, why, nil) }
	if p == nil || g.opt.People == nil {
		return unknown("nobody has said who pays")
	}
	key, ok, err := g.opt.People.Get(p.Person)
	switch {
	case err != nil:
		return unknown("the key of the person who pays cannot be read")
	case !ok:
		return unknown("the person who pays was erased")
	}
	one := replica.Secret{Subject: p.Person, Key: key}
	plain, err := one.Open(payerField, p.Sealed)
	if err != nil {
		return unknown("who pays cannot be opened")
	}
	return plain, nil
}

// payer finds who pays at a wallet.
func (p *Payment) payer(wallet string) *Payer {
	for i := range p.Payers {
		if p.Payers[i].Wallet == wallet {
			return &p.Payers[i]
		}
	}
	return nil
}

// checkSealed bounds what the gate has sealed.
func checkSealed(list []Payer, wallets []string) error {
	for i, p := range list {
		if len(list) > maxWallets || p.Person.Kind() != moongate.KindSubject || len(p.Sealed) == 0 || len(p.Sealed) > maxSealed ||
			slices.ContainsFunc(list[:i], func(o Payer) bool { return o.Wallet == p.Wallet }) {
			return malformed("payers", fmt.Sprintf("payer %d is not sealed", i), "this is a mistake in the program")
		}
		if !slices.Contains(wallets, p.Wallet) {
			return malformed("payers", fmt.Sprintf("%.60q is not offered for this payment", p.Wallet), "name payers of wallets that are")
		}
	}
	return nil
}
