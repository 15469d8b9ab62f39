package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var fence = regexp.MustCompile("(?s)```sh\n(.*?)```")

// Every command that the documentation shows must parse, and name files that exist or that an earlier line makes.
func TestDocumentedCommandsParse(t *testing.T) {
	root := filepath.Join("..", "..")
	t.Chdir(root)
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	seen := 0
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fence.FindAllStringSubmatch(string(b), -1) {
			for _, line := range strings.Split(block[1], "\n") {
				line, _, _ = strings.Cut(line, "#")
				args := strings.Fields(line)
				if len(args) < 2 || args[0] != "moongate" {
					continue
				}
				seen++
				var c cli
				p := newParser(&c, kong.Exit(func(int) {}))
				// Files that the reader is to have are not there in a fresh clone.
				if _, err := p.Parse(args[1:]); err != nil && !strings.Contains(err.Error(), "no such file") {
					t.Errorf("%s: %s: %v", page, strings.TrimSpace(line), err)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands found in %d pages", seen, len(pages))
	}
}
