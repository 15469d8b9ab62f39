//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// apart keeps a child out of the terminal's group: Ctrl-C reaches this process, which then stops the child in order.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
