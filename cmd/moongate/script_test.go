package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/moongate-hub/moongate/gate/pay/stripe/stripetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"moongate": main})
}

// Every verb as its user's terminal shows it.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOFLAGS").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Split(string(out), "\n")
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("REPO", root)
			e.Values[cardsKey{}] = new(*stripetest.Account)
			e.Setenv("NO_COLOR", "1")
			for i, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS"} { // what this test was built with need not be built again
				e.Setenv(name, caches[i])
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": scriptFreePort, "await": scriptAwait, "grab": scriptGrab, "flip": scriptFlip, "cut": scriptCut,
			"append": scriptAppend, "awaitfile": scriptAwaitFile, "shop": scriptShop,
			"cards": scriptCards, "reserve": scriptReserve, "tell": scriptTell, "stands": scriptStands, "closewindow": scriptCloseWindow,
		},
	})
}

// usage refuses a command of a script that is not called as it should be.
func usage(ts *testscript.TestScript, neg bool, args []string, n int, how string) {
	if neg || len(args) != n {
		ts.Fatalf("usage: %s", how)
	}
}

// scriptFreePort puts an address that nobody listens on into a variable.
func scriptFreePort(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, "freeport VARIABLE")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], l.Addr().String())
}

// scriptAwait waits until a hub serves.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, "await ADDRESS")
	deadline := time.Now().Add(time.Minute)
	for {
		resp, err := http.Get("http://" + args[0] + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nobody serves at %s: %v", args[0], err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// scriptAppend writes the second file behind the first.
func scriptAppend(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "append TO FROM")
	more := ts.ReadFile(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+more), 0o600))
}

// scriptAwaitFile waits until a file is there.
func scriptAwaitFile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, "awaitfile FILE")
	for deadline := time.Now().Add(time.Minute); ; {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s never came", args[0])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// scriptGrab puts what a group of a pattern matches in a file, or in stdout or stderr, into a variable.
func scriptGrab(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 3, "grab VARIABLE FILE PATTERN")
	found := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s matches nothing in %s", args[2], args[1])
	}
	ts.Setenv(args[0], found[1])
}

// scriptFlip flips one bit of the byte at an offset of the file that a pattern names.
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "flip FILE OFFSET")
	path, b := oneFile(ts, args[0])
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at >= len(b) {
		ts.Fatalf("%s has only %d bytes", path, len(b))
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// scriptCut takes bytes off the end of the file that a pattern names.
func scriptCut(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "cut FILE BYTES")
	path, b := oneFile(ts, args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(path, b[:max(0, len(b)-n)], 0o600))
}

func oneFile(ts *testscript.TestScript, pattern string) (string, []byte) {
	found, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s names %d files", pattern, len(found))
	}
	b, err := os.ReadFile(found[0])
	ts.Check(err)
	return found[0], b
}
