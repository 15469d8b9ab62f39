package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"sort"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// document is the OpenAPI document in the forms in which it is served. It is made when it is first asked for: pages and
// gates may have added to it until then.
type document struct {
	once       sync.Once
	json, yaml []byte
	tag        string
	err        error
}

func (a *API) documentRoutes() {
	serve := func(kind string, body func() []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			a.document.once.Do(a.makeDocument)
			if a.document.err != nil {
				a.hub.Log.Error("the OpenAPI document", "error", a.document.err)
				writeProblem(w, r, errFailed)
				return
			}
			h := w.Header()
			h.Set("ETag", a.document.tag)
			h.Set("Cache-Control", "no-cache")
			h.Set("Content-Type", kind)
			if r.Header.Get("If-None-Match") == a.document.tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(body())
		}
	}
	a.mux.HandleFunc("GET /openapi.json", serve("application/vnd.oai.openapi+json;version=3.1", func() []byte { return a.document.json }))
	a.mux.HandleFunc("GET /openapi.yaml", serve("application/vnd.oai.openapi;version=3.1", func() []byte { return a.document.yaml }))
}

func (a *API) makeDocument() {
	d := &a.document
	if d.json, d.err = json.MarshalIndent(a.huma.OpenAPI(), "", "  "); d.err != nil {
		return
	}
	if d.yaml, d.err = a.huma.OpenAPI().YAML(); d.err != nil {
		return
	}
	sum := sha256.Sum256(d.json)
	d.tag = `"` + hex.EncodeToString(sum[:16]) + `"`
}

// describe adds to the document what the operations do not say themselves: examples for everything.
func (a *API) describe() {
	doc := a.huma.OpenAPI()
	for _, s := range doc.Components.Schemas.Map() {
		describe(s)
	}
	for _, o := range a.operations() {
		if o.RequestBody != nil {
			a.exemplify(o.RequestBody.Content)
		}
		for status, r := range o.Responses {
			if code, err := strconv.Atoi(status); err == nil && code < 300 {
				a.exemplify(r.Content)
			}
		}
	}
}

func (a *API) exemplify(content map[string]*huma.MediaType) {
	if m := content["application/json"]; m != nil && m.Example == nil && m.Schema != nil {
		m.Example = a.sample(m.Schema, 0)
	}
}

// operations lists what the document describes, by tag in the order in which the tags came, then as registered.
func (a *API) operations() []*huma.Operation {
	var all []*huma.Operation
	for _, p := range a.huma.OpenAPI().Paths {
		for _, o := range []*huma.Operation{p.Get, p.Post, p.Put, p.Patch, p.Delete} {
			if o != nil {
				all = append(all, o)
			}
		}
	}
	rank := map[string]int{}
	for i, id := range a.order {
		rank[id] = i
	}
	sort.Slice(all, func(i, j int) bool { return rank[all[i].OperationID] < rank[all[j].OperationID] })
	return all
}
