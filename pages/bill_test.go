package pages_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/moongate-hub/moongate/pages/look"
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

// upload posts the form with a file, its fields in an order.
func (v *visitor) upload(file []byte, fields ...[2]string) answer {
	v.w.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, f := range fields {
		if err := form.WriteField(f[0], f[1]); err != nil {
			v.w.t.Fatal(err)
		}
	}
	if file != nil {
		part, err := form.CreateFormFile("file", "bill.csv")
		if err != nil {
			v.w.t.Fatal(err)
		}
		if _, err := io.Copy(part, bytes.NewReader(file)); err != nil {
			v.w.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		v.w.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, v.w.url+"/console/bills/upload", &b)
	if err != nil {
		v.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", v.w.url)
	return v.send(r)
}

// A bill is handed in on its page; what differs is given to somebody, noted on, and settled one by one and together.
func TestBillsAndDifferences(t *testing.T) {
	w := open(t)
	w.settle()
	day := w.now().Go().UTC().Add(-16 * time.Hour).Format(time.DateOnly)
	text := fundBill(day, "SHOP-1", "SHOP-2", "SHOP-3", "SHOP-4")
	office := w.as("office")
	token := office.get("/console/bills").token(t)
	form := func(token string) [][2]string {
		return [][2]string{{"token", token}, {"wallet", "crane-pay"}, {"kind", ""}, {"day", ""}, {"hash", ""}}
	}
	mall := w.as("mall")
	for name, got := range map[string]answer{
		"a merchant's":     mall.upload(text, form(mall.get("/console").token(t))...),
		"another's token":  office.upload(text, form(mall.get("/console").token(t))...),
		"without a token":  office.upload(text, form("")[1:]...),
		"the token behind": office.upload(nil, [][2]string{{"wallet", "crane-pay"}}...),
		"without a file":   office.upload(nil, form(token)...),
		"cut short":        office.upload(text[:len(text)-40], form(token)...),
		"another wallet's": office.upload(text, [2]string{"token", token}, [2]string{"wallet", "mall"}),
		"no form":          office.post("/console/bills/upload", url.Values{"token": {token}}),
	} {
		if got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d %s", name, got.status, words(got.body))
		}
	}
	if got := office.get("/console/bills"); !strings.Contains(got.body, "No bill yet") {
		t.Fatalf("something was taken in: %s", words(got.body))
	}
	in := office.upload(text, form(token)...)
	if in.status != http.StatusSeeOther || !regexp.MustCompile(`^/console/bills/bil_[a-z0-9_]+$`).MatchString(in.header.Get("Location")) {
		t.Fatalf("handing it in: %d %s", in.status, words(in.body))
	}
	if again := office.upload(text, form(token)...); again.header.Get("Location") != in.header.Get("Location") {
		t.Errorf("handed in twice it is %s", again.header.Get("Location"))
	}
	bill := office.get(in.header.Get("Location"))
	for _, want := range []string{day, "4 rows", "4.00", "Missing in our books", "SHOP-1", "Garden Office", "sha256:"} {
		if !strings.Contains(bill.body, want) {
			t.Errorf("the bill does not show %q: %s", want, words(bill.body))
		}
	}
	if got := office.get("/console/bills"); !strings.Contains(got.body, day) || !strings.Contains(got.body, "differs") {
		t.Errorf("the list: %s", words(got.body))
	}
	for _, path := range []string{"/console/bills", in.header.Get("Location"), "/console/differences"} {
		if got := mall.get(path); got.status != http.StatusForbidden {
			t.Errorf("a merchant reads %s: %d", path, got.status)
		}
	}
	workDifferences(t, w, office)

	// What the hub fetches by itself stands there, too, with how it went.
	if got := office.post("/console/bills/fetch", url.Values{"token": {token}, "wallet": {"crane-pay"}, "kind": {"trade"}, "day": {day}}); got.status != http.StatusSeeOther {
		t.Fatalf("fetching: %d %s", got.status, words(got.body))
	}
	w.until("the wallet's bill is there", func() bool { return strings.Contains(office.get("/console/bills").body, "fetched</span>") })
	if got := office.get("/console/bills?kind=trade"); !strings.Contains(got.body, ">"+day+"</a></td>") {
		t.Errorf("the bill that was fetched: %s", words(got.body))
	}
}

func workDifferences(t *testing.T, w *world, office *visitor) {
	one := regexp.MustCompile(`<li id="(dif_[a-z0-9_]+)"`)
	list := func(query string) (found []string) {
		t.Helper()
		got := office.get("/console/differences" + query)
		if got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, got.status, words(got.body))
		}
		for _, m := range one.FindAllStringSubmatch(got.body, -1) {
			found = append(found, m[1])
		}
		return found
	}
	all := list("")
	if len(all) != 4 {
		t.Fatalf("the queue: %v", all)
	}
	for query, want := range map[string]int{
		"?class=missing_ours": 4, "?class=fee": 0, "?state=waiting": 0, "?state=settled": 0, "?wallet=crane-pay": 4, "?wallet=elsewhere": 0,
		"?age=day": 4, "?age=older": 0, "?assignee=office": 0,
	} {
		if got := list(query); len(got) != want {
			t.Errorf("%s: %d, want %d", query, len(got), want)
		}
	}
	for _, query := range []string{"?class=nonsense", "?state=nonsense", "?bill=nonsense"} {
		if got := office.get("/console/differences" + query); got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d", query, got.status)
		}
	}
	token := office.get("/console/differences").token(t)
	act := func(path string, form url.Values) answer {
		form.Set("token", token)
		return office.post("/console/differences/"+path, form)
	}
	if got := act(all[0]+"/assign", url.Values{"to": {"office"}, "note": {"asked the wallet, ticket 4711"}, "next": {"/console/differences?assignee=office"}}); got.status != http.StatusSeeOther || got.header.Get("Location") != "/console/differences?assignee=office" {
		t.Fatalf("giving it to somebody: %d %q %s", got.status, got.header.Get("Location"), words(got.body))
	}
	if got := act(all[0]+"/assign", url.Values{"to": {"office"}, "note": {"still waiting"}, "next": {"https://evil.example/"}}); got.header.Get("Location") != "/console/differences/"+all[0] {
		t.Errorf("a note leads to %q", got.header.Get("Location"))
	}
	if got := list("?assignee=office"); len(got) != 1 || got[0] != all[0] {
		t.Errorf("those of the office: %v", got)
	}
	if got := act(all[0]+"/settle", url.Values{"how": {"explained"}}); got.status != http.StatusBadRequest {
		t.Errorf("without a reason: %d", got.status)
	}
	if got := act(all[0]+"/settle", url.Values{"how": {"healed"}, "note": {"by magic"}}); got.status != http.StatusBadRequest {
		t.Errorf("in the hub's own way: %d", got.status)
	}
	if got := act(all[0]+"/settle", url.Values{"how": {"explained"}, "note": {"sold by the other shop"}}); got.status != http.StatusSeeOther {
		t.Fatalf("settling: %d %s", got.status, words(got.body))
	}
	if got := office.get("/console/find?q=" + all[0]); !strings.Contains(got.body, "/console/differences/"+all[0]) {
		t.Errorf("it is not found: %s", words(got.body))
	}
	if got := w.as("mall").get("/console/find?q=" + all[0]); strings.Contains(got.body, "/console/differences/") {
		t.Error("a merchant finds it")
	}
	story := words(office.get("/console/differences/" + all[0]).body)
	for _, want := range []string{"Found in the bill of Crane Pay", "gave it to Garden Office", "ticket 4711", "Garden Office noted", "still waiting", "both sides are right", "sold by the other shop"} {
		if !strings.Contains(story, want) {
			t.Errorf("its story lacks %q: %s", want, story)
		}
	}
	if strings.Contains(story, "Give to somebody") {
		t.Error("what is settled can still be given to somebody")
	}
	if got := act("settle", url.Values{"how": {"written_off"}, "note": {"too little"}}); got.status != http.StatusBadRequest {
		t.Errorf("none chosen: %d", got.status)
	}
	if got := act("settle", url.Values{"difference": {all[1], all[0]}, "how": {"written_off"}, "note": {"too little"}}); got.status != http.StatusConflict || len(list("")) != 3 {
		t.Errorf("one of them is settled: %d, %d left", got.status, len(list("")))
	}
	if got := act("settle", url.Values{"difference": {all[1], all[2]}, "how": {"written_off"}, "note": {"too little"}}); got.status != http.StatusSeeOther {
		t.Errorf("two together: %d %s", got.status, words(got.body))
	}
	if got := list("?state=settled"); len(got) != 3 || len(list("")) != 1 {
		t.Errorf("settled: %v, left: %v", got, list(""))
	}
	zh := words(office.get("/console/differences?state=settled&lang=zh").body)
	for _, want := range []string{"我方缺失", "已核销", "已解释", "白鹤支付"} {
		if !strings.Contains(zh, want) {
			t.Errorf("in Chinese it lacks %q: %s", want, zh)
		}
	}
	office.get("/console/differences?lang=en")
	mall := w.as("mall")
	if got := mall.post("/console/differences/"+all[3]+"/settle", url.Values{"token": {mall.get("/console").token(t)}, "how": {"explained"}, "note": {"mine"}}); got.status != http.StatusForbidden {
		t.Errorf("a merchant settles: %d", got.status)
	}
}

// A person hands a bill in and works on what differs, with the mouse.
func TestBillsInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("the browser takes a while")
	}
	b, w := look.Open(t), open(t)
	w.settle()
	day := w.now().Go().UTC().Add(-16 * time.Hour).Format(time.DateOnly)
	file := t.TempDir() + "/bill.csv"
	writeFile(t, file, fundBill(day, "SHOP-1", "SHOP-2", "SHOP-3"))
	b.Window(t, 1280, 860)
	b.Do(t, chromedp.Navigate(w.url+"/console/bills"), chromedp.WaitVisible("#credential"), chromedp.SendKeys("#credential", w.tokens["office"]+"\r"), chromedp.WaitVisible("#hand"))
	b.Check(t, "live-bills-empty")
	b.Do(t, chromedp.SetUploadFiles(`input[type="file"]`, []string{file}), chromedp.Click("#hand button"), chromedp.WaitVisible(".page-bill .heaps"))
	b.Check(t, "live-bill")
	b.Do(t, chromedp.Navigate(w.url+"/console/differences?theme=dark"), chromedp.WaitVisible(".queue"))
	b.Check(t, "live-differences-dark")
	first := look.Ask[string](t, b, `document.querySelector('.queue > li').id`)
	b.Do(t, chromedp.Click(`.queue > li summary`), chromedp.SetValue(`.queue > li details[open] select[name="to"]`, "office"),
		chromedp.SendKeys(`.queue > li details[open] input[name="note"]`, "ticket 4711"), chromedp.Click(`.queue > li details[open] button`),
		chromedp.WaitVisible(`.queue .facts a[href="/console/participants/office"]`))
	b.Do(t, chromedp.Click(`.queue > li:nth-child(2) .pick input`), chromedp.Click(`.queue > li:nth-child(3) .pick input`),
		chromedp.SendKeys(`#chosen input[name="note"]`, "sold by the other shop"), chromedp.Click(`#chosen button`), chromedp.WaitVisible(".queue > li:only-child"))
	if left := look.Ask[string](t, b, `document.querySelector('.queue > li').id`); left != first {
		t.Errorf("%s is left, want %s", left, first)
	}
	b.Window(t, 360, 740)
	b.Do(t, chromedp.Navigate(w.url+"/console/differences/"+first+"?lang=zh&theme=light"), chromedp.WaitVisible(".story"))
	b.Check(t, "live-difference-phone-zh")
	b.Do(t, chromedp.Navigate(w.url+"/console/bills?lang=zh"), chromedp.WaitVisible("#hand"))
	b.Check(t, "live-bills-phone-zh")
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
