package pages

import (
	"net/url"

	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
)

// purses are a participant's accounts at wallets, and what the reader may do about them.
func (p *Pages) purses(v *visit, handle string, page *console.Participant) {
	may := v.scopes.Has(party.SettlementWrite)
	if may {
		page.Settable, page.Again = p.walletOptions(v), !v.fresh()
	}
	p.hub.Machine().Read(func() {
		for _, r := range p.hub.Pay.Receivers(handle) {
			line := console.Purse{Wallet: p.partyOf(r.Wallet, v.lang), Account: r.Account, Sub: r.Sub, State: "active"}
			switch {
			case r.Asking():
				line.State = "asking"
			case !r.Admitted:
				line.State, line.Program = "refused", r.Reason
			}
			if may {
				line.Actions = []console.Action{{Word: "remove_account", Target: accountsOf(handle) + "/" + url.PathEscape(r.Wallet) + "/remove", Again: page.Again}}
			}
			page.Purses = append(page.Purses, line)
		}
	})
}

// accountsOf is where the forms about a participant's accounts lead.
func accountsOf(handle string) string {
	return "/console/participants/" + url.PathEscape(handle) + "/accounts"
}

// setPurse sets or changes a participant's account at a wallet.
func (p *Pages) setPurse(v *visit) (string, error) {
	handle, err := p.purseOf(v)
	if err != nil {
		return "", err
	}
	_, err = hub.Do[pay.Done](v.Context(), p.hub, v.who.Handle, "", &pay.SetReceiver{PayeeAt: pay.PayeeAt{
		Wallet: v.PostForm.Get("wallet"), Participant: handle, Account: v.PostForm.Get("account"), Sub: v.PostForm.Get("sub_merchant") != "",
	}})
	return backToAccounts(handle), err
}

// removePurse takes it away.
func (p *Pages) removePurse(v *visit) (string, error) {
	handle, err := p.purseOf(v)
	if err != nil {
		return "", err
	}
	_, err = hub.Do[pay.Done](v.Context(), p.hub, v.who.Handle, "", &pay.RemoveReceiver{Wallet: v.PathValue("wallet"), Participant: handle})
	return backToAccounts(handle), err
}

func backToAccounts(handle string) string {
	return "/console/participants/" + url.PathEscape(handle) + "#accounts"
}

// purseOf finds the participant whose account a form is about: the reader itself, or anybody for an operator.
func (p *Pages) purseOf(v *visit) (handle string, err error) {
	handle = v.PathValue("id")
	known := false
	p.hub.Machine().Read(func() { _, known = p.hub.Party.Lookup(handle) })
	if !known || !v.sees(handle) {
		return "", missing("participant")
	}
	return handle, nil
}
