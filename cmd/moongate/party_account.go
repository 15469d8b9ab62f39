package main

import (
	"net/url"

	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/pay"
)

type accountVerb struct {
	Set    accountSet    `cmd:"" help:"Set or change a participant's account at a wallet."`
	List   accountList   `cmd:"" help:"List a participant's accounts at wallets."`
	Remove accountRemove `cmd:"" help:"Take a participant's account at a wallet away."`
}

// pathReceivers is where the hub keeps accounts at wallets.
const pathReceivers = "/v1/settlement/receivers"

type accountSet struct {
	Handle      handle `arg:"" help:"Whose it is."`
	Account     string `arg:"" help:"Its number at the wallet, such as a merchant id, or a sub-merchant's (sub_mchid, smid)."`
	Wallet      string `required:"" help:"The wallet, by its handle." placeholder:"HANDLE"`
	SubMerchant bool   `help:"The account stands below the hub's own (二级商户, 直付通): orders for what the participant sells are paid into it. Without this, payouts are split to it."`
	changeFlags
}

func (v accountSet) Run(e *env) error {
	at := pay.PayeeAt{Wallet: v.Wallet, Participant: string(v.Handle), Account: v.Account, Sub: v.SubMerchant}
	if _, err := change[pay.Done](e, v.changeFlags, pathReceivers, &pay.SetReceiver{PayeeAt: at}); err != nil {
		return err
	}
	return e.show(at, func(t *terminal) {
		t.line("%s %s gets its money at %s in account %s%s", t.green("✓"), v.Handle, v.Wallet, v.Account, subMerchant(v.SubMerchant, ", a sub-merchant's"))
		t.line("%s", t.dim("  What was paid before stays in the account that it was paid into."))
	})
}

func subMerchant(is bool, words string) string {
	if is {
		return words
	}
	return ""
}

type accountList struct {
	Handle handle `arg:"" help:"Whose."`
	hubFlags
}

func (v accountList) Run(e *env) error {
	c, err := v.connect(e)
	if err != nil {
		return err
	}
	list, err := client.Get[api.Receivers](e.ctx, c, pathReceivers, url.Values{"participant": {string(v.Handle)}})
	if err != nil {
		return err
	}
	return e.show(list, func(t *terminal) {
		rows := make([][]string, 0, len(list.Receivers))
		for _, r := range list.Receivers {
			standing := "admitted"
			if !r.Admitted {
				standing = "not admitted: " + r.Reason
			}
			rows = append(rows, []string{r.Wallet, r.Account, subMerchant(r.Sub, "sub-merchant"), standing})
		}
		t.table([]align{left, left, left, left}, []string{"wallet", "account", "", ""}, rows)
		if len(rows) == 0 {
			t.line("%s has named no account at a wallet", v.Handle)
		}
	})
}

type accountRemove struct {
	Handle handle `arg:"" help:"Whose."`
	Wallet string `required:"" help:"At which wallet, by its handle." placeholder:"HANDLE"`
	changeFlags
}

func (v accountRemove) Run(e *env) error {
	if _, err := change[pay.Done](e, v.changeFlags, pathReceivers+"/remove", &pay.RemoveReceiver{Wallet: v.Wallet, Participant: string(v.Handle)}); err != nil {
		return err
	}
	return e.show(map[string]any{"participant": string(v.Handle), "wallet": v.Wallet, "removed": true}, func(t *terminal) {
		t.line("%s %s has no account at %s any more", t.green("✓"), v.Handle, v.Wallet)
		t.line("%s", t.dim("  What was paid into it is refunded, split and released there as before."))
	})
}
