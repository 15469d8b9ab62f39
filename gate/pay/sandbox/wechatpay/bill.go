package wechatpay

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // the API publishes SHA-1
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

const (
	fileLife  = 5 * time.Minute // of a download address
	readyHour = 10              // of the next morning
)

// billFile is a bill ready for download.
type billFile struct {
	mchID   string
	content []byte
	packed  bool
	until   time.Time
}

// tradeBill answers GET /v3/bill/tradebill.
func (w *Wallet) tradeBill(c call) answer {
	kind := cmp.Or(c.r.URL.Query().Get("bill_type"), "ALL")
	if billHeaders[kind] == "" {
		return answer{fault: parameter("query", "bill_type", kind, "可选取值ALL、SUCCESS、REFUND")}
	}
	day, fault := w.billDay(c)
	if fault != nil {
		return answer{fault: fault}
	}
	content, rows := c.m.bill(day, kind, w.cfg.FeeRate)
	return w.publish(c, content, rows)
}

// billDay reads the day for which a bill is asked, and whether there can be one yet.
func (w *Wallet) billDay(c call) (time.Time, *refusal) {
	q := c.r.URL.Query()
	day, err := time.ParseInLocation(time.DateOnly, q.Get("bill_date"), sandbox.Beijing)
	now := w.Now().In(sandbox.Beijing)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, sandbox.Beijing)
	switch {
	case err != nil:
		return day, parameter("query", "bill_date", q.Get("bill_date"), "格式为yyyy-MM-DD")
	case q.Get("tar_type") != "" && q.Get("tar_type") != "GZIP":
		return day, parameter("query", "tar_type", q.Get("tar_type"), "可选取值GZIP")
	case !day.Before(today), day.Before(today.AddDate(0, -3, 0)):
		return day, refuse("INVALID_REQUEST", "请检查bill_date，仅支持三个月内、今日之前的账单")
	case now.Before(day.AddDate(0, 0, 1).Add(readyHour * time.Hour)):
		return day, refuse("STATEMENT_CREATING", "")
	}
	return day, nil
}

// publish lays a bill out for download, and says where and with which hash.
func (w *Wallet) publish(c call, content []byte, rows int) answer {
	if rows == 0 {
		return answer{fault: refuse("NO_STATEMENT_EXIST", "")}
	}
	packed := c.r.URL.Query().Get("tar_type") == "GZIP"
	sum := sha1.Sum(content) //nolint:gosec // see the import
	w.expireFiles()
	token := w.Token(64)
	w.files[token] = billFile{mchID: c.m.MchID, content: content, packed: packed, until: w.Now().Add(fileLife)}
	address := w.cfg.BaseURL + "/v3/billdownload/file?token=" + token
	if packed {
		address += "&tartype=gzip"
	}
	return answer{value: map[string]string{"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]), "download_url": address}}
}

// expireFiles drops what can no longer be downloaded, and the oldest where there are too many.
func (w *Wallet) expireFiles() {
	now := w.Now()
	maps.DeleteFunc(w.files, func(_ string, f billFile) bool { return now.After(f.until) })
	for len(w.files) >= maxFiles {
		oldest := ""
		for _, token := range slices.Sorted(maps.Keys(w.files)) {
			if oldest == "" || w.files[token].until.Before(w.files[oldest].until) {
				oldest = token
			}
		}
		delete(w.files, oldest)
	}
}

// serveFile answers GET /v3/billdownload/file. The request is signed, the answer never is.
func (w *Wallet) serveFile(rw http.ResponseWriter, r *http.Request) {
	w.Lock()
	m, fault := w.authenticate(r, nil)
	f, ok := w.files[r.URL.Query().Get("token")]
	hit := w.Hits("", sandbox.OpDownload)
	switch {
	case fault != nil:
	case !ok || w.Now().After(f.until):
		fault = refuse("INVALID_REQUEST", "账单地址已失效，请重新获取账单地址后再请求")
	case f.mchID != m.MchID:
		fault = refuse("NO_AUTH", "本次请求的商户与申请账单的商户不一致")
	}
	w.Unlock()
	if fault != nil {
		headers(rw.Header())
		rw.WriteHeader(fault.status)
		_, _ = rw.Write(fault.body()) // a client that has gone is its own affair
		return
	}
	if hit[sandbox.DropBefore] != nil || hit[sandbox.DropAfter] != nil {
		panic(http.ErrAbortHandler)
	}
	content := f.content
	if hit[sandbox.Garbage] != nil { // cut short in the middle of a line
		content = content[:len(content)*2/3]
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !f.packed {
		_, _ = rw.Write(content) // a client that has gone is its own affair
		return
	}
	rw.Header().Set("Content-Type", "application/gzip")
	packed := gzip.NewWriter(rw)
	_, _ = packed.Write(content)
	_ = packed.Close()
}

const (
	billHead    = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
	billSummary = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)

var billHeaders = map[string]string{
	"ALL":     billHead + "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注",
	"SUCCESS": billHead + "商品名称,商户数据包,手续费,费率,订单金额,费率备注",
	"REFUND":  billHead + "退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注",
}

// bill writes the trade bill of a day: payments by the day they were made, refunds by the day they were asked for, as
// they stand now; failed refunds moved no money and are left out.
func (m *merchant) bill(day time.Time, kind string, rate int64) (content []byte, rows int) {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	var ordered, settlement, refundSum, asked, couponBack, fees int64
	end := day.AddDate(0, 0, 1)
	within := func(t time.Time) bool { return !t.Before(day) && t.Before(end) }
	percent := fmt.Sprintf("%d.%02d%%", rate/100, rate%100)
	for _, id := range slices.Sorted(maps.Keys(m.byRef)) {
		o := m.byRef[id]
		if kind == "REFUND" || !within(o.Paid) {
			continue
		}
		cells := m.cells(o, o.Paid, success)
		if kind == "ALL" {
			cells = append(cells, "0", "0", "0.00", "0.00", "", "")
		}
		cells = append(cells, clean(o.Description), clean(o.Attach), sandbox.Yuan(o.Fee)+"000", percent, sandbox.Yuan(o.Total))
		if kind == "ALL" {
			cells = append(cells, "0.00")
		}
		lines = append(lines, line{o.Paid, row(append(cells, ""))})
		ordered += o.Total
		settlement += o.owed()
		fees += o.Fee
	}
	for _, no := range slices.Sorted(maps.Keys(m.refunds)) {
		r := m.refunds[no]
		if kind == "SUCCESS" || !within(r.Created) || r.State == closed {
			continue
		}
		o := m.orders[r.OrderNo]
		at := r.Created
		if kind == "REFUND" {
			at = o.Paid
		}
		cells := m.cells(o, at, refunded)
		if kind == "REFUND" {
			done := ""
			if !r.Done.IsZero() {
				done = r.Done.In(sandbox.Beijing).Format(time.DateTime)
			}
			cells = append(cells, r.Created.In(sandbox.Beijing).Format(time.DateTime), done)
		}
		fee := sandbox.Yuan(r.FeeBack) + "000"
		if r.FeeBack > 0 {
			fee = "-" + fee
		}
		prepaid := share(r.Amount, o.Coupon-o.OwnCoupon, o.Total)
		cells = append(cells, r.RefundID, r.No, sandbox.Yuan(r.Owed), sandbox.Yuan(prepaid), "ORIGINAL", r.State,
			clean(o.Description), clean(o.Attach), fee, percent, "0.00", sandbox.Yuan(r.Amount), "")
		lines = append(lines, line{r.Created, row(cells)})
		refundSum += r.Owed
		asked += r.Amount
		couponBack += prepaid
		fees -= r.FeeBack
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var out bytes.Buffer
	out.WriteString("\ufeff" + billHeaders[kind] + "\r\n")
	for _, l := range lines {
		out.WriteString(l.text)
	}
	out.WriteString(billSummary + "\r\n")
	feeText := sandbox.Yuan(max(fees, -fees)) + "000"
	if fees < 0 {
		feeText = "-" + feeText
	}
	out.WriteString(row([]string{fmt.Sprint(len(lines)), sandbox.Yuan(settlement), sandbox.Yuan(refundSum), sandbox.Yuan(couponBack), feeText, sandbox.Yuan(ordered), sandbox.Yuan(asked)}))
	return out.Bytes(), len(lines)
}

// cells are the fourteen columns that all kinds of bills begin with. What an order settles and its coupons stand with the
// payment alone.
func (m *merchant) cells(o *order, at time.Time, state string) []string {
	settled, coupon := o.owed(), o.Coupon
	if state == refunded {
		settled, coupon = 0, 0
	}
	return []string{
		at.In(sandbox.Beijing).Format(time.DateTime), o.AppID, o.MchID, cmp.Or(o.Sub, "0"), "", o.TransactionID, o.No, o.OpenID, o.Kind, state,
		"OTHERS", "CNY", sandbox.Yuan(settled), sandbox.Yuan(coupon),
	}
}

func row(cells []string) string { return "`" + strings.Join(cells, ",`") + "\r\n" }

// clean keeps a cell in its line and its column.
func clean(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ", "`", "'").Replace(s)
}
