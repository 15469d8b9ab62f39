package agreement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readJSON reads one JSON object strictly: no duplicate members, no null, no fraction, nothing after it.
func readJSON(data []byte) (*node, error) {
	r := &jsonReader{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), line: 1}
	r.decoder.UseNumber()
	n, err := r.value(1)
	if err != nil {
		return nil, err
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, sourceFault(r.at(), "something follows the document", "keep one JSON object a file")
	}
	return n, nil
}

// jsonReader follows the line of the decoder's position.
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	offset  int
	line    int
}

func (r *jsonReader) at() int {
	to := int(r.decoder.InputOffset())
	r.line += bytes.Count(r.data[r.offset:to], []byte("\n"))
	r.offset = to
	return r.line
}

func (r *jsonReader) token() (json.Token, error) {
	t, err := r.decoder.Token()
	if err != nil {
		reason := err.Error()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			reason = "it ends too early"
		}
		return nil, sourceFault(r.at(), fmt.Sprintf("the document is not JSON: %.120s", reason), "check commas, quotes and brackets")
	}
	return t, nil
}

func (r *jsonReader) value(depth int) (*node, error) {
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	line := r.at()
	if depth > MaxDepth {
		return nil, tooDeep(line)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return r.list(depth, line)
		}
		return r.object(depth, line)
	case string:
		return newText(t, line)
	case json.Number:
		return newNumber(string(t), line)
	case bool:
		return &node{kind: aBool, text: fmt.Sprint(t), line: line}, nil
	}
	return nil, sourceFault(line, "null is not a value here", "give one, or leave the field out")
}

func (r *jsonReader) list(depth, line int) (*node, error) {
	out := &node{kind: aList, line: line}
	for r.decoder.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out.list = append(out.list, item)
	}
	_, err := r.token()
	return out, err
}

func (r *jsonReader) object(depth, line int) (*node, error) {
	out := &node{kind: anObject, line: line}
	for r.decoder.More() {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		at := r.at()
		name, ok := t.(string)
		if !ok {
			return nil, sourceFault(at, "a member's name is not a text", "")
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if err := out.add(name, value, at); err != nil {
			return nil, err
		}
	}
	_, err := r.token()
	return out, err
}
