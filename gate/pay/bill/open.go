package bill

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // what WeChat Pay publishes beside a bill, signed
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
)

// Encodings, as [Head.Encoding] names them.
const (
	utf8Name = "utf-8"
	gbk      = "gbk"
)

const (
	maxText    = 4 << 30 // bytes of a bill, unpacked
	maxEntries = 16      // files in an archive
	sniffed    = 8 << 10 // bytes by which the encoding is told
)

// Options of reading a bill.
type Options struct {
	// Hash is what the wallet published beside the bill: an algorithm, sha1 or sha256, and the digest of the unpacked
	// text in hexadecimal, such as "sha1:dcd7…". A bill with another is not used.
	Hash string
	// Digest, where it is not nil, is fed with the unpacked text as it is read, and has all of it at the end.
	Digest hash.Hash
	// Brief leaves out of the rows what is for people to read: title, tag, rate, type and the sub-merchant's number. Not
	// every format can.
	Brief bool
}

var errUnknown = advise("this is no bill that is known here", "give the file as the wallet made it: WeChat Pay's trade or fund-flow bill, Alipay's archive or the details out of it, or Stripe's itemised balance report as CSV")

// Open reads as far as it takes to tell what the bill is.
//
// A zip archive is read from its end, so it must come from something that can seek (a file, [bytes.Reader],
// [io.SectionReader]). The error is refused, with advice, for what is no bill; malformed for one that is altered.
func Open(r io.Reader, o Options) (*Bill, error) {
	b := &Bill{totals: Totals{}, brief: o.Brief}
	if err := b.expect(o); err != nil {
		return nil, err
	}
	if err := b.unpack(r); err != nil {
		return nil, err
	}
	return b, nil
}

// unpack finds the text in what was given, and opens it.
func (b *Bill) unpack(r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLine)
	magic, _ := in.Peek(4) // what is shorter is no archive
	switch {
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")), bytes.HasPrefix(magic, []byte("PK\x05\x06")):
		return b.openZip(r)
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return fault(0, "", "", "the file is not gzip: "+err.Error())
		}
		b.head.Packed = "gzip"
		return b.openText(unpacked)
	}
	return b.openText(in)
}

// expect prepares what watches the text as it is read.
func (b *Bill) expect(o Options) error {
	if o.Hash == "" && o.Digest == nil {
		return nil
	}
	b.seal = &seal{also: o.Digest}
	if o.Hash == "" {
		return nil
	}
	name, digest, _ := strings.Cut(o.Hash, ":")
	want, err := hex.DecodeString(digest)
	switch strings.ToLower(name) {
	case "sha1":
		b.seal.hash = sha1.New() //nolint:gosec // see the import
	case "sha256":
		b.seal.hash = sha256.New()
	}
	if err != nil || b.seal.hash == nil || len(want) != b.seal.hash.Size() {
		return &moongate.Error{Code: moongate.Malformed, Field: "hash", Message: fmt.Sprintf("%.80q is no digest", o.Hash), Hint: "write sha1: or sha256: and the digest in hexadecimal"}
	}
	b.seal.want, b.seal.name = want, name
	return nil
}

// seal computes digests of a text while it is read.
type seal struct {
	hash hash.Hash // nil where none is expected
	also hash.Hash // nil where nobody asked
	want []byte
	name string
}

func (s *seal) Write(p []byte) (int, error) {
	for _, h := range [2]hash.Hash{s.hash, s.also} {
		if h != nil {
			_, _ = h.Write(p) // never fails
		}
	}
	return len(p), nil
}

func (s *seal) check() error {
	if s.hash == nil {
		return nil
	}
	if got := s.hash.Sum(nil); subtle.ConstantTimeCompare(got, s.want) != 1 {
		return &moongate.Error{
			Code: moongate.Malformed, Field: "hash", Message: fmt.Sprintf("the file has %s:%x, and %s:%x is expected: it is altered or cut short", s.name, got, s.name, s.want),
			Hint: "download the bill again; a bill is used whole or not at all",
		}
	}
	return nil
}

// openText tells the encoding, and which bill it is by its first line.
func (b *Bill) openText(r io.Reader) error {
	r = &limited{r: r, left: maxText}
	if b.seal != nil {
		r = io.TeeReader(r, b.seal)
	}
	in := bufio.NewReaderSize(r, maxLine)
	start, err := in.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return fault(0, "", "", readFault(err))
	}
	switch {
	case len(start) == 0:
		return fault(0, "", "", "the file is empty")
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		b.head.Encoding = utf8Name
		_, _ = in.Discard(3) // it is there
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return advise("the text is UTF-16, as a spreadsheet writes it", "give the file as the wallet made it, unopened")
	case bytes.IndexByte(start, 0) >= 0:
		return errUnknown
	case utf8.Valid(whole(start)):
		b.head.Encoding = utf8Name
	default:
		b.head.Encoding = gbk
	}
	b.lines = newLines(in, b.head.Encoding)
	text, err := b.line("the file is empty")
	if err != nil {
		return err
	}
	switch {
	case isTrade(text):
		return b.openTrade(text)
	case strings.HasPrefix(text, fundNames[0]+","):
		return b.openFund(text)
	case strings.HasPrefix(text, "#"):
		return b.openAlipay(text)
	case isStripe(text):
		return b.openStripe(text)
	}
	return b.openPersonal(text)
}

// whole cuts a rune off that the end of the buffer has cut.
func whole(text []byte) []byte {
	for n := range min(utf8.UTFMax, len(text)) {
		if utf8.RuneStart(text[len(text)-1-n]) {
			if !utf8.FullRune(text[len(text)-1-n:]) {
				return text[:len(text)-1-n]
			}
			break
		}
	}
	return text
}

// limited reads no more than a bill may have.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("it has more than %d GiB", maxText>>30)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// openZip finds the details and the summary in Alipay's archive, whatever their names are written in.
func (b *Bill) openZip(r io.Reader) error {
	at, size, ok := seekable(r)
	if !ok {
		return advise("an archive cannot be read from a stream: its index is at its end", "save it as a file, or unpack it")
	}
	archive, err := zip.NewReader(at, size)
	if err != nil {
		return fault(0, "", "", "the archive is damaged or cut short: "+err.Error())
	}
	if len(archive.File) > maxEntries {
		return advise(fmt.Sprintf("the archive has %d files", len(archive.File)), "give one bill's archive, as the wallet made it")
	}
	var details, summary *zip.File
	for _, f := range archive.File {
		switch {
		case f.FileInfo().IsDir():
			continue
		case f.Flags&1 != 0:
			return advise("the archive is encrypted", "unpack it with the password that the wallet sent, and give the file in it")
		case strings.HasPrefix(f.Name, "xl/"):
			return advise("this is a spreadsheet", "give the file as the wallet made it; a person's export can be saved as CSV to look at it")
		}
		title, err := firstLine(f)
		if err != nil {
			return fault(0, "", "", fmt.Sprintf("file %.80q in the archive: %v", f.Name, err))
		}
		switch {
		case strings.Contains(title, alipaySummary), strings.Contains(title, alipayBalances):
			summary = f
		case details != nil:
			return advise("the archive has two files with details", "unpack it, and give them one by one")
		default:
			details = f
		}
	}
	if details == nil {
		return errUnknown
	}
	text, err := details.Open()
	if err != nil {
		return fault(0, "", "", "the archive is damaged: "+err.Error())
	}
	b.head.Packed = "zip"
	if err := b.openText(text); err != nil {
		return err
	}
	if summary != nil {
		b.after = func() error { return b.withSummary(summary) }
	}
	return nil
}

func (b *Bill) withSummary(f *zip.File) error {
	text, err := f.Open()
	if err != nil {
		return fault(0, "", "", "the archive is damaged: "+err.Error())
	}
	defer func() { _ = text.Close() }() // read only
	s := &Bill{}
	s.lines = newLines(bufio.NewReaderSize(&limited{r: text, left: maxText}, maxLine), b.head.Encoding)
	return b.alipayTotals(s)
}

// firstLine reads the beginning of a file in an archive, decoded.
func firstLine(f *zip.File) (string, error) {
	text, err := f.Open()
	if err != nil {
		return "", err
	}
	defer func() { _ = text.Close() }() // read only
	start := make([]byte, 256)
	n, err := io.ReadFull(text, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	start, _, _ = bytes.Cut(start[:n], []byte("\n"))
	encoding := gbk
	if utf8.Valid(whole(start)) {
		encoding = utf8Name
	}
	l := newLines(bufio.NewReader(bytes.NewReader(start)), encoding)
	line, err := l.read()
	if errors.Is(err, io.EOF) || errors.Is(err, errEncoding) {
		return "", nil
	}
	return line, err
}

// seekable tells whether something can be read from its end, and how large it is.
func seekable(r io.Reader) (io.ReaderAt, int64, bool) {
	at, ok := r.(io.ReaderAt)
	if !ok {
		return nil, 0, false
	}
	if sized, ok := r.(interface{ Size() int64 }); ok {
		return at, sized.Size(), true
	}
	s, ok := r.(io.Seeker)
	if !ok {
		return nil, 0, false
	}
	size, err := s.Seek(0, io.SeekEnd)
	return at, size, err == nil
}
