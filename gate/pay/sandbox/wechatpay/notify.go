package wechatpay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// schedule is how long the wallet waits after each failed delivery: fifteen more tries in twenty-four hours and four
// minutes (支付成功回调通知, 通知频率).
var schedule = []time.Duration{
	15 * time.Second, 15 * time.Second, 30 * time.Second, 3 * time.Minute, 10 * time.Minute, 20 * time.Minute,
	30 * time.Minute, 30 * time.Minute, 30 * time.Minute, 60 * time.Minute,
	3 * time.Hour, 3 * time.Hour, 3 * time.Hour, 6 * time.Hour, 6 * time.Hour,
}

// content is what a notification tells.
type content struct {
	Event    string
	Summary  string
	About    string // original_type and associated_data: transaction or refund
	Resource json.RawMessage
}

// notify puts a notification on its way. The caller holds the lock.
func (w *Wallet) notify(m *merchant, to, event, summary, about, no string, resource map[string]any) {
	text, err := json.Marshal(resource)
	if err != nil {
		panic(fmt.Sprintf("sandbox: %s of %s: %v", event, no, err)) // our own strings and numbers
	}
	id := w.Hex(16)
	id = id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
	w.Notify(&sandbox.Notice{ID: id, Account: m.MchID, No: no, URL: to}, content{Event: event, Summary: summary, About: about, Resource: text})
}

// delivery makes one try of a notification: every try is sealed and signed anew.
func (w *Wallet) delivery(n *sandbox.Notice, hit sandbox.Hits) (sandbox.Delivery, error) {
	var c content
	if err := json.Unmarshal(n.Content, &c); err != nil {
		return sandbox.Delivery{}, err
	}
	m := w.merchants[n.Account]
	s, err := encrypt(m.APIv3Key, w.Token(12), c.About, bumpAmount(c.Resource, hit.Bump()))
	if err != nil {
		return sandbox.Delivery{}, err
	}
	s.OriginalType = c.About
	body, err := json.Marshal(struct {
		ID           string `json:"id"`
		CreateTime   string `json:"create_time"`
		ResourceType string `json:"resource_type"`
		EventType    string `json:"event_type"`
		Summary      string `json:"summary"`
		Resource     sealed `json:"resource"`
	}{n.ID, stamp(n.Created), "encrypt-resource", c.Event, c.Summary, s})
	if err != nil {
		return sandbox.Delivery{}, err
	}
	seal := w.seal(m, hit.Shift())
	return sandbox.Delivery{Body: body, Seal: func(h http.Header, body []byte) ([]byte, error) {
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("User-Agent", "Mozilla/4.0")
		if hit[sandbox.Probe] != nil {
			seal.spoil = signTest
		}
		return body, seal.sign(h, body)
	}}, nil
}

// bumpAmount adds to the total of a body.
func bumpAmount(body []byte, by int64) []byte {
	var v map[string]json.RawMessage
	var amount map[string]json.RawMessage
	if by == 0 || json.Unmarshal(body, &v) != nil || json.Unmarshal(v["amount"], &amount) != nil {
		return body
	}
	total, err := strconv.ParseInt(string(bytes.TrimSpace(amount["total"])), 10, 64)
	if err != nil {
		return body
	}
	amount["total"] = json.RawMessage(strconv.FormatInt(total+by, 10))
	changed, err := json.Marshal(amount)
	if err != nil {
		return body
	}
	v["amount"] = changed
	if changed, err = json.Marshal(v); err != nil {
		return body
	}
	return changed
}
