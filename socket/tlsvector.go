package socket

import (
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// A record of TLS costs 22 bytes and more, a pass through the cipher and, sent by
// itself, a system call. So small buffers that are to be sent together, the queue of
// a stream.Writer above all, share records: they are joined in memory that is lent
// until they have been encrypted. A connection that waits for its peer has only the
// ciphertext. joinRoom is one full record, which goes to a socket without a copy.

// tlsJoinEach is the longest buffer that is joined: beyond it the copy costs more
// than the record.
const tlsJoinEach = 4 << 10

var _ stream.VectoredSender = (*TLSConn)(nil)

// SendAllVectored encrypts and sends all buffers as SendAll would send them joined.
// Their bounds are no bounds of records. It is a checkpoint.
func (c *TLSConn) SendAllVectored(t *loop.Task, buffers [][]byte) error {
	if c.sending {
		return c.failed("tls send", loop.ErrBusy)
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	c.sending = true
	sent, err := c.sendVector(t, plaintext{rest: buffers})
	c.sending = false
	c.sent += uint64(sent)
	return stream.Partial(sent, err)
}

func (c *TLSConn) sendVector(t *loop.Task, p plaintext) (sent int, err error) {
	if err := c.sendable(t); err != nil {
		return 0, err
	}
	p.advance(0)
	if len(p.rest) == 0 || len(c.wire.out) > 0 {
		if err := c.flush(t); err != nil {
			return 0, err
		}
	}
	for len(p.rest) > 0 {
		n, err := c.encryptSome(&p)
		sent += n
		if err == nil {
			err = c.pushed(t)
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// encryptSome encrypts up to a chunk of what is left.
func (c *TLSConn) encryptSome(p *plaintext) (int, error) {
	b := p.rest[0][p.gone:]
	b = b[:min(len(b), tlsChunk)]
	//lion:opt tls-join-small a record for each message costs ten times as much
	if len(b) <= tlsJoinEach && len(p.rest) > 1 {
		room := joinRooms.Get().(*[joinRoom]byte)
		defer joinRooms.Put(room)
		b = p.join(room[:0])
	}
	n, err := c.encrypt(b)
	p.advance(n)
	if err != nil {
		c.breaks("tls send", err)
		return n, c.broken
	}
	return n, nil
}

// plaintext is what is left of some buffers, which stay as they are.
type plaintext struct {
	rest [][]byte
	gone int // bytes of the first one
}

// join copies small buffers into b, as far as it has room.
func (p *plaintext) join(b []byte) []byte {
	gone := p.gone
	for _, more := range p.rest {
		more, gone = more[gone:], 0
		if len(more) > tlsJoinEach || len(b) == cap(b) {
			break
		}
		b = b[:len(b)+copy(b[len(b):cap(b)], more)]
	}
	return b
}

// advance drops n bytes from the front, and buffers that are empty.
func (p *plaintext) advance(n int) {
	p.gone += n
	for len(p.rest) > 0 && p.gone >= len(p.rest[0]) {
		p.gone -= len(p.rest[0])
		p.rest = p.rest[1:]
	}
}
