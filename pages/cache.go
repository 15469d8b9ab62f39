package pages

import (
	"sync"
	"time"
)

// cache keeps answers that are dear to make for a little while: pages that are open ask for them every few seconds.
type cache struct {
	mu   sync.Mutex // guards kept
	kept map[string]*kept
}

type kept struct {
	mu    sync.Mutex // held while the answer is made, so that it is made once
	until time.Time
	value any
}

const (
	cacheRoom = 2000
	cacheLife = 3 * time.Second
	cacheWork = 20 // an answer is kept this many times longer than it took to make
)

// cached gives a kept answer, or makes one.
func cached[T any](c *cache, key string, now func() time.Time, make func() (T, error)) (T, error) {
	c.mu.Lock()
	if c.kept == nil || len(c.kept) >= cacheRoom {
		c.kept = map[string]*kept{}
	}
	k := c.kept[key]
	if k == nil {
		k = &kept{}
		c.kept[key] = k
	}
	c.mu.Unlock()

	k.mu.Lock()
	defer k.mu.Unlock()
	began := now()
	if value, ok := k.value.(T); ok && began.Before(k.until) {
		return value, nil
	}
	value, err := make()
	if err != nil {
		return value, err
	}
	done := now()
	k.value, k.until = value, done.Add(max(cacheLife, cacheWork*done.Sub(began)))
	return value, nil
}
