package effect

// Held is how many effects the runner holds itself, queued or running.
func (r *Runner) Held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}
