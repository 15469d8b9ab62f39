package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
)

type agreementVerb struct {
	Check    agreementCheck    `cmd:"" help:"Check a document, explain it in plain words and show a worked example."`
	Examples agreementExamples `cmd:"" help:"List the example documents, or print one."`
	Schema   agreementSchema   `cmd:"" help:"Print the JSON Schema of documents."`
	Hash     agreementHash     `cmd:"" help:"Print the canonical form (RFC 8785) that the parties sign, or its SHA-256."`

	List      agreementList      `cmd:"" help:"List the versions that a running hub holds."`
	Show      agreementShow      `cmd:"" help:"Explain a version that a running hub holds, and show who has signed it."`
	Propose   agreementPropose   `cmd:"" help:"Put a document before its parties, at a running hub."`
	Sign      agreementSign      `cmd:"" help:"Sign a version in which you are named, at a running hub."`
	Accept    agreementAccept    `cmd:"" help:"Accept an open offer, at a running hub."`
	Withdraw  agreementWithdraw  `cmd:"" help:"Take a version back that is not agreed yet, at a running hub."`
	Terminate agreementTerminate `cmd:"" help:"Give notice, at a running hub."`
}

type agreementCheck struct {
	File string `arg:"" help:"YAML or JSON document; - is standard input."`
	Lang string `default:"en" enum:"en,zh" help:"Language of the explanation (${enum})."`
}

// maxDocument is more than any document may have: what is larger is refused by the parser, and need not be read whole.
const maxDocument = 1 << 20

func (e *env) readDocument(file string) (*agreement.Document, error) {
	var b []byte
	var err error
	if file == "-" {
		b, err = io.ReadAll(io.LimitReader(e.in, maxDocument))
	} else {
		var f *os.File
		if f, err = os.Open(file); err == nil {
			b, err = io.ReadAll(io.LimitReader(f, maxDocument))
			f.Close() //nolint:errcheck // read only
		}
	}
	if err != nil {
		return nil, &moongate.Error{Code: codeOf(err), Message: err.Error(), Hint: "moongate agreement examples lists documents to begin with"}
	}
	return agreement.Parse(b)
}

func (v agreementCheck) Run(e *env) error {
	d, err := e.readDocument(v.File)
	if err != nil {
		return err
	}
	text, err := agreement.Explain(d, agreement.Language(v.Lang))
	if err != nil {
		return err
	}
	out := map[string]any{"ok": true, "id": d.ID, "version": d.Version, "sha256": fmt.Sprintf("%x", d.Hash()), "fingerprint": d.Fingerprint(), "explanation": text}
	return e.show(out, func(t *terminal) { t.line("%s", text) })
}

type agreementExamples struct {
	Name string `arg:"" optional:"" help:"Print this one."`
}

func (v agreementExamples) Run(e *env) error {
	all := agreement.Examples()
	var names []string
	for n := range all {
		names = append(names, n)
	}
	slices.Sort(names)
	if v.Name != "" {
		b, ok := all[v.Name]
		if !ok {
			return &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("there is no example %q", v.Name), Hint: fmt.Sprintf("the examples are %v", names)}
		}
		_, err := e.out.Write(b)
		return err
	}
	return e.show(map[string]any{"examples": names}, func(t *terminal) {
		for _, n := range names {
			d, err := agreement.Parse(all[n])
			if err != nil {
				continue // a test says that all parse
			}
			t.line("%-28s %s", n, d.Name.In("en"))
		}
		t.line("")
		t.line("%s", t.dim("Print one: moongate agreement examples NAME > terms.yaml"))
	})
}

type agreementSchema struct{}

func (agreementSchema) Run(e *env) error {
	_, err := e.out.Write(agreement.Schema())
	return err
}

type agreementHash struct {
	File      string `arg:"" help:"YAML or JSON document; - is standard input."`
	Canonical bool   `help:"Print the canonical form itself."`
}

func (v agreementHash) Run(e *env) error {
	d, err := e.readDocument(v.File)
	if err != nil {
		return err
	}
	if v.Canonical {
		_, err := e.out.Write(append(d.Canonical(), '\n'))
		return err
	}
	sum := fmt.Sprintf("%x", d.Hash())
	return e.show(map[string]string{"sha256": sum, "fingerprint": d.Fingerprint()}, func(t *terminal) { t.line("%s", sum) })
}
