package wechatpay

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha1" //nolint:gosec // the wallet publishes SHA-1; its answer that carries the hash is signed
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"

	"github.com/moongate-hub/moongate/gate/pay"
)

// BillKind selects the rows of a trade bill, and with them its columns.
type BillKind string

// Kinds of trade bill.
const (
	BillAll     BillKind = "ALL"     // payments and refunds, 27 columns
	BillSuccess BillKind = "SUCCESS" // payments, 20 columns
	BillRefund  BillKind = "REFUND"  // refunds, 29 columns
)

// BillFile describes a downloaded bill.
type BillFile struct {
	Bytes int64  // of the uncompressed file
	SHA1  string // of the uncompressed file, as the wallet published it and as it was found to be
}

// TradeBill downloads the trade bill of a day (YYYY-MM-DD, Beijing time) and writes the uncompressed file to the spool.
// Only when it returns without error is what the spool holds the wallet's bill: the file itself is not signed, and its
// hash, which is, can be compared only at the end. Read it then with [ReadTradeBill].
//
// A day's bill is ready after 10:00 the next morning; before, the failure is NotDone with code STATEMENT_CREATING. A day
// without payments has none: Refused with NO_STATEMENT_EXIST. Bills are kept for three months.
func (w *Wallet) TradeBill(ctx context.Context, day string, kind BillKind, spool io.Writer) (BillFile, error) {
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return BillFile{}, local(opBill, "day %.20q is not YYYY-MM-DD", day)
	}
	if kind != BillAll && kind != BillSuccess && kind != BillRefund {
		return BillFile{}, local(opBill, "kind %.20q is none of ALL, SUCCESS, REFUND", kind)
	}
	hash, file, err := w.applyForBill(ctx, day, kind)
	if err != nil {
		return BillFile{}, err
	}
	result, err := w.bills.Get(ctx, consts.WechatPayAPIServer+file)
	if err != nil {
		f, _ := w.failed(ctx, opBill, err)
		f.Verdict = pay.NotDone // a download changes nothing
		return BillFile{}, f
	}
	defer func() { _ = result.Response.Body.Close() }()
	got, err := spoolBill(result.Response.Body, spool)
	if err != nil {
		return BillFile{}, pay.Fail(opBill, pay.NotDone, err.Error(), err)
	}
	if subtle.ConstantTimeCompare([]byte(got.SHA1), []byte(hash)) != 1 {
		return BillFile{}, pay.Fail(opBill, pay.NotDone, fmt.Sprintf("file of %d bytes has SHA-1 %s, the wallet published %s: damaged or cut short", got.Bytes, got.SHA1, hash), nil)
	}
	return got, nil
}

// applyForBill asks for a bill and gets its hash and the path with the token under which it lies for five minutes.
func (w *Wallet) applyForBill(ctx context.Context, day string, kind BillKind) (hash, file string, err error) {
	ctx, cancel, err := w.begin(ctx, opBill)
	if err != nil {
		return "", "", err
	}
	defer cancel()
	query := url.Values{"bill_date": {day}, "bill_type": {string(kind)}, "tar_type": {"GZIP"}}
	result, err := w.client.Get(ctx, consts.WechatPayAPIServer+"/v3/bill/tradebill?"+query.Encode())
	if err != nil {
		f, _ := w.failed(ctx, opBill, err)
		if f.Verdict == pay.Unknown {
			f.Verdict = pay.NotDone // asking for a bill changes nothing
		}
		return "", "", f
	}
	var answer struct {
		HashType    string `json:"hash_type"`
		HashValue   string `json:"hash_value"`
		DownloadURL string `json:"download_url"`
	}
	if err := core.UnMarshalResponse(result.Response, &answer); err != nil {
		return "", "", pay.Fail(opBill, pay.NotDone, "answer is not JSON", err)
	}
	sum, err := hex.DecodeString(answer.HashValue)
	if answer.HashType != "SHA1" || err != nil || len(sum) != sha1.Size {
		return "", "", pay.Fail(opBill, pay.NotDone, fmt.Sprintf("hash %.20q of type %.20q is not SHA1", answer.HashValue, answer.HashType), err)
	}
	file, err = w.billPath(answer.DownloadURL)
	return strings.ToLower(answer.HashValue), file, err
}

// billPath takes path and query from a download URL that stays at the wallet. Our signature goes with the request, so
// it must not be sent anywhere else.
func (w *Wallet) billPath(download string) (string, error) {
	u, err := url.Parse(download)
	if err != nil || u.User != nil || u.Fragment != "" || u.Path != "/v3/billdownload/file" || len(u.RawQuery) > 2048 {
		return "", pay.Fail(opBill, pay.NotDone, "download address is not one of the wallet's", nil)
	}
	for _, home := range []string{w.cfg.BaseURL, consts.WechatPayAPIServer, consts.WechatPayAPIServerBackup} {
		if h, err := url.Parse(home); err == nil && h.Scheme == u.Scheme && h.Host == u.Host {
			return u.RequestURI(), nil
		}
	}
	return "", pay.Fail(opBill, pay.NotDone, fmt.Sprintf("download address leads to %.80q", u.Host), nil)
}

// spoolBill copies the file, unpacking it where it is packed: the HTTP transport may have done so already.
func spoolBill(from io.Reader, spool io.Writer) (BillFile, error) {
	in := bufio.NewReaderSize(from, 64<<10)
	var plain io.Reader = in
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return BillFile{}, fmt.Errorf("file is not gzip: %w", err)
		}
		plain = unpacked
	}
	sum := sha1.New() //nolint:gosec // see the import
	n, err := io.Copy(io.MultiWriter(sum, spool), io.LimitReader(plain, maxBill+1))
	if err != nil {
		return BillFile{}, fmt.Errorf("file breaks off after %d bytes: %w", n, err)
	}
	if n > maxBill {
		return BillFile{}, errors.New("file is larger than 4 GiB")
	}
	return BillFile{Bytes: n, SHA1: hex.EncodeToString(sum.Sum(nil))}, nil
}
