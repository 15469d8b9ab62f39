package agreement

import (
	"strings"

	"golang.org/x/text/width"
)

// cells is how many columns of a terminal a text takes: Chinese characters take two.
func cells(s string) int {
	n := 0
	for _, c := range s {
		n += cellsOf(c)
	}
	return n
}

func cellsOf(c rune) int {
	switch width.LookupRune(c).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// padRight and padLeft bring a text to a number of columns.
func padRight(s string, n int) string { return s + strings.Repeat(" ", max(0, n-cells(s))) }

func padLeft(s string, n int) string { return strings.Repeat(" ", max(0, n-cells(s))) + s }

// notFirst are characters that may not begin a line in Chinese.
const notFirst = "，。、；：！？）》」』”’%…"

// wrap breaks a text into lines of at most n columns: at blanks, and between Chinese characters.
func wrap(text string, n int) []string {
	var lines []string
	line, word := "", ""
	flush := func() {
		if cells(line)+cells(word) > n && line != "" {
			lines = append(lines, strings.TrimRight(line, " "))
			line, word = "", strings.TrimLeft(word, " ")
		}
		line, word = line+word, ""
	}
	before := ' '
	for _, c := range text {
		switch {
		case c == '\n':
			flush()
			lines, line, before = append(lines, strings.TrimRight(line, " ")), "", ' '
			continue
		case c == ' ', (cellsOf(c) == 2 || cellsOf(before) == 2) && !strings.ContainsRune(notFirst, c) && before != '（' && before != '“':
			flush()
		}
		word += string(c)
		before = c
	}
	flush()
	if line != "" {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}
