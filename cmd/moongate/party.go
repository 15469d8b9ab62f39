package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/party"
)

type partyVerb struct {
	Keygen     keygen         `cmd:"" help:"Make a private key, in a new file."`
	Register   partyRegister  `cmd:"" help:"Let somebody take part; for operators."`
	List       partyList      `cmd:"" help:"List participants, newest first."`
	Show       partyShow      `cmd:"" help:"Show a participant and its public keys."`
	Rename     partyRename    `cmd:"" help:"Change the names that people read; the handle stays."`
	Suspend    partySuspend   `cmd:"" help:"Stop a participant from acting; for operators."`
	Resume     partyResume    `cmd:"" help:"Let a suspended participant act again; for operators."`
	Key        keyVerb        `cmd:"" help:"Register, rotate and revoke keys."`
	Credential credentialVerb `cmd:"" help:"Issue, list and revoke API credentials."`
	Account    accountVerb    `cmd:"" help:"Say where a participant gets its money at wallets: set, list and remove its accounts."`
}

// pathParticipants is where the hub keeps them.
const pathParticipants = "/v1/participants"

func pathOf(who handle) string { return pathParticipants + "/" + url.PathEscape(string(who)) }

// handle names a participant.
type handle string

// UnmarshalText refuses what cannot be one.
func (h *handle) UnmarshalText(b []byte) error {
	*h = handle(b)
	return party.CheckHandle(string(b))
}

type partyRegister struct {
	Handle handle     `arg:"" help:"Its name for good: lower-case letters, digits and inner hyphens, up to 40."`
	Kind   party.Kind `required:"" help:"What it is in the first place: platform, wallet, merchant, publisher, app, data-holder, observer or operator." placeholder:"KIND"`
	Name   string     `required:"" help:"What people read." placeholder:"TEXT"`
	NameZH string     `name:"name-zh" help:"What people read in Chinese." placeholder:"TEXT"`
	Key    []string   `sep:"none" help:"Its key: a private key, or the proof that moongate party key prove gives where the key is not yours to see. May be given up to eight times." placeholder:"FILE"`
	changeFlags
}

func (v partyRegister) Run(e *env) error {
	c := &party.Register{Handle: string(v.Handle), Kind: v.Kind, Name: v.Name, NameZH: v.NameZH}
	for _, file := range v.Key {
		key, err := readProof(file, string(v.Handle))
		if err != nil {
			return err
		}
		c.Keys = append(c.Keys, key)
	}
	if _, err := change[party.Done](e, v.changeFlags, pathParticipants, c); err != nil {
		return err
	}
	ids := []string{}
	for _, k := range c.Keys {
		ids = append(ids, k.Public.ID())
	}
	return e.show(map[string]any{"handle": string(v.Handle), "kind": v.Kind, "name": v.Name, "name_zh": v.NameZH, "keys": ids}, func(t *terminal) {
		t.line("%s %s takes part, as %s", t.green("✓"), v.Handle, v.Kind)
		for _, id := range ids {
			t.line("  key  %s", id)
		}
		if len(ids) == 0 {
			t.line("%s", t.dim("  It has no key yet: moongate party key add "+string(v.Handle)+" FILE"))
		}
		t.line("%s", t.dim("  A token for its programs: moongate party credential issue "+string(v.Handle)+" --name TEXT --scopes NAMES"))
	})
}

type partyList struct {
	Kind   party.Kind `help:"Only those of this kind." placeholder:"KIND"`
	Search string     `help:"A part of the handle or of a name." placeholder:"TEXT"`
	pageFlags
	hubFlags
}

func (v partyList) Run(e *env) error {
	query := url.Values{}
	if v.Kind != 0 {
		query.Set("kind", v.Kind.String())
	}
	if v.Search != "" {
		query.Set("search", v.Search)
	}
	page, err := readPage[party.Row](e, v.hubFlags, v.pageFlags, pathParticipants, query)
	if err != nil {
		return err
	}
	return e.show(page, func(t *terminal) {
		rows := make([][]string, 0, len(page.Items))
		for _, p := range page.Items {
			rows = append(rows, []string{p.Handle, p.Kind.String(), strings.TrimSpace(p.Name + " " + p.NameZH), day(p.Since), suspended(p.Suspended)})
		}
		t.table([]align{left, left, left, left, left}, []string{"handle", "kind", "name", "since", ""}, rows)
		more(t, page.Next)
	})
}

func suspended(reason string) string {
	if reason == "" {
		return ""
	}
	return "suspended: " + reason
}

// day is a date for people; moment is one with the minute.
func day(at moongate.Time) string { return at.Go().Format("2006-01-02") }

func moment(at moongate.Time) string { return at.Go().Format("2006-01-02 15:04 UTC") }

type partyShow struct {
	Handle handle `arg:"" help:"Who."`
	hubFlags
}

func (v partyShow) Run(e *env) error {
	c, err := v.connect(e)
	if err != nil {
		return err
	}
	p, err := client.Get[api.Profile](e.ctx, c, pathOf(v.Handle), nil)
	if err != nil {
		return err
	}
	type namedKey struct {
		ID string `json:"id"`
		party.Key
	}
	out := struct {
		party.Participant
		Keys []namedKey `json:"keys"`
	}{p.Participant, []namedKey{}}
	for _, k := range p.Keys {
		out.Keys = append(out.Keys, namedKey{k.Public.ID(), k})
	}
	return e.show(out, func(t *terminal) {
		t.line("%s  %s", t.bold(p.Handle), strings.TrimSpace(p.Name+" "+p.NameZH))
		standing := "active"
		if p.Suspended != "" {
			standing = t.red(suspended(p.Suspended))
		}
		t.line("  %s since %s, %s", p.Kind, day(p.Since), standing)
		if len(p.Keys) == 0 {
			t.line("  no keys")
		}
		for _, k := range p.Keys {
			t.line("  key  %s  %s", k.Public.ID(), keyStanding(k, moongate.At(e.now())))
		}
	})
}

// keyStanding says from when to when a key is valid.
func keyStanding(k party.Key, now moongate.Time) string {
	switch {
	case k.Revoked != "":
		return fmt.Sprintf("revoked %s: %s", moment(k.Until), k.Revoked)
	case k.Until == 0:
		return "valid since " + day(k.Since)
	case now < k.Until:
		return "replaced; valid until " + moment(k.Until)
	}
	return "replaced " + moment(k.Until)
}

type partyRename struct {
	Handle handle `arg:"" help:"Who."`
	Name   string `required:"" help:"What people read." placeholder:"TEXT"`
	NameZH string `name:"name-zh" help:"What people read in Chinese; without it there is no Chinese name any more." placeholder:"TEXT"`
	changeFlags
}

func (v partyRename) Run(e *env) error {
	if _, err := change[party.Done](e, v.changeFlags, pathParticipants+"/rename", &party.Rename{Handle: string(v.Handle), Name: v.Name, NameZH: v.NameZH}); err != nil {
		return err
	}
	return e.show(map[string]string{"handle": string(v.Handle), "name": v.Name, "name_zh": v.NameZH}, func(t *terminal) {
		t.line("%s %s is now called %s", t.green("✓"), v.Handle, strings.TrimSpace(v.Name+" "+v.NameZH))
	})
}

type partySuspend struct {
	Handle handle `arg:"" help:"Who."`
	Reason string `required:"" help:"Why, for the participant to read." placeholder:"TEXT"`
	changeFlags
}

func (v partySuspend) Run(e *env) error {
	if _, err := change[party.Done](e, v.changeFlags, pathParticipants+"/suspend", &party.Suspend{Handle: string(v.Handle), Reason: v.Reason}); err != nil {
		return err
	}
	return e.show(map[string]any{"handle": string(v.Handle), "suspended": v.Reason}, func(t *terminal) {
		t.line("%s %s is suspended: its keys, credentials and sessions refuse; what it is owed stays its own", t.green("✓"), v.Handle)
	})
}

type partyResume struct {
	Handle handle `arg:"" help:"Who."`
	changeFlags
}

func (v partyResume) Run(e *env) error {
	if _, err := change[party.Done](e, v.changeFlags, pathParticipants+"/resume", &party.Resume{Handle: string(v.Handle)}); err != nil {
		return err
	}
	return e.show(map[string]any{"handle": string(v.Handle), "suspended": ""}, func(t *terminal) { t.line("%s %s may act again", t.green("✓"), v.Handle) })
}
