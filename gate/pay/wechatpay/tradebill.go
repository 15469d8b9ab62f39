package wechatpay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

const maxLine = 64 << 10

// Columns of the trade bills, as the wallet writes their headers.
const (
	colTime         = "交易时间"
	colAppID        = "公众账号ID"
	colMchID        = "商户号"
	colSubMchID     = "特约商户号"
	colDevice       = "设备号"
	colTransaction  = "微信订单号"
	colOutTradeNo   = "商户订单号"
	colPayer        = "用户标识"
	colTradeType    = "交易类型"
	colState        = "交易状态"
	colBank         = "付款银行"
	colCurrency     = "货币种类"
	colSettlement   = "应结订单金额"
	colCoupon       = "代金券金额"
	colAskedAt      = "退款申请时间"
	colDoneAt       = "退款成功时间"
	colRefundID     = "微信退款单号"
	colOutRefundNo  = "商户退款单号"
	colRefund       = "退款金额"
	colCouponRefund = "充值券退款金额"
	colRefundType   = "退款类型"
	colRefundStatus = "退款状态"
	colProduct      = "商品名称"
	colAttach       = "商户数据包"
	colFee          = "手续费"
	colRate         = "费率"
	colOrder        = "订单金额"
	colRefundAsked  = "申请退款金额"
	colRateNote     = "费率备注"
)

var (
	headColumns   = []string{colTime, colAppID, colMchID, colSubMchID, colDevice, colTransaction, colOutTradeNo, colPayer, colTradeType, colState, colBank, colCurrency, colSettlement, colCoupon}
	refundColumns = []string{colRefundID, colOutRefundNo, colRefund, colCouponRefund, colRefundType, colRefundStatus}
	layouts       = map[BillKind][]string{
		BillAll:     join(headColumns, refundColumns, []string{colProduct, colAttach, colFee, colRate, colOrder, colRefundAsked, colRateNote}),
		BillSuccess: join(headColumns, []string{colProduct, colAttach, colFee, colRate, colOrder, colRateNote}),
		BillRefund:  join(headColumns, []string{colAskedAt, colDoneAt}, refundColumns, []string{colProduct, colAttach, colFee, colRate, colOrder, colRefundAsked, colRateNote}),
	}
	summaryColumns = []string{"总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额", "申请退款总金额"}
)

func join(parts ...[]string) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// TradeRow is one line of a trade bill. Amounts are in fen, fees in thousandths of a fen (the bill writes five decimals
// of a yuan). The payer's identity (用户标识) is read over, not kept.
type TradeRow struct {
	Line          int           // in the file, the header is 1
	At            moongate.Time // of the payment; of the refund in a refund's row of an ALL bill
	AppID         string
	MchID         string
	SubMchID      string
	TransactionID string // the wallet's number
	OutTradeNo    string // ours
	TradeType     string // NATIVE, MWEB (H5), JSAPI, APP, MICROPAY
	State         string // SUCCESS, REFUND, REVOKED
	Bank          string
	Currency      money.Currency
	Settlement    int64 // 应结订单金额: the order less coupons that the merchant bears
	Coupon        int64
	RefundID      string // the wallet's number; empty in a payment's row
	OutRefundNo   string // ours
	Refund        int64
	CouponRefund  int64
	RefundType    string
	RefundStatus  string
	AskedAt       moongate.Time // of a refund; REFUND bill only
	DoneAt        moongate.Time
	Product       string
	Attach        string // the order's tag
	FeeMilli      int64  // thousandths of a fen; negative where a refund gives a fee back
	Rate          string // such as 0.60%
	Order         int64
	RefundAsked   int64
}

// Totals of a trade bill, in the units of [TradeRow].
type Totals struct {
	Rows         int64
	Settlement   int64
	Refund       int64
	CouponRefund int64
	FeeMilli     int64
	Order        int64
	RefundAsked  int64
}

// TradeBill reads a trade bill row by row, in memory that does not grow with the file.
type TradeBill struct {
	in     *bufio.Reader
	kind   BillKind
	names  []string
	line   int
	sums   Totals
	failed error // sticky: after an error or the end, every Next gives it again
}

// ReadTradeBill reads a bill's header, which tells its kind. It accepts the file as the wallet publishes it: UTF-8 with
// or without byte order mark, lines ending in CR LF or LF, every cell after a backtick.
func ReadTradeBill(r io.Reader) (*TradeBill, error) {
	b := &TradeBill{in: bufio.NewReaderSize(r, maxLine)}
	head, err := b.readLine()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = b.bad("", "", "the file is empty")
		}
		return nil, err
	}
	names := strings.Split(strings.TrimPrefix(head, "\ufeff"), ",")
	best, at := BillAll, -1
	for _, kind := range []BillKind{BillAll, BillSuccess, BillRefund} {
		same := 0
		for same < len(names) && same < len(layouts[kind]) && names[same] == layouts[kind][same] {
			same++
		}
		if same == len(names) && same == len(layouts[kind]) {
			b.kind, b.names = kind, layouts[kind]
			return b, nil
		}
		if same > at {
			best, at = kind, same
		}
	}
	found := "the end of the line"
	if at < len(names) {
		found = fmt.Sprintf("%.60q", names[at])
	}
	wanted := "the end of the line"
	if at < len(layouts[best]) {
		wanted = fmt.Sprintf("%q", layouts[best][at])
	}
	return nil, b.bad("", "", fmt.Sprintf("column %d is %s where a WeChat Pay trade bill has %s", at+1, found, wanted))
}

// Kind tells which bill this is.
func (b *TradeBill) Kind() BillKind { return b.kind }

// Totals are the sums over the rows read so far. After io.EOF they equal the bill's own summary.
func (b *TradeBill) Totals() Totals { return b.sums }

// Next gives the next row. It ends with io.EOF when the summary has been read and holds, row for row and sum for sum,
// and nothing follows. Any other error means that the bill as a whole is not to be used; it names line, column and value.
func (b *TradeBill) Next() (TradeRow, error) {
	if b.failed != nil {
		return TradeRow{}, b.failed
	}
	row, err := b.next()
	b.failed = err
	return row, err
}

func (b *TradeBill) next() (TradeRow, error) {
	text, err := b.readLine()
	if errors.Is(err, io.EOF) {
		return TradeRow{}, b.bad("", "", "the file ends without its summary: it is cut short")
	}
	if err != nil {
		return TradeRow{}, err
	}
	if strings.HasPrefix(text, summaryColumns[0]) {
		if err := b.summary(text); err != nil {
			return TradeRow{}, err
		}
		return TradeRow{}, io.EOF
	}
	cells, err := b.cells(text, b.names)
	if err != nil {
		return TradeRow{}, err
	}
	row := TradeRow{Line: b.line}
	for i, name := range b.names {
		if err := b.fill(&row, name, cells[i]); err != nil {
			return TradeRow{}, err
		}
	}
	return row, b.add(row)
}

// fill puts a cell where it belongs.
func (b *TradeBill) fill(row *TradeRow, name, cell string) error {
	switch name {
	case colTime:
		return b.time(&row.At, name, cell)
	case colAskedAt:
		return b.time(&row.AskedAt, name, cell)
	case colDoneAt:
		if cell == "" { // still on its way
			return nil
		}
		return b.time(&row.DoneAt, name, cell)
	case colCurrency:
		c, err := money.ParseCurrency(cell)
		if err != nil {
			return b.bad(name, cell, "is not a currency")
		}
		row.Currency = c
		return nil
	case colFee:
		return b.number(&row.FeeMilli, name, cell, 5)
	}
	if amount := row.amount(name); amount != nil {
		return b.number(amount, name, cell, 2)
	}
	if text := row.text(name); text != nil {
		*text = cell
	}
	return nil
}

func (r *TradeRow) amount(name string) *int64 {
	switch name {
	case colSettlement:
		return &r.Settlement
	case colCoupon:
		return &r.Coupon
	case colRefund:
		return &r.Refund
	case colCouponRefund:
		return &r.CouponRefund
	case colOrder:
		return &r.Order
	case colRefundAsked:
		return &r.RefundAsked
	}
	return nil
}

func (r *TradeRow) text(name string) *string {
	switch name {
	case colAppID:
		return &r.AppID
	case colMchID:
		return &r.MchID
	case colSubMchID:
		return &r.SubMchID
	case colTransaction:
		return &r.TransactionID
	case colOutTradeNo:
		return &r.OutTradeNo
	case colTradeType:
		return &r.TradeType
	case colState:
		return &r.State
	case colBank:
		return &r.Bank
	case colRefundID:
		return &r.RefundID
	case colOutRefundNo:
		return &r.OutRefundNo
	case colRefundType:
		return &r.RefundType
	case colRefundStatus:
		return &r.RefundStatus
	case colProduct:
		return &r.Product
	case colAttach:
		return &r.Attach
	case colRate:
		return &r.Rate
	}
	return nil
}

func (b *TradeBill) add(row TradeRow) error {
	b.sums.Rows++
	for _, s := range []struct {
		name string
		to   *int64
		n    int64
	}{
		{colSettlement, &b.sums.Settlement, row.Settlement},
		{colRefund, &b.sums.Refund, row.Refund},
		{colCouponRefund, &b.sums.CouponRefund, row.CouponRefund},
		{colFee, &b.sums.FeeMilli, row.FeeMilli},
		{colOrder, &b.sums.Order, row.Order},
		{colRefundAsked, &b.sums.RefundAsked, row.RefundAsked},
	} {
		sum, ok := money.Add(*s.to, s.n)
		if !ok {
			return b.bad(s.name, strconv.FormatInt(s.n, 10), "makes the sum larger than 64 bits")
		}
		*s.to = sum
	}
	return nil
}

// summary reads the last two lines and compares them with what the rows add up to.
func (b *TradeBill) summary(head string) error {
	if head != strings.Join(summaryColumns, ",") {
		return b.bad("", head, "is not the summary's header")
	}
	text, err := b.readLine()
	if err != nil {
		return b.bad("", "", "the summary has no figures: the file is cut short")
	}
	cells, err := b.cells(text, summaryColumns)
	if err != nil {
		return err
	}
	for i, s := range []struct {
		sum    int64
		places int
	}{
		{b.sums.Rows, 0},
		{b.sums.Settlement, 2},
		{b.sums.Refund, 2},
		{b.sums.CouponRefund, 2},
		{b.sums.FeeMilli, 5},
		{b.sums.Order, 2},
		{b.sums.RefundAsked, 2},
	} {
		var said int64
		if err := b.number(&said, summaryColumns[i], cells[i], s.places); err != nil {
			return err
		}
		if said != s.sum {
			return b.bad(summaryColumns[i], cells[i], "does not hold: the rows add up to "+places(s.sum, s.places)+". The bill is altered or cut short")
		}
	}
	for {
		text, err := b.readLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if text != "" {
			return b.bad("", text, "stands after the summary")
		}
	}
}

// cells splits a line. A cell may hold commas and is never quoted, so the mark between cells is comma and backtick.
func (b *TradeBill) cells(text string, names []string) ([]string, error) {
	if !strings.HasPrefix(text, "`") {
		return nil, b.bad(names[0], text, "does not begin with a backtick")
	}
	cells := strings.Split(text[1:], ",`")
	if len(cells) != len(names) {
		return nil, b.bad("", "", fmt.Sprintf("%d cells where the header has %d", len(cells), len(names)))
	}
	return cells, nil
}

// readLine reads a line without its end. The error is io.EOF at the end of the file, after the last line.
func (b *TradeBill) readLine() (string, error) {
	line, err := b.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		b.line++
		return "", b.bad("", "", fmt.Sprintf("line is longer than %d bytes", maxLine))
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return "", err
	}
	b.line++
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
	return string(line), nil
}

func (b *TradeBill) time(to *moongate.Time, name, cell string) error {
	t, err := time.ParseInLocation(time.DateTime, cell, beijing)
	if err != nil {
		return b.bad(name, cell, "is not a time like 2021-01-28 17:07:11")
	}
	*to = moongate.At(t)
	return nil
}

// number reads a decimal with at most so many places into a whole number of the smallest unit, exactly.
func (b *TradeBill) number(to *int64, name, cell string, most int) error {
	digits, negative := strings.CutPrefix(cell, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || (point && fraction == "") || len(fraction) > most || len(whole)+most > 18 {
		return b.bad(name, cell, fmt.Sprintf("is not a number with at most %d decimals", most))
	}
	var n int64
	for _, part := range []string{whole, fraction, "00000"[:most-len(fraction)]} {
		for i := range len(part) {
			d := part[i] - '0'
			if d > 9 {
				return b.bad(name, cell, fmt.Sprintf("is not a number with at most %d decimals", most))
			}
			n = n*10 + int64(d)
		}
	}
	if negative {
		n = -n
	}
	*to = n
	return nil
}

func places(n int64, most int) string {
	if most == 0 {
		return strconv.FormatInt(n, 10)
	}
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	text := fmt.Sprintf("%0*d", most+1, n)
	return sign + text[:len(text)-most] + "." + text[len(text)-most:]
}

func (b *TradeBill) bad(column, cell, why string) error {
	e := &moongate.Error{Code: moongate.Malformed, Field: fmt.Sprintf("line %d", b.line), Message: why, Hint: "download the bill again; a bill is used whole or not at all"}
	if column != "" {
		e.Field += ", " + column
	}
	if cell != "" {
		e.Message = fmt.Sprintf("%.80q %s", cell, why)
	}
	return e
}
