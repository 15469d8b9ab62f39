// Package table reads the tables in which shops export their orders: comma-separated text with a header (RFC 4180),
// plain or packed by gzip or bzip2, from sources that nobody vouches for.
//
// It is stricter than the RFC in one point: a record is one line, so a quote that is never closed spoils one line and
// not the rest of the file. It is wider in two: a byte order mark is skipped, and lines may end in LF or CR LF.
package table

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
)

const (
	// MaxLine is the most bytes a line may have. An order's line has some hundred.
	MaxLine = 64 << 10
	// MaxFields is the most columns a table may have.
	MaxFields = 64
)

// Column is one that a table may have. Anything else in the header is refused: a column we do not know (a discount, a
// currency) could change what the others mean.
type Column struct {
	Names    []string // spellings in headers, the usual one first
	Optional bool     // the table is readable without it; its fields are then ""
}

// Col is a column with its spellings that must be there.
func Col(names ...string) Column { return Column{Names: names} }

// Opt is a column with its spellings that may be missing.
func Opt(names ...string) Column { return Column{Names: names, Optional: true} }

// Table reads one file, line by line. It is not safe for concurrent use.
type Table struct {
	name    string
	lines   *bufio.Reader
	line    int
	columns []Column
	at      []int // where each of columns stands in the file; -1 where it is missing
	width   int   // fields of the header, and so of every line
	fields  []string
}

// Row is one line's fields, in the order of the columns asked for. The fields stay valid; the slice lasts until the
// next call of Next. A field kept for long should be cloned: it holds on to its whole line.
type Row struct {
	Line   int // as an editor counts, the header being 1
	Fields []string
	table  *Table
}

// RowError is a line that cannot be read. The table goes on with the next one, if the caller does.
type RowError struct {
	Line int
	Err  *moongate.Error
}

// Error names the file, the line and what is wrong.
func (e *RowError) Error() string { return e.Err.Error() }

// Unwrap gives the coded error.
func (e *RowError) Unwrap() error { return e.Err }

// New reads the header. The name stands in errors. Packed input is told by its first bytes, whatever its name.
func New(name string, r io.Reader, columns []Column) (*Table, error) {
	t := &Table{name: name, columns: columns}
	if err := t.unpack(r); err != nil {
		return nil, err
	}
	header, err := t.next()
	if errors.Is(err, io.EOF) {
		return nil, t.refuse("the file is empty", "export it again; its first line names the columns: "+t.wanted())
	}
	if err != nil {
		return nil, err
	}
	t.width = len(header)
	t.at = make([]int, len(columns))
	for i := range t.at {
		t.at[i] = -1
	}
	for pos, field := range header {
		field = strings.TrimSpace(field)
		i := slices.IndexFunc(columns, func(c Column) bool {
			return slices.ContainsFunc(c.Names, func(n string) bool { return strings.EqualFold(n, field) })
		})
		switch {
		case i < 0:
			return nil, t.refuse(fmt.Sprintf("column %d is %.60q, which this format does not have", pos+1, field), "take it out, or choose another format; the columns are "+t.wanted())
		case t.at[i] >= 0:
			return nil, t.refuse(fmt.Sprintf("columns %d and %d are both %.60q", t.at[i]+1, pos+1, field), "leave one of them")
		}
		t.at[i] = pos
	}
	for i, c := range columns {
		if t.at[i] < 0 && !c.Optional {
			return nil, t.refuse(fmt.Sprintf("the header has no column %s", c.Names[0]), "the columns are "+t.wanted())
		}
	}
	return t, nil
}

// Open reads the header of name in fsys, or of name.gz or name.bz2. Close the file when done.
func Open(fsys fs.FS, name string, columns []Column) (*Table, io.Closer, error) {
	var found []string
	for _, suffix := range []string{"", ".gz", ".bz2"} {
		if info, err := fs.Stat(fsys, name+suffix); err == nil && !info.IsDir() {
			found = append(found, name+suffix)
		}
	}
	switch len(found) {
	case 0:
		return nil, nil, &moongate.Error{Code: moongate.NotFound, Field: name, Message: "there is no such file", Hint: "the folder needs " + name + ", " + name + ".gz or " + name + ".bz2"}
	case 1:
	default:
		return nil, nil, &moongate.Error{Code: moongate.Conflict, Field: name, Message: "it is there more than once: " + strings.Join(found, ", "), Hint: "leave the one that counts"}
	}
	f, err := fsys.Open(found[0])
	if err != nil {
		return nil, nil, &moongate.Error{Code: moongate.NotFound, Field: name, Message: fmt.Sprintf("it cannot be opened: %v", err), Hint: "check that this user may read it"}
	}
	t, err := New(found[0], f, columns)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return t, f, nil
}

// Name is the file's, as errors give it.
func (t *Table) Name() string { return t.name }

// Next gives the next row; at the end the error is io.EOF. A [*RowError] concerns one line, and Next may be called
// again; any other error concerns the file, and reading is over.
func (t *Table) Next() (Row, error) {
	fields, err := t.next()
	if err != nil {
		return Row{}, err
	}
	if len(fields) != t.width {
		return Row{}, t.badRow(fmt.Sprintf("the line has %d fields, the header %d", len(fields), t.width), "a field with a comma in it needs quotes")
	}
	row := Row{Line: t.line, Fields: make([]string, len(t.columns)), table: t}
	for i, pos := range t.at {
		if pos >= 0 {
			row.Fields[i] = fields[pos]
		}
	}
	return row, nil
}

// Bad is the error for a field of the row: which file, line and column, the value, what is wrong and what to do.
func (r Row) Bad(column int, problem, hint string) *moongate.Error {
	return &moongate.Error{
		Code:    moongate.Malformed,
		Field:   fmt.Sprintf("%s:%d:%s", r.table.name, r.Line, r.table.columns[column].Names[0]),
		Message: fmt.Sprintf("%.60q %s", r.Fields[column], problem),
		Hint:    hint,
	}
}

// next splits the next line that is not empty.
func (t *Table) next() ([]string, error) {
	for {
		line, err := t.lines.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !tooLong && (len(line) == 0 || !errors.Is(err, io.EOF)) {
			return nil, t.ended(err) // a last line without its end is a line; one that broke off is not
		}
		t.line++
		if tooLong {
			if err := t.skipLine(); err != nil {
				return nil, err
			}
			return nil, t.badRow(fmt.Sprintf("the line is longer than %d bytes", MaxLine), "a line of an order export has some hundred; is this the right file?")
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(line) == 0 {
			continue
		}
		if bytes.IndexByte(line, 0) >= 0 {
			return nil, t.badRow("the line has a zero byte", "save the file as UTF-8 text")
		}
		return t.split(string(line))
	}
}

func (t *Table) skipLine() error {
	for {
		_, err := t.lines.ReadSlice('\n')
		switch {
		case err == nil || errors.Is(err, io.EOF):
			return nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return t.ended(err)
		}
	}
}

// split cuts a line into fields by RFC 4180.
func (t *Table) split(line string) ([]string, error) {
	fields := t.fields[:0]
	for rest, more := line, true; more; {
		if len(fields) == MaxFields {
			return nil, t.badRow(fmt.Sprintf("the line has more than %d fields", MaxFields), "an order export has some ten columns; is this the right file?")
		}
		var field string
		if !strings.HasPrefix(rest, `"`) {
			field, rest, more = strings.Cut(rest, ",")
			if strings.Contains(field, `"`) {
				return nil, t.badRow(fmt.Sprintf("field %d has a quote inside, but does not begin with one", len(fields)+1), `write "a ""word"" in quotes"`)
			}
		} else {
			end := closingQuote(rest)
			if end < 0 {
				return nil, t.badRow(fmt.Sprintf("the quote that opens field %d is not closed on its line", len(fields)+1), "close it; a field may not run over lines")
			}
			field = strings.ReplaceAll(rest[1:end], `""`, `"`)
			rest = rest[end+1:]
			if rest != "" && rest[0] != ',' {
				return nil, t.badRow(fmt.Sprintf("field %d goes on after its closing quote", len(fields)+1), `write "a ""word"" in quotes"`)
			}
			rest, more = strings.CutPrefix(rest, ",")
		}
		fields = append(fields, field)
	}
	t.fields = fields
	return fields, nil
}

// closingQuote finds the quote that closes a field beginning with one; doubled quotes stand for themselves.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 == len(s) || s[i+1] != '"' {
			return i
		}
		i++
	}
	return -1
}

// unpack puts the decompression in place that the first bytes ask for, and skips a byte order mark.
func (t *Table) unpack(r io.Reader) error {
	raw := bufio.NewReader(r)
	var plain io.Reader = raw
	switch head, _ := raw.Peek(3); { // shorter files and read errors show when the header is read
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return t.ended(err)
		}
		plain = z
	case string(head) == "BZh":
		plain = bzip2.NewReader(raw)
	}
	t.lines = bufio.NewReaderSize(plain, MaxLine)
	head, _ := t.lines.Peek(3)
	switch {
	case string(head) == "\xef\xbb\xbf":
		if _, err := t.lines.Discard(3); err != nil {
			return t.ended(err)
		}
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return t.refuse("the file is UTF-16", "save it as UTF-8")
	}
	return nil
}

func (t *Table) wanted() string {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.Names[0])
	}
	return strings.Join(names, ",")
}

func (t *Table) refuse(message, hint string) error {
	return &moongate.Error{Code: moongate.Malformed, Field: t.name, Message: message, Hint: hint}
}

func (t *Table) badRow(message, hint string) error {
	return &RowError{Line: t.line, Err: &moongate.Error{Code: moongate.Malformed, Field: fmt.Sprintf("%s:%d", t.name, t.line), Message: message, Hint: hint}}
}

// ended is io.EOF, or the error of a file that cannot be read on.
func (t *Table) ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return &moongate.Error{Code: moongate.Malformed, Field: fmt.Sprintf("%s:%d", t.name, t.line+1), Message: fmt.Sprintf("the file cannot be read on: %v", err), Hint: "it is cut short or damaged; fetch it again"}
}
