// Package statement says what a month came to: line by line for who may see lines, and as one total for who may not.
//
// An itemised statement is made when it is asked for ([Itemise]): one participant's own lines under one agreement in one
// currency and period, read from the journal, each tied to the ledger's transfer that moved it, with totals and with
// what was settled. It is the same whenever it is made, because the journal only grows.
//
// Under a private agreement (disclosure total_only) what is owed to the host accrues in the small party's own books.
// When the period ends, and only then, its total is posted: one transfer, one claim for settlement, one [Issued], of
// which the host may open the total and nothing else. It is issued for every period in which the agreement is in force,
// also for nothing: a missing statement would say that there was no sale. A period with more refunds than sales is
// issued as nothing, and what is left over is carried.
//
// The host cannot tell two worlds apart that differ in the sales but not in the total: neither by what it may fetch nor
// by when. What it can tell: a flat rate gives the gross away, and where wallets keep fees back it sees which of them
// pays how much of the total.
package statement
