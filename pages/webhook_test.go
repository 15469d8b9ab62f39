package pages_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// redeliver has a message sent once more, and nobody but its owner and an operator may.
func redeliver(t *testing.T, w *world) {
	path := "/console/webhooks/" + w.hook.String()
	mall := w.as("mall")
	w.until("the delivery is in the log", func() bool { return strings.Contains(mall.get(path).body, "pay.settled") })
	message := regexp.MustCompile(`title="(evt_[a-z0-9]+)"`)
	again := regexp.MustCompile(`action="(` + path + `/events/[A-Za-z0-9_-]+/redeliver)"`)
	for _, handle := range []string{"mall", "office"} {
		v := w.as(handle)
		page := v.get(path)
		id, form := message.FindStringSubmatch(page.body), again.FindStringSubmatch(page.body)
		if id == nil || form == nil {
			t.Fatalf("%s finds nothing to send again: %s", handle, words(page.body))
		}
		before := w.heard.of(id[1])
		if before == 0 {
			t.Fatalf("the log tells of %s, which never came", id[1])
		}
		if got := v.post(form[1], url.Values{"token": {page.token(t)}}); got.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", handle, got.status, words(got.body))
		}
		w.until("it came again", func() bool { return w.heard.of(id[1]) == before+1 })
		w.until("the log says so", func() bool { return strings.Count(v.get(path).body, "sent again") > 0 })
		rival := w.as("rival")
		if got := rival.post(form[1], url.Values{"token": {rival.get("/console").token(t)}}); got.status != http.StatusNotFound {
			t.Errorf("a stranger has %s's message sent again: %d", handle, got.status)
		}
	}
	form := again.FindStringSubmatch(w.as("office").get(path).body)
	if got := mall.post(form[1], url.Values{"token": {mall.get(path).token(t)}}); got.status != http.StatusNotFound {
		t.Errorf("the marketplace uses the operator's cursor: %d", got.status)
	}
	act := func(action, note string) answer {
		return mall.post(path+"/"+action, url.Values{"token": {mall.get(path).token(t)}, "note": {note}})
	}
	if got := act("disable", "we move"); got.status != http.StatusSeeOther {
		t.Fatalf("stopping it: %d %s", got.status, words(got.body))
	}
	if got := mall.get(path); !strings.Contains(got.body, "we move") || strings.Contains(got.body, "/redeliver") {
		t.Errorf("stopped: %s", words(got.body))
	}
	if got := act("enable", ""); got.status != http.StatusSeeOther || !strings.Contains(mall.get(path).body, "/disable") {
		t.Errorf("going on: %d", got.status)
	}
	if got := act("explode", ""); got.status != http.StatusNotFound {
		t.Errorf("an action that is none: %d", got.status)
	}
}
