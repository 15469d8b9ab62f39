// Package bill reads the bills that wallets make of a day: WeChat Pay's trade bills (ALL, SUCCESS, REFUND) and fund-flow
// bills, Alipay's business and account details, Stripe's itemised balance report. It also recognises what wallets export
// for a person, which lists the person's own spending and is no merchant's bill.
//
// [Open] tells wallet, kind and encoding by the content alone: plain text, gzip or Alipay's zip; UTF-8 with or without a
// byte order mark, or GBK. [Bill.Next] then gives row after row in memory that does not grow with the file.
//
// A bill is used whole or not at all. Only when Next has returned [io.EOF] did every row read, and does the bill's own
// summary hold, row for row and sum for sum, and the hash, where one is expected. Any other error names the line and
// column, or the sum that does not hold. A balance report of Stripe has no summary ([Head.Sealed] is false): without a
// hash nobody can tell that its last rows are missing.
//
// Amounts are whole minor units, and fees thousandths of one: WeChat Pay writes five decimals of a yuan.
package bill

import (
	"errors"
	"io"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Kind is what a bill lists.
type Kind string

// Kinds of bills.
const (
	Trade    Kind = "trade"    // a merchant's orders and refunds
	Fund     Kind = "fund"     // every movement of a merchant's account
	Personal Kind = "personal" // what a person spent and got: to look at, never to reconcile
)

// Head is what a bill says of itself.
type Head struct {
	Wallet   string        // kind of wallet: wechatpay, alipay, stripe; of personal exports also jd and meituan
	Kind     Kind          //
	Layout   string        // where a kind has several: all, success and refund of WeChat Pay's trade bills
	Encoding string        // utf-8 or gbk
	Packed   string        // gzip, zip or ""
	Account  string        // the merchant's number, where the head says it, or every row
	From, To moongate.Time // the period, To exclusive, where the head says it
	Sealed   bool          // it ends in a summary, so that a part of it is not taken for the whole
	Advice   string        // what to do with it instead, where it is no merchant's bill
}

// RowKind is what a row is about.
type RowKind uint8

// Kinds of rows. The last three are those of personal exports.
const (
	Payment  RowKind = iota + 1 // a shopper paid
	Refund                      // money went back to a shopper
	Fee                         // the wallet took a fee, or gave one back, as a movement of its own
	Split                       // a part went to another account, or came back from it (分账, 分润)
	Dispute                     // a shopper contests a payment, or no longer does
	Transfer                    // to or from the account's owner: paid out, topped up
	Other                       // the wallet calls it something else; see [Row.Type]
	Income
	Expense
	Neutral
)

var rowKinds = [...]string{
	Payment: "payment", Refund: "refund", Fee: "fee", Split: "split", Dispute: "dispute", Transfer: "transfer", Other: "other",
	Income: "income", Expense: "expense", Neutral: "neutral",
}

// String is the name, such as "payment".
func (k RowKind) String() string {
	if int(k) < len(rowKinds) {
		return rowKinds[k]
	}
	return ""
}

// MarshalText writes the name.
func (k RowKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Row is one line of a bill. Amounts are minor units, negative where money leaves the account. Who paid is read over,
// not kept.
type Row struct {
	Line     int            `json:"line"` // in the file, the first is 1
	Kind     RowKind        `json:"kind"`
	At       moongate.Time  `json:"at"`                  // by the wallet: of the payment, or of the asking for a refund
	Done     moongate.Time  `json:"done,omitzero"`       // when a refund had reached the shopper, where the bill says it
	No       string         `json:"no,omitempty"`        // our number of it: the order's, the refund's
	Ref      string         `json:"ref,omitempty"`       // the wallet's number of it
	Order    string         `json:"order,omitempty"`     // our number of the order
	OrderRef string         `json:"order_ref,omitempty"` // the wallet's number of the order
	Currency money.Currency `json:"currency"`
	Amount   int64          `json:"amount"`            // of the order or refund, as it was asked for
	Settled  int64          `json:"settled,omitempty"` // what of it moves the merchant's account, before fees: less coupons that the merchant bears
	Fee      int64          `json:"fee,omitempty"`     // thousandths of a minor unit that the wallet takes; negative where it gives back
	Rate     string         `json:"rate,omitempty"`
	Coupon   int64          `json:"coupon,omitempty"`  // paid by a coupon
	State    string         `json:"state,omitempty"`   // the wallet's own word
	Type     string         `json:"type,omitempty"`    // the wallet's own word
	Tag      string         `json:"tag,omitempty"`     // of the order, as we gave it
	Title    string         `json:"title,omitempty"`   // of the goods
	Account  string         `json:"account,omitempty"` // the sub-merchant's number
}

// Sum is how many rows, and what they come to in minor units.
type Sum struct {
	Rows   int64 `json:"rows"`
	Amount int64 `json:"amount"`
}

// Sums are a bill's rows in one currency, by what they are.
type Sums struct {
	Payments  Sum   `json:"payments"`
	Refunds   Sum   `json:"refunds"`
	Fees      Sum   `json:"fees,omitzero"` // as movements of their own
	Splits    Sum   `json:"splits,omitzero"`
	Disputes  Sum   `json:"disputes,omitzero"`
	Transfers Sum   `json:"transfers,omitzero"`
	Others    Sum   `json:"others,omitzero"`
	Income    Sum   `json:"income,omitzero"`
	Expense   Sum   `json:"expense,omitzero"`
	Neutral   Sum   `json:"neutral,omitzero"`
	Fee       int64 `json:"fee"`     // thousandths of a minor unit that the wallet took in all, rows of their own included
	Settled   int64 `json:"settled"` // what moved the merchant's account, before fees
}

// Of gives the sum of the rows of a kind.
func (s *Sums) Of(k RowKind) *Sum {
	switch k {
	case Payment:
		return &s.Payments
	case Refund:
		return &s.Refunds
	case Fee:
		return &s.Fees
	case Split:
		return &s.Splits
	case Dispute:
		return &s.Disputes
	case Transfer:
		return &s.Transfers
	case Income:
		return &s.Income
	case Expense:
		return &s.Expense
	case Neutral:
		return &s.Neutral
	}
	return &s.Others
}

// Totals are a bill's rows by currency.
type Totals map[money.Currency]*Sums

// format reads the rows of one layout.
type format interface {
	// next fills a row, which is empty. The error is io.EOF when the end was read and holds.
	next(b *Bill, row *Row) error
}

// Bill reads a bill row by row.
type Bill struct {
	head   Head
	lines  lines
	format format
	seal   *seal        // nil where nobody expects a hash
	after  func() error // what is checked at the end, beside the format's own: the other file of an archive
	totals Totals
	last   *Sums // of the currency last seen
	of     money.Currency
	rows   int64
	brief  bool
	failed error // sticky: after an error or the end, every Next gives it again
}

// Head tells what the bill is.
func (b *Bill) Head() Head { return b.head }

// Rows is how many rows were read so far.
func (b *Bill) Rows() int64 { return b.rows }

// Totals are the sums over the rows read so far. After io.EOF they are those of the bill's own summary.
func (b *Bill) Totals() Totals { return b.totals }

// Next reads the next row. It ends with [io.EOF] when the bill's summary was read and holds and nothing follows. Any
// other error means that the bill as a whole is not to be used; where several sums do not hold, it joins one error for
// each.
func (b *Bill) Next(row *Row) error {
	if b.failed != nil {
		return b.failed
	}
	*row = Row{}
	err := b.format.next(b, row)
	if err == nil {
		err = b.add(row)
	}
	if errors.Is(err, io.EOF) {
		err = b.finish()
	}
	b.failed = err
	return err
}

// finish checks what stands outside the rows' own text.
func (b *Bill) finish() error {
	if b.after != nil {
		if err := b.after(); err != nil {
			return err
		}
	}
	if b.seal != nil {
		if err := b.seal.check(); err != nil {
			return err
		}
	}
	return io.EOF
}

// add counts a row.
func (b *Bill) add(row *Row) error {
	b.rows++
	if b.last == nil || b.of != row.Currency {
		if b.last = b.totals[row.Currency]; b.last == nil {
			b.last = &Sums{}
			b.totals[row.Currency] = b.last
		}
		b.of = row.Currency
	}
	sum := b.last.Of(row.Kind)
	sum.Rows++
	fee, fits := row.Fee, true
	if row.Kind == Fee {
		fee, fits = money.Mul(row.Amount, -1000)
	}
	fits = fits && plus(&sum.Amount, row.Amount) && plus(&b.last.Fee, fee) && plus(&b.last.Settled, row.Settled)
	if !fits {
		return b.bad("", "", "the sums do not fit 64 bits")
	}
	return nil
}

// plus adds to a sum, and tells whether it fits.
func plus(to *int64, n int64) (ok bool) {
	*to, ok = money.Add(*to, n)
	return ok
}
