// Package party is the room of the participants: who they are, how they prove it, and what they may do.
//
// A participant is named for good by its handle ("mall", or "mall@harbour" when it belongs to another hub). It proves
// itself in one of three ways:
//
//   - with an Ed25519 key, by signing a request (package httpsig) or a document. A key is named by its RFC 7638
//     thumbprint, belongs to one participant for good, and is rotated with an overlap or revoked at once; what it signed
//     while it was valid stays attributable, so keys are never forgotten;
//   - with an API credential, a bearer token of 256 random bits of which the hub keeps only the SHA-256, with a closed
//     set of [Scopes];
//   - with a console session, opened by a credential and ended with it.
//
// The room also keeps the replay window of signed requests, and makes the pairwise pseudonyms by which a shopper is
// known: another one to every participant ([Pseudonyms]).
//
// Deciding is in decide.go and sessions.go, folding in fold.go; the rest is pure.
package party
