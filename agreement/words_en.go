package agreement

var english = words{
	lang: English,

	parties: "Who", inForce: "When", crosses: "What may cross", costs: "What it costs", shares: "Who brought the sale about",
	protects: "Protection", links: "Links", settles: "Payment", sees: "Who sees what", signs: "How it comes into force",
	becomes: "What %s becomes", classTable: "The same, by product class", volumeTable: "The same, once %s has been sold in the %s",
	refundTable: "If %s of it is refunded", notes: "Worth knowing", sources: "Sources", fingerprint: "Fingerprint",

	headline: "%s, version %d: %s",
	offerKinds: map[OfferKind]string{
		OfferClosed: "a closed agreement", OfferOpen: "an open offer", OfferJoint: "an agreement signed together", OfferCounter: "a counter-offer",
	},

	roles: map[Role]string{
		Host: "host", Guest: "guest", Marketplace: "marketplace", Seller: "seller", Publisher: "publisher", Wallet: "wallet",
		Store: "store", App: "app", Advertiser: "advertiser", Carrier: "carrier", DataHolder: "data holder", DataUser: "data user",
		Platform: "platform", Operator: "operator", Observer: "observer",
	},
	openTo: map[OpenKind]string{
		OpenAny: "participant", OpenMerchant: "merchant", OpenPublisher: "publisher", OpenApp: "app", OpenWallet: "wallet",
		OpenPlatform: "platform", OpenDataHolder: "data holder",
	},
	openParty: "any %s that accepts", oneOf: "one of them in each crossing", members: "%d members", most: "%d at most",
	acceptUntil: "until %s", unsigned: "need not sign",

	from: "From %s until further notice.", fromUntil: "From %s until %s.", notice: "A change or an end is announced %s before.",
	zone:   "Days, months and years turn at UTC%s.",
	second: "%s second", seconds: "%s seconds", minute: "%s minute", minutes: "%s minutes", hour: "%s hour", hours: "%s hours",
	oneDay: "%s day", days: "%s days",

	kinds:        map[Kind]string{Link: "links", Payment: "payments", Refund: "refunds", Conversion: "sales made elsewhere"},
	inCurrencies: "In %s.", inClasses: "Product classes: %s.", allClasses: "All products.", toHosts: "Links lead to %s.",
	belongs: "A sale belongs to the %s once its fees are paid.",

	pays: "The %s pays the %s %s.", takesNothing: "nothing", atLeast: ", at least %s", atMost: ", at most %s", fixed: "%s each time",
	plus: " plus %s each time", noRate: ", as below", rest: "all others", onlyFor: "Only for %s.", onKind: "On %s.",
	kept: "A refund does not return it.",
	bases: map[string]string{
		Gross: "%s of what the buyer pays", Net: "%s of the price without tax", FreightExcluded: "%s of the price without freight",
	},
	part: "%s of the line “%s”",
	byVolume: map[TierMode]string{
		Marginal: "by what the %s has sold in the %s, each part at its own rate",
		Whole:    "by what the %s had sold in the %s before",
	},
	periods: map[TierPeriod]string{Month: "month", Year: "year"},
	below:   "below %s", fromTo: "from %s to below %s", above: "from %s",
	roundings: map[Rounding]string{
		HalfUp: "Each fee is rounded to the nearest minor unit, halves up.",
		Down:   "Each fee is rounded down to the minor unit, in favour of who pays.",
		Up:     "Each fee is rounded up to the minor unit, in favour of who is paid.",
	},
	noFees: "Nothing is charged.",

	pool: "The %s gives %s to the %s side.",
	rules: map[ShareRule]string{
		LastTouch:     "All of it goes to the one that the buyer came from last.",
		UniqueUniform: "It is shared equally among all that the buyer came through, each counted once.",
	},
	window: "Visits count for %s before the sale; without any, nothing is given.",
	floor:  "Each of them gets at least %s of it.", cap: "None of them gets more than %s of it; what that leaves stays with the giver.",
	ownLimit: "%s gets between %s and %s of it.",

	guardFloor: "The %s keeps at least %s of each sale; fees give way from the last upwards.",
	guardCap:   "The %s never receives more than %s of a sale.",
	feeNotice:  "Higher fees are announced %s before.", endNotice: "Whoever ends it says so %s before.",
	equal: "Everyone in the same role has the same terms.", appeal: "A decision can be appealed for %s.",

	opens:  map[OpenMode]string{Direct: "Links open at once, without a page in between.", Confirm: "Links open after a page that says where they lead."},
	parity: "They look and open like the host's own.", ttl: "A click counts for %s.", noBlock: "No link may be blocked under this agreement.",
	block: "A link may be blocked for %s at most, and the block can be appealed for %s.", blockReasons: "Reasons that count: %s.",
	evidence: "Evidence must be given.", decide: "An appeal is decided within %s, or the block lifts by itself.",

	reasons: map[string]string{
		"animal_welfare":                                   "animal welfare",
		"consumer_information":                             "consumer information",
		"cyber_violence":                                   "cyber violence",
		"cyber_violence_against_women":                     "cyber violence against women",
		"data_protection_and_privacy_violations":           "data protection and privacy violations",
		"illegal_or_harmful_speech":                        "illegal or harmful speech",
		"intellectual_property_infringements":              "intellectual property infringements",
		"negative_effects_on_civic_discourse_or_elections": "negative effects on civic discourse or elections",
		"non_consensual_behaviour":                         "non consensual behaviour",
		"pornography_or_sexualized_content":                "pornography or sexualized content",
		"protection_of_minors":                             "protection of minors",
		"risk_for_public_security":                         "risk for public security",
		"scams_and_fraud":                                  "scams and fraud",
		"scope_of_platform_service":                        "scope of platform service",
		"self_harm":                                        "self harm",
		"unsafe_and_illegal_products":                      "unsafe or illegal products",
		"unsafe_and_prohibited_products":                   "unsafe or prohibited products",
		"violence":                                         "violence",
		"other_violation_tc":                               "other violation of the terms",
		"malware":                                          "malware",
		"court_order":                                      "court order",
	},

	settle: "Claims are gathered for %s and settled %s.",
	netting: map[Netting]string{
		GrossClaims: "one by one", Bilateral: "as one sum between each two parties", Multilateral: "as one sum for each party against all others",
	},
	delay: "Payment follows %s after the window closes.", minimum: "Sums below %s wait for the next window.",

	seesAll: "The parties of a crossing see it; nobody else does.", seesTotal: "The %s learns only what the %s owes it for the %s, with a proof; never a single sale.",

	closed:  "It holds once every named party has signed.",
	open:    "It holds once the named parties have signed. Anyone it is open to may then accept it alone.",
	joint:   "It holds once the named parties have signed and, together, at least %d of the %s side.",
	counter: "It answers version %d and takes its place once every named party has signed.",
	signBy:  "Signatures must be there before %s.", replaces: "It takes the place of version %d.",

	paid: "paid by the buyer", paidOutside: "sold elsewhere", keeps: "is left with", together: "together", poolRow: "Pool", class: "class",
	refunded: "back to the buyer", and: " and ", or: " or ", comma: ", ", clause: ", ", semicolon: "; ", stop: " ", colon: ": ",

	noteOutOfPocket: "The %s pays out more than it receives here: %s of its own money for each sale of %s.",
	notePrivateFlat: "One flat rate gives the gross away: total divided by rate. The total hides the mix of sales and every line, not their sum.",
	notePress:       "The schedule was read in the press and not checked against the contract.",
	noteKept:        "If all of it is refunded, the %s has paid %s for nothing sold.",
	sourceKinds:     map[SourceKind]string{Press: "press", Law: "law", Contract: "contract"},
}
