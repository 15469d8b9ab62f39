package agreement

import _ "embed"

// schemaText is the schema as published.
//
//go:embed schema.json
var schemaText []byte

// Schema is the JSON Schema (2020-12) of documents. It tells an editor what fits where; what it cannot say (sums,
// overlaps, names that must exist) [Parse] checks.
func Schema() []byte { return append([]byte(nil), schemaText...) }
