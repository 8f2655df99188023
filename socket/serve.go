package socket

import (
	"errors"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// A server spends most of its memory on connections that do nothing. So an idle
// connection holds no task, no stack and no buffer: the listener's task accepts
// it and asks for a callback when it becomes readable; the callback spawns a
// task, with a coroutine and a buffer from the loop's pools, that runs the
// handler; and a handler that has nothing more to do for now returns GoIdle,
// which gives all of that back.
//
// No byte may get lost on the way to idleness. A callback is granted only if
// the descriptor is known to be drained, that is, if whatever comes later makes
// an event; else the server looks (MSG_PEEK), and runs the handler again if
// there is something. A connection that has just been accepted counts as
// drained without a look: it has never been registered, and registration
// reports what is there already.

// Handler serves one connection, or a part of its life: see GoIdle. The
// connection is closed when it returns anything else, and then must not be used
// by anybody any more. It is called with a task of its own, and may suspend.
// What it returns is dealt with as OnError says.
type Handler func(t *loop.Task, c stream.Stream) error

// GoIdle is returned by a Handler, as fs.SkipDir is by a walk, to give its
// task and buffer back: the connection stays open, and the handler is called
// anew when it becomes readable, which includes its end. Everything that has
// been received must have been dealt with: what is left in a buffer of the
// handler is lost, and does not make the connection readable. A handler that
// goes idle without having received anything although there is something is
// refused with ErrMisuse: it would be called for ever.
//
//lint:ignore ST1012 it is no failure, like fs.SkipDir
var GoIdle = errors.New("socket: the connection goes idle")

const (
	// DefaultGrace is how long handlers may go on after a server was told to
	// stop: enough for requests under way, and less than those who manage
	// services wait before they kill.
	DefaultGrace = 10 * time.Second

	// DefaultAcceptBatch is how many connections are accepted before others
	// get their turn. More gain nothing: the backlog holds the rest.
	DefaultAcceptBatch = 16

	// DefaultMaxConnections bounds the connections of a server: more than the
	// usual limit of descriptors allows, as a last bound on memory.
	DefaultMaxConnections = 1 << 20
)

// ServeOption sets up a server.
type ServeOption func(*Server) error

// WithGrace sets how long handlers may go on after the server was told to
// stop, before they are cancelled. The default is DefaultGrace.
func WithGrace(d time.Duration) ServeOption {
	return func(s *Server) error {
		if d < 0 {
			return misuse("a grace period of %v", d)
		}
		s.grace = d
		return nil
	}
}

// WithIdleTimeout closes connections that have been idle, with no handler
// running, for longer than d. The default is never.
func WithIdleTimeout(d time.Duration) ServeOption {
	return func(s *Server) error {
		if d <= 0 {
			return misuse("an idle timeout of %v", d)
		}
		s.idleTimeout = d
		return nil
	}
}

// WithMaxConnections sets how many connections may be open at once, idle ones
// included. While there are as many nothing is accepted: the others wait in
// the backlog. The default is DefaultMaxConnections.
func WithMaxConnections(n int) ServeOption {
	return func(s *Server) error {
		if n < 1 {
			return misuse("at most %d connections", n)
		}
		s.maxConnections = n
		return nil
	}
}

// WithAcceptBatch sets how many connections are accepted before others get
// their turn. The default is DefaultAcceptBatch; 1 favours the connections
// that are there already.
func WithAcceptBatch(n int) ServeOption {
	return func(s *Server) error {
		if n < 1 {
			return misuse("accept batches of %d", n)
		}
		s.batch = n
		return nil
	}
}

// StartAtAccept starts the handler as soon as a connection is accepted, not
// when its first bytes come: for protocols in which the server speaks first,
// and for handlers that want a task for the whole life of the connection.
func StartAtAccept() ServeOption {
	return func(s *Server) error { s.startAtAccept = true; return nil }
}

// OnError has fn called, on the loop, for every error and panic of a handler
// and every time that descriptors or memory have run out; it must not block.
// c is the connection, closed by then, or nil. A panic is a *loop.PanicError.
//
// Without it, errors of the connection, as KindOf tells them, are counted
// and nothing else: peers come and go. Every other error, and every panic,
// ends the server and comes out of Serve, for nobody would hear of it
// otherwise; that includes io.EOF, see KindOf. With it the server goes on
// whatever handlers do, but for runtime.Goexit, which cannot be stopped. So a
// server that strangers can reach should have it, or should return from its
// handler only what is meant to end it.
func OnError(fn func(c *Conn, err error)) ServeOption {
	return func(s *Server) error {
		if fn == nil {
			return misuse("a nil function for errors")
		}
		s.onError = fn
		return nil
	}
}

// Serve accepts connections and calls handler for each as it becomes readable,
// until it is stopped. The listener is closed at the end, in any case.
//
// The first interrupt (see loop.Main) stops it with grace: idle connections are
// closed, new ones if nothing comes within half a second; the connections that
// wait to be accepted are taken, as far as the grace period finds room for them,
// and the listener is closed; handlers get the rest of the grace period and are
// then cancelled; Serve returns
// loop.ErrInterrupt, joined with what else went wrong. Server.Stop does the
// same, and Serve returns nil. A second interrupt ends the grace period. A
// cancellation of the scope around it stops everything at once.
//
// An error that a handler returns ends the server, unless it belongs to the
// life of its connection (see KindOf) or OnError is given; so a server for
// strangers gives OnError. Other errors are those of accepting, and a
// *loop.Group of what handlers returned. For protocols in which the server
// speaks first, and for proxies, see StartAtAccept. Serve is a checkpoint.
func Serve(t *loop.Task, ln *Listener, handler Handler, opts ...ServeOption) error {
	s, err := NewServer(ln, handler, opts...)
	if err != nil {
		return err
	}
	return s.Serve(t)
}

// ErrorKind sorts the errors of handlers.
type ErrorKind uint8

const (
	// ErrorOther is any error that is not the connection's.
	ErrorOther ErrorKind = iota
	// ErrorBroken: the peer, or the network, broke the connection.
	ErrorBroken
	// ErrorTimeout: an operation took too long.
	ErrorTimeout
	// ErrorCancelled: the server was stopped.
	ErrorCancelled
	// ErrorClosed: the connection had been closed on this side.
	ErrorClosed
	// ErrorPanic: the handler panicked.
	ErrorPanic
	errorKinds
)

// KindOf tells what kind of error a handler returned that served c. Kinds other
// than ErrorOther and ErrorPanic belong to the life of that connection: they are
// cancellations, and errors that c itself, or a stdnet.TaskConn of it, has
// returned, however they are wrapped. The same errors of another connection,
// such as the back end of a proxy, are ErrorOther. So are io.EOF and
// io.ErrUnexpectedEOF: they do not tell whose they are, but Conn.Failure does.
// The time-out of a scope (loop.FailAfter) that the handler set counts as the
// connection's. Of joined errors the one that is ErrorOther decides.
func KindOf(c *Conn, err error) ErrorKind {
	var panicked *loop.PanicError
	if errors.As(err, &panicked) {
		return ErrorPanic
	}
	return c.kindOf(err)
}

func (c *Conn) kindOf(err error) ErrorKind {
	switch e := err.(type) {
	case *OpError:
		if e.from == &c.s {
			return e.errorKind()
		}
		return ErrorOther
	case interface{ Unwrap() []error }:
		return c.kindOfAll(e.Unwrap())
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return c.kindOf(inner)
		}
	}
	switch {
	case errors.Is(err, loop.Cancelled):
		return ErrorCancelled
	case err == loop.ErrTimeout: // of a scope that the handler set itself
		return ErrorTimeout
	}
	return ErrorOther
}

func (c *Conn) kindOfAll(errs []error) ErrorKind {
	if len(errs) == 0 {
		return ErrorOther
	}
	kind := ErrorCancelled
	for _, err := range errs {
		switch k := c.kindOf(err); k {
		case ErrorOther:
			return k
		case ErrorCancelled:
		default:
			kind = k
		}
	}
	return kind
}

// errorKind is the kind of an error that is the connection's own.
func (e *OpError) errorKind() ErrorKind {
	switch {
	case errors.Is(e, loop.ErrBroken), isTruncated(e):
		return ErrorBroken
	case e.Timeout():
		return ErrorTimeout
	case errors.Is(e, loop.ErrClosed):
		return ErrorClosed
	}
	return ErrorOther
}

// ServerStatistics describes a server.
type ServerStatistics struct {
	Accepted uint64 // connections so far
	Active   int    // connections whose handler runs
	Idle     int    // connections that wait without a task
	Runs     uint64 // times that a handler was called
	TimedOut uint64 // idle connections closed because of their age
	Stopping bool   // it was told to stop

	Refused     uint64 // connections of clients that had too many, see WithMaxPerIP
	Handshakes  uint64 // of TLS, made so far
	Handshaking int    // under way

	// Errors counts what handlers returned, by kind.
	Errors [errorKinds]uint64

	Listener ListenerStatistics // of its listeners together
}

// Statistics returns the present numbers.
func (s *Server) Statistics() ServerStatistics {
	return ServerStatistics{
		Accepted: s.accepted, Active: s.active, Idle: s.idle.length,
		Runs: s.runs, TimedOut: s.timedOut, Stopping: s.stopping,
		Refused: s.refused, Handshakes: s.handshakes, Handshaking: s.handshaking,
		Errors: s.errors, Listener: s.listenerStatistics(),
	}
}
