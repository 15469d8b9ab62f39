package console

import (
	"net/url"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// reconcileFixtures are bills and what differs: every class and every state of each.
func reconcileFixtures(l Lang, in func(english, chinese string) string) []fixture {
	g := func(handle string) Party { return garden(l, handle) }
	bill := func(i int) string { return testID(moongate.KindBill, i) }
	wallets := []Option{{"weixin", g("weixin").Name}, {"alipay", g("alipay").Name}}
	assignees := append([]Option{{"moon", g("moon").Name}}, wallets...)
	part := func(list string) Paging { return Paging{List: list, Next: "b64cursor"} }
	sum := func(theirs, ours int64) BillSum {
		return BillSum{Theirs: fen(theirs), Ours: fen(ours), Gap: fen(theirs - ours), Aside: fen(-8210040), Terms: fen(49327), Fee: 49326512, Untold: 120000, Rounding: -488}
	}
	bills := []BillLine{
		{
			ID: bill(0), Wallet: g("weixin"), Kind: "trade", Day: "2026-11-19", State: "differs", Rows: 4211, Matched: 4196, Guessed: 3, Aside: 2, Differ: 12, Missing: 2, Healed: 1, Open: 7,
			Sums: []BillSum{sum(8234410, 8221900)}, Hash: "sha256:" + testHash(5), Published: "sha1:6b5f2c0c1f7a4c2e8d9b0a1f2e3d4c5b6a798081", Bytes: 1 << 20, By: g("moon"), Began: ago(3 * moongate.Hour), Ended: ago(3 * moongate.Hour), Earlier: bill(4),
		},
		{ID: bill(1), Wallet: g("alipay"), Kind: "trade", Day: "2026-11-19", State: "level", Rows: 1804, Matched: 1804, Sums: []BillSum{sum(3120900, 3120900)}, Hash: "sha256:" + testHash(6), Began: ago(2 * moongate.Hour), Ended: ago(2 * moongate.Hour)},
		{ID: bill(2), Wallet: g("weixin"), Kind: "fund", Day: "2026-11-19", State: "taking", Rows: 90122, Matched: 90122, Began: ago(moongate.Minute)},
		{ID: bill(3), Wallet: g("sandbox"), Kind: "trade", Day: "2026-11-18", State: "nothing", Differ: 1, Missing: 1, Sums: []BillSum{{Theirs: money.Of(0, money.USD), Ours: money.Of(1200, money.USD), Gap: money.Of(-1200, money.USD), Aside: money.Of(0, money.USD), Terms: money.Of(0, money.USD)}}, Began: ago(26 * moongate.Hour), Ended: ago(26 * moongate.Hour)},
	}
	line := func(i int, class string, theirs, ours int64) DifferenceLine {
		return DifferenceLine{
			ID: testID(moongate.KindDifference, i), Class: class, State: "open", Wallet: g("weixin"), Bill: bill(0), Kind: "trade", Day: "2026-11-19", Number: "att_aeaqc_mfrggzdfmztwq2lknnwa",
			Theirs: "4200001234202611191234567890", Row: 12 + i, At: ago(moongate.Day), Says: fen(theirs), Books: fen(ours), Payment: testID(moongate.KindPayment, i),
			Facts: "the bill settles 96.50 CNY, our books 69.50 CNY", Opened: ago(moongate.Time(i+1) * 20 * moongate.Hour),
		}
	}
	open := []DifferenceLine{
		line(0, "duplicate", 26800, 0), line(1, "missing_ours", 1931, 0), line(2, "missing_theirs", 0, 5150), line(3, "status", 9900, 0), line(4, "status", 0, 9900),
		line(5, "amount", 9650, 6950), line(6, "fee", 26800, 26800),
	}
	open[1].Payment, open[1].Number, open[1].Assignee = "", "SHOP-2-0001", g("moon")
	open[2].Row = 0
	open[5].Refund, open[5].Says, open[5].Books = true, fen(-9650), fen(-6950)
	open[6].Fee, open[6].Terms = 187600, fen(161)
	waiting := line(7, "missing_theirs", 0, 412)
	waiting.State = "waiting"
	settled := []DifferenceLine{line(8, "amount", 9650, 6950), line(9, "timing", 9650, 9650), line(10, "missing_ours", 100, 0)}
	for i, how := range []string{"corrected", "other_day", "explained"} {
		settled[i].State, settled[i].How, settled[i].Ended = "settled", how, ago(moongate.Hour)
	}
	settled[0].By, settled[0].Note = g("moon"), in("entered with refund BM-0417-r1", "已随退款 BM-0417-r1 入账")
	settled[1].FoundIn = bill(4)
	settled[2].By, settled[2].Note = g("moon"), in("sold by the other shop on this account", "同一账户的其他店铺所售")
	counts := []KindCount{{"duplicate", 1}, {"missing_ours", 4}, {"amount", 2}}
	ages := []KindCount{{"day", 1}, {"three", 4}, {"week", 2}, {"older", 0}}
	steps := []Step{
		{What: "reconcile.found", State: "exception", At: ago(40 * moongate.Hour), Party: g("weixin"), Ref: Ref{"bill", bill(0)}},
		{What: "reconcile.assigned", State: "noted", At: ago(30 * moongate.Hour), Party: g("moon"), Other: g("weixin"), Note: in("asked the wallet, ticket 4711", "已询问钱包，工单 4711")},
		{What: "reconcile.noted", State: "noted", At: ago(20 * moongate.Hour), Party: g("moon"), Note: in("they look into it", "对方核查中")},
		{What: "reconcile.returned", State: "noted", At: ago(10 * moongate.Hour), Party: g("moon")},
	}
	return []fixture{
		{name: "bills", page: Bills{Wallets: wallets, Lines: bills, Paging: Paging{Next: "b64cursor", First: true}, Newest: "2026-11-19", Open: 7, Further: part("fetches"), Fetches: []FetchLine{
			{Wallet: g("weixin"), Kind: "trade", Day: "2026-11-19", State: "got", Bill: bill(0), Tries: 1, At: ago(3 * moongate.Hour)},
			{Wallet: g("alipay"), Kind: "trade", Day: "2026-11-19", State: "later", Tries: 4, At: ago(moongate.Hour), Message: "the wallet has no bill of this day yet"},
			{Wallet: g("sandbox"), Kind: "fund", Day: "2026-11-18", State: "failed", Tries: 1, At: ago(2 * moongate.Hour), Message: `row 12: "2" does not hold`},
			{Wallet: g("sandbox"), Kind: "trade", Day: "2026-11-18", State: "asking", Tries: 1, At: ago(moongate.Second)},
		}}},
		{name: "bills-empty", page: Bills{Wallets: wallets, Newest: "2026-11-19"}},
		{name: "bill", page: Bill{Line: bills[0], Lines: append(open[:3:3], settled[0]), Paging: Paging{Next: "b64cursor", First: true}}},
		{name: "bill-level", page: Bill{Line: bills[1]}},
		{name: "bill-nothing", page: Bill{Line: bills[3], Lines: open[2:3]}},
		{name: "differences", page: Differences{State: "open", Class: "", Age: "three", Wallets: wallets, Assignees: assignees, Counts: counts, Ages: ages, Lines: open, Works: true, Paging: Paging{Next: "b64cursor", First: true}}},
		{name: "differences-waiting", query: url.Values{"state": {"waiting"}}, page: Differences{State: "waiting", Wallets: wallets, Assignees: assignees, Lines: []DifferenceLine{waiting}, Bill: bill(0), Works: true, Paging: Paging{First: true}}},
		{name: "differences-settled", query: url.Values{"state": {"settled"}}, page: Differences{State: "settled", Wallets: wallets, Assignees: assignees, Lines: settled, Works: true, Paging: Paging{First: true}}},
		{name: "differences-empty", page: Differences{State: "open", Wallets: wallets}},
		{name: "difference", page: Difference{Line: open[5], Assignees: assignees, Steps: steps, Works: true}},
		{name: "difference-settled", page: Difference{Line: settled[2], Steps: append(steps[:2:2], Step{What: "reconcile.ended.explained", State: "settled", At: ago(moongate.Hour), Party: g("moon"), Note: settled[2].Note})}},
		{name: "difference-other-day", page: Difference{Line: settled[1], Steps: append(steps[:1:1], Step{What: "reconcile.ended.other_day", State: "settled", At: ago(moongate.Hour), Ref: Ref{"bill", bill(4)}})}},
	}
}
