package console

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// theme reads the colours of the stylesheet: the first block of variables is light, the others are dark.
func themes(t *testing.T) (light, dark map[string]string) {
	t.Helper()
	css, err := assetFiles.ReadFile("asset/moongate.css")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s):root[^{]*\{([^}]*--paper:[^}]*)\}`).FindAllStringSubmatch(string(css), -1)
	if len(blocks) != 4 {
		t.Fatalf("%d blocks of colours, want light, dark by the system, dark by choice, print", len(blocks))
	}
	read := func(block string) map[string]string {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(block, -1) {
			colours[m[1]] = m[2]
		}
		return colours
	}
	light, dark = read(blocks[0][1]), read(blocks[1][1])
	if diff := cmp.Diff(dark, read(blocks[2][1])); diff != "" {
		t.Errorf("dark by the system (-) and by choice (+) differ:\n%s", diff)
	}
	return light, dark
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var r, g, b int
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &r, &g, &b); err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	channel := func(v int) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(r) + 0.7152*channel(g) + 0.0722*channel(b)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestContrastFormula(t *testing.T) {
	if got := contrast(t, "#000000", "#ffffff"); math.Abs(got-21) > 1e-9 {
		t.Errorf("black on white is %v, want 21", got)
	}
	if got := contrast(t, "#777777", "#ffffff"); math.Abs(got-4.478) > 0.001 {
		t.Errorf("#777 on white is %v, want 4.478", got)
	}
}

// words stand on grounds: every pair that pages use.
var grounds = map[string][]string{
	"ink":          {"paper", "wash", "sheet", "moon", "sandbox"},
	"faint":        {"paper", "wash", "sheet"},
	"indigo":       {"paper", "wash", "sheet"},
	"moon-ink":     {"moon"},
	"celadon-ink":  {"paper", "wash", "sheet", "celadon-wash"},
	"amber-ink":    {"paper", "wash", "sheet", "amber-wash"},
	"cinnabar-ink": {"paper", "wash", "sheet", "cinnabar-wash"},
	"on-indigo":    {"indigo"},
	"on-cinnabar":  {"cinnabar"},
	"on-wechatpay": {"wechatpay"},
	"on-alipay":    {"alipay"},
	"on-stripe":    {"stripe"},
	"on-sandbox":   {"sandbox"},
}

func TestWordsCanBeRead(t *testing.T) {
	light, dark := themes(t)
	for name, theme := range map[string]map[string]string{"light": light, "dark": dark} {
		for ink, on := range grounds {
			for _, ground := range on {
				if theme[ink] == "" || theme[ground] == "" {
					t.Errorf("%s: no colour for %s on %s", name, ink, ground)
					continue
				}
				if got := contrast(t, theme[ink], theme[ground]); got < 4.5 {
					t.Errorf("%s: %s on %s is %.2f : 1, want 4.5", name, ink, ground, got)
				}
			}
		}
	}
}

// TestEveryInkIsMeasured makes sure that the table above misses no colour that words are written in.
func TestEveryInkIsMeasured(t *testing.T) {
	css, err := assetFiles.ReadFile("asset/moongate.css")
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string]bool{"celadon": true, "amber": true, "cinnabar": true} // the shape beside a word, drawn in currentColor
	for _, m := range regexp.MustCompile(`[ {;]color: var\(--([a-z-]+)\)`).FindAllStringSubmatch(string(css), -1) {
		if grounds[m[1]] == nil && !shapes[m[1]] {
			t.Errorf("words are written in %s, whose contrast nobody measures", m[1])
		}
	}
}

// TestHouseColours keeps the colours that the house is known by.
func TestHouseColours(t *testing.T) {
	light, _ := themes(t)
	want := map[string]string{
		"paper": "#fbfaf7", "ink": "#1d2328", "moon": "#d6ecf0", "indigo": "#2b4b6f", "celadon": "#5b8a72", "amber": "#c58b2b", "cinnabar": "#b3382c",
	}
	for name, colour := range want {
		if light[name] != colour {
			t.Errorf("%s is %s, want %s", name, light[name], colour)
		}
	}
}

// TestStylesheetStandsAlone: nothing is fetched from elsewhere, and every variable is defined.
func TestStylesheetStandsAlone(t *testing.T) {
	css, err := assetFiles.ReadFile("asset/moongate.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{"url(", "@import", "http:", "https:"} {
		if strings.Contains(string(css), foreign) {
			t.Errorf("the stylesheet has %q", foreign)
		}
	}
	light, _ := themes(t)
	for _, m := range regexp.MustCompile(`var\(--([a-z0-9-]+)\)`).FindAllStringSubmatch(string(css), -1) {
		if light[m[1]] == "" {
			t.Errorf("--%s is used and not defined", m[1])
		}
	}
}
