package bill

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Alipay's bills (alipay.data.dataservice.bill.downloadurl.query, bill_type trade and signcustomer): lines after a # say
// what the file is, whose and of when; then a header, rows whose identifiers end in a tab, and again lines after a #
// that end the list and sum it up. Columns are found by their names: over the years Alipay has added some.

const (
	alipayTrade    = "支付宝业务明细查询"
	alipayFund     = "支付宝账务明细查询"
	alipaySummary  = "支付宝业务汇总查询"
	alipayBalances = "支付宝账务汇总查询"
)

// alipay reads the details of business or of the account.
type alipay struct {
	fund    bool
	names   []string // as the file writes them
	at      alipayColumns
	cells   []string
	in, out Sum // payments and refunds, or what came in and went out
	off     Sum // what the merchant gave off, of payments and refunds: Rows is unused
	offBack Sum
}

// alipayColumns is where each column stands; -1 where it does not.
type alipayColumns struct {
	ref, order, kind, title, created, done   int
	amount, settled, coupon, refund, fee     int
	split, note                              int
	flow, when, income, spent, balance, base int
}

// openAlipay reads what stands before the header, of which the first line is read already.
func (b *Bill) openAlipay(text string) error {
	b.head.Wallet, b.head.Kind, b.head.Sealed = "alipay", Trade, true
	for strings.HasPrefix(text, "#") {
		if err := b.alipayHead(text); err != nil {
			return err
		}
		var err error
		if text, err = b.line("the file ends before its list begins: it is cut short"); err != nil {
			return err
		}
	}
	f := &alipay{fund: b.head.Kind == Fund, names: strings.Split(strings.TrimRight(text, ", \t"), ",")}
	b.format = f
	return f.find(b)
}

// alipayHead reads a line before the list: whose bill it is, and of when.
func (b *Bill) alipayHead(text string) error {
	switch {
	case strings.Contains(text, alipaySummary), strings.Contains(text, alipayBalances):
		return advise("this is the summary alone", "check the file with the details, which lies beside it in the archive; or give the archive whole")
	case strings.Contains(text, alipayFund):
		b.head.Kind = Fund
	case strings.HasPrefix(text, "#账号："):
		b.head.Account = bracketed(text, 0)
	case strings.HasPrefix(text, "#起始日期："):
		for i, to := range []*moongate.Time{&b.head.From, &b.head.To} {
			said := bracketed(text, i)
			t, ok := parseTime(strings.NewReplacer("年", "-", "月", "-", "日", "").Replace(said))
			if !ok {
				return b.bad("", said, "is not a time like 2021年01月28日 00:00:00")
			}
			*to = t - beijing
		}
	}
	return nil
}

// bracketed gives what stands in the n-th pair of brackets.
func bracketed(text string, n int) string {
	for range n {
		_, text, _ = strings.Cut(text, "]")
	}
	_, text, _ = strings.Cut(text, "[")
	text, _, _ = strings.Cut(text, "]")
	return text
}

// find finds the columns.
func (f *alipay) find(b *Bill) error {
	names := make([]string, len(f.names))
	for i, n := range f.names {
		names[i] = plain(strings.Trim(n, " \t"))
	}
	at := func(of ...string) int {
		for _, name := range of {
			if i := column(names, name); i >= 0 {
				return i
			}
		}
		return -1
	}
	f.at = alipayColumns{
		ref: at("支付宝交易号"), order: at("商户订单号"), kind: at("业务类型"), title: at("商品名称"), created: at("创建时间"), done: at("完成时间"),
		amount: at("订单金额"), settled: at("商家实收"), coupon: at("商家优惠"), refund: at("退款批次号/请求号", "退款批次号"), fee: at("服务费"),
		split: at("分润"), note: at("备注"),
		flow: at("账务流水号"), when: at("发生时间"), income: at("收入金额"), spent: at("支出金额"), balance: at("账户余额"), base: at("业务流水号"),
	}
	needed := []string{"支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额", "商家实收"}
	if f.fund {
		needed = []string{"账务流水号", "商户订单号", "发生时间", "收入金额", "支出金额"}
	}
	return b.needs(names, "the header of an Alipay bill has no column %s", needed...)
}

func (f *alipay) next(b *Bill, row *Row) error {
	text, err := b.line("the file ends without its sums: it is cut short")
	if err != nil {
		return err
	}
	if strings.HasPrefix(text, "#") {
		return f.end(b, text)
	}
	if f.cells, err = b.record(text, f.cells); err != nil {
		return err
	}
	if len(f.cells) > len(f.names) && strings.Trim(strings.Join(f.cells[len(f.names):], ""), " \t") == "" {
		f.cells = f.cells[:len(f.names)] // a comma after the last cell
	}
	if len(f.cells) != len(f.names) {
		return b.bad("", "", fmt.Sprintf("%d cells where the header has %d", len(f.cells), len(f.names)))
	}
	row.Line, row.Currency, row.Order = b.lines.n, money.CNY, f.cells[f.at.order]
	if f.fund {
		return f.movement(b, row)
	}
	return f.trade(b, row)
}

// cell gives a cell, "" where the file has no such column.
func (f *alipay) cell(at int) string {
	if at < 0 {
		return ""
	}
	return f.cells[at]
}

// yuan reads an amount, zero where the file has no such column or no figure.
func (f *alipay) yuan(b *Bill, to *int64, at, places int) error {
	if f.cell(at) == "" {
		return nil
	}
	return b.number(to, f.names[at], f.cells[at], places)
}

// trade reads a row of business details. Its amounts are negative where money goes back, its fee where one is taken.
func (f *alipay) trade(b *Bill, row *Row) error {
	var fee, split int64
	for _, read := range [...]struct {
		to     *int64
		at     int
		places int
	}{{&row.Amount, f.at.amount, 2}, {&row.Settled, f.at.settled, 2}, {&row.Coupon, f.at.coupon, 2}, {&fee, f.at.fee, 5}, {&split, f.at.split, 2}} {
		if err := f.yuan(b, read.to, read.at, read.places); err != nil {
			return err
		}
	}
	for _, must := range []int{f.at.amount, f.at.settled} {
		if f.cells[must] == "" {
			return b.bad(f.names[must], "", "the cell is empty")
		}
	}
	when := f.at.done
	if f.cells[when] == "" && f.at.created >= 0 {
		when = f.at.created
	}
	if err := b.time(&row.At, f.names[when], f.cells[when], beijing); err != nil {
		return err
	}
	row.OrderRef, row.Type, row.Title, row.Tag = f.cells[f.at.ref], f.cells[f.at.kind], f.cell(f.at.title), f.cell(f.at.note)
	row.Fee = -fee
	sum, off := &f.in, &f.off
	switch row.Type {
	case "交易":
		row.Kind, row.No, row.Ref = Payment, row.Order, row.OrderRef
	case "退款":
		row.Kind, row.No = Refund, f.cell(f.at.refund)
		sum, off = &f.out, &f.offBack
		if row.Amount > 0 || row.Settled > 0 {
			return b.bad(f.names[f.at.amount], f.cells[f.at.amount], "is not negative, though the row is a refund")
		}
	default:
		return b.bad(f.names[f.at.kind], row.Type, "is neither 交易 nor 退款")
	}
	sum.Rows++
	if !plus(&sum.Amount, row.Settled) || !plus(&off.Amount, row.Coupon) {
		return b.bad("", "", "the sums do not fit 64 bits")
	}
	return nil
}

// movement reads a row of account details.
func (f *alipay) movement(b *Bill, row *Row) error {
	var income, spent, balance int64
	for _, read := range [...]struct {
		to *int64
		at int
	}{{&income, f.at.income}, {&spent, f.at.spent}, {&balance, f.at.balance}} {
		if err := f.yuan(b, read.to, read.at, 2); err != nil {
			return err
		}
	}
	if err := b.time(&row.At, f.names[f.at.when], f.cells[f.at.when], beijing); err != nil {
		return err
	}
	spent = -max(spent, -spent)
	if income < 0 || income > 0 && spent < 0 {
		return b.bad(f.names[f.at.income], f.cells[f.at.income], "is no income of a row that spends "+decimal(-spent, 2))
	}
	row.Ref, row.OrderRef, row.Type, row.Title, row.Tag = f.cells[f.at.flow], f.cell(f.at.base), f.cell(f.at.kind), f.cell(f.at.title), f.cell(f.at.note)
	row.Amount = income + spent
	row.Settled = row.Amount
	row.Kind = alipayKind(row.Type, row.Amount)
	if row.Kind == Payment {
		row.No = row.Order
	}
	sum := &f.in
	if spent < 0 {
		sum = &f.out
	}
	if income != 0 || spent != 0 {
		sum.Rows++
	}
	if !plus(&sum.Amount, row.Amount) {
		return b.bad("", "", "the sums do not fit 64 bits")
	}
	return nil
}

// alipayKind sorts the kinds of business of account details.
func alipayKind(name string, amount int64) RowKind {
	switch {
	case strings.Contains(name, "分账"), strings.Contains(name, "分润"):
		return Split
	case strings.Contains(name, "服务费"), strings.Contains(name, "手续费"), strings.Contains(name, "收费"), strings.Contains(name, "退费"):
		return Fee
	case strings.Contains(name, "退款"):
		return Refund
	case strings.Contains(name, "转账"), strings.Contains(name, "提现"), strings.Contains(name, "充值"):
		return Transfer
	case amount > 0 && (strings.Contains(name, "交易") || strings.Contains(name, "在线支付")):
		return Payment
	}
	return Other
}

// end reads what follows the list, of which the first line is read already, and compares its sums.
func (f *alipay) end(b *Bill, text string) error {
	listEnd, sums := "业务明细列表结束", map[string]bool{"交易合计": false, "退款合计": false}
	if f.fund {
		listEnd, sums = "账务明细列表结束", map[string]bool{"支出合计": false, "收入合计": false}
	}
	if !strings.Contains(text, listEnd) {
		return b.bad("", text, "stands where the list ends with "+listEnd)
	}
	var wrong []error
	for {
		text, err := b.line("")
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		text = strings.TrimRight(text, ", \t")
		name, figures, ok := strings.Cut(strings.TrimPrefix(text, "#"), "：")
		switch _, known := sums[name]; {
		case ok && known && strings.HasPrefix(text, "#"):
			sums[name] = true
			wrong = append(wrong, f.compare(b, name, figures)...)
		case text != "" && !strings.HasPrefix(text, "#"):
			return b.bad("", text, "stands after the list")
		}
	}
	for _, name := range []string{"交易合计", "退款合计", "收入合计", "支出合计"} {
		if there, needed := sums[name]; needed && !there {
			return b.bad("", "", "the file ends without its "+name+": it is cut short")
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	return io.EOF
}

// compare holds a sum such as "6笔，商家实收共0.06元，商家优惠共0.00元" against the rows.
func (f *alipay) compare(b *Bill, name, figures string) []error {
	parts := strings.FieldsFunc(figures, func(r rune) bool { return r == '，' || r == ',' })
	sum, off := f.in, f.off
	if name == "退款合计" || name == "支出合计" {
		sum, off = f.out, f.offBack
	}
	if len(parts) == 0 {
		return []error{b.bad(name, figures, "has no figures")}
	}
	var wrong []error
	if said, ok := strings.CutSuffix(parts[0], "笔"); !ok || said != strconv.FormatInt(sum.Rows, 10) {
		wrong = append(wrong, b.bad(name, parts[0], fmt.Sprintf("does not hold: there are %d such rows. The bill is altered or cut short", sum.Rows)))
	}
	for _, part := range parts[1:] {
		of, text, ok := strings.Cut(part, "共")
		text, unit := strings.CutSuffix(text, "元")
		said, fine := parseNumber(text, 2)
		want := sum.Amount
		if strings.Contains(of, "优惠") {
			want = off.Amount
		}
		if f.fund && name == "支出合计" { // written with or without its sign
			said, want = max(said, -said), -want
		}
		if !ok || !unit || !fine || said != want {
			wrong = append(wrong, b.bad(name, part, "does not hold: the rows add up to "+decimal(want, 2)+". The bill is altered or cut short"))
		}
	}
	figuresOf := 3 // rows, what the merchant got, what it gave off
	if f.fund {
		figuresOf = 2
	}
	if len(parts) != figuresOf {
		wrong = append(wrong, b.bad(name, figures, fmt.Sprintf("has %d figures instead of %d: it is cut short", len(parts), figuresOf)))
	}
	return wrong
}

// alipayTotals holds the summary of an archive against the details beside it: how many rows of each kind, and what they
// come to.
func (b *Bill) alipayTotals(summary *Bill) error {
	var names []string
	for {
		text, err := summary.lines.read()
		if errors.Is(err, io.EOF) {
			return summary.bad("", "", "the summary has no line 合计: it is cut short")
		}
		if err != nil {
			return summary.bad("", "", readFault(err))
		}
		if strings.HasPrefix(text, "#") || strings.Trim(text, ", \t") == "" {
			continue
		}
		cells, _ := csv(strings.TrimRight(text, ", \t"), nil)
		if names == nil {
			for _, n := range cells {
				names = append(names, plain(n))
			}
			continue
		}
		if cells[0] != "合计" {
			continue // a shop's own line, where there are several
		}
		if err := b.alipayTotal(summary, names, cells); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, summary.lines.in); err != nil { // to its end, where its checksum is compared
			return summary.bad("", "", readFault(err))
		}
		return nil
	}
}

func (b *Bill) alipayTotal(summary *Bill, names, cells []string) error {
	f, ok := b.format.(*alipay)
	if !ok {
		return summary.bad("", "", "the summary is Alipay's, and the details are not")
	}
	var wrong []error
	compare := func(name string, places int, wants ...int64) {
		i := column(names, name)
		if i < 0 || i >= len(cells) || cells[i] == "" {
			return
		}
		said, fine := parseNumber(cells[i], places)
		for _, want := range wants {
			if fine && (said == want || said == -want) {
				return
			}
		}
		wrong = append(wrong, summary.bad(name, cells[i], "does not hold: the details add up to "+decimal(wants[0], places)))
	}
	if f.fund {
		compare("收入笔数", 0, f.in.Rows)
		compare("支出笔数", 0, f.out.Rows)
		compare("收入金额", 2, f.in.Amount)
		compare("支出金额", 2, f.out.Amount)
	} else {
		compare("交易订单总笔数", 0, f.in.Rows)
		compare("退款订单总笔数", 0, f.out.Rows)
		compare("商家实收", 2, f.in.Amount, f.in.Amount+f.out.Amount) // with or without what was refunded
	}
	return errors.Join(wrong...)
}
