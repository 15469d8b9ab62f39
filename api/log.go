package api

import (
	"net/http"
	"strings"
)

// logRoutes serves the public log as C2SP tlog-tiles: anybody's tool can read it.
func (a *API) logRoutes() {
	a.mux.HandleFunc("GET /log/", func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/log/")
		b, err := a.hub.Node.Log().ReadFile(path)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		if strings.HasPrefix(path, "checkpoint") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-cache")
		} else {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		_, _ = w.Write(b) //nolint:gosec // a file of the log, and never served as a page
	})
}
