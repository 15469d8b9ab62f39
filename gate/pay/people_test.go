package pay_test

import (
	"crypto/ed25519"
	"crypto/sha256"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

func keyOf(handle string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(handle))
	return ed25519.NewKeyFromSeed(seed[:])
}

// people registers everybody and brings the terms into force.
func people(t tester, do func(caller string, c replica.Command) any) moongate.ID {
	t.Helper()
	do("", &party.Register{Handle: "keeper", Kind: party.Operator, Name: "Keeper"})
	for _, p := range []struct {
		handle string
		kind   party.Kind
	}{
		{"lotus-market", party.Platform},
		{"willow-reads", party.Publisher},
		{"crane-pay", party.Wallet},
		{"carp-pay", party.Wallet},
		{"heron-pay", party.Wallet},
		{"egret-pay", party.Wallet},
		{"tea-shop", party.Merchant},
		{"book-shop", party.Merchant},
		{"stranger", party.Merchant},
	} {
		k, err := party.Prove(keyOf(p.handle), p.handle)
		if err != nil {
			t.Fatal(err)
		}
		do("keeper", &party.Register{Handle: p.handle, Kind: p.kind, Name: p.handle, Keys: []party.NewKey{k}})
	}
	d, err := agreement.Parse([]byte(terms))
	if err != nil {
		t.Fatal(err)
	}
	id := do("lotus-market", &agreement.Propose{Document: d.Canonical()}).(agreement.Proposal).Agreement
	for _, p := range d.Parties {
		for _, who := range append(p.Members, p.ID) {
			if who == "" {
				continue
			}
			signature, err := d.SignAs(keyOf(who), p.Role, who)
			if err != nil {
				t.Fatal(err)
			}
			do(who, &agreement.Sign{
				Agreement: id, Version: 1, Role: p.Role, Party: who,
				Key: party.PublicKey(keyOf(who).Public().(ed25519.PublicKey)).ID(), Signature: party.Signature(signature),
			})
		}
	}
	return id
}
