package proof

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// dataDir is a folder of the published vectors. CI must have it; elsewhere the test is skipped.
func dataDir(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("MOONGATE_DATA")
	if root == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA is not set: name the folder with vectors/")
		}
		t.Skip("MOONGATE_DATA is not set")
	}
	return filepath.Join(root, name)
}

func slurp(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Tessera's test log: every checkpoint verifies, every root follows from the tiles and from the entries, and each log
// continues those before it.
func TestTesseraLog(t *testing.T) {
	dir := filepath.Join(dataDir(t, "vectors/tlog/tessera"), "testdata/log")
	const origin = "example.com/log/testdata"
	verifier, err := note.NewVerifier(origin + "+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, filepath.FromSlash(path))) }
	var checkpoints []Checkpoint
	for n := range int64(16) {
		signed := slurp(t, dir, "checkpoint."+string(rune('0'+n%10)))
		if n >= 10 {
			signed = slurp(t, dir, "checkpoint.1"+string(rune('0'+n%10)))
		}
		c, witnesses, err := OpenCheckpoint(signed, origin, note.VerifierList(verifier))
		if err != nil {
			t.Fatalf("checkpoint %d: %v", n, err)
		}
		if c.Size != n || len(witnesses) != 0 {
			t.Fatalf("checkpoint %d: size %d, witnesses %v", n, c.Size, witnesses)
		}
		checkpoints = append(checkpoints, c)
		// From the tiles, read back as our own would be …
		opened, err := OpenTree(c, read)
		if err != nil {
			t.Fatalf("checkpoint %d: %v", n, err)
		}
		// … and from the entries, appended one by one.
		again := NewTree(shelf{}.read)
		for _, e := range opened.entries {
			if _, err := again.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		if root, err := again.Root(n); err != nil || root != c.Root {
			t.Errorf("checkpoint %d: root of the entries %v (%v), signed %v", n, root, err, c.Root)
		}
	}
	last := checkpoints[15]
	for _, c := range checkpoints[1:] {
		p, err := tlog.ProveTree(last.Size, c.Size, VerifiedHashes(last, read))
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyConsistency(c, last, p); err != nil {
			t.Errorf("%d to %d: %v", c.Size, last.Size, err)
		}
	}
}

// Sunlight's sample checkpoint carries a Certificate Transparency signature: it verifies through a verifier of that
// algorithm, as a witness with another kind of key would. The sample's tiles are placeholders, and go no way.
func TestSunlightCheckpoint(t *testing.T) {
	dir := filepath.Join(dataDir(t, "vectors/tlog/sunlight"), "cmd/skylight/testdata/tree")
	var log struct {
		Description string `json:"description"`
		Key         []byte `json:"key"`
		Head        struct {
			Root      Hash  `json:"sha256_root_hash"`
			Timestamp int64 `json:"timestamp"`
			Size      int64 `json:"tree_size"`
		} `json:"final_tree_head"`
	}
	if err := json.Unmarshal(slurp(t, dir, "log.v3.json"), &log); err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(log.Key)
	if err != nil {
		t.Fatal(err)
	}
	v := &ctVerifier{name: log.Description, der: log.Key, key: key.(*ecdsa.PublicKey), timestamp: log.Head.Timestamp}
	signed := slurp(t, dir, "checkpoint")
	c, _, err := OpenCheckpoint(signed, log.Description, note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != log.Head.Size || c.Root != log.Head.Root {
		t.Errorf("checkpoint %+v, the log's list says %d %v", c, log.Head.Size, log.Head.Root)
	}
	read := func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, filepath.FromSlash(path))) }
	if _, err := tlog.ProveRecord(c.Size, 0, VerifiedHashes(c, read)); err == nil {
		t.Error("placeholder tiles prove something")
	}
	if _, _, err := OpenCheckpoint(signed, "another.example", note.VerifierList(v)); err == nil {
		t.Error("the checkpoint passes for another log's")
	}
}

// ctVerifier checks an RFC 6962 tree head signature in a note (C2SP static-ct-api).
type ctVerifier struct {
	name      string
	der       []byte
	key       *ecdsa.PublicKey
	timestamp int64
}

func (v *ctVerifier) Name() string { return v.name }

func (v *ctVerifier) KeyHash() uint32 {
	id := sha256.Sum256(v.der)
	h := sha256.Sum256(append([]byte(v.name+"\n\x05"), id[:]...))
	return binary.BigEndian.Uint32(h[:])
}

func (v *ctVerifier) Verify(msg, sig []byte) bool {
	c, err := ParseCheckpoint(msg)
	if err != nil || len(sig) < 12 || int64(binary.BigEndian.Uint64(sig)) != v.timestamp {
		return false
	}
	head := append([]byte{0, 1}, sig[:8]...)
	head = binary.BigEndian.AppendUint64(head, uint64(c.Size))
	head = append(head, c.Root[:]...)
	digest := sha256.Sum256(head)
	return ecdsa.VerifyASN1(v.key, digest[:], sig[12:])
}

// The example of the C2SP tlog-proof document has the shape that we write.
func TestLogProofShape(t *testing.T) {
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32))
	text := "c2sp.org/tlog-proof@v1\nindex 73894\n" + hash + "\n" + hash + "\n\nexample.com/fancylog\n109482\n" + hash + "\n\n— example.com/fancylog hI2DJw==\n"
	p, err := ParseLogProof(text)
	if err != nil {
		t.Fatal(err)
	}
	if p.Index != 73894 || len(p.Hashes) != 2 || p.Text() != text {
		t.Errorf("read as %+v", p)
	}
}
