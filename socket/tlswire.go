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
// in them, so that an idle connection has none.
type tlsWire struct {
	c    *TLSConn
	task *loop.Task // the one that makes the handshake, and may be suspended

	in     []byte  // ciphertext that has not been read
	lent   *[]byte // the buffer that in is a part of
	out    []byte  // ciphertext that has not been sent
	outBuf *[]byte // the buffer that out is a part of
	end    error   // what the end of the transport reads as
	atEnd  bool
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
		if w.atEnd {
			return 0, w.end
		}
		return 0, errStarved
	}
	n := copy(b, w.in)
	if w.in = w.in[n:]; len(w.in) == 0 {
		w.giveBack()
	}
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

// Write is called by crypto/tls, and takes everything.
func (w *tlsWire) Write(b []byte) (int, error) {
	if w.out == nil {
		w.outBuf = tlsBuffers.Get().(*[]byte)
		w.out = (*w.outBuf)[:0]
	}
	w.out = append(w.out, b...)
	return len(b), nil
}

// flush sends everything, also what is added meanwhile. What is left after a
// failure stays in front of it.
func (w *tlsWire) flush(t *loop.Task, to stream.Sender) error {
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
