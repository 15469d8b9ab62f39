package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/party"
)

type keygen struct {
	File string `arg:"" help:"File to write, for nobody else to read; it must not exist."`
}

func (v keygen) Run(e *env) error {
	_, key, err := ed25519.GenerateKey(randomness(e.random))
	if err != nil {
		return err
	}
	if err := writeKey(v.File, key); err != nil {
		return err
	}
	public := publicOf(key)
	return e.show(map[string]string{"file": v.File, "public": public.String(), "id": public.ID()}, func(t *terminal) {
		t.line("%s %s holds a new private key (Ed25519, PKCS #8): only you can read it, and nobody can make it again", t.green("✓"), v.File)
		t.line("  public  %s", public)
		t.line("  id      %s", public.ID())
	})
}

type keyVerb struct {
	Show   keyShow   `cmd:"" help:"Show the public half of a private key, offline."`
	Prove  keyProve  `cmd:"" help:"Print a proof that you hold a key, for an operator to register you with, offline."`
	Add    keyAdd    `cmd:"" help:"Register one more key, or rotate one."`
	Revoke keyRevoke `cmd:"" help:"End a key at once; what it signed before stands."`
}

type keyShow struct {
	File string `arg:"" help:"Private key."`
}

func (v keyShow) Run(e *env) error {
	key, err := readKey(v.File)
	if err != nil {
		return err
	}
	public := publicOf(key)
	return e.show(map[string]string{"public": public.String(), "id": public.ID()}, func(t *terminal) {
		t.line("public  %s", public)
		t.line("id      %s", public.ID())
	})
}

type keyProve struct {
	Handle handle `arg:"" help:"Whose key it is to be."`
	File   string `arg:"" help:"Private key."`
}

// Run prints JSON, whether asked to or not: it is for a file.
func (v keyProve) Run(e *env) error {
	key, err := readKey(v.File)
	if err != nil {
		return err
	}
	proof, err := party.Prove(key, string(v.Handle))
	if err != nil {
		return err
	}
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(proof)
}

// readProof gives a key ready to be registered, from the private key itself or from a proof that its holder made.
func readProof(path, handle string) (k party.NewKey, err error) {
	b, err := readFile(path, 4096)
	if err != nil {
		return k, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		if b, err = readSecret(path, 4096); err != nil {
			return k, err
		}
		key, err := parseKey(path, b)
		if err != nil {
			return k, err
		}
		return party.Prove(key, handle)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&k); err != nil {
		return k, &moongate.Error{Code: moongate.Malformed, Field: path, Message: fmt.Sprintf("it is no proof of a key: %v", err), Hint: "make one with: moongate party key prove HANDLE FILE"}
	}
	if !k.Public.Verify(party.PossessionStatement(handle, k.Public), k.Possession) {
		return k, &moongate.Error{Code: moongate.Refused, Field: path, Message: fmt.Sprintf("the proof does not hold for %s", handle), Hint: "a proof is for one handle; its holder makes another with: moongate party key prove " + handle + " FILE"}
	}
	return k, nil
}

type keyAdd struct {
	Handle   handle             `arg:"" help:"Whose key it is."`
	File     string             `arg:"" help:"The new key: a private key, or the proof that moongate party key prove gives."`
	Replaces string             `help:"Id of the key that goes." placeholder:"ID"`
	Overlap  agreement.Duration `help:"For how long both are valid, such as 12h; at most 30d. The old one ends at once unless set." placeholder:"SPAN"`
	Endorse  string             `help:"A key of the participant's that is valid, and vouches for the new one; the one that signs the request unless set. An operator needs none." placeholder:"FILE"`
	changeFlags
}

func (v keyAdd) Run(e *env) error {
	key, err := readProof(v.File, string(v.Handle))
	if err != nil {
		return err
	}
	c := &party.AddKey{Handle: string(v.Handle), Key: key, Replaces: v.Replaces, Overlap: v.Overlap.Time()}
	if by := v.Endorse; by != "" || v.Sign != "" {
		if by == "" {
			by = v.Sign
		}
		old, err := readKey(by)
		if err != nil {
			return err
		}
		c.EndorsedBy = publicOf(old).ID()
		c.Endorsement = party.Signature(ed25519.Sign(old, party.EndorsementStatement(string(v.Handle), key.Public, v.Replaces)))
	}
	answer, err := change[party.KeyAnswer](e, v.changeFlags, "/v1/keys", c)
	var refusal *moongate.Error
	if errors.As(err, &refusal) && refusal.Field == "endorsed_by" {
		return &moongate.Error{Code: refusal.Code, Field: "--endorse", Message: fmt.Sprintf("no valid key of %s vouches for the new one", v.Handle), Hint: "name the file of one; if all are lost, ask the operator"}
	}
	if err != nil {
		return err
	}
	out := map[string]any{"handle": string(v.Handle), "key": answer.Key}
	if v.Replaces != "" {
		out["replaces"] = v.Replaces
	}
	return e.show(out, func(t *terminal) {
		t.line("%s key %s is %s's", t.green("✓"), answer.Key, v.Handle)
		switch {
		case v.Replaces != "" && v.Overlap != 0:
			t.line("  %s ends in %s", v.Replaces, v.Overlap)
		case v.Replaces != "":
			t.line("  %s has ended", v.Replaces)
		}
	})
}

type keyRevoke struct {
	Handle handle `arg:"" help:"Whose key it is."`
	Key    string `arg:"" help:"Its id, or the file of the private key. Before an id that begins with a hyphen write -- ."`
	Reason string `required:"" help:"Why." placeholder:"TEXT"`
	changeFlags
}

func (v keyRevoke) Run(e *env) error {
	id := v.Key
	if info, err := os.Stat(v.Key); err == nil && info.Mode().IsRegular() {
		key, err := readKey(v.Key)
		if err != nil {
			return err
		}
		id = publicOf(key).ID()
	}
	if _, err := change[party.Done](e, v.changeFlags, "/v1/keys/revoke", &party.RevokeKey{Handle: string(v.Handle), Key: id, Reason: v.Reason}); err != nil {
		return err
	}
	return e.show(map[string]string{"handle": string(v.Handle), "key": id, "revoked": v.Reason}, func(t *terminal) {
		t.line("%s key %s has ended; what it signed before stands", t.green("✓"), id)
	})
}
