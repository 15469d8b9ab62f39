package alipay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdk "github.com/smartwalle/alipay/v3"

	"github.com/moongate-hub/moongate/gate/pay"
)

const maxBill = 1 << 30 // bytes of an archive

// billTypes are the wallet's words.
var billTypes = map[pay.BillKind]string{pay.TradeBill: "trade", pay.FundBill: "signcustomer"}

// late is how long after a day's end its bill may still be on its way: it is usually there at nine in the morning.
const late = 24 * time.Hour

// Bill implements [pay.Biller] with alipay.data.dataservice.bill.downloadurl.query. The file is a zip archive of GBK text:
// details and their summary. The wallet publishes no hash; what was cut short lacks the archive's directory, which stands
// at its end, and counts as no bill.
//
// A day's bill is there at about nine the next morning. Before, and until the day after it is over, its absence is NotDone;
// later the day has none.
func (w *Wallet) Bill(ctx context.Context, day string, kind pay.BillKind, spool io.Writer) (pay.BillFile, error) {
	begins, err := time.ParseInLocation(time.DateOnly, day, beijing)
	if err != nil {
		return pay.BillFile{}, local(opBill, "day %.20q is not YYYY-MM-DD", day)
	}
	if billTypes[kind] == "" {
		return pay.BillFile{}, local(opBill, "kind %.20q is neither trade nor fund", kind)
	}
	ends, now := begins.AddDate(0, 0, 1), w.cfg.Now()
	if !now.After(ends) {
		f := pay.Fail(opBill, pay.NotDone, "the day is not over", nil)
		f.Code = "isp.bill_not_exist"
		return pay.BillFile{}, f
	}
	var a struct {
		answered
		URL string `json:"bill_download_url"`
	}
	p := sdk.NewPayload("alipay.data.dataservice.bill.downloadurl.query").AddBizField("bill_type", billTypes[kind]).AddBizField("bill_date", day)
	f, word := w.ask(ctx, opBill, p, &a)
	switch {
	case word == "isp.bill_not_exist", word == "isv.bill-not-exist", word == "BILL_NOT_EXIST":
		if f.Verdict = pay.NotDone; now.Sub(ends) > late {
			f.Verdict = pay.Refused
		}
		return pay.BillFile{}, f
	case f != nil:
		if f.Verdict == pay.Unknown {
			f.Verdict = pay.NotDone // asking for a bill changes nothing
		}
		return pay.BillFile{}, f
	}
	return w.download(ctx, a.URL, spool)
}

// download gets the archive from where the wallet's signed answer says it lies, for half a minute.
func (w *Wallet) download(ctx context.Context, address string, spool io.Writer) (pay.BillFile, error) {
	broken := func(err error) (pay.BillFile, error) {
		return pay.BillFile{}, pay.Fail(opBill, pay.NotDone, err.Error(), err)
	}
	to, err := w.billAddress(address)
	if err != nil {
		return broken(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to, http.NoBody)
	if err != nil {
		return broken(errors.New("download address cannot be asked"))
	}
	answer, err := w.cfg.Carrier.RoundTrip(r)
	if err != nil {
		return pay.BillFile{}, pay.Fail(opBill, pay.NotDone, "the file cannot be downloaded", err)
	}
	defer func() { _ = answer.Body.Close() }() // what was read counts
	if answer.StatusCode != http.StatusOK {
		return broken(fmt.Errorf("download is answered %d", answer.StatusCode))
	}
	end := &tail{to: spool}
	n, err := io.Copy(end, io.LimitReader(answer.Body, maxBill+1))
	switch {
	case err != nil:
		return broken(fmt.Errorf("file breaks off after %d bytes: %w", n, err))
	case n > maxBill:
		return broken(errors.New("file is larger than 1 GiB"))
	case !end.whole():
		return broken(fmt.Errorf("%d bytes are no zip archive, or one that was cut short", n))
	}
	return pay.BillFile{Bytes: n, Encoding: "gbk", Archive: "zip"}, nil
}

// billAddress takes a download address that stays at the wallet. The documents write it with http; the name answers https
// too, and the file holds names.
func (w *Wallet) billAddress(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Host == "" || len(address) > 2048 {
		return "", errors.New("download address makes no sense")
	}
	if base, err := url.Parse(w.cfg.BaseURL); err == nil && base.Host == u.Host && base.Scheme == u.Scheme {
		return address, nil
	}
	if name := u.Hostname(); w.cfg.BaseURL != home || u.Port() != "" || (name != "alipay.com" && !strings.HasSuffix(name, ".alipay.com")) {
		return "", fmt.Errorf("download address leads to %.80q", u.Host)
	}
	u.Scheme = "https"
	return u.String(), nil
}

// tail copies an archive through, and remembers how it begins and ends.
type tail struct {
	to    io.Writer
	first []byte
	last  []byte
}

// A zip archive begins with its first file, or, where it has none, with its directory's end.
var zipBegins, zipEnds = []byte("PK\x03\x04"), []byte("PK\x05\x06")

// endSize is the size of the record at a zip archive's end, without a comment (APPNOTE 4.3.16).
const endSize = 22

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	if need := len(zipBegins) - len(t.first); need > 0 {
		t.first = append(t.first, b[:min(need, len(b))]...)
	}
	t.last = append(t.last, b[max(0, len(b)-endSize):]...)
	t.last = t.last[max(0, len(t.last)-endSize):]
	return t.to.Write(b)
}

func (t *tail) whole() bool {
	return bytes.Equal(t.first, zipBegins) && bytes.HasPrefix(t.last, zipEnds)
}
