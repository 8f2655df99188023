package main

// fasthttp inside tasks.
//
// A connection that has something to read gets a task, and the task a visit: the
// net.Conn on which fasthttp's ServeConn serves requests until there is nothing
// more to read. Then the visit ends, ServeConn returns, its buffers go back to
// fasthttp's pools and the task to lion's. While a connection is idle there is no
// trace of it in fasthttp, and nothing of it in this program.
//
// ServeConn does not know that it can be left and entered again. This rests on
// the following of fasthttp v1.77.0, server.go; a test fails if the version
// changes, so that somebody reads it anew.
//
//   - The hook ConnState is called with StateActive once the first byte of a
//     request has been read (line 2604), and with StateIdle when a request has
//     been answered (3034). Between the two calls, and before the first, no byte
//     of the next request has been read: the visit is at a boundary.
//   - At a boundary fasthttp waits for the next request in br.Peek(1) (2577). That
//     reads from the connection only if the buffer is empty, so a Read at a
//     boundary means that fasthttp holds no pipelined byte. A read in the middle
//     of a request never comes at a boundary.
//   - By then all answers are written: they stay in the writer's buffer only as
//     long as the reader's holds something (2946), and before more of a request is
//     read from the connection they are flushed (2633).
//   - io.EOF from that Read ends ServeConn without an answer (2581, 2694), and
//     with the connection's reader, writer and context given back (3052 on). Any
//     other error would be answered, on the first request of a call (2697 on).
//   - ServeConn closes its connection on every return (2360). The TaskConn below
//     keeps the stream open; lion closes it when the handler returns anything but
//     socket.GoIdle.
//
// The option ReduceMemoryUsage is not needed for this, and is off: it gives the
// buffers back at each boundary, also when the next request is there already, and
// reads its first byte by a system call of its own.
//
// No byte is lost on the way: at a boundary the last receive was short, or there
// was nothing to receive, or else the visit tries once more; and lion grants
// idleness only if whatever comes later makes an event (socket.GoIdle).
//
// What fasthttp counts per connection it counts per visit here: ConnRequestNum,
// MaxRequestsPerConn, ConnTime, ConnID, MaxConnsPerIP and Concurrency, and the
// hook ConnState sees a connection begin and end each time. So this program does
// not use them; lion bounds the number of connections, and the time that they may
// be idle. Shutdown and GetOpenConnectionsCount know only what is under way.

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
)

// A visit is a connection with its task, from the byte that wakes it to the end
// of the last request that has come.
type visit struct {
	*stdnet.TaskConn
	task     *loop.Task
	conn     *socket.Conn
	boundary bool   // no byte of the next request has been read
	short    bool   // the last receive took all there was
	result   error  // what ended the visit: GoIdle, a cancellation, or nil for the end
	holding  bool   // what is written waits for a file to go with it
	held     []byte // what waits
}

// heldMax bounds what waits for a file: several headers.
const heldMax = 8 << 10

var _ net.Conn = (*visit)(nil)

func newVisit() *visit { return &visit{TaskConn: stdnet.Bind(nil, nil, stdnet.KeepOpen())} }

// begin makes a visit that is not in use that of t and s.
func (v *visit) begin(t *loop.Task, s stream.Stream) {
	v.Rebind(t, s)
	v.task, v.conn = t, s.(*socket.Conn) // Serve hands out nothing else
	v.boundary, v.short, v.result = true, false, nil
}

// end lets go of the connection and returns what the handler has to.
func (v *visit) end() error {
	err := v.result
	v.holding, v.held = false, v.held[:0]
	v.Rebind(nil, nil)
	v.task, v.conn, v.result = nil, nil, nil
	return err
}

// visitState is the hook ConnState.
func visitState(c net.Conn, state fasthttp.ConnState) {
	c.(*visit).boundary = state == fasthttp.StateIdle
}

// Read receives for fasthttp. At a boundary it never waits: it answers io.EOF,
// and the connection goes idle.
func (v *visit) Read(b []byte) (int, error) {
	if v.boundary {
		return v.readFirst(b)
	}
	n, err := v.receiveNowait(b)
	if err == loop.ErrWouldBlock {
		n, err = v.TaskConn.Read(b) // within the time that the request has
		v.short = n < len(b)
	}
	return n, v.note(err)
}

func (v *visit) readFirst(b []byte) (int, error) {
	if v.short {
		v.result = socket.GoIdle
		return 0, io.EOF
	}
	n, err := v.receiveNowait(b)
	switch {
	case err == loop.ErrWouldBlock:
		v.result, err = socket.GoIdle, io.EOF
	case err != nil:
		_ = v.note(err)
		err = io.EOF // nobody is there to read an answer
	}
	return n, err
}

// receiveNowait receives what is there. That alone would not let others have
// their turn, hence the checkpoint, in two halves as everywhere around a call: it
// costs no look at the clock.
func (v *visit) receiveNowait(b []byte) (int, error) {
	if err := loop.CheckpointIfCancelled(v.task); err != nil {
		return 0, err
	}
	n, err := v.conn.ReceiveNowait(b)
	if err == nil {
		_ = loop.ShieldedCheckpoint(v.task) // only a wrong task fails, and that was checked
	} // else others must not run before the connection is idle: what comes then would be left
	v.short = n < len(b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// hold has what is written wait for sendFile or release, so that the header of an
// answer goes with its file.
func (v *visit) hold() { v.holding = true }

// release sends what waits, if anything does.
func (v *visit) release() error {
	v.holding = false
	if len(v.held) == 0 {
		return nil
	}
	_, err := v.Write(v.held)
	v.held = v.held[:0]
	return err
}

// sendFile sends a part of a file after what waits, and counts only the file. Each
// part of it that the client takes gives it the write time anew.
func (v *visit) sendFile(f *os.File, at, n int64, limit time.Duration) (sent int64, err error) {
	head := v.held
	v.holding, v.held = false, v.held[:0]
	err = loop.FailAfter(v.task, limit, func(s *loop.Scope) error {
		sent, err = sendfile.Send(v.task, v.conn, f, at, n, sendfile.WithHeader(head),
			sendfile.WithProgress(func(int64) { _ = s.SetTimeout(limit) }))
		return err
	})
	return max(0, sent-int64(len(head))), v.note(err)
}

// Write sends for fasthttp: at once, as a rule; only if the client takes too
// little does it wait, within the time for writing.
func (v *visit) Write(b []byte) (int, error) {
	if v.holding {
		if v.held = append(v.held, b...); len(v.held) <= heldMax {
			return len(b), nil
		}
		return len(b), v.release()
	}
	if err := loop.CheckpointIfCancelled(v.task); err != nil {
		return 0, v.note(err)
	}
	n, err := v.conn.SendNowait(b)
	_ = loop.ShieldedCheckpoint(v.task) // as in receiveNowait
	if n == len(b) || err != nil && err != loop.ErrWouldBlock {
		return n, err
	}
	more, err := v.TaskConn.Write(b[n:])
	return n + more, v.note(err)
}

// note keeps a cancellation: ServeConn may not hand it through, and lion has to
// get it back.
func (v *visit) note(err error) error {
	if errors.Is(err, loop.Cancelled) {
		v.result = err
	}
	return err
}
