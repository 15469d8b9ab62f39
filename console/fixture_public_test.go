package console

import "github.com/moongate-hub/moongate"

func publicFixtures(l Lang, in func(english, chinese string) string) []fixture {
	g := func(handle string) Party { return garden(l, handle) }
	wallets := []Wallet{{"weixin", g("weixin").Name, "wechatpay"}, {"alipay", g("alipay").Name, "alipay"}, {"sandbox", g("sandbox").Name, "sandbox"}}
	till := Cashier{
		Payment: testID(moongate.KindPayment, 0), State: "choosing", Merchant: g("old-kiln"), Through: g("bamboo"), Title: in("Teapot No. 7, celadon glaze", "七号茶壶，青瓷釉"), Order: "BM-20261120-0417",
		Amount: fen(26800), Wallets: wallets, Opened: ago(4 * moongate.Minute), Until: noon + 11*moongate.Minute - 8*moongate.Second, Back: "https://bamboo.example/cart", Help: "https://bamboo.example/help",
	}
	cashier := func(name, state string, change func(*Cashier)) fixture {
		c := till
		c.State = state
		if state != "choosing" {
			c.Chosen = wallets[0]
		}
		if change != nil {
			change(&c)
		}
		return fixture{name: "cashier-" + name, page: c}
	}
	return []fixture{
		cashier("choosing", "choosing", nil),
		cashier("awaiting", "awaiting", func(c *Cashier) {
			c.Code, c.Handoff, c.Change = "weixin://wxpay/bizpayurl?pr=p4lpSuKzz", "weixin://wxpay/bizpayurl?pr=p4lpSuKzz", true
		}),
		cashier("awaiting-alipay", "awaiting", func(c *Cashier) {
			c.Chosen, c.Code, c.Handoff = wallets[1], "https://qr.alipay.com/bax03431ljhokirwl38f00a7", "alipays://platformapi/startapp?appId=20000067"
			c.Amount = fen(123456789)
		}),
		cashier("awaiting-inside", "awaiting", func(c *Cashier) {
			c.Bridge = `{"appId":"wx8888888888888888","nonceStr":"5K8264ILTKCH16CQ2502SI8ZNMTM67VS","package":"prepay_id=wx201410272009395522657a690389285100","paySign":"oR9d8PuhnIc=","signType":"RSA","timeStamp":"1414561699"}`
		}),
		cashier("trouble", "choosing", func(c *Cashier) {
			c.Trouble, c.Auto = "busy", true
		}),
		cashier("unknown", "unknown", nil),
		cashier("paid", "succeeded", func(c *Cashier) { c.Paid, c.Receipt = ago(2*moongate.Second), "/pay/x/receipt" }),
		cashier("authorised", "authorised", nil),
		cashier("held", "held", nil),
		cashier("late", "late", func(c *Cashier) { c.Refunded, c.Paid = fen(26800), ago(moongate.Minute) }),
		cashier("failed", "failed", nil),
		cashier("expired", "expired", func(c *Cashier) { c.Until = ago(moongate.Second) }),
		cashier("cancelled", "cancelled", nil),
		cashier("refunded", "refunded", func(c *Cashier) { c.Refunded = fen(26800) }),
		cashier("partly-refunded", "partly_refunded", func(c *Cashier) { c.Refunded = fen(5000) }),
		{name: "blocked", page: Blocked{Block: blocks(l, in)[0], Name: in("the autumn sale of Lotus Mall", "荷塘商城秋季特卖"), Back: "https://jasmine.example/story/88", BackTo: g("jasmine"), Address: "https://m.lotus.example/sale/2026"}},
		{name: "blocked-bare", page: Blocked{Block: blocks(l, in)[1], Name: "heron.example"}},
		{name: "onward", page: Onward{Name: in("Teapot No. 7", "七号茶壶"), Owner: g("bamboo"), From: g("jasmine"), Host: "bamboo.example", Continue: "bamboo://item/7?mgc=x", Fallback: "https://bamboo.example/item/7?mgc=x", Back: "https://jasmine.example/story/88"}},
		{name: "onward-confirm", page: Onward{Name: in("Teapot No. 7", "七号茶壶"), Owner: g("bamboo"), From: g("jasmine"), Host: "bamboo.example", Confirm: true}},
		{name: "signin", page: SignIn{Next: "/console/windows", Hint: "moongate party credential --owner moon --scope console"}},
		{name: "signin-failed", page: SignIn{Failed: true}},
		{name: "problem", page: Problem{Status: 404, Error: moongate.Error{Code: moongate.NotFound, Message: in("there is no payment pay_aeaqc_mfrggzdfmztwq2lknnwa", "没有支付 pay_aeaqc_mfrggzdfmztwq2lknnwa"), Hint: in("copy the identifier whole", "请完整复制编号")}, Request: "req_7f3a"}},
		{name: "problem-why", page: Problem{Status: 401, Why: "stale", Error: moongate.Error{Code: moongate.Unauthenticated, Message: "you signed in more than 10 minutes ago", Field: "credential"}, Request: "req_7f3c"}},
		{name: "problem-unknown", page: Problem{Status: 503, Error: moongate.Error{Code: moongate.Unknown, Message: in("leadership was lost while the request waited", "请求等待期间主节点切换"), Hint: in("retry with the same key", "用同一标识重试")}, Request: "req_7f3b", Money: true}},
		{name: "log", page: PublicLog{
			Origin: "harbour.example/log", Key: "harbour.example/log+53a0b8f1+AcBqf2b4dq0bBtnKJ4s6dHkVXc4m9O2WlqjQzF4H9e1v", Size: 184467, Root: testHash(32), SignedAt: ago(moongate.Second), Note: note(), Base: "https://harbour.example/log/", EachSecond: 1,
			Witnesses: []Witness{{"witness.example/north", ago(3 * moongate.Second)}},
			Acts: []PublicAct{
				{Leaf: 184020, At: ago(2 * moongate.Day), Kind: "link.blocked", Party: g("jasmine"), Text: in("m.lotus.example until 25 November: scams and fraud", "m.lotus.example，至 11 月 25 日：诈骗与欺诈"), Hash: testHash(90)},
				{Leaf: 181877, At: ago(6 * moongate.Day), Kind: "link.appealed", Party: g("heron"), Hash: testHash(91)},
				{Leaf: 170211, At: ago(40 * moongate.Day), Kind: "agreement.published", Party: g("orchard"), Text: in("Orchard Store, links out of apps, version 1, open offer", "果园应用商店外链条款，第 1 版，公开要约"), Hash: testHash(92)},
			}, Paging: Paging{Next: "c", First: true},
		}},
	}
}
