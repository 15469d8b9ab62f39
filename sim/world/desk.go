package world

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// Paths of the hub's surface that the world's participants use.
const (
	pathParticipants = "/v1/participants"
	pathAgreements   = "/v1/agreements"
	pathPayments     = "/v1/payments"
	pathRefunds      = "/v1/refunds"
	pathReceivers    = "/v1/settlement/receivers"
	pathDestinations = "/v1/destinations"
	pathLinks        = "/v1/links"
	pathBlocks       = "/v1/blocks"
	pathConversions  = "/v1/links/conversions"
)

// member is a participant with its key, as its own servers are.
type member struct {
	Garden
	kind party.Kind
	key  ed25519.PrivateKey
	hub  *client.Client
}

// keyID is the name under which the hub knows the member's key.
func (m *member) keyID() string { return party.PublicKey(m.key.Public().(ed25519.PublicKey)).ID() }

// enrol makes a member's key and its client. The key follows from the seed, and guards play money.
func (w *World) enrol(g Garden, kind party.Kind) (*member, error) {
	m := &member{Garden: g, kind: kind, key: w.opt.Chance.Signer(g.Handle)}
	var err error
	m.hub, err = client.New(client.Options{
		URL: w.opt.Hub, Random: w.opt.Chance.Stream("client " + g.Handle), HTTP: w.http(), Tries: 1,
		Signer: &httpsig.Signer{
			KeyID: m.keyID(), Key: m.key, Now: func() moongate.Time { return moongate.At(w.opt.Loop.Now()) },
			Random: w.opt.Chance.Stream("nonces " + g.Handle),
		},
	})
	if err != nil {
		return nil, err
	}
	w.members[g.Handle] = m
	return m, nil
}

// http reaches the hub over the world's carrier, and follows no redirect.
func (w *World) http() *http.Client {
	return &http.Client{Transport: w.opt.Carrier, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// register has the operator let a member take part.
func (w *World) register(ctx context.Context, m *member) error {
	key, err := party.Prove(m.key, m.Handle)
	if err != nil {
		return err
	}
	_, err = client.DoAs[party.Done](ctx, w.operator, "register/"+m.Handle, pathParticipants, &party.Register{
		Handle: m.Handle, Kind: m.kind, Name: m.Name, NameZH: m.NameZH, Keys: []party.NewKey{key},
	})
	return err
}

// accountOf is somebody's own account at the wallet.
func (p Purse) accountOf(number int) string {
	if p.Kind == alipay {
		return fmt.Sprintf("2088%012d", 200_000+number)
	}
	return fmt.Sprintf("1900%06d", 200_000+number)
}

// openAccounts has a member say where each wallet pays it. The last of all has no account anywhere, and is paid by hand.
func (w *World) openAccounts(ctx context.Context, m *member, number int) error {
	if number == len(w.Cast.payees())-1 {
		return nil
	}
	for _, purse := range w.Cast.Wallets {
		_, err := client.DoAs[pay.Done](ctx, m.hub, "receiver/"+purse.Handle, pathReceivers, &pay.SetReceiver{PayeeAt: pay.PayeeAt{
			Wallet: purse.Handle, Participant: m.Handle, Account: purse.accountOf(number),
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// propose puts a document before its parties.
func (m *member) propose(ctx context.Context, d *agreement.Document) (moongate.ID, error) {
	answer, err := client.DoAs[agreement.Proposal](ctx, m.hub, "propose/"+d.ID, pathAgreements, proposal{Document: d.Canonical()})
	return answer.Agreement, err
}

// proposal is a document on its way to the hub.
type proposal struct {
	Document rawJSON `json:"document"`
}

type rawJSON []byte

// MarshalJSON writes the document as it is.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// sign binds a named party to a version.
func (m *member) sign(ctx context.Context, id moongate.ID, d *agreement.Document, role agreement.Role) error {
	signature, err := d.SignAs(m.key, role, m.Handle)
	if err != nil {
		return err
	}
	_, err = client.DoAs[agreement.Standing](ctx, m.hub, "sign/"+d.ID, pathAgreements+"/sign", &agreement.Sign{
		Agreement: id, Version: d.Version, Role: role, Party: m.Handle, Key: m.keyID(), Signature: party.Signature(signature),
	})
	return err
}

// accept binds a member to an open role.
func (m *member) accept(ctx context.Context, id moongate.ID, d *agreement.Document, role agreement.Role) error {
	signature, err := d.SignAs(m.key, role, m.Handle)
	if err != nil {
		return err
	}
	_, err = client.DoAs[agreement.Standing](ctx, m.hub, "accept/"+d.ID, pathAgreements+"/accept", &agreement.Accept{
		Agreement: id, Version: d.Version, Role: role, Party: m.Handle, Key: m.keyID(), Signature: party.Signature(signature),
	})
	return err
}

// destination registers a place that links can lead to.
func (m *member) destination(ctx context.Context, name, nameZH, address string) (moongate.ID, error) {
	answer, err := client.DoAs[link.DestinationAnswer](ctx, m.hub, "place/"+address, pathDestinations, &link.RegisterDestination{
		Name: name, NameZH: nameZH, Addresses: []link.Address{{Device: link.Web, URL: address}},
	})
	return answer.Destination, err
}

// place makes a link to a destination.
func (m *member) place(ctx context.Context, destination, terms moongate.ID, campaign string) (string, error) {
	answer, err := client.DoAs[link.LinkAnswer](ctx, m.hub, "link/"+destination.String(), pathLinks, &link.PlaceLink{
		Destination: destination, Agreement: terms, Campaign: campaign,
	})
	return answer.Code, err
}

// refund gives money of an order back: of one seller's part, of it freight.
func (m *member) refund(ctx context.Context, r *pay.Refund) (pay.RefundAnswer, error) {
	return client.DoAs[pay.RefundAnswer](ctx, m.hub, "refund/"+r.Reference, pathRefunds, r)
}

// conversion is a sale on an app's own site.
type conversion struct {
	Token     string        `json:"token"`
	Reference string        `json:"reference"`
	Class     string        `json:"class"`
	Amount    money.Amount  `json:"amount"`
	At        moongate.Time `json:"at"`
}

func (m *member) convert(ctx context.Context, c conversion) (link.ConversionAnswer, error) {
	answer, err := client.DoAs[link.ConversionAnswer](ctx, m.hub, "sale/"+c.Reference, pathConversions, &c)
	if err != nil {
		return answer, fmt.Errorf("sale %s: %w", c.Reference, err)
	}
	return answer, nil
}
