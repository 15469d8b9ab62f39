package alipay

import (
	"context"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
)

// Keys implements [pay.Keyholder]: the key that was given, or the certificates that were taken so far. There is nothing to
// fetch: a new certificate is asked for when something turns up that it has signed.
func (w *Wallet) Keys(context.Context) ([]pay.WalletKey, error) {
	w.trust.mu.RLock()
	defer w.trust.mu.RUnlock()
	var list []pay.WalletKey
	for _, k := range w.trust.keys {
		if k.cert == nil {
			list = append(list, pay.WalletKey{ID: "public key"})
			continue
		}
		list = append(list, pay.WalletKey{ID: k.serial, From: moongate.At(k.cert.NotBefore), Until: moongate.At(k.cert.NotAfter)})
	}
	slices.SortFunc(list, func(a, b pay.WalletKey) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}
