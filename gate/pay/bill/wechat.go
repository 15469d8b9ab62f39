package bill

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

// WeChat Pay's bills (GET /v3/bill/tradebill and /v3/bill/fundflowbill of its API v3): a header without backticks, rows
// in which every cell stands after one, and at the end a header and one row of sums.

// cell is what a column of a trade bill goes into.
type cell uint8

const (
	cellTime cell = iota + 1
	cellMerchant
	cellAccount
	cellRef
	cellOrder
	cellType
	cellState
	cellCurrency
	cellSettled
	cellCoupon
	cellAskedAt
	cellDoneAt
	cellRefundRef
	cellRefundNo
	cellRefund
	cellCouponBack
	cellRefundState
	cellTitle
	cellTag
	cellFee
	cellRate
	cellAmount
	cellAsked
	cellNothing // read over
)

// tradeColumn is a column as the wallet names it.
type tradeColumn struct {
	name string
	to   cell
}

var (
	tradeHead = []tradeColumn{
		{"交易时间", cellTime},
		{"公众账号ID", cellNothing},
		{"商户号", cellMerchant},
		{"特约商户号", cellAccount},
		{"设备号", cellNothing},
		{"微信订单号", cellRef},
		{"商户订单号", cellOrder},
		{"用户标识", cellNothing},
		{"交易类型", cellType},
		{"交易状态", cellState},
		{"付款银行", cellNothing},
		{"货币种类", cellCurrency},
		{"应结订单金额", cellSettled},
		{"代金券金额", cellCoupon},
	}
	tradeTimes  = []tradeColumn{{"退款申请时间", cellAskedAt}, {"退款成功时间", cellDoneAt}}
	tradeRefund = []tradeColumn{
		{"微信退款单号", cellRefundRef},
		{"商户退款单号", cellRefundNo},
		{"退款金额", cellRefund},
		{"充值券退款金额", cellCouponBack},
		{"退款类型", cellNothing},
		{"退款状态", cellRefundState},
	}
	tradeGoods = []tradeColumn{{"商品名称", cellTitle}, {"商户数据包", cellTag}, {"手续费", cellFee}, {"费率", cellRate}, {"订单金额", cellAmount}}
	tradeAsked = []tradeColumn{{"申请退款金额", cellAsked}}
	tradeNote  = []tradeColumn{{"费率备注", cellNothing}}
)

// Layouts of a trade bill.
const (
	LayoutAll     = "all"
	LayoutSuccess = "success"
	LayoutRefund  = "refund"
)

// tradeLayouts are the columns by layout: of all, payments and refunds.
var tradeLayouts = []struct {
	name    string
	columns []tradeColumn
}{
	{LayoutAll, join(tradeHead, tradeRefund, tradeGoods, tradeAsked, tradeNote)},
	{LayoutSuccess, join(tradeHead, tradeGoods, tradeNote)},
	{LayoutRefund, join(tradeHead, tradeTimes, tradeRefund, tradeGoods, tradeAsked, tradeNote)},
}

func join(parts ...[]tradeColumn) []tradeColumn {
	var all []tradeColumn
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var (
	tradeSums = []string{"总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额", "申请退款总金额"}
	fundNames = []string{"记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型", "收支金额(元)", "账户结余(元)", "资金变更提交申请人", "备注", "业务凭证号"}
	fundSums  = []string{"资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额"}
)

// wechatTrade reads a trade bill.
type wechatTrade struct {
	columns []tradeColumn
	refunds bool // all rows are refunds
	cells   [][]byte
	words   words
	sums    [7]int64 // as tradeSums
}

// isTrade tells whether a header is that of a trade bill, though perhaps altered.
func isTrade(header string) bool {
	return strings.HasPrefix(header, tradeHead[0].name+",") && strings.Contains(header, tradeHead[5].name)
}

// openTrade finds the layout by the header, which is the line last read.
func (b *Bill) openTrade(header string) error {
	names := strings.Split(header, ",")
	best, at := 0, -1
	for i, l := range tradeLayouts {
		same := 0
		for same < len(names) && same < len(l.columns) && names[same] == l.columns[same].name {
			same++
		}
		if same == len(names) && same == len(l.columns) {
			b.head.Wallet, b.head.Kind, b.head.Layout, b.head.Sealed = "wechatpay", Trade, l.name, true
			b.format = &wechatTrade{columns: l.columns, refunds: l.name == LayoutRefund, words: words{}}
			return nil
		}
		if same > at {
			best, at = i, same
		}
	}
	found, wanted := "the end of the line", "the end of the line"
	if at < len(names) {
		found = fmt.Sprintf("%.60q", names[at])
	}
	if columns := tradeLayouts[best].columns; at < len(columns) {
		wanted = fmt.Sprintf("%q", columns[at].name)
	}
	return b.bad("", "", fmt.Sprintf("column %d is %s where a WeChat Pay trade bill has %s", at+1, found, wanted))
}

func (f *wechatTrade) next(b *Bill, row *Row) error {
	line, err := b.pass("the file ends without its summary: it is cut short")
	if err != nil {
		return err
	}
	if bytes.HasPrefix(line, []byte(tradeSums[0])) {
		return b.wechatSummary(string(line), tradeSums, f.sums[:], []int{0, 2, 2, 2, 5, 2, 2})
	}
	var ok bool
	f.cells, ok = ticked(line, f.cells)
	switch {
	case !ok:
		return b.bad(f.columns[0].name, string(line), "does not begin with a backtick")
	case len(f.cells) != len(f.columns):
		return b.bad("", "", fmt.Sprintf("%d cells where the header has %d", len(f.cells), len(f.columns)))
	}
	var c tradeCells
	for i := range f.columns {
		if err := f.fill(b, row, &c, &f.columns[i], f.cells[i]); err != nil {
			return err
		}
	}
	if err := f.add(b, &c); err != nil {
		return err
	}
	row.Line = b.lines.n
	f.finish(row, &c)
	return nil
}

// tradeCells are what a row's cells say before it is clear whether it is a payment or a refund.
type tradeCells struct {
	state, refundState, refundNo, refundRef                          []byte
	settled, coupon, refund, couponBack, milli /* of a fen */, order int64
	asked                                                            int64
}

func (f *wechatTrade) fill(b *Bill, row *Row, c *tradeCells, column *tradeColumn, cell []byte) error {
	switch column.to {
	case cellNothing:
	case cellTime, cellAskedAt: // the asking's in place of the payment's
		return readTime(b, &row.At, column.name, cell, beijing)
	case cellDoneAt:
		if len(cell) == 0 { // still on its way
			return nil
		}
		return readTime(b, &row.Done, column.name, cell, beijing)
	case cellCurrency:
		return b.yuan(row, column.name, cell)
	case cellFee:
		return readNumber(b, &c.milli, column.name, cell, 5)
	case cellRef:
		row.OrderRef = string(cell)
	case cellOrder:
		row.Order = string(cell)
	case cellMerchant:
		return b.merchant(column.name, cell)
	case cellState:
		c.state = cell
	case cellRefundRef:
		c.refundRef = cell
	case cellRefundNo:
		c.refundNo = cell
	case cellRefundState:
		c.refundState = cell
	case cellAccount, cellType, cellTitle, cellTag, cellRate:
		if !b.brief {
			f.people(row, column.to, cell)
		}
	default:
		if to := c.amount(column.to); to != nil {
			return readNumber(b, to, column.name, cell, 2)
		}
	}
	return nil
}

// people fills in what is for people to read.
func (f *wechatTrade) people(row *Row, to cell, text []byte) {
	switch to {
	case cellAccount:
		if string(text) != "0" {
			row.Account = f.words.of(text)
		}
	case cellType:
		row.Type = f.words.of(text)
	case cellTitle:
		row.Title = string(text)
	case cellTag:
		row.Tag = string(text)
	case cellRate:
		row.Rate = f.words.of(text)
	}
}

func (c *tradeCells) amount(of cell) *int64 {
	switch of {
	case cellSettled:
		return &c.settled
	case cellCoupon:
		return &c.coupon
	case cellRefund:
		return &c.refund
	case cellCouponBack:
		return &c.couponBack
	case cellAmount:
		return &c.order
	case cellAsked:
		return &c.asked
	}
	return nil
}

// merchant notes whose bill it is: all rows say the same.
func (b *Bill) merchant(name string, text []byte) error {
	if b.head.Account == string(text) {
		return nil
	}
	if b.rows > 0 {
		return b.bad(name, string(text), "is another merchant than in the rows before, "+b.head.Account)
	}
	b.head.Account = string(text)
	return nil
}

// yuan reads a row's currency. The file's amounts have two decimals, so the currency must.
func (b *Bill) yuan(row *Row, name string, cell []byte) error {
	if string(cell) == "CNY" {
		row.Currency = money.CNY
		return nil
	}
	text := string(cell)
	c, err := money.ParseCurrency(text)
	if err != nil {
		return b.bad(name, text, "is not a currency")
	}
	if places, err := c.Exponent(); err != nil || places != 2 {
		return b.bad(name, text, "is a currency that is not written with two decimals")
	}
	row.Currency = c
	return nil
}

// finish makes a payment or a refund of the row. A payment's row has 0 for the refund's number.
func (f *wechatTrade) finish(row *Row, c *tradeCells) {
	row.Fee = c.milli
	state, refundNo, refundRef := f.words.of(c.state), string(c.refundNo), string(c.refundRef)
	if f.refunds || refundNo != "" && refundNo != "0" || refundRef != "" && refundRef != "0" || state == "REFUND" || state == "REVOKED" {
		row.Kind, row.No, row.Ref, row.State = Refund, refundNo, refundRef, f.words.of(c.refundState)
		row.Amount, row.Settled, row.Coupon = -c.asked, -c.refund, -c.couponBack
		if row.State == "" {
			row.State = state
		}
		return
	}
	row.Kind, row.No, row.Ref, row.State = Payment, row.Order, row.OrderRef, state
	row.Amount, row.Settled, row.Coupon = c.order, c.settled, c.coupon
}

func (f *wechatTrade) add(b *Bill, c *tradeCells) error {
	for i, n := range [7]int64{1, c.settled, c.refund, c.couponBack, c.milli, c.order, c.asked} {
		if !plus(&f.sums[i], n) {
			return b.bad(tradeSums[i], decimal(n, 2), "makes the sum larger than 64 bits")
		}
	}
	return nil
}

// wechatSummary reads the last two lines, of which the header is read already, and compares them with what the rows add
// up to.
func (b *Bill) wechatSummary(header string, names []string, sums []int64, places []int) error {
	if header != strings.Join(names, ",") {
		return b.bad("", header, "is not the summary's header")
	}
	text, err := b.line("the summary has no figures: the file is cut short")
	if err != nil {
		return err
	}
	cells, ok := ticked([]byte(text), nil)
	switch {
	case !ok:
		return b.bad(names[0], text, "does not begin with a backtick")
	case len(cells) != len(names):
		return b.bad("", "", fmt.Sprintf("%d cells where the header has %d", len(cells), len(names)))
	}
	var wrong []error
	for i, name := range names {
		cell := string(cells[i])
		if places[i] == 0 {
			cell = strings.TrimSuffix(cell, ".0") // some fund-flow bills count 20.0 rows
		}
		var said int64
		if err := b.number(&said, name, cell, places[i]); err != nil {
			return err
		}
		if said != sums[i] {
			wrong = append(wrong, b.bad(name, string(cells[i]), "does not hold: the rows add up to "+decimal(sums[i], places[i])+". The bill is altered or cut short"))
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	return b.ends()
}

// ends sees that nothing follows but blank lines.
func (b *Bill) ends() error {
	for {
		text, err := b.line("")
		if err != nil {
			return err
		}
		if strings.Trim(text, " \t,") != "" {
			return b.bad("", text, "stands after the summary")
		}
	}
}

// wechatFund reads a fund-flow bill: every movement of one of the merchant's accounts.
type wechatFund struct {
	cells [][]byte
	words words
	sums  [5]int64 // as fundSums
}

func (b *Bill) openFund(header string) error {
	if header != strings.Join(fundNames, ",") {
		return b.bad("", "", "the header is not that of a WeChat Pay fund-flow bill: "+fundNames[0]+", "+fundNames[1]+", …")
	}
	b.head.Wallet, b.head.Kind, b.head.Sealed = "wechatpay", Fund, true
	b.format = &wechatFund{words: words{}}
	return nil
}

func (f *wechatFund) next(b *Bill, row *Row) error {
	line, err := b.pass("the file ends without its summary: it is cut short")
	if err != nil {
		return err
	}
	if bytes.HasPrefix(line, []byte(fundSums[0])) {
		return b.wechatSummary(string(line), fundSums, f.sums[:], []int{0, 0, 2, 0, 2})
	}
	var ok bool
	f.cells, ok = ticked(line, f.cells)
	switch {
	case !ok:
		return b.bad(fundNames[0], string(line), "does not begin with a backtick")
	case len(f.cells) != len(fundNames):
		return b.bad("", "", fmt.Sprintf("%d cells where the header has %d", len(f.cells), len(fundNames)))
	}
	c := f.cells
	row.Line, row.Currency, row.Ref, row.Type, row.Title, row.No = b.lines.n, money.CNY, string(c[1]), f.words.of(c[4]), f.words.of(c[3]), string(c[10])
	var amount, balance int64
	if err := readTime(b, &row.At, fundNames[0], c[0], beijing); err != nil {
		return err
	}
	if err := readNumber(b, &amount, fundNames[6], c[6], 2); err != nil {
		return err
	}
	if err := readNumber(b, &balance, fundNames[7], c[7], 2); err != nil {
		return err
	}
	in := string(c[5]) == "收入"
	switch {
	case !in && string(c[5]) != "支出":
		return b.bad(fundNames[5], string(c[5]), "is neither 收入 nor 支出")
	case amount < 0:
		return b.bad(fundNames[6], string(c[6]), "is negative; the column before says which way it went")
	}
	count, total := 1, 2
	if !in {
		count, total = 3, 4
	}
	f.sums[0]++
	f.sums[count]++
	if !plus(&f.sums[total], amount) {
		return b.bad(fundNames[6], string(c[6]), "makes the sum larger than 64 bits")
	}
	if !in {
		amount = -amount
	}
	row.Kind, row.Amount, row.Settled = fundKind(row.Type), amount, amount
	if row.Kind == Refund {
		b.refundNote(row, string(c[9]))
	}
	return nil
}

// fundKind sorts the kinds of business that a fund-flow bill names.
func fundKind(name string) RowKind {
	switch {
	case strings.Contains(name, "手续费"), strings.Contains(name, "服务费"):
		return Fee
	case strings.Contains(name, "分账"):
		return Split
	case name == "交易":
		return Payment
	case name == "退款":
		return Refund
	case strings.Contains(name, "提现"), strings.Contains(name, "充值"), strings.Contains(name, "转账"), strings.Contains(name, "付款"):
		return Transfer
	}
	return Other
}

// refundNote reads what stands beside a refund: 退款总金额1.00元;含手续费0.01元. The account moved by the difference, for
// the fee came back with it.
func (b *Bill) refundNote(row *Row, note string) {
	rest, ok := strings.CutPrefix(note, "退款总金额")
	whole, fee, both := strings.Cut(rest, "元;含手续费")
	fee, end := strings.CutSuffix(fee, "元")
	total, fine := parseNumber(whole, 2)
	back, fine2 := parseNumber(fee, 2)
	if ok && both && end && fine && fine2 && total >= 0 && back >= 0 && total-back == -row.Amount && back < 1e15 {
		row.Amount, row.Settled, row.Fee = -total, -total, -1000*back
	}
}
