package hub_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/proof"
)

// strict is a witness as the specification has it (C2SP tlog-witness), written from it: every MUST of a witness is one line
// here. Its signatures are another implementation's.
type strict struct {
	t      testing.TB
	origin string
	log    note.Verifiers
	signer note.Signer
	key    string

	mu      sync.Mutex
	size    int64
	root    tlog.Hash
	asked   []string                         // "old SIZE" of each request, and the status that it got
	instead func(http.ResponseWriter) bool   // answers in place of the witness
	after   func(answer []byte) (out []byte) // changes what it answers
}

func newStrict(t testing.TB, name string, seed byte, s *hub.Secrets) (*strict, hub.WitnessConfig) {
	t.Helper()
	secret, public, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), name)
	if err != nil {
		t.Fatal(err)
	}
	w := &strict{t: t, origin: s.Origin()}
	if w.signer, err = f_note.NewSignerForCosignatureV1(secret); err != nil {
		t.Fatal(err)
	}
	if w.key, err = f_note.VKeyToCosignatureV1(public); err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(s.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	w.log = note.VerifierList(v)
	srv := httptest.NewServer(w)
	t.Cleanup(srv.Close)
	return w, hub.WitnessConfig{Key: w.key, URL: srv.URL + "/prefix/"}
}

func (w *strict) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.Path != "/prefix/add-checkpoint" {
		w.t.Errorf("a witness is asked %s %s", r.Method, r.URL.Path)
	}
	if w.instead != nil && w.instead(rw) {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		w.t.Error(err)
	}
	old, status, answer := w.add(string(body))
	w.asked = append(w.asked, fmt.Sprintf("old %s: %d", old, status))
	if status == http.StatusConflict {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
	}
	if w.after != nil {
		answer = w.after(answer)
	}
	rw.WriteHeader(status)
	_, _ = rw.Write(answer)
}

func (w *strict) add(body string) (old string, status int, answer []byte) {
	head, signed, ok := strings.Cut(body, "\n\n")
	lines := strings.Split(head, "\n")
	old, isOld := strings.CutPrefix(lines[0], "old ")
	size, err := strconv.ParseInt(old, 10, 64)
	if !ok || !isOld || err != nil || size < 0 || strconv.FormatInt(size, 10) != old || len(lines) > 64 {
		return old, http.StatusBadRequest, nil
	}
	var path tlog.TreeProof
	for _, l := range lines[1:] {
		h, err := tlog.ParseHash(l)
		if err != nil || h.String() != l {
			return old, http.StatusBadRequest, nil
		}
		path = append(path, h)
	}
	if origin, _, _ := strings.Cut(signed, "\n"); origin != w.origin {
		return old, http.StatusNotFound, nil
	}
	n, err := note.Open([]byte(signed), w.log)
	if err != nil {
		return old, http.StatusForbidden, nil
	}
	c, err := proof.ParseCheckpoint([]byte(n.Text))
	switch {
	case err != nil || size > c.Size || size == 0 && len(path) > 0:
		return old, http.StatusBadRequest, nil
	case size != w.size:
		return old, http.StatusConflict, fmt.Appendf(nil, "%d\n", w.size)
	case size == c.Size && c.Root != w.root && size > 0:
		return old, http.StatusConflict, fmt.Appendf(nil, "%d\n", w.size)
	case size > 0 && tlog.CheckTree(path, c.Size, c.Root, size, w.root) != nil:
		return old, http.StatusUnprocessableEntity, nil
	}
	w.size, w.root = c.Size, c.Root
	cosigned, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		w.t.Error(err)
	}
	return old, http.StatusOK, cosigned[len(n.Text)+1:]
}

// took gives the requests since it was last called.
func (w *strict) took() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.asked = nil }()
	return strings.Join(w.asked, ", ")
}

func (w *strict) answers(instead func(http.ResponseWriter) bool, after func([]byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.instead, w.after = instead, after
}

// watchedHub is a hub whose log grows when it is told.
type watchedHub struct {
	t   *testing.T
	opt hub.Options
	h   *hub.Hub
	now time.Time
	n   int
	log bytes.Buffer
}

func newWatchedHub(t *testing.T, quorum int, witnesses func(*hub.Secrets) []hub.WitnessConfig) *watchedHub {
	t.Helper()
	c, err := hub.Init(t.TempDir(), hub.Config{Name: "hub.example/watched", Listen: "127.0.0.1:0", PublicURL: "http://127.0.0.1", Operator: "office"}, random(t), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	c.Witnesses, c.WitnessQuorum = witnesses(s), quorum
	if faults := c.Check(); len(faults) > 0 {
		t.Fatal(faults[0])
	}
	x := &watchedHub{t: t, now: time.Now()}
	x.opt = hub.Options{
		Config: c, Secrets: s, Now: func() time.Time { return x.now }, Random: random(t), Virtual: true, NoSync: true,
		Log: slog.New(slog.NewTextHandler(&x.log, nil)),
	}
	x.open()
	t.Cleanup(func() {
		if err := x.h.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func (x *watchedHub) open() {
	x.t.Helper()
	var err error
	if x.h, err = hub.Open(x.t.Context(), x.opt); err != nil {
		x.t.Fatal(err)
	}
}

// grow lets something happen, and publishes it. The witnesses' time is the machine's, so this hub's is never far from it.
func (x *watchedHub) grow() {
	x.t.Helper()
	for range 3 {
		x.n++
		x.now = x.now.Add(time.Second)
		handle := fmt.Sprintf("seller-%d", x.n)
		if _, err := hub.Do[party.Done](x.t.Context(), x.h, "", "", &party.Register{Handle: handle, Kind: party.Merchant, Name: handle}); err != nil {
			x.t.Fatal(err)
		}
	}
	if err := x.h.Node.Log().Wait(last(x.h) + 1); err != nil {
		x.t.Fatal(err)
	}
	if err := x.h.Publish(); err != nil {
		x.t.Fatal(err)
	}
}

// cosign asks the witnesses, and gives who has cosigned.
func (x *watchedHub) cosign() string {
	x.t.Helper()
	all, err := x.h.Cosign(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
	}
	return strings.Join(names, ", ")
}

// shown is who has cosigned what everybody is shown.
func (x *watchedHub) shown() string {
	x.t.Helper()
	var names []string
	for _, one := range x.h.Witnesses() {
		names = append(names, one.Name)
	}
	return strings.Join(names, ", ")
}

func (x *watchedHub) said() string {
	defer x.log.Reset()
	return x.log.String()
}

// TestWitnesses: a hub has its log cosigned from one checkpoint to the next, asks a witness that it does not remember where it
// is, and shows what enough of them have cosigned.
func TestWitnesses(t *testing.T) {
	var north, south, west *strict
	x := newWatchedHub(t, 2, func(s *hub.Secrets) []hub.WitnessConfig {
		var all [3]hub.WitnessConfig
		north, all[0] = newStrict(t, "witness.example/north", 1, s)
		south, all[1] = newStrict(t, "witness.example/south", 2, s)
		west, all[2] = newStrict(t, "witness.example/west", 3, s)
		return all[:]
	})
	if got := x.cosign(); got != "" || north.took() != "" {
		t.Errorf("an empty log is cosigned by %q", got)
	}
	x.grow()
	all := "witness.example/north, witness.example/south, witness.example/west"
	if got := x.cosign(); got != all || x.shown() != all || north.took() != "old 0: 200" {
		t.Errorf("cosigned by %q, shown %q", got, x.shown())
	}
	first := x.h.Node.Log().Head()
	x.grow()
	if got, asked := x.cosign(), north.took(); got != all || asked != fmt.Sprintf("old %d: 200", sizeOf(t, first)) {
		t.Errorf("cosigned by %q; asked %s", got, asked)
	}
	if got, asked := x.cosign(), north.took(); got != all || !strings.HasSuffix(asked, ": 200") { // nothing new: it says that it still is
		t.Errorf("cosigned by %q; asked %s", got, asked)
	}
	second := x.h.Node.Log().Head()
	if bytes.Equal(first, second) {
		t.Error("the checkpoint did not move on")
	}
	if text, err := os.ReadFile(filepath.Join(x.opt.Config.Data, "log", "checkpoint.cosigned")); err != nil || !bytes.Equal(text, second) {
		t.Errorf("the file has %q, %v", text, err)
	}

	// A hub that has started anew finds out where its witnesses are, and goes on with what it had.
	if err := x.h.Close(); err != nil {
		t.Fatal(err)
	}
	x.open()
	if x.shown() != all {
		t.Errorf("after a start, shown %q", x.shown())
	}
	north.took()
	x.grow()
	if got, asked := x.cosign(), north.took(); got != all || asked != fmt.Sprintf("old 0: 409, old %d: 200", sizeOf(t, second)) {
		t.Errorf("cosigned by %q; asked %s", got, asked)
	}

	// Two of three are enough, one is not; and one that fails is asked later, not at once.
	south.answers(func(rw http.ResponseWriter) bool { rw.WriteHeader(http.StatusBadGateway); return true }, nil)
	x.grow()
	if got := x.cosign(); got != "witness.example/north, witness.example/west" || x.shown() != got {
		t.Errorf("cosigned by %q, shown %q", got, x.shown())
	}
	if said := x.said(); !strings.Contains(said, "it answers 502") {
		t.Errorf("said %s", said)
	}
	west.answers(func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) }, nil)
	before := x.h.Node.Log().Head()
	x.grow()
	south.answers(nil, nil)
	if got := x.cosign(); got != "witness.example/north" || !bytes.Equal(x.h.Node.Log().Head(), before) {
		t.Errorf("cosigned by %q, shown %q", got, x.shown())
	}
	west.answers(nil, nil)
	x.now = x.now.Add(time.Minute)
	x.grow()
	if got := x.cosign(); got != all || x.shown() != all {
		t.Errorf("cosigned by %q, shown %q", got, x.shown())
	}
	if said := x.said(); !strings.Contains(said, "is back") {
		t.Errorf("said %s", said)
	}

	// fsck holds it against the log that it makes anew.
	if err := x.h.Close(); err != nil {
		t.Fatal(err)
	}
	fsck := func() bool {
		r, err := hub.Fsck(t.Context(), x.opt.Config, x.opt.Secrets, x.opt.Now)
		if err != nil {
			t.Fatal(err)
		}
		return r.OK
	}
	file := filepath.Join(x.opt.Config.Data, "log", "checkpoint.cosigned")
	text, err := os.ReadFile(file)
	if err != nil || !fsck() {
		t.Errorf("a sound log is faulty: %v", err)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte("\n"), []byte("\n1"), 1), 0o600); err != nil || fsck() {
		t.Errorf("a cosigned checkpoint that was changed is not found: %v", err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	x.open()
}

func sizeOf(t *testing.T, signed []byte) int64 {
	t.Helper()
	text, _, _ := strings.Cut(string(signed), "\n\n")
	c, err := proof.ParseCheckpoint([]byte(text + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Size
}

// TestWitnessesThatMisbehave: nothing that a witness answers is taken for a cosignature but one, and none of it stops the hub.
func TestWitnessesThatMisbehave(t *testing.T) {
	var w *strict
	x := newWatchedHub(t, 0, func(s *hub.Secrets) []hub.WitnessConfig {
		var c hub.WitnessConfig
		w, c = newStrict(t, "witness.example/w1", 1, s)
		return []hub.WitnessConfig{c}
	})
	status := func(code int, body string) func(http.ResponseWriter) bool {
		return func(rw http.ResponseWriter) bool {
			rw.WriteHeader(code)
			_, _ = io.WriteString(rw, body)
			return true
		}
	}
	asked := 0
	for _, c := range []struct {
		name    string
		instead func(http.ResponseWriter) bool
		after   func([]byte) []byte
		said    string
	}{
		{"it does not know the log", status(http.StatusNotFound, "unknown log"), nil, "does not know this log"},
		{"it does not know the key", status(http.StatusForbidden, ""), nil, "does not know this log, or not its key"},
		{"it is busy", status(http.StatusTooManyRequests, ""), nil, "it answers 429"},
		{"it leads elsewhere", func(rw http.ResponseWriter) bool {
			rw.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			rw.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}, nil, "it answers 307"},
		{"a page", status(http.StatusOK, "<html>hello</html>\n"), nil, "cosignatures"},
		{"a flood", func(rw http.ResponseWriter) bool {
			for range 1000 {
				if _, err := io.WriteString(rw, strings.Repeat("— other.example AAAAAAAA\n", 100)); err != nil {
					break
				}
			}
			return true
		}, nil, "an answer of 16385 bytes"},
		{"nothing", status(http.StatusOK, ""), nil, "cosignatures"},
		{"another's signature", nil, func(b []byte) []byte { return bytes.Replace(b, []byte("/w1 "), []byte("/w2 "), 1) }, "no signature of"},
		{"a spoiled signature", nil, func(b []byte) []byte {
			if len(b) > 100 {
				b[len(b)-20] ^= 1
			}
			return b
		}, "cosignatures"},
		{"another size twice", func(rw http.ResponseWriter) bool {
			asked++
			return status(http.StatusConflict, fmt.Sprintf("%d\n", asked%2))(rw)
		}, nil, "has gone on to"},
		{"a size that is none", status(http.StatusConflict, "many\n"), nil, "is not in this log"},
		{"more than there is", status(http.StatusConflict, "1000000\n"), nil, "more was published than this hub has"},
		{"it has seen another log", status(http.StatusUnprocessableEntity, ""), nil, "was shown another log under this name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.answers(c.instead, c.after)
			for range 6 { // longer than any pause, in steps that a clock may take
				x.now = x.now.Add(time.Minute)
				x.grow()
			}
			if got := x.cosign(); got != "" || x.shown() != "" {
				t.Errorf("cosigned by %q, shown %q", got, x.shown())
			}
			if said := x.said(); !strings.Contains(said, c.said) {
				t.Errorf("said %s", said)
			}
		})
	}
	w.answers(nil, nil) // it does as it should, but the hub's time is not its own any more
	for range 6 {
		x.now = x.now.Add(time.Minute)
		x.grow()
	}
	if got := x.cosign(); got != "" || !strings.Contains(x.said(), "from our clock") {
		t.Errorf("cosigned by %q at another time", got)
	}
}

// TestWitnessesOfARestoredHub: a hub that came back from a backup, and does not know that more was published, is told by the
// witness that has seen it.
func TestWitnessesOfARestoredHub(t *testing.T) {
	l := lose(t)
	w, c := newStrict(t, "witness.example/w1", 1, l.opt.Secrets)
	v, err := proof.ParseCheckpoint([]byte(strings.SplitAfter(string(l.newest), "\n\n")[0][:strings.Index(string(l.newest), "\n\n")+1]))
	if err != nil {
		t.Fatal(err)
	}
	w.size, w.root = v.Size, v.Root
	if _, err := hub.Release(t.Context(), l.opt.Config, l.opt.Secrets, hub.Published{Checkpoint: l.then, Random: random(t)}); err != nil {
		t.Fatal(err)
	}
	l.opt.Config.Witnesses = []hub.WitnessConfig{c}
	var said bytes.Buffer
	l.opt.Log = slog.New(slog.NewTextHandler(&said, nil))
	h, err := hub.Open(t.Context(), l.opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Publish(); err != nil {
		t.Fatal(err)
	}
	if all, err := h.Cosign(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("cosigned by %v, %v", all, err)
	}
	if !strings.Contains(said.String(), "level=ERROR") || !strings.Contains(said.String(), "more was published than this hub has") {
		t.Errorf("said %s", &said)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWitnessConfigurationIsChecked(t *testing.T) {
	c, err := hub.Init(t.TempDir(), hub.Config{Name: "hub.example", Listen: "127.0.0.1:0", PublicURL: "https://hub.example", Operator: "office"}, random(t), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	w, local := newStrict(t, "witness.example/w1", 1, s)
	good := hub.WitnessConfig{Key: w.key, URL: "https://witness.example/w1"}
	for what, one := range map[string]struct {
		witnesses []hub.WitnessConfig
		quorum    int
		field     string
	}{
		"all is well":           {[]hub.WitnessConfig{good}, 1, ""},
		"none":                  {nil, 0, ""},
		"a log's key":           {[]hub.WitnessConfig{{Key: s.Verifier, URL: good.URL}}, 0, "witnesses[0].key"},
		"no key":                {[]hub.WitnessConfig{{URL: good.URL}}, 0, "witnesses[0].key"},
		"no address":            {[]hub.WitnessConfig{{Key: good.Key}}, 0, "witnesses[0].url"},
		"this machine":          {[]hub.WitnessConfig{local}, 0, "witnesses[0].url"},
		"a private network":     {[]hub.WitnessConfig{{Key: good.Key, URL: "https://10.0.0.1/w"}}, 0, "witnesses[0].url"},
		"in plain":              {[]hub.WitnessConfig{{Key: good.Key, URL: "http://witness.example/w"}}, 0, "witnesses[0].url"},
		"one twice":             {[]hub.WitnessConfig{good, good}, 0, "witnesses[1].key"},
		"more than there are":   {[]hub.WitnessConfig{good}, 2, "witness_quorum"},
		"a quorum without them": {nil, 1, "witness_quorum"},
	} {
		c.Witnesses, c.WitnessQuorum = one.witnesses, one.quorum
		var fields []string
		for _, fault := range c.Check() {
			fields = append(fields, fault.Field)
		}
		if got := strings.Join(fields, " "); got != one.field {
			t.Errorf("%s: faults in %q, not %q", what, got, one.field)
		}
	}
}
