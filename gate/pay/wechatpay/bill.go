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

// Bill downloads a day's bill (Beijing time) and writes the unpacked file to the spool: the trade bill with payments and
// refunds (ALL), or the flow of the basic account. Only when it returns without error is what the spool holds the wallet's
// bill: the file itself is not signed, and its hash, which is, can be compared only at the end. Read it then with package
// bill.
//
// A day's bill is ready after 10:00 the next morning; before, the failure is NotDone with code STATEMENT_CREATING. A day
// on which nothing moved has none: Refused with NO_STATEMENT_EXIST. Bills are kept for three months.
func (w *Wallet) Bill(ctx context.Context, day string, kind pay.BillKind, spool io.Writer) (pay.BillFile, error) {
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return pay.BillFile{}, local(opBill, "day %.20q is not YYYY-MM-DD", day)
	}
	query := url.Values{"bill_date": {day}, "tar_type": {"GZIP"}}
	path := "/v3/bill/tradebill?"
	switch kind {
	case pay.TradeBill:
		query.Set("bill_type", "ALL")
	case pay.FundBill:
		path = "/v3/bill/fundflowbill?"
		query.Set("account_type", "BASIC")
	default:
		return pay.BillFile{}, local(opBill, "kind %.20q is neither trade nor fund", kind)
	}
	hash, file, err := w.applyForBill(ctx, path+query.Encode())
	if err != nil {
		return pay.BillFile{}, err
	}
	result, err := w.bills.Get(ctx, consts.WechatPayAPIServer+file)
	if err != nil {
		f, _ := w.failed(ctx, opBill, err)
		f.Verdict = pay.NotDone // a download changes nothing
		return pay.BillFile{}, f
	}
	defer func() { _ = result.Response.Body.Close() }()
	size, got, err := spoolBill(result.Response.Body, spool)
	if err != nil {
		return pay.BillFile{}, pay.Fail(opBill, pay.NotDone, err.Error(), err)
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(hash)) != 1 {
		return pay.BillFile{}, pay.Fail(opBill, pay.NotDone, fmt.Sprintf("file of %d bytes has SHA-1 %s, the wallet published %s: damaged or cut short", size, got, hash), nil)
	}
	return pay.BillFile{Bytes: size, Hash: "sha1:" + hash, Encoding: "utf-8"}, nil
}

// applyForBill asks for a bill and gets its hash and the path with the token under which it lies for five minutes.
func (w *Wallet) applyForBill(ctx context.Context, path string) (hash, file string, err error) {
	ctx, cancel, err := w.begin(ctx, opBill)
	if err != nil {
		return "", "", err
	}
	defer cancel()
	result, err := w.client.Get(ctx, consts.WechatPayAPIServer+path)
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

// spoolBill copies the file, unpacking it where it is packed: the HTTP transport may have done so already. It gives the
// number of bytes and their SHA-1.
func spoolBill(from io.Reader, spool io.Writer) (int64, string, error) {
	in := bufio.NewReaderSize(from, 64<<10)
	var plain io.Reader = in
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return 0, "", fmt.Errorf("file is not gzip: %w", err)
		}
		plain = unpacked
	}
	sum := sha1.New() //nolint:gosec // see the import
	n, err := io.Copy(io.MultiWriter(sum, spool), io.LimitReader(plain, maxBill+1))
	if err != nil {
		return n, "", fmt.Errorf("file breaks off after %d bytes: %w", n, err)
	}
	if n > maxBill {
		return n, "", errors.New("file is larger than 4 GiB")
	}
	return n, hex.EncodeToString(sum.Sum(nil)), nil
}
