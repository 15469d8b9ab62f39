package money

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/moongate-hub/moongate"
)

// UnmarshalJSON reads {"minor":1999,"currency":"CNY"} and nothing else: both members, once each, in any order, spelled
// exactly, no others; minor is an integer literal that fits 64 bits, not 19.99, not 2e3, not "1999".
func (a *Amount) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return badJSON("", fmt.Sprintf("%.40q is not an amount", b))
	}
	var v Amount
	var minor, code bool
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return badJSON("", "the amount is not valid JSON")
		}
		value, err := d.Token()
		if err != nil {
			return badJSON("", "the amount is not valid JSON")
		}
		switch {
		case name == "minor" && !minor:
			number, ok := value.(json.Number)
			if !ok {
				return badJSON("minor", fmt.Sprintf("%.40q is not a number", fmt.Sprint(value)))
			}
			if v.Minor, err = strconv.ParseInt(string(number), 10, 64); err != nil || number == "-0" {
				return badJSON("minor", fmt.Sprintf("%.40s is not a whole number of minor units within 64 bits", number))
			}
			minor = true
		case name == "currency" && !code:
			text, ok := value.(string)
			if !ok {
				return badJSON("currency", fmt.Sprintf("%.40q is not a text", fmt.Sprint(value)))
			}
			if v.Currency, err = ParseCurrency(text); err != nil {
				return err
			}
			code = true
		case name == "minor" || name == "currency":
			return badJSON(fmt.Sprint(name), "the amount gives it twice")
		default:
			return badJSON("", fmt.Sprintf("an amount has no member %.40q", fmt.Sprint(name)))
		}
	}
	if _, err := d.Token(); err != nil {
		return badJSON("", "the amount is not valid JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badJSON("", "something follows the amount")
	}
	switch {
	case !minor:
		return badJSON("minor", "the amount does not give it")
	case !code:
		return badJSON("currency", "the amount does not give it")
	}
	*a = v
	return nil
}

func badJSON(field, message string) error {
	return &moongate.Error{
		Code: moongate.Malformed, Field: field, Message: message,
		Hint: `write {"minor":1999,"currency":"CNY"} for 19.99 yuan`,
	}
}
