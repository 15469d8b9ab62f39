package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// AssetPath is the prefix under which [Renderer.Assets] is served.
const AssetPath = "/assets/"

// ContentSecurityPolicy is what every page lives under. Pages have no inline script, style or handler, so no nonce and
// no hash is needed, and whatever slips into a page as text stays text.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Secure sets the headers that belong on every page. A stricter Referrer-Policy that stands already is left.
func Secure(h http.Header) {
	h.Set("Content-Security-Policy", ContentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Referrer-Policy") == "" {
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
}

//go:embed asset/*.css asset/*.js asset/*.svg asset/vendor
var assetFiles embed.FS

type asset struct {
	kind   string // content type
	plain  []byte
	zipped []byte // nil where it would not be smaller
}

// assets are served under names that carry the hash of their content, so that a browser may keep them for ever.
type assets struct {
	names  map[string]string // mark.svg → mark.1f2e3d4c5b6a.svg
	served map[string]asset
}

func loadAssets() (*assets, error) {
	a := &assets{names: map[string]string{}, served: map[string]asset{}}
	err := fs.WalkDir(assetFiles, "asset", func(file string, d fs.DirEntry, err error) error {
		extension := path.Ext(file)
		if err != nil || d.IsDir() || kinds[extension] == "" {
			return err // licences and sources stand beside the files, and are not served
		}
		data, err := assetFiles.ReadFile(file)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		name := strings.TrimSuffix(d.Name(), extension) + "." + hex.EncodeToString(sum[:6]) + extension
		if _, twice := a.names[d.Name()]; twice {
			return fmt.Errorf("console: two assets named %s", d.Name())
		}
		a.names[d.Name()] = name
		a.served[name] = asset{kind: kinds[extension], plain: data, zipped: zip(data)}
		return nil
	})
	return a, err
}

// kinds are the content types of what is served.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func zip(data []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid, and a Buffer takes everything
	_, _ = z.Write(data)
	_ = z.Close()
	if b.Len() >= len(data) {
		return nil
	}
	return b.Bytes()
}

// url is where a page finds an asset.
func (a *assets) url(name string) (string, error) {
	hashed, ok := a.names[name]
	if !ok {
		return "", fmt.Errorf("console: no asset %q", name)
	}
	return AssetPath + hashed, nil
}

// ServeHTTP answers for the exact names only: an old name is gone, not the new content.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, ok := a.served[strings.TrimPrefix(r.URL.Path, AssetPath)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "assets are read with GET", http.StatusMethodNotAllowed)
		return
	}
	h, body := w.Header(), found.plain
	h.Set("Content-Type", found.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	if found.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = found.zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the reader has gone away: nothing to do
	}
}
