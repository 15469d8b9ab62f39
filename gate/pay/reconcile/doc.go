// Package reconcile holds what wallets' bills say against what the hub knows, payment for payment, and keeps a queue of
// what differs until somebody has settled it.
//
// A bill may have a million rows, and they are not for the journal. The [Importer] stands outside the machine: it
// downloads a bill or is given one, reads it with package bill (whole or not at all), matches each row with the payment or
// refund whose number it bears, and looks for money that moved by our books and not by the bill. What goes to the machine
// is what the bill is ([Begin]), its sums, and its differences, in batches ([Differ]). The room judges every difference
// again, by the same rule ([judge]) and the state of that moment, before it takes it in: what the hub has learnt in the
// meantime is no difference any more. A match never has to be judged again, for a payment that was paid stays paid.
//
// Each row is in one of four heaps: it agrees, it agrees by amount and time alone (the bill gives no number of ours), it
// is set aside (a transfer to the bank, a fee as a movement of its own), or it differs. The heaps add up to the rows, and
// the gap between the bill's money and ours is that of the differences: [Finish] refuses a bill for which this does not
// hold, and fsck counts it once more from the journal.
//
// What is missing on the wallet's side waits for the bill of the next day, in which money near midnight often stands;
// found there it is a matter of timing and settles itself. So does a difference that the hub's own news resolve. All
// others wait for an operator, who may give them to somebody, add notes, and settle them with a reason.
//
// A bill's identity is wallet, kind, day and the hash of its text: taken in twice it changes nothing.
package reconcile
