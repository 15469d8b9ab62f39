package wechatpay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"

	"github.com/moongate-hub/moongate/gate/pay"
)

// Operations, as a [pay.Failure] names them.
const (
	opCreate      = "create"
	opQuery       = "query"
	opClose       = "close"
	opRefund      = "refund"
	opQueryRefund = "query refund"
	opBill        = "bill"
)

// verdicts says what a signed error code proves, from the error tables of the APIv3 documentation and, where those say
// less than the money needs, from what merchants report. A code that is not here proves nothing.
var verdicts = map[string]map[string]pay.Verdict{
	"": { // every operation
		"PARAM_ERROR":            pay.Refused,
		"APPID_MCHID_NOT_MATCH":  pay.Refused,
		"MCH_NOT_EXISTS":         pay.Refused,
		"NO_AUTH":                pay.Refused,
		"SIGN_ERROR":             pay.NotDone,
		"FREQUENCY_LIMITED":      pay.NotDone,
		"FREQUENCY_LIMIT_EXCEED": pay.NotDone,
		"RATELIMIT_EXCEEDED":     pay.NotDone,
	},
	opCreate: {
		"RULE_LIMIT":    pay.Refused,
		"TRADE_ERROR":   pay.Refused,
		"ACCOUNT_ERROR": pay.Refused,
		// The number is known there already, in a way that only a query tells: INVALID_REQUEST is also the answer to a
		// repeated order with other parameters.
		"INVALID_REQUEST":   pay.Unknown,
		"OUT_TRADE_NO_USED": pay.Unknown,
		"ORDERPAID":         pay.Unknown,
		"ORDER_CLOSED":      pay.Unknown,
	},
	opRefund: {
		"NOT_ENOUGH":            pay.NotDone, // the merchant must top up; then the same refund number goes through
		"RESOURCE_NOT_EXISTS":   pay.NotDone, // also seen minutes after a payment, gone when repeated
		"USER_ACCOUNT_ABNORMAL": pay.Refused,
		"INVALID_REQUEST":       pay.Unknown, // too much, too late, or a refund number used before
	},
	opBill: {
		"STATEMENT_CREATING": pay.NotDone,
		"NO_STATEMENT_EXIST": pay.Refused,
		"INVALID_REQUEST":    pay.Refused,
	},
}

func local(op, format string, args ...any) error {
	return pay.Fail(op, pay.Refused, fmt.Sprintf(format, args...), nil)
}

// begin starts a call: it bounds its time and makes sure that the answer can be checked before anything is asked.
func (w *Wallet) begin(ctx context.Context, op string) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	if err := w.trust.ready(ctx); err != nil {
		cancel()
		return nil, nil, unready(op, err)
	}
	return ctx, cancel, nil
}

// unready is a call that was not made, for its answer could not have been checked.
func unready(op string, err error) *pay.Failure {
	f := pay.Fail(op, pay.NotDone, err.Error(), err)
	var u *unfetched
	if errors.As(err, &u) {
		f.Message, f.Code, f.Status, f.Hint = u.said, u.code, u.status, u.hint
	}
	return f
}

const hintNetwork = "look at the network, a proxy, or base_url"

// hintOf says what in the configuration an error code accuses.
func hintOf(code, message string) string {
	switch {
	case code == "SIGN_ERROR" && (strings.Contains(message, "timestamp") || strings.Contains(message, "时间")):
		return "set this machine's clock (NTP): the wallet turns away what is signed five minutes off"
	case code == "SIGN_ERROR" && strings.Contains(message, "序列号"):
		return "serial is not that of a certificate of merchant_id: compare both at pay.weixin.qq.com under 账户中心, API安全; openssl x509 -noout -serial -in apiclient_cert.pem prints a certificate's"
	case code == "SIGN_ERROR":
		return "private_key does not belong to the certificate with this serial: apiclient_key.pem and apiclient_cert.pem come together"
	case code == "MCH_NOT_EXISTS":
		return "merchant_id is no merchant there"
	case code == "APPID_MCHID_NOT_MATCH":
		return "app_id is not linked to merchant_id: do it at pay.weixin.qq.com under 产品中心, AppID账号管理"
	case code == "NO_AUTH":
		return "the account has no contract for this product, or its permission was taken away: look at pay.weixin.qq.com under 产品中心"
	}
	return ""
}

// failed turns an SDK error into what it proves. The word is the wallet's own code where the wallet signed it.
func (w *Wallet) failed(ctx context.Context, op string, err error) (f *pay.Failure, word string) {
	var answered *core.APIError
	if errors.As(err, &answered) {
		return w.refusal(ctx, op, answered)
	}
	if errors.Is(err, errForged) || errors.Is(err, errUncheckable) {
		return pay.Fail(op, pay.Unknown, "answer is not believed: "+clip(err.Error()), err), ""
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		f = pay.Fail(op, pay.NotDone, "the wallet cannot be reached", err)
		f.Hint = hintNetwork
		return f, ""
	}
	return pay.Fail(op, pay.Unknown, "no answer from the wallet that makes sense", err), ""
}

// refusal judges an error answer. The SDK has not checked its signature.
func (w *Wallet) refusal(ctx context.Context, op string, a *core.APIError) (f *pay.Failure, word string) {
	f = pay.Fail(op, pay.Unknown, "wallet says: "+clip(a.Message), nil)
	f.Code, f.Status, f.Hint = clip(a.Code), a.StatusCode, hintOf(a.Code, a.Message)
	switch {
	case a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusTooManyRequests:
		// Turned away at the door, where nothing signs. A forged one can only make us ask again.
		f.Verdict = pay.NotDone
		return f, ""
	case a.StatusCode < 400 || a.StatusCode >= 500:
		return f, ""
	case a.Header.Get(consts.WechatPaySignature) == "":
		f.Message += "; without a signature, so it proves nothing"
		return f, ""
	}
	if err := w.trust.verify(ctx, a.Header, []byte(a.Body)); err != nil {
		f.Message += "; it is not believed: " + clip(err.Error())
		return f, ""
	}
	for _, table := range []map[string]pay.Verdict{verdicts[op], verdicts[""]} {
		if v, ok := table[f.Code]; ok {
			f.Verdict = v
			break
		}
	}
	return f, f.Code
}

// clip bounds text from outside before it goes into a message.
func clip(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
