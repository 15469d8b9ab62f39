package console

// tone is what a state means for the reader; it decides shape and colour, never the word.
type tone string

const (
	good tone = "good" // open, settled: celadon, a full moon
	wait tone = "wait" // pending, unknown: amber, a half moon
	bad  tone = "bad"  // blocked, failed: cinnabar, a closed square
	idle tone = "idle" // over, or not begun: ink, a ring
)

// states are the states of everything that has one; each has a word under state. in the catalogue.
var states = map[string]tone{
	"open": good, "posted": good, "succeeded": good, "settled": good, "in_force": good, "signed": good, "active": good,
	"issued": good, "confirmed": good, "resolved": good, "done": good, "delivered": good, "checked": good,
	"leader": good, "alone": good, "level": good, "recorded": good, "delivering": good,

	"pending": wait, "unknown": wait, "awaiting": wait, "choosing": wait, "created": wait, "closed": wait,
	"offered": wait, "appealed": wait, "waiting": wait, "behind": wait, "asking": wait, "sent": wait,
	"partly_refunded": wait, "paused": wait, "follower": idle,

	"blocked": bad, "refused": bad, "failed": bad, "disputed": bad, "dead": bad, "revoked": bad,
	"suspended": bad, "aborted": bad, "terminated": bad, "exception": bad,

	"expired": idle, "cancelled": idle, "voided": idle, "refunded": idle, "draft": idle, "ended": idle, "rotated": idle, "left": idle,
	"lifted": idle, "lapsed": idle, "absent": idle, "noted": idle,
}

// vocabularies are the closed sets of words that a page may meet in a field; each word stands in the catalogue under
// SET.WORD. A word that is not here is shown as it came: an older console must not hide what a newer hub says.
var vocabularies = map[string][]string{
	"kind": {"link", "payment", "refund", "conversion"},
	"party": {
		"platform", "wallet", "merchant", "publisher", "app", "data_holder", "observer", "operator",
	},
	"purpose": {
		"payable", "receivable", "wallet", "fee", "clearing", "accrual", "suspense", "reserve", "goods", "freight",
		"commission", "traffic", "wallet_fee", "hub_fee", "tax", "kept", "refund",
	},
	"exception": {
		"mismatch", "missing_ours", "missing_theirs", "status", "fee", "timing", "late_payment", "duplicate",
		"unknown_outcome", "without_items", "without_payment",
	},
	"step": {
		"click", "conversion", "payment.created", "payment.chosen", "payment.awaiting", "payment.asked",
		"payment.unknown", "payment.succeeded", "payment.failed", "payment.expired", "payment.cancelled",
		"payment.late", "payment.duplicate",
		"refund.asked", "refund.done", "refund.refused", "split", "posted", "refused", "settled", "claim",
		"window.opened", "window.closed", "window.netted", "window.told", "window.confirmed", "window.settled",
		"window.aborted", "exception", "resolved",
	},
	"reason": {
		"scams_and_fraud", "data_protection_and_privacy_violations", "protection_of_minors",
		"intellectual_property_infringements", "unsafe_and_prohibited_products", "consumer_information",
		"risk_for_public_security", "other_violation_tc", "competition", "none",
	},
	"role":    {"host", "guest", "wallet", "publisher", "seller", "marketplace", "operator"},
	"rule":    {"last_touch", "unique_uniform", "fixed"},
	"guard":   {"cap", "floor", "non_discrimination", "no_steering_ban", "parity", "notice"},
	"cycle":   {"immediate", "daily", "weekly", "monthly"},
	"class":   {"any", "goods", "digital", "services", "subscription", "travel"},
	"group":   {"payer", "payee", "wallet", "fee", "public"},
	"act":     {"agreement", "block", "appeal", "fee", "lift", "origin"},
	"queue":   {"wallet", "webhook", "message"},
	"use":     {"requests", "agreements", "statements"},
	"range":   {"24h", "7d", "30d"},
	"nav":     {"home", "crossings", "payments", "exceptions", "balances", "windows", "statements", "agreements", "links", "participants", "log", "health"},
	"theme":   {"auto", "light", "dark"},
	"problem": {"malformed", "unauthenticated", "forbidden", "not_found", "conflict", "key_reused", "refused", "limit", "too_large", "busy", "unknown", "internal"},
	"ref": {
		"crossing", "payment", "account", "window", "agreement", "receipt", "statement", "link", "participant", "exception",
	},
	"field": {
		"payer", "payee", "amount", "currency", "order", "wallet", "wallet_reference", "fee", "rate", "agreement",
		"version", "time", "kind", "share", "click",
	},
}

// asked are the words of an [Action]; each has a label under action.WORD and a question under action.WORD.ask.
var asked = []string{
	"accept", "match", "refund", "retry", "discard", "appeal", "withdraw", "lift", "pause", "resume", "revoke",
	"confirm", "dispute", "close_window", "snapshot",
}

// sections is the part of the navigation that a page belongs to.
var sections = map[string]string{
	"home": "home", "crossings": "crossings", "crossing": "crossings", "receipt": "crossings",
	"payments": "payments", "payment": "payments", "exceptions": "exceptions",
	"balances": "balances", "account": "balances", "windows": "windows", "window": "windows",
	"statements": "statements", "statement": "statements", "agreements": "agreements", "agreement": "agreements",
	"links": "links", "participants": "participants", "participant": "participants",
	"log": "log", "health": "health",
}
