package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/moongate-hub/moongate"
)

// Kinds of lines that every wallet's state file has.
const (
	lineNotice    = "Notice"
	lineViolation = "Violation"
)

// Keep appends to the state file something as it now is, as {"Kind":{…}}. Of several lines about the same thing the last
// counts. A wallet that cannot write its book must not go on. The caller holds the lock.
func (w *Wallet) Keep(kind string, v any) {
	if w.store == nil {
		return
	}
	if err := w.store.append(kind, v); err != nil && !errors.Is(err, os.ErrClosed) {
		panic(fmt.Sprintf("sandbox: state file %s: %v", w.cfg.State, err))
	}
}

// load puts a line back where it belongs.
func (w *Wallet) load(kind string, into func(any) error) error {
	switch kind {
	case lineNotice:
		var n Notice
		if err := into(&n); err != nil {
			return err
		}
		delete(w.notices, n.ID)
		if !n.Ended {
			w.notices[n.ID] = &n
		}
		return nil
	case lineViolation:
		var v Violation
		if err := into(&v); err != nil {
			return err
		}
		w.violations = append(w.violations, v)
		return nil
	}
	return w.wire.Load(kind, into)
}

// store is the state file: JSON lines, appended. It is not synced: it survives the end of the process, which is what it
// is for, not that of the machine.
type store struct{ file *os.File }

// openStore reads every line and opens the file for appending. A last line that was cut off by the end of the process
// is dropped; damage anywhere else is an error.
func openStore(path string, load func(kind string, into func(any) error) error) (*store, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(file)
	var good int64
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if err := readLine(text, load); err != nil {
			bad := &moongate.Error{Code: moongate.Malformed, Field: fmt.Sprintf("%s line %d", path, line), Message: err.Error(), Hint: "the file is damaged; move it away to start with an empty book"}
			return nil, errors.Join(bad, file.Close())
		}
		good += int64(len(text))
	}
	if err := file.Truncate(good); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if _, err := file.Seek(good, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &store{file: file}, nil
}

func readLine(text []byte, load func(kind string, into func(any) error) error) error {
	var one map[string]json.RawMessage
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	if len(one) != 1 {
		return fmt.Errorf("line holds %d things, not one", len(one))
	}
	for kind, raw := range one {
		return load(kind, func(v any) error {
			d := json.NewDecoder(bytes.NewReader(raw))
			d.DisallowUnknownFields()
			return d.Decode(v)
		})
	}
	return nil
}

func (s *store) append(kind string, v any) error {
	line, err := json.Marshal(map[string]any{kind: v})
	if err != nil {
		return err
	}
	_, err = s.file.Write(append(line, '\n'))
	return err
}

func (s *store) close() error { return s.file.Close() }
