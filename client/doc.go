// Package client talks to a Moongate hub over HTTP.
//
// A [Client] carries a bearer token or signs every request with a key (RFC 9421). What changes something is sent with
// an idempotency key, and sent again with the same one where the outcome is not known, so that it happens once. What
// is read afterwards is at least as new as what was written: the client sends back the position that the hub gave.
// What the hub refuses is a [*moongate.Error], found with errors.As.
//
//	hub, err := client.New(client.Options{URL: "https://hub.example.org", Token: token, Random: rand.Reader})
//	answer, err := client.Do[party.KeyAnswer](ctx, hub, "/v1/keys", &party.AddKey{…})
//	for row, err := range client.All[party.Row](ctx, hub, "/v1/participants", nil) { … }
//	for event, err := range hub.Events(ctx, "") { … }
package client
