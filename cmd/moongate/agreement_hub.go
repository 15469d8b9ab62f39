package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/party"
)

// pathAgreements is where the hub keeps them.
const pathAgreements = "/v1/agreements"

type agreementPropose struct {
	File      string      `arg:"" help:"YAML or JSON document; - is standard input."`
	Agreement moongate.ID `help:"The agreement that it is another version of; a new one unless set." placeholder:"ID"`
	changeFlags
}

func (v agreementPropose) Run(e *env) error {
	d, err := e.readDocument(v.File)
	if err != nil {
		return err
	}
	p, err := change[agreement.Proposal](e, v.changeFlags, pathAgreements, &api.NewVersion{Agreement: v.Agreement, Document: d.Canonical()})
	if err != nil {
		return err
	}
	return e.show(p, func(t *terminal) {
		t.line("%s version %d of %s is proposed", t.green("✓"), p.Version, d.ID)
		t.line("  agreement  %s", p.Agreement)
		t.line("  sha256     %s", p.SHA256)
		t.line("%s", t.dim("  Each party signs the same document: moongate agreement sign FILE --agreement "+p.Agreement.String()+" --as HANDLE --sign KEYFILE"))
	})
}

// signing is what it takes to be bound.
type signing struct {
	File      string         `arg:"" help:"The document as you have read it. This is what is signed, whatever the hub holds; - is standard input."`
	Agreement moongate.ID    `required:"" help:"The agreement that it is a version of." placeholder:"ID"`
	As        handle         `required:"" help:"Who signs." placeholder:"HANDLE"`
	Role      agreement.Role `help:"In which role; needed only where the document leaves a choice." placeholder:"ROLE"`
	Key       string         `help:"The private key that signs the document; the one that signs the request unless set." placeholder:"FILE"`
	changeFlags
}

// sign signs the document in a role that the signer may take.
func (v signing) sign(e *env, open bool) (*agreement.Document, *agreement.Sign, error) {
	d, err := e.readDocument(v.File)
	if err != nil {
		return nil, nil, err
	}
	file := v.Key
	if file == "" {
		file = v.Sign
	}
	if file == "" {
		return nil, nil, &moongate.Error{Code: moongate.Unauthenticated, Field: "--key", Message: "a token cannot sign a document", Hint: "name the private key of " + string(v.As) + ": --key FILE"}
	}
	key, err := readKey(file)
	if err != nil {
		return nil, nil, err
	}
	role, err := v.role(d, open)
	if err != nil {
		return nil, nil, err
	}
	raw, err := d.SignAs(key, role, string(v.As))
	if err != nil {
		return nil, nil, err
	}
	return d, &agreement.Sign{
		Agreement: v.Agreement, Version: d.Version, Role: role, Party: string(v.As), Key: publicOf(key).ID(), Signature: party.Signature(raw),
	}, nil
}

// role is the one asked for, or the only one that there is for the signer.
func (v signing) role(d *agreement.Document, open bool) (agreement.Role, error) {
	if v.Role != "" {
		return v.Role, nil
	}
	var roles []string
	for i := range d.Parties {
		if p := &d.Parties[i]; p.Names(string(v.As)) && open == (p.Open != "") {
			roles = append(roles, string(p.Role))
		}
	}
	if len(roles) == 1 {
		return agreement.Role(roles[0]), nil
	}
	if len(roles) > 1 {
		return "", &moongate.Error{Code: moongate.Malformed, Field: "--role", Message: fmt.Sprintf("%s may stand in more than one role", v.As), Hint: "one of " + strings.Join(roles, ", ")}
	}
	hint := "the document names who signs; an open role is taken with: moongate agreement accept"
	if open {
		hint = "who is named in the document signs with: moongate agreement sign"
	}
	return "", &moongate.Error{Code: moongate.Refused, Field: "--as", Message: fmt.Sprintf("version %d of %s has no such role for %s", d.Version, d.ID, v.As), Hint: hint}
}

type agreementSign struct{ signing }

func (v agreementSign) Run(e *env) error {
	d, s, err := v.sign(e, false)
	if err != nil {
		return err
	}
	standing, err := change[agreement.Standing](e, v.changeFlags, pathAgreements+"/sign", s)
	if err != nil {
		return err
	}
	return e.showStanding(standing, func(t *terminal) {
		t.line("%s %s signed version %d of %s as %s", t.green("✓"), s.Party, s.Version, d.ID, s.Role)
	})
}

type agreementAccept struct{ signing }

func (v agreementAccept) Run(e *env) error {
	d, s, err := v.sign(e, true)
	if err != nil {
		return err
	}
	a := agreement.Accept(*s)
	standing, err := change[agreement.Standing](e, v.changeFlags, pathAgreements+"/accept", &a)
	if err != nil {
		return err
	}
	return e.showStanding(standing, func(t *terminal) {
		t.line("%s %s accepted version %d of %s as %s", t.green("✓"), s.Party, s.Version, d.ID, s.Role)
	})
}

// showStanding says what was done to a version, and where it stands now.
func (e *env) showStanding(s agreement.Standing, done func(*terminal)) error {
	return e.show(s, func(t *terminal) {
		done(t)
		switch {
		case s.Status == agreement.Awaiting && s.Missing == 1:
			t.line("  one more signature is needed")
		case s.Status == agreement.Awaiting:
			t.line("  %d more signatures are needed", s.Missing)
		case s.Status == agreement.InForce:
			t.line("  it is agreed: %s", span(s.From, s.Until))
		default:
			t.line("  it is %s", s.Status)
		}
	})
}

// span says from when to when something holds.
func span(from, until moongate.Time) string {
	if until == 0 {
		return "from " + moment(from) + " on"
	}
	return "from " + moment(from) + " until " + moment(until)
}

type agreementList struct {
	Status string `enum:",awaiting,agreed,withdrawn,lapsed" default:"" help:"Only versions that are awaiting, agreed, withdrawn or lapsed." placeholder:"STATUS"`
	ID     string `name:"id" help:"Only versions of this id, which documents give themselves." placeholder:"ID"`
	pageFlags
	hubFlags
}

func (v agreementList) Run(e *env) error {
	query := url.Values{}
	for name, value := range map[string]string{"status": v.Status, "id": v.ID} {
		if value != "" {
			query.Set(name, value)
		}
	}
	page, err := readPage[agreement.Row](e, v.hubFlags, v.pageFlags, pathAgreements, query)
	if err != nil {
		return err
	}
	return e.show(page, func(t *terminal) {
		rows := make([][]string, 0, len(page.Items))
		for _, r := range page.Items {
			rows = append(rows, []string{r.Agreement, fmt.Sprint(r.Version), r.Slug, r.Name.In("en"), r.Status, span(r.From, r.Until)})
		}
		t.table([]align{left, right, left, left, left, left}, []string{"agreement", "version", "id", "name", "status", "holds"}, rows)
		more(t, page.Next)
	})
}

// versionArgs name a version of an agreement.
type versionArgs struct {
	Agreement moongate.ID `arg:"" help:"Which agreement."`
	Version   int         `arg:"" help:"Which version of it."`
}

func (v versionArgs) path() string {
	return fmt.Sprintf("%s/%s/%d", pathAgreements, v.Agreement, v.Version)
}

type agreementShow struct {
	versionArgs
	Lang     string `default:"en" enum:"en,zh" help:"Language of the explanation (${enum})."`
	Document bool   `help:"Print the document alone, in the canonical form that is signed: to keep it, check it and sign it."`
	hubFlags
}

func (v agreementShow) Run(e *env) error {
	c, err := v.connect(e)
	if err != nil {
		return err
	}
	terms, err := client.Get[api.Terms](e.ctx, c, v.path(), nil)
	if err != nil {
		return err
	}
	d, err := agreement.Parse(terms.Document)
	if err != nil {
		return fmt.Errorf("what the hub sent: %w", err)
	}
	if d.Fingerprint() != terms.SHA256 {
		return &moongate.Error{Code: moongate.Refused, Message: fmt.Sprintf("the hub says that the document's SHA-256 is %s, and it is %s", terms.SHA256, d.Fingerprint()), Hint: "sign nothing, and ask the operator"}
	}
	if v.Document {
		_, err := e.out.Write(append(d.Canonical(), '\n'))
		return err
	}
	text, err := agreement.Explain(d, agreement.Language(v.Lang))
	if err != nil {
		return err
	}
	parties := []agreement.Participation{}
	for p, err := range client.All[agreement.Participation](e.ctx, c, v.path()+"/parties", nil) {
		if err != nil {
			return err
		}
		parties = append(parties, p)
	}
	out := struct {
		api.Terms
		Parties     []agreement.Participation `json:"parties"`
		Explanation string                    `json:"explanation"`
	}{terms, parties, text}
	return e.show(out, func(t *terminal) {
		t.line("%s", text)
		t.line("%s  %s, version %d", t.bold(terms.Status), terms.Agreement, terms.Version)
		t.line("  sha256  %s", terms.SHA256)
		for _, p := range parties {
			switch {
			case p.Signed != 0 && p.Ends != 0:
				t.line("  %s  %s, signed %s, leaves %s", p.Role, p.Party, moment(p.Signed), moment(p.Ends))
			case p.Signed != 0:
				t.line("  %s  %s, signed %s", p.Role, p.Party, moment(p.Signed))
			default:
				t.line("  %s  %s, has not signed", p.Role, p.Party)
			}
		}
	})
}

type agreementWithdraw struct {
	versionArgs
	changeFlags
}

func (v agreementWithdraw) Run(e *env) error {
	standing, err := change[agreement.Standing](e, v.changeFlags, pathAgreements+"/withdraw", &agreement.Withdraw{Agreement: v.Agreement, Version: v.Version})
	if err != nil {
		return err
	}
	return e.show(standing, func(t *terminal) { t.line("%s version %d is %s", t.green("✓"), v.Version, standing.Status) })
}

type agreementTerminate struct {
	Agreement moongate.ID `arg:"" help:"Which agreement."`
	As        handle      `required:"" help:"Who gives notice." placeholder:"HANDLE"`
	Reason    string      `required:"" help:"Why." placeholder:"TEXT"`
	changeFlags
}

func (v agreementTerminate) Run(e *env) error {
	n, err := change[agreement.Notice](e, v.changeFlags, pathAgreements+"/terminate", &agreement.Terminate{Agreement: v.Agreement, Party: string(v.As), Reason: v.Reason})
	if err != nil {
		return err
	}
	return e.show(n, func(t *terminal) { t.line("%s notice is given; it ends %s", t.green("✓"), moment(n.Ends)) })
}
