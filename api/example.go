package api

import "github.com/danielgtaylor/huma/v2"

// samples are what fields of these names show in examples, where their type does not say better.
var samples = map[string]any{
	"handle": "harbour-books", "name": "Harbour Books", "name_zh": "海港书店", "holder": "harbour-books", "party": "harbour-books",
	"owner": "harbour-books", "from": "tea-house", "to": "harbour-books", "proposer": "tea-house", "by": "garden-office",
	"reason": "asked for by the holder", "suspended": "papers under review", "title": "Not allowed", "hint": "ask the operator of the hub",
	"kind": "payment", "field": "amount", "detail": "the amount is negative", "version": 1, "url": "https://shop.example/hooks/moongate",
	"next": "kq3…", "after": "kq3…", "cursor": "kq3…", "limit": 50, "minor": 1999, "amount": 1999, "currency": "CNY",
	"key": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "endorsed_by": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c0f00a08f1c",
}

// describe gives the properties of a schema examples where they have none.
func describe(s *huma.Schema) {
	for name, p := range s.Properties {
		if v, ok := samples[name]; ok && len(p.Examples) == 0 && p.Ref == "" && fits(p, v) {
			p.Examples = []any{v}
		}
	}
}

func fits(s *huma.Schema, v any) bool {
	if len(s.Enum) > 0 || s.Format == "date-time" {
		return false
	}
	switch v.(type) {
	case string:
		return s.Type == huma.TypeString && s.Pattern == ""
	case int:
		return s.Type == huma.TypeInteger || s.Type == huma.TypeNumber
	}
	return false
}

// sample makes a value that fits a schema: what the reference shows.
func (a *API) sample(s *huma.Schema, depth int) any {
	for s.Ref != "" {
		s = a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.OneOf) > 0:
		return a.sample(s.OneOf[0], depth)
	}
	switch s.Type {
	case huma.TypeObject:
		return a.sampleObject(s, depth)
	case huma.TypeArray:
		if s.Items == nil || depth > 5 {
			return []any{}
		}
		return []any{a.sample(s.Items, depth+1)}
	case huma.TypeString:
		if s.Format == "date-time" {
			return "2026-01-31T08:00:00Z"
		}
		return "…"
	case huma.TypeInteger, huma.TypeNumber:
		if s.Minimum != nil && *s.Minimum > 1 {
			return int64(*s.Minimum)
		}
		return 1
	case huma.TypeBoolean:
		return true
	}
	return nil
}

func (a *API) sampleObject(s *huma.Schema, depth int) any {
	out := ordered{}
	if depth > 5 {
		return out
	}
	for _, name := range sortedNames(s) {
		out = append(out, member{name, a.sample(s.Properties[name], depth+1)})
	}
	if extra, ok := s.AdditionalProperties.(*huma.Schema); ok && len(out) == 0 {
		out = append(out, member{"…", a.sample(extra, depth+1)})
	}
	return out
}
