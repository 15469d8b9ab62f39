package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

type payVerb struct {
	Bill        payBill        `cmd:"" help:"Check and read a wallet's bill: rows, sums and hash. Needs no hub."`
	Capture     payCapture     `cmd:"" help:"Take what a wallet has reserved for a payment, all of it or a part; for its merchant."`
	Release     payRelease     `cmd:"" help:"Give an authorised payment up: what is reserved goes back to the shopper; for its merchant."`
	Reconcile   payReconcile   `cmd:"" help:"Have a running hub take in a wallet's bill and hold it against its books; for operators."`
	Differences payDifferences `cmd:"" help:"List where bills and books differ, newest first; for operators."`
	Settle      paySettle      `cmd:"" help:"Settle differences, and say why; for operators."`
}

type payBill struct {
	Files []string `arg:"" name:"file" help:"Bills as the wallets made them: text, gzip or zip; - is standard input."`
	Hash  string   `help:"What the wallet published beside the bill, like sha1:dcd7ceb3…; the bill must have it." placeholder:"ALGORITHM:DIGEST"`
	Rows  bool     `help:"List the rows, too."`
}

// readBill is what is said of one bill. Entries stand before it where they are asked for: they are not kept.
type readBill struct {
	File     string        `json:"file"`
	Wallet   string        `json:"wallet"`
	Kind     bill.Kind     `json:"kind"`
	Layout   string        `json:"layout,omitempty"`
	Encoding string        `json:"encoding,omitempty"`
	Packed   string        `json:"packed,omitempty"`
	Account  string        `json:"account,omitempty"`
	From     moongate.Time `json:"from,omitzero"`
	To       moongate.Time `json:"to,omitzero"`
	Sealed   bool          `json:"sealed"` // it ends in sums of its own, or has the hash that was expected
	Hash     string        `json:"hash,omitempty"`
	Rows     int64         `json:"rows"`
	Totals   bill.Totals   `json:"totals"` // by currency, in minor units; fees in thousandths of one
	Problems []*problem    `json:"problems"`
	Advice   string        `json:"advice,omitempty"`
}

type problem struct {
	Where   string `json:"where,omitempty"` // line and column, the sum, or the hash
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (v payBill) Run(e *env) error {
	if v.Hash != "" && len(v.Files) != 1 {
		return &moongate.Error{Code: moongate.Malformed, Field: "--hash", Message: fmt.Sprintf("one hash for %d bills", len(v.Files)), Hint: "check them one by one"}
	}
	out := bufio.NewWriter(e.out)
	bad := false
	for i, file := range v.Files {
		if i > 0 && !e.json {
			fmt.Fprintln(out)
		}
		r, err := v.read(e, file, out)
		if err == nil {
			err = r.write(e, out, v.Rows)
		}
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			return err
		}
		bad = bad || len(r.Problems) > 0
	}
	if bad {
		return errSilent
	}
	return nil
}

// read reads one bill to its end. Problems are no errors: they are what it found.
func (v payBill) read(e *env, file string, out *bufio.Writer) (*readBill, error) {
	r := &readBill{File: file, Totals: bill.Totals{}, Problems: []*problem{}}
	if v.Rows && e.json {
		fmt.Fprint(out, "{\n  \"entries\": [")
	}
	in := e.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			r.fail(&moongate.Error{Code: moongate.NotFound, Message: err.Error(), Hint: "check the path"})
			return r, nil
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	digest := sha256.New()
	b, err := bill.Open(in, bill.Options{Hash: v.Hash, Digest: digest, Brief: !v.Rows})
	if err != nil {
		r.fail(err)
		return r, nil
	}
	p := e.progress("rows", 0)
	defer p.done()
	var row bill.Row
	for err == nil {
		if err = b.Next(&row); err == nil && v.Rows {
			r.row(e, out, &row, b.Rows() == 1)
		}
		if b.Rows()%1024 == 0 {
			p.at(b.Rows())
			if err == nil {
				err = e.ctx.Err()
			}
		}
	}
	if e.ctx.Err() != nil {
		return nil, e.ctx.Err()
	}
	h := b.Head()
	r.Wallet, r.Kind, r.Layout, r.Encoding, r.Packed, r.Account, r.From, r.To = h.Wallet, h.Kind, h.Layout, h.Encoding, h.Packed, h.Account, h.From, h.To
	r.Sealed, r.Advice, r.Rows, r.Totals = h.Sealed || v.Hash != "", h.Advice, b.Rows(), b.Totals()
	if errors.Is(err, io.EOF) {
		r.Hash = "sha256:" + hex.EncodeToString(digest.Sum(nil))
	} else {
		r.fail(err)
	}
	return r, nil
}

// fail notes what is wrong, each thing for itself.
func (r *readBill) fail(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			r.fail(one)
		}
		return
	}
	var e *moongate.Error
	if !errors.As(err, &e) {
		e = &moongate.Error{Message: err.Error()}
	}
	r.Problems = append(r.Problems, &problem{e.Field, e.Message, e.Hint})
}

// row lists one row while it passes.
func (r *readBill) row(e *env, out *bufio.Writer, row *bill.Row, first bool) {
	if e.json {
		text, err := json.Marshal(row)
		if err != nil {
			text = []byte("null") // no field of a row fails
		}
		separator := ",\n    "
		if first {
			separator = "\n    "
		}
		_, _ = out.WriteString(separator)
		_, _ = out.Write(text)
		return
	}
	places, _ := row.Currency.Exponent()
	no := row.No
	if no == "" {
		no = row.Ref
	}
	fmt.Fprintf(out, "%8d  %s  %-8s  %-32s  %s %16s  %14s  %s\n", row.Line, row.At.Go().In(walletZone).Format(time.DateTime), row.Kind, no,
		row.Currency, amount(row.Amount, places), milli(row.Fee, places), row.State)
}

// walletZone is that of the bills' days.
var walletZone = time.FixedZone("CST", 8*3600)

// milli writes thousandths of a minor unit, without decimals that are zero beyond the minor unit's own.
func milli(n int64, places int) string {
	text := amount(n, places+3)
	for range 3 {
		if !strings.HasSuffix(text, "0") {
			break
		}
		text = strings.TrimSuffix(text, "0")
	}
	return strings.TrimSuffix(text, ".")
}

func (r *readBill) write(e *env, out *bufio.Writer, entries bool) error {
	if e.json {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if entries {
			text = append([]byte("\n  ],"), text[1:]...)
		}
		_, err = out.Write(append(text, '\n'))
		return err
	}
	t := newTerminal(e.out)
	t.w = out
	mark := t.green("✓")
	if len(r.Problems) > 0 {
		mark = t.red("✗")
	}
	t.line("%s %s: %s", mark, t.bold(r.File), r.what())
	r.sums(t)
	if r.Hash != "" {
		t.line("  %s", t.dim(r.Hash))
	}
	if r.Wallet != "" && !r.Sealed {
		t.line("  It has no sums of its own: whether rows are missing at its end cannot be told without a hash (--hash).")
	}
	for _, p := range r.Problems {
		where := ""
		if p.Where != "" {
			where = p.Where + ": "
		}
		t.line("  %s %s%s", t.red("✗"), where, p.Message)
		if p.Hint != "" {
			t.line("    %s", p.Hint)
		}
	}
	if r.Advice != "" {
		t.line("  %s", r.Advice)
	}
	return t.err
}

// what says in a line which bill it is.
func (r *readBill) what() string {
	if r.Wallet == "" {
		return "cannot be read"
	}
	names := map[bill.Kind]string{bill.Trade: "trade bill", bill.Fund: "fund bill", bill.Personal: "personal export"}
	text := r.Wallet + " " + names[r.Kind]
	if r.Layout != "" {
		text += " (" + r.Layout + ")"
	}
	if r.Account != "" {
		text += " of " + r.Account
	}
	if r.From != 0 {
		text += ", " + r.From.Go().In(walletZone).Format(time.DateOnly)
		if last := r.To - moongate.Second; r.To-r.From > moongate.Day {
			text += " to " + last.Go().In(walletZone).Format(time.DateOnly)
		}
	}
	rows := count(r.Rows) + " rows"
	if r.Rows == 1 {
		rows = "1 row"
	}
	return fmt.Sprintf("%s, %s, %s", text, rows, strings.TrimSpace(r.Packed+" "+r.Encoding))
}

// sums prints what the rows come to, currency by currency.
func (r *readBill) sums(t *terminal) {
	byCode := func(a, b money.Currency) int { return strings.Compare(a.String(), b.String()) }
	var rows [][]string
	for _, c := range slices.SortedFunc(maps.Keys(r.Totals), byCode) {
		s := r.Totals[c]
		places, _ := c.Exponent()
		for k := bill.Payment; k <= bill.Neutral; k++ {
			if sum := s.Of(k); sum.Rows > 0 {
				rows = append(rows, []string{"  " + k.String(), count(sum.Rows), amount(sum.Amount, places), c.String()})
			}
		}
		if r.Kind == bill.Personal {
			continue
		}
		rows = append(rows, []string{"  wallet's fee", "", milli(s.Fee, places), c.String()}, []string{"  moved", "", amount(s.Settled, places), c.String()})
	}
	if len(rows) > 0 {
		t.table([]align{left, right, right, left}, []string{"", "rows", "amount", ""}, rows)
	}
}
