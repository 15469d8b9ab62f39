package pages

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/proof"
)

// checkpoint is the newest signed head of the log, false where none was published yet.
func (p *Pages) checkpoint() (c proof.Checkpoint, signed []byte, ok bool) {
	return opened(p.hub.Node.Log().Checkpoint())
}

// opened reads a checkpoint that is the hub's own.
func opened(signed []byte) (c proof.Checkpoint, _ []byte, ok bool) {
	c, err := proof.ReadSigned(signed)
	return c, signed, err == nil
}

// signedAt is when the newest checkpoint was written down.
func (p *Pages) signedAt() moongate.Time {
	info, err := os.Stat(filepath.Join(p.hub.Config.Data, "log", proof.CheckpointPath))
	if err != nil {
		return 0
	}
	return moongate.At(info.ModTime())
}

// publicLog shows the log to everybody: it says nothing that its files do not.
func (p *Pages) publicLog(w http.ResponseWriter, r *http.Request) {
	v := p.visited(w, r)
	p.recognise(v)
	page := console.PublicLog{
		Origin: p.hub.Secrets.Origin(), Key: p.hub.Secrets.Verifier, Base: strings.TrimSuffix(p.hub.Config.PublicURL, "/") + "/log/", EachSecond: 1,
		Paging: console.Paging{First: true},
	}
	c, signed, ok := opened(p.hub.Node.Log().Head()) // what its file says: witnesses have signed it where there are some
	if ok {
		for _, w := range p.hub.Witnesses() {
			page.Witnesses = append(page.Witnesses, console.Witness{Name: w.Name, At: w.At})
		}
		page.Size, page.Root, page.Note, page.SignedAt = c.Size, hexOf(c.Root), string(signed), p.signedAt()
		before := c.Size
		if after := r.URL.Query().Get("after"); after != "" {
			n, err := strconv.ParseInt(after, 10, 64)
			if err != nil || n < 0 || n > c.Size {
				p.fail(w, v, notCursor)
				return
			}
			before, page.Paging.First = n, false
		}
		var found acts
		var err error
		if page.Paging.First { // what everybody asks for is kept for a moment
			found, err = cached(&p.cache, "acts/"+string(v.lang), p.hub.Now, func() (acts, error) { return p.acts(c, before, v.lang) })
		} else {
			found, err = p.acts(c, before, v.lang)
		}
		if err != nil {
			p.fail(w, v, err)
			return
		}
		page.Acts = found.list
		if found.next > 0 {
			page.Paging.Next = strconv.FormatInt(found.next, 10)
		}
	}
	p.show(w, v, http.StatusOK, page)
}

// acts are public acts of the log, newest first; next is the leaf to go on before, 0 at the end.
type acts struct {
	list []console.PublicAct
	next int64
}

const (
	actsShown    = 25
	actsLookedIn = 100 // bundles of entries; beyond, the reader asks for the next page
)

func (p *Pages) acts(c proof.Checkpoint, before int64, lang console.Lang) (found acts, err error) {
	read := func(path string) ([]byte, error) { return p.hub.Node.Log().ReadFile(path) }
	for range actsLookedIn {
		if before <= 0 || len(found.list) >= actsShown {
			break
		}
		bundle := (before - 1) / proof.TileWidth
		entries, err := proof.ReadEntries(c, read, bundle)
		if err != nil {
			return acts{}, err
		}
		first := bundle * proof.TileWidth
		for before > first && len(found.list) < actsShown {
			before--
			if i := before - first; i < int64(len(entries)) {
				if act, ok := p.actOf(entries[i], before, lang); ok {
					found.list = append(found.list, act)
				}
			}
		}
	}
	found.next = before
	return found, nil
}

// actOf reads a leaf that is a public act.
func (p *Pages) actOf(entry []byte, leaf int64, lang console.Lang) (console.PublicAct, bool) {
	e, err := proof.ParseEntry(entry)
	if err != nil || !e.IsAct() {
		return console.PublicAct{}, false
	}
	var said struct {
		By        string `json:"by"`
		Host      string `json:"host"`
		Facts     string `json:"facts"`
		Statement string `json:"statement"`
		Grounds   string `json:"grounds"`
		Note      string `json:"note"`
		How       string `json:"how"`
		Document  struct {
			Name map[string]string `json:"name"`
		} `json:"document"`
	}
	_ = json.Unmarshal(e.JSON, &said)
	act := console.PublicAct{Leaf: leaf, At: e.Start, Kind: e.Kind, Party: p.party(said.By, lang), Hash: hexOf(tlog.RecordHash(entry))}
	name := inLang(lang, said.Document.Name["en"], said.Document.Name["zh"])
	if name == "" {
		name = said.Document.Name["zh"]
	}
	for _, text := range []string{said.Host, name, said.Facts, said.Statement, said.Grounds, said.Note} {
		if text != "" {
			if act.Text != "" {
				act.Text += ": "
			}
			act.Text += text
		}
	}
	return act, true
}
