package resolver

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// DNS over TCP (RFC 7766): each message has its length in front. All questions
// of an attempt go over one connection, and their answers come in any order.

// lengthSize is the size of the length in front of a message.
const lengthSize = 2

// startTCP asks questions by TCP, in a task of its own: the datagrams that
// come meanwhile count, too.
func (a *attempt) startTCP(list ...*asked) error {
	var open []*asked
	for _, k := range list {
		if !k.tcp && !k.q.done {
			k.tcp = true
			open = append(open, k)
		}
	}
	if open == nil {
		return nil
	}
	a.x.talks++ // from now on: the task may begin when all is answered
	return a.x.nursery.Spawn(func(t *loop.Task) error {
		defer func() { a.x.talks-- }()
		return a.exchangeTCP(t, open)
	})
}

// exchangeTCP asks and reads until all questions are answered. If that fails,
// they are left to the datagrams, if any may still come.
func (a *attempt) exchangeTCP(t *loop.Task, list []*asked) error {
	counters := &a.x.s.r.counters
	counters.tcp.Add(1)
	if a.x.s.r.tracing() {
		a.x.s.r.trace(t.Now(), "tcp", a.x.f.key.name, a.server.addr, "%d questions", len(list))
	}
	err := loop.FailAfter(t, a.x.s.conf.Timeout, func(*loop.Scope) error { return a.talk(t, list) })
	if err != nil && ofLoop(err) != nil {
		return err
	}
	if err != nil {
		counters.tcpFailed.Add(1)
		a.failedTCP(t, list, err)
	}
	for _, k := range list {
		k.tcp = false
	}
	if a.deaf || !a.open() {
		a.end()
	}
	a.x.wake()
	return nil
}

// failedTCP gives up questions that TCP did not answer and no datagram can.
func (a *attempt) failedTCP(t *loop.Task, list []*asked, err error) {
	for _, k := range list {
		if k.q.done {
			continue
		}
		if k.q.partial != nil || a.deaf || a.sock == nil || a.ended || !a.byTCP {
			a.x.refuse(k.q, a.server, err, t.Now())
		}
	}
}

// talk holds the conversation on one connection.
func (a *attempt) talk(t *loop.Task, list []*asked) error {
	c, err := socket.ConnectTCP(t, a.server.addr)
	if err != nil {
		return err
	}
	a.x.s.r.counters.sockets.Add(1)
	defer c.Close()
	a.x.f.closers = append(a.x.f.closers, c)
	out, queries := a.packAll(list)
	if err := c.SendAll(t, out); err != nil {
		return err
	}
	for range maxStrange + len(list) {
		if !slices.ContainsFunc(list, func(k *asked) bool { return !k.q.done }) {
			return nil
		}
		wire, err := receiveMessage(t, c)
		if err != nil {
			return err
		}
		if err := a.message(t, list, queries, wire); err != nil {
			return err
		}
	}
	return ErrMalformed
}

// packAll writes the questions as one block: letters in their own case, since
// nobody can forge here.
func (a *attempt) packAll(list []*asked) (out []byte, queries []query) {
	for _, k := range list {
		q := k.query
		q.name, q.exact = a.x.f.key.name, false
		wire := q.pack(a.wire[:0])
		a.x.s.sent(false)
		out = binary.BigEndian.AppendUint16(out, uint16(len(wire)))
		out = append(out, wire...)
		queries = append(queries, q)
	}
	return out, queries
}

// message takes one answer. What is cut off here too is all that there is.
func (a *attempt) message(t *loop.Task, list []*asked, queries []query, wire []byte) error {
	counter := &a.x.s.r.counters.forged
	for i, k := range list {
		r, v := queries[i].read(wire)
		if v == malformed {
			counter = &a.x.s.r.counters.malformed
		}
		if v != genuine {
			continue
		}
		if k.bent {
			a.x.s.learn(func() { a.server.noCase = t.Now().Add(quirkTime) })
		}
		r.tcp = true
		return a.judge(t, k, r)
	}
	counter.Add(1)
	return nil
}

// receiveMessage reads one message, however small the pieces are.
func receiveMessage(t *loop.Task, c *socket.Conn) ([]byte, error) {
	var length [lengthSize]byte
	if err := receiveFull(t, c, length[:]); err != nil {
		return nil, err
	}
	wire := make([]byte, binary.BigEndian.Uint16(length[:]))
	return wire, receiveFull(t, c, wire)
}

func receiveFull(t *loop.Task, c *socket.Conn, b []byte) error {
	for len(b) > 0 {
		n, err := c.Receive(t, b)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
	}
	return nil
}
