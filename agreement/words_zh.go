package agreement

var chinese = words{
	lang: Chinese,

	parties: "各方", inForce: "期限", crosses: "适用范围", costs: "费用", shares: "引流分成", protects: "保护条款", links: "链接",
	settles: "结算", sees: "信息披露", signs: "生效方式", becomes: "%s 的去向", classTable: "按商品类别", volumeTable: "本%[2]s销售额达到 %[1]s 之后",
	refundTable: "若退款 %s", notes: "提示", sources: "来源", fingerprint: "指纹",

	headline:   "%s，第 %d 版：%s",
	offerKinds: map[OfferKind]string{OfferClosed: "定向协议", OfferOpen: "公开要约", OfferJoint: "联合签署协议", OfferCounter: "反要约"},

	roles: map[Role]string{
		Host: "主场平台", Guest: "来访方", Marketplace: "电商平台", Seller: "商家", Publisher: "内容平台", Wallet: "钱包",
		Store: "应用商店", App: "应用", Advertiser: "广告主", Carrier: "承运方", DataHolder: "数据持有方", DataUser: "数据使用方",
		Platform: "平台", Operator: "运营方", Observer: "观察方",
	},
	openTo: map[OpenKind]string{
		OpenAny: "参与方", OpenMerchant: "商家", OpenPublisher: "内容平台", OpenApp: "应用", OpenWallet: "钱包", OpenPlatform: "平台", OpenDataHolder: "数据持有方",
	},
	openParty: "任何接受本协议的%s", oneOf: "每笔业务由其中一家参与", members: "共 %d 家", most: "最多 %d 家", acceptUntil: "接受截止 %s", unsigned: "无需签署",

	from: "自 %s 起，长期有效。", fromUntil: "自 %s 至 %s（不含）。", notice: "变更或终止须提前%s通知。", zone: "按 UTC%s 计日、月、年。",
	second: " %s 秒", seconds: " %s 秒", minute: " %s 分钟", minutes: " %s 分钟", hour: " %s 小时", hours: " %s 小时", oneDay: " %s 天", days: " %s 天",

	kinds:        map[Kind]string{Link: "链接", Payment: "支付", Refund: "退款", Conversion: "站外成交"},
	inCurrencies: "币种：%s。", inClasses: "商品类别：%s。", allClasses: "所有商品。", toHosts: "链接可指向 %s。", belongs: "付清费用后，货款归%s所有。",

	pays: "%s向%s支付%s。", takesNothing: "零", atLeast: "，最低 %s", atMost: "，最高 %s", fixed: "每笔 %s", plus: "，另加每笔 %s", noRate: "，见下",
	rest: "其余类别", onlyFor: "仅适用于%s。", onKind: "适用于%s。", kept: "退款时不退还。",
	bases: map[string]string{Gross: "实付金额的 %s", Net: "不含税价格的 %s", FreightExcluded: "不含运费价格的 %s"},
	part:  "“%[2]s”的 %[1]s",
	byVolume: map[TierMode]string{
		Marginal: "按%s本%s销售额分段计费，各段适用各段费率",
		Whole:    "按%s此前本%s销售额所在档位计费",
	},
	periods: map[TierPeriod]string{Month: "月", Year: "年"},
	below:   "低于 %s", fromTo: "%s 起，低于 %s", above: "%s 起",
	roundings: map[Rounding]string{
		HalfUp: "每项费用四舍五入到最小货币单位。", Down: "每项费用舍去尾数，有利于付款方。", Up: "每项费用进位，有利于收款方。",
	},
	noFees: "不收取任何费用。",

	pool: "%s拿出%s，分给%s。",
	rules: map[ShareRule]string{
		LastTouch: "全部归买家最后经过的一家。", UniqueUniform: "由买家途经的各家平分，每家只计一次。",
	},
	window: "成交前%s内的访问有效；没有访问则不分。", floor: "每家至少得其中的 %s。", cap: "每家至多得其中的 %s，余下的留在付出方。",
	ownLimit: "%s得其中的 %s 至 %s。",

	guardFloor: "%s每笔至少保留 %s；不足时从最后一项费用开始减免。", guardCap: "%s每笔至多收取 %s。", feeNotice: "上调费用须提前%s公告。",
	endNotice: "终止协议须提前%s告知。", equal: "同一角色适用同样条款。", appeal: "对决定可在%s内申诉。",

	opens:  map[OpenMode]string{Direct: "链接直接打开，没有中间页。", Confirm: "先显示去向，确认后打开链接。"},
	parity: "展示与打开方式和平台自有链接一致。", ttl: "点击在%s内有效。", noBlock: "本协议不允许屏蔽任何链接。",
	block: "屏蔽最长%s，可在%s内申诉。", blockReasons: "可用理由：%s。", evidence: "必须提供证据。", decide: "申诉须在%s内裁定，逾期自动解除屏蔽。",

	reasons: map[string]string{
		"animal_welfare":                                   "动物福利",
		"consumer_information":                             "消费者信息",
		"cyber_violence":                                   "网络暴力",
		"cyber_violence_against_women":                     "针对女性的网络暴力",
		"data_protection_and_privacy_violations":           "违反数据保护与隐私",
		"illegal_or_harmful_speech":                        "违法或有害言论",
		"intellectual_property_infringements":              "侵犯知识产权",
		"negative_effects_on_civic_discourse_or_elections": "对公共讨论或选举的不良影响",
		"non_consensual_behaviour":                         "未经同意的行为",
		"pornography_or_sexualized_content":                "色情内容",
		"protection_of_minors":                             "未成年人保护",
		"risk_for_public_security":                         "公共安全风险",
		"scams_and_fraud":                                  "诈骗与欺诈",
		"scope_of_platform_service":                        "不属于平台服务范围",
		"self_harm":                                        "自我伤害",
		"unsafe_and_illegal_products":                      "不安全或违法商品",
		"unsafe_and_prohibited_products":                   "不安全或违禁商品",
		"violence":                                         "暴力",
		"other_violation_tc":                               "其他违反条款",
		"malware":                                          "恶意软件",
		"court_order":                                      "法院命令",
	},

	settle: "每%s为一个结算窗口，%s。",
	netting: map[Netting]string{
		GrossClaims: "逐笔结算", Bilateral: "两两轧差", Multilateral: "多边轧差，每方一个净额",
	},
	delay: "窗口关闭后%s付款。", minimum: "不足 %s 的并入下一窗口。",

	seesAll: "每笔业务只有当事各方可见。", seesTotal: "%[1]s只获知%[2]s每%[3]s应付的总额及其证明，看不到任何一笔销售。",

	closed: "所有具名各方签署后生效。", open: "具名各方签署后生效，此后符合条件者可自行接受。",
	joint: "具名各方签署，且至少 %d 家%s共同签署后生效。", counter: "答复第 %d 版，所有具名各方签署后取而代之。",
	signBy: "须在 %s 之前签署。", replaces: "取代第 %d 版。",

	paid: "买家支付", paidOutside: "站外成交", keeps: "最终所得", together: "合计", poolRow: "分成", class: "类别", refunded: "退给买家",
	and: "和", or: "或", comma: "、", clause: "，", semicolon: "；", stop: "", colon: "：",

	noteOutOfPocket: "%[1]s在此支出多于收入：每笔 %[3]s 自行贴补 %[2]s。",
	notePrivateFlat: "只有一个固定费率时，总额除以费率即得销售总额；总额能隐藏的是销售构成和每一笔明细。",
	notePress:       "费率来自媒体报道，未与合同核对。",
	noteKept:        "如全额退款，%s仍须承担 %s。",
	sourceKinds:     map[SourceKind]string{Press: "媒体", Law: "法规", Contract: "合同"},
}
