package retail

import "maps"

// Reason says why a line was not used.
type Reason string

// Reasons for not using a line. A line has one: the first of these that applies.
const (
	Malformed                   Reason = "malformed"                     // not eight fields of CSV
	InvoiceMalformed            Reason = "invoice_malformed"             // not digits, or C or A and digits
	AdjustBadDebt               Reason = "adjust_bad_debt"               // invoice A…: bookkeeping, nobody paid it
	StockMalformed              Reason = "stock_malformed"               // empty, longer than 32 characters, or not printable
	CustomerMalformed           Reason = "customer_malformed"            // neither digits nor empty; or a country of over 64 bytes
	DateMalformed               Reason = "date_malformed"                // not a time between 2000 and 2099
	QuantityMalformed           Reason = "quantity_malformed"            // not a whole number up to ten million
	QuantityZero                Reason = "quantity_zero"                 // nothing was sold
	CancellationPositive        Reason = "cancellation_positive"         // invoice C… that sells
	StockAdjustment             Reason = "stock_adjustment"              // fewer than no pieces outside a cancellation: lost, damaged, miscounted
	PriceMalformed              Reason = "price_malformed"               // not a decimal number up to ten million with at most four places
	PriceZero                   Reason = "price_zero"                    // given away, or corrected
	PriceNegative               Reason = "price_negative"                // bookkeeping
	RepeatedInvoice             Reason = "repeated_invoice"              // its invoice stood in the file before, word for word
	CustomerDiffers             Reason = "customer_differs"              // another customer or country than the invoice's first line
	AmountZero                  Reason = "amount_zero"                   // less than half a penny
	AmountTooLarge              Reason = "amount_too_large"              // more than ten million pounds
	CancellationWithoutCustomer Reason = "cancellation_without_customer" // nobody to look for the sale under
	OriginalNotFound            Reason = "original_not_found"            // no sale, or not enough of it left, or sold before the file begins
)

// Report counts a file's lines. At the file's end Lines = Used + Σ Refused.
type Report struct {
	Lines         int64            `json:"lines"` // without the header and empty lines
	Used          int64            `json:"used"`
	Refused       map[Reason]int64 `json:"refused"`
	FirstLine     map[Reason]int   `json:"first_line"` // where in the file a reason first applied
	Sales         int64            `json:"sales"`      // invoices, parts counted
	Cancellations int64            `json:"cancellations"`
	SoldPence     int64            `json:"sold_pence"`
	RefundedPence int64            `json:"refunded_pence"`
}

func newReport() Report {
	return Report{Refused: map[Reason]int64{}, FirstLine: map[Reason]int{}}
}

func (r *Report) clone() Report {
	c := *r
	c.Refused, c.FirstLine = maps.Clone(r.Refused), maps.Clone(r.FirstLine)
	return c
}

func (r *Report) line() { r.Lines++ }

func (r *Report) refuse(why Reason, line int) {
	if r.Refused[why]++; r.FirstLine[why] == 0 || line < r.FirstLine[why] {
		r.FirstLine[why] = line
	}
}

func (r *Report) use(cancellation bool, pence int64) {
	r.Used++
	if cancellation {
		r.RefundedPence += pence
	} else {
		r.SoldPence += pence
	}
}

func (r *Report) invoice(cancellation bool) {
	if cancellation {
		r.Cancellations++
	} else {
		r.Sales++
	}
}
