// Package agreement holds the terms under which something may pass a wall: documents that the parties write, read,
// sign and compute by.
//
// A [Document] is YAML or JSON with a published schema ([Schema]). [Parse] reads one from anywhere, checks it hard and
// answers with every fault at once, each naming its field and line. Its identity is the SHA-256 of its canonical form
// (RFC 8785), which is also what the parties sign ([Sign], [Verify]); whoever has the document and a JSON
// canonicaliser can check a signature without this program.
//
// [Compile] turns a document into [Terms]: what a crossing asks on the hot path. [Terms.Fees] says who owes whom how
// much for a sale, [Terms.Refund] what comes back. [Explain] says the same in words, English or Chinese, with a worked
// example that is computed, not written.
//
// Compatibility: a document names its format ("agreement/1"). The meaning of a format never changes; what cannot be
// said in it gets a new one.
package agreement
