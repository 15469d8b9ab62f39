package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/webhook"
)

type walletVerb struct {
	Check walletCheck `cmd:"" help:"Test an account before going live: credentials, clock, keys, and whether the wallet can reach the hub."`
}

type walletCheck struct {
	configFlag
	Name    string        `arg:"" optional:"" help:"The wallet's handle; all that are configured unless set."`
	Timeout time.Duration `default:"15s" help:"How long one test may take."`
}

// walletFinding is one test.
type walletFinding struct {
	Wallet string `json:"wallet"`
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Said   string `json:"said"`
	Hint   string `json:"hint,omitempty"`
}

func (v walletCheck) Run(e *env) error {
	c, _, err := v.read()
	if err != nil {
		return err
	}
	if v.Name != "" {
		i := -1
		for n := range c.Wallets {
			if c.Wallets[n].Name == v.Name {
				i = n
			}
		}
		if i < 0 {
			return &moongate.Error{Code: moongate.NotFound, Field: "name", Message: fmt.Sprintf("the configuration has no wallet %q", v.Name), Hint: "name one that stands under wallets, or none for all"}
		}
		c.Wallets = c.Wallets[i : i+1]
	}
	if len(c.Wallets) == 0 {
		return &moongate.Error{Code: moongate.NotFound, Message: "the configuration has no wallets", Hint: "moongate sandbox gives one to try"}
	}
	connectors, err := hub.Connect(c, nil, e.now, randomness(e.random))
	if err != nil {
		return err
	}
	var all []walletFinding
	ok := true
	for i := range c.Wallets {
		for _, f := range v.checkOne(e, c, &c.Wallets[i], connectors[c.Wallets[i].Name]) {
			f.Wallet = c.Wallets[i].Name
			all, ok = append(all, f), ok && f.OK
		}
	}
	err = e.show(map[string]any{"ok": ok, "findings": all}, func(t *terminal) {
		for i, f := range all {
			if i == 0 || all[i-1].Wallet != f.Wallet {
				t.line("%s", t.bold(f.Wallet))
			}
			mark := t.green("✓")
			if !f.OK {
				mark = t.red("✗")
			}
			t.line("%s %-12s %s", mark, f.Check, f.Said)
			if f.Hint != "" {
				t.line("  %-12s %s", "", t.dim(f.Hint))
			}
		}
		t.line("")
		if ok {
			t.line("Next: ask for one payment of the smallest amount, pay it, give it back, and check the next day's bill with moongate pay bill.")
		}
	})
	if err == nil && !ok {
		return errSilent
	}
	return err
}

// checkOne tests one account. Nothing is ordered: a wallet is asked about an order that there never was.
func (v walletCheck) checkOne(e *env, c *hub.Config, w *hub.WalletConfig, connector pay.Wallet) []walletFinding {
	within := func(run func(context.Context) walletFinding) walletFinding {
		ctx, cancel := context.WithTimeout(e.ctx, v.Timeout)
		defer cancel()
		return run(ctx)
	}
	return []walletFinding{
		within(func(ctx context.Context) walletFinding { return v.clock(ctx, e, w) }),
		within(func(ctx context.Context) walletFinding { return credentials(ctx, w, connector) }),
		within(func(ctx context.Context) walletFinding { return walletKeys(ctx, e, connector) }),
		within(func(ctx context.Context) walletFinding { return callback(ctx, c, w) }),
	}
}

// clock compares this machine's clock with the wallet's.
func (v walletCheck) clock(ctx context.Context, e *env, w *hub.WalletConfig) walletFinding {
	f := walletFinding{Check: "clock"}
	if w.Address() == "" {
		f.OK, f.Said = true, "not compared: this kind of wallet has no address that is known"
		return f
	}
	off, err := w.Offset(ctx, e.now)
	if err != nil {
		f.Said, f.Hint = reason(err), "look at the network, a proxy, or base_url"
		return f
	}
	f.OK = off.Abs() <= hub.ClockTolerance
	switch {
	case off.Abs() <= time.Second: // the wallet says its time to the second
		f.Said = "agrees with the wallet's"
	case off > 0:
		f.Said = fmt.Sprintf("%s ahead of the wallet's", off)
	default:
		f.Said = fmt.Sprintf("%s behind the wallet's", -off)
	}
	if !f.OK {
		f.Hint = "set this machine's clock (NTP): the wallet turns away what is signed five minutes off"
	}
	return f
}

// walletHTTP follows no redirect.
var walletHTTP = &http.Client{
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// reason is an error without the address, which may be long.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var network *net.OpError
	if errors.As(err, &network) {
		err = network.Err
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return "its certificate is not trusted: " + certificate.Err.Error()
	}
	return err.Error()
}

// unproven lists what stands in an account's configuration and shows in no query: the first order needs it.
var unproven = map[string]string{"wechatpay": "app_id", "alipay": "merchant_id"}

// credentials asks about an order that there never was. A signed answer proves both sides' keys.
func credentials(ctx context.Context, c *hub.WalletConfig, w pay.Wallet) walletFinding {
	f := walletFinding{Check: "credentials"}
	out, err := w.Query(ctx, "moongate_check_0000000000")
	if name := unproven[c.Kind]; err == nil && name != "" {
		f.Hint = "not tested: " + name + ", which no question shows; the first payment does"
	}
	switch {
	case err == nil && (out.State == pay.Absent || out.State == pay.Awaiting): // Alipay says both in the same words
		f.OK, f.Said = true, "it knows us, and its answer is signed: it has never heard of the order we made up"
	case err == nil:
		f.OK, f.Said = true, fmt.Sprintf("it knows us, and says that the order we made up is %s", out.State)
	default:
		f.Said, f.Hint = told(err, "compare the account's numbers and keys with the wallet's console: they belong together")
	}
	return f
}

// told is what came of a call that failed, for people, and what to do. The other hint is for where the wallet gave none.
func told(err error, other string) (said, hint string) {
	var f *pay.Failure
	if !errors.As(err, &f) {
		return err.Error(), other
	}
	said, hint = f.Message, cmp.Or(f.Hint, other)
	if f.Code != "" {
		said += " (" + f.Code + ")"
	}
	return said, hint
}

// soon is when the end of a key is worth a word.
const soon = 30 * moongate.Day

// walletKeys lists the keys by which the wallet is believed.
func walletKeys(ctx context.Context, e *env, w pay.Wallet) walletFinding {
	f := walletFinding{Check: "keys", OK: true, Said: "the wallet has no keys of its own to be fetched"}
	holder, ok := w.(pay.Keyholder)
	if !ok {
		return f
	}
	keys, err := holder.Keys(ctx)
	if err != nil {
		f.OK = false
		f.Said, f.Hint = told(err, "answers and notifications cannot be believed without the wallet's keys")
		return f
	}
	now, lasting := moongate.At(e.now()), 0
	var said []string
	for _, k := range keys {
		text := k.ID
		if k.Until != 0 {
			text += " until " + k.Until.Go().Format(time.DateOnly)
		}
		if k.Until == 0 || k.Until > now+soon {
			lasting++
		}
		said = append(said, text)
	}
	f.Said = "the wallet signs with " + strings.Join(said, ", ")
	switch {
	case len(keys) == 0:
		f.OK, f.Said = false, "the wallet has none that is valid"
	case lasting == 0:
		f.Hint = "every key ends within a month; the hub fetches new ones by itself, look that it does"
	case keys[0].Until == 0:
		f.Said = "the wallet signs with the public key that stands in the configuration"
		f.Hint = "when the wallet changes it, change it here: until then answers and notifications are not believed"
	default:
		f.Hint = "a new one is fetched by itself when the wallet changes keys; nothing is to be done here"
	}
	return f
}

// outside says why the world cannot reach an address; "" where it may.
func outside(ctx context.Context, address string) (said, hint string) {
	u, err := url.Parse(address)
	if err != nil {
		return err.Error(), "public_url is scheme and host"
	}
	if u.Scheme != "https" {
		return fmt.Sprintf("public_url is %s, and wallets notify by https alone", address), "put TLS in front of the hub, and write https:// into public_url"
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return fmt.Sprintf("%s has no address: %s", u.Hostname(), reason(err)), "is public_url spelled right, and is its name in the DNS?"
	}
	for _, ip := range ips {
		if webhook.Public(ip) {
			return "", ""
		}
	}
	return fmt.Sprintf("%s is %s, which nobody outside reaches", u.Hostname(), ips[0]), "public_url must be an address that the wallet reaches from the internet"
}

// callback asks the hub's own public address for the place where the wallet notifies. It has to turn us away.
func callback(ctx context.Context, c *hub.Config, w *hub.WalletConfig) walletFinding {
	f := walletFinding{Check: "callback"}
	if w.BaseURL == "" { // the real wallet, which is out there
		if f.Said, f.Hint = outside(ctx, c.PublicURL); f.Said != "" {
			return f
		}
	}
	address := strings.TrimSuffix(c.PublicURL, "/") + pay.NotifyPath + w.Name
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(`{"check":true}`))
	if err != nil {
		f.Said = err.Error()
		return f
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := walletHTTP.Do(r)
	if err != nil {
		f.Said, f.Hint = address+" cannot be reached: "+reason(err), "is the hub running (moongate serve), and does public_url lead to it?"
		return f
	}
	_ = resp.Body.Close() // its status is all that counts
	switch {
	case resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") != "":
		f.Said, f.Hint = address+" asks for a password", "something in front of the hub does: the wallet has none, so let "+pay.NotifyPath+" through"
	case resp.StatusCode == http.StatusUnauthorized:
		f.OK, f.Said = true, address+" turns away what the wallet did not sign, as it should"
		f.Hint = "asked from this machine; whether the wallet reaches it through firewalls and filters shows with the first payment"
		if w.BaseURL != "" {
			f.Hint = "asked from this machine; a real wallet needs https and an address that the world reaches"
		}
	case resp.StatusCode == http.StatusNotFound:
		f.Said, f.Hint = address+" is not there", "either the hub was started before it had this wallet in its configuration (restart it), or public_url leads to something else than the hub"
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		f.Said, f.Hint = fmt.Sprintf("%s leads on to %.200q", address, resp.Header.Get("Location")), "wallets follow no redirect: public_url must be the address at the end"
	default:
		f.Said, f.Hint = fmt.Sprintf("%s answers %d, where the hub would say 401", address, resp.StatusCode), "something else answers there: a proxy, a firewall, another program"
	}
	return f
}
