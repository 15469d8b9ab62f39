package alipay

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"strings"

	sdk "github.com/smartwalle/alipay/v3"

	"github.com/moongate-hub/moongate/gate/pay"
)

// Operations, as a [pay.Failure] names them.
const (
	opCreate       = "create"
	opQuery        = "query"
	opClose        = "close"
	opRefund       = "refund"
	opQueryRefund  = "query refund"
	opAdmit        = "admit receiver"
	opSplit        = "split"
	opQuerySplit   = "query split"
	opUnsplit      = "unsplit"
	opQueryUnsplit = "query unsplit"
	opBill         = "bill"
)

// door says what an error of the gateway's own proves (公共错误码): it did not pass the request on. Unsigned it proves at most
// NotDone.
var door = map[sdk.Code]pay.Verdict{
	"40001": pay.NotDone, // something is missing
	"40002": pay.NotDone, // something is wrong: signature, app id, time
	"40005": pay.NotDone, // too many calls
	"40006": pay.Refused, // no contract for this
}

// verdicts says what a signed sub_code proves, from the error tables of the documents and, where those say less than the
// money needs, by what else may have happened: a code that our own earlier request under the same number may have brought
// about proves nothing. A code that is not here proves nothing.
var verdicts = map[string]map[string]pay.Verdict{
	"": { // every operation
		"ACQ.INVALID_PARAMETER":   pay.Refused,
		"ACQ.ILLEGAL_ARGUMENT":    pay.Refused,
		"ACQ.ACCESS_FORBIDDEN":    pay.Refused,
		"ACQ.PARTNER_ERROR":       pay.Refused,
		"ACQ.UN_SUPPORT_BIZ_TYPE": pay.Refused,
	},
	opCreate: refusedAll(
		"EXIST_FORBIDDEN_WORD TOTAL_FEE_EXCEED BUYER_SELLER_EQUAL BUYER_ENABLE_STATUS_FORBID BUYER_NOT_EXIST",
		"BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR BEYOND_PAY_RESTRICTION BEYOND_PER_RECEIPT_RESTRICTION",
		"BEYOND_PER_RECEIPT_DAY_RESTRICTION BEYOND_PER_RECEIPT_SINGLE_RESTRICTION MERCHANT_PERM_RECEIPT_SUSPEND_LIMIT",
		"MERCHANT_PERM_RECEIPT_SINGLE_LIMIT MERCHANT_PERM_RECEIPT_DAY_LIMIT MERCHANT_STATUS_NOT_NORMAL SELLER_BEEN_BLOCKED SELLER_NOT_EXIST",
		"ERROR_BUYER_CERTIFY_LEVEL_LIMIT INVALID_STORE_ID INVALID_RECEIVE_ACCOUNT NOW_TIME_AFTER_EXPIRE_TIME_ERROR SUB_GOODS_SIZE_MAX_COUNT",
		"RISK_MERCHANT_IP_NOT_EXIST DEFAULT_SETTLE_RULE_NOT_EXIST SECONDARY_MERCHANT_ID_BLANK SECONDARY_MERCHANT_ID_INVALID",
		"SECONDARY_MERCHANT_STATUS_ERROR SECONDARY_MERCHANT_NOT_MATCH SECONDARY_MERCHANT_ALIPAY_ACCOUNT_INVALID SECONDARY_MERCHANT_ISV_PUNISH_INDIRECT",
		"TRADE_SETTLE_ERROR",
	),
	opRefund: {
		"ACQ.SELLER_BALANCE_NOT_ENOUGH":             pay.NotDone, // the merchant must top up; then the same number goes through
		"ACQ.REASON_TRADE_BEEN_FREEZEN":             pay.NotDone,
		"ACQ.TRADE_NOT_EXIST":                       pay.NotDone,
		"ACQ.TRADE_HAS_FINISHED":                    pay.Refused,
		"ACQ.TRADE_NOT_ALLOW_REFUND":                pay.Refused,
		"ACQ.NOT_ALLOW_PARTIAL_REFUND":              pay.Refused,
		"ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND": pay.Refused,
		"ACQ.BUYER_NOT_EXIST":                       pay.Refused,
		"ACQ.BUYER_ERROR":                           pay.Refused,
		"ACQ.BUYER_ENABLE_STATUS_FORBID":            pay.Refused,
		"ACQ.CURRENCY_NOT_SUPPORT":                  pay.Refused,
		"ACQ.USER_NOT_MATCH_ERR":                    pay.Refused,
	},
	opAdmit: {
		"INVALID_PARAMETER":              pay.Refused,
		"RELATION_QUANTITY_LIMIT":        pay.Refused,
		"PRODUCT_UNSIGN":                 pay.Refused,
		"USER_NOT_EXIST":                 pay.Refused,
		"INVALID_RECEIVER_TYPE":          pay.Refused,
		"USERNAME_NOT_MATCH":             pay.Refused,
		"RECEIVER_ACCOUNT_NOT_CERTIFY":   pay.Refused,
		"RECEIVER_ACCOUNT_NO_BALANCE":    pay.Refused,
		"RECEIVER_ACCOUNT_STATE_INVALID": pay.Refused,
	},
	opSplit: {
		"ACQ.FREQUENCY_LIMITED":                     pay.NotDone,
		"ACQ.TXN_RESULT_ACCOUNT_BALANCE_NOT_ENOUGH": pay.NotDone,
		"ACQ.ROYALTY_RECEIVER_INVALID":              pay.NotDone, // admit it, then the same number goes through
		"ACQ.ALLOC_REFUSE_BEFORE_SETTLE":            pay.NotDone,
		"ACQ.USER_ACCOUNT_HAD_FREEZEN":              pay.NotDone,
		"ACQ.TRADE_NOT_EXIST":                       pay.NotDone,
		"ACQ.ALLOC_REFUSE_AFTER_REFUND":             pay.Refused,
		"ACQ.NOT_SUPPORT_ROYALTY":                   pay.Refused,
		"ACQ.ROYALTY_ACCOUNTS_EQUAL":                pay.Refused,
		"ACQ.ROYALTY_ACCOUNT_INVALID":               pay.Refused,
		"ACQ.ROYALTY_ACCOUNT_NOT_EXIST":             pay.Refused,
		"ACQ.ROYALTY_ACCOUNT_NAME_NOT_MATCH":        pay.Refused,
		"ACQ.ROYALTY_RECEIVER_ACCOUNT_NOT_EXIST":    pay.Refused,
		"ACQ.ROYALTY_RECEIVER_ACCOUNT_NOT_CERTIFY":  pay.Refused,
		"ACQ.ROYALTY_RECEIVER_ACCOUNT_NO_BALANCE":   pay.Refused,
	},
	opUnsplit: {
		"ACQ.SELLER_BALANCE_NOT_ENOUGH":              pay.NotDone,
		"ACQ.REFUND_ACCOUNT_NOT_EXIST":               pay.Refused,
		"ACQ.REFUND_ROYALTY_PAYEE_ACCOUNT_NOT_EXIST": pay.Refused,
		"ACQ.REFUNDALLOC_UNAUTH_LIMIT":               pay.Refused,
	},
	opBill: {
		"isv.invalid_arguments": pay.Refused,
		"invalid_arguments":     pay.Refused,
		"INVAILID_ARGUMENTS":    pay.Refused,
	},
}

func refusedAll(lists ...string) map[string]pay.Verdict {
	all := map[string]pay.Verdict{}
	for _, code := range strings.Fields(strings.Join(lists, " ")) {
		all["ACQ."+code] = pay.Refused
	}
	return all
}

func local(op, format string, args ...any) error {
	return pay.Fail(op, pay.Refused, fmt.Sprintf(format, args...), nil)
}

// answered is what every answer begins with.
type answered struct {
	sdk.Error
}

func (a *answered) frame() *sdk.Error { return &a.Error }

// framed is an answer of a method.
type framed interface{ frame() *sdk.Error }

// ask calls a method and reads its answer. Where the wallet refuses, the word is its sub_code, signed; it is empty for every
// other failure. Every request may be repeated, so one whose answer was signed with a new key is sent again once the
// key's certificate was fetched.
func (w *Wallet) ask(ctx context.Context, op string, p *sdk.Payload, into framed) (f *pay.Failure, word string) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	p.Encrypt = false
	for again := false; ; again = true {
		watching, note := watched(ctx)
		err := w.client.Request(watching, p, into)
		if errors.Is(err, sdk.ErrAliPublicKeyNotFound) && !again && w.trust.fetch(ctx, note.serial) == nil {
			continue
		}
		if err != nil {
			return failed(op, note, err), ""
		}
		e := into.frame()
		if e.Code == sdk.CodeSuccess {
			return nil, ""
		}
		return refusal(op, note, e), clip(e.SubCode)
	}
}

// refusal judges an error answer that the wallet signed.
func refusal(op string, note *seen, e *sdk.Error) *pay.Failure {
	f := pay.Fail(op, pay.Unknown, "wallet says: "+clip(e.SubMsg), nil)
	f.Code, f.Status, f.Hint = clip(e.SubCode), note.status, hintOf(e.SubCode)
	if v, ok := door[e.Code]; ok {
		f.Verdict = v
		return f
	}
	if e.Code != sdk.CodeBusinessFailed {
		return f
	}
	for _, table := range []map[string]pay.Verdict{verdicts[op], verdicts[""]} {
		if v, ok := table[f.Code]; ok {
			f.Verdict = v
			break
		}
	}
	return f
}

// failed judges a call without a signed answer.
func failed(op string, note *seen, err error) *pay.Failure {
	var unsigned *sdk.Error
	var network *net.OpError
	switch {
	case errors.As(err, &unsigned):
		f := pay.Fail(op, pay.Unknown, "wallet says, unsigned: "+clip(unsigned.SubMsg), nil)
		f.Code, f.Status, f.Hint = clip(unsigned.SubCode), note.status, hintOf(unsigned.SubCode)
		if _, ok := door[unsigned.Code]; ok {
			f.Verdict = pay.NotDone
		}
		return f
	case errors.As(err, &network) && network.Op == "dial":
		f := pay.Fail(op, pay.NotDone, "the wallet cannot be reached", err)
		f.Hint = "look at the network, a proxy, or base_url"
		return f
	case errors.Is(err, sdk.ErrAliPublicKeyNotFound):
		return pay.Fail(op, pay.Unknown, "answer is not believed: "+errUnknownKey.Error(), err)
	case errors.Is(err, rsa.ErrVerification):
		f := pay.Fail(op, pay.Unknown, "answer is not believed: it is not signed with the wallet's key that we have", err)
		f.Status = note.status
		f.Hint = "public_key is not 支付宝公钥 of this application, or Alipay has a new one: copy it from open.alipay.com under 开发设置, 接口加签方式; it is not the application's own public key (应用公钥)"
		return f
	}
	f := pay.Fail(op, pay.Unknown, "no answer from the wallet that makes sense", err)
	f.Status = note.status
	return f
}

// hintOf says what in the configuration an error of the gateway's own accuses.
func hintOf(code string) string {
	switch code {
	case "isv.invalid-signature":
		return "private_key is not that of the public key which the application has at open.alipay.com (应用公钥, under 开发设置, 接口加签方式)"
	case "isv.invalid-app-id":
		return "app_id is no application there, or not live: an application of Alipay's own sandbox wants that sandbox's address as base_url"
	case "isv.app-call-limited", "isv.insufficient-isv-permissions", "isv.insufficient-user-permissions":
		return "the application has no contract for this product: look at open.alipay.com under 产品绑定"
	case "isv.missing-timestamp", "isv.invalid-timestamp":
		return "set this machine's clock (NTP)"
	}
	return ""
}

// clip bounds text from outside before it goes into a message.
func clip(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
