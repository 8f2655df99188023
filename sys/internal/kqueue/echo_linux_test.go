package kqueue_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
	"github.com/lion-go/lion/sys/internal/seam"
)

// An echo server and its clients in one thread on one poller, written as the
// loop uses it: a call is always tried before its wait, and a short read
// counts as the end of what is there unless something unusual was seen.

const (
	echoClients = 200
	echoRounds  = 20
	echoSize    = 3000 // not a multiple of the buffer
	echoBuffer  = 1024
)

// echo is the state of a test run.
type echo struct {
	t      *testing.T
	p      *kqueue.Poller
	listen seam.FD
	conns  map[uint64]*conn
	key    uint64
	clean  int // clients that saw all their bytes and the end
}

// conn is one end of a connection.
type conn struct {
	fd      seam.FD
	key     uint64
	client  bool
	unusual bool
	rounds  int    // of a client: still to be sent
	missing int    // of a client: bytes not yet back
	out     []byte // not yet sent
	ended   bool   // the peer sends no more
}

func TestLiveEcho(t *testing.T) {
	e := &echo{t: t, p: newLive(t), conns: map[uint64]*conn{}}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	e.listen = seam.FD(fd)
	check(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(t, unix.Listen(fd, echoClients))
	name, err := unix.Getsockname(fd)
	check(t, err)
	arm(t, e.p, e.listen, 0, seam.Readable)
	for range echoClients {
		e.connect(name)
	}
	var ev [32]seam.Event
	for len(e.conns) > 0 {
		n, err := e.p.Wait(ev[:], patience)
		check(t, err)
		if n == 0 {
			t.Fatalf("%d connections hang", len(e.conns))
		}
		for _, ev := range ev[:n] {
			e.handle(ev)
		}
	}
	if e.clean != echoClients {
		t.Errorf("%d of %d clients got everything", e.clean, echoClients)
	}
	e.p.Forget(e.listen, 0)
	closeAll(t, e.listen)
	if s := e.p.Statistics(); s.Registered != 0 {
		t.Errorf("%d still registered", s.Registered)
	}
}

func (e *echo) add(fd int, client bool) *conn {
	e.key++
	c := &conn{fd: seam.FD(fd), key: e.key, client: client}
	e.conns[c.key] = c
	return c
}

func (e *echo) connect(name unix.Sockaddr) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	check(e.t, err)
	c := e.add(fd, true)
	c.rounds = echoRounds
	if err := unix.Connect(fd, name); err == unix.EINPROGRESS {
		arm(e.t, e.p, c.fd, c.key, seam.Writable)
		return
	} else if err != nil {
		e.t.Fatal(err)
	}
	e.next(c)
}

func (e *echo) handle(ev seam.Event) {
	if ev.Key == 0 {
		e.accept()
		return
	}
	c := e.conns[ev.Key]
	if c == nil {
		e.t.Fatalf("event for the forgotten key %d", ev.Key)
	}
	if ev.Ready&seam.Unusual != 0 {
		c.unusual = true
	}
	if c.client && c.rounds == echoRounds {
		e.next(c) // connected
	}
	if ev.Ready&seam.Readable != 0 {
		e.read(c)
	}
	if ev.Ready&seam.Writable != 0 && e.conns[c.key] != nil {
		e.write(c)
	}
}

func (e *echo) accept() {
	for {
		fd, _, err := unix.Accept4(int(e.listen), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err == unix.EAGAIN {
			arm(e.t, e.p, e.listen, 0, seam.Readable)
			return
		}
		check(e.t, err)
		e.read(e.add(fd, false))
	}
}

// next starts a round of a client, or ends its sending.
func (e *echo) next(c *conn) {
	if c.rounds == 0 {
		check(e.t, unix.Shutdown(int(c.fd), unix.SHUT_WR))
		arm(e.t, e.p, c.fd, c.key, seam.Readable)
		return
	}
	c.rounds--
	c.missing += echoSize
	c.out = append(c.out, make([]byte, echoSize)...)
	e.write(c)
	arm(e.t, e.p, c.fd, c.key, seam.Readable)
}

func (e *echo) read(c *conn) {
	var buf [echoBuffer]byte
	for {
		n, err := unix.Read(int(c.fd), buf[:])
		if err == unix.EAGAIN {
			break
		}
		check(e.t, err)
		if n == 0 {
			c.ended = true
			e.finish(c)
			return
		}
		if c.client {
			c.missing -= n
		} else {
			c.out = append(c.out, buf[:n]...)
		}
		if n < len(buf) && !c.unusual {
			break
		}
	}
	arm(e.t, e.p, c.fd, c.key, seam.Readable)
	switch {
	case !c.client:
		e.write(c)
	case c.missing == 0:
		e.next(c)
	}
}

func (e *echo) write(c *conn) {
	for len(c.out) > 0 {
		n, err := unix.Write(int(c.fd), c.out)
		if err == unix.EAGAIN {
			arm(e.t, e.p, c.fd, c.key, seam.Writable)
			return
		}
		check(e.t, err)
		c.out = c.out[n:]
	}
	if c.ended {
		e.finish(c)
	}
}

// finish closes a connection whose peer sends no more, once all is echoed.
func (e *echo) finish(c *conn) {
	if len(c.out) > 0 {
		arm(e.t, e.p, c.fd, c.key, seam.Writable)
		return
	}
	if c.client && c.missing == 0 && c.rounds == 0 {
		e.clean++
	}
	e.p.Forget(c.fd, c.key)
	closeAll(e.t, c.fd)
	delete(e.conns, c.key)
}
