package api

import (
	linked "container/list"
	"net"
	"net/http"
	"sync"
)

// mostConnections is how many connections are held on a machine that lets us: as many as requests and streams may be
// under way, and a few that wait.
const mostConnections = 6144

// spareDescriptors are for journal, views, raft, wallets and webhooks: who runs out of them cannot write, and stops.
const spareDescriptors = 512

// MaxConnections is how many connections may be open at once: never so many that the files of the hub find no descriptor.
func MaxConnections() int {
	if have := descriptors(); have > 0 {
		return max(64, min(mostConnections, have-spareDescriptors))
	}
	return mostConnections
}

// Connections bounds how many connections are open. Where there are too many, the one that has been idle longest makes
// room for a new one; where all are at work the new one is closed.
type Connections struct {
	most int

	mu   sync.Mutex // guards the rest; held for the time of a look-up
	open int
	idle *linked.List // of net.Conn, idle longest first
	at   map[net.Conn]*linked.Element
}

// NewConnections bounds connections to a number.
func NewConnections(most int) *Connections {
	return &Connections{most: most, idle: linked.New(), at: map[net.Conn]*linked.Element{}}
}

// Watch is an [http.Server]'s ConnState.
func (c *Connections) Watch(conn net.Conn, s http.ConnState) {
	if away := c.note(conn, s); away != nil {
		away.Close() // its goroutine notices, and tells us
	}
}

// note follows a connection, and gives one that has to go.
func (c *Connections) note(conn net.Conn, s http.ConnState) (away net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.at[conn]; e != nil {
		c.idle.Remove(e)
		delete(c.at, conn)
	}
	switch s {
	case http.StateNew:
		if c.open++; c.open <= c.most {
			return nil
		}
		if e := c.idle.Front(); e != nil {
			away = c.idle.Remove(e).(net.Conn)
			delete(c.at, away)
			return away
		}
		return conn
	case http.StateIdle:
		c.at[conn] = c.idle.PushBack(conn)
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
	return nil
}
