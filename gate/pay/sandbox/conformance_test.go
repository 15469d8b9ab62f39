package sandbox_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
)

// TestConformance: docs/conformance.md names every error code that the wallets know, and no test that is not there.
func TestConformance(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for wallet, codes := range map[string][]string{"Alipay": alipay.Codes(), "WeChat Pay": wechatpay.Codes()} {
		_, section, ok := strings.Cut(text, "\n## "+wallet+"\n")
		if !ok {
			t.Fatal("docs/conformance.md has no section on " + wallet)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, code := range codes {
			if !strings.Contains(section, "`"+code+"`") && !strings.Contains(section, "`"+strings.TrimPrefix(code, "ACQ.")+"`") {
				t.Errorf("%s: code %s is not there", wallet, code)
			}
		}
	}
	tests := map[string]bool{}
	for _, folder := range []string{".", "*", "../wechatpay", "../alipay", "../stripe", "../reconcile", ".."} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range regexp.MustCompile(`(?m)^func (Test\w+|Fuzz\w+)\(`).FindAllStringSubmatch(string(source), -1) {
				tests[name[1]] = true
			}
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(text, -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, name := range named {
		if !tests[name[1]] {
			t.Errorf("test %s is named and not there", name[1])
		}
	}
}
