// Package httpsig signs and verifies HTTP requests: a narrow profile of RFC 9421 (HTTP Message Signatures) with
// Ed25519, and of RFC 9530 (Digest Fields) with SHA-256.
//
// A request that moves money carries three fields:
//
//	Content-Digest:  sha-256=:BASE64:
//	Signature-Input: moongate=("@method" "@authority" "@path" "@query" "content-digest" "content-type"
//	                 "idempotency-key");created=1893456000;expires=1893456300;nonce="…";keyid="…";
//	                 alg="ed25519";tag="moongate-v1"
//	Signature:       moongate=:BASE64:
//
// # What the profile demands
//
// Covered, always: @method, and either @target-uri or all of @authority, @path and @query. Covered, when the request
// has them: content-type and idempotency-key. Covered and present, for every method but GET, HEAD and OPTIONS:
// content-digest and idempotency-key, and content-type where there is a body. More fields may be covered, fewer never:
// the sender cannot sign less than what a verifier acts on (RFC 9421, section 7.2.1). Component parameters (;sf ;bs
// ;key ;req ;tr ;name) are refused, so is a covered field that came more than once in a singleton's place.
//
// Parameters, all six: created and expires in seconds since 1970, no more than five minutes apart; nonce, 16 to 64
// characters, fresh for every request; keyid; alg, always "ed25519"; tag, always "moongate-v1". Others are refused.
// The label may be any. A message may carry up to four signatures, exactly one of them with our tag.
//
// The body is signed as the bytes on the wire: a Content-Encoding is refused.
//
// # What is left to the caller
//
// Verify tells when the nonce may be forgotten; the caller keeps it until then and refuses it meanwhile. It also binds
// the key to a participant, and bounds the body before it is read.
package httpsig
