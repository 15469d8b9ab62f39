package replay

import (
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate/agreement"
)

// olistTerms is the agreement that a replayed marketplace trades under. The commission is on goods, freight goes whole
// to whoever ships; each way of paying is a wallet of its own.
func olistTerms(currency string, wallets []string) (*agreement.Document, error) {
	return agreement.Parse(fmt.Appendf(nil, `
moongate: agreement/1
id: olist-replay
version: 1
name: {en: "A marketplace and its sellers", zh: "电商平台与商家"}
parties:
  - {role: marketplace, id: %s, name: Olist}
  - {role: publisher, id: %s, name: "The web"}
  - {role: wallet, members: [%s], name: "Ways of paying"}
  - {role: seller, open: merchant, name: "any seller"}
valid: {from: "2016-01-01T00:00:00Z", notice: 30d}
scope: {kinds: [payment, refund], currencies: [%s], beneficiary: seller}
fees:
  - {id: commission, label: {en: Commission, zh: "平台佣金"}, from: seller, to: marketplace, of: freight_excluded, bps: 1200}
settlement: {window: 31d, currency: %s, netting: multilateral, delay: 1d}
offer: {kind: open}
`, olistMarket, olistWeb, strings.Join(wallets, ", "), currency, currency))
}

// retailTerms is the agreement of one merchant with the till that takes its money.
func retailTerms(currency string) (*agreement.Document, error) {
	return agreement.Parse(fmt.Appendf(nil, `
moongate: agreement/1
id: online-retail-replay
version: 1
name: {en: "A wholesaler and its till", zh: "批发商与收银"}
parties:
  - {role: seller, id: %s, name: "Online Retail"}
  - {role: wallet, id: %s, name: Till}
  - {role: publisher, id: %s, name: "The web"}
valid: {from: "2009-01-01T00:00:00Z", notice: 30d}
scope: {kinds: [payment, refund], currencies: [%s], beneficiary: seller}
fees:
  - {id: wallet_fee, label: {en: "Wallet fee", zh: "钱包手续费"}, from: seller, to: wallet, of: gross, bps: 140, on_refund: returned}
settlement: {window: 31d, currency: %s, netting: multilateral, delay: 1d}
offer: {kind: closed}
`, retailMerchant, retailTill, retailWeb, currency, currency))
}
