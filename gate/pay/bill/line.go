package bill

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"github.com/moongate-hub/moongate"
)

const maxLine = 64 << 10

// lines reads a text line by line, as UTF-8.
type lines struct {
	in   *bufio.Reader
	gbk  transform.Transformer // nil for UTF-8
	wide []byte                // a line after it was decoded
	n    int                   // of the line last read
}

func newLines(in *bufio.Reader, encoding string) lines {
	l := lines{in: in}
	if encoding == gbk {
		l.gbk, l.wide = simplifiedchinese.GBK.NewDecoder(), make([]byte, 3*maxLine)
	}
	return l
}

var (
	errLong     = fmt.Errorf("line is longer than %d bytes", maxLine)
	errEncoding = errors.New("line is not in the encoding of those before it")
)

// read gives the next line without its end. The error is io.EOF at the end of the file, after the last line.
func (l *lines) read() (string, error) {
	line, err := l.pass()
	return string(line), err
}

// pass is read for who is done with the line before the next one is read: nothing is kept of it.
func (l *lines) pass() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.n++
		return nil, errLong
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, err
	}
	l.n++
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
	if l.gbk != nil {
		if line, err = l.decode(line); err != nil {
			return nil, err
		}
	}
	if !utf8.Valid(line) {
		return nil, errEncoding
	}
	return line, nil
}

// decode turns a line of GBK into UTF-8. Bytes that are no GBK would become replacement characters.
func (l *lines) decode(line []byte) ([]byte, error) {
	l.gbk.Reset()
	n, read, err := l.gbk.Transform(l.wide, line, true)
	if err != nil || read != len(line) || bytes.ContainsRune(l.wide[:n], utf8.RuneError) {
		return nil, errEncoding
	}
	return l.wide[:n], nil
}

// line reads a line of the bill. The end of the file is an error that says what is missing, or io.EOF where nothing is.
func (b *Bill) line(missing string) (string, error) {
	line, err := b.pass(missing)
	return string(line), err
}

// pass is line for who is done with it before the next one is read.
func (b *Bill) pass(missing string) ([]byte, error) {
	line, err := b.lines.pass()
	switch {
	case err == nil:
		return line, nil
	case errors.Is(err, io.EOF) && missing == "":
		return nil, io.EOF
	case errors.Is(err, io.EOF):
		return nil, b.bad("", "", missing)
	}
	return nil, b.bad("", "", readFault(err))
}

// readFault says for people why a file cannot be read on.
func readFault(err error) string {
	if errors.Is(err, errLong) || errors.Is(err, errEncoding) {
		return err.Error()
	}
	return "the file breaks off: " + err.Error()
}

// words are what a column says in many rows: they are kept once.
type words map[string]string

// maxWords bounds them: a column that says something else in every row is none of words.
const maxWords = 64

// of gives a cell as a string.
func (w words) of(cell []byte) string {
	if known, ok := w[string(cell)]; ok {
		return known
	}
	word := string(cell)
	if len(w) < maxWords && len(word) <= maxWords {
		w[word] = word
	}
	return word
}

// bad is a fault at the line last read.
func (b *Bill) bad(column, cell, why string) error { return fault(b.lines.n, column, cell, why) }

func fault(line int, column, cell, why string) error {
	e := &moongate.Error{Code: moongate.Malformed, Field: fmt.Sprintf("line %d", line), Message: why, Hint: "download the bill again; a bill is used whole or not at all"}
	if column != "" {
		e.Field += ", " + column
	}
	if cell != "" {
		e.Message = fmt.Sprintf("%.80q %s", cell, why)
	}
	return e
}
