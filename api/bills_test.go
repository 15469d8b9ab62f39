package api_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/party"
)

// fundBill is a wallet's account of a day with payments of 1.00 under numbers.
func fundBill(day string, numbers ...string) []byte {
	var b bytes.Buffer
	b.WriteString("记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n")
	for i, no := range numbers {
		fmt.Fprintf(&b, "`%s 10:00:00,`42%d,`70%d,`交易,`交易,`收入,`1.00,`%d.00,`system,`,`%s\r\n", day, i, i, i+1, no)
	}
	fmt.Fprintf(&b, "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`%d,`%d,`%d.00,`0,`0.00\r\n", len(numbers), len(numbers), len(numbers))
	return b.Bytes()
}

// yesterday is the day whose bills wallets have now.
func yesterday() string {
	return time.Now().In(time.FixedZone("CST", 8*3600)).AddDate(0, 0, -1).Format(time.DateOnly)
}

// upload sends a bill, and gives the answer.
func (w *world) upload(token, query string, body io.Reader) (status int, text string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/v1/bills?"+query, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// differing takes in a bill that has something that the hub does not know, and gives both.
func (w *world) differing(wallet string, numbers ...string) (bill, difference moongate.ID) {
	w.t.Helper()
	status, text := w.upload(w.operator, "wallet="+wallet, bytes.NewReader(fundBill(yesterday(), append(numbers, "SHOP-1")...)))
	var row reconcile.BillRow
	if err := json.Unmarshal([]byte(text), &row); err != nil || status != http.StatusOK || row.Open == 0 {
		w.t.Fatalf("%d %s", status, text)
	}
	list := w.do(call{path: "/v1/differences?" + url.Values{"bill": {row.ID.String()}}.Encode(), token: w.operator})
	var page api.Page[reconcile.DifferenceRow]
	list.into(w.t, &page)
	return row.ID, page.Items[0].ID
}

// TestUploadedBill goes the way of a bill over HTTP: taken in, listed, worked on.
func TestUploadedBill(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.join("lotus", party.Wallet, party.AllScopes)
	w.join("heron", party.Wallet, party.AllScopes)
	stranger := w.join("mall", party.Platform, party.AllScopes)
	text := fundBill(yesterday(), "SHOP-1", "SHOP-2")
	sum := fmt.Sprintf("sha1:%x", sha1.Sum(text))
	for name, test := range map[string]struct {
		token, query string
		body         string
		status       int
		says         string
	}{
		"nobody":         {"", "wallet=lotus", string(text), http.StatusUnauthorized, "credential"},
		"a platform":     {stranger, "wallet=lotus", string(text), http.StatusForbidden, "operator"},
		"no wallet":      {w.operator, "", string(text), http.StatusBadRequest, "wallet"},
		"another wallet": {w.operator, "wallet=mall", string(text), http.StatusNotFound, "no wallet"},
		"another hash":   {w.operator, "wallet=lotus&hash=sha1:" + strings.Repeat("0", 40), string(text), http.StatusBadRequest, "is expected"},
		"cut short":      {w.operator, "wallet=lotus", string(text[:bytes.Index(text, []byte("资金流水总笔数"))]), http.StatusBadRequest, "cut short"},
		"a letter":       {w.operator, "wallet=lotus", "Dear hub", http.StatusUnprocessableEntity, "no bill"},
		"nothing":        {w.operator, "wallet=lotus", "", http.StatusBadRequest, "empty"},
	} {
		status, answer := w.upload(test.token, test.query, strings.NewReader(test.body))
		if status != test.status || !strings.Contains(answer, test.says) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(text)
	_ = z.Close()
	var row reconcile.BillRow
	for range 2 { // twice is once
		status, answer := w.upload(w.operator, "wallet=lotus&kind=fund&day="+yesterday()+"&hash="+sum, bytes.NewReader(packed.Bytes()))
		if err := json.Unmarshal([]byte(answer), &row); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
	}
	if row.Rows != 2 || row.Open != 2 || row.Published != sum || row.By != "office" || row.Day != yesterday() || row.Sums[0].Theirs != 200 || row.Sums[0].Ours != 0 {
		t.Errorf("%+v", row)
	}
	// What is larger than any other body may be comes through, too.
	large := bytes.ReplaceAll(fundBill(yesterday(), make([]string, 12_000)...), []byte("`交易,`交易"), []byte("`转账,`转账"))
	status, answer := w.upload(w.operator, "wallet=heron&kind=fund", bytes.NewReader(large))
	var big reconcile.BillRow
	if err := json.Unmarshal([]byte(answer), &big); err != nil || status != http.StatusOK || big.Aside != 12_000 || len(large) <= api.MaxBody {
		t.Errorf("%d bytes: %d %s", len(large), status, answer)
	}
	var one reconcile.BillRow
	w.do(call{path: "/v1/bills/" + row.ID.String(), token: w.operator}).into(t, &one)
	var bills api.Page[reconcile.BillRow]
	w.do(call{path: "/v1/bills?wallet=lotus&kind=fund", token: w.operator}).into(t, &bills)
	if len(bills.Items) != 1 || bills.Items[0].ID != row.ID || one.ID != row.ID {
		t.Errorf("%+v, %+v", bills, one)
	}
	var page api.Page[reconcile.DifferenceRow]
	w.do(call{path: "/v1/differences?class=missing_ours&standing=open&limit=1&bill=" + row.ID.String(), token: w.operator}).into(t, &page)
	if len(page.Items) != 1 || page.Next == "" || page.Items[0].Class != reconcile.MissingOurs {
		t.Fatalf("%+v", page)
	}
	d := page.Items[0].ID
	act := func(path string, body any, status int) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.do(call{path: path, token: w.operator, body: string(text)}); got.status != status {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
	act("/v1/differences/assign", reconcile.Assign{Difference: d, To: "office", Note: "asked the wallet"}, http.StatusOK)
	act("/v1/differences/resolve", reconcile.Resolve{Differences: []moongate.ID{d}, Action: reconcile.Explained, Note: "sold by the other shop"}, http.StatusOK)
	act("/v1/differences/resolve", reconcile.Resolve{Differences: []moongate.ID{d}, Action: reconcile.Explained, Note: "again"}, http.StatusConflict)
	act("/v1/bills/schedule", reconcile.Schedule{Wallet: "lotus", Kind: "trade", From: yesterday()}, http.StatusOK)
	act("/v1/bills/fetch", reconcile.Fetch{Wallet: "lotus", Kind: "fund", Day: yesterday()}, http.StatusOK)
	var got reconcile.DifferenceRow
	waitFor(t, func() bool {
		w.do(call{path: "/v1/differences/" + d.String(), token: w.operator}).into(t, &got)
		return got.Standing == reconcile.Settled
	})
	if got.By != "office" || got.Note != "sold by the other shop" || len(got.Notes) != 1 || got.Notes[0].Text != "asked the wallet" {
		t.Errorf("%+v", got)
	}
	var fetches api.Page[reconcile.FetchRow]
	waitFor(t, func() bool {
		w.do(call{path: "/v1/bills/fetches?wallet=lotus", token: w.operator}).into(t, &fetches)
		return len(fetches.Items) > 0 && fetches.Items[0].Result == reconcile.Failed
	})
	if !strings.Contains(fetches.Items[0].Message, "no bills that can be downloaded") {
		t.Errorf("%+v", fetches.Items)
	}
}
