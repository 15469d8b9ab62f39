package webhook

import (
	"context"
	"sync"
)

// places are a few for each name: who is slow, or has much to do, takes none from others.
type places struct {
	width int

	mu sync.Mutex // guards of
	of map[string]*place
}

type place struct {
	slots   chan struct{}
	waiting int // and those inside
}

// enter waits for a place under a name.
func (p *places) enter(ctx context.Context, name string) (leave func(), err error) {
	p.mu.Lock()
	if p.of == nil {
		p.of = map[string]*place{}
	}
	one := p.of[name]
	if one == nil {
		one = &place{slots: make(chan struct{}, p.width)}
		p.of[name] = one
	}
	one.waiting++
	p.mu.Unlock()
	done := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if one.waiting--; one.waiting == 0 {
			delete(p.of, name)
		}
	}
	select {
	case one.slots <- struct{}{}:
		return func() { <-one.slots; done() }, nil
	case <-ctx.Done():
		done()
		return nil, ctx.Err()
	}
}
