package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/proof"
	"github.com/moongate-hub/moongate/settle"
)

const schemaPrefix = "#/components/schemas/"

func (a *API) humaConfig(version string) huma.Config {
	registry := huma.NewMapRegistry(schemaPrefix, schemaName)
	for t, as := range texts {
		registry.RegisterTypeAlias(t, as)
	}
	c := huma.DefaultConfig("Moongate", version)
	c.Components.Schemas = registry
	c.Info.Description = "An open interconnection hub: crossings between platforms under signed terms, with proof."
	c.Info.License = &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: strings.TrimSuffix(a.hub.Config.PublicURL, "/"), Description: a.hub.Config.Name}}
	c.DocsPath, c.SchemasPath, c.OpenAPIPath = "", "", "" // our own: see document.go
	c.RejectUnknownQueryParameters = true
	c.CreateHooks = nil // no $schema links in bodies
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: strictJSON}
	c.Formats = map[string]huma.Format{"application/json": format, "json": format}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":    {Type: "http", Scheme: "bearer", Description: "An API credential, mgt_…"},
		"signature": {Type: "apiKey", In: "header", Name: "Signature", Description: "RFC 9421 HTTP message signature with Ed25519 over the request, Content-Digest included; docs/api.md says what it covers."},
	}
	return c
}

// schemaName keeps types of one name in two rooms apart: party.Row is PartyRow.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := t.Name()
	if name == "" {
		return huma.DefaultSchemaNamer(t, hint)
	}
	outer, inner, generic := strings.Cut(name, "[")
	if generic { // Page[github.com/…/party.Row] is PartyRowPage
		inner = strings.TrimSuffix(inner, "]")
		inner = inner[strings.LastIndexByte(inner, '/')+1:]
		room, of, qualified := strings.Cut(inner, ".")
		if !qualified {
			room, of = "", inner
		}
		return roomName(room, of) + strings.ToUpper(outer[:1]) + outer[1:]
	}
	return roomName(t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:], name)
}

func roomName(room, name string) string {
	room = strings.ToUpper(room[:min(1, len(room))]) + room[min(1, len(room)):]
	name = strings.ToUpper(name[:1]) + name[1:]
	switch {
	case room == "Api" || room == "Moongate" || room == "Hub", strings.HasPrefix(name, room):
		return name
	}
	return room + name
}

// texts are the types that JSON shows as texts of a certain form. The key is our type, the value one that tells huma so.
var texts = map[reflect.Type]reflect.Type{
	reflect.TypeFor[moongate.ID]():       reflect.TypeFor[idText](),
	reflect.TypeFor[moongate.Time]():     reflect.TypeFor[timeText](),
	reflect.TypeFor[money.Currency]():    reflect.TypeFor[currencyText](),
	reflect.TypeFor[party.Kind]():        reflect.TypeFor[partyKindText](),
	reflect.TypeFor[party.Scopes]():      reflect.TypeFor[scopesList](),
	reflect.TypeFor[party.PublicKey]():   reflect.TypeFor[publicKeyText](),
	reflect.TypeFor[party.Signature]():   reflect.TypeFor[signatureText](),
	reflect.TypeFor[ledger.Purpose]():    reflect.TypeFor[purposeText](),
	reflect.TypeFor[journal.Position]():  reflect.TypeFor[positionNumber](),
	reflect.TypeFor[receipt]():           reflect.TypeFor[proof.Receipt](),
	reflect.TypeFor[proof.OpenGroup]():   reflect.TypeFor[openGroup](),
	reflect.TypeFor[proof.Hash]():        reflect.TypeFor[hashText](),
	reflect.TypeFor[Document]():          reflect.TypeFor[documentObject](),
	reflect.TypeFor[agreement.Status]():  reflect.TypeFor[enumText[agreement.Status]](),
	reflect.TypeFor[agreement.Role]():    reflect.TypeFor[enumText[agreement.Role]](),
	reflect.TypeFor[crossing.Kind]():     reflect.TypeFor[enumText[crossing.Kind]](),
	reflect.TypeFor[crossing.What]():     reflect.TypeFor[enumText[crossing.What]](),
	reflect.TypeFor[crossing.Stage]():    reflect.TypeFor[enumText[crossing.Stage]](),
	reflect.TypeFor[link.Device]():       reflect.TypeFor[enumText[link.Device]](),
	reflect.TypeFor[ledger.Outcome]():    reflect.TypeFor[enumText[ledger.Outcome]](),
	reflect.TypeFor[pay.Status]():        reflect.TypeFor[enumText[pay.Status]](),
	reflect.TypeFor[pay.AttemptStatus](): reflect.TypeFor[enumText[pay.AttemptStatus]](),
	reflect.TypeFor[pay.RefundStatus]():  reflect.TypeFor[enumText[pay.RefundStatus]](),
	reflect.TypeFor[pay.TroubleKind]():   reflect.TypeFor[enumText[pay.TroubleKind]](),
	reflect.TypeFor[pay.Action]():        reflect.TypeFor[enumText[pay.Action]](),
	reflect.TypeFor[pay.Channel]():       reflect.TypeFor[enumText[pay.Channel]](),
	reflect.TypeFor[pay.Chooser]():       reflect.TypeFor[enumText[pay.Chooser]](),
	reflect.TypeFor[pay.Preference]():    reflect.TypeFor[enumText[pay.Preference]](),
	reflect.TypeFor[pay.Because]():       reflect.TypeFor[enumText[pay.Because]](),
	reflect.TypeFor[settle.Status]():     reflect.TypeFor[enumText[settle.Status]](),
	reflect.TypeFor[settle.Progress]():   reflect.TypeFor[enumText[settle.Progress]](),

	reflect.TypeFor[pay.BillKind]():       reflect.TypeFor[enumText[pay.BillKind]](),
	reflect.TypeFor[reconcile.Class]():    reflect.TypeFor[enumText[reconcile.Class]](),
	reflect.TypeFor[reconcile.Standing](): reflect.TypeFor[enumText[reconcile.Standing]](),
	reflect.TypeFor[reconcile.Action]():   reflect.TypeFor[enumText[reconcile.Action]](),
	reflect.TypeFor[reconcile.Result]():   reflect.TypeFor[enumText[reconcile.Result]](),
}

// enums are the closed lists that JSON shows as words.
var enums = map[reflect.Type][]any{
	reflect.TypeFor[agreement.Status](): {"awaiting", "agreed", "withdrawn", "lapsed"},
	reflect.TypeFor[agreement.Role](): {
		"host", "guest", "marketplace", "seller", "publisher", "wallet", "store", "app", "advertiser", "carrier", "data-holder", "data-user", "platform", "operator", "observer",
	},
	reflect.TypeFor[crossing.Kind]():     {"payment", "link", "refund", "conversion", "exception", "takeback"},
	reflect.TypeFor[crossing.What]():     {"goods", "freight", "fee", "share", "held", "suspense", "taken_back"},
	reflect.TypeFor[crossing.Stage]():    {"done", "pending", "voided", "expired", "refused"},
	reflect.TypeFor[link.Device]():       {"web", "ios", "android", "harmony", "wechat", "alipay"},
	reflect.TypeFor[ledger.Outcome]():    {"posted", "voided", "expired"},
	reflect.TypeFor[pay.Status]():        {"open", "authorised", "succeeded", "held", "expired", "cancelled", "returned"},
	reflect.TypeFor[pay.AttemptStatus](): {"awaiting", "opening", "unknown", "closing", "reserved", "capturing", "paid", "closed", "failed"},
	reflect.TypeFor[pay.RefundStatus]():  {"recalling", "asked", "accepted", "unknown", "held_up", "succeeded", "failed"},
	reflect.TypeFor[pay.TroubleKind]():   {"amount", "unclear", "refused", "late", "double", "stranger", "silent", "refund_stuck", "contradiction", "give_back", "dispute", "payout"},
	reflect.TypeFor[pay.Action]():        {"give_back", "release", "dismiss"},
	reflect.TypeFor[pay.Channel]():       {"qr", "redirect", "in_app", "app"},
	reflect.TypeFor[pay.Chooser]():       {"shopper", "hub"},
	reflect.TypeFor[pay.Capture]():       {"automatic", "manual"},
	reflect.TypeFor[pay.Preference]():    {"rate", "order"},
	reflect.TypeFor[pay.Because]():       {"rate", "order", "probe"},
	reflect.TypeFor[settle.Status]():     {"open", "closed", "pending", "settled", "aborted"},
	reflect.TypeFor[settle.Progress]():   {"planned", "sent", "manual", "paid", "returned"},

	reflect.TypeFor[pay.BillKind]():       {"trade", "fund"},
	reflect.TypeFor[reconcile.Class]():    {"duplicate", "missing_ours", "missing_theirs", "status", "amount", "fee", "timing"},
	reflect.TypeFor[reconcile.Standing](): {"waiting", "open", "settled"},
	reflect.TypeFor[reconcile.Action]():   {"explained", "corrected", "at_wallet", "written_off", "healed", "other_day"},
	reflect.TypeFor[reconcile.Result]():   {"got", "later", "failed"},
}

// enumText is a type whose values are words of a closed list.
type enumText[T any] struct{}

// Schema of the words.
func (enumText[T]) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Enum: enums[reflect.TypeFor[T]()]}
}

// openGroup is an opened group of a receipt.
type openGroup struct {
	Audience string `json:"audience" example:"@harbour-books"`
	Salt     string `json:"salt" doc:"32 bytes in base64." example:"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="`
	Data     string `json:"data" doc:"The fields, as CBOR in base64." example:"oWFhAQ=="`
}

type hashText struct{}

// Schema of a hash.
func (hashText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Description: "SHA-256 in base64.", Examples: []any{"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}
}

type documentObject struct{}

// Schema of an agreement's document.
func (documentObject) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "object", AdditionalProperties: true, Description: "The terms; /schemas/agreement.json says what they may hold.", Examples: []any{exampleJSON(exampleDocument())}}
}

type (
	idText         struct{}
	timeText       struct{}
	currencyText   struct{}
	partyKindText  struct{}
	scopesList     struct{}
	publicKeyText  struct{}
	signatureText  struct{}
	purposeText    struct{}
	positionNumber struct{}
)

// idPattern is an identifier's spelling: 3 and 12 bytes in base32 leave bits over, which are zero.
var idPattern = `^(` + strings.Join(moongate.Prefixes(), "|") + `)_[a-z2-7]{4}[acegikmoqsuwy246]_[a-z2-7]{19}[aq]$`

// Schema of an identifier.
func (idText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: "string", Pattern: idPattern, PatternDescription: "an identifier, like pay_aeaqc_mfrggzdfmztwq2lknnwa",
		Description: "An identifier: its kind, its hub, and what makes it unique.", Examples: []any{"pay_aeaqc_mfrggzdfmztwq2lknnwa"},
	}
}

// Schema of a time.
func (timeText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Format: "date-time", Description: "RFC 3339, down to the microsecond.", Examples: []any{"2026-01-31T08:00:00Z"}}
}

// Schema of a currency.
func (currencyText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Pattern: `^[A-Z]{3}$`, PatternDescription: "an ISO 4217 code, like CNY", Description: "ISO 4217.", Examples: []any{"CNY"}}
}

// Schema of a kind of participant.
func (partyKindText) Schema(huma.Registry) *huma.Schema {
	var names []any
	for k := party.Platform; k <= party.Operator; k++ {
		names = append(names, k.String())
	}
	return &huma.Schema{Type: "string", Enum: names, Examples: []any{"merchant"}}
}

// Schema of a set of scopes.
//
// That no scope comes twice is said here and checked by [party.ParseScopes]: huma panics where it compares objects.
func (scopesList) Schema(huma.Registry) *huma.Schema {
	var names []any
	for _, n := range (party.AllScopes | party.OperatorScope).Names() {
		names = append(names, n)
	}
	least := 1
	return &huma.Schema{
		Type: "array", MinItems: &least, Extensions: map[string]any{"uniqueItems": true}, Items: &huma.Schema{Type: "string", Enum: names},
		Examples: []any{[]any{"payments:write", "payments:read"}},
	}
}

// Schema of a public key.
func (publicKeyText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: "string", Pattern: `^[A-Za-z0-9_-]{43}$`, PatternDescription: "32 bytes as unpadded base64url", Description: "An Ed25519 public key, like x in a JWK (RFC 8037).",
		Examples: []any{"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
	}
}

// Schema of a signature.
func (signatureText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: "string", Pattern: `^[A-Za-z0-9_-]{86}$`, PatternDescription: "64 bytes as unpadded base64url", Description: "An Ed25519 signature (RFC 8032).",
		Examples: []any{"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
	}
}

// Schema of an account's purpose.
func (purposeText) Schema(huma.Registry) *huma.Schema {
	var names []any
	for p := ledger.Purpose(1); p.Known(); p++ {
		names = append(names, p.String())
	}
	return &huma.Schema{Type: "string", Enum: names, Examples: []any{"payable"}}
}

// Schema of a position, which operators alone see.
func (positionNumber) Schema(huma.Registry) *huma.Schema {
	least := 0.0
	return &huma.Schema{Type: "integer", Format: "int64", Minimum: &least, Description: "An event's place in the journal."}
}

// maxDepth bounds the nesting of a body, maxValues what it consists of: each costs a hundred times its byte.
const (
	maxDepth  = 32
	maxValues = 1 << 16
)

// strictJSON is json.Unmarshal that refuses what two readers could read differently: a member that stands twice in an
// object, and nesting beyond reason. Numbers that huma only validates keep their text form out of floats, for the room's
// own type is decoded from the same bytes.
func strictJSON(data []byte, to any) error {
	if _, checking := to.(*any); checking { // huma decodes twice: first to validate, then into the type
		if !utf8.Valid(data) {
			return errors.New("not valid JSON: the text is not UTF-8")
		}
		c := checker{Decoder: json.NewDecoder(bytes.NewReader(data))}
		c.UseNumber()
		if err := c.value(0); err != nil {
			return err
		}
		if _, err := c.Token(); !errors.Is(err, io.EOF) {
			return errors.New("something follows the JSON value")
		}
	}
	return inOurWords(json.Unmarshal(data, to))
}

// inOurWords says what does not fit where, without the names of our types.
func inOurWords(err error) error {
	var misfit *json.UnmarshalTypeError
	if !errors.As(err, &misfit) {
		return err
	}
	hint := "the reference at /docs shows every field"
	if strings.HasPrefix(misfit.Value, "number") {
		hint = "write a whole number, without point and exponent, within 64 bits"
	}
	return &moongate.Error{Code: moongate.Malformed, Field: misfit.Field, Message: fmt.Sprintf("a %s does not fit here", cut(misfit.Value, 60)), Hint: hint}
}

// checker reads JSON for what would be read differently elsewhere, or cost more than it may.
type checker struct {
	*json.Decoder
	values int
}

func (c *checker) token() (json.Token, error) {
	t, err := c.Token()
	if err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	if c.values++; c.values > maxValues {
		return nil, fmt.Errorf("the JSON has more than %d values", maxValues)
	}
	if text, ok := t.(string); ok && strings.ContainsRune(text, utf8.RuneError) {
		return nil, errors.New("a text holds U+FFFD, or half of a surrogate pair: part of it was lost on its way")
	}
	return t, nil
}

func (c *checker) value(depth int) error {
	t, err := c.token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("the JSON is nested more than %d deep", maxDepth)
	}
	var names map[string]bool
	for c.More() {
		if open == '{' {
			name, err := c.token()
			if err != nil {
				return err
			}
			if names == nil {
				names = map[string]bool{}
			}
			if text, _ := name.(string); names[text] {
				return fmt.Errorf("the member %.60q stands twice in one object", text)
			} else {
				names[text] = true
			}
		}
		if err := c.value(depth + 1); err != nil {
			return err
		}
	}
	_, err = c.token()
	return err
}

func exampleJSON(text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(fmt.Sprintf("api: an example is not JSON: %v: %s", err, text))
	}
	return v
}
