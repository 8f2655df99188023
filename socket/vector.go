package socket

import (
	"sync"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// The kernel takes a list of buffers in one call, but not for nothing: it
// checks each of them, and copies each by itself. For small ones that costs more
// than to join them here and hand over one buffer, and a call with one buffer is
// simpler in itself (send(2) in place of sendmsg(2)). So small buffers are
// joined, in memory that is borrowed for the call alone: a connection that
// waits holds none. What the kernel leaves is joined anew at the next try.

const (
	// joinRoom bounds how much is joined for one call, and so the memory of one
	// that is under way. It also bounds what is copied in vain when the kernel
	// takes little.
	joinRoom = 16 << 10

	// joinEach is the longest buffer that is joined. Up to there it was never
	// the slower way; from 1,024 bytes on, with many buffers, it is.
	joinEach = 512
)

//lion:opt join-small
var joinRooms = sync.Pool{New: func() any { return new([joinRoom]byte) }}

func (c *Conn) sendVector(t *loop.Task, buffers [][]byte) (sent int, err error) {
	v := vector{rest: buffers}
	v.advance(0)
	if len(v.rest) == 0 {
		return 0, loop.Checkpoint(t)
	}
	var m Msg
	for len(v.rest) > 0 {
		m.Buffers = v.rest[:min(len(v.rest), sys.MaxBuffers)]
		n, err := retry(t, &c.s, sys.Writable, func() (int, error) { return c.s.trySendVector(&m) })
		if err != nil {
			v.restore()
			return sent, err
		}
		sent += n
		v.advance(n)
	}
	return sent, nil
}

// vector is what is left of some buffers to be sent. The first of them is cut
// in place, so that the rest can be handed to the kernel as it is.
type vector struct {
	rest  [][]byte
	whole []byte // rest[0] before it was cut; nil if it was not
}

// advance drops n bytes from the front, and buffers that are empty.
func (v *vector) advance(n int) {
	for len(v.rest) > 0 && n >= len(v.rest[0]) {
		n -= len(v.rest[0])
		v.restore()
		v.rest = v.rest[1:]
	}
	if n > 0 {
		if v.whole == nil {
			v.whole = v.rest[0]
		}
		v.rest[0] = v.rest[0][n:]
	}
}

// restore makes the first buffer whole again.
func (v *vector) restore() {
	if v.whole != nil {
		v.rest[0], v.whole = v.whole, nil
	}
}

// trySendVector is one send of some buffers, or of their beginning.
func (s *Socket) trySendVector(m *Msg) (int, error) {
	//lion:opt join-small one buffer costs the kernel less than many small ones
	if len(m.Buffers) > 1 {
		room := joinRooms.Get().(*[joinRoom]byte)
		defer joinRooms.Put(room)
		if joined := join(room[:0], m.Buffers); len(joined) > 0 {
			return s.trySend(joined, 0)
		}
	}
	return s.trySendMsg(m, 0)
}

// join appends to b what it has room for, in whole buffers. It gives up, with
// nothing, at a buffer that is better sent from where it is: all go in one call
// then, which a short beginning of its own would not be worth.
//
//lion:opt join-small
func join(b []byte, buffers [][]byte) []byte {
	for _, more := range buffers {
		switch {
		case len(more) > joinEach:
			return nil
		case len(b)+len(more) > cap(b):
			return b
		}
		b = append(b, more...)
	}
	return b
}
