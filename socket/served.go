package socket

import (
	"errors"
	"io"
	"runtime/debug"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

const readable = sys.Readable

// served is a connection of a server: one allocation, beside its descriptor,
// that is all there is while it is idle.
type served struct {
	conn   Conn
	tls    *TLSConn // over conn, if the server speaks TLS and something has come
	server *Server
	run    func(*loop.Task) error // serve as a value, made once
	next   *served                // the idle list, oldest first
	prev   *served
	since  time.Duration // when it went idle
	listed bool
	early  error // of the look for its first bytes
	begun  bool  // what comes before the first call of the handler is over
}

// idleList is a list of connections in the order in which they went idle.
type idleList struct {
	head, tail *served
	length     int
}

func (l *idleList) push(c *served, now time.Duration) {
	c.since, c.listed, c.prev, c.next = now, true, l.tail, nil
	if l.tail != nil {
		l.tail.next = c
	} else {
		l.head = c
	}
	l.tail = c
	l.length++
}

func (l *idleList) remove(c *served) {
	if !c.listed {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.tail = c.prev
	}
	c.listed, c.prev, c.next = false, nil, nil
	l.length--
}

// Ready is called by the loop when the idle connection has become readable;
// it is not for users. An error says that somebody who knows the connection has
// closed or detached it, so that the server has to let go of it; or has ended
// its receiving direction, which the handler is to see. (The server itself
// takes the callback back before it closes.)
func (c *served) Ready(err error) {
	c.server.idle.remove(c)
	if err != nil && c.conn.s.closed {
		c.server.drop(c)
		return
	}
	c.server.start(c)
	if c.server.stopping && c.server.idle.length == 0 {
		c.server.drained.UnparkAll() // see waitForFresh
	}
}

// serve is the task of a connection that has become readable: it runs the
// handler until the connection is idle or has ended.
func (c *served) serve(t *loop.Task) (err error) {
	var returned bool
	defer c.unwound(t, &returned, &err)
	err = c.handle(t)
	returned = true
	return err
}

func (c *served) handle(t *loop.Task) error {
	if c.early != nil {
		return c.ended(c.early)
	}
	for {
		before := c.progress()
		err := c.visit(t)
		if err != GoIdle && !errors.Is(err, GoIdle) {
			return c.ended(err)
		}
		again, err := c.goIdle(t)
		if err != nil {
			return c.ended(err)
		}
		if !again {
			return nil
		}
		if c.progress() == before {
			return c.ended(misuse("the handler went idle and left what there was to receive"))
		}
		if err := loop.Checkpoint(t); err != nil {
			return c.ended(err)
		}
	}
}

// visit runs the handler once.
func (c *served) visit(t *loop.Task) error {
	s := c.server
	if !c.begun {
		if ready, err := c.begin(t); err != nil || !ready {
			return err
		}
	}
	s.runs++
	if c.tls != nil {
		return s.handler(t, c.tls)
	}
	return s.handler(t, &c.conn)
}

// begin deals with what comes first: a PROXY header, a TLS handshake. A
// connection for whose handler there is nothing yet is not ready, and goes idle.
func (c *served) begin(t *loop.Task) (ready bool, err error) {
	s := c.server
	c.begun = true
	if s.proxies == nil && s.tls == nil {
		return true, nil
	}
	if s.trusts(c.conn.RemoteAddr()) {
		if err := s.proxyHeader(t, &c.conn); err != nil {
			return false, err
		}
	}
	if s.tls != nil {
		if c.tls, err = TLSServer(&c.conn, s.tls, s.tlsOptions...); err != nil {
			return false, err
		}
		if err := s.handshake(t, c.tls); err != nil {
			return false, err
		}
	}
	if s.startAtAccept {
		return true, nil
	}
	if c.tls != nil {
		ready = c.tls.pending()
	} else {
		ready, err = c.pending()
	}
	if err == nil && !ready {
		err = GoIdle
	}
	return ready, err
}

// progress grows when the handler receives something.
func (c *served) progress() uint64 {
	if c.tls != nil {
		return c.conn.s.received + c.tls.received
	}
	return c.conn.s.received
}

// settle sends what TLS has left to be sent, and reports whether it has
// something for the handler.
func (c *served) settle(t *loop.Task) (again bool, err error) {
	// The look for something may itself leave an answer to be sent.
	if c.tls == nil || c.tls.pending() {
		return c.tls != nil, nil
	}
	if len(c.tls.wire.out) == 0 {
		return false, nil
	}
	// Answers of TLS itself, to a peer that may not read them. No handler runs
	// that would have a time limit.
	return false, loop.FailAfter(t, c.server.handshakeTimeout, func(*loop.Scope) error {
		return c.tls.flush(t)
	})
}

// close closes the connection, in good order if nothing is wrong with it.
func (c *served) close(orderly bool) {
	if orderly && c.tls != nil {
		_ = c.tls.Close() // whatever it says, the connection is closed
	}
	_ = c.conn.Close() // likewise
}

// goIdle gives the connection back to the loop. It says again if there is
// something for the handler already.
func (c *served) goIdle(t *loop.Task) (again bool, err error) {
	s := c.server
	if c.conn.s.closed {
		return false, c.ended(nil)
	}
	if again, err = c.settle(t); again || err != nil {
		return again, err
	}
	if s.stopping {
		if again, err = c.pending(); again || err != nil {
			return again, err
		}
		return false, c.ended(nil)
	}
	err = c.conn.s.d.NotifyReadable(c)
	if err == loop.ErrWouldBlock {
		if again, err = c.pending(); again || err != nil {
			return again, err
		}
		err = c.conn.s.d.NotifyReadable(c)
	}
	if err != nil {
		return false, opError("idle", c.conn.RemoteAddr(), err)
	}
	s.active--
	s.idle.push(c, t.Now().Sub(s.epoch))
	if s.active == 0 {
		s.drained.UnparkAll()
	}
	return false, nil
}

// pending looks, without taking anything, whether there is something to
// receive, the end included.
func (c *served) pending() (bool, error) {
	var b [1]byte
	_, err := once(&c.conn.s, readable, func() (int, error) {
		return sys.Recv(c.conn.s.d.FD(), b[:], sys.MSG_PEEK)
	})
	if err == loop.ErrWouldBlock {
		return false, nil
	}
	if err != nil {
		return false, c.conn.failed("recv", err)
	}
	return true, nil
}

// hasCome reports whether there is something for the handler already. An error
// counts as that, and is what the connection ends with.
func (c *served) hasCome() bool {
	ready, err := c.pending()
	c.early = err
	return ready || err != nil
}

// ended closes the connection and deals with the handler's error: it returns
// what is to end the server.
func (c *served) ended(err error) error {
	s := c.server
	peer := c.conn.RemoteAddr()
	c.close(err == nil)
	s.finished(c)
	if err == nil {
		return nil
	}
	kind := KindOf(&c.conn, err)
	s.errors[kind]++
	switch {
	case s.onError != nil:
		s.onError(&c.conn, err)
	case kind == ErrorOther, kind == ErrorPanic:
		return &OpError{Op: "handler", Addr: peer, Err: err}
	case kind == ErrorCancelled:
		return err // for the nursery to absorb
	}
	return nil
}

// unwound is deferred: it does something only if the handler has panicked, or
// called Goexit. Where errors are heard a panic is one of them. Otherwise it
// goes on, and the nursery makes an error of it.
func (c *served) unwound(t *loop.Task, returned *bool, err *error) {
	if *returned {
		return
	}
	if c.server.onError != nil {
		if v := recover(); v != nil {
			*err = c.ended(&loop.PanicError{Value: v, Stack: debug.Stack(), Task: t.Name()})
			return
		}
	}
	c.server.errors[ErrorPanic]++
	c.server.finished(c)
}

// isTruncated reports whether err says that a stream ended too early, in the
// words of package io.
func isTruncated(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}
