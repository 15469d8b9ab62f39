package console

// tone is what a state means for the reader; it decides shape and colour, never the word.
type tone string

const (
	good tone = "good" // open, settled: celadon, a full moon
	wait tone = "wait" // pending, unknown: amber, a half moon
	bad  tone = "bad"  // blocked, failed: cinnabar, a closed square
	idle tone = "idle" // over, or not begun: ink, a ring
)

// states are the states of everything that has one; each has a word under state. in the catalogue. Where the same word
// means different things of different things, KIND.STATE stands before it: see stateOf.
var states = map[string]tone{
	"open": good, "window.open": good, "posted": good, "succeeded": good, "paid": good, "settled": good, "agreed": good,
	"in_force": good, "active": good, "issued": good, "confirmed": good, "resolved": good, "done": good,
	"bill.level": good, "got": good, "refund.succeeded": good, "answering": good, "delivered": good, "checked": good, "leader": good, "alone": good, "level": good, "delivering": good,

	"bill.differs": wait, "bill.taking": wait, "later": wait, "difference.open": wait, "cashier.held": wait, "late": wait, "payment.open": wait, "exception.open": wait, "pending": wait, "unknown": wait, "awaiting": wait, "choosing": wait,
	"created": wait, "held": wait, "opening": wait, "closing": wait, "asked": wait, "accepted": wait, "held_up": wait,
	"closed": wait, "planned": wait, "manual": wait, "contested": wait, "waiting": wait, "behind": wait, "asking": wait,
	"sent": wait, "partly_refunded": wait, "authorised": wait, "recalling": wait, "reserved": wait, "capturing": wait, "paused": wait, "failing": wait, "wallet.failing": wait,

	"blocked": bad, "standing": bad, "upheld": bad, "refused": bad, "failed": bad, "disputed": bad, "dead": bad,
	"disabled": bad, "revoked": bad, "suspended": bad, "aborted": bad, "exception": bad,

	"bill.nothing": idle, "attempt.closed": idle, "expired": idle, "cancelled": idle, "returned": idle, "voided": idle, "refunded": idle,
	"draft": idle, "ended": idle, "rotated": idle, "left": idle, "withdrawn": idle, "lifted": idle, "lapsed": idle,
	"overturned": idle, "undecided": idle, "absent": idle, "noted": idle, "follower": idle,
}

// acts are public acts by what they did to the gate; what is not here shut nothing and opened nothing.
var acts = map[string]tone{"agreement.published": good, "link.unblocked": good, "link.appealed": wait, "link.blocked": bad}

// stateOf is the state of a kind of thing, where that kind has a word of its own for it.
func stateOf(kind, state string) string {
	if _, own := states[kind+"."+state]; own {
		return kind + "." + state
	}
	return state
}

// vocabularies are the closed sets of words that a page may meet in a field; each word stands in the catalogue under
// SET.WORD. A word that is not here is shown as it came: an older console must not hide what a newer hub says.
var vocabularies = map[string][]string{
	"kind": {"link", "payment", "refund", "conversion", "exception", "takeback"},
	"party": {
		"platform", "wallet", "merchant", "publisher", "app", "data-holder", "observer", "operator",
	},
	"purpose": {
		"payable", "receivable", "wallet", "fee", "clearing", "accrual", "suspense", "instructed", "goods", "freight",
		"share", "held", "commission", "traffic", "wallet_fee", "tax", "kept", "refund", "settlement", "total", "taken_back",
	},
	"exception": {
		"amount", "unclear", "refused", "late", "double", "stranger", "silent", "refund_stuck", "contradiction", "give_back", "dispute", "payout",
	},
	"difference":     {"duplicate", "missing_ours", "missing_theirs", "status", "amount", "fee", "timing"},
	"difference.how": {"explained", "corrected", "at_wallet", "written_off", "healed", "other_day"},
	"bill":           {"trade", "fund"},
	// Events, with what became of it behind the last point where one event tells of several ends.
	"step": {
		"link.clicked",
		"link.recovered",
		"link.converted",
		"link.met_block",
		"link.turned_down",
		"link.blocked",
		"link.appealed",
		"link.appeal_decided",
		"link.unblocked",
		"crossing.recorded",
		"crossing.refused",
		"ledger.transferred",
		"ledger.resolved",
		"pay.created",
		"pay.attempt_opened",
		"pay.attempt_opened.order",
		"pay.attempt_opened.rate",
		"pay.attempt_opened.probe",
		"pay.create_due",
		"pay.handed_over",
		"pay.query_due",
		"pay.close_due",
		"pay.doubted",
		"pay.attempt_ended.paid",
		"pay.attempt_ended.closed",
		"pay.attempt_ended.failed",
		"pay.authorised",
		"pay.capture_due",
		"pay.settled.succeeded",
		"pay.settled.held",
		"pay.settled.expired",
		"pay.settled.cancelled",
		"pay.settled.returned",
		"pay.repeated",
		"pay.refund_opened",
		"pay.refund_due",
		"pay.refund_query_due",
		"pay.refund_moved",
		"pay.refund_ended.succeeded",
		"pay.refund_ended.failed",
		"pay.dispute_moved.open",
		"pay.dispute_moved.review",
		"pay.dispute_moved.won",
		"pay.dispute_moved.lost",
		"pay.exception_opened",
		"pay.exception_resolved",
		"settle.opened",
		"settle.claimed",
		"settle.closed",
		"settle.closed.own",
		"settle.instructed",
		"settle.reported.sent",
		"settle.reported.manual",
		"settle.reported.paid",
		"settle.reported.returned",
		"settle.postponed",
		"settle.settled",
		"settle.aborted",
		"reconcile.found",
		"reconcile.assigned",
		"reconcile.returned",
		"reconcile.noted",
		"reconcile.ended.explained",
		"reconcile.ended.corrected",
		"reconcile.ended.at_wallet",
		"reconcile.ended.written_off",
		"reconcile.ended.healed",
		"reconcile.ended.other_day",
	},
	// Statements of reasons under the Digital Services Act, in small letters, and two more.
	"reason": {
		"animal_welfare", "consumer_information", "cyber_violence", "cyber_violence_against_women",
		"data_protection_and_privacy_violations", "illegal_or_harmful_speech", "intellectual_property_infringements",
		"negative_effects_on_civic_discourse_or_elections", "non_consensual_behaviour",
		"pornography_or_sexualized_content", "protection_of_minors", "risk_for_public_security", "scams_and_fraud",
		"scope_of_platform_service", "self_harm", "unsafe_and_illegal_products", "unsafe_and_prohibited_products",
		"violence", "other_violation_tc", "malware", "court_order",
	},
	"role": {
		"host", "guest", "marketplace", "seller", "publisher", "wallet", "store", "app", "advertiser", "carrier",
		"data_holder", "data_user", "platform", "operator", "observer",
	},
	"rule":  {"last_touch", "unique_uniform", "fixed"},
	"guard": {"cap", "floor", "non_discrimination", "no_steering_ban", "parity", "notice"},
	"cycle": {"immediate", "daily", "weekly", "monthly"},
	"class": {"any", "goods", "digital", "services", "subscription", "travel"},
	"group": {
		"public", "parties", "sides", "each", "self", "owner", "owners", "merchant", "finder", "hub", "position",
	},
	"act": {
		"agreement.published", "agreement.discontinued", "link.blocked", "link.appealed", "link.appeal_decided",
		"link.unblocked",
	},
	"queue":    {"wallet", "webhook", "message", "payout"},
	"follower": {"lists", "log"},
	"use":      {"requests", "agreements", "statements"},
	"range":    {"24h", "7d", "30d"},
	"nav": {
		"home", "crossings", "payments", "refunds", "exceptions", "bills", "wallets", "balances", "windows", "statements", "agreements",
		"links", "participants", "webhooks", "log", "health",
	},
	"theme":           {"auto", "light", "dark"},
	"age":             {"day", "three", "week", "older"},
	"exception.how":   {"give_back", "release", "dismiss"},
	"cashier.trouble": {"malformed", "refused", "limit", "conflict", "busy", "unknown"},
	"wallets.means":   {"answering", "asking", "failing", "dead"},
	"problem": {
		"malformed", "unauthenticated", "forbidden", "not_found", "conflict", "key_reused", "refused", "limit",
		"too_large", "busy", "unknown", "internal",
	},
	// What the pages refuse themselves.
	"problem.why": {
		"forged", "stale", "strange", "unreadable", "fileless", "unchosen", "broken", "not_day", "not_cursor", "not_amount", "not_scoped", "unproven", "not_there",
		"link_unknown", "link_closed", "link_unagreed",
	},
	"ref": {
		"crossing", "payment", "account", "window", "agreement", "receipt", "statement", "link", "participant",
		"exception", "bill", "difference",
	},
	"field": {
		"payer", "payee", "amount", "currency", "order", "wallet", "wallet_reference", "fee", "rate", "agreement",
		"version", "time", "kind", "share", "click", "from", "to", "crossing", "reverses", "position",
	},
}

// asked are the words of an [Action]; each has a label under action.WORD and a question under action.WORD.ask.
var asked = []string{
	"give_back", "release", "dismiss", "refund", "retry", "discard", "appeal", "withdraw", "lift", "pause", "resume",
	"revoke", "confirm", "dispute", "close_window", "pay", "snapshot", "sign_out_all", "redeliver", "disable", "enable", "remove", "remove_account",
	"capture", "let_go", "tell_again", "by_hand", "came_back",
}

// sentences are what is said about a difference, under difference.says.WORD: see [DifferenceLine.Sentence].
var sentences = []string{"duplicate", "missing_ours", "missing_theirs", "status_ours", "status_theirs", "amount", "fee", "timing"}

// reasons are the keys of sentences that say why something did not come about, beside those of problems and exceptions; the
// pages give them by the codes of rooms. Choices are those of the hub's choice of a wallet.
var (
	reasons = []string{
		"verdict.refused", "verdict.not_done", "verdict.unknown", "never_had", "another_amount", "given_back",
		"refused.agreement", "refused.kind", "refused.currency", "refused.class", "refused.wallet", "refused.releases", "refused.payees",
		"refused.reverses", "refused.link", "refused.destination", "refused.touches",
		"unfit.inactive", "unfit.terms", "unfit.sellers_mixed", "unfit.sellers_many", "unfit.sellers_none",
	}
	choices = []string{"order", "rate", "probe", "percent", "rule", "instead", "and"}
)

// sections is the part of the navigation that a page belongs to.
var sections = map[string]string{
	"home": "home", "crossings": "crossings", "crossing": "crossings", "receipt": "crossings",
	"payments": "payments", "payment": "payments", "refunds": "refunds", "exceptions": "exceptions", "wallets": "wallets",
	"bills": "bills", "bill": "bills", "differences": "bills", "difference": "bills",
	"balances": "balances", "account": "balances", "windows": "windows", "window": "windows", "payouts": "windows",
	"statements": "statements", "statement": "statements", "agreements": "agreements", "agreement": "agreements",
	"links": "links", "block": "links", "destinations": "links", "participants": "participants", "participant": "participants",
	"webhooks": "webhooks", "webhook": "webhooks", "log": "log", "health": "health",
}
