package agreement

import (
	"fmt"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Language is a language that documents are explained in.
type Language string

// Languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// LanguageOf gives the language for a locale such as zh_CN.UTF-8 or en-GB: English but for Chinese.
func LanguageOf(locale string) Language {
	if strings.HasPrefix(strings.ToLower(locale), "zh") {
		return Chinese
	}
	return English
}

// words are one language's sentences. A %s stands for a value; where the order differs between languages the verbs are
// numbered. Both languages fill every field, which a test checks.
type words struct {
	lang Language

	// headings
	parties, inForce, crosses, costs, shares, protects, links, settles, sees, signs, becomes, classTable, volumeTable, refundTable, notes, sources, fingerprint string

	// the head
	headline   string // id, version, kind
	offerKinds map[OfferKind]string

	// parties
	roles                                                  map[Role]string
	openTo                                                 map[OpenKind]string
	openParty, oneOf, members, most, acceptUntil, unsigned string

	// times
	from, fromUntil, notice, zone                               string
	second, seconds, minute, minutes, hour, hours, oneDay, days string

	// scope
	kinds                                                 map[Kind]string
	inCurrencies, inClasses, allClasses, toHosts, belongs string

	// fees
	pays, takesNothing, atLeast, atMost, fixed, plus, noRate, rest, onlyFor, onKind, kept string
	bases                                                                                 map[string]string
	part                                                                                  string
	byVolume                                                                              map[TierMode]string
	periods                                                                               map[TierPeriod]string
	below, fromTo, above                                                                  string
	roundings                                                                             map[Rounding]string
	noFees                                                                                string

	// sharing
	pool     string
	rules    map[ShareRule]string
	window   string
	floor    string
	cap      string
	ownLimit string

	// guards
	guardFloor, guardCap, feeNotice, endNotice, equal, appeal string

	// links
	opens                                                       map[OpenMode]string
	parity, ttl, noBlock, block, blockReasons, evidence, decide string
	reasons                                                     map[string]string

	// settlement
	settle  string
	netting map[Netting]string
	delay   string
	minimum string

	// disclosure
	seesAll, seesTotal string

	// signing
	closed, open, joint, counter, signBy, replaces string

	// the tables
	paid, paidOutside, keeps, together, poolRow, class, refunded string

	// joints
	and, or, comma, clause, semicolon, stop, colon string

	// notes
	noteOutOfPocket, notePrivateFlat, notePress, noteKept string
	sourceKinds                                           map[SourceKind]string
}

func wordsIn(lang Language) *words {
	if lang == Chinese {
		return &chinese
	}
	return &english
}

func (w *words) role(r Role) string {
	if s := w.roles[r]; s != "" {
		return s
	}
	return string(r)
}

// list joins texts as a sentence does: a, b and c.
func (w *words) list(texts []string) string {
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	return strings.Join(texts[:len(texts)-1], w.comma) + w.and + texts[len(texts)-1]
}

// span writes a duration: 30 days.
func (w *words) span(d Duration) string {
	text := d.String()
	n, unit := text[:len(text)-1], text[len(text)-1]
	one, many := w.second, w.seconds
	switch unit {
	case 'm':
		one, many = w.minute, w.minutes
	case 'h':
		one, many = w.hour, w.hours
	case 'd':
		one, many = w.oneDay, w.days
	}
	if n == "1" {
		return fmt.Sprintf(one, n)
	}
	return fmt.Sprintf(many, n)
}

// moment writes a time in a zone: the date, and the hour where it is not midnight.
func (w *words) moment(at moongate.Time, zone *time.Location) string {
	local := at.Go().In(zone)
	if local.Equal(time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)) {
		return local.Format("2006-01-02")
	}
	return local.Format("2006-01-02 15:04:05")
}

// amounts writes money in every currency that a document gives it in.
func (w *words) amounts(a Amounts) string {
	var texts []string
	for _, code := range sorted(a) {
		c, err := money.ParseCurrency(code)
		if err != nil {
			continue
		}
		v, err := money.ParseDecimal(a[code], c)
		if err != nil {
			continue
		}
		texts = append(texts, v.Display(string(w.lang)))
	}
	return strings.Join(texts, w.or)
}

func (w *words) bps(n int) string { return money.BasisPoints(n).String() }

func nonZero(a Amounts) bool {
	for _, text := range a {
		if strings.Trim(text, "0.") != "" {
			return true
		}
	}
	return false
}
