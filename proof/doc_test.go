package proof

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// docs/design/check_receipt.py takes a good receipt and refuses bad ones.
func TestCheckReceiptInPython(t *testing.T) {
	if err := exec.Command("python3", "-c", "import cryptography").Run(); err != nil {
		t.Skipf("python3 with the module cryptography is not here: %v", err)
	}
	dir := t.TempDir()
	script, file := filepath.Join("..", "docs", "design", "check_receipt.py"), filepath.Join(dir, "receipt.json")
	run := func(r *Receipt, key string) (string, error) {
		b, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("python3", script, file, key).CombinedOutput()
		return string(out), err
	}
	good, known := paid(t, "@seller")
	if _, err := good.Verify(known); err != nil {
		t.Fatal(err)
	}
	vkey := verifierKey(t, 1)
	out, err := run(good, vkey)
	if err != nil || !strings.HasPrefix(out, "good: crossing.paid start 2026-01-01T00:00:00Z [('@seller', b'9.40')]") {
		t.Errorf("a good receipt: %v\n%s", err, out)
	}
	for name, change := range map[string]func(*Receipt){
		"data":  func(r *Receipt) { r.Groups[0].Data = []byte("9.41") },
		"kind":  func(r *Receipt) { r.Kind = "crossing.refunded" },
		"place": func(r *Receipt) { r.Interval.Index ^= 1 },
		"entry": func(r *Receipt) { r.Entry = strings.Replace(r.Entry, "1767225600", "1767225601", 1) },
		"index": func(r *Receipt) { r.Proof = strings.Replace(r.Proof, "index 3", "index 2", 1) },
	} {
		r := *good
		r.Groups = slices.Clone(r.Groups)
		change(&r)
		if out, err := run(&r, vkey); err == nil {
			t.Errorf("another %s: %s", name, out)
		}
	}
	if out, err := run(good, verifierKey(t, 2)); err == nil {
		t.Errorf("another key: %s", out)
	}
}

func verifierKey(t *testing.T, seed byte) string {
	t.Helper()
	_, public, err := note.GenerateKey(strings.NewReader(strings.Repeat(string(rune(seed)), 64)), "hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	return public
}
