package alipay

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

const (
	fileLife  = 30 * time.Second // of a download address
	readyHour = 9                // of the next morning
)

// firstBill is the oldest day that there are bills of.
var firstBill = time.Date(2016, 1, 1, 0, 0, 0, 0, sandbox.Beijing)

// move is one movement of an account (账务明细).
type move struct {
	AppID   string
	At      time.Time
	Kind    string // 业务类型
	Fen     int64
	Balance int64 // afterwards
	TradeNo string
	OrderNo string
	No      string // what moved it: the order's number, or that of a refund or a split
	Subject string
}

// balance is what an account holds, frozen or not.
func (m *merchant) balance() int64 {
	if len(m.moves) == 0 {
		return 0
	}
	return m.moves[len(m.moves)-1].Balance
}

// move books a movement. One of nothing is none.
func (w *Wallet) move(m *merchant, o *order, kind string, fen int64, no string) {
	if fen == 0 {
		return
	}
	v := move{
		AppID: m.AppID, At: w.Now(), Kind: kind, Fen: fen, Balance: m.balance() + fen, TradeNo: o.TradeNo, OrderNo: o.No, No: no, Subject: o.Subject,
	}
	m.moves = append(m.moves, v)
	w.Keep("Move", v)
}

// billFile is a bill ready for download.
type billFile struct {
	name    string
	content []byte
	until   time.Time
}

// billAddress answers alipay.data.dataservice.bill.downloadurl.query.
func (w *Wallet) billAddress(c call) answer {
	var q struct {
		Type string `json:"bill_type"`
		Date string `json:"bill_date"`
	}
	if fault := c.read(&q); fault != nil {
		return answer{fault: refuse("isv.invalid_arguments", "")}
	}
	from, until, ok := period(q.Date)
	if !ok || q.Type != "trade" && q.Type != "signcustomer" || from.Before(firstBill) {
		return answer{fault: refuse("isv.invalid_arguments", "")}
	}
	now := w.Now()
	ready := until.Add(readyHour * time.Hour)
	if len(q.Date) == len("2006-01") {
		ready = until.AddDate(0, 0, 2) // on the third of the next month
	}
	if !now.After(until) {
		return answer{fault: refuse("isv.invalid_arguments", "")}
	}
	if now.Before(ready) {
		return answer{fault: refuse("isp.bill_not_exist", "")}
	}
	name := c.m.PID + "0156_" + strings.ReplaceAll(q.Date, "-", "")
	var details, summary string
	label := "业务明细"
	if q.Type == "trade" {
		details, summary = c.m.business(from, until, now)
	} else {
		label = "账务明细"
		details, summary = c.m.account(from, until, now)
	}
	if details == "" {
		return answer{fault: refuse("isp.bill_not_exist", "")}
	}
	packed, err := pack(map[string]string{name + "_" + label + ".csv": details, name + "_" + label + "(汇总).csv": summary}, now)
	if err != nil {
		return answer{fault: refuse("isp.unknown_error", "")}
	}
	maps.DeleteFunc(w.files, func(_ string, f billFile) bool { return now.After(f.until) })
	if len(w.files) >= maxFiles {
		return answer{fault: refuse("isp.unknown_error", "")}
	}
	token := strings.ToLower(w.Hex(32))
	w.files[token] = billFile{name: name + ".csv.zip", content: packed, until: now.Add(fileLife)}
	query := url.Values{
		"bizType": {q.Type}, "userId": {c.m.PID + "0156"}, "fileType": {"csv.zip"}, "bizDates": {strings.ReplaceAll(q.Date, "-", "")},
		"downloadFileName": {name + ".csv.zip"}, "fileId": {"/" + q.Type + "/" + name + ".csv.zip"}, "token": {token},
	}
	return answer{fields: fields{"bill_download_url": w.cfg.BaseURL + "/downloadBillFile.resource?" + query.Encode()}}
}

// period reads a day or a month.
func period(text string) (from, until time.Time, ok bool) {
	if day, err := time.ParseInLocation(time.DateOnly, text, sandbox.Beijing); err == nil {
		return day, day.AddDate(0, 0, 1), true
	}
	month, err := time.ParseInLocation("2006-01", text, sandbox.Beijing)
	return month, month.AddDate(0, 1, 0), err == nil
}

// serveFile answers a download. The address is the permission; nothing is signed.
func (w *Wallet) serveFile(rw http.ResponseWriter, r *http.Request) {
	w.Lock()
	f, ok := w.files[r.URL.Query().Get("token")]
	ok = ok && !w.Now().After(f.until)
	hit := w.Hits("", sandbox.OpDownload)
	w.Unlock()
	switch {
	case !ok:
		http.Error(rw, "<html><body>文件不存在或下载链接已失效</body></html>", http.StatusForbidden)
		return
	case hit[sandbox.DropBefore] != nil || hit[sandbox.DropAfter] != nil:
		panic(http.ErrAbortHandler)
	case hit[sandbox.Garbage] != nil: // cut short
		f.content = f.content[:len(f.content)*2/3]
	}
	rw.Header().Set("Content-Type", "application/octet-stream")
	rw.Header().Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	_, _ = rw.Write(f.content) // a client that has gone is its own affair
}

// pack makes a zip archive of texts in GBK, under names in GBK.
func pack(files map[string]string, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	gbk := simplifiedchinese.GBK.NewEncoder()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		title, err := gbk.String(name)
		if err != nil {
			return nil, err
		}
		text, err := gbk.String(strings.Map(inGBK, files[name]))
		if err != nil {
			return nil, err
		}
		to, err := archive.CreateHeader(&zip.FileHeader{Name: title, NonUTF8: true, Method: zip.Deflate, Modified: at.In(sandbox.Beijing)})
		if err != nil {
			return nil, err
		}
		if _, err := to.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return out.Bytes(), err
}

// inGBK replaces what GBK has no sign for.
func inGBK(r rune) rune {
	if r < 0x80 {
		return r
	}
	if _, err := simplifiedchinese.GBK.NewEncoder().String(string(r)); err != nil {
		return '?'
	}
	return r
}

const (
	businessHead = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
	accountHead  = "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注"
	rule         = "#-----------------------------------------"
	ruleEnd      = "----------------------------------------"
)

// business writes what was sold and refunded in a period (业务明细), and its sums; empty where there was nothing.
func (m *merchant) business(from, until, now time.Time) (details, summary string) {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	var sold, back int
	var income, outgo, fees int64
	within := func(t time.Time) bool { return !t.Before(from) && t.Before(until) }
	row := func(o *order, kind string, at time.Time, fen, coupon, fee int64, no string) {
		cells := []string{
			o.TradeNo + "\t", o.No + "\t", kind, clean(o.Subject), stamp(o.Opened), stamp(at), "\t", "\t", "\t", "\t", "*某(" + logon + ")\t",
			signedYuan(fen), signedYuan(fen), "0.00", "0.00", signedYuan(coupon), "0.00", "0.00", "", "0.00\t", "0.00", no + "\t", signedYuan(fee), "0.00", clean(o.Body),
		}
		lines = append(lines, line{at, strings.Join(cells, ",") + "\r\n"})
		fees += fee
	}
	for _, no := range slices.Sorted(maps.Keys(m.byRef)) {
		o := m.byRef[no]
		if !o.Paid.IsZero() && within(o.Paid) {
			row(o, "交易", o.Paid, o.Total, o.Coupon, -o.Fee, "")
			sold, income = sold+1, income+o.Total
		}
		for _, no := range o.RefundNos {
			r := m.refunds[refundKey(o.TradeNo, no)]
			if !r.Done.IsZero() && within(r.Done) && r.Amount > 0 {
				row(o, "退款", r.Done, -r.Amount, 0, r.FeeBack, r.No)
				back, outgo = back+1, outgo-r.Amount
			}
		}
	}
	if len(lines) == 0 {
		return "", ""
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var out strings.Builder
	out.WriteString(m.preamble("支付宝业务明细查询", "业务明细列表", from, until) + businessHead + "\r\n")
	for _, l := range lines {
		out.WriteString(l.text)
	}
	out.WriteString(rule + "业务明细列表结束" + ruleEnd + "\r\n")
	fmt.Fprintf(&out, "#交易合计：%d笔，商家实收共%s元，商家优惠共0.00元\r\n", sold, signedYuan(income))
	fmt.Fprintf(&out, "#退款合计：%d笔，商家实收退款共%s元，商家优惠退款共0.00元\r\n", back, signedYuan(outgo))
	out.WriteString(exported(now))
	summary = m.preamble("支付宝业务汇总查询", "业务汇总列表", from, until) +
		"门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）\r\n" +
		fmt.Sprintf("合计\t,\t,%d,%d,%s,%s,0.00,0.00,0.00,%s,0.00,%s\r\n", sold, back, signedYuan(income+outgo), signedYuan(income+outgo), signedYuan(fees), signedYuan(income+outgo+fees)) +
		rule + "业务汇总列表结束" + ruleEnd + "\r\n" + exported(now)
	return out.String(), summary
}

// account writes every movement of the account in a period (账务明细), and its sums; empty where there was none.
func (m *merchant) account(from, until, now time.Time) (details, summary string) {
	var out strings.Builder
	out.WriteString(m.preamble("支付宝账务明细查询", "账务明细列表", from, until) + accountHead + "\r\n")
	var in, spent int64
	var ins, outs int
	for i, v := range m.moves {
		if v.At.Before(from) || !v.At.Before(until) {
			continue
		}
		income, expense := "0.00", "0.00"
		if v.Fen > 0 {
			income, in, ins = sandbox.Yuan(v.Fen), in+v.Fen, ins+1
		} else {
			expense, spent, outs = signedYuan(v.Fen), spent-v.Fen, outs+1
		}
		out.WriteString(strings.Join([]string{
			fmt.Sprintf("%d%010d\t", v.At.Unix(), i), v.TradeNo + "\t", v.OrderNo + "\t", clean(v.Subject), stamp(v.At), "*某(" + logon + ")\t", income, expense,
			signedYuan(v.Balance), "支付宝", v.Kind, v.No + "\t",
		}, ",") + "\r\n")
	}
	if ins+outs == 0 {
		return "", ""
	}
	out.WriteString(rule + "账务明细列表结束" + ruleEnd + "\r\n")
	fmt.Fprintf(&out, "#支出合计：%d笔，共%s元\r\n#收入合计：%d笔，共%s元\r\n", outs, signedYuan(-spent), ins, sandbox.Yuan(in))
	out.WriteString(exported(now))
	summary = m.preamble("支付宝账务汇总查询", "账务汇总列表", from, until) + "类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）\r\n" +
		fmt.Sprintf("合计,%d,%s,%d,%s,%s\r\n", ins, sandbox.Yuan(in), outs, signedYuan(-spent), signedYuan(in-spent)) +
		rule + "账务汇总列表结束" + ruleEnd + "\r\n" + exported(now)
	return out.String(), summary
}

func (m *merchant) preamble(title, list string, from, until time.Time) string {
	long := func(t time.Time) string { return t.In(sandbox.Beijing).Format("2006年01月02日 15:04:05") }
	return "#" + title + "\r\n#账号：[" + m.PID + "0156]\r\n#起始日期：[" + long(from) + "]   终止日期：[" + long(until) + "]\r\n" + rule + list + ruleEnd + "\r\n"
}

func exported(now time.Time) string {
	return "#导出时间：[" + now.In(sandbox.Beijing).Format("2006年01月02日 15:04:05") + "]\r\n"
}

// signedYuan writes fen, which may be negative, with two decimals.
func signedYuan(fen int64) string {
	if fen < 0 {
		return "-" + sandbox.Yuan(-fen)
	}
	return sandbox.Yuan(fen)
}

// clean keeps a cell in its line and its column.
func clean(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ", ",", "，", "\t", " ").Replace(s)
}
