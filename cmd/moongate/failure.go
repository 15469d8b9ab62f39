package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/journal"
)

// failure is what a person, or a program that asked for JSON, is told about an error.
type failure struct {
	Message string            `json:"error"`
	Code    moongate.Code     `json:"code"`
	Field   string            `json:"field,omitempty"`
	Hint    string            `json:"hint,omitempty"`
	Faults  []*moongate.Error `json:"faults,omitempty"`  // all of them, where there are several
	File    string            `json:"file,omitempty"`    // that is damaged
	Offset  *int64            `json:"offset,omitempty"`  // of the damage, in bytes
	Request string            `json:"request,omitempty"` // of the hub's, to ask its operator about
}

func failureOf(err error) failure {
	f := failure{Message: err.Error(), Code: codeOf(err)}
	var one *moongate.Error
	if errors.As(err, &one) {
		f.Message, f.Field, f.Hint = saidWithout(err, one), one.Field, one.Hint
		f.Message = strings.TrimPrefix(f.Message, one.Field+": ")
	}
	var path *fs.PathError
	if errors.As(err, &path) && path.Error() == err.Error() {
		f.Field, f.Message = path.Path, path.Err.Error()
	}
	var faults agreement.Faults
	var answer *client.Failure
	var damage *journal.Damage
	switch {
	case errors.As(err, &faults):
		f.Faults = faults
	case errors.As(err, &answer):
		f.Faults, f.Request = answer.Faults, answer.Request
	case errors.As(err, &damage):
		f.File, f.Offset = damage.File, &damage.Offset
	case errors.Is(err, context.Canceled):
		f.Message = "stopped before it was done"
	}
	if len(f.Faults) == 1 {
		f.Faults = nil // it is the error itself
	}
	if len(f.Faults) > 1 {
		f.Message, f.Field, f.Hint = fmt.Sprintf("%d faults", len(f.Faults)), "", ""
	}
	return f
}

// saidWithout is an error's text without the hint in it.
func saidWithout(err error, one *moongate.Error) string {
	if one == nil || one.Hint == "" {
		return err.Error()
	}
	return strings.Replace(err.Error(), "; "+one.Hint, "", 1)
}

// codeOf is [moongate.CodeOf], and has codes for what the operating system says.
func codeOf(err error) moongate.Code {
	var damage *journal.Damage
	code := moongate.CodeOf(err)
	switch {
	case code != moongate.Internal:
		return code
	case errors.As(err, &damage), errors.Is(err, fs.ErrExist):
		return moongate.Conflict
	case errors.Is(err, fs.ErrNotExist):
		return moongate.NotFound
	case errors.Is(err, fs.ErrPermission):
		return moongate.Forbidden
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		return moongate.Malformed
	case errors.Is(err, syscall.ENOSPC):
		return moongate.Limit
	case errors.Is(err, context.Canceled):
		return moongate.Unknown
	}
	return code
}

// errSilent ends a verb that has already said what is wrong.
var errSilent = errors.New("")

// fail says what went wrong, where, and what to do.
func (e *env) fail(err error) {
	if errors.Is(err, errSilent) {
		return
	}
	f := failureOf(err)
	if e.json {
		enc := json.NewEncoder(e.err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(f) // nowhere left to say it
		return
	}
	t := newTerminal(e.err)
	said := func(field, message, hint string) {
		if field != "" && !strings.Contains(message, field+": ") {
			message = field + ": " + message
		}
		t.line("%s %s", t.red("✗"), message)
		if hint != "" {
			t.line("  %s", hint)
		}
	}
	for _, one := range f.Faults {
		said(one.Field, one.Message, one.Hint)
	}
	if len(f.Faults) == 0 {
		said(f.Field, f.Message, f.Hint)
	}
	if f.Request != "" && f.Code == moongate.Internal {
		t.line("  %s", t.dim("the hub's log has more about request "+f.Request))
	}
}

// misuse says how the program was called wrongly.
func (e *env) misuse(args []string, err error) {
	verb := "moongate"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		verb = parse.Context.Selected().FullPath()
	}
	hint := "run " + verb + " --help"
	var one *moongate.Error
	if errors.As(err, &one) && one.Hint != "" {
		hint = one.Hint + "; " + hint
	}
	e.json = slices.Contains(args, "--json")
	e.fail(&moongate.Error{Code: moongate.Malformed, Message: saidWithout(err, one), Hint: hint})
}
