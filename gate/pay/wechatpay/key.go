package wechatpay

import (
	"context"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
)

// Keys implements [pay.Keyholder]: the platform certificates, the public key, or both while an account moves from one to
// the other.
func (w *Wallet) Keys(ctx context.Context) ([]pay.WalletKey, error) {
	ctx, cancel, err := w.begin(ctx, "certificates")
	if err != nil {
		return nil, err
	}
	defer cancel()
	var list []pay.WalletKey
	if w.trust.pinned != nil {
		list = append(list, pay.WalletKey{ID: w.trust.pinnedID})
	} else if err := w.trust.refresh(ctx, func() bool { return true }, true); err != nil {
		return nil, unready("certificates", err)
	}
	w.trust.mu.RLock()
	defer w.trust.mu.RUnlock()
	for _, k := range w.trust.keys {
		list = append(list, pay.WalletKey{ID: k.serial, From: moongate.At(k.from), Until: moongate.At(k.until)})
	}
	slices.SortFunc(list, func(a, b pay.WalletKey) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}
