package pages_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
)

// later moves the clocks on, in steps that the hub takes for a slow night, not for a clock that is off.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	for ; d > 0; d -= 4 * time.Minute {
		w.ahead.Add(int64(min(d, 4*time.Minute)))
		want := w.now()
		w.until("the hub's time follows", func() bool {
			var now moongate.Time
			w.hub.Machine().Read(func() { now = w.hub.Machine().Now() })
			return now >= want
		})
	}
}

// What leads money somewhere wants a credential that was shown a moment ago: a session that is older shows it once more,
// and then goes on as a new one.
func TestLeadingMoneyWantsTheCredential(t *testing.T) {
	w := open(t)
	w.settle()
	for _, order := range []string{"ORDER-1", "ORDER-2", "ORDER-3"} {
		w.pay(w.sell(order, 5000, "the items do not add up"))
	}
	w.level()
	form := regexp.MustCompile(`action="(/console/exceptions/exc_[a-z0-9_]+/give_back)"`)
	queue := func(v *visitor) (page answer, targets []string) {
		t.Helper()
		page = v.get("/console/exceptions")
		for _, m := range form.FindAllStringSubmatch(page.body, -1) {
			targets = append(targets, m[1])
		}
		return page, targets
	}
	const asks = `name="credential"`
	office := w.as("office")
	page, targets := queue(office)
	if len(targets) != 3 || strings.Contains(page.body, asks) {
		t.Fatalf("just signed in: %v, and the credential is asked for: %v", targets, strings.Contains(page.body, asks))
	}
	give := func(target string, page answer, credential string) answer {
		t.Helper()
		return office.post(target, url.Values{"token": {page.token(t)}, "note": {"the order was cancelled"}, "credential": {credential}})
	}
	if got := give(targets[0], page, w.tokens["mall"]); got.status != http.StatusUnauthorized {
		t.Errorf("a wrong one is taken for none: %d", got.status)
	}
	if got := give(targets[0], page, ""); got.status != http.StatusSeeOther {
		t.Fatalf("just signed in: %d %s", got.status, words(got.body))
	}

	w.later(11 * time.Minute)
	page, targets = queue(office)
	if len(targets) != 2 || !strings.Contains(page.body, asks) {
		t.Fatalf("after 11 minutes: %v, and the credential is asked for: %v", targets, strings.Contains(page.body, asks))
	}
	if got := office.get("/console/windows/" + w.window()); !strings.Contains(got.body, asks) {
		t.Errorf("a window is closed without it: %s", words(got.body))
	}
	reader := w.issue("office", party.LedgerRead)
	for name, credential := range map[string]string{
		"none": "", "another participant's": w.tokens["mall"], "one that may only read": reader, "one that is not known": mangled(w.tokens["office"]), "what is none": "open sesame",
	} {
		got := give(targets[0], page, credential)
		if got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got.status)
		}
		if credential != "" && strings.Contains(got.body, credential) {
			t.Errorf("%s stands on the page", name)
		}
	}
	if got := office.post("/console/windows/"+w.window()+"/close_window", url.Values{"token": {page.token(t)}}); got.status != http.StatusUnauthorized {
		t.Errorf("a window: %d", got.status)
	}
	if got := office.post("/console/windows/"+w.window()+"/close_window?lang=zh", url.Values{"token": {page.token(t)}}); !strings.Contains(got.body, "再次输入凭证") {
		t.Errorf("in Chinese: %s", words(got.body))
	}
	office.get("/console?lang=en")
	if _, left := queue(office); len(left) != 2 {
		t.Fatalf("something was done: %v", left)
	}
	before := office.client.Jar.Cookies(must(url.Parse(w.url)))
	if got := give(targets[0], page, " "+w.tokens["office"]+" "); got.status != http.StatusSeeOther {
		t.Fatalf("with the credential: %d %s", got.status, words(got.body))
	}
	page, targets = queue(office)
	if len(targets) != 1 || strings.Contains(page.body, asks) {
		t.Fatalf("afterwards: %v, and the credential is asked for: %v", targets, strings.Contains(page.body, asks))
	}
	if got := give(targets[0], page, ""); got.status != http.StatusSeeOther {
		t.Errorf("the next one: %d", got.status)
	}
	taken := w.visitor()
	taken.client.Jar.SetCookies(must(url.Parse(w.url)), before)
	if got := taken.get("/console"); got.status != http.StatusSeeOther {
		t.Errorf("the old session goes on beside the new one: %d", got.status)
	}
}
