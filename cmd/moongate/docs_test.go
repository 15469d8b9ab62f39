package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/hub"
)

const repo = "../.."

// awaited is what pages name already and what is being written.
var awaited = map[string]bool{}

// docs are the pages that people read, by path from the repository's root.
func docs(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(repo, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			name, err := filepath.Rel(repo, file)
			if err != nil {
				t.Fatal(err)
			}
			pages[filepath.ToSlash(name)] = readDoc(t, file)
		}
	}
	if len(pages) < 8 {
		t.Fatalf("only %d pages found", len(pages))
	}
	return pages
}

func readDoc(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fence is a block of code.
type fence struct{ language, text string }

var fenced = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func fences(page string) (all []fence) {
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		all = append(all, fence{m[1], m[2]})
	}
	return all
}

// section is a page from a heading to the next of its depth.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("there is no %q", heading)
	}
	depth, _, _ := strings.Cut(heading, " ")
	rest, _, _ = strings.Cut(rest, "\n"+depth+" ")
	return rest
}

var command = regexp.MustCompile(`(?:^|\$\()((?:bin/)?moongate [^)]*)`)

// Every command that the documentation shows must parse.
func TestDocumentedCommandsParse(t *testing.T) {
	t.Parallel()
	seen := 0
	for name, page := range docs(t) {
		for _, block := range fences(page) {
			if block.language != "sh" {
				continue
			}
			for _, line := range strings.Split(strings.ReplaceAll(block.text, "\\\n", " "), "\n") {
				m := command.FindStringSubmatch(strings.TrimSpace(line))
				if m == nil {
					continue
				}
				seen++
				args := words(strings.ReplaceAll(m[1], "$AGREEMENT", "agr_aebag_gcrsyccyzikjbjlwmsuq"))
				var c cli
				p := newParser(&c, kong.Exit(func(int) {}))
				// Files that the reader is to have are not there in a fresh clone.
				if _, err := p.Parse(args[1:]); err != nil && !strings.Contains(err.Error(), "no such file") {
					t.Errorf("%s: %s: %v", name, strings.TrimSpace(line), err)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands found", seen)
	}
}

// words splits a line as a shell does, up to what is the shell's own.
func words(line string) (list []string) {
	var word strings.Builder
	quote, open := rune(0), false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, open = r, true
		case strings.ContainsRune("|<>&;#", r) && word.Len() == 0 && !open:
			return list
		case r == ' ' && (word.Len() > 0 || open):
			list = append(list, word.String())
			word.Reset()
			open = false
		case r != ' ':
			word.WriteRune(r)
		}
	}
	return list
}

// What is shown as JSON or YAML must be that; a document of terms must be one that the hub takes.
func TestDocumentedSnippetsParse(t *testing.T) {
	t.Parallel()
	var seen []string
	for name, page := range docs(t) {
		for _, block := range fences(page) {
			seen = append(seen, block.language)
			var err error
			var v any
			switch block.language {
			case "json":
				err = json.Unmarshal([]byte(block.text), &v)
			case "yaml":
				if strings.HasPrefix(block.text, "moongate: agreement/") {
					_, err = agreement.Parse([]byte(block.text))
				} else {
					err = yaml.Unmarshal([]byte(block.text), &v)
				}
			}
			if err != nil {
				t.Errorf("%s: %v in\n%s", name, err, block.text)
			}
		}
	}
	for _, language := range []string{"json", "yaml", "go", "sh"} {
		if !slices.Contains(seen, language) {
			t.Errorf("no snippet of %s was found", language)
		}
	}
}

// Go that is shown must stand in a test, line by line.
func TestDocumentedGoIsTested(t *testing.T) {
	t.Parallel()
	var tested strings.Builder
	for _, file := range []string{"client/example_test.go"} {
		tested.WriteString(unindented(readDoc(t, filepath.Join(repo, file))))
	}
	seen := 0
	for name, page := range docs(t) {
		for _, block := range fences(page) {
			if block.language != "go" {
				continue
			}
			seen++
			if !strings.Contains(tested.String(), unindented(block.text)) {
				t.Errorf("%s shows Go that no example has:\n%s", name, block.text)
			}
		}
	}
	if seen == 0 {
		t.Error("no Go was found")
	}
}

func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+?)\s*$`)
	linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// Every link within the repository leads to a file that is there, and to a heading that is in it.
func TestDocumentedLinksLead(t *testing.T) {
	t.Parallel()
	pages := docs(t)
	seen := 0
	for name, page := range pages {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			seen++
			file, anchor, anchored := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
			}
			if awaited[target] {
				continue
			}
			if _, err := os.Stat(filepath.Join(repo, target)); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
				continue
			}
			if anchored && !slices.Contains(anchors(pages[target]), anchor) {
				t.Errorf("%s: %s leads to no heading of %s", name, m[1], target)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d links found", seen)
	}
}

var path = regexp.MustCompile("`((?:[a-z]+/)+[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)`")

// A path of the repository that is named in the text is there. What begins with hub/ is the reader's own hub.
func TestDocumentedPathsExist(t *testing.T) {
	t.Parallel()
	seen := 0
	for name, page := range docs(t) {
		for _, m := range path.FindAllStringSubmatch(page, -1) {
			first, _, _ := strings.Cut(m[1], "/")
			if info, err := os.Stat(filepath.Join(repo, first)); err != nil || !info.IsDir() || first == "hub" {
				continue
			}
			seen++
			if _, err := os.Stat(filepath.Join(repo, m[1])); err != nil && !awaited[m[1]] {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d paths found", seen)
	}
}

// anchors are the names that a page's headings get where it is shown: lower case, blanks as hyphens, no punctuation, and
// a number where one comes again.
func anchors(page string) (all []string) {
	seen := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(linkText.ReplaceAllString(m[1], "$1")) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r):
				b.WriteRune(r)
			}
		}
		name := b.String()
		if n := seen[name]; n > 0 {
			name += "-" + strconv.Itoa(n)
		}
		seen[b.String()]++
		all = append(all, name)
	}
	return all
}

// A page in the middle of nowhere is not found: each is linked from another.
func TestDocumentedPagesAreLinked(t *testing.T) {
	t.Parallel()
	pages := docs(t)
	linked := map[string]bool{"README.md": true}
	for name, page := range pages {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			file, _, _ := strings.Cut(m[1], "#")
			linked[filepath.ToSlash(filepath.Join(filepath.Dir(name), file))] = true
		}
	}
	for name := range pages {
		if !linked[name] && name != "CHANGELOG.md" {
			t.Errorf("no page leads to %s", name)
		}
	}
}

// The one page on how it is built names every room there is.
func TestDocumentedRooms(t *testing.T) {
	t.Parallel()
	page := docs(t)["ARCHITECTURE.md"]
	seen := map[string]bool{"tools": true}
	for _, pattern := range []string{"*/*.go", "gate/*/*.go", "cmd/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(repo, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			room, err := filepath.Rel(repo, filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			if room = filepath.ToSlash(room); !seen[room] && !strings.Contains(page, "`"+room+"`") {
				t.Errorf("ARCHITECTURE.md does not name %s", room)
			}
			seen[room] = true
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d rooms found", len(seen))
	}
}

// Every field of a configuration is explained to operators.
func TestDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	page := docs(t)["docs/operations.md"]
	for _, of := range []reflect.Type{reflect.TypeFor[hub.Config](), reflect.TypeFor[hub.WalletConfig](), reflect.TypeFor[hub.LimitsConfig]()} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
			if name != "" && !strings.Contains(page, "`"+name+"`") && !strings.Contains(page, "`"+name+"[]`") {
				t.Errorf("docs/operations.md does not explain %s of %s", name, of)
			}
		}
	}
}

// openAPI is the document that a hub serves.
type openAPI struct {
	Paths map[string]map[string]struct {
		Security []map[string][]string `json:"security"`
		Scope    []string              `json:"x-scope"`

		Parameters []struct {
			Name   string `json:"name"`
			Schema struct {
				Enum []any `json:"enum"`
			} `json:"schema"`
		} `json:"parameters"`
	} `json:"paths"`
}

var (
	call     = regexp.MustCompile("`(GET|POST|DELETE|PUT|PATCH) (/v1/[^`?\\s]*)")
	metric   = regexp.MustCompile("`(moongate_[a-z_]+)`")
	scopeRow = regexp.MustCompile("`([a-z]+:(?:read|write))`")

	metricName = regexp.MustCompile(`fqName: "([^"]+)"`)
	eventKind  = regexp.MustCompile("`((?:agreement|core|crossing|ledger|link|party|pay|settle|statement|webhook)\\.[a-z_]+)`")
)

// What the pages say of the API is what the hub serves: calls, those that need a key, scopes, codes, kinds of events,
// metrics.
func TestDocumentedAPIIsServed(t *testing.T) {
	t.Parallel()
	h := openQuay(t).hub
	handler, err := surface(h, false)
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var doc openAPI
	if err := json.Unmarshal(answer.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	pages := docs(t)
	calls := 0
	for name, page := range pages {
		for _, m := range call.FindAllStringSubmatch(page, -1) {
			calls++
			if _, ok := offered(&doc, m[1], m[2]); !ok {
				t.Errorf("%s: %s %s is not served", name, m[1], m[2])
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d calls found", calls)
	}

	guide := pages["docs/api.md"]
	asking := section(t, guide, "### Who asks")
	scopes := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			for _, s := range o.Scope {
				scopes[s] = true
			}
			needs := len(o.Security) == 1 && o.Security[0]["signature"] != nil
			row := fmt.Sprintf("| `%s %s` |", strings.ToUpper(method), path)
			if needs != strings.Contains(asking, row) {
				t.Errorf("docs/api.md: of %s the table says %v and the hub %v", row, !needs, needs)
			}
		}
	}
	for _, m := range scopeRow.FindAllStringSubmatch(asking, -1) {
		if !scopes[m[1]] {
			t.Errorf("docs/api.md: no call needs the scope %s", m[1])
		}
		delete(scopes, m[1])
	}
	delete(scopes, "operator")
	for s := range scopes {
		t.Errorf("docs/api.md does not name the scope %s", s)
	}

	for _, code := range []moongate.Code{
		moongate.Malformed, moongate.Unauthenticated, moongate.Forbidden, moongate.NotFound, moongate.Conflict, moongate.KeyReused,
		moongate.Refused, moongate.Limit, moongate.TooLarge, moongate.Busy, moongate.Unknown, moongate.Internal,
	} {
		row := fmt.Sprintf("| `%s` | %d |", code, api.ProblemOf(&moongate.Error{Code: code}).Status)
		if !strings.Contains(guide, row) {
			t.Errorf("docs/api.md has no row %s", row)
		}
	}

	m, named := newMetrics(h), make(chan *prometheus.Desc, 100)
	for _, c := range []prometheus.Collector{m.requests, m.seconds, newHubCollector(h)} {
		c.Describe(named)
	}
	close(named)
	shown := map[string]bool{}
	for _, m := range metric.FindAllStringSubmatch(pages["docs/operations.md"], -1) {
		shown[m[1]] = true
	}
	for d := range named {
		name := metricName.FindStringSubmatch(d.String())[1]
		if !shown[name] {
			t.Errorf("docs/operations.md does not explain %s", name)
		}
		delete(shown, name)
	}
	for name := range shown {
		t.Errorf("docs/operations.md explains %s, which is no metric", name)
	}

	for _, p := range doc.Paths["/v1/exceptions"]["get"].Parameters {
		for _, kind := range p.Schema.Enum {
			if row := fmt.Sprintf("| `%v` |", kind); p.Name == "kind" && !strings.Contains(pages["docs/guide/wallet.md"], row) {
				t.Errorf("docs/guide/wallet.md has no row %s", row)
			}
		}
	}

	for name, page := range pages {
		for _, m := range eventKind.FindAllStringSubmatch(page, -1) {
			if !h.Machine().Registry().Knows(m[1]) {
				t.Errorf("%s: there is no kind of event %s", name, m[1])
			}
		}
	}
}

// offered finds an operation by a path that may have names in it: {payment} stands for any part.
func offered(doc *openAPI, method, path string) (found string, ok bool) {
	want := strings.Split(path, "/")
	for p, methods := range doc.Paths {
		have := strings.Split(p, "/")
		same := len(have) == len(want)
		for i := 0; same && i < len(have); i++ {
			same = have[i] == want[i] || strings.HasPrefix(have[i], "{")
		}
		if _, has := methods[strings.ToLower(method)]; same && has {
			return p, true
		}
	}
	return "", false
}
