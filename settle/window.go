package settle

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Status is where a window stands.
type Status uint8

// Statuses of windows. Settled and aborted are final.
const (
	Open    Status = 1 // crossings add to it
	Closed  Status = 2 // netted; what is to be paid stands on the clearing account
	Pending Status = 3 // instructions have gone out
	Settled Status = 4 // every instruction was paid or returned
	Aborted Status = 5 // given up before anything was instructed
)

var statuses = [...]string{Open: "open", Closed: "closed", Pending: "pending", Settled: "settled", Aborted: "aborted"}

// String is the word.
func (s Status) String() string { return word(statuses[:], uint8(s)) }

// MarshalText writes the word.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Status) UnmarshalText(b []byte) error { return unword(statuses[:], b, (*uint8)(s), "status") }

// Progress is how far an instruction is.
type Progress uint8

// Progresses of instructions. Paid and returned are final.
const (
	Planned  Progress = 1 // its window has closed; it goes out after the delay
	Sent     Progress = 2 // the wallet was told, or the participant owes it
	Manual   Progress = 3 // the wallet cannot be told by us; somebody pays by hand and confirms
	Paid     Progress = 4 // the payee has it
	Returned Progress = 5 // it could not be paid; the claim went into the next window
)

var progresses = [...]string{Planned: "planned", Sent: "sent", Manual: "manual", Paid: "paid", Returned: "returned"}

// String is the word.
func (p Progress) String() string { return word(progresses[:], uint8(p)) }

// MarshalText writes the word.
func (p Progress) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the word.
func (p *Progress) UnmarshalText(b []byte) error {
	return unword(progresses[:], b, (*uint8)(p), "progress")
}

func word(list []string, n uint8) string {
	if int(n) < len(list) && list[n] != "" {
		return list[n]
	}
	return fmt.Sprintf("%d", n)
}

func unword(list []string, b []byte, to *uint8, what string) error {
	for i, w := range list {
		if w != "" && w == string(b) {
			*to = uint8(i)
			return nil
		}
	}
	return &moongate.Error{Code: moongate.Malformed, Field: what, Message: fmt.Sprintf("%.40q is no %s", b, what), Hint: fmt.Sprintf("one of %v", list[1:])}
}

// Window gathers what becomes due under one agreement in one currency.
type Window struct {
	ID        moongate.ID    `json:"id" cbor:"1,keyasint"`
	Agreement moongate.ID    `json:"agreement" cbor:"2,keyasint"`
	Version   int            `json:"version" cbor:"3,keyasint"` // whose settlement terms hold: the last that a crossing was under
	Currency  money.Currency `json:"currency" cbor:"4,keyasint"`
	From      moongate.Time  `json:"from" cbor:"5,keyasint"`
	Until     moongate.Time  `json:"until" cbor:"6,keyasint"` // closes then, if not before
	Status    Status         `json:"status" cbor:"7,keyasint"`
	Due       moongate.Time  `json:"due,omitzero" cbor:"8,keyasint,omitempty"` // instructions go out then
	Left      int            `json:"left" cbor:"9,keyasint,omitempty"`         // instructions neither paid nor returned
	Next      int            `json:"-" cbor:"10,keyasint,omitempty"`           // instructions that have gone out
	Plan      []moongate.ID  `json:"-" cbor:"11,keyasint,omitempty"`           // all instructions, in order
	Moved     []Moved        `json:"-" cbor:"12,keyasint,omitempty"`           // went into the next window when this one closed
}

// Position is what one participant's crossings in a window came to, account by account, in minor units.
type Position struct {
	Payable    int64 `json:"payable" cbor:"1,keyasint,omitempty"`        // owed to it
	Receivable int64 `json:"receivable" cbor:"2,keyasint,omitempty"`     // owed by it
	Fee        int64 `json:"fee,omitempty" cbor:"3,keyasint,omitempty"`  // a wallet's earnings, kept out of what it holds
	Held       int64 `json:"held,omitempty" cbor:"4,keyasint,omitempty"` // a wallet's: money that it holds for others
}

// Net is what the participant is to receive, or, negative, to pay.
func (p Position) Net() int64 { return p.Payable + p.Fee - p.Receivable - p.Held }

func (p Position) plus(o Position, sign int64) Position {
	return Position{p.Payable + sign*o.Payable, p.Receivable + sign*o.Receivable, p.Fee + sign*o.Fee, p.Held + sign*o.Held}
}

func (p Position) isZero() bool { return p == Position{} }

// holds tells whether the position is of somebody who keeps others' money.
func (p Position) holds() bool { return p.Held != 0 || p.Fee != 0 }

// Instruction has one participant pay another a sum, once.
type Instruction struct {
	ID       moongate.ID    `json:"id" cbor:"1,keyasint"`
	Window   moongate.ID    `json:"window" cbor:"2,keyasint"`
	From     string         `json:"from" cbor:"3,keyasint"`
	To       string         `json:"to" cbor:"4,keyasint"`
	Currency money.Currency `json:"currency" cbor:"5,keyasint"`
	Amount   int64          `json:"amount" cbor:"6,keyasint"`
	Wallet   bool           `json:"wallet,omitempty" cbor:"7,keyasint,omitempty"` // From is a wallet, paying out of what it holds
	Progress Progress       `json:"progress" cbor:"8,keyasint"`
	Part     int64          `json:"part,omitempty" cbor:"9,keyasint,omitempty"` // of the amount, what the payee got before the rest was left to a person
}

// openKey finds the window that is open.
type openKey struct {
	Agreement moongate.ID    `cbor:"1,keyasint"`
	Currency  money.Currency `cbor:"2,keyasint"`
}

type positionKey struct {
	Window moongate.ID `cbor:"1,keyasint"`
	Party  string      `cbor:"2,keyasint"`
}

// pairKey is a claim between two participants, where terms do not net multilaterally.
type pairKey struct {
	Window moongate.ID `cbor:"1,keyasint"`
	From   string      `cbor:"2,keyasint"`
	To     string      `cbor:"3,keyasint"`
}
