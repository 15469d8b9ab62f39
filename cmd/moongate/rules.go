package main

import (
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/replica"
)

type rulesVerb struct {
	Show  rulesShow  `cmd:"" help:"Show by which version of the rules a running hub decides, and up to which it knows them."`
	Raise rulesRaise `cmd:"" help:"Have it decide by later rules, once every node knows them; there is no way back."`
}

type rulesShow struct{ hubFlags }

func (v rulesShow) Run(e *env) error {
	c, err := v.connect(e)
	if err != nil {
		return err
	}
	h, err := client.Get[api.Health](e.ctx, c, "/v1/health", nil)
	if err != nil {
		return err
	}
	return e.show(h.Rules, func(t *terminal) {
		t.line("The hub decides by rules %d, and knows those up to %d", h.Rules.InForce, h.Rules.Known)
	})
}

type rulesRaise struct {
	To uint32 `arg:"" help:"The version of the rules."`
	changeFlags
}

func (v rulesRaise) Run(e *env) error {
	r, err := change[replica.Rules](e, v.changeFlags, "/v1/rules/raise", &replica.RaiseRules{To: v.To})
	if err != nil {
		return err
	}
	return e.show(r, func(t *terminal) { t.line("%s the hub decides by rules %d from here on", t.green("✓"), r.InForce) })
}
