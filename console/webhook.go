package console

import "github.com/moongate-hub/moongate"

// WebhookLine is an address to which a participant has its events posted, as a row.
type WebhookLine struct {
	ID        string
	Name      string // for people; may be empty
	URL       string
	Owner     Party
	Kinds     []string // of events; none is all
	State     string   // delivering, failing, disabled
	Since     moongate.Time
	Delivered moongate.Time // last success
	Failing   moongate.Time // since then; zero while it answers
	Reason    string        // why it is disabled
}

// Webhooks is the list.
type Webhooks struct {
	Party   string   // whose, where the reader operates
	Parties []Option // from whom an operator may choose
	Lines   []WebhookLine
	Paging  Paging
}

func (Webhooks) template() string { return "webhooks" }

// Webhook is one address with what was delivered there, newest first.
type Webhook struct {
	Line       WebhookLine
	Failed     bool // only those that were not taken
	Deliveries []DeliveryLine
	Paging     Paging
	Actions    []Action
}

func (Webhook) template() string { return "webhook" }

// DeliveryLine is what became of one message.
type DeliveryLine struct {
	Message string // its webhook-id
	Kind    string // of the event
	At      moongate.Time
	Tries   int
	Status  int    // of HTTP; 0: there was no answer
	Error   string // empty: it was taken
	Again   bool   // sent once more by request
	Actions []Action
}
