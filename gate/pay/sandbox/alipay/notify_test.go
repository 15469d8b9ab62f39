package alipay_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// told checks a notification's signature, which covers neither sign nor sign_type, and gives its order's last letter.
func (w *world) told(d delivered) string {
	if !good(w.m.AlipayKey, content(d.form, "sign_type"), d.form.Get("sign")) {
		return "?"
	}
	no := d.form.Get("out_trade_no")
	return no[len(no)-1:]
}

// TestSchedule: a shop that never answers success hears of a payment eight times in twenty-four hours and twenty-four
// minutes, each time signed anew, always with the same id.
func TestSchedule(t *testing.T) {
	w := newWorld(t, nil)
	w.shop.reply = func(int) (int, string) { return http.StatusOK, "ok" }
	w.pay("ORDER1", "1.00")
	w.Advance(48 * time.Hour)
	if len(w.shop.got) != 8 || w.wallet.Waiting() != 0 {
		t.Fatalf("%d deliveries, %d waiting", len(w.shop.got), w.wallet.Waiting())
	}
	first := w.shop.got[0]
	var gaps []time.Duration
	for i, d := range w.shop.got {
		if w.told(d) != "1" || d.form.Get("notify_id") != first.form.Get("notify_id") || d.form.Get("notify_time") != d.at.In(sandbox.Beijing).Format(time.DateTime) {
			t.Errorf("delivery %d at %s: %v", i, d.at, d.form)
		}
		if i > 0 {
			gaps = append(gaps, d.at.Sub(w.shop.got[i-1].at))
		}
	}
	if want := "[4m0s 10m0s 10m0s 1h0m0s 2h0m0s 6h0m0s 15h0m0s]"; fmt.Sprint(gaps) != want {
		t.Errorf("after %v, want %v", gaps, want)
	}
}

// TestAcknowledgement: the seven letters end it; anything else does not.
func TestAcknowledgement(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   int
	}{
		{200, "success", 1}, {200, "SUCCESS", 8}, {200, "success\n", 8}, {200, "", 8}, {204, "", 8}, {500, "success", 8}, {302, "success", 8}, {0, "", 8},
	} {
		w := newWorld(t, nil)
		w.shop.reply = func(int) (int, string) { return test.status, test.body }
		w.pay("ORDER1", "1.00")
		w.Advance(48 * time.Hour)
		if len(w.shop.got) != test.want {
			t.Errorf("answered %d %q: %d deliveries, want %d", test.status, test.body, len(w.shop.got), test.want)
		}
	}
	w := newWorld(t, func(c *sandbox.Config) { c.Scale = 60 })
	w.shop.reply = func(try int) (int, string) {
		return http.StatusOK, map[bool]string{true: "no", false: "success"}[try < 4]
	}
	w.pay("ORDER1", "1.00")
	w.Advance(25 * time.Second)
	if len(w.shop.got) != 4 {
		t.Errorf("at sixty times the pace, twenty-four minutes' schedule brought %d deliveries, not 4", len(w.shop.got))
	}
}

// TestWhatIsTold: paid, refunded in part, refunded whole, closed.
func TestWhatIsTold(t *testing.T) {
	w := newWorld(t, nil)
	w.pay("ORDER1", "1.00")
	w.Advance(time.Minute)
	for _, no := range []string{"R1", "R2"} {
		w.ask(refunding, object{"out_trade_no": "ORDER1", "refund_amount": "0.50", "out_request_no": no})
		w.Advance(time.Minute)
	}
	w.order("ORDER2", "1.00")
	if err := w.wallet.Visit(appID, "ORDER2"); err != nil {
		t.Fatal(err)
	}
	w.ask(closing, object{"out_trade_no": "ORDER2"})
	w.Advance(time.Minute)
	want := []map[string]string{
		{"out_trade_no": "ORDER1", "trade_status": "TRADE_SUCCESS", "gmt_payment": "2026-03-04 10:00:00", "refund_fee": "", "total_amount": "1.00", "app_id": appID, "seller_id": pid, "notify_type": "trade_status_sync"},
		{"out_trade_no": "ORDER1", "trade_status": "TRADE_SUCCESS", "refund_fee": "0.50", "out_biz_no": "R1", "gmt_refund": "2026-03-04 10:01:00.000"},
		{"out_trade_no": "ORDER1", "trade_status": "TRADE_CLOSED", "refund_fee": "1.00", "out_biz_no": "R2", "gmt_close": "2026-03-04 10:02:00"},
		{"out_trade_no": "ORDER2", "trade_status": "TRADE_CLOSED", "gmt_payment": ""},
	}
	if len(w.shop.got) != len(want) {
		t.Fatalf("told %d times", len(w.shop.got))
	}
	for i, d := range w.shop.got {
		for name, value := range want[i] {
			if d.form.Get(name) != value {
				t.Errorf("notification %d: %s is %q, want %q", i, name, d.form.Get(name), value)
			}
		}
		if w.told(d) == "?" || d.url != "https://shop.test/notify" {
			t.Errorf("notification %d to %s: %v", i, d.url, d.form)
		}
	}
}

// TestNotificationFaults: what can go wrong on a notification's way.
func TestNotificationFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault sandbox.Fault
		want  string
	}{
		{"none", sandbox.Fault{Kind: sandbox.Lose, No: "NOBODY"}, "12"},
		{"lost once", sandbox.Fault{Kind: sandbox.Lose, No: "ORDER1"}, "21"},
		{"lost for ever", sandbox.Fault{Kind: sandbox.Lose, No: "ORDER1", Times: -1}, "2"},
		{"duplicate", sandbox.Fault{Kind: sandbox.Duplicate, No: "ORDER1"}, "112"},
		{"late", sandbox.Fault{Kind: sandbox.Delay, No: "ORDER1", Delay: time.Hour}, "21"},
		{"reordered", sandbox.Fault{Kind: sandbox.Reorder, No: "ORDER1"}, "21"},
		{"spoiled", sandbox.Fault{Kind: sandbox.Probe, No: "ORDER1"}, "?2"},
		{"unsigned", sandbox.Fault{Kind: sandbox.Unsigned, No: "ORDER1"}, "?2"},
	}
	pays := func(w *world, faults ...sandbox.Fault) {
		for _, f := range faults {
			f.Op = sandbox.OpNotify
			w.inject(f)
		}
		w.pay("ORDER1", "1.00")
		w.pay("ORDER2", "1.00")
		w.Advance(26 * time.Hour)
	}
	for _, test := range tests {
		w := newWorld(t, nil)
		pays(w, test.fault)
		got := ""
		for _, d := range w.shop.got {
			got += w.told(d)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	w := newWorld(t, nil)
	pays(w, sandbox.Fault{Kind: sandbox.WrongAmount, No: "ORDER1", Amount: 7}, sandbox.Fault{Kind: sandbox.Skew, No: "ORDER2", Delay: -time.Hour})
	if f := w.shop.got[0].form; f.Get("total_amount") != "1.07" || w.told(w.shop.got[0]) != "1" {
		t.Errorf("wrong amount: %v", f)
	}
	if f := w.shop.got[1].form; f.Get("notify_time") != "2026-03-04 09:00:01" {
		t.Errorf("skewed: %v", f)
	}
}

// TestRequestFaults: what can go wrong with a request, seen from a client without sockets.
func TestRequestFaults(t *testing.T) {
	tests := []struct {
		fault  sandbox.Fault
		silent bool // no answer
		exists bool // the order is there afterwards
		signed bool
	}{
		{sandbox.Fault{Kind: sandbox.DropBefore}, true, false, false},
		{sandbox.Fault{Kind: sandbox.DropAfter}, true, true, false},
		{sandbox.Fault{Kind: sandbox.Delay, Delay: time.Minute}, true, true, false},
		{sandbox.Fault{Kind: sandbox.Delay, Delay: time.Second}, false, true, true},
		{sandbox.Fault{Kind: sandbox.Unsigned}, false, true, false},
		{sandbox.Fault{Kind: sandbox.Garbage}, false, true, false},
		{sandbox.Fault{Kind: sandbox.Probe}, false, true, false},
		{sandbox.Fault{Kind: sandbox.Refuse, Code: "ACQ.SYSTEM_ERROR"}, false, false, true},
	}
	for _, test := range tests {
		w := newWorld(t, nil)
		test.fault.Op = sandbox.OpCreate
		w.inject(test.fault)
		a, err := w.try(precreate, trade("ORDER1", "1.00"))
		if (err != nil) != test.silent || a.signed != test.signed {
			t.Errorf("%s: %v %s", test.fault.Kind, err, a.body)
		}
		if exists := w.wallet.Visit(appID, "ORDER1") == nil; exists != test.exists {
			t.Errorf("%s: order exists: %v", test.fault.Kind, exists)
		}
		if a, err := w.try(precreate, trade("ORDER1", "1.00")); err != nil || a.code() != "10000" {
			t.Errorf("%s: a second try: %v %s", test.fault.Kind, err, a.body)
		}
	}
	w := newWorld(t, nil)
	w.pay("ORDER1", "1.00")
	w.inject(sandbox.Fault{Kind: sandbox.WrongAmount, Op: sandbox.OpQuery, Amount: -1})
	if a := w.query("ORDER1"); a.get("total_amount") != "0.99" || !a.signed {
		t.Errorf("wrong amount: %s", a.body)
	}
}
