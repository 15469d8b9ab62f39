package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

// child is a hub as a process of its own. It ends with this one, however this one ends.
type child struct {
	config string
	url    string
	log    *os.File // what it says

	mu    sync.Mutex // guards what follows; not held while waiting
	cmd   *exec.Cmd
	leash io.Closer
	ended chan struct{} // closed when the process has ended
}

func (c *child) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "serve", "-c", c.config, "--metrics", "none", "--demo", "--leash")
	cmd.Stdout, cmd.Stderr = c.log, c.log
	apart(cmd)
	leash, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	c.mu.Lock()
	c.cmd, c.leash, c.ended = cmd, leash, ended
	c.mu.Unlock()
	return nil
}

// gone is closed when the process that was started last has ended.
func (c *child) gone() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cmd.Process.Pid
}

// kill is SIGKILL: the hub gets no chance to say good-bye.
func (c *child) kill() error {
	c.mu.Lock()
	cmd, ended := c.cmd, c.ended
	c.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing the hub: %w", err)
	}
	<-ended
	return nil
}

// stop lets the hub end by itself, and kills it where it does not.
func (c *child) stop() error {
	c.mu.Lock()
	leash, ended := c.leash, c.ended
	c.mu.Unlock()
	if leash == nil {
		return nil
	}
	_ = leash.Close()
	select {
	case <-ended:
		return nil
	case <-time.After(20 * time.Second):
		return c.kill()
	}
}

// answers tells whether somebody serves at the hub's address.
func (c *child) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/healthz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// up waits until the hub answers, or has ended before it did.
func (c *child) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	t := time.NewTicker(25 * time.Millisecond)
	defer t.Stop()
	gone := c.gone()
	for !c.answers(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the hub at %s does not answer (%w); what it said is in %s", c.url, context.Cause(ctx), c.log.Name())
		case <-gone:
			return fmt.Errorf("the hub ended before it served; what it said is in %s", c.log.Name())
		case <-t.C:
		}
	}
	return nil
}
