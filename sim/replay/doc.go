// Package replay runs historical orders through a hub: participants, agreements, payments, shares, settlement and
// statements, on the orders' own times.
//
// A replay is deterministic: keys and randomness follow from the input, and requests are made in the input's order.
// Broken off at any moment and started again on the same data directory, it ends with the totals and the state of a
// run that was not. It needs no cursor of its own for that: the machine's time says how far it came, and what is asked
// twice around there is answered twice and done once.
package replay
