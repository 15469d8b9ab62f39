package console

import (
	"net/url"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

func consoleFixtures(l Lang, in func(english, chinese string) string) []fixture {
	g := func(handle string) Party { return garden(l, handle) }
	lines := crossingLines(l, 24)
	options := []Option{{"jasmine", g("jasmine").Name}, {"bamboo", g("bamboo").Name}, {"lotus", g("lotus").Name}}
	cx, pay, win := testID(moongate.KindCrossing, 0), testID(moongate.KindPayment, 0), testID(moongate.KindWindow, 0)
	agreement := AgreementLine{
		ID: testID(moongate.KindAgreement, 0), Title: in("Bamboo Market opens to Jasmine Reader", "竹里集市与茉莉阅读互通协议"), Version: 3, State: "in_force",
		Parties: []Party{g("bamboo"), g("jasmine"), g("weixin")}, From: ago(120 * moongate.Day),
	}
	older := agreement
	older.Version, older.State, older.Until = 2, "ended", ago(120*moongate.Day)
	offered := AgreementLine{
		ID: testID(moongate.KindAgreement, 1), Title: in("Orchard Store, links out of apps (open offer)", "果园应用商店外链条款（公开要约）"), Version: 1, State: "awaiting",
		Parties: []Party{g("orchard"), g("ink"), g("tide")}, From: noon + 10*moongate.Day, Until: noon + 375*moongate.Day,
	}
	terminated := AgreementLine{
		ID: testID(moongate.KindAgreement, 2), Title: in("Lotus Mall and Heron Maps", "荷塘商城与白鹭地图"), Version: 1, State: "withdrawn",
		Parties: []Party{g("lotus"), g("heron")}, From: ago(400 * moongate.Day), Until: ago(35 * moongate.Day),
	}
	story := []Step{
		{What: "link.clicked", At: ago(9 * moongate.Minute), Party: g("jasmine"), Other: g("bamboo"), Ref: Ref{"crossing", testID(moongate.KindCrossing, 31)}},
		{What: "pay.created", At: ago(7 * moongate.Minute), Party: g("bamboo"), Amount: fen(26800), Ref: Ref{"payment", pay}},
		{What: "pay.attempt_opened", At: ago(6*moongate.Minute + 20*moongate.Second), Party: g("weixin")},
		{What: "pay.doubted", State: "unknown", At: ago(6 * moongate.Minute), Party: g("weixin"), Why: "why.verdict.unknown", Code: "SYSTEM_ERROR", Program: "504 Gateway Timeout, 5.0 s"},
		{What: "pay.query_due", State: "asking", At: ago(6*moongate.Minute - 2*moongate.Second), Party: g("weixin")},
		{What: "pay.attempt_ended.paid", At: ago(5*moongate.Minute + 52*moongate.Second), Party: g("weixin"), Amount: fen(26800)},
		{What: "ledger.transferred", At: ago(5*moongate.Minute + 52*moongate.Second), Amount: fen(26800)},
		{What: "settle.claimed", State: "pending", At: ago(5*moongate.Minute + 52*moongate.Second), Ref: Ref{"window", win}},
		{What: "pay.repeated", State: "noted", At: ago(5*moongate.Minute + 50*moongate.Second), Party: g("weixin")},
	}
	payments := make([]PaymentLine, 0, 12)
	for i, s := range []string{"succeeded", "unknown", "awaiting", "succeeded", "failed", "partly_refunded", "expired", "open", "held", "cancelled"} {
		p := PaymentLine{
			ID: testID(moongate.KindPayment, i), At: ago(moongate.Time(i*i+1) * moongate.Minute), Order: "BM-2026112" + string(rune('0'+i)) + "-0417",
			Merchant: g([]string{"old-kiln", "tea-hill", "north-loom"}[i%3]), Wallet: g([]string{"weixin", "alipay", "sandbox"}[i%3]), Amount: fen(int64(26800 + i*i*1931)), State: s,
		}
		if s == "open" {
			p.Wallet = Party{}
		}
		payments = append(payments, p)
	}
	wallets := []Option{{"weixin", g("weixin").Name}, {"alipay", g("alipay").Name}}
	refunds := []RefundLine{
		{ID: testID(moongate.KindRefund, 0), At: ago(3 * moongate.Minute), Payment: pay, Reference: "BM-20261120-0417-r1", Merchant: g("old-kiln"), Wallet: g("weixin"), Amount: fen(5150), State: "accepted"},
		{ID: testID(moongate.KindRefund, 1), At: ago(2 * moongate.Hour), Payment: testID(moongate.KindPayment, 3), Exception: "e3", Merchant: g("tea-hill"), Wallet: g("alipay"), Amount: fen(96316), State: "succeeded", Ended: ago(moongate.Hour)},
		{ID: testID(moongate.KindRefund, 2), At: ago(5 * moongate.Hour), Payment: testID(moongate.KindPayment, 4), Reference: "BM-20261118-0033-r1", Merchant: g("old-kiln"), Wallet: g("weixin"), Amount: fen(412), State: "held_up", Message: in("the account that paid is closed", "付款账户已注销")},
		{ID: testID(moongate.KindRefund, 3), At: ago(26 * moongate.Hour), Payment: testID(moongate.KindPayment, 5), Reference: "BM-20261117-0008-r2", Merchant: g("north-loom"), Wallet: g("weixin"), Amount: fen(1931), State: "failed", Ended: ago(25 * moongate.Hour), Message: in("NOTENOUGH", "余额不足")},
	}
	hooks := []WebhookLine{
		{ID: testID(moongate.KindWebhook, 0), Name: in("order service", "订单服务"), URL: "https://orders.bamboo.example/moongate/events", Owner: g("bamboo"), Kinds: []string{"pay.*", "settle.closed"}, State: "delivering", Since: ago(60 * moongate.Day), Delivered: ago(4 * moongate.Minute)},
		{ID: testID(moongate.KindWebhook, 1), URL: "https://hooks.jasmine.example/a-rather-long-address/that-goes-on/and-on", Owner: g("jasmine"), State: "failing", Since: ago(9 * moongate.Day), Failing: ago(3 * moongate.Hour), Delivered: ago(3 * moongate.Hour)},
		{ID: testID(moongate.KindWebhook, 2), Name: in("old shop", "旧店"), URL: "https://old.bamboo.example/hook", Owner: g("bamboo"), State: "disabled", Since: ago(90 * moongate.Day), Reason: "it answered 410 Gone"},
	}
	again := []Action{{Word: "redeliver", Target: "/console/webhooks/x/events/y/redeliver"}}
	window := WindowLine{ID: win, State: "settled", Agreement: agreement.ID, Title: agreement.Title, Opened: ago(36 * moongate.Hour), Closed: ago(12 * moongate.Hour), Due: ago(8 * moongate.Hour), Parties: 6, Net: fen(21200350)}
	positions := []Position{
		{Party: g("bamboo"), Pays: fen(9120044), Gets: fen(21004150), Net: fen(11884106)},
		{Party: g("jasmine"), Pays: fen(0), Gets: fen(6120990), Net: fen(6120990)},
		{Party: g("lotus"), Pays: fen(14200100), Gets: fen(17395354), Net: fen(3195254)},
		{Party: g("orchard"), Pays: fen(120), Gets: fen(120), Net: fen(0)},
		{Party: g("willow"), Pays: fen(1300450), Gets: fen(1300000), Net: fen(-450)},
		{Party: g("weixin"), Pays: fen(12100150), Gets: fen(900250), Net: fen(-11199900)},
		{Party: g("alipay"), Pays: fen(10000000), Gets: fen(0), Net: fen(-10000000)},
	}
	resolve := func(id string) []Action {
		return []Action{{Word: "dismiss", Target: "/console/exceptions/" + id, Note: true}, {Word: "give_back", Target: "/console/exceptions/" + id, Danger: true, Note: true, Again: true}}
	}
	exceptions := []ExceptionLine{
		{ID: "e1", Kind: "unclear", Opened: ago(26 * moongate.Hour), State: "open", Subject: Ref{"payment", pay}, Subtext: "b81ef226f3fe1789b1e8b2acac839d17", Party: g("tea-hill"), Ours: money.Of(9933, money.BRL), Theirs: money.Of(9932, money.BRL), Amount: money.Of(1, money.BRL), Actions: resolve("e1")},
		{ID: "e2", Kind: "silent", Opened: ago(50 * moongate.Minute), State: "open", Subject: Ref{"payment", testID(moongate.KindPayment, 1)}, Subtext: "BM-20261121-0417", Party: g("alipay"), Amount: fen(28731)},
		{ID: "e3", Kind: "late", Opened: ago(4 * moongate.Hour), Until: noon + 20*moongate.Hour, State: "open", Subject: Ref{"payment", testID(moongate.KindPayment, 6)}, Subtext: "BM-20261126-0417", Party: g("weixin"), Theirs: fen(96316), Amount: fen(96316), Facts: "weixin was paid 963.16 CNY although its order was closed and the payment expired", Actions: resolve("e3")[1:]},
		{ID: "e4", Kind: "stranger", Opened: ago(3 * moongate.Day), State: "resolved", Subject: Ref{"payment", testID(moongate.KindPayment, 9)}, Party: g("north-loom"), Theirs: money.Of(15000, money.BRL), Amount: money.Of(-15000, money.BRL), Ended: ago(moongate.Day), How: "dismiss", By: g("moon"), Note: in("refunded by the merchant on 18 November", "商户已于 11 月 18 日退款")},
	}
	statement := StatementLine{ID: testID(moongate.KindStatement, 0), Agreement: agreement.ID, Title: agreement.Title, Period: "2026-10", From: g("bamboo"), To: g("jasmine"), Total: fen(341977), Crossings: 180, State: "issued", Issued: ago(19 * moongate.Day)}
	private := StatementLine{ID: testID(moongate.KindStatement, 1), Agreement: offered.ID, Title: offered.Title, Period: "2026-10", From: g("ink"), To: g("orchard"), Private: true, Total: fen(98400), State: "confirmed", Issued: ago(19 * moongate.Day)}
	health := Health{
		Node: "harbour-1", Role: "alone", Term: 4, Started: ago(9 * moongate.Day), Position: 18446744, Bytes: 3 << 30, Segments: 48, Snapshot: 18400000, SnapshotAt: ago(31 * moongate.Minute),
		Followers: []Follower{{Name: "lists", Behind: 642}, {Name: "log"}},
		Rate:      series(money.Currency{}),
		OpenWork:  318,
		Clicks:    Clicks{Waiting: 12, Most: 100000, Longest: 100 * moongate.Millisecond, Recorded: 9120, Abandoned: 3},
		Peers: []Queue{
			{Peer: g("weixin"), Kind: "wallet", Waiting: 3, Flying: 8, Oldest: ago(4 * moongate.Second)},
			{Peer: g("alipay"), Kind: "wallet", Waiting: 41, Flying: 2, Oldest: ago(3 * moongate.Minute), Failing: 5, Error: "dial tcp: i/o timeout"},
			{Peer: g("old-kiln"), Kind: "webhook", Waiting: 0, Dead: 2, Oldest: ago(2 * moongate.Day), Error: "410 Gone", Actions: []Action{{Word: "retry", Target: "/console/system/peers/old-kiln/retry"}, {Word: "discard", Target: "/console/system/peers/old-kiln/discard", Danger: true}}},
		},
	}
	health.Checkpoint.Size, health.Checkpoint.At = 184467, ago(moongate.Second)
	full := Paging{Next: "b64cursor", First: true}
	part := func(list string) Paging { return Paging{List: list, Next: "b64cursor"} }

	return []fixture{
		{name: "home", page: Home{Range: "24h", Position: 18446744, Flows: flows(l), Totals: Totals{16210, 43, 3, []money.Amount{fen(267384300), money.Of(18412, money.USD)}}, Balances: accounts(l)[:6], Latest: lines[:8]}},
		{name: "home-empty", page: Home{Range: "24h"}},
		{name: "crossings", query: url.Values{"from": {"jasmine"}}, page: Crossings{Filter: CrossingFilter{From: "jasmine", Parties: options}, Lines: lines, Paging: full}},
		{name: "crossings-empty", page: Crossings{}},
		{name: "crossing", page: Crossing{Line: lines[0], Version: 3, Payment: pay, Steps: story, Split: split(l), Window: win, HasProof: true, Position: 18446101, Reference: "BM-20261120-0417", Refunds: lines[2:3]}},
		{name: "crossing-refused", page: Crossing{Line: lines[3], Version: 1, Steps: []Step{{What: "crossing.refused", State: "refused", At: lines[3].At, Party: g("jasmine"), Other: g("lotus"), Why: "why.refused.kind", Program: "crossings of kind \"link\" are not in the scope of jasmine-lotus version 1"}}, Position: 18446000}},
		{name: "payments", query: url.Values{"state": {"succeeded"}, "since": {"2026-11-01"}}, page: Payments{Filter: PaymentFilter{State: "succeeded", Since: "2026-11-01", Wallets: wallets, Merchants: options}, Lines: payments, Paging: full}},
		{name: "payments-empty", page: Payments{Filter: PaymentFilter{Order: "BM-1", Wallets: wallets}}},
		{name: "refunds", page: Refunds{Wallets: wallets, Lines: refunds, Paging: full}},
		{name: "refunds-empty", page: Refunds{Wallets: wallets}},
		{name: "wallets", page: Wallets{Lines: []WalletLine{
			{Wallet: g("weixin"), State: "answering", Kind: "wechatpay", Tried: 4120, Paid: 3904, Failed: 12, Refunds: 88, RefundsBack: 86, Queue: Queue{Peer: g("weixin"), Flying: 1}},
			{Wallet: g("alipay"), State: "failing", Kind: "alipay", Tried: 2110, Paid: 1702, Failed: 61, Unknown: 41, Refunds: 30, RefundsBack: 22, RefundsFailed: 1, RefundsStuck: 3, Exceptions: 4, Oldest: ago(30 * moongate.Hour), Queue: Queue{Peer: g("alipay"), Waiting: 41, Flying: 2, Failing: 5, Oldest: ago(3 * moongate.Minute), Error: "dial tcp: i/o timeout"}},
			{Wallet: g("sandbox"), State: "dead", Sandbox: true, Kind: "wechatpay", Queue: Queue{Peer: g("sandbox"), Dead: 1, Error: "404 ORDER_NOT_EXIST", Actions: []Action{{Word: "retry", Target: "/console/system/effects/7/retry"}}}},
		}}},
		{name: "wallets-merchant", page: Wallets{Lines: []WalletLine{{Wallet: g("alipay"), State: "asking", Tried: 3, Paid: 1, Unknown: 1}}}, context: func(c *PageContext) { c.Viewer.Operator = false }},
		{name: "wallets-empty", page: Wallets{}},
		{name: "webhooks", page: Webhooks{Parties: options, Lines: hooks}},
		{name: "webhooks-empty", page: Webhooks{}},
		{name: "webhook", page: Webhook{Line: hooks[0], Deliveries: []DeliveryLine{
			{Message: "evt_5k3n2q7w4b6c7d2e3f4g5h6i", Kind: "pay.settled", At: ago(4 * moongate.Minute), Tries: 1, Status: 204, Actions: again},
			{Message: "evt_aq3n2q7w4b6c7d2e3f4g5h6i", Kind: "pay.refund_ended", At: ago(9 * moongate.Minute), Tries: 12, Status: 503, Error: "the address answered 503 Service Unavailable", Actions: again},
			{Message: "evt_zz3n2q7w4b6c7d2e3f4g5h6i", Kind: "settle.closed", At: ago(2 * moongate.Hour), Tries: 2, Error: "no answer within 15s", Again: true, Actions: again},
		}, Paging: full, Actions: []Action{{Word: "disable", Target: "/console/webhooks/x/disable", Note: true}, {Word: "remove", Target: "/console/webhooks/x/remove", Danger: true}}}},
		{name: "webhook-failing", page: Webhook{Line: hooks[1], Failed: true}},
		{name: "webhook-stopped", page: Webhook{Line: hooks[2], Actions: []Action{{Word: "enable", Target: "/console/webhooks/x/enable"}}}},
		{name: "payment", page: Payment{Line: payments[1], Refundable: fen(0), Until: noon + 9*moongate.Minute, Attempts: []Attempt{{ID: "a", At: ago(6 * moongate.Minute), Wallet: g("alipay"), State: "unknown", Reference: "mgaeaqcmfrggzdfmztwq2lk", Asked: 4, Next: noon + 20*moongate.Second}}, Unfit: []Unfit{{Wallet: g("weixin"), Why: "why.unfit.sellers_many", Program: "wallet: weixin pays up to 1 sub-merchants by one order, and this payment is for 2"}}, Steps: story[1:5]}},
		{name: "payment-paid", page: Payment{Line: payments[0], Crossing: cx, Refundable: fen(26800), Attempts: []Attempt{{ID: "a", At: ago(6 * moongate.Minute), Wallet: g("weixin"), State: "succeeded", Reference: "mgaeaqcmfrggzdfmztwq2lk", Theirs: "4200001234202611201234567890", Asked: 1}}, Refunds: refunds[:1], Steps: story[1:8], Actions: []Action{{Word: "refund", Target: "/console/payments/x/refund", Danger: true}}}},
		{name: "payment-authorised", page: Payment{
			Line: PaymentLine{ID: pay, At: ago(3 * moongate.Hour), Order: "BM-20261120-0419", Merchant: g("bamboo"), Wallet: g("weixin"), Amount: fen(26800), State: "authorised"}, HeldUntil: noon + 5*moongate.Day,
			Attempts: []Attempt{{ID: "a", At: ago(3 * moongate.Hour), Wallet: g("weixin"), State: "reserved", Reference: "mgaeaqcmfrggzdfmztwq2lk"}}, Steps: story[1:4],
			Actions: []Action{{Word: "capture", Target: "/console/payments/x/capture", Most: fen(26800), Danger: true, Again: true}, {Word: "let_go", Target: "/console/payments/x/let_go", Danger: true}},
		}},
		{name: "balances", page: Balances{Position: 18446744, At: noon, Lines: accounts(l), Totals: []money.Amount{fen(0), money.Of(0, money.USD)}, Paging: full}},
		{name: "account", page: Account{Line: accounts(l)[2], Series: series(money.CNY), Entries: []Entry{
			{ID: "t1", At: ago(6 * moongate.Minute), Other: g("bamboo"), Purpose: "traffic", Crossing: cx, Amount: fen(1977), Balance: fen(341977), State: "posted"},
			{ID: "t2", At: ago(40 * moongate.Minute), Other: g("bamboo"), Purpose: "refund", Crossing: cx, Amount: fen(-412), Balance: fen(340000), State: "posted"},
			{ID: "t3", At: ago(3 * moongate.Hour), Other: g("lotus"), Purpose: "traffic", Crossing: cx, Amount: fen(88), Balance: fen(340412), State: "voided"},
		}, Paging: full}},
		{name: "windows", page: Windows{Open: []WindowLine{{ID: testID(moongate.KindWindow, 2), State: "open", Agreement: agreement.ID, Title: agreement.Title, Opened: ago(12 * moongate.Hour)}}, Further: part("open"), Lines: []WindowLine{{ID: testID(moongate.KindWindow, 1), State: "pending", Agreement: offered.ID, Title: offered.Title, Opened: ago(12 * moongate.Hour), Closed: ago(moongate.Hour), Parties: 3, Net: fen(120000)}, window}, Paging: full}},
		{name: "payouts", page: Payouts{Wallets: wallets, Parties: options, Lines: []PayoutLine{
			{Instruction: Instruction{ID: testID(moongate.KindInstruction, 2), From: g("alipay"), To: g("lotus"), Through: g("alipay"), Amount: fen(3194804), State: "manual", Paid: fen(94804)}, Window: window.ID, Due: ago(-12 * moongate.Hour), Note: "the wallet refuses the account: account is frozen"},
			{Instruction: Instruction{ID: testID(moongate.KindInstruction, 1), From: g("alipay"), To: g("jasmine"), Through: g("alipay"), Amount: fen(6120990), State: "sent", UnderWay: fen(4120990)}, Window: window.ID, Due: ago(-12 * moongate.Hour)},
			{Instruction: Instruction{ID: testID(moongate.KindInstruction, 0), From: g("weixin"), To: g("bamboo"), Through: g("weixin"), Amount: fen(11199900), State: "paid"}, Window: testID(moongate.KindWindow, 1), Due: ago(12 * moongate.Hour)},
			{Instruction: Instruction{ID: testID(moongate.KindInstruction, 3), From: g("weixin"), To: g("orchard"), Through: g("weixin"), Amount: fen(120), State: "returned"}, Window: testID(moongate.KindWindow, 1), Due: ago(12 * moongate.Hour), Note: "no such account"},
		}, Paging: full}},
		{name: "payouts-empty", page: Payouts{Wallets: wallets}},
		{name: "window", page: Window{Line: window, Gross: fen(88210450), Positions: positions, Paging: part("positions"), Sum: fen(0), Further: part("payouts"), Clearing: fen(0), Instructions: []Instruction{
			{ID: testID(moongate.KindInstruction, 0), From: g("weixin"), To: g("bamboo"), Through: g("weixin"), Amount: fen(11199900), State: "paid"},
			{ID: testID(moongate.KindInstruction, 1), From: g("alipay"), To: g("jasmine"), Through: g("alipay"), Amount: fen(6120990), State: "sent", Paid: fen(2000000), UnderWay: fen(4120990)},
			{ID: testID(moongate.KindInstruction, 2), From: g("alipay"), To: g("lotus"), Through: g("alipay"), Amount: fen(3194804), State: "manual", Paid: fen(94804), Actions: []Action{
				{Word: "pay", Target: "/console/windows/x/payouts/y/paid", Danger: true, Ref: true, Again: true}, {Word: "tell_again", Target: "/console/windows/x/payouts/y/sent", Again: true},
			}},
			{ID: testID(moongate.KindInstruction, 3), From: g("weixin"), To: g("orchard"), Through: g("weixin"), Amount: fen(120), State: "sent", Actions: []Action{
				{Word: "by_hand", Target: "/console/windows/x/payouts/z/manual", Note: true}, {Word: "came_back", Target: "/console/windows/x/payouts/z/returned", Danger: true, Note: true},
			}},
		}, Steps: []Step{
			{What: "settle.opened", State: "done", At: window.Opened},
			{What: "settle.closed", State: "done", At: window.Closed, Amount: fen(21200350)},
			{What: "settle.instructed", State: "sent", At: window.Closed, Party: g("weixin"), Other: g("bamboo"), Amount: fen(11199900)},
		}, Actions: []Action{{Word: "close_window", Target: "/console/windows/x/close", Danger: true}}}},
		{name: "exceptions", query: url.Values{}, page: Exceptions{Age: "three", Wallets: wallets, Counts: []KindCount{{"unclear", 60}, {"silent", 1}, {"late", 1}, {"stranger", 4}}, Ages: []KindCount{{"day", 3}, {"three", 21}, {"week", 40}, {"older", 2}}, Lines: exceptions[:3], Paging: full}},
		{name: "exceptions-resolved", query: url.Values{"state": {"resolved"}}, page: Exceptions{State: "resolved", Wallets: wallets, Lines: exceptions[3:], Paging: full}},
		{name: "exceptions-empty", page: Exceptions{}},
		{name: "agreements", page: Agreements{Lines: []AgreementLine{agreement, offered, terminated, older}, Paging: Paging{First: true}}},
		{name: "agreement", page: Agreement{
			Line: agreement, Scope: []string{"link", "payment", "refund", "conversion"}, Products: []string{"goods", "digital"}, NoticeDays: 30, Hash: testHash(8), Signers: part("signatures"), Further: part("versions"),
			Signatures: []Signature{{g("bamboo"), "marketplace", ago(121 * moongate.Day), testID(moongate.KindCredential, 1)}, {g("jasmine"), "publisher", ago(120 * moongate.Day), testID(moongate.KindCredential, 2)}, {g("weixin"), "wallet", 0, ""}},
			Fees: []Fee{
				{Payer: g("old-kiln"), Payee: g("bamboo"), Class: "goods", BasisPoints: 800, Max: fen(20000)},
				{Payer: g("old-kiln"), Payee: g("bamboo"), Class: "goods", Above: fen(100000000), BasisPoints: 650, Max: fen(20000)},
				{Payer: g("old-kiln"), Payee: g("weixin"), Class: "any", BasisPoints: 60, Min: fen(1)},
			},
			Share:      ShareRule{Rule: "unique_uniform", Parts: []RulePart{{Party: g("jasmine"), BasisPoints: 5000, Floor: fen(10), Cap: fen(50000)}, {Party: g("plum"), BasisPoints: 5000}}},
			Guards:     []Guard{{Kind: "cap", Party: g("old-kiln"), Limit: fen(5000000)}, {Kind: "non_discrimination", Party: g("bamboo")}, {Kind: "notice", Party: g("bamboo"), Days: 30}},
			Settlement: Terms{Cycle: "daily", Days: 1, Currency: money.CNY, Through: g("weixin")},
			Example:    Example{Goods: in("a teapot", "一把茶壶"), Split: split(l), Present: true}, Versions: []AgreementLine{agreement, older},
		}},
		{name: "agreement-private", page: Agreement{Line: offered, Private: true, NoticeDays: 90, Hash: testHash(9), Scope: []string{"conversion"}, Settlement: Terms{Cycle: "monthly", Days: 10, Currency: money.CNY, Through: g("alipay")}, Signatures: []Signature{{g("orchard"), "host", ago(moongate.Day), "key"}, {g("ink"), "guest", 0, ""}}}},
		{name: "agreement-text", page: Agreement{Line: agreement, Hash: testHash(10), Text: in("Bamboo Market opens to Jasmine Reader\n══════════════════════════════════════\n\nParties\n  marketplace  Bamboo Market (bamboo)\n  publisher    Jasmine Reader (jasmine)\n", "竹里集市与茉莉阅读互通协议\n══════════════════════════\n\n各方\n  电商平台  竹里集市 (bamboo)\n  发布方    茉莉阅读 (jasmine)\n")}},
		{name: "block", page: OneBlock{Block: blocks(l, in)[0]}},
		{name: "links", page: Links{Blocks: blocks(l, in), Further: part("blocks"), Lines: []LinkLine{
			{Code: "k7q2m9x4", Name: in("Teapot No. 7", "七号茶壶"), Publisher: g("jasmine"), Owner: g("bamboo"), Campaign: in("autumn", "秋季"), State: "open", Opened: 4120},
			{Code: "p3w8r5t1", Name: in("Autumn sale", "秋季特卖"), Publisher: g("jasmine"), Owner: g("lotus"), State: "blocked", Opened: 1630, Stopped: 43},
		}, Paging: full}},
		{name: "links-empty", page: Links{}},
		{name: "destinations", page: Destinations{Lines: []Destination{
			{ID: testID(moongate.KindDestination, 0), Name: in("Teapot No. 7", "七号茶壶"), Owner: g("bamboo"), Host: "bamboo.example", App: "bamboo://item/7", State: "open", Since: ago(90 * moongate.Day)},
			{ID: testID(moongate.KindDestination, 1), Name: in("Autumn sale", "秋季特卖"), Owner: g("lotus"), Host: "m.lotus.example", State: "blocked", Since: ago(40 * moongate.Day)},
		}, Paging: Paging{First: true}}},
		{name: "receipt", page: receipt(l)},
		{name: "statements", page: Statements{Party: "jasmine", Parties: options, Itemised: []StatementLine{statement}, Totals: []StatementLine{private}, Paging: Paging{First: true}}},
		{name: "statements-empty", page: Statements{Parties: options, Paging: Paging{First: true}}},
		{name: "statement", page: Statement{Line: statement, Accrued: fen(-1250), Balance: fen(120788), Problems: []string{"crossing " + cx + ": the lines come to 1977, the ledger’s transfer to 1976"}, Sums: []Sum{{"traffic", "", 173, fen(344879)}, {"fee", in("Commission", "平台佣金"), 7, fen(-2902)}}, Items: []Item{
			{Crossing: cx, At: ago(21 * moongate.Day), Kind: "payment", Purpose: "traffic", Other: g("bamboo"), Amount: fen(1977)},
			{Crossing: testID(moongate.KindCrossing, 5), At: ago(22 * moongate.Day), Kind: "refund", Purpose: "fee", Rule: in("Commission", "平台佣金"), Other: g("bamboo"), Amount: fen(-412), Accrues: true},
		}, Paging: full, Downloads: []Option{{"/console/statements/x.csv", "CSV"}, {"/console/statements/x.json", "JSON"}}, Actions: []Action{{Word: "confirm", Target: "/console/statements/x/confirm"}, {Word: "dispute", Target: "/console/statements/x/dispute"}}}},
		{name: "statement-private", page: Statement{Line: private, Sums: []Sum{{"commission", "", 0, fen(98400)}}, Tokens: 1204, Manifest: testHash(77), Proof: "checked", Downloads: []Option{{"/console/statements/y.json", "JSON"}}}},
		{name: "participants", page: Participants{Lines: []ParticipantLine{
			{g("bamboo"), "active", ago(300 * moongate.Day), 4, 2}, {g("jasmine"), "active", ago(290 * moongate.Day), 2, 1}, {g("weixin"), "active", ago(310 * moongate.Day), 6, 3}, {g("tide"), "suspended", ago(12 * moongate.Day), 1, 1},
		}, Paging: full}},
		{name: "participant", page: Participant{
			Settable: wallets, Again: true, Purses: []Purse{
				{Wallet: g("weixin"), Account: "1900000201", Sub: true, State: "active", Actions: []Action{{Word: "remove_account", Target: "/console/participants/bamboo/accounts/weixin/remove", Again: true}}},
				{Wallet: g("alipay"), Account: "2088000000000555", State: "refused", Program: "USER_NOT_EXIST: the account is not known", Actions: []Action{{Word: "remove_account", Target: "/console/participants/bamboo/accounts/alipay/remove", Again: true}}},
			},
			Line: ParticipantLine{g("bamboo"), "active", ago(300 * moongate.Day), 4, 2}, Site: "https://bamboo.example",
			Keys:        []Key{{"bamboo-2026-09", ago(60 * moongate.Day), 0, "active", "requests"}, {"bamboo-2025-12", ago(300 * moongate.Day), ago(30 * moongate.Day), "rotated", "requests"}},
			Credentials: []Credential{{testID(moongate.KindCredential, 9), in("order service", "订单服务"), []string{"payments:write", "payments:read"}, ago(60 * moongate.Day), ago(3 * moongate.Second), "active"}},
			Agreements:  []AgreementLine{agreement}, Actions: []Action{{Word: "revoke", Target: "/console/participants/bamboo/revoke", Danger: true}},
		}},
		{name: "health", page: health},
		{name: "quarantine", page: health, context: func(c *PageContext) { c.Notice = Quarantine }},
		{name: "find", query: url.Values{"q": {"BM-2026"}}, page: Find{Text: "BM-2026", Hits: []Hit{{Ref{"payment", pay}, "BM-20261120-0417", ago(moongate.Hour)}, {Ref{"crossing", cx}, "BM-20261120-0417", ago(moongate.Hour)}}}},
		{name: "find-empty", query: url.Values{"q": {"teapot"}}, page: Find{Text: "teapot"}},
	}
}

func blocks(l Lang, in func(string, string) string) []Block {
	return []Block{
		{
			ID: testID(moongate.KindBlock, 0), Place: in("Autumn sale", "秋季特卖"), Pattern: "m.lotus.example", By: garden(l, "jasmine"), Against: garden(l, "lotus"), Agreement: testID(moongate.KindAgreement, 0), Reason: "scams_and_fraud",
			Facts:    in("Three shoppers reported coupons that the shop does not honour.", "三位买家举报优惠券无法兑现。"),
			Evidence: testHash(3), Since: ago(2 * moongate.Day), Until: noon + 5*moongate.Day, AppealBy: noon + 88*moongate.Day, State: "standing", Stopped: 43, Appeal: "/console/links/x/appeal",
		},
		{
			ID: testID(moongate.KindBlock, 1), Pattern: "*.heron.example", By: garden(l, "moon"), Reason: "malware", Automated: true,
			Facts:    in("A scanner found a program that records what is typed.", "扫描发现记录键盘输入的程序。"),
			Evidence: testHash(4), Since: ago(9 * moongate.Day), Until: noon + 21*moongate.Day, State: "contested", Stopped: 1,
			Contest: Contest{By: garden(l, "heron"), Statement: in("The program is our own map editor; its source is public.", "该程序是我们自己的地图编辑器，源码公开。"), DecideBy: noon + 3*moongate.Day},
			Actions: []Action{{Word: "lift", Target: "/console/links/y/lift", Note: true}},
		},
	}
}

func receipt(l Lang) Receipt {
	return Receipt{
		Crossing: testID(moongate.KindCrossing, 0), Kind: "payment", At: ago(6 * moongate.Minute), Holder: garden(l, "bamboo"),
		Groups: []Group{
			{Audience: "parties", Hash: testHash(20), Open: true, Fields: []Field{{Name: "kind", Value: "payment"}, {Name: "time", At: ago(6 * moongate.Minute)}, {Name: "agreement", Ref: Ref{"agreement", testID(moongate.KindAgreement, 0)}}, {Name: "version", Value: "3"}, {Name: "amount", Value: "268.00 CNY"}}},
			{Audience: "each", Hash: testHash(21), Open: true, Fields: []Field{{Name: "payee", Value: garden(l, "bamboo").Name}, {Name: "fee", Value: "20.48 CNY"}, {Name: "order", Value: "BM-20261120-0417"}}},
			{Audience: "hub", Hash: testHash(26), Open: true, Raw: true, Fields: []Field{{Name: "cast.1.party", Value: "weixin"}, {Name: "volumes.1.since", Value: "2026-10-31T16:00:00Z"}}},
			{Hash: testHash(22)},
			{Hash: testHash(23)},
			{Hash: testHash(24)},
			{Hash: testHash(25)},
		},
		Event: testHash(30), Inside: hashes(24, 40), Interval: testHash(31), Leaf: 184201, Outside: hashes(18, 80), Root: testHash(32), Size: 184467,
		Origin: "harbour.example/log", Signer: "harbour.example/log", SignedAt: ago(moongate.Second), Note: note(), Verified: true, Download: "/console/crossings/x/receipt.json",
		Command: "moongate log receipt --key harbour.example/log+53a0b8f1+AcBqf2b4dq0bBtnKJ4s6dHkVXc4m9O2WlqjQzF4H9e1v receipt.json",
	}
}
