// Package link is the gate for links: places behind other walls that may be opened, who sends readers there, and who
// keeps which link shut, why and until when.
//
// A [Destination] is a place that its owner registered: a web address, and addresses for applications whose schemes are
// its own. A [Link] is a code under which one publisher leads to one destination under one agreement. Where a link
// leads is only ever what was registered, never anything that a request names.
//
// Opening a link is answered from the state, with a redirect that carries a click token ([Tokens]). The click itself is
// recorded a moment later, with others in one batch ([Recorder]): a redirect acknowledges nothing. What a crash takes
// is bounded by time and by number, and not lost for good: the token carries the whole click and where it was counted,
// so that a conversion brings it back, once.
//
// A [Block] is a decision to keep links shut. It has a reason that the agreement allows, facts, evidence, and an end
// that comes by itself; the destination's owner can appeal, somebody else decides, and an appeal that nobody decides in
// time lifts the block. Decisions and appeals are public acts; each opening that met a block is recorded as evidence.
package link
