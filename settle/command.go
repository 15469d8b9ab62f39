package settle

import "github.com/moongate-hub/moongate"

// Close closes an open window before its time. Operators only.
type Close struct {
	Window moongate.ID `cbor:"1,keyasint" json:"window"`
}

// Abort gives a closed window up before anything was instructed. Operators only.
type Abort struct {
	Window moongate.ID `cbor:"1,keyasint" json:"window"`
	Reason string      `cbor:"2,keyasint" json:"reason"`
}

// Report says what became of an instruction: [Paid] with the payer's reference, [Returned] with a reason that is final,
// or [Manual]. It is the outcome of the instruction's effect, or said by an operator, or by the payee, who may confirm
// that it was paid. [Sent] has an instruction that became manual told to its wallet once more; an operator may say it.
type Report struct {
	Instruction moongate.ID `cbor:"1,keyasint" json:"instruction"`
	Progress    Progress    `cbor:"2,keyasint" json:"progress"`
	Ref         string      `cbor:"3,keyasint,omitempty" json:"ref,omitempty"`
	Reason      string      `cbor:"4,keyasint,omitempty" json:"reason,omitempty"`
	Part        int64       `cbor:"5,keyasint,omitempty" json:"-"` // with Manual, what the wallet did pay of it
}

func (*Close) CommandKind() string  { return "settle.close" }
func (*Abort) CommandKind() string  { return "settle.abort" }
func (*Report) CommandKind() string { return "settle.report" }

// Answer is where the window stands after a command.
type Answer struct {
	Window moongate.ID `cbor:"1,keyasint" json:"window"`
	Status Status      `cbor:"2,keyasint" json:"status"`
	Left   int         `cbor:"3,keyasint,omitempty" json:"left,omitempty"`
}
