package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moongate-hub/moongate/hub"
)

// configFlag names the configuration that a verb works with.
type configFlag struct {
	Config string `short:"c" default:"moongate.yaml" help:"Configuration file." placeholder:"FILE"`
}

// read gives a configuration without faults, with its keys.
func (f configFlag) read() (*hub.Config, *hub.Secrets, error) {
	c, err := hub.ReadConfig(f.Config)
	if err != nil {
		return nil, nil, err
	}
	if faults := c.Check(); len(faults) > 0 {
		return nil, nil, fmt.Errorf("%w (run moongate config check for all %d faults)", faults[0], len(faults))
	}
	s, err := hub.ReadSecrets(c.Secrets)
	return c, s, err
}

type initVerb struct {
	Dir       string `arg:"" optional:"" default:"." help:"Directory to make it in."`
	Name      string `default:"hub.example/moongate" help:"The hub's name for good: origin of its public log."`
	Listen    string `default:"127.0.0.1:8600" help:"Address to serve on."`
	PublicURL string `help:"How wallets and shoppers reach the hub; the address that it serves on unless set." placeholder:"URL"`
	Operator  string `default:"operator" help:"Handle of the first operator."`
	Save      string `help:"Write the operator's token into this new file, for nobody else to read, and do not show it." placeholder:"FILE"`
}

func (v initVerb) Run(e *env) error {
	if v.PublicURL == "" {
		v.PublicURL = "http://" + v.Listen
	}
	c, err := hub.Init(v.Dir, hub.Config{Name: v.Name, Listen: v.Listen, PublicURL: v.PublicURL, Operator: v.Operator}, e.random, e.now())
	if err != nil {
		return err
	}
	path := filepath.Join(v.Dir, "moongate.yaml")
	s, token, err := v.found(e, c)
	if err != nil { // all of it was made just now
		return errors.Join(err, os.RemoveAll(c.Data), os.RemoveAll(c.Secrets), os.Remove(path))
	}
	result := map[string]string{"config": path, "operator": v.Operator, "log_key": s.Verifier}
	if v.Save == "" {
		result["token"] = token
	} else {
		result["token_file"] = v.Save
	}
	return e.show(result, func(t *terminal) {
		t.line("%s %s", t.green("✓"), path)
		t.line("  operator   %s", v.Operator)
		if v.Save == "" {
			t.line("  API token  %s", token)
			t.line("             %s", t.dim("shown this once; it signs you in to the console too"))
		} else {
			t.line("  API token  in %s, which only you can read; it signs you in to the console too", v.Save)
		}
		t.line("  log key    %s", s.Verifier)
		t.line("             %s", t.dim("give it to everybody: receipts verify under it"))
		t.line("")
		t.line("Next: moongate serve -c %s", path)
	})
}

// found makes the hub's first operator, and keeps its token.
func (v initVerb) found(e *env, c *hub.Config) (s *hub.Secrets, token string, err error) {
	if s, err = hub.ReadSecrets(c.Secrets); err != nil {
		return nil, "", err
	}
	var file *secretFile
	if v.Save != "" {
		if file, err = newFile(v.Save); err != nil {
			return nil, "", err
		}
		defer func() { err = file.close(err) }()
	}
	h, err := hub.Open(e.ctx, hub.Options{Config: c, Secrets: s, Now: e.now, Random: e.random, Virtual: true})
	if err != nil {
		return nil, "", err
	}
	token, err = h.Bootstrap(e.ctx, "Operator")
	if err = errors.Join(err, h.Close()); err == nil && file != nil {
		err = file.keep(token)
	}
	return s, token, err
}

type configVerb struct {
	Check configCheck `cmd:"" help:"List everything that is wrong, and what to do."`
}

type configCheck struct{ configFlag }

func (v configCheck) Run(e *env) error {
	c, err := hub.ReadConfig(v.Config)
	if err != nil {
		return err
	}
	faults := c.Check()
	err = e.show(map[string]any{"config": v.Config, "ok": len(faults) == 0, "faults": faults}, func(t *terminal) {
		for _, f := range faults {
			t.line("%s %s: %s", t.red("✗"), f.Field, f.Message)
			t.line("  %s", f.Hint)
		}
		if len(faults) == 0 {
			t.line("%s %s is complete: hub %s, %d wallets, data in %s", t.green("✓"), v.Config, c.Name, len(c.Wallets), c.Data)
		}
	})
	if err == nil && len(faults) > 0 {
		return errSilent
	}
	return err
}
