package pay

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// A participant says at which account it gets its money at a wallet: a merchant's, to which payouts are split, or that of a
// sub-merchant of the hub's own account, into which orders for what it sells are paid. Each can be changed and taken away at any
// time. That counts for what comes after: an order that was opened before is paid into the number that it was opened with, and
// what was paid is refunded, split and released there.

// PayeeAt is where a participant gets its money at a wallet.
type PayeeAt struct {
	Wallet      string `cbor:"1,keyasint" json:"wallet"`
	Participant string `cbor:"2,keyasint" json:"participant"`
	Account     string `cbor:"3,keyasint" json:"account"` // a merchant's number at the wallet
	// Sub says that the account is a sub-merchant of the hub's account there (二级商户, 直付通): orders for what it sells are paid
	// into it, and nothing is split to it.
	Sub bool `cbor:"6,keyasint,omitempty" json:"sub_merchant,omitempty"`
}

// SetReceiver says at which account a participant gets its money at a wallet. The participant itself may, and an operator.
type SetReceiver struct {
	PayeeAt
}

// ReceiverSet says where a participant gets its money from now on. Effect: the wallet is told to admit it.
type ReceiverSet struct {
	PayeeAt `audience:"owner"`
}

// RemoveReceiver says that a participant has no account at a wallet any more. The participant itself may, and an operator.
type RemoveReceiver struct {
	Wallet      string `cbor:"1,keyasint" json:"wallet"`
	Participant string `cbor:"2,keyasint" json:"participant"`
}

// ReceiverRemoved says that it has none: the one named was its last.
type ReceiverRemoved struct {
	PayeeAt `audience:"owner"`
}

// Readers lists who may open a group of the event.
func (p *PayeeAt) Readers(audience string) []string {
	if audience == "owner" {
		return []string{p.Participant}
	}
	return nil
}

// AdmitReport tells whether a wallet admits a receiver.
type AdmitReport struct {
	PayeeAt
	Refused string `cbor:"4,keyasint,omitempty"` // why it does not
}

// ReceiverStood says whether a wallet admits a receiver.
type ReceiverStood struct {
	Standing `audience:"owner"`
}

// Standing is what [ReceiverStood] says.
type Standing struct {
	PayeeAt
	Admitted bool   `cbor:"4,keyasint,omitempty" json:"admitted"`
	Reason   string `cbor:"5,keyasint,omitempty" json:"reason,omitempty"`
}

const beingAsked = "the wallet is being asked"

// Asking tells whether the wallet has not yet said whether it admits the account.
func (s *Standing) Asking() bool { return !s.Admitted && s.Reason == beingAsked }

// payeeKey names a participant at a wallet.
type payeeKey struct {
	Wallet      string `cbor:"1,keyasint"`
	Participant string `cbor:"2,keyasint"`
}

func (*ReceiverSet) EventKind() string     { return "pay.receiver_set" }
func (*ReceiverStood) EventKind() string   { return "pay.receiver_stood" }
func (*ReceiverRemoved) EventKind() string { return "pay.receiver_removed" }

func (*SetReceiver) CommandKind() string    { return "pay.set_receiver" }
func (*RemoveReceiver) CommandKind() string { return "pay.remove_receiver" }
func (*AdmitReport) CommandKind() string    { return "pay.admit_report" }

// setReceiver takes a participant's account at a wallet.
func (s *State) setReceiver(step *replica.Step, c *SetReceiver) (Done, error) {
	if err := s.ownAccount(step, c.Participant); err != nil {
		return Done{}, err
	}
	if err := s.walletFor(c.Wallet, "wallet"); err != nil {
		return Done{}, err
	}
	if _, err := s.parties.Active(c.Participant); err != nil {
		return Done{}, err
	}
	if !reference(c.Account) || len(c.Account) > maxAccount {
		return Done{}, malformed("account", fmt.Sprintf("%.80q is no account", c.Account), "the merchant's number at the wallet")
	}
	step.Emit(&ReceiverSet{c.PayeeAt})
	return Done{}, nil
}

// removeReceiver takes it away. What was paid into it stays there, and goes on from there.
func (s *State) removeReceiver(step *replica.Step, c *RemoveReceiver) (Done, error) {
	if err := s.ownAccount(step, c.Participant); err != nil {
		return Done{}, err
	}
	known, ok := s.receivers.Get(payeeKey{c.Wallet, c.Participant})
	if !ok {
		return Done{}, &moongate.Error{Code: moongate.NotFound, Field: "wallet", Message: fmt.Sprintf("%.60q has no account at %.60q", c.Participant, c.Wallet), Hint: "list its accounts"}
	}
	step.Emit(&ReceiverRemoved{known.PayeeAt})
	return Done{}, nil
}

// ownAccount refuses who may not say where a participant gets its money.
func (s *State) ownAccount(step *replica.Step, participant string) error {
	if step.Caller == participant || s.parties.IsOperator(step.Caller) {
		return nil
	}
	return &moongate.Error{Code: moongate.Forbidden, Field: "participant", Message: fmt.Sprintf("%.60q is somebody else", participant), Hint: "name your own account"}
}

func (s *State) admitted(step *replica.Step, c *AdmitReport) (Done, error) {
	if err := fromHub(step); err != nil {
		return Done{}, err
	}
	known, ok := s.receivers.Get(payeeKey{c.Wallet, c.Participant})
	if !ok || known.PayeeAt != c.PayeeAt || known.Admitted == (c.Refused == "") && known.Reason == c.Refused {
		return Done{}, nil // it has another account by now, or this is known
	}
	step.Emit(&ReceiverStood{Standing{PayeeAt: c.PayeeAt, Admitted: c.Refused == "", Reason: c.Refused}})
	return Done{}, nil
}

func (s *State) foldReceivers(e journal.Entry) {
	switch v := e.Event.(type) {
	case *ReceiverSet:
		s.receivers.Put(payeeKey{v.Wallet, v.Participant}, Standing{PayeeAt: v.PayeeAt, Reason: beingAsked})
	case *ReceiverStood:
		s.receivers.Put(payeeKey{v.Wallet, v.Participant}, v.Standing)
	case *ReceiverRemoved:
		s.receivers.Delete(payeeKey{v.Wallet, v.Participant})
	}
}

// Receivers lists a participant's accounts at wallets. Call it under the machine's Read.
func (s *State) Receivers(participant string) (list []Standing) {
	for _, r := range s.receivers.All() {
		if r.Participant == participant {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Standing) int { return compare(a.Wallet, b.Wallet) })
	return list
}
