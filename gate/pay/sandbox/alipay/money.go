package alipay

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// maxTotal is a hundred million yuan, the most that an order may be over.
const maxTotal = 10_000_000_000

// yuan is an amount as a request writes it: a number or a text, with at most two decimals.
type yuan struct {
	fen int64
	set bool
	bad bool
}

var yuanText = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?$`)

// UnmarshalJSON takes anything: what is no amount is told by read, not by the decoder.
func (y *yuan) UnmarshalJSON(b []byte) error {
	text := string(b)
	if text == "null" {
		return nil
	}
	if b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	y.set = true
	if !yuanText.MatchString(text) {
		y.bad = true
		return nil
	}
	whole, fraction, _ := strings.Cut(text, ".")
	fen, err := strconv.ParseInt(whole+(fraction + "00")[:2], 10, 64)
	y.fen, y.bad = fen, err != nil
	return nil
}

// between tells whether it is an amount in a range.
func (y yuan) between(least, most int64) bool {
	return y.set && !y.bad && y.fen >= least && y.fen <= most
}

// stamp is a time as the protocol writes it, in Beijing.
func stamp(t time.Time) string { return t.In(sandbox.Beijing).Format(time.DateTime) }

var express = regexp.MustCompile(`^([1-9][0-9]{0,4})([mhd])$`)

// life reads timeout_express: 1m to 15d, or 1c for the end of the day.
func life(text string, now time.Time) (time.Time, bool) {
	if text == "1c" {
		y, m, d := now.In(sandbox.Beijing).Date()
		return time.Date(y, m, d+1, 0, 0, 0, 0, sandbox.Beijing), true
	}
	parts := express.FindStringSubmatch(text)
	if parts == nil {
		return time.Time{}, false
	}
	n, err := strconv.Atoi(parts[1])
	d := time.Duration(n) * map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[parts[2]]
	return now.Add(d), err == nil && d <= lifeUnset
}
