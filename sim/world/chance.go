package world

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"sync"
)

// Chance is where all of a world's randomness comes from: one seed, and a stream of its own for every purpose, so that
// more of one thing does not change another.
type Chance struct{ seed uint64 }

// NewChance starts from a seed.
func NewChance(seed uint64) Chance { return Chance{seed} }

// Key is 32 bytes for one purpose.
func (c Chance) Key(purpose string) [32]byte {
	var seed [8]byte
	binary.BigEndian.PutUint64(seed[:], c.seed)
	m := hmac.New(sha256.New, seed[:])
	fmt.Fprintf(m, "moongate/world/v1 %s", purpose)
	return [32]byte(m.Sum(nil))
}

// Signer is an Ed25519 key for one purpose. It guards play money; nothing else may use one like it.
func (c Chance) Signer(purpose string) ed25519.PrivateKey {
	key := c.Key("ed25519 " + purpose)
	return ed25519.NewKeyFromSeed(key[:])
}

// Dice is a stream of numbers for one purpose.
func (c Chance) Dice(purpose string) *mathrand.Rand {
	return mathrand.New(mathrand.NewChaCha8(c.Key("dice " + purpose)))
}

// Stream is an endless io.Reader for one purpose. It may be read by several goroutines.
func (c Chance) Stream(purpose string) *Stream {
	return &Stream{source: mathrand.NewChaCha8(c.Key("stream " + purpose))}
}

// Stream is seeded bytes.
type Stream struct {
	mu     sync.Mutex
	source *mathrand.ChaCha8
}

// Read fills p.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Read(p)
}

// Fill is [Stream.Read] as the hub takes its randomness.
func (s *Stream) Fill(p []byte) { _, _ = s.Read(p) } // it never fails

// power draws a number from 1 upwards by a power law: most are near 1, few are large. Alpha above 1 says how steep.
func power(d *mathrand.Rand, alpha, most float64) float64 {
	u := d.Float64()
	return min(most, math.Pow(1-u*(1-math.Pow(most, 1-alpha)), 1/(1-alpha)))
}

// pick draws an index with the given weights.
func pick(d *mathrand.Rand, weights []int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	at := d.IntN(total)
	for i, w := range weights {
		if at < w {
			return i
		}
		at -= w
	}
	return len(weights) - 1
}
