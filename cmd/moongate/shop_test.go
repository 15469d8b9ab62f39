package main

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// toWallet is a shopper's way from the cashier to a sandbox wallet.
var toWallet = regexp.MustCompile(`(http://[^/"]+)/(?:wxpay/bizpayurl\?pr=|qr/)(\w+)`)

// scriptShop runs a shop, pays at the cashier that it names as a shopper would, and sees that the shop learns of it.
func scriptShop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: shop WALLET COMMAND ...")
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "HUB", "MARKET", "SELLER", "AGREEMENT", "KEY", "KEYID", "GOCACHE", "GOMODCACHE", "GOPATH", "GOFLAGS", "TMPDIR"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill() })
	last := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		if cashier, ok := strings.CutPrefix(last, "pay here: "); ok {
			payAt(ts, cashier, args[0])
		}
	}
	if err := cmd.Wait(); err != nil || !strings.HasSuffix(last, ": succeeded") {
		ts.Fatalf("%v ended with %q: %v\n%s", args[1:], last, err, &stderr)
	}
}

func payAt(ts *testscript.TestScript, cashier, wallet string) {
	post := func(to string, form url.Values) {
		resp, err := http.PostForm(to, form)
		ts.Check(err)
		ts.Check(resp.Body.Close())
	}
	post(cashier, url.Values{"wallet": {wallet}})
	for deadline := time.Now().Add(30 * time.Second); ; {
		resp, err := http.Get(cashier)
		ts.Check(err)
		text, err := io.ReadAll(resp.Body)
		ts.Check(err)
		ts.Check(resp.Body.Close())
		if found := toWallet.FindStringSubmatch(string(text)); found != nil {
			resp, err := http.Get(found[0])
			ts.Check(err)
			ts.Check(resp.Body.Close())
			post(found[1]+"/sandbox/pay", url.Values{"token": {found[2]}, "answer": {"approve"}})
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the cashier never showed the way to %s:\n%s", wallet, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
