package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// hammer sends requests over kept connections, as light as a client can be, and reads each answer. One whose first line
// does not hold what is wanted ends it with an error.
func hammer(ctx context.Context, addr string, connections int, during time.Duration, now func() time.Time, request func(connection int) ([]byte, error), want string) (m measured, err error) {
	conns := make([]net.Conn, connections)
	readers := make([]*bufio.Reader, connections)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range conns {
		if conns[i], err = net.Dial("tcp", addr); err != nil {
			return m, err
		}
		readers[i] = bufio.NewReaderSize(conns[i], 32<<10)
	}
	return spell(ctx, connections, during, now, func(c, _ int) error {
		b, err := request(c)
		if err != nil {
			return err
		}
		if _, err := conns[c].Write(b); err != nil {
			return err
		}
		status, err := skipAnswer(readers[c])
		if err == nil && !strings.Contains(status, want) {
			err = fmt.Errorf("bench: answered %q, not %s", status, want)
		}
		return err
	})
}

// skipAnswer reads one answer and gives its first line.
func skipAnswer(r *bufio.Reader) (status string, err error) {
	length := 0
	for line := 0; ; line++ {
		b, err := r.ReadSlice('\n')
		if err != nil {
			return status, err
		}
		b = bytes.TrimRight(b, "\r\n")
		if line == 0 {
			status = string(b)
		}
		if len(b) == 0 {
			break
		}
		if v, ok := bytes.CutPrefix(b, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(v)); err != nil {
				return status, err
			}
		}
	}
	_, err = r.Discard(length)
	return status, err
}
