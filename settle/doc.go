// Package settle pays out what crossings have made due: windows, netting, clearing, instructions to wallets.
//
// Every agreement in every currency has one open window at a time. What its crossings post to payable, receivable, fee
// and wallet accounts adds up there, participant by participant, to a [Position]; the positions of a window always sum
// to zero. A window closes by its terms (or by an operator, earlier): positions are netted, and what is to be paid
// moves to the hub's clearing account. After the delay of the terms each [Instruction] goes out: a wallet is told to pay
// (an effect, under a number that derives from the instruction), or a participant owes another directly. From then on
// the clearing account is zero. The window is settled when every instruction is paid or returned.
//
//	open ─▶ closed ─▶ pending ─▶ settled
//	           └─▶ aborted        nothing was instructed yet; the positions go back to the open window
//
// What is not paid is not lost: sums below the minimum, positions of participants that are suspended or whose accounts
// are closed, and returned instructions are carried into the window that is open then.
//
// What a private agreement lets accrue is left out, until the statement room posts it as a claim ([State.PlanClaim]).
package settle
