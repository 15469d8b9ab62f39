// Command moongate is an open interconnection hub for internet platforms: it carries what crosses the wall between two
// of them, shares the benefit under signed terms, and proves to everybody what happened.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/alecthomas/kong"

	"github.com/moongate-hub/moongate/party"
)

// version is set by the build.
var version = "dev"

// env is what a verb may touch of the world.
type env struct {
	ctx    context.Context
	out    io.Writer
	err    io.Writer
	in     io.Reader
	now    func() time.Time
	random func([]byte)
	json   bool
}

type cli struct {
	JSON bool `help:"Print one JSON object instead of text for people."`

	Init      initVerb      `cmd:"" help:"Make a configuration, keys and the first operator."`
	Config    configVerb    `cmd:"" help:"Explain what is wrong with a configuration."`
	Serve     serveVerb     `cmd:"" help:"Run a hub."`
	Rules     rulesVerb     `cmd:"" help:"Show and raise the version of the rules that a running hub decides by."`
	Party     partyVerb     `cmd:"" help:"Let participants in, and manage their keys and credentials, at a running hub."`
	Agreement agreementVerb `cmd:"" help:"Check and explain agreements; propose, sign and list them at a running hub."`
	Demo      demoVerb      `cmd:"" help:"Run wallets, gardens and a hub, and watch purchases cross."`
	Sandbox   sandboxVerb   `cmd:"" help:"Run wallets of play money that speak WeChat Pay's and Alipay's protocols, for anybody's tests; needs no hub."`
	Replay    replayVerb    `cmd:"" help:"Run historical orders through a hub of their own."`
	Pay       payVerb       `cmd:"" help:"Check and read wallets' bills, without a hub; reconcile them, and capture or release authorised payments, at a running one."`
	Window    windowVerb    `cmd:"" help:"List settlement windows, and close one before its time, at a running hub."`
	Payout    payoutVerb    `cmd:"" help:"List what settlement pays participants, and say what became of what is paid by hand, at a running hub."`
	Wallet    walletVerb    `cmd:"" help:"Test accounts at wallets before going live."`
	Log       logVerb       `cmd:"" help:"Verify a public log or a receipt, of any hub."`
	Fsck      fsckVerb      `cmd:"" help:"Check everything that a hub has written, and every invariant."`
	Backup    backupVerb    `cmd:"" help:"Write a hub's journal, log and vault into one file."`
	Restore   restoreVerb   `cmd:"" help:"Make a data directory from a backup."`
	Bench     benchVerb     `cmd:"" help:"Measure the hub's hot paths against a limit in the same run."`
	Version   versionVerb   `cmd:"" help:"Print the version."`
}

type versionVerb struct{}

func (versionVerb) Run(e *env) error {
	return e.show(map[string]string{"version": version}, func(t *terminal) { t.line("moongate %s", version) })
}

func main() {
	collectSeldom()
	oneMoreProcessor()
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // whoever asks a second time is not made to wait
	e := &env{ctx: ctx, out: os.Stdout, err: os.Stderr, in: os.Stdin, now: time.Now, random: random}
	code := run(e, os.Args[1:])
	stop()
	os.Exit(code)
}

// collectSeldom has the garbage collected when the heap is five times what lives, as long as it is within half of the
// machine's memory (or the control group's). A hub's state is long-lived and its garbage short-lived: collecting at twice
// costs it a tenth of its processors, and at eleven times spares no more. GOGC and GOMEMLIMIT overrule it.
func collectSeldom() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(400)
	most := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)
	_, _ = memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(0.5), memlimit.WithProvider(most)) // who can say how much there is?
}

// oneMoreProcessor has Go use one processor more than there are: a goroutine that waits for the disk keeps its own for a
// while, and a hub with few always has one that waits. The slowest hundredth of requests is a sixth faster by it on two.
// GOMAXPROCS overrules it.
func oneMoreProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

func random(b []byte) {
	if _, err := rand.Read(b); err != nil {
		panic(err) // the operating system has no randomness: nothing safe can be done
	}
}

// Exit codes: 0 all is well, 1 the verb failed or found something wrong, 2 it was called wrongly.
func run(e *env, args []string) int {
	var c cli
	exit := -1
	k, err := newParser(&c, kong.Writers(e.out, e.err), kong.Exit(func(code int) { exit = code }), kong.Bind(e)).Parse(args)
	if exit >= 0 {
		return exit // --help was printed
	}
	if err != nil {
		e.misuse(args, err)
		return 2
	}
	e.json = c.JSON
	if err := k.Run(e); err != nil {
		e.fail(err)
		return 1
	}
	return 0
}

// newParser knows the verbs.
func newParser(c *cli, options ...kong.Option) *kong.Kong {
	p, err := kong.New(c, append([]kong.Option{
		kong.Name("moongate"),
		kong.Description("The gate between walled gardens: links, payments and traffic between platforms, under signed terms, with proof."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{{Key: "hub", Title: "Which hub, and who asks:"}}),
		kong.Vars{"scopes": strings.Join((party.AllScopes | party.OperatorScope).Names(), ", ")},
	}, options...)...)
	if err != nil {
		panic(err) // the verbs above contradict each other
	}
	return p
}

// show prints a result: one JSON object, or text.
func (e *env) show(v any, text func(*terminal)) error {
	if e.json {
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false) // a terminal is no page
		return enc.Encode(v)
	}
	t := newTerminal(e.out)
	text(t)
	return t.err
}
