package hub

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
)

// Config is what an operator decides. Secrets are not in it: they are files of their own.
type Config struct {
	// Name is the hub's, for good: the origin of its public log and the authority that requests are signed for.
	Name string `yaml:"name"`
	// Data is the directory of everything the hub writes.
	Data string `yaml:"data"`
	// Secrets is the directory of the hub's keys.
	Secrets string `yaml:"secrets"`
	// Listen is the address to serve on.
	Listen string `yaml:"listen"`
	// PublicURL is how the world reaches the hub; wallets notify it, shoppers return to it.
	PublicURL string `yaml:"public_url"`
	// Operator is the handle of the first operator.
	Operator string `yaml:"operator"`
	// Wallets are the accounts that payments can go through.
	Wallets []WalletConfig `yaml:"wallets,omitempty"`
	// Witnesses cosign the public log; WitnessQuorum of them are needed, a majority where it is 0.
	Witnesses     []WitnessConfig `yaml:"witnesses,omitempty"`
	WitnessQuorum int             `yaml:"witness_quorum,omitempty"`
	// Limits bound what the hub keeps and admits.
	Limits LimitsConfig `yaml:"limits,omitempty"`

	path string
}

// WalletConfig is one merchant account at one wallet. Secrets are files, or env:NAME for an environment variable. Which
// fields a kind needs, [Config.Check] says.
type WalletConfig struct {
	Name        string   `yaml:"name"` // participant handle
	Kind        string   `yaml:"kind"` // wechatpay, alipay, stripe
	BaseURL     string   `yaml:"base_url,omitempty"`
	MerchantID  string   `yaml:"merchant_id,omitempty"`
	AppID       string   `yaml:"app_id,omitempty"`
	Serial      string   `yaml:"serial,omitempty"`
	PrivateKey  string   `yaml:"private_key,omitempty"` // file: PEM
	APIKey      string   `yaml:"api_v3_key,omitempty"`  // file: 32 bytes
	PublicKeyID string   `yaml:"public_key_id,omitempty"`
	SplitBPS    int64    `yaml:"split_bps,omitempty"`      // what may be split off one order, basis points; 0 where the account does not split
	PublicKey   string   `yaml:"public_key,omitempty"`     // file: PEM, where the wallet uses a public key instead of certificates
	AppCert     string   `yaml:"app_cert,omitempty"`       // file: PEM, an alipay application's certificate
	WalletCert  string   `yaml:"wallet_cert,omitempty"`    // file: PEM, alipay's
	RootCert    string   `yaml:"root_cert,omitempty"`      // file: PEM, those that signed both
	Products    []string `yaml:"products,omitempty"`       // what an alipay or wechatpay account has contracts for
	Platform    bool     `yaml:"platform,omitempty"`       // a wechatpay account sells for its sub-merchants alone
	Direct      bool     `yaml:"direct,omitempty"`         // orders may be for the sub-merchants of an alipay account
	SecretKey   string   `yaml:"secret_key,omitempty"`     // file: what stripe's requests are made with
	Webhook     string   `yaml:"webhook_secret,omitempty"` // file: what stripe signs notifications with
	Currencies  []string `yaml:"currencies,omitempty"`     // in which a stripe account is charged
	Transfers   bool     `yaml:"transfers,omitempty"`      // a stripe account pays participants by transfers
}

// LimitsConfig bounds the hub.
type LimitsConfig struct {
	QueueMB    int `yaml:"queue_mb,omitempty"`    // admitted requests not yet answered; 64
	Keys       int `yaml:"keys,omitempty"`        // idempotency keys remembered; 4,000,000
	RefundDays int `yaml:"refund_days,omitempty"` // how long a payment can be refunded; 180
	SegmentMB  int `yaml:"segment_mb,omitempty"`  // of a journal file; 64
}

// ReadConfig reads a configuration file. Relative paths in it are relative to it. Every fault is named with its field.
func ReadConfig(path string) (*Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("there is no configuration at %s", path), Hint: "make one with: moongate init"}
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, &moongate.Error{Code: moongate.Malformed, Message: path + " is a directory", Hint: "name the file in it: " + filepath.Join(path, "moongate.yaml")}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := &Config{path: path}
	if err := decode(path, b, c); err != nil {
		return nil, err
	}
	c.locate()
	return c, nil
}

// locate makes relative paths relative to the file that they stand in.
func (c *Config) locate() {
	dir := filepath.Dir(c.path)
	for _, p := range []*string{&c.Data, &c.Secrets} {
		*p = under(dir, *p)
	}
	for i := range c.Wallets {
		w := &c.Wallets[i]
		for _, p := range []*string{&w.PrivateKey, &w.APIKey, &w.PublicKey, &w.SecretKey, &w.Webhook, &w.AppCert, &w.WalletCert, &w.RootCert} {
			if !strings.HasPrefix(*p, envSecret) {
				*p = under(dir, *p)
			}
		}
	}
}

func under(dir, p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?(/[a-z0-9._-]{1,64})?$`)
	handlePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
)

// Check lists everything that is wrong with the configuration and the files that it names.
func (c *Config) Check() []*moongate.Error {
	var faults []*moongate.Error
	add := func(field, hint, format string, args ...any) {
		faults = append(faults, &moongate.Error{Code: moongate.Malformed, Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	if !namePattern.MatchString(c.Name) {
		add("name", "a host name that is yours, with a path if you like: hub.example.org/moongate", "%q cannot be the name of a hub", c.Name)
	}
	if c.Data == "" {
		add("data", "a directory, such as data", "no data directory is given")
	}
	if c.Secrets == "" {
		add("secrets", "a directory, such as secrets", "no directory for secrets is given")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		add("listen", "host:port, such as 127.0.0.1:8600", "%q is not an address to listen on: %v", c.Listen, err)
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
		add("public_url", "https://hub.example.org", "%q is not a URL that wallets and shoppers can reach", c.PublicURL)
	} else if u.Scheme == "http" && !loopback(u.Hostname()) {
		add("public_url", "use https:// and put a TLS proxy in front", "%s is not encrypted", c.PublicURL)
	}
	if !handlePattern.MatchString(c.Operator) {
		add("operator", "lower-case letters, digits and hyphens, up to 40", "%q is not a handle", c.Operator)
	} else if err := party.CheckHandle(c.Operator); err != nil {
		add("operator", "choose another", "the handle %q is reserved", c.Operator)
	}
	for _, l := range []struct {
		field   string
		v, most int
	}{{"limits.queue_mb", c.Limits.QueueMB, 4096}, {"limits.keys", c.Limits.Keys, 100_000_000}, {"limits.segment_mb", c.Limits.SegmentMB, 4096}, {"limits.refund_days", c.Limits.RefundDays, 3650}} {
		if l.v < 0 || l.v > l.most {
			add(l.field, "leave it out for the default", "%d is not between 0 and %d", l.v, l.most)
		}
	}
	if c.Secrets != "" {
		if _, err := ReadSecrets(c.Secrets); err != nil {
			add("secrets", "moongate init makes them; restore them from a backup where they are lost", "%v", err)
		}
	}
	seen := map[string]bool{}
	for i := range c.Wallets {
		c.Wallets[i].check(fmt.Sprintf("wallets[%d]", i), seen, add)
	}
	c.checkWitnesses(add)
	return faults
}

func (w *WalletConfig) check(at string, seen map[string]bool, add func(field, hint, format string, args ...any)) {
	if !handlePattern.MatchString(w.Name) || seen[w.Name] {
		add(at+".name", "each wallet has a handle of its own, such as wechatpay", "%q is not a handle or is used twice", w.Name)
	}
	seen[w.Name] = true
	kind, ok := dialers[w.Kind]
	if !ok {
		add(at+".kind", "one of "+strings.Join(slices.Sorted(maps.Keys(dialers)), ", "), "%q is not a wallet that this version connects", w.Kind)
		return
	}
	values := w.values()
	for _, field := range kind.needs {
		if values[field] == "" {
			hint := "the wallet's merchant console shows it"
			if slices.Contains(kind.secrets, field) {
				hint = "name a file, or env:NAME; secrets do not stand in the configuration"
			}
			add(at+"."+field, hint, "it is missing")
		}
	}
	for _, field := range kind.secrets {
		if from := values[field]; from != "" {
			if _, err := walletSecret(from); err != nil {
				add(at+"."+field, "name a file that only this user can read (chmod 600), or env:NAME", "%v", err)
			}
		}
	}
	for _, field := range kind.files {
		if from := values[field]; from != "" {
			if _, err := walletFile(from); err != nil {
				add(at+"."+field, "name a file, or env:NAME", "%v", err)
			}
		}
	}
}

// values are the fields by the names that they have in the file.
func (w *WalletConfig) values() map[string]string {
	return map[string]string{
		"merchant_id": w.MerchantID, "app_id": w.AppID, "serial": w.Serial, "private_key": w.PrivateKey, "api_v3_key": w.APIKey,
		"public_key_id": w.PublicKeyID, "public_key": w.PublicKey, "app_cert": w.AppCert, "wallet_cert": w.WalletCert, "root_cert": w.RootCert,
		"secret_key": w.SecretKey, "webhook_secret": w.Webhook, "currencies": strings.Join(w.Currencies, " "),
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// local tells whether only this machine reaches the hub.
func (c *Config) local() bool {
	u, err := url.Parse(c.PublicURL)
	return err == nil && loopback(u.Hostname())
}

// Tag is the three bytes that stand for the hub in every identifier: the first of the SHA-256 of its name.
func (c *Config) Tag() moongate.Hub {
	h := sha256.Sum256([]byte("moongate/hub/v1 " + c.Name))
	return moongate.Hub(h[:3])
}

// Authority is the host that requests to this hub are signed for.
func (c *Config) Authority() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// Init writes a configuration, secrets and an empty data directory below dir, and changes nothing that is there. What is
// wrong with the configuration is found before anything is written.
func Init(dir string, c Config, random func([]byte), now time.Time) (*Config, error) {
	c.path, c.Data, c.Secrets = filepath.Join(dir, "moongate.yaml"), "data", "secrets"
	if _, err := os.Stat(c.path); err == nil {
		return nil, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s exists already", c.path), Hint: "use another directory; nothing was changed"}
	}
	if there, err := os.ReadDir(filepath.Join(dir, c.Data)); err == nil && len(there) > 0 {
		return nil, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s is not empty", filepath.Join(dir, c.Data)), Hint: "use another directory; nothing was changed"}
	}
	read := c
	read.Wallets = slices.Clone(c.Wallets)
	read.locate()
	for _, fault := range read.Check() {
		if fault.Field != "secrets" { // they are made now
			return nil, fault
		}
	}
	body, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	for _, d := range []string{dir, read.Data} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("init: %w", err)
		}
	}
	if err := MakeSecrets(read.Secrets, c.Name, random); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("# Configuration of a Moongate hub, made %s. Check it with: moongate config check\n%s", now.UTC().Format(time.DateOnly), body)
	if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	return ReadConfig(c.path)
}
