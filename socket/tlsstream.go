package socket

import (
	"io"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sys"
)

// The stream of a TLS connection.

// Receive receives up to len(b) bytes of plaintext, waiting until there is at
// least one. Zero bytes without an error are the end: the peer has sent its
// close_notify. An empty b is refused with ErrMisuse. It is a checkpoint; after
// Cancelled nothing has been taken.
func (c *TLSConn) Receive(t *loop.Task, b []byte) (int, error) {
	switch {
	case len(b) == 0:
		return 0, misuse("receiving into an empty buffer")
	case c.receiving:
		return 0, c.failed("tls recv", loop.ErrBusy)
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return 0, err
	}
	c.receiving = true
	n, err := c.receive(t, b)
	c.receiving = false
	c.received += uint64(n)
	return n, err
}

func (c *TLSConn) receive(t *loop.Task, b []byte) (int, error) {
	if err := c.ready(t); err != nil {
		return 0, err
	}
	for {
		var n int
		var err error
		//lion:opt tls-held crypto/tls is not asked for what it does not hold
		if c.holds() {
			n, err = c.decrypt(b)
			_ = loop.ShieldedCheckpoint(t) // only a wrong task fails, and that was checked
		} else {
			n, err = c.await(t, b)
		}
		if len(c.wire.out) > 0 {
			if err := c.reply(t); err != nil && n == 0 {
				return 0, err
			}
		}
		if err != errStarved {
			return n, err
		}
	}
}

// holds reports whether something can be received without the transport; the
// end, and its errors, count as something. Now and then it says so in vain.
func (c *TLSConn) holds() bool {
	w := &c.wire
	return w.records.held > 0 || len(w.in) > 0 || w.atEnd || w.recvErr != nil ||
		c.peeked || c.ended
}

// await waits for ciphertext and takes what plaintext it makes. It answers
// errStarved if that has to be taken, or answered, by the caller. It is a
// checkpoint.
func (c *TLSConn) await(t *loop.Task, b []byte) (int, error) {
	if c.conn == nil {
		if err := c.transportFailed(c.wire.fill(t)); err != nil {
			return 0, err
		}
		return 0, errStarved
	}
	s := &c.conn.s
	err := s.claim(t, &s.receiving)
	if err != nil {
		return 0, c.transportFailed(c.conn.failed("recv", err))
	}
	//lion:opt tls-direct-receive saves the copy, and the lending of a buffer
	n, err := retry(t, s, sys.Readable, func() (int, error) {
		c.wire.direct = true
		n, err := c.decrypt(b)
		c.wire.direct = false
		if err == errStarved && len(c.wire.out) == 0 {
			err = sys.WouldBlock // the socket is drained
		}
		return n, err
	})
	s.receiving = false
	if err == nil || err == errStarved {
		return n, err
	}
	return 0, c.transportFailed(c.conn.failed("recv", err))
}

// decrypt takes plaintext out of what has been received: 0 bytes at the end,
// errStarved if more has to be received first.
func (c *TLSConn) decrypt(b []byte) (int, error) {
	switch {
	case c.closed:
		return 0, c.failed("tls recv", loop.ErrClosed)
	case c.ended:
		return 0, nil
	case c.peeked:
		c.peeked = false
		b[0] = c.next[0]
		// What came with it comes with it. Errors other than errStarved come again.
		n := 0
		if len(b) > 1 && c.broken == nil {
			n, _ = c.read(b[1:])
		}
		return 1 + n, nil
	case c.broken != nil:
		return 0, c.broken
	}
	n, err := c.read(b)
	switch {
	case n > 0:
		return n, nil // an error is sticky, and comes again
	case err == io.EOF:
		c.ended = true
		return 0, nil
	case err == errStarved && c.wire.recvErr == nil:
		return 0, err
	case err == errStarved:
		err = c.conn.failed("recv", c.wire.recvErr)
	}
	c.breaks("tls recv", err)
	return 0, c.broken
}

// read reads of crypto/tls, and keeps account of what it holds.
func (c *TLSConn) read(b []byte) (int, error) {
	n, err := c.tls.Read(b)
	if c.wire.records.held -= n; n == 0 && err == errStarved {
		c.wire.records.held = 0
	}
	return n, err
}

// transportFailed makes of an error of the transport what a receive answers.
func (c *TLSConn) transportFailed(err error) error {
	switch {
	case err == nil, passing(err):
		return err
	case c.closed:
		return c.failed("tls recv", loop.ErrClosed)
	}
	c.breaks("tls recv", err)
	return c.broken
}

// reply sends what a receive has left to be sent, at once if that can be done
// without waiting. What the peer does not take is left to the next send, unless
// it is much: then the peer makes us answer and does not read.
func (c *TLSConn) reply(t *loop.Task) error {
	c.sendRest()
	if len(c.wire.out) <= tlsReplyMax {
		return nil
	}
	return c.flush(t)
}

// tlsReplyMax bounds the answers that a peer can make pile up.
const tlsReplyMax = 4 << 10

// nowaitSender is a stream that can be tried without waiting.
type nowaitSender interface{ SendNowait(b []byte) (int, error) }

// sendRest sends of the ciphertext what goes without waiting. Errors come again
// when somebody waits.
func (c *TLSConn) sendRest() {
	s, ok := c.transport.(nowaitSender)
	if !ok || c.flushing || len(c.wire.out) == 0 {
		return
	}
	n, _ := s.SendNowait(c.wire.out)
	c.wire.sent(n)
}

// SendAll encrypts and sends all of b, waiting as often as the peer makes it
// wait. An error after some bytes were encrypted is a *stream.SendError, with
// their number. It is a checkpoint, even if b is empty.
func (c *TLSConn) SendAll(t *loop.Task, b []byte) error {
	if c.sending {
		return c.failed("tls send", loop.ErrBusy)
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	c.sending = true
	sent, err := c.sendAll(t, b)
	c.sending = false
	c.sent += uint64(sent)
	return stream.Partial(sent, err)
}

func (c *TLSConn) sendAll(t *loop.Task, b []byte) (sent int, err error) {
	if err := c.sendable(t); err != nil {
		return 0, err
	}
	if len(b) == 0 || len(c.wire.out) > 0 {
		if err := c.flush(t); err != nil {
			return 0, err
		}
	}
	for sent < len(b) {
		n, err := c.encrypt(b[sent:min(len(b), sent+tlsChunk)])
		sent += n
		if err != nil {
			c.breaks("tls send", err)
			return sent, c.broken
		}
		if err := c.pushed(t); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// pushed sends what has been encrypted, unless it has gone already.
func (c *TLSConn) pushed(t *loop.Task) error {
	if len(c.wire.out) == 0 {
		_ = loop.ShieldedCheckpoint(t) // only a wrong task fails, and that was checked
		return nil
	}
	return c.flush(t)
}

// encrypt leaves the ciphertext of b in the wire, or less if the socket takes it.
func (c *TLSConn) encrypt(b []byte) (int, error) {
	if c.conn != nil {
		c.wire.message = len(b)
	}
	n, err := c.tls.Write(b)
	c.wire.message = 0
	return n, err
}

func (c *TLSConn) sendable(t *loop.Task) error {
	if err := c.ready(t); err != nil {
		return err
	}
	if c.sentEOF {
		return c.failed("tls send", loop.ErrClosed)
	}
	return nil
}

// flush sends the ciphertext. One task does so at a time, and others wait for
// it; so what went first arrives first. It is a checkpoint.
func (c *TLSConn) flush(t *loop.Task) error {
	for c.flushing {
		if err := c.flushed.Park(t, "tls flush"); err != nil {
			return err
		}
	}
	if err := c.usable(); err != nil {
		return err
	}
	c.flushing = true
	err := c.wire.flush(t, c.transport)
	c.flushing = false
	c.flushed.UnparkAll()
	switch {
	case err == nil, passing(err):
		return err
	case c.closed:
		return c.failed("tls send", loop.ErrClosed)
	}
	c.breaks("tls send", err)
	return c.broken
}

// SendEOF sends a close_notify: the peer's Receive comes to its end. The other
// direction goes on, if the peer is willing: TLS 1.2 has peers close at once.
// The transport stays open. It is idempotent; a later send answers ErrClosed.
// ErrBusy while another task sends. It is a checkpoint.
func (c *TLSConn) SendEOF(t *loop.Task) error {
	if c.sending {
		return c.failed("tls shutdown", loop.ErrBusy)
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	c.sending = true
	defer func() { c.sending = false }()
	if err := c.ready(t); err != nil {
		return err
	}
	if err := c.notify(); err != nil {
		return err
	}
	return c.flush(t)
}

// notify makes the close_notify.
func (c *TLSConn) notify() error {
	if c.sentEOF {
		return nil
	}
	if err := c.tls.CloseWrite(); err != nil {
		c.breaks("tls shutdown", err)
		return c.broken
	}
	c.sentEOF = true
	return nil
}

// Close closes the connection and its transport at once, and never blocks; tasks
// that wait get ErrClosed. It sends a close_notify if the transport takes it
// without waiting, and the stream is whole: if a SendAll was left before its
// end, is under way or has failed, the peer learns by the lack of one that
// something is missing. SendEOF waits until the close_notify has gone. Close is
// idempotent.
func (c *TLSConn) Close() error {
	whole := c.state == tlsReady && c.usable() == nil && !c.sending && len(c.wire.out) == 0
	if whole && c.notify() == nil {
		c.sendRest()
	}
	return c.cutOff()
}

// Abort closes the connection and its transport without a close_notify: to the
// peer the stream is cut off. It is idempotent and never blocks.
func (c *TLSConn) Abort() error {
	if c.conn != nil && !c.closed {
		_ = c.conn.Abort() // it is closed, whatever it says
	}
	return c.cutOff()
}

// cutOff closes the transport as it is.
func (c *TLSConn) cutOff() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.wire.drop()
	c.shaking.UnparkAll()
	c.flushed.UnparkAll()
	return c.transport.Close()
}
