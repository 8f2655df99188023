package socket

import (
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sys"
)

type tlsSide = func(net.Conn, *tls.Config) *tls.Conn

// tlsWire is what a tls.Conn takes for its transport: memory, which fill and
// flush connect with the real one. Buffers are lent while there is something
// in them, so that an idle connection has none. Where the transport is a socket
// a read, and a write of one record, make their system call at once, straight
// from and to the memory of crypto/tls; what would have to wait is left to the
// caller of crypto/tls.
type tlsWire struct {
	c       *TLSConn
	task    *loop.Task // the one that makes the handshake, and may be suspended
	records tlsRecords
	message int   // plaintext that is being written, if a socket may be tried
	recvErr error // of the socket, for who called crypto/tls
	sendErr error // likewise

	in     []byte  // ciphertext that has not been read
	lent   *[]byte // the buffer that in is a part of
	out    []byte  // ciphertext that has not been sent
	outBuf *[]byte // the buffer that out is a part of
	end    error   // what the end of the transport reads as
	atEnd  bool
	direct bool // reads receive from the socket
}

// tlsBufferSize holds a chunk with the overhead of its records, and two
// received records of full size.
const tlsBufferSize = tlsChunk + 4<<10

// tlsBuffers are shared by all loops: they are lent for moments.
var tlsBuffers = sync.Pool{New: func() any { b := make([]byte, tlsBufferSize); return &b }}

// errStarved says to crypto/tls that there is nothing to read now: a temporary
// error, which it passes on and forgets.
var errStarved net.Error = starved{}

type starved struct{}

func (starved) Error() string   { return "nothing has been received" }
func (starved) Timeout() bool   { return true }
func (starved) Temporary() bool { return true }

// Read is called by crypto/tls. During the handshake, and only then, it
// suspends.
func (w *tlsWire) Read(b []byte) (int, error) {
	if len(w.in) == 0 && w.task != nil && !w.atEnd {
		if err := w.c.flush(w.task); err != nil {
			return 0, err
		}
		if err := w.fill(w.task); err != nil {
			return 0, err
		}
	}
	if len(w.in) == 0 {
		return w.recv(b)
	}
	n := copy(b, w.in)
	w.records.pass(b[:n])
	if w.in = w.in[n:]; len(w.in) == 0 {
		w.giveBack()
	}
	return n, nil
}

// recv receives from the socket if it may, and if that is not known to have to
// wait.
func (w *tlsWire) recv(b []byte) (int, error) {
	switch {
	case w.atEnd:
		return 0, w.end
	case !w.direct || w.recvErr != nil || w.c.conn.s.d.Drained(sys.Readable):
		return 0, errStarved
	}
	s := &w.c.conn.s
	n, err := s.tryRecv(b, 0)
	switch {
	case err == sys.WouldBlock:
		s.d.MarkDrained(sys.Readable)
		return 0, errStarved
	case err != nil:
		w.recvErr = err
		return 0, errStarved
	case n == 0:
		w.atEnd = true
		return 0, w.end
	}
	w.records.pass(b[:n])
	return n, nil
}

func (w *tlsWire) giveBack() {
	if w.lent != nil {
		tlsBuffers.Put(w.lent)
	}
	w.in, w.lent = nil, nil
}

// fill waits until something has been received. It is a checkpoint.
func (w *tlsWire) fill(t *loop.Task) error {
	if w.c.conn == nil {
		w.lent = tlsBuffers.Get().(*[]byte)
		return w.filled(w.c.transport.Receive(t, *w.lent))
	}
	// The buffer is lent when there is something to be put in.
	s := &w.c.conn.s
	if err := s.claim(t, &s.receiving); err != nil {
		return w.c.conn.failed("recv", err)
	}
	n, err := retry(t, s, sys.Readable, func() (int, error) {
		w.lent = tlsBuffers.Get().(*[]byte)
		n, err := s.tryRecv(*w.lent, 0)
		if n <= 0 || err != nil {
			w.giveBack()
		}
		return n, err
	})
	s.receiving = false
	if err != nil {
		return w.c.conn.failed("recv", err)
	}
	return w.filled(n, nil)
}

func (w *tlsWire) filled(n int, err error) error {
	if err != nil || n == 0 || w.c.closed {
		w.giveBack()
		w.atEnd = err == nil && n == 0
		return err
	}
	w.in = (*w.lent)[:n]
	return nil
}

// Write is called by crypto/tls with a record, and takes everything. One that
// has all of the message is sent at once, as far as the system takes it.
func (w *tlsWire) Write(b []byte) (int, error) {
	rest := b
	//lion:opt tls-direct-send saves the copy, and the lending of a buffer
	if 0 < w.message && w.message < len(b) && len(w.out) == 0 {
		rest = b[w.sendNowait(b):]
	}
	if len(rest) == 0 {
		return len(b), nil
	}
	if w.out == nil {
		w.outBuf = tlsBuffers.Get().(*[]byte)
		w.out = (*w.outBuf)[:0]
	}
	w.out = append(w.out, rest...)
	return len(b), nil
}

// sendNowait sends of b what the socket takes, if nobody else is sending. The
// next flush reports an error.
func (w *tlsWire) sendNowait(b []byte) int {
	s := &w.c.conn.s
	if s.sending || s.sentEOF || s.d.Drained(sys.Writable) {
		return 0
	}
	n, err := once(s, sys.Writable, func() (int, error) { return s.trySend(b, 0) })
	switch err {
	case nil:
		return n
	case loop.ErrWouldBlock:
	default:
		w.sendErr = err
	}
	return 0
}

// flush sends everything, also what is added meanwhile. What is left after a
// failure stays in front of it.
func (w *tlsWire) flush(t *loop.Task, to stream.Sender) error {
	if w.sendErr != nil {
		return w.c.conn.failed("send", w.sendErr)
	}
	if len(w.out) == 0 {
		return loop.Checkpoint(t)
	}
	for len(w.out) > 0 {
		sending, buffer := w.out, w.outBuf
		w.out, w.outBuf = nil, nil
		err := to.SendAll(t, sending)
		if w.c.closed {
			return err
		}
		if err != nil {
			rest, added := sending[stream.Sent(err, len(sending)):], w.outBuf
			w.out, w.outBuf = append(rest, w.out...), buffer
			if added != nil {
				tlsBuffers.Put(added)
			}
			w.sent(0)
			return err
		}
		tlsBuffers.Put(buffer)
	}
	return nil
}

// sent drops the first n bytes of what is to be sent.
func (w *tlsWire) sent(n int) {
	if w.out = w.out[n:]; len(w.out) == 0 && w.outBuf != nil {
		tlsBuffers.Put(w.outBuf)
		w.out, w.outBuf = nil, nil
	}
}

// drop forgets everything. A buffer that a task is sending from, or receiving
// into, stays with it: the transport may still write into the latter.
func (w *tlsWire) drop() {
	if len(w.in) > 0 {
		w.giveBack()
	}
	w.sent(len(w.out))
}

// Close is called by nobody: TLSConn closes the transport.
func (w *tlsWire) Close() error { return nil }

// LocalAddr and RemoteAddr are shown to callbacks of the configuration.
func (w *tlsWire) LocalAddr() net.Addr  { return wireAddr(w.c.LocalAddr()) }
func (w *tlsWire) RemoteAddr() net.Addr { return wireAddr(w.c.RemoteAddr()) }

// Time limits belong to scopes.
func (w *tlsWire) SetDeadline(time.Time) error      { return nil }
func (w *tlsWire) SetReadDeadline(time.Time) error  { return nil }
func (w *tlsWire) SetWriteDeadline(time.Time) error { return nil }

// wireAddr is an Addr as a net.Addr.
func wireAddr(a Addr) net.Addr {
	if name, ok := a.Unix(); ok {
		return &net.UnixAddr{Name: name, Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(a.AddrPort())
}
