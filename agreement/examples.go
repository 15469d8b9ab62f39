package agreement

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed examples/*.yaml
var exampleFiles embed.FS

// Examples are documents to start from, by file name: "three-gardens.yaml" is the one that the demonstration runs
// under; those that begin with apple- are fee schedules as the press reported them.
func Examples() map[string][]byte {
	all := map[string][]byte{}
	entries, err := fs.ReadDir(exampleFiles, "examples")
	if err != nil {
		return all // it is embedded: it is there
	}
	for _, e := range entries {
		if text, err := exampleFiles.ReadFile("examples/" + e.Name()); err == nil && strings.HasSuffix(e.Name(), ".yaml") {
			all[e.Name()] = text
		}
	}
	return all
}
