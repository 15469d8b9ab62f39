package wechatpay_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
)

// open checks and decrypts a notification with nothing but the standard library and what GET /v3/certificates says.
func (w *world) open(d delivered) (id, event string, resource object) {
	w.t.Helper()
	var list struct {
		Data []struct {
			SerialNo string `json:"serial_no"`
			Sealed   struct{ Ciphertext, Nonce, AssociatedData string }
			Raw      json.RawMessage `json:"encrypt_certificate"`
		} `json:"data"`
	}
	if err := json.Unmarshal(w.ask("GET", "/v3/certificates", nil).body, &list); err != nil {
		w.t.Fatal(err)
	}
	for _, c := range list.Data {
		if c.SerialNo != d.header.Get("Wechatpay-Serial") {
			continue
		}
		block, _ := pem.Decode(w.decrypt(c.Raw))
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		message := d.header.Get("Wechatpay-Timestamp") + "\n" + d.header.Get("Wechatpay-Nonce") + "\n" + string(d.body) + "\n"
		sum := sha256.Sum256([]byte(message))
		signature, err := base64.StdEncoding.DecodeString(d.header.Get("Wechatpay-Signature"))
		if err != nil || rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], signature) != nil {
			return "", "", nil
		}
		var n struct {
			ID       string          `json:"id"`
			Event    string          `json:"event_type"`
			Resource json.RawMessage `json:"resource"`
		}
		if err := json.Unmarshal(d.body, &n); err != nil {
			w.t.Fatal(err)
		}
		resource = object{}
		if err := json.Unmarshal(w.decrypt(n.Resource), &resource); err != nil {
			w.t.Fatal(err)
		}
		return n.ID, n.Event, resource
	}
	w.t.Fatalf("serial %s is not among the certificates", d.header.Get("Wechatpay-Serial"))
	return "", "", nil
}

func (w *world) decrypt(sealed json.RawMessage) []byte {
	w.t.Helper()
	var s struct {
		Ciphertext string `json:"ciphertext"`
		Nonce      string `json:"nonce"`
		About      string `json:"associated_data"`
	}
	if err := json.Unmarshal(sealed, &s); err != nil {
		w.t.Fatal(err)
	}
	block, err := aes.NewCipher([]byte(w.m.APIv3Key))
	if err != nil {
		w.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		w.t.Fatal(err)
	}
	ciphertext, err := base64.StdEncoding.DecodeString(s.Ciphertext)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := gcm.Open(nil, []byte(s.Nonce), ciphertext, []byte(s.About))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// TestSchedule: a shop that never acknowledges hears of a payment sixteen times in twenty-four hours and four minutes,
// each time signed anew, always with the same id.
func TestSchedule(t *testing.T) {
	w := newWorld(t, nil)
	w.shop.status = func(int) int { return http.StatusInternalServerError }
	w.pay("ORDER-01", 100)
	w.Advance(48 * time.Hour)
	if len(w.shop.got) != 16 || w.wallet.Waiting() != 0 {
		t.Fatalf("%d deliveries, %d waiting", len(w.shop.got), w.wallet.Waiting())
	}
	first := w.shop.got[0]
	if total := w.shop.got[15].at.Sub(first.at); total != 24*time.Hour+4*time.Minute {
		t.Errorf("the last came %s after the first", total)
	}
	id, _, _ := w.open(first)
	for _, d := range w.shop.got {
		if again, _, _ := w.open(d); again != id {
			t.Errorf("id %q, then %q", id, again)
		}
		if d.header.Get("Wechatpay-Timestamp") != strconv.FormatInt(d.at.Unix(), 10) {
			t.Errorf("delivery at %s is signed at %s", d.at, d.header.Get("Wechatpay-Timestamp"))
		}
	}
}

// TestAcknowledgement: 200 and 204 end it; other answers and silence do not.
func TestAcknowledgement(t *testing.T) {
	for status, want := range map[int]int{200: 1, 204: 1, 202: 16, 302: 16, 404: 16, 500: 16, 0: 16} {
		w := newWorld(t, nil)
		w.shop.status = func(int) int { return status }
		w.pay("ORDER-01", 100)
		w.Advance(48 * time.Hour)
		if len(w.shop.got) != want {
			t.Errorf("answered %d: %d deliveries, want %d", status, len(w.shop.got), want)
		}
	}
	w := newWorld(t, func(c *sandbox.Config) { c.Scale = 60 })
	w.shop.status = func(try int) int { return map[bool]int{true: 500, false: 204}[try < 4] }
	w.pay("ORDER-01", 100)
	w.Advance(2 * time.Second)
	if len(w.shop.got) != 4 {
		t.Errorf("at sixty times the pace, one minute's schedule brought %d deliveries, not 4", len(w.shop.got))
	}
}

// TestNotificationFaults: what can go wrong on a notification's way.
func TestNotificationFaults(t *testing.T) {
	pays := func(w *world, faults ...sandbox.Fault) {
		for _, f := range faults {
			f.Op = sandbox.OpNotify
			if err := w.wallet.Inject(f); err != nil {
				t.Fatal(err)
			}
		}
		w.pay("ORDER-01", 100)
		w.pay("ORDER-02", 100)
		w.Advance(24 * time.Hour)
	}
	orders := func(w *world) string {
		var list string
		for _, d := range w.shop.got {
			if _, event, resource := w.open(d); event == "TRANSACTION.SUCCESS" {
				list += resource["out_trade_no"].(string)[6:] + " "
			} else {
				list += "?? "
			}
		}
		return list
	}
	tests := []struct {
		name  string
		fault sandbox.Fault
		want  string
	}{
		{"none", sandbox.Fault{Kind: sandbox.Lose, No: "NOBODY"}, "01 02 "},
		{"lost once", sandbox.Fault{Kind: sandbox.Lose, No: "ORDER-01"}, "02 01 "},
		{"lost for ever", sandbox.Fault{Kind: sandbox.Lose, No: "ORDER-01", Times: -1}, "02 "},
		{"duplicate", sandbox.Fault{Kind: sandbox.Duplicate, No: "ORDER-01"}, "01 01 02 "},
		{"late", sandbox.Fault{Kind: sandbox.Delay, No: "ORDER-01", Delay: time.Hour}, "02 01 "},
		{"reordered", sandbox.Fault{Kind: sandbox.Reorder, No: "ORDER-01"}, "02 01 "},
		{"probed", sandbox.Fault{Kind: sandbox.Probe, No: "ORDER-01"}, "?? 02 "},
	}
	for _, test := range tests {
		w := newWorld(t, nil)
		pays(w, test.fault)
		if got := orders(w); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	w := newWorld(t, nil)
	pays(w, sandbox.Fault{Kind: sandbox.WrongAmount, No: "ORDER-01", Amount: 7}, sandbox.Fault{Kind: sandbox.Skew, No: "ORDER-02", Delay: -time.Hour})
	_, _, resource := w.open(w.shop.got[0])
	if total := resource["amount"].(object)["total"]; total != 107.0 {
		t.Errorf("wrong amount is %v", total)
	}
	if age := w.shop.got[1].at.Unix() - mustInt(t, w.shop.got[1].header.Get("Wechatpay-Timestamp")); age != 3600 {
		t.Errorf("skewed by %d s", age)
	}
}

func mustInt(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRefundEnds: a refund that cannot be paid back says so, and one that failed leaves the money refundable.
func TestRefundEnds(t *testing.T) {
	for kind, want := range map[sandbox.Kind]string{sandbox.RefundAbnormal: "ABNORMAL", sandbox.RefundClosed: "CLOSED"} {
		w := newWorld(t, nil)
		if err := w.wallet.Inject(sandbox.Fault{Kind: kind, Op: sandbox.OpRefund}); err != nil {
			t.Fatal(err)
		}
		w.pay("ORDER-01", 100)
		w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R1", "ORDER-01", 100, 100))
		w.Advance(2 * time.Minute)
		if a := w.ask("GET", "/v3/refund/domestic/refunds/R1", nil); a.json["status"] != want || a.json["success_time"] != nil {
			t.Errorf("%s: %s", kind, a.body)
		}
		_, event, resource := w.open(w.shop.got[len(w.shop.got)-1])
		if event != "REFUND."+want || resource["refund_status"] != want {
			t.Errorf("%s: notified %s %v", kind, event, resource)
		}
		a := w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R2", "ORDER-01", 100, 100))
		if open := a.status == http.StatusOK; open != (want == "CLOSED") {
			t.Errorf("%s, then a second refund: %d %s", kind, a.status, a.body)
		}
	}
}

// TestRequestFaults: what can go wrong with a request, seen from a client without sockets.
func TestRequestFaults(t *testing.T) {
	prepay := func(w *world) (answered, error) {
		return w.try("POST", "/v3/pay/transactions/native", native("ORDER-01", 100))
	}
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
		{sandbox.Fault{Kind: sandbox.Probe}, false, true, true},
		{sandbox.Fault{Kind: sandbox.Refuse, Code: "SYSTEM_ERROR"}, false, false, true},
	}
	for _, test := range tests {
		w := newWorld(t, nil)
		test.fault.Op = wechatpay.OpNative
		if err := w.wallet.Inject(test.fault); err != nil {
			t.Fatal(err)
		}
		a, err := prepay(w)
		if (err != nil) != test.silent || (a.header.Get("Wechatpay-Signature") != "") != test.signed {
			t.Errorf("%s: %v %d %s", test.fault.Kind, err, a.status, a.body)
		}
		if exists := w.query("ORDER-01").status == http.StatusOK; exists != test.exists {
			t.Errorf("%s: order exists: %v", test.fault.Kind, exists)
		}
		if a, err := prepay(w); err != nil || a.status != http.StatusOK {
			t.Errorf("%s: a second try: %v %d %s", test.fault.Kind, err, a.status, a.body)
		}
	}
	w := newWorld(t, nil)
	w.wallet.SetSkew(10 * time.Minute)
	if a, err := prepay(w); err != nil || a.status != http.StatusUnauthorized {
		t.Errorf("a wallet ten minutes ahead: %v %d %s", err, a.status, a.body)
	}
	w.wallet.Clear()
	if a, err := prepay(w); err != nil || a.status != http.StatusOK || len(w.wallet.Faults()) != 0 {
		t.Errorf("after Clear: %v %d %s", err, a.status, a.body)
	}
	if err := w.wallet.Inject(sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove}); err != nil {
		t.Fatal(err)
	}
	w.ask("POST", "/v3/pay/transactions/out-trade-no/ORDER-01/close", object{"mchid": mchID})
	if err := w.wallet.Approve(mchID, "ORDER-01"); err != nil {
		t.Errorf("payment that overtakes a close: %v", err)
	}
}
