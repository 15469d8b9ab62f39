package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// nginx is a process of nginx that answers everything with one redirect.
type nginx struct {
	addr    string
	version string
	cmd     *exec.Cmd
	ended   chan error
}

const nginxConf = `daemon off;
worker_processes auto;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 256; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server { listen %[2]s; location / { return 302 %[3]s; } }
}
`

// startNginx starts nginx on loopback, and returns when it answers; nil where it is not installed.
func startNginx(ctx context.Context, dir string) (*nginx, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return nil, nil //nolint:nilerr // it need not be there
	}
	dir = filepath.Join(dir, "nginx")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // nginx does not say which port it took, so one is found for it
	if err != nil {
		return nil, err
	}
	n := &nginx{addr: l.Addr().String(), ended: make(chan error, 1)}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, n.addr, shop), 0o600); err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	said, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("bench: nginx -v: %w", err)
	}
	n.version = strings.TrimPrefix(strings.TrimSpace(string(said)), "nginx version: ")
	var out strings.Builder
	n.cmd = exec.CommandContext(ctx, path, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", conf)
	n.cmd.Stdout, n.cmd.Stderr = &out, &out
	n.cmd.Cancel = func() error { return n.cmd.Process.Signal(syscall.SIGTERM) } // so that it ends its workers
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: nginx: %w", err)
	}
	go func() { n.ended <- n.cmd.Wait() }()
	for range 500 {
		if c, err := net.Dial("tcp", n.addr); err == nil {
			return n, c.Close()
		}
		select {
		case err := <-n.ended:
			return nil, fmt.Errorf("bench: nginx ended at once: %w: %s", err, out.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	n.stop()
	return nil, fmt.Errorf("bench: nginx does not answer: %s", out.String())
}

// stop ends nginx and its workers.
func (n *nginx) stop() {
	if n == nil {
		return
	}
	if n.cmd.Process.Signal(syscall.SIGTERM) != nil {
		n.cmd.Process.Kill() //nolint:errcheck // it has ended
	}
	<-n.ended //nolint:errcheck // it was told to end
}
