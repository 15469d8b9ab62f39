package main

import (
	"os/exec"
	"syscall"
)

// apart keeps a child out of the console's group: Ctrl-C reaches this process, which then stops the child in order.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
