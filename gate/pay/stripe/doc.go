// Package stripe connects an account at Stripe: a rail for the rest of the world. An order is a Checkout Session on
// Stripe's own page; money goes back by refunds, to participants by transfers, and may be authorised first and captured
// later. It speaks through the official library.
//
// Stripe keeps our number as client_reference_id and in metadata, but cannot be asked by it at once: its search lags. So
// an order is found again by the session that was remembered, and, after a restart, in the list of the sessions of the
// last day, which is complete. Only what is not in that list is called absent.
package stripe
