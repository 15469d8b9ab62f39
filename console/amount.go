package console

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

// text is an amount inside a sentence: "1,234.50 CNY", with a space that does not break.
func text(a money.Amount) string {
	if a.Currency.IsZero() {
		return ""
	}
	return a.Figures() + "\u00a0" + a.Currency.String()
}

// symbol is a currency's sign as shoppers write it, the code where it has none. The cashier names the code beside it.
func symbol(c money.Currency) string {
	switch c {
	case money.CNY, money.JPY:
		return "¥"
	case money.USD:
		return "$"
	case money.EUR:
		return "€"
	case money.GBP:
		return "£"
	case money.BRL:
		return "R$"
	}
	return c.String()
}

// figure is an amount with its currency, to stand in a column; an amount of no currency is a dash.
func figure(a money.Amount) template.HTML { return column(a, "") }

// signed shows a plus where something comes in.
func signed(a money.Amount) template.HTML {
	if a.Minor > 0 {
		return column(a, "+")
	}
	return column(a, "")
}

func column(a money.Amount, sign string) template.HTML {
	if a.Currency.IsZero() {
		return `<span class="none">–</span>`
	}
	class := "money"
	if a.Minor < 0 {
		class = "money minus"
	}
	return template.HTML(fmt.Sprintf(`<span class="%s">%s%s<small>&nbsp;%s</small></span>`, //nolint:gosec // escaped
		class, sign, a.Figures(), template.HTMLEscapeString(a.Currency.String())))
}

// groupDigits sets commas between thousands; a leading hyphen becomes a true minus.
func groupDigits(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "−", s[1:]
	}
	var b strings.Builder
	for i, d := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}
