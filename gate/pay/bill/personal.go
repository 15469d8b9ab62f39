package bill

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// What wallets and shops export for a person: a page of text about whose it is, then a table. Such a file is read to be
// looked at, and never reconciled: it lists what a person spent, at many merchants, and the wallet says itself that it
// proves nothing.

// personalExport is one wallet's or shop's export.
type personalExport struct {
	wallet  string
	marks   []string // in the lines before the table; one of them stands there
	columns []string // that the table begins with
	advice  string
}

const (
	adviceWeChat = "a person's WeChat export lists what that person spent, and cannot be reconciled; a merchant downloads its bill at pay.weixin.qq.com under 交易中心 or 账务中心, or through the API"
	adviceAlipay = "a person's Alipay export lists what that person spent, and cannot be reconciled; a merchant downloads its bill at b.alipay.com under 对账中心, or through the API"
	adviceOther  = "a person's export lists what that person spent, and cannot be reconciled; use the merchant's bill of the wallet that was paid with"
)

var personalExports = []personalExport{
	{"wechatpay", []string{"微信支付账单明细"}, []string{"交易时间", "交易类型", "交易对方"}, adviceWeChat},
	{"alipay", []string{"支付宝账户", "支付宝交易记录明细", "支付宝(中国)", "支付宝（中国）"}, []string{"交易时间", "交易分类", "交易对方"}, adviceAlipay},
	{"jd", []string{"京东账号名"}, []string{"交易时间", "商户名称", "交易说明"}, adviceOther},
	{"meituan", []string{"美团交易账单"}, []string{"交易创建时间", "交易成功时间", "交易类型"}, adviceOther},
}

// personal reads a person's export.
type personal struct {
	names []string
	at    personalColumns
	cells []string
	said  int64 // rows that the head counts, -1 where it does not
}

type personalColumns struct{ when, kind, way, amount, state, ref, order int }

// maxPersonalHead bounds what may stand before the table.
const maxPersonalHead = 60

// openPersonal reads what stands before the table, of which the first line is read already.
func (b *Bill) openPersonal(text string) error {
	f := &personal{said: -1}
	var export *personalExport
	for range maxPersonalHead {
		plainText := strings.Trim(strings.Trim(text, ", \t"), `"`)
		for i := range personalExports {
			for _, mark := range personalExports[i].marks {
				if export == nil && strings.Contains(plainText, mark) {
					export = &personalExports[i]
				}
			}
		}
		if n, ok := counted(plainText); ok {
			f.said = n
		}
		cells, _ := csv(text, nil)
		if export != nil && len(cells) > len(export.columns) && cells[0] == export.columns[0] && cells[1] == export.columns[1] && cells[2] == export.columns[2] {
			b.head.Wallet, b.head.Kind, b.head.Advice, b.head.Sealed = export.wallet, Personal, export.advice, f.said >= 0
			f.names = cells
			b.format = f
			return f.find(b)
		}
		var err error
		if text, err = b.lines.read(); err != nil {
			break
		}
	}
	return errUnknown
}

// counted reads a line such as 共66笔记录 or 共：26笔记录.
func counted(text string) (int64, bool) {
	rest, ok := strings.CutPrefix(text, "共")
	if !ok {
		return 0, false
	}
	rest, ok = strings.CutSuffix(strings.TrimPrefix(rest, "："), "笔记录")
	n, fine := parseNumber(rest, 0)
	return n, ok && fine
}

func (f *personal) find(b *Bill) error {
	names := make([]string, len(f.names))
	for i, n := range f.names {
		names[i] = plain(n)
	}
	at := func(of ...string) int {
		for _, name := range of {
			if i := column(names, name); i >= 0 {
				return i
			}
		}
		return -1
	}
	f.at = personalColumns{
		when: at("交易时间", "交易创建时间"), kind: at("交易类型", "交易分类"), way: at("收/支"), amount: at("金额", "实付金额"),
		state: at("当前状态", "交易状态"), ref: at("交易单号", "交易订单号"), order: at("商户单号", "商家订单号", "商家单号"),
	}
	if f.at.when < 0 || f.at.way < 0 || f.at.amount < 0 {
		return b.bad("", "", "the table lacks one of the columns for time, direction (收/支) and amount (金额)")
	}
	return nil
}

func (f *personal) next(b *Bill, row *Row) error {
	text, err := b.line("")
	for err == nil && strings.Trim(text, ", \t") == "" {
		text, err = b.line("")
	}
	if errors.Is(err, io.EOF) && f.said >= 0 && f.said != b.rows {
		return &moongate.Error{
			Code: moongate.Malformed, Field: fmt.Sprintf("line %d", b.lines.n), Message: fmt.Sprintf("the head counts %d rows, here are %d: the export is altered or cut short", f.said, b.rows),
			Hint: "export it again",
		}
	}
	if err != nil {
		return err
	}
	row.Line = b.lines.n
	if f.cells, err = b.record(text, f.cells); err != nil {
		return err
	}
	if len(f.cells) < len(f.names) {
		return b.bad("", "", fmt.Sprintf("%d cells where the header has %d", len(f.cells), len(f.names)))
	}
	c := func(at int) string {
		if at < 0 {
			return ""
		}
		return f.cells[at]
	}
	if err := b.time(&row.At, f.names[f.at.when], c(f.at.when), beijing); err != nil {
		return err
	}
	figures, _, _ := strings.Cut(strings.TrimLeft(c(f.at.amount), "¥￥"), "(") // 131.77(已退款89.84)
	if err := b.number(&row.Amount, f.names[f.at.amount], figures, 2); err != nil {
		return err
	}
	row.Currency, row.Type, row.State, row.Ref, row.No = money.CNY, c(f.at.kind), c(f.at.state), c(f.at.ref), c(f.at.order)
	switch c(f.at.way) {
	case "收入":
		row.Kind = Income
	case "支出":
		row.Kind, row.Amount = Expense, -row.Amount
	default:
		row.Kind = Neutral // 不计收支, /, 中性交易
	}
	return nil
}

// advise refuses a file that is something else than a bill, and says what to do.
func advise(what, hint string) error {
	return &moongate.Error{Code: moongate.Refused, Message: what, Hint: hint}
}
