package wechatpay

import (
	"encoding/json"
	"maps"
	"slices"
)

// refusal is an error answer: {"code":…,"message":…,"detail":…}.
type refusal struct {
	status   int
	Code     string `json:"code"`
	Detail   any    `json:"detail,omitempty"`
	Message  string `json:"message"`
	unsigned bool   // turned away at the door, before anything that signs
}

func (r *refusal) body() []byte {
	b, err := json.Marshal(r)
	if err != nil { // detail is ours: strings and numbers
		return []byte(`{"code":"SYSTEM_ERROR","message":"系统繁忙，请稍后重试"}`)
	}
	return b
}

var systemError = &refusal{status: 500, Code: "SYSTEM_ERROR", Message: "系统繁忙，请稍后重试"}

// catalogue has every error code that the documentation lists for the endpoints here, with its status and a message
// that the wallet has been seen to give. Those that depend on state are given by it; every one can be forced with a
// fault of kind [sandbox.Refuse].
var catalogue = map[string]*refusal{
	"PARAM_ERROR":           {status: 400, Code: "PARAM_ERROR", Message: "参数错误"},
	"INVALID_REQUEST":       {status: 400, Code: "INVALID_REQUEST", Message: "无效请求"},
	"APPID_MCHID_NOT_MATCH": {status: 400, Code: "APPID_MCHID_NOT_MATCH", Message: "appid和mch_id不匹配，请检查后再试"},
	"MCH_NOT_EXISTS":        {status: 400, Code: "MCH_NOT_EXISTS", Message: "商户号不存在"},
	"ORDER_CLOSED":          {status: 400, Code: "ORDER_CLOSED", Message: "该订单已关闭"},
	"ORDERPAID":             {status: 400, Code: "ORDERPAID", Message: "该订单已支付"},
	"NO_STATEMENT_EXIST":    {status: 400, Code: "NO_STATEMENT_EXIST", Message: "请求的账单文件不存在"},
	"STATEMENT_CREATING":    {status: 400, Code: "STATEMENT_CREATING", Message: "账单生成中"},
	"SIGN_ERROR":            {status: 401, Code: "SIGN_ERROR", Message: "错误的签名，验签失败", unsigned: true},
	"NO_AUTH":               {status: 403, Code: "NO_AUTH", Message: "商户号该产品权限未开通，请前往商户平台>产品中心检查后重试"},
	"OUT_TRADE_NO_USED":     {status: 403, Code: "OUT_TRADE_NO_USED", Message: "201 商户订单号重复"},
	"RULE_LIMIT":            {status: 403, Code: "RULE_LIMIT", Message: "业务规则限制"},
	"TRADE_ERROR":           {status: 403, Code: "TRADE_ERROR", Message: "交易错误"},
	"ACCOUNT_ERROR":         {status: 403, Code: "ACCOUNT_ERROR", Message: "账号异常"},
	"NOT_ENOUGH":            {status: 403, Code: "NOT_ENOUGH", Message: "基本账户余额不足，请充值后重新发起"},
	"USER_ACCOUNT_ABNORMAL": {status: 403, Code: "USER_ACCOUNT_ABNORMAL", Message: "退款请求失败：用户账户异常"},
	"ORDER_NOT_EXIST":       {status: 404, Code: "ORDER_NOT_EXIST", Message: "订单不存在"},
	"RESOURCE_NOT_EXISTS":   {status: 404, Code: "RESOURCE_NOT_EXISTS", Message: "退款单不存在"},
	"FREQUENCY_LIMITED":     {status: 429, Code: "FREQUENCY_LIMITED", Message: "频率限制，请降低请求频率后重试"},
	"SYSTEM_ERROR":          systemError,
	"BANK_ERROR":            {status: 500, Code: "BANK_ERROR", Message: "银行系统异常"},
	"INVALID_TRANSACTIONID": {status: 500, Code: "INVALID_TRANSACTIONID", Message: "订单号非法"},
}

// Codes lists every error code that the wallet knows.
func Codes() []string { return slices.Sorted(maps.Keys(catalogue)) }

// refuse is a catalogue entry with another message; an empty one keeps the usual.
func refuse(code, message string) *refusal {
	r := *catalogue[code]
	if message != "" {
		r.Message = message
	}
	return &r
}

// parameter is PARAM_ERROR as the API's schema check gives it.
func parameter(location, field string, value any, rule string) *refusal {
	r := refuse("PARAM_ERROR", "输入源“/"+location+"/"+field+"”映射到字段“"+field+"”规则校验失败，"+rule)
	r.Detail = map[string]any{"location": location, "field": "/" + field, "value": value}
	return r
}
