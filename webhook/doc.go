// Package webhook tells participants what happened, at addresses of their own.
//
// An endpoint is a durable cursor over the journal: its owner's events are posted to it in order, each signed by
// Standard Webhooks (https://www.standardwebhooks.com), and the cursor moves on when the endpoint has answered. What
// fails is tried again with growing pauses, then laid aside, and delivery goes on; an endpoint that has failed for days
// is disabled, and goes on where it stood once its owner enables it again.
//
// The message's id and content follow from the event, so that a message that comes twice, or from two leaders, is one.
// An endpoint's secret is kept nowhere: it follows from the hub's own secret, the endpoint and how often it was rotated.
package webhook
