package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/party"
)

// NewVersion asks for a version to be put before its parties.
type NewVersion struct {
	Agreement moongate.ID `json:"agreement,omitzero" doc:"The agreement that it is a version of; missing for a new one."`
	Document  Document    `json:"document"`
}

// Document is the terms as the parties sign them: see the JSON Schema at /schemas/agreement.json.
type Document json.RawMessage

// MarshalJSON writes the document as it is.
func (d Document) MarshalJSON() ([]byte, error) { return d, nil }

// UnmarshalJSON keeps the document as it is.
func (d *Document) UnmarshalJSON(b []byte) error {
	*d = bytes.Clone(b)
	return nil
}

// Terms are one version of an agreement: what the parties signed, and where it stands.
type Terms struct {
	Agreement moongate.ID   `json:"agreement"`
	Version   int           `json:"version"`
	Status    string        `json:"status" enum:"awaiting,agreed,withdrawn,lapsed"`
	Proposer  string        `json:"proposer,omitempty"`
	Proposed  moongate.Time `json:"proposed"`
	From      moongate.Time `json:"from,omitzero" doc:"In force from here."`
	Until     moongate.Time `json:"until,omitzero" doc:"In force until here; missing while the end is open."`
	Missing   int           `json:"missing" doc:"Signatures still needed."`
	SHA256    string        `json:"sha256" doc:"Of the canonical form (RFC 8785)."`
	Document  Document      `json:"document"`
}

// Explanation is an agreement in plain words, with a worked example.
type Explanation struct {
	Text string `json:"text" example:"Harbour terms\n…"`
}

// VersionPath names a version.
type VersionPath struct {
	Agreement moongate.ID `path:"agreement" example:"agr_aeaqc_mfrggzdfmztwq2lknnwa"`
	Version   int         `path:"version" minimum:"1" maximum:"100000" example:"1"`
}

const agreementTag = "Agreements"

func (a *API) agreementRoutes() {
	submit(a, op{
		path: "/v1/agreements", id: "propose", tag: agreementTag, summary: "Propose a version", scope: party.AgreementsWrite, status: http.StatusCreated,
		detail:  "Terms for the parties to sign: a first version starts an agreement, a later one replaces or answers the one before. The caller is named in it. All faults of a document come at once.",
		example: `{"document":` + exampleDocument() + `}`,
	}, func(_ context.Context, _ Principal, in *NewVersion) (prepared[agreement.Proposal], error) {
		d, err := agreement.Parse(in.Document)
		if err != nil {
			return prepared[agreement.Proposal]{}, err
		}
		return prepared[agreement.Proposal]{command: &agreement.Propose{Agreement: in.Agreement, Document: d.Canonical()}}, nil
	})
	ofSelf[agreement.Standing](a, op{
		path: "/v1/agreements/sign", id: "sign", tag: agreementTag, summary: "Sign a version", scope: party.AgreementsWrite,
		detail: "The signature is by a registered key of the party's over four lines: `moongate agreement signature v1`, role, handle, canonical document.",
	}, func(c *agreement.Sign) string { return c.Party })
	ofSelf[agreement.Standing](a, op{
		path: "/v1/agreements/accept", id: "accept", tag: agreementTag, summary: "Accept an open offer", scope: party.AgreementsWrite,
		detail: "Binds one more party to an open role. It is signed like a version.",
	}, func(c *agreement.Accept) string { return c.Party })
	command[agreement.Standing, agreement.Withdraw](a, op{path: "/v1/agreements/withdraw", id: "withdraw", tag: agreementTag, summary: "Take a version back that is not agreed yet", scope: party.AgreementsWrite})
	ofSelf[agreement.Notice](a, op{
		path: "/v1/agreements/terminate", id: "terminate", tag: agreementTag, summary: "Give notice", scope: party.AgreementsWrite,
		detail: "Of a party that stands alone in its role it ends the agreement, of one among several only its own part in it.",
	}, func(c *agreement.Terminate) string { return c.Party })
	a.agreementReads()
}

func (a *API) agreementReads() {
	type listInput struct {
		Status string `query:"status" enum:"awaiting,agreed,withdrawn,lapsed"`
		Slug   string `query:"id" maxLength:"128" doc:"The id that the documents give themselves."`
		PageInput
	}
	list(a, op{path: "/v1/agreements", id: "agreements", tag: agreementTag, summary: "List versions", detail: "Those that name or bind the caller, and open offers. Newest first.", scope: party.AgreementsRead},
		func(in *listInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *listInput, after string, limit int) ([]agreement.Row, string, error) {
			f := agreement.Filter{Party: who.Handle, Status: in.Status, Slug: in.Slug}
			if who.Operates() {
				f.Party = ""
			}
			return agreement.List(ctx, a.hub.Views, f, after, limit)
		})
	query(a, op{path: "/v1/agreements/{agreement}/{version}", id: "agreement", tag: agreementTag, summary: "Read a version", scope: party.AgreementsRead},
		func(_ context.Context, who Principal, in *VersionPath) (Terms, error) { return a.terms(who, in) })
	type explainInput struct {
		VersionPath
		Language string `query:"language" enum:"en,zh" default:"en"`
	}
	query(a, op{path: "/v1/agreements/{agreement}/{version}/explanation", id: "explanation", tag: agreementTag, summary: "Explain a version", detail: "In plain words, with what a round amount becomes for each party.", scope: party.AgreementsRead},
		func(_ context.Context, who Principal, in *explainInput) (Explanation, error) {
			t, err := a.terms(who, &in.VersionPath)
			if err != nil {
				return Explanation{}, err
			}
			d, err := agreement.Parse(t.Document)
			if err != nil {
				return Explanation{}, err
			}
			text, err := agreement.Explain(d, agreement.Language(in.Language))
			return Explanation{text}, err
		})
	type memberInput struct {
		VersionPath
		PageInput
	}
	list(a, op{path: "/v1/agreements/{agreement}/{version}/parties", id: "agreement-parties", tag: agreementTag, summary: "List who stands in a version", detail: "Those whom the document names, and the caller; all, for whoever proposed it or is named in it.", scope: party.AgreementsRead},
		func(in *memberInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *memberInput, after string, limit int) ([]agreement.Participation, string, error) {
			if _, err := a.terms(who, &in.VersionPath); err != nil {
				return nil, "", err
			}
			reader := who.own()
			a.hub.Machine().Read(func() {
				if a.hub.Agreement.MayCount(in.Agreement, in.Version, who.Handle) {
					reader = ""
				}
			})
			return agreement.Participants(ctx, a.hub.Views, in.Agreement, in.Version, reader, after, limit)
		})
	a.mux.HandleFunc("GET /schemas/agreement.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/schema+json")
		_, _ = w.Write(agreement.Schema())
	})
}

func (a *API) terms(who Principal, in *VersionPath) (t Terms, err error) {
	a.hub.Machine().Read(func() {
		v, ok := a.hub.Agreement.Lookup(in.Agreement, in.Version)
		if !ok || !who.Operates() && !a.hub.Agreement.MayRead(in.Agreement, in.Version, who.Handle) {
			err = denied("agreement", fmt.Sprintf("%s, version %d", in.Agreement, in.Version))
			return
		}
		t = Terms{
			Agreement: in.Agreement, Version: in.Version, Status: v.Status.String(), Proposer: v.By, Proposed: v.Proposed,
			From: v.From, Until: v.Until, Missing: v.Missing, Document: v.Document,
		}
	})
	if err == nil {
		d, failed := agreement.Parse(t.Document)
		if failed != nil {
			return Terms{}, failed
		}
		t.SHA256 = d.Fingerprint()
	}
	return t, err
}

// exampleDocument is a short one of those that come with the program.
func exampleDocument() string {
	shortest := ""
	for _, text := range agreement.Examples() {
		d, err := agreement.Parse(text)
		if err != nil {
			panic(fmt.Sprintf("api: an example agreement has faults: %v", err))
		}
		if c := string(d.Canonical()); shortest == "" || len(c) < len(shortest) {
			shortest = c
		}
	}
	return shortest
}
