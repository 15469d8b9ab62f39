package hub

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof"
	"github.com/moongate-hub/moongate/webhook"
)

// WitnessConfig is a witness of the public log: somebody else who cosigns its checkpoints, and so vouches that everybody is
// shown the same log (C2SP tlog-witness).
type WitnessConfig struct {
	Key string `yaml:"key"` // its verifier key; it is public
	URL string `yaml:"url"` // its submission prefix; /add-checkpoint is added
}

// maxWitnesses bounds them: a checkpoint with a hundred signatures is read by nobody.
const maxWitnesses = 32

// quorum is how many cosignatures a checkpoint needs to be shown: a majority of the witnesses unless the operator says.
func (c *Config) quorum() int {
	if c.WitnessQuorum > 0 {
		return c.WitnessQuorum
	}
	return len(c.Witnesses)/2 + 1
}

func (c *Config) checkWitnesses(add func(field, hint, format string, args ...any)) {
	if len(c.Witnesses) > maxWitnesses {
		add("witnesses", "name fewer", "%d witnesses, at most %d", len(c.Witnesses), maxWitnesses)
	}
	if c.WitnessQuorum < 0 || c.WitnessQuorum > len(c.Witnesses) {
		add("witness_quorum", "leave it out for a majority", "%d of %d witnesses", c.WitnessQuorum, len(c.Witnesses))
	}
	seen := map[string]bool{}
	for i, w := range c.Witnesses {
		at := fmt.Sprintf("witnesses[%d]", i)
		one, err := proof.NewCosigner(w.Key)
		switch {
		case err != nil:
			add(at+".key", "as the witness's operator publishes it, like witness.example/w1+1c2d3e4f+BA…", "%v", err)
		case seen[w.Key]:
			add(at+".key", "each once", "%s is named twice", one.Name())
		}
		seen[w.Key] = true
		if err := webhook.CheckURL(w.URL, c.local()); err != nil {
			add(at+".url", "its submission prefix, like https://witness.example/w1", "%v", err)
		}
	}
}

const (
	cosignEvery = 10 * time.Second
	cosignWait  = 8 * time.Second // for the witnesses of one round
	cosignPause = 5 * time.Minute // the longest, for a witness that fails again and again
	// cosignClock is how far a witness's clock may be from ours: a cosignature of another time says nothing of now.
	cosignClock = 5 * time.Minute
)

// witness is one that is asked, and what is known of it. A round asks each by one goroutine.
type witness struct {
	*proof.Cosigner
	url    string
	client *http.Client
	now    func() time.Time

	size   int64         // of the last head that it has cosigned, as far as we know
	pause  time.Duration // after the last failure; 0 where there was none
	next   time.Time
	failed string // what is wrong with it, told once
}

// openWitnesses prepares asking the configured witnesses.
func (h *Hub) openWitnesses() error {
	client := (&webhook.Poster{Loopback: h.Config.local(), Now: h.Now}).Client()
	for _, w := range h.Config.Witnesses {
		one, err := proof.NewCosigner(w.Key)
		if err != nil {
			return err
		}
		if err := webhook.CheckURL(w.URL, h.Config.local()); err != nil {
			return err
		}
		h.witnesses = append(h.witnesses, &witness{Cosigner: one, url: strings.TrimSuffix(w.URL, "/") + "/add-checkpoint", client: client, now: h.Now})
	}
	return nil
}

// cosign has the witnesses cosign what the hub has published, as long as it leads.
func (h *Hub) cosign(ctx context.Context) {
	if len(h.witnesses) == 0 {
		return
	}
	t := time.NewTicker(cosignEvery)
	defer t.Stop()
	for {
		if h.Node.Leads() && !h.held() {
			if _, err := h.Cosign(ctx); err != nil && ctx.Err() == nil {
				h.Log.Error("the public log's cosignatures were not kept", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Cosign asks the witnesses once to cosign the newest checkpoint, and keeps it where enough of them have. It gives those
// that have.
func (h *Hub) Cosign(ctx context.Context) ([]proof.Cosignature, error) {
	h.cosigning.Lock()
	defer h.cosigning.Unlock()
	log := h.Node.Log()
	signed := log.Checkpoint()
	if signed == nil {
		return nil, nil
	}
	c, err := proof.ReadSigned(signed)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cosignWait)
	defer cancel()
	came := make([]*proof.Cosignature, len(h.witnesses))
	var asking sync.WaitGroup
	for i, w := range h.witnesses {
		if h.Now().Before(w.next) {
			continue
		}
		asking.Go(func() {
			one, err := w.ask(ctx, log.Consistency, c, signed)
			if err == nil {
				came[i] = &one
			}
			h.witnessed(w, err)
		})
	}
	asking.Wait()
	var all []proof.Cosignature
	for _, one := range came {
		if one != nil {
			all = append(all, *one)
		}
	}
	if len(all) < h.Config.quorum() {
		return all, nil
	}
	return all, log.Cosigned(proof.Cosign(signed, all...))
}

// witnessed notes how asking a witness went. One that fails is asked again later and later.
func (h *Hub) witnessed(w *witness, err error) {
	if err == nil {
		if w.failed != "" {
			h.Log.Info("a witness of the public log is back", "witness", w.Name())
		}
		w.pause, w.failed, w.next = 0, "", time.Time{}
		return
	}
	w.pause = min(max(2*w.pause, cosignEvery), cosignPause)
	w.next = h.Now().Add(w.pause)
	if said := err.Error(); said != w.failed {
		w.failed = said
		level := h.Log.Warn
		if moongate.CodeOf(err) == moongate.Conflict {
			level = h.Log.Error // it has seen another log under our name
		}
		level("a witness did not cosign the public log", "witness", w.Name(), "error", err)
	}
}

// ask has a witness cosign a checkpoint. The error is a conflict where it has cosigned what is not in our log.
func (w *witness) ask(ctx context.Context, consistency func(older, size int64) ([]proof.Hash, error), c proof.Checkpoint, signed []byte) (proof.Cosignature, error) {
	for tries := 0; ; tries++ {
		if ahead := w.size; ahead > c.Size {
			w.size = 0 // it is asked again where it is: what it says may change, and so may our log
			return proof.Cosignature{}, &moongate.Error{
				Code: moongate.Conflict, Message: fmt.Sprintf("it has cosigned %d entries of this log, and here are %d: more was published than this hub has", ahead, c.Size),
				Hint: "is this hub restored from an older backup, or does another one publish under its name? " + restoredHint,
			}
		}
		path, err := consistency(w.size, c.Size)
		if err != nil {
			return proof.Cosignature{}, err
		}
		status, answer, err := w.post(ctx, proof.WitnessRequest(w.size, path, signed))
		if err != nil {
			return proof.Cosignature{}, err
		}
		if size, err := proof.WitnessSize(answer); status == http.StatusConflict && err == nil && size != w.size {
			if w.size = size; tries == 0 { // it goes on from somewhere else than we thought
				continue
			}
			return proof.Cosignature{}, &moongate.Error{Code: moongate.Unknown, Message: fmt.Sprintf("it has gone on to %d entries meanwhile", size), Hint: "it is asked again"}
		}
		if status != http.StatusOK {
			return proof.Cosignature{}, w.refusal(status, answer)
		}
		one, err := proof.WitnessAnswer(answer, signed, w.Cosigner)
		if err != nil {
			return one, err
		}
		if off := one.At.Go().Sub(w.now()); off.Abs() > cosignClock {
			return one, &moongate.Error{Code: moongate.Refused, Message: fmt.Sprintf("its cosignature is of %s, %s from our clock", one.At, off.Abs().Round(time.Second)), Hint: "one of the two clocks is wrong"}
		}
		w.size = c.Size
		return one, nil
	}
}

const restoredHint = "See the page on operating a hub about a restored log."

// refusal says what a witness meant by its status.
func (w *witness) refusal(status int, answer []byte) error {
	switch status {
	case http.StatusNotFound, http.StatusForbidden:
		return &moongate.Error{Code: moongate.Refused, Message: fmt.Sprintf("it answers %d: it does not know this log, or not its key", status), Hint: "give its operator the log's name and verifier key (log.pub)"}
	case http.StatusConflict, http.StatusUnprocessableEntity:
		w.size = 0 // whatever was thought of it
		return &moongate.Error{
			Code: moongate.Conflict, Message: fmt.Sprintf("it answers %d: what it has cosigned is not in this log (%.40q)", status, answer),
			Hint: "somebody was shown another log under this name. " + restoredHint,
		}
	}
	return &moongate.Error{Code: moongate.Unknown, Message: fmt.Sprintf("it answers %d", status), Hint: "it is asked again"}
}

// post sends a request, and gives the answer up to its bound.
func (w *witness) post(ctx context.Context, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("witness: %w", err)
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	r.Header["Idempotency-Key"] = []string{} // not sent: it tells the client that asking again does no harm, where a connection was closed
	resp, err := w.client.Do(r)
	if err != nil {
		return 0, nil, &moongate.Error{Code: moongate.Unknown, Message: fmt.Sprintf("it was not reached: %v", err), Hint: "it is asked again"}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, proof.MaxWitnessAnswer+1))
	if err != nil {
		return 0, nil, &moongate.Error{Code: moongate.Unknown, Message: fmt.Sprintf("its answer broke off: %v", err), Hint: "it is asked again"}
	}
	return resp.StatusCode, answer, nil
}

// Witnesses tells which of the configured witnesses have cosigned the checkpoint that is shown, and when.
func (h *Hub) Witnesses() []proof.Cosignature {
	by := make([]*proof.Cosigner, 0, len(h.witnesses))
	for _, w := range h.witnesses {
		by = append(by, w.Cosigner)
	}
	all, err := proof.Cosigned(h.Node.Log().Head(), by...)
	if err != nil {
		return nil // it was verified when it came: another key stands in the configuration since
	}
	return all
}
