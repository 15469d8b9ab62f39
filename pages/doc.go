// Package pages serves what people see of a hub: the console of operators and participants, the cashier, what stands at
// a link that does not simply lead on, and the public page of the log. It asks the rooms and fills the pages of console;
// it decides nothing.
//
// A participant sees its own and nothing else: every list is asked for in its name, and an identifier of somebody
// else's thing answers exactly like one that names nothing. Only a credential with the operator's scope sees all.
package pages
