package bill

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
)

// Wallets in China write their times without a zone: theirs.
const (
	beijing = 8 * moongate.Hour
	utc     = moongate.Time(0)
)

// text is what a cell is: a string that lasts, or bytes that are there until the next line is read.
type text interface{ string | []byte }

// time reads a time such as 2021-01-28 17:07:11, so many hours ahead of UTC.
func (b *Bill) time(to *moongate.Time, column, cell string, ahead moongate.Time) error {
	return readTime(b, to, column, cell, ahead)
}

func readTime[T text](b *Bill, to *moongate.Time, column string, cell T, ahead moongate.Time) error {
	t, ok := parseTime(cell)
	if !ok {
		return b.bad(column, string(cell), "is not a time like 2021-01-28 17:07:11")
	}
	*to = t - ahead
	return nil
}

// parseTime reads exactly YYYY-MM-DD hh:mm:ss, a day that is in the calendar. It is here because a bill has a million
// of them.
func parseTime[T text](s T) (moongate.Time, bool) {
	if len(s) != len("2006-01-02 15:04:05") || s[4] != '-' || s[7] != '-' || s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	ok := true
	two := func(at int) int {
		tens, ones := s[at]-'0', s[at+1]-'0'
		ok = ok && tens <= 9 && ones <= 9
		return int(tens)*10 + int(ones)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if !ok || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	days := daysBefore(year, month) + day - 1
	return moongate.Time(days)*moongate.Day + moongate.Time(hour*3600+minute*60+second)*moongate.Second, true
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysBefore counts the days from 1970 to the first of a month. The year begins in March, so that the leap day is its
// last (Howard Hinnant, chrono-compatible low-level date algorithms).
func daysBefore(year, month int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	of := year - era*400
	return era*146097 + of*365 + of/4 - of/100 + (153*(month-3)+2)/5 - 719468
}

// number reads a decimal with at most so many places into a whole number of the smallest unit, exactly.
func (b *Bill) number(to *int64, column, cell string, most int) error {
	return readNumber(b, to, column, cell, most)
}

func readNumber[T text](b *Bill, to *int64, column string, cell T, most int) error {
	n, ok := parseNumber(cell, most)
	if !ok {
		if most == 0 {
			return b.bad(column, string(cell), "is not a whole number")
		}
		return b.bad(column, string(cell), fmt.Sprintf("is not a number with at most %d decimals", most))
	}
	*to = n
	return nil
}

// parseNumber reads digits, at most one point with digits on both sides, perhaps after a minus. 18 digits at most, so
// that no step overflows.
func parseNumber[T text](s T, most int) (int64, bool) {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	var n int64
	point, digits := -1, 0
	for i := range len(s) {
		if d := s[i] - '0'; d <= 9 {
			n = n*10 + int64(d)
			digits++
			continue
		}
		if s[i] != '.' || point >= 0 || i == 0 || i == len(s)-1 {
			return 0, false
		}
		point = i
	}
	places := 0
	if point >= 0 {
		places = len(s) - point - 1
	}
	if digits == 0 || places > most || digits+most-places > 18 {
		return 0, false
	}
	for ; places < most; places++ {
		n *= 10
	}
	if negative {
		n = -n
	}
	return n, true
}

// decimal writes so many of the smallest unit with so many places.
func decimal(n int64, most int) string {
	if most == 0 {
		return strconv.FormatInt(n, 10)
	}
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	text := fmt.Sprintf("%0*d", most+1, n)
	return sign + text[:len(text)-most] + "." + text[len(text)-most:]
}

// ticked splits a line of which every cell stands after a backtick. A cell may hold commas and is never quoted, so the
// mark between cells is comma and backtick. The cells are there as long as the line.
func ticked(line []byte, cells [][]byte) ([][]byte, bool) {
	cells = cells[:0]
	if len(line) == 0 || line[0] != '`' {
		return cells, false
	}
	line = line[1:]
	for from := 0; ; {
		at := bytes.IndexByte(line[from:], '`')
		if at < 0 {
			return append(cells, line), true
		}
		if from += at; from == 0 || line[from-1] != ',' {
			from++ // it stands within a cell
			continue
		}
		cells = append(cells, line[:from-1])
		line, from = line[from+1:], 0
	}
}

// csv splits a line of comma-separated values (RFC 4180), with what wallets make of it: a quote counts only at the
// beginning of a cell, and blanks around a cell do not. The line is open where a quote was not closed: the cell goes on
// in the next line.
func csv(text string, cells []string) (_ []string, open bool) {
	cells = cells[:0]
	for {
		start := strings.TrimLeft(text, " \t")
		if !strings.HasPrefix(start, `"`) {
			cell, rest, more := strings.Cut(text, ",")
			cells = append(cells, strings.Trim(cell, " \t"))
			if !more {
				return cells, false
			}
			text = rest
			continue
		}
		cell, rest, closed := unquote(start[1:])
		if !closed {
			return cells, true
		}
		cells = append(cells, strings.Trim(cell, " \t"))
		junk, next, more := strings.Cut(rest, ",")
		if strings.Trim(junk, " \t") != "" {
			cells[len(cells)-1] += junk // what follows a closing quote belongs to the cell: nothing is dropped in silence
		}
		if !more {
			return cells, false
		}
		text = next
	}
}

// unquote reads a quoted cell up to its closing quote.
func unquote(text string) (cell, rest string, closed bool) {
	end := strings.IndexByte(text, '"')
	if end < 0 {
		return "", "", false
	}
	if !strings.HasPrefix(text[end+1:], `"`) {
		return text[:end], text[end+1:], true
	}
	var b strings.Builder
	for {
		b.WriteString(text[:end])
		text = text[end+1:]
		if !strings.HasPrefix(text, `"`) {
			return b.String(), text, true
		}
		b.WriteByte('"')
		text = text[1:]
		if end = strings.IndexByte(text, '"'); end < 0 {
			return "", "", false
		}
	}
}

// record reads a line of comma-separated values, and those into which its cells go on.
func (b *Bill) record(text string, cells []string) ([]string, error) {
	cells, open := csv(text, cells)
	for open {
		more, err := b.line("a quoted cell does not end: the file is cut short")
		if err != nil {
			return nil, err
		}
		if len(text)+len(more) >= maxLine {
			return nil, b.bad("", "", errLong.Error())
		}
		text += "\n" + more
		cells, open = csv(text, cells)
	}
	return cells, nil
}

// column finds a column by its name in a header, -1 where there is none.
func column(names []string, want string) int {
	for i, n := range names {
		if n == want {
			return i
		}
	}
	return -1
}

// needs sees that a header has the columns without which nothing can be read.
func (b *Bill) needs(names []string, format string, needed ...string) error {
	for _, name := range needed {
		if column(names, name) < 0 {
			return b.bad("", "", fmt.Sprintf(format, name))
		}
	}
	return nil
}

// plain takes the unit and the kinds of brackets out of a column's name: 订单金额（元） and 订单金额(元) are 订单金额.
func plain(name string) string {
	name = strings.NewReplacer("（", "(", "）", ")", "＋", "+", "－", "-", " ", "").Replace(name)
	for _, unit := range []string{"(元)", "(+元)", "(-元)"} {
		name = strings.TrimSuffix(name, unit)
	}
	return name
}
