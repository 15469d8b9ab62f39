package world

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate/console"
)

//go:embed page/*
var pageFiles embed.FS

var pages = template.Must(template.New("garden").Funcs(template.FuncMap{"yuan": Yuan}).ParseFS(pageFiles, "page/*.html"))

// Yuan writes fen as yuan.
func Yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "−", -fen
	}
	whole := strconv.FormatInt(fen/100, 10)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return fmt.Sprintf("%s%s.%02d", sign, whole, fen%100)
}

// view is what a garden's page shows.
type view struct {
	speaks
	Garden Garden
	Base   string // path of the garden

	Shelf   []shelved
	Goods   []Good
	Good    Good
	From    string
	Order   string
	Title   string
	Total   int64
	Status  string
	Said    string
	More    string
	Program string // what a program said, in English
	Apps    []linkedApp
}

// speaks says things in a reader's language. Gardens and hub share the choice where they share a host.
type speaks struct {
	Lang  console.Lang
	Theme console.Theme
}

// speaksTo finds out a reader's language. Call it before the answer begins.
func speaksTo(rw http.ResponseWriter, r *http.Request) speaks {
	lang, theme := console.Preferences(rw, r)
	return speaks{lang, theme}
}

// T is one of two texts.
func (s speaks) T(en, zh string) string {
	if s.Lang == console.Chinese {
		return zh
	}
	return en
}

// House is to whom the garden belongs, where that is somebody.
func (v view) House() string { return v.T(v.Garden.House, houses[v.Garden.House]) }

// Of is a garden's name.
func (s speaks) Of(g Garden) string { return s.T(g.Name, g.NameZH) }

type shelved struct {
	Link   string
	Market Garden
	Good   Good
}

type linkedApp struct {
	Link string
	App  App
}

func show(rw http.ResponseWriter, status int, name string, v view) {
	var out bytes.Buffer
	if err := pages.ExecuteTemplate(&out, name, v); err != nil {
		http.Error(rw, "the page cannot be drawn", http.StatusInternalServerError)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Cookie, Accept-Language")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	rw.WriteHeader(status)
	_, _ = rw.Write(out.Bytes()) // a reader that has gone is its own affair
}

// Gardens serves the pages of all gardens, each below its handle.
func (w *World) Gardens() http.Handler {
	mux := http.NewServeMux()
	css := func(rw http.ResponseWriter, _ *http.Request) {
		text, err := pageFiles.ReadFile("page/garden.css")
		if err != nil {
			http.Error(rw, "no style", http.StatusInternalServerError)
			return
		}
		rw.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = rw.Write(text) // as above
	}
	for _, handle := range w.Handles() {
		mux.HandleFunc("GET /"+handle+"/garden.css", css)
	}
	for _, p := range w.Cast.Publishers {
		mux.HandleFunc("GET /"+p.Handle+"/", func(rw http.ResponseWriter, r *http.Request) {
			show(rw, http.StatusOK, "publisher", view{speaks: speaksTo(rw, r), Garden: p, Base: w.base(p.Handle), Shelf: w.shelf(p.Handle)})
		})
	}
	for _, c := range w.counters {
		c.routes(mux)
	}
	mux.HandleFunc("GET /"+w.Cast.Store.Handle+"/", func(rw http.ResponseWriter, r *http.Request) {
		show(rw, http.StatusOK, "store", view{speaks: speaksTo(rw, r), Garden: w.Cast.Store, Base: w.base(w.Cast.Store.Handle), Apps: w.storeShelf()})
	})
	for _, a := range w.Cast.Apps {
		mux.HandleFunc("GET /"+a.Handle+"/", func(rw http.ResponseWriter, r *http.Request) {
			show(rw, http.StatusOK, "app", view{speaks: speaksTo(rw, r), Garden: a.Garden, Base: w.base(a.Handle)})
		})
	}
	return mux
}

// base is the path under which a browser finds a garden's pages.
func (w *World) base(handle string) string {
	_, rest, _ := strings.Cut(w.opt.Address(handle), "://")
	if i := strings.Index(rest, "/"); i >= 0 {
		return rest[i:]
	}
	return ""
}

// shelf is what a publisher's page links to.
func (w *World) shelf(publisher string) []shelved {
	var list []shelved
	for _, l := range w.links {
		if l.publisher == publisher && l.market != nil {
			list = append(list, shelved{Link: l.url, Market: l.market.Garden, Good: l.good})
		}
	}
	return list
}

func (w *World) storeShelf() []linkedApp {
	var list []linkedApp
	for i, a := range w.Cast.Apps {
		if i < len(w.appLinks) {
			list = append(list, linkedApp{Link: w.appLinks[i].url, App: a})
		}
	}
	return list
}

// clicked reads the click token with which somebody lands.
func clicked(r *http.Request) string {
	token := r.URL.Query().Get(clickParameter)
	if len(token) > 1024 || strings.ContainsAny(token, " \r\n") {
		return ""
	}
	return token
}
