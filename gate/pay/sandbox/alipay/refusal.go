package alipay

// refusal is an error answer: {"code":…,"msg":…,"sub_code":…,"sub_msg":…}.
type refusal struct {
	Code     string `json:"code"`
	Msg      string `json:"msg"`
	SubCode  string `json:"sub_code"`
	SubMsg   string `json:"sub_msg"`
	unsigned bool   // turned away at the door, before anything that signs
}

func (r *refusal) body() []byte { return compact(r) }

// groups are the gateway's own codes (公共错误码).
var groups = map[string]string{
	"20000": "Service Currently Unavailable",
	"20001": "Insufficient Token Permissions",
	"40001": "Missing Required Arguments",
	"40002": "Invalid Arguments",
	"40004": "Business Failed",
	"40005": "Call Limited",
	"40006": "Insufficient Permissions",
}

// catalogue has every error code that the official SDKs and documents list for the methods here (the enumerations of
// alipay-sdk-java-v3, in the spelling of gateway.do), with a message in the documents' words. Those that depend on state
// are given by it; every one can be forced with a fault of kind [sandbox.Refuse].
var catalogue = list()

func list() map[string]*refusal {
	all := map[string]*refusal{}
	add := func(group string, unsigned bool, of map[string]string) {
		for code, text := range of {
			all[code] = &refusal{Code: group, Msg: groups[group], SubCode: code, SubMsg: text, unsigned: unsigned}
		}
	}
	add("20000", false, map[string]string{"isp.unknow-error": "系统繁忙", "aop.unknow-error": "系统繁忙"})
	add("20001", true, map[string]string{"aop.invalid-auth-token": "无效的访问令牌", "aop.auth-token-time-out": "访问令牌已过期"}) //nolint:gosec // words of errors
	add("40001", true, map[string]string{
		"isv.missing-app-id": "缺少AppID参数", "isv.missing-method": "缺少方法名参数", "isv.missing-signature": "缺少签名参数",
		"isv.missing-signature-type": "缺少签名类型参数", "isv.missing-timestamp": "缺少时间戳参数", "isv.missing-version": "缺少版本参数",
		"isv.missing-signature-key": "缺少签名配置",
	})
	add("40002", true, map[string]string{
		"isv.invalid-app-id": "无效的AppID参数", "isv.invalid-method": "不存在的方法名", "isv.invalid-signature": "无效签名",
		"isv.invalid-signature-type": "无效签名类型", "isv.invalid-charset": "字符集错误", "isv.invalid-format": "无效的数据格式",
		"isv.invalid-version": "无效的版本参数", "isv.invalid-timestamp": "非法的时间戳参数", "isv.invalid-parameter": "参数无效",
		"isv.suspected-attack": "可疑的攻击请求", "isv.app-cert-not-exist": "应用公钥证书不存在", "isv.invalid-alipay-root-cert-sn": "支付宝根证书序列号无效",
		"isv.alipay-cert-not-exist": "支付宝公钥证书不存在",
	})
	add("40005", true, map[string]string{"isv.app-call-limited": "应用调用次数超限", "isv.method-call-limited": "API调用次数超限"})
	add("40006", true, map[string]string{
		"isv.insufficient-isv-permissions": "ISV权限不足，建议在开发者中心检查签约是否已经生效", "isv.insufficient-user-permissions": "用户权限不足",
		"isv.forbidden-api": "没有权限使用接口",
	})
	add("40004", false, business)
	return all
}

// business are the codes of the methods themselves.
var business = map[string]string{
	"ACQ.SYSTEM_ERROR":                                    "系统错误",
	"ACQ.INVALID_PARAMETER":                               "参数无效",
	"ACQ.ACCESS_FORBIDDEN":                                "无权限使用接口",
	"ACQ.EXIST_FORBIDDEN_WORD":                            "订单信息中包含违禁词",
	"ACQ.PARTNER_ERROR":                                   "应用APP_ID填写错误",
	"ACQ.TOTAL_FEE_EXCEED":                                "订单总金额不在允许范围内",
	"ACQ.CONTEXT_INCONSISTENT":                            "交易信息被篡改",
	"ACQ.TRADE_HAS_SUCCESS":                               "交易已被支付",
	"ACQ.TRADE_HAS_CLOSE":                                 "交易已经关闭",
	"ACQ.TRADE_NOT_EXIST":                                 "交易不存在",
	"ACQ.TRADE_STATUS_ERROR":                              "交易状态不合法",
	"ACQ.TRADE_HAS_FINISHED":                              "交易已完结",
	"ACQ.TRADE_NOT_ALLOW_REFUND":                          "当前交易不允许退款",
	"ACQ.TRADE_BUYER_NOT_MATCH":                           "交易买家不匹配",
	"ACQ.TRADE_CANCEL_TIME_OUT":                           "超过撤销时间范围",
	"ACQ.TRADE_SETTLE_ERROR":                              "分账处理失败",
	"ACQ.BUYER_SELLER_EQUAL":                              "买卖家不能相同",
	"ACQ.BUYER_ENABLE_STATUS_FORBID":                      "买家状态非法",
	"ACQ.BUYER_NOT_EXIST":                                 "买家不存在",
	"ACQ.BUYER_ERROR":                                     "买家状态异常",
	"ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR":            "买家付款日限额超限",
	"ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR":          "买家付款月额度超限",
	"ACQ.BEYOND_PAY_RESTRICTION":                          "商户收款额度超限",
	"ACQ.BEYOND_PER_RECEIPT_RESTRICTION":                  "商户收款金额超过月限额",
	"ACQ.BEYOND_PER_RECEIPT_DAY_RESTRICTION":              "收款金额超过日限额",
	"ACQ.BEYOND_PER_RECEIPT_SINGLE_RESTRICTION":           "收款金额超过单笔限额",
	"ACQ.MERCHANT_PERM_RECEIPT_SUSPEND_LIMIT":             "商户暂停收款",
	"ACQ.MERCHANT_PERM_RECEIPT_SINGLE_LIMIT":              "超过单笔收款限额",
	"ACQ.MERCHANT_PERM_RECEIPT_DAY_LIMIT":                 "超过单日累计收款额度",
	"ACQ.MERCHANT_STATUS_NOT_NORMAL":                      "商户状态异常",
	"ACQ.SELLER_BEEN_BLOCKED":                             "商家账号被冻结",
	"ACQ.SELLER_NOT_EXIST":                                "卖家不存在",
	"ACQ.SELLER_BALANCE_NOT_ENOUGH":                       "卖家余额不足",
	"ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT":                 "买家未通过人行认证",
	"ACQ.ERROR_SELLER_CERTIFY_LEVEL_LIMIT":                "商家认证等级限制",
	"ACQ.INVALID_STORE_ID":                                "商户门店编号无效",
	"ACQ.INVALID_RECEIVE_ACCOUNT":                         "收款账户不支持",
	"ACQ.APPLY_PC_MERCHANT_CODE_ERROR":                    "申请二维码失败",
	"ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR":                "当前时间已超过允许支付的时间",
	"ACQ.SUB_GOODS_SIZE_MAX_COUNT":                        "子商品明细超长",
	"ACQ.RISK_MERCHANT_IP_NOT_EXIST":                      "风控要求上传商户IP",
	"ACQ.DEFAULT_SETTLE_RULE_NOT_EXIST":                   "默认结算条款不存在",
	"ACQ.SECONDARY_MERCHANT_ID_BLANK":                     "二级商户编号不能为空",
	"ACQ.SECONDARY_MERCHANT_ID_INVALID":                   "二级商户编号错误",
	"ACQ.SECONDARY_MERCHANT_STATUS_ERROR":                 "二级商户状态异常",
	"ACQ.SECONDARY_MERCHANT_NOT_MATCH":                    "二级商户信息不匹配",
	"ACQ.SECONDARY_MERCHANT_ALIPAY_ACCOUNT_INVALID":       "二级商户账户无效",
	"ACQ.SECONDARY_MERCHANT_ISV_PUNISH_INDIRECT":          "商户状态异常",
	"ACQ.SECONDARY_MERCHANT_CARD_ALIAS_NO_INVALID":        "二级商户卡编号无效",
	"ACQ.SUB_MERCHANT_CREATE_FAIL":                        "二级商户创建失败",
	"ACQ.SUB_MERCHANT_TYPE_INVALID":                       "二级商户类型非法",
	"ACQ.BIZ_PRODUCT_NOT_ALLOWED":                         "产品不允许使用",
	"ACQ.CUSTOMER_VALIDATE_ERROR":                         "客户校验出错",
	"ACQ.ILLEGAL_ARGUMENT":                                "参数异常",
	"ACQ.NOT_SUPPORT_PAYMENT_INST":                        "不支持的支付机构",
	"ACQ.OPEN_ID_NOT_TINY_APP":                            "open_id不属于小程序",
	"ACQ.PAYER_UNMATCHED":                                 "付款人不匹配",
	"ACQ.PLATFORM_BUSINESS_ACQUIRE_MODE_MUST_MERCHANT_ID": "二级商户编码为空",
	"ACQ.PRODUCT_NOT_SUPPORT_IN_TINY_APP":                 "产品不支持在小程序中使用",
	"ACQ.STORE_INFO_INVALID":                              "店铺信息无效",
	"ACQ.UNBOUND_APPLICATION":                             "应用未绑定",
	"ACQ.USER_LOGONID_DUP":                                "账号重复",
	"ACQ.ENTERPRISE_PAY_BIZ_ERROR":                        "因公付业务异常",
	"ACQ.REASON_ILLEGAL_STATUS":                           "交易状态异常",
	"ACQ.REASON_TRADE_STATUS_INVALID":                     "交易状态异常",
	"ACQ.REASON_TRADE_BEEN_FREEZEN":                       "当前交易被冻结",
	"ACQ.REASON_TRADE_REFUND_FEE_ERR":                     "退款金额无效",
	"ACQ.CANCEL_NOT_ALLOWED":                              "交易不允许撤销",
	"AQC.SYSTEM_ERROR":                                    "系统错误", // so spelled in the documents of alipay.trade.cancel
	"ACQ.REFUND_AMT_NOT_EQUAL_TOTAL":                      "退款金额超限",
	"ACQ.REFUND_FEE_ERROR":                                "交易退款金额有误",
	"ACQ.REFUND_CHARGE_ERROR":                             "退收费异常",
	"ACQ.REFUND_ACCOUNT_NOT_EXIST":                        "退款出资账号不存在",
	"ACQ.REFUND_ROYALTY_PAYEE_ACCOUNT_NOT_EXIST":          "退分账收入方账户不存在",
	"ACQ.REFUNDALLOC_UNAUTH_LIMIT":                        "退分账未授权",
	"ACQ.DISCORDANT_REPEAT_REQUEST":                       "不一致的重复请求",
	"ACQ.NOT_ALLOW_PARTIAL_REFUND":                        "不支持部分退款",
	"ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND":           "交易不允许退款",
	"ACQ.CURRENCY_NOT_SUPPORT":                            "退款币种不支持",
	"ACQ.USER_NOT_MATCH_ERR":                              "交易用户不匹配",
	"ACQ.OVERDRAFT_ASSIGN_ACCOUNT_INVALID":                "垫资退款出资账户异常",
	"ACQ.OVERDRAFT_AGREEMENT_NOT_MATCH":                   "垫资退款允许的垫资协议不匹配",
	"ACQ.ALLOC_AMOUNT_VALIDATE_ERROR":                     "分账金额超过最大可分账金额",
	"ACQ.ALLOC_REFUSE_AFTER_REFUND":                       "退款后不允许分账",
	"ACQ.ALLOC_REFUSE_BEFORE_SETTLE":                      "结算前不允许分账",
	"ACQ.ASYNC_ALLOC_NOT_SUPPORT_IN_PERIOD":               "当前时段不支持异步分账",
	"ACQ.DUP_OUT_REQUEST_NO":                              "重复的外部请求号",
	"ACQ.FREQUENCY_LIMITED":                               "请求频率超限",
	"ACQ.ILLEGAL_REQUEST":                                 "非法请求",
	"ACQ.ILLEGAL_SETTLE_STATE":                            "结算状态不合法",
	"ACQ.INVALID_REPLENISH_AMOUNT":                        "补差金额无效",
	"ACQ.MERCHANT_RISK_LIMIT":                             "商户风险限制",
	"ACQ.MUST_ALLOC_FROM_ROOT_ACCOUNT":                    "必须从主账户分账",
	"ACQ.NOT_SUPPORT_ROYALTY":                             "不支持分账",
	"ACQ.REPLENISH_ACCOUNT_INVALID":                       "补差账户无效",
	"ACQ.ROYALTY_ACCOUNTS_EQUAL":                          "分账收入支出方相同",
	"ACQ.ROYALTY_ACCOUNT_INVALID":                         "分账账户无效",
	"ACQ.ROYALTY_ACCOUNT_NAME_NOT_MATCH":                  "分账账户名称不匹配",
	"ACQ.ROYALTY_ACCOUNT_NOT_EXIST":                       "分账账户不存在",
	"ACQ.ROYALTY_PAYER_ACCOUNT_NOT_EXIST":                 "分账支出方账户不存在",
	"ACQ.ROYALTY_PAYER_ACCOUNT_NOT_CERTIFY":               "分账支出方未认证",
	"ACQ.ROYALTY_PAYER_ACCOUNT_NO_BALANCE":                "分账支出方未开通余额",
	"ACQ.ROYALTY_RECEIVER_ACCOUNT_NOT_EXIST":              "分账收入方账户不存在",
	"ACQ.ROYALTY_RECEIVER_ACCOUNT_NOT_CERTIFY":            "分账收入方未认证",
	"ACQ.ROYALTY_RECEIVER_ACCOUNT_NO_BALANCE":             "分账收入方未开通余额",
	"ACQ.ROYALTY_RECEIVER_INVALID":                        "分账收入方不在分账关系内",
	"ACQ.SETTLE_ENTITY_ID_INVALID":                        "结算主体标识错误",
	"ACQ.SETTLE_SCENE_NOT_SUPPORT":                        "不支持的结算场景",
	"ACQ.SETTLE_TO_CARD_NOT_SUPPORT":                      "不支持结算到卡",
	"ACQ.TXN_RESULT_ACCOUNT_BALANCE_NOT_ENOUGH":           "账户余额不足",
	"ACQ.UN_SUPPORT_BIZ_TYPE":                             "不支持的业务类型",
	"ACQ.USER_ACCOUNT_HAD_FREEZEN":                        "账户被冻结",

	// The methods of royalty relations and of settle.query write their codes without prefix.
	"INVALID_PARAMETER":              "参数有误",
	"SYSTEM_ERROR":                   "系统繁忙",
	"RELATION_QUANTITY_LIMIT":        "达到分账关系集数量上限",
	"PRODUCT_UNSIGN":                 "未签约分账产品",
	"USER_NOT_EXIST":                 "分账接收方不存在",
	"RECEIVER_LIST_EMPTY":            "分账收款方列表为空",
	"RECEIVER_LIST_OVERLOAD":         "分账收款方列表超出上限",
	"INVALID_RECEIVER_TYPE":          "分账收款方类型参数非法",
	"USERNAME_NOT_MATCH":             "分账收款方姓名不匹配",
	"RECEIVER_ACCOUNT_NOT_CERTIFY":   "分账收款方未认证",
	"RECEIVER_ACCOUNT_NO_BALANCE":    "分账收款方未开通余额",
	"RECEIVER_ACCOUNT_STATE_INVALID": "分账收款方状态异常",
	"OPENID_APPID_NOT_MATCH":         "openid与应用不匹配",
	"MERCHANT_TRADE_NOT_MATCH":       "商户与交易不匹配",
	"TRADE_NOT_EXIST":                "查询退款的交易不存在",

	// Bills: as the gateway writes them, which is not as the documents do (BILL_NOT_EXIST, INVAILID_ARGUMENTS).
	"isp.bill_not_exist":    "账单不存在",
	"isv.invalid_arguments": "入参不合法",
	"isp.unknown_error":     "未知错误",
}

// refuse is a catalogue entry with another message; an empty one keeps the usual.
func refuse(code, message string) *refusal {
	r := *catalogue[code]
	if message != "" {
		r.SubMsg = message
	}
	return &r
}
