package webhook

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Message is an event as its reader gets it.
type Message struct {
	ID       string // the same however often it is sent
	Position journal.Position
	Kind     string
	At       moongate.Time
	Data     json.RawMessage
}

// Payload is the message's body: type, timestamp and data, as Standard Webhooks recommends, and the event's id.
func (m *Message) Payload() ([]byte, error) {
	b, err := json.Marshal(struct {
		ID        string          `json:"id"`
		Type      string          `json:"type"`
		Timestamp moongate.Time   `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}{m.ID, m.Kind, m.At, m.Data})
	if err != nil {
		return nil, fmt.Errorf("webhook: message %s: %w", m.ID, err)
	}
	return b, nil
}

// secretPrefix marks a secret, for people and for scanners that look for leaked ones.
const secretPrefix = "whsec_"

// minSecret and maxSecret bound a signing key, in bytes (Standard Webhooks, "Signature scheme").
const (
	minSecret = 24
	maxSecret = 64
)

// FormatSecret writes a signing key as its owner gets it.
func FormatSecret(key []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(key) }

var errNoSecret = errors.New("webhook: a signing key has 24 to 64 bytes")

// sign makes the header webhook-signature: a signature by each key, the newest first. An empty key would make
// signatures that anybody can make.
func sign(keys [][]byte, id string, at time.Time, payload []byte) (string, error) {
	var all []string
	for _, key := range keys {
		if len(key) < minSecret || len(key) > maxSecret {
			return "", errNoSecret
		}
		w, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return "", fmt.Errorf("webhook: %w", err)
		}
		s, err := w.Sign(id, at, payload)
		if err != nil {
			return "", fmt.Errorf("webhook: %w", err)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return "", errNoSecret
	}
	return strings.Join(all, " "), nil
}

// headers of a message, as they stand in the standard.
func headers(keys [][]byte, m *Message, at time.Time, payload []byte) (map[string]string, error) {
	signature, err := sign(keys, m.ID, at, payload)
	return map[string]string{
		standardwebhooks.HeaderWebhookID:        m.ID,
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10),
		standardwebhooks.HeaderWebhookSignature: signature,
		"Content-Type":                          "application/json",
		"User-Agent":                            "Moongate-Webhooks/1",
	}, err
}
