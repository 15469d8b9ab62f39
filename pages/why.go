package pages

import (
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
)

// Reasons come from the rooms with a code, and with a text that a program wrote in English. A page says the code's word in
// its reader's language, and keeps the text for whoever wants it. The words stand in the catalogue under the keys that these
// functions give; a test holds them against every code there is.

// refusalFields are the fields that refusals of crossings and links name, each with a word of its own.
var refusalFields = map[string]bool{
	"agreement": true, "kind": true, "currency": true, "class": true, "wallet": true, "releases": true, "payees": true, "reverses": true, "link": true,
	"destination": true, "touches": true,
}

// whyRefused is the key of what a room's refusal says: by the field that it names, else by its code.
func whyRefused(e *moongate.Error) string {
	field := e.Field
	if i := strings.IndexAny(field, "/.["); i >= 0 {
		field = field[:i]
	}
	if e.Code == moongate.Refused && refusalFields[field] {
		return "why.refused." + field
	}
	return "problem.means." + string(e.Code)
}

// whyVerdict is the key of what a failed call to a wallet proves.
func whyVerdict(v pay.Verdict) string {
	if v == "" {
		return ""
	}
	return "why.verdict." + string(v)
}

// whyUnfit is the key of why a wallet is not offered for a payment.
func whyUnfit(w pay.UnfitWhy) string { return "why.unfit." + string(w) }

// failed tells a call that gave no outcome: what it proves, the wallet's own code, and the text.
func failed(step *console.Step, v pay.Verdict, code, message string) {
	step.Why, step.Code, step.Program = whyVerdict(v), code, message
}

// whyLink is the word for why a link does not open.
func whyLink(e *moongate.Error) string {
	switch {
	case e == nil:
		return ""
	case e.Code == moongate.NotFound && e.Field != "agreement":
		return "link_unknown"
	case e.Field == "link" || e.Field == "destination":
		return "link_closed"
	}
	return "link_unagreed"
}

// chosen says why the hub sent a shopper to a wallet; nothing where he chose himself.
func (p *Pages) chosen(c *pay.Chosen, lang console.Lang) string {
	if c == nil {
		return ""
	}
	said := []string{p.words.Say(lang, "chosen."+string(c.Because))}
	if c.Percent > 0 {
		said = append(said, p.words.Say(lang, "chosen.percent", "n", c.Percent))
	}
	if c.Rule != "" {
		said = append(said, p.words.Say(lang, "chosen.rule", "rule", c.Rule))
	}
	if c.Instead != "" {
		said = append(said, p.words.Say(lang, "chosen.instead", "wallet", p.party(c.Instead, lang)))
	}
	return strings.Join(said, p.words.Say(lang, "chosen.and"))
}
