package wechatpay

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

const (
	fundHead    = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
	fundSummary = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
)

// fundBill answers GET /v3/bill/fundflowbill. The sandbox's merchants have a basic account alone: on the others nothing
// ever moves.
func (w *Wallet) fundBill(c call) answer {
	account := cmp.Or(c.r.URL.Query().Get("account_type"), "BASIC")
	if !slices.Contains([]string{"BASIC", "OPERATION", "FEES"}, account) {
		return answer{fault: parameter("query", "account_type", account, "可选取值BASIC、OPERATION、FEES")}
	}
	day, fault := w.billDay(c)
	switch {
	case fault != nil:
		return answer{fault: fault}
	case account != "BASIC":
		return w.publish(c, nil, 0)
	}
	content, rows := c.m.flow(day)
	return w.publish(c, content, rows)
}

// movement is one line of a fund-flow bill.
type movement struct {
	at               time.Time
	ref, flow        string // the wallet's numbers
	name, kind, note string
	fen              int64 // negative where it leaves the account
	no               string
}

// movements lists everything that ever moved the account, in order: a payment, the fee that is taken from it, a refund
// less the fee that comes back with it. A refund that failed had moved money and moved it back; it is left out.
func (m *merchant) movements() []movement {
	var all []movement
	for _, id := range slices.Sorted(maps.Keys(m.byRef)) {
		o := m.byRef[id]
		if o.Sub != "" {
			continue // it moves the sub-merchant's account
		}
		all = append(all, movement{at: o.Paid, ref: o.TransactionID, flow: o.TransactionID, name: "交易", kind: "交易", fen: o.owed(), no: o.No})
		if o.Fee > 0 {
			all = append(all, movement{at: o.Paid, ref: o.TransactionID, flow: o.TransactionID, name: "交易", kind: "扣除交易手续费", fen: -o.Fee, no: o.No})
		}
	}
	for _, no := range slices.Sorted(maps.Keys(m.refunds)) {
		r := m.refunds[no]
		if r.State == closed || m.orders[r.OrderNo].Sub != "" {
			continue
		}
		all = append(all, movement{
			at: r.Created, ref: r.RefundID, flow: m.orders[r.OrderNo].TransactionID, name: "退款", kind: "退款", fen: r.FeeBack - r.Owed, no: r.No,
			note: fmt.Sprintf("退款总金额%s元;含手续费%s元", sandbox.Yuan(r.Owed), sandbox.Yuan(r.FeeBack)),
		})
	}
	slices.SortStableFunc(all, func(a, b movement) int { return a.at.Compare(b.at) })
	return all
}

// flow writes the fund-flow bill of a day.
func (m *merchant) flow(day time.Time) (content []byte, rows int) {
	var out bytes.Buffer
	out.WriteString("\ufeff" + fundHead + "\r\n")
	var balance int64
	var in, gone struct{ rows, fen int64 }
	for _, v := range m.movements() {
		balance += v.fen
		if v.at.Before(day) || !v.at.Before(day.AddDate(0, 0, 1)) {
			continue
		}
		way, sum := "收入", &in
		if v.fen < 0 {
			way, sum = "支出", &gone
		}
		sum.rows++
		sum.fen += max(v.fen, -v.fen)
		rows++
		out.WriteString(row([]string{
			v.at.In(sandbox.Beijing).Format(time.DateTime), v.ref, v.flow, v.name, v.kind, way, sandbox.Yuan(max(v.fen, -v.fen)),
			signed(balance), "system", v.note, v.no,
		}))
	}
	out.WriteString(fundSummary + "\r\n")
	out.WriteString(row([]string{fmt.Sprint(rows), fmt.Sprint(in.rows), sandbox.Yuan(in.fen), fmt.Sprint(gone.rows), sandbox.Yuan(gone.fen)}))
	return out.Bytes(), rows
}

// signed writes fen that may be negative.
func signed(fen int64) string {
	if fen < 0 {
		return "-" + strings.TrimPrefix(sandbox.Yuan(-fen), "-")
	}
	return sandbox.Yuan(fen)
}
