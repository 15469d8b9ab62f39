package moongate_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/moongate-hub/moongate"

// levels places every room. Imports point down or stay on the level, within the rules of [bans]. A folder below a room
// stands at its room's level unless it is listed itself.
var levels = map[string]int{
	".":             0,
	"money":         1,
	"proof":         1,
	"share":         1,
	"replica":       1,
	"journal":       1,
	"view":          1,
	"effect":        1,
	"agreement":     2,
	"party":         2,
	"ledger":        2,
	"webhook":       2,
	"crossing":      3,
	"gate/link":     4,
	"gate/pay":      4,
	"gate/traffic":  4,
	"gate/embed":    4,
	"gate/data":     4,
	"settle":        4,
	"statement":     4,
	"insight":       4,
	"observe":       4,
	"hub":           5,
	"api":           5,
	"console":       5,
	"client":        5,
	"pages":         5,
	"sim":           5,
	"cmd/moongate":  6,
	"examples/shop": 6,
}

// A ban says which packages may not import which others, and why.
type ban struct {
	from   func(pkg string) bool
	to     func(imported string) bool // an import path; the module's own are shortened to their folder, as "./money"
	reason string
}

var bans = []ban{
	{
		from:   rooms("gate/link", "gate/pay", "gate/traffic", "gate/embed", "gate/data"),
		to:     ours("gate/link", "gate/pay", "gate/traffic", "gate/embed", "gate/data"),
		reason: "gates never import each other: what two gates share is a crossing, and belongs there",
	},
	{
		from:   rooms("crossing", "gate/link", "gate/pay", "gate/traffic", "gate/embed", "gate/data"),
		to:     ours("settle", "statement", "insight", "observe"),
		reason: "a gate ends where its crossing is recorded; settlement, statements and the observatory read crossings afterwards",
	},
	{
		from:   rooms("money", "proof", "share"),
		to:     standard("os", "net", "database/sql", "syscall", "log", "plugin"),
		reason: "money, proof and share are pure: the same input gives the same output anywhere, so they do no I/O",
	},
	{
		from:   rooms("replica", "journal", "view", "effect"),
		to:     ours("money", "share"),
		reason: "the core orders, stores and delivers bytes; it knows no rule of any room",
	},
	{
		from:   except(rooms("cmd/moongate", "examples/shop", "hub", "client", "sim", "console", "api")),
		to:     standard("crypto/rand", "math/rand"),
		reason: "randomness is injected: what decides and what replays must not draw its own",
	},
	{
		from:   every,
		to:     equal("math/rand"),
		reason: "math/rand has one hidden global source; use a seeded math/rand/v2 (or crypto/rand for secrets)",
	},
	{
		from:   every,
		to:     standard("unsafe", "C"),
		reason: "one static binary for every platform, and nothing that a fuzzer cannot see",
	},
	{
		from:   except(rooms("cmd/moongate")),
		to:     standard("flag", "github.com/alecthomas/kong"),
		reason: "only cmd reads the command line; a room is given its values",
	},
}

func TestRepoImportsPointDown(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test {
			continue // a test may stand on anything below cmd
		}
		level, placed := levelOf(f.pkg)
		if !placed {
			t.Errorf("%s: package %s has no level; place it in the table of repo_test.go and in ARCHITECTURE.md", f.name, f.pkg)
			continue
		}
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if imported == module || strings.HasPrefix(imported, module+"/") {
				to := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
				if to == "" {
					to = "."
				}
				if other, ok := levelOf(to); ok && other > level {
					t.Errorf("%s: %s (level %d) imports %s (level %d): imports point down, so that a room can be read, tested and replaced without what stands on it", f.name, f.pkg, level, to, other)
				}
				imported = "./" + to
			}
			for _, b := range bans {
				if !b.from(f.pkg) || !b.to(imported) || sameRoom(f.pkg, strings.TrimPrefix(imported, "./")) {
					continue
				}
				t.Errorf("%s: %s imports %s: %s", f.name, f.pkg, imported, b.reason)
			}
		}
	}
}

func TestRepoOnePackageComment(t *testing.T) {
	comments := map[string][]string{}
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.ast.Name.Name, "_test") || f.test {
			if f.ast.Doc != nil {
				t.Errorf("%s: a comment touches the package clause of a test; leave an empty line between them, or it is the package's documentation", f.name)
			}
			continue
		}
		at := comments[f.pkg]
		if f.ast.Doc != nil {
			at = append(at, f.name)
			want := "Package " + f.ast.Name.Name + " "
			if f.ast.Name.Name != "main" && !strings.HasPrefix(f.ast.Doc.Text(), want) {
				t.Errorf("%s: the package comment begins %.40q; begin it with %q", f.name, f.ast.Doc.Text(), want)
			}
		}
		comments[f.pkg] = at
	}
	for pkg, at := range comments {
		if len(at) != 1 {
			t.Errorf("package %s has %d package comments %v; it needs exactly one, that says what the package is for", pkg, len(at), at)
		}
	}
}

func TestRepoFilesFitAReader(t *testing.T) {
	const most = 600
	for _, f := range goFiles(t) {
		if n := bytes.Count(f.text, []byte("\n")); n > most {
			t.Errorf("%s has %d lines, more than %d; cut it along the nouns it holds", f.name, n, most)
		}
	}
}

func TestRepoClockIsInjected(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || strings.HasPrefix(f.pkg, "cmd/") || strings.HasPrefix(f.pkg, "examples/") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
				t.Errorf("%s: time.%s; take the clock as a parameter (only cmd and tests read the wall clock), or a replay will not say what the first run said",
					f.position(n), sel.Sel.Name)
			}
			return true
		})
	}
}

// TestRepoSpeaksOfItself finds what would tie the repository to one machine or to how it was written.
func TestRepoSpeaksOfItself(t *testing.T) {
	for _, rule := range []struct {
		pattern *regexp.Regexp
		allowed func(name string) bool
		reason  string
	}{
		{
			regexp.MustCompile(`(^|[^\w./:-])/(root|home|work|Users)/`), nil,
			"an absolute path of somebody's machine",
		},
		{
			regexp.MustCompile(`\.\./shared\b`), func(name string) bool { return strings.HasPrefix(name, ".ci/") },
			"a path outside the checkout; tests find outside data through MOONGATE_DATA",
		},
		{
			regexp.MustCompile(`(?i)\bissue #?[0-9]+\b`), nil,
			"a number in a tracker that the reader does not have; say what it was about",
		},
		{
			regexp.MustCompile(`(?i)\b(claude|anthropic|chatgpt|openai|copilot)\b`), nil,
			"the name of a writing tool",
		},
		{
			regexp.MustCompile(`\b(TODO|FIXME)\b`), nil,
			"work left undone; do it, or say in the documentation what is not there",
		},
		{
			regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`),
			func(name string) bool {
				return strings.Contains(name, "testdata/") || strings.HasSuffix(name, "_test.go")
			},
			"a private key outside tests",
		},
	} {
		for _, name := range textFiles(t) {
			if name == "repo_test.go" || name == ".git" || rule.allowed != nil && rule.allowed(name) {
				continue
			}
			text := read(t, name)
			if at := rule.pattern.FindIndex(text); at != nil {
				line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
				t.Errorf("%s:%d: %q: %s", name, line, text[at[0]:at[1]], rule.reason)
			}
		}
	}
}

// A goFile is one parsed file of the module.
type goFile struct {
	name string // slash-separated, from the root
	pkg  string // its folder, "." for the root
	test bool
	text []byte
	fset *token.FileSet
	ast  *ast.File
}

func (f goFile) position(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.fset.Position(n.Pos()).Line)
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	for _, name := range walk(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "tools/") || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		f := goFile{name: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), text: read(t, name), fset: token.NewFileSet()}
		parsed, err := parser.ParseFile(f.fset, name, f.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s does not parse: %v", name, err)
			continue
		}
		f.ast = parsed
		files = append(files, f)
	}
	if len(files) == 0 {
		t.Fatal("found no Go file; run the test in the checkout")
	}
	return files
}

// textFiles are the files a reader would open: no binaries, no data set larger than a megabyte.
func textFiles(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(walk(t), func(name string) bool {
		text := read(t, name)
		return len(text) > 1<<20 || bytes.IndexByte(text, 0) >= 0
	})
}

// walk lists the files of the checkout, without what .gitignore keeps out.
func walk(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			switch name {
			case ".git", ".cache", "bin", "dist", "moongate-data", "screenshots":
				return filepath.SkipDir
			}
			if path.Base(name) == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && !strings.HasSuffix(name, ".test") && !strings.HasSuffix(name, ".out") && name != "moongate" {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// roomOf is the listed package that pkg is or stands below.
func roomOf(pkg string) (string, bool) {
	for p := pkg; p != "." && p != "/"; p = path.Dir(p) {
		if _, ok := levels[p]; ok {
			return p, true
		}
	}
	return pkg, pkg == "."
}

func levelOf(pkg string) (int, bool) {
	room, ok := roomOf(pkg)
	return levels[room], ok
}

func sameRoom(a, b string) bool {
	ra, oka := roomOf(a)
	rb, okb := roomOf(b)
	return oka && okb && ra == rb
}

func every(string) bool { return true }

func except(f func(string) bool) func(string) bool { return func(s string) bool { return !f(s) } }

func equal(want string) func(string) bool { return func(s string) bool { return s == want } }

// rooms matches packages of the given rooms, with what stands below them.
func rooms(names ...string) func(string) bool {
	return func(pkg string) bool {
		room, ok := roomOf(pkg)
		return ok && slices.Contains(names, room)
	}
}

// ours matches imports of the given rooms.
func ours(names ...string) func(string) bool {
	match := rooms(names...)
	return func(imported string) bool {
		rest, ok := strings.CutPrefix(imported, "./")
		return ok && match(rest)
	}
}

// standard matches the given import paths and what stands below them.
func standard(paths ...string) func(string) bool {
	return func(imported string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") })
	}
}
