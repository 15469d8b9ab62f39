package table_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/sim/table"
)

var columns = []table.Column{table.Col("id"), table.Col("Price", "UnitPrice"), table.Opt("note")}

func TestNext(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "id,Price,note\n1,2,three\n", "2[1 2 three]"},
		{"byte order mark and CR LF", "\xef\xbb\xbfid,Price,note\r\n1,2,three\r\n", "2[1 2 three]"},
		{"no end of the last line", "id,Price\n1,2", "2[1 2 ]"},
		{"columns in another order, spelled otherwise", "note,UNITPRICE,id\nthree,2,1\n", "2[1 2 three]"},
		{"quotes", "id,Price,note\n\"1\",2,\"a, \"\"b\"\"\"\n1,2,\"\"\n", `2[1 2 a, "b"] 3[1 2 ]`},
		{"an empty line is no line", "id,Price\n\n1,2\n\n\n3,4\n", "3[1 2 ] 6[3 4 ]"},
		{"one field too few", "id,Price\n1\n3,4\n", "2:the line has 1 fields, the header 2 3[3 4 ]"},
		{"one field too many", "id,Price\n1,2,3\n3,4\n", "2:the line has 3 fields, the header 2 3[3 4 ]"},
		{"a quote left open spoils one line", "id,Price\n\"1,2\n3,4\n", "2:the quote that opens field 1 is not closed on its line 3[3 4 ]"},
		{"a quote inside", "id,Price\n1,2\"\n3,4\n", "2:field 2 has a quote inside, but does not begin with one 3[3 4 ]"},
		{"text after a closing quote", "id,Price\n1,\"2\"3\n3,4\n", "2:field 2 goes on after its closing quote 3[3 4 ]"},
		{"a zero byte", "id,Price\n1,\x00\n3,4\n", "2:the line has a zero byte 3[3 4 ]"},
		{"a very long line", "id,Price\n1," + strings.Repeat("9", 3*table.MaxLine) + "\n3,4\n", "2:the line is longer than 65536 bytes 3[3 4 ]"},
		{"very many fields", "id,Price\n" + strings.Repeat(",", 1000) + "\n3,4\n", "2:the line has more than 64 fields 3[3 4 ]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab, err := table.New("orders.csv", strings.NewReader(c.in), columns)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, everything(t, tab)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHeader(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", "orders.csv: the file is empty; export it again; its first line names the columns: id,Price,note"},
		{"missing", "id,note\n", "orders.csv: the header has no column Price; the columns are id,Price,note"},
		{"unknown", "id,Price,discount\n", `orders.csv: column 3 is "discount", which this format does not have; take it out, or choose another format; the columns are id,Price,note`},
		{"twice", "id,Price,UnitPrice\n", `orders.csv: columns 2 and 3 are both "UnitPrice"; leave one of them`},
		{"UTF-16", "\xff\xfei\x00d\x00", "orders.csv: the file is UTF-16; save it as UTF-8"},
		{"not gzip after all", "\x1f\x8bxx", "orders.csv:1: the file cannot be read on: unexpected EOF; it is cut short or damaged; fetch it again"},
		{"not bzip2 after all", "BZhxyz", "orders.csv:1: the file cannot be read on: bzip2 data invalid: bad magic value; it is cut short or damaged; fetch it again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := table.New("orders.csv", strings.NewReader(c.in), columns)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if code := moongate.CodeOf(err); code != moongate.Malformed {
				t.Errorf("code %s", code)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.WriteString(z, "id,Price\n1,2\n"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{
		"plain.csv":     {Data: []byte("id,Price\n1,2\n")},
		"packed.csv.gz": {Data: packed.Bytes()},
		"both.csv":      {Data: []byte("id,Price\n1,2\n")},
		"both.csv.bz2":  {Data: []byte("id,Price\n1,2\n")},
		"cut.csv.gz":    {Data: packed.Bytes()[:packed.Len()-6]},
		"misnamed.csv":  {Data: packed.Bytes()},
	}
	for name, want := range map[string]string{
		"plain.csv":    "2[1 2 ]",
		"packed.csv":   "2[1 2 ]",
		"misnamed.csv": "2[1 2 ]",
		"both.csv":     "both.csv: it is there more than once: both.csv, both.csv.bz2; leave the one that counts",
		"none.csv":     "none.csv: there is no such file; the folder needs none.csv, none.csv.gz or none.csv.bz2",
		"cut.csv":      "2[1 2 ] cut.csv.gz:3: the file cannot be read on: unexpected EOF; it is cut short or damaged; fetch it again",
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			tab, file, err := table.Open(fsys, name, columns)
			if err != nil {
				got = err.Error()
			} else {
				defer file.Close()
				got = everything(t, tab)
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestReadErrorIsNotTheEnd(t *testing.T) {
	in := io.MultiReader(strings.NewReader("id,Price\n1,2\n3,"), iotest.ErrReader(errors.New("the disk is gone")))
	tab, err := table.New("orders.csv", in, columns)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := everything(t, tab), "2[1 2 ] orders.csv:3: the file cannot be read on: the disk is gone; it is cut short or damaged; fetch it again"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBad(t *testing.T) {
	tab, err := table.New("orders.csv", strings.NewReader("id,UnitPrice\n1,NaN\n"), columns)
	if err != nil {
		t.Fatal(err)
	}
	row, err := tab.Next()
	if err != nil {
		t.Fatal(err)
	}
	got := row.Bad(1, "is not a plain decimal number", "write it like 12.79").Error()
	if want := `orders.csv:2:Price: "NaN" is not a plain decimal number; write it like 12.79`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDecimal(t *testing.T) {
	const most = 1_000_000_00
	for _, c := range []struct {
		in     string
		places int
		want   int64
		why    string
	}{
		{"48.9", 2, 4890, ""},
		{"12", 2, 1200, ""},
		{"12.79", 2, 1279, ""},
		{"0", 2, 0, ""},
		{"0.00", 2, 0, ""},
		{"-3.5", 2, -350, ""},
		{"0.001", 4, 10, ""},
		{"007.5", 2, 750, ""},
		{"1000000.00", 2, most, ""},
		{"-1000000", 2, -most, ""},
		{"1000000.01", 2, 0, "is larger than any real one"},
		{"99999999999999999999999999", 2, 0, "is larger than any real one"},
		{strings.Repeat("0", 5000) + "1", 2, 100, ""},
		{"12.345", 2, 0, "has too many digits after the point"},
		{"", 2, 0, "is empty"},
		{".5", 2, 0, "is not a plain decimal number"},
		{"5.", 2, 0, "is not a plain decimal number"},
		{"-", 2, 0, "is not a plain decimal number"},
		{"--5", 2, 0, "is not a plain decimal number"},
		{"+5", 2, 0, "is not a plain decimal number"},
		{"1e3", 2, 0, "is not a plain decimal number"},
		{"1,5", 2, 0, "is not a plain decimal number"},
		{"1.2.3", 2, 0, "is not a plain decimal number"},
		{" 5", 2, 0, "is not a plain decimal number"},
		{"NaN", 2, 0, "is not a plain decimal number"},
		{"Inf", 2, 0, "is not a plain decimal number"},
		{"0x10", 2, 0, "is not a plain decimal number"},
		{"٣", 2, 0, "is not a plain decimal number"},
	} {
		got, why := table.Decimal(c.in, c.places, most)
		if got != c.want || why != c.why {
			t.Errorf("Decimal(%.40q, %d) = %d, %q; want %d, %q", c.in, c.places, got, why, c.want, c.why)
		}
	}
}

// FuzzTable holds the reader against encoding/csv: where that reads every line on its own, so do we, and alike.
func FuzzTable(f *testing.F) {
	f.Add([]byte("id,Price,note\n1,2,three\n"))
	f.Add([]byte("id,Price\r\n\"1\",\"a \"\"b\"\"\"\r\n\n\"open,2\n"))
	f.Add([]byte("\xef\xbb\xbfid,UnitPrice\n1,2"))
	f.Add([]byte("BZh91AY&SY"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		tab, err := table.New("f", bytes.NewReader(in), columns)
		if err != nil {
			return
		}
		for range 1 << 16 {
			row, err := tab.Next()
			var bad *table.RowError
			if errors.As(err, &bad) {
				continue
			}
			if err != nil {
				return
			}
			if len(row.Fields) != len(columns) {
				t.Fatalf("%d fields", len(row.Fields))
			}
			if bytes.HasPrefix(in, []byte("BZh")) || bytes.HasPrefix(in, []byte{0x1f, 0x8b}) {
				continue
			}
			line := bytes.Split(in, []byte("\n"))[row.Line-1]
			if bytes.Contains(line, []byte("\r")) {
				continue // encoding/csv changes those inside fields
			}
			theirs, err := csv.NewReader(bytes.NewReader(line)).Read()
			if err != nil {
				t.Fatalf("line %d: we read %q, encoding/csv says %v", row.Line, row.Fields, err)
			}
			joined := strings.Join(theirs, "\x00")
			for i, field := range row.Fields {
				if columns[i].Optional {
					continue
				}
				if !strings.Contains(joined, field) {
					t.Fatalf("line %d: field %q is not among %q", row.Line, field, theirs)
				}
			}
		}
	})
}

// everything writes all rows and errors of a table on one line.
func everything(t *testing.T, tab *table.Table) string {
	t.Helper()
	var got []string
	for range 1 << 20 {
		row, err := tab.Next()
		var bad *table.RowError
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(got, " ")
		case errors.As(err, &bad):
			got = append(got, strconv.Itoa(bad.Line)+":"+bad.Err.Message)
		case err != nil:
			return strings.Join(append(got, err.Error()), " ")
		default:
			got = append(got, strconv.Itoa(row.Line)+"["+strings.Join(row.Fields, " ")+"]")
		}
	}
	t.Fatal("the table does not end")
	return ""
}
