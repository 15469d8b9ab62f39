package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/party"
)

type credentialVerb struct {
	Issue  credentialIssue  `cmd:"" help:"Issue an API credential; its token is shown once."`
	List   credentialList   `cmd:"" help:"List a participant's credentials, without their tokens."`
	Revoke credentialRevoke `cmd:"" help:"End a credential, and the sessions that it opened."`
}

const pathCredentials = "/v1/credentials"

type credentialIssue struct {
	Handle  handle   `arg:"" help:"Whose it is to be."`
	Name    string   `required:"" help:"What it is used for, for people to read." placeholder:"TEXT"`
	Scopes  []string `required:"" help:"What it may do, joined by commas: ${scopes}; or all, which is all but operator." placeholder:"NAMES"`
	Expires string   `help:"When it ends: a date, a time (RFC 3339) or a span from now, such as 90d. It does not end by itself unless set." placeholder:"WHEN"`
	Save    string   `help:"Write the token into this new file, for nobody else to read, and do not show it." placeholder:"FILE"`
	changeFlags
}

func (v credentialIssue) Run(e *env) (err error) {
	scopes, err := parseScopes(v.Scopes)
	if err != nil {
		return err
	}
	expires, err := parseWhen("--expires", v.Expires, e.now())
	if err != nil {
		return err
	}
	var file *secretFile
	if v.Save != "" {
		if file, err = newFile(v.Save); err != nil {
			return err
		}
		defer func() { err = file.close(err) }()
	}
	token, err := change[api.Token](e, v.changeFlags, pathCredentials, &api.NewCredential{Handle: string(v.Handle), Name: v.Name, Scopes: scopes, Expires: expires})
	if err != nil {
		var unknown *moongate.Error
		if errors.As(err, &unknown) && unknown.Code == moongate.Unknown && expires != 0 { // a span from now would be another request
			unknown.Hint += " --expires " + expires.String()
		}
		return err
	}
	out := map[string]any{"handle": string(v.Handle), "id": token.ID, "name": v.Name, "scopes": scopes}
	if expires != 0 {
		out["expires"] = expires
	}
	if file == nil {
		out["token"] = token.Token
	} else {
		out["token_file"] = v.Save
		if err := file.keep(token.Token); err != nil {
			return fmt.Errorf("the credential %s was issued, but its token is lost (revoke it): %w", token.ID, err)
		}
	}
	return e.show(out, func(t *terminal) {
		t.line("%s credential %s for %s", t.green("✓"), token.ID, v.Handle)
		t.line("  may    %s", scopes)
		if expires != 0 {
			t.line("  ends   %s", moment(expires))
		}
		if file != nil {
			t.line("  token  in %s, which only you can read", v.Save)
			return
		}
		t.line("  token  %s", token.Token)
		t.line("         %s", t.dim("shown this once; the hub keeps no more than a hash of it"))
	})
}

// parseScopes reads names of scopes, and all.
func parseScopes(names []string) (party.Scopes, error) {
	if len(names) == 1 && names[0] == "all" {
		return party.AllScopes, nil
	}
	s, err := party.ParseScopes(names)
	var bad *moongate.Error
	if errors.As(err, &bad) {
		bad.Field = "--scopes"
	}
	return s, err
}

// parseWhen reads a point of time: a date, a time, or a span from now. Nothing is zero.
func parseWhen(field, text string, now time.Time) (moongate.Time, error) {
	if text == "" {
		return 0, nil
	}
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		return moongate.At(date), nil
	}
	var span agreement.Duration
	if span.UnmarshalText([]byte(text)) == nil {
		return moongate.At(now) + span.Time(), nil
	}
	var at moongate.Time
	if at.UnmarshalText([]byte(text)) == nil {
		return at, nil
	}
	return 0, &moongate.Error{Code: moongate.Malformed, Field: field, Message: fmt.Sprintf("%.40q is no time", text), Hint: "write it like 2027-01-31, 2027-01-31T08:00:00Z or 90d"}
}

type credentialList struct {
	Handle handle `arg:"" help:"Whose."`
	hubFlags
}

func (v credentialList) Run(e *env) error {
	c, err := v.connect(e)
	if err != nil {
		return err
	}
	page, err := client.Get[client.Page[party.Credential]](e.ctx, c, pathOf(v.Handle)+"/credentials", nil)
	if err != nil {
		return err
	}
	return e.show(page, func(t *terminal) {
		rows := make([][]string, 0, len(page.Items))
		for _, c := range page.Items {
			ends := "never"
			if c.Expires != 0 {
				ends = moment(c.Expires)
			}
			rows = append(rows, []string{c.ID.String(), c.Name, day(c.Since), ends, strings.Join(c.Scopes.Names(), " ")})
		}
		t.table([]align{left, left, left, left, left}, []string{"id", "name", "since", "ends", "may"}, rows)
	})
}

type credentialRevoke struct {
	Handle     handle      `arg:"" help:"Whose."`
	Credential moongate.ID `arg:"" help:"Its id."`
	changeFlags
}

func (v credentialRevoke) Run(e *env) error {
	if _, err := change[party.Done](e, v.changeFlags, pathCredentials+"/revoke", &party.RevokeCredential{Handle: string(v.Handle), Credential: v.Credential}); err != nil {
		return err
	}
	return e.show(map[string]any{"handle": string(v.Handle), "credential": v.Credential, "revoked": true}, func(t *terminal) {
		t.line("%s credential %s has ended, with the sessions that it opened", t.green("✓"), v.Credential)
	})
}
