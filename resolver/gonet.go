package resolver

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
)

// Net returns a net.Resolver for libraries that want one. What it would ask a
// name server, for any type of record, it asks r instead, as a task of loop l:
// with r's servers, throttle and checks. It reads the hosts file and the search
// list by itself, as package net does. It may be used from any goroutine but
// that of l, which it would wait for; after l has ended its lookups fail.
func (r *Resolver) Net(l *loop.Loop) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithCancel(ctx)
			return &askConn{r: r, loop: l, ctx: ctx, cancel: cancel}, nil
		},
	}
}

// askConn looks to package net like a TCP connection to a name server. What is
// written is a question, what is read is the answer to it.
type askConn struct {
	r      *Resolver
	loop   *loop.Loop
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	in, out  []byte
	deadline time.Time
}

// maxQuestion bounds what package net may write before it reads: one message
// with its length.
const maxQuestion = lengthSize + 65535

// Write takes a part of a question.
func (c *askConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.in)+len(b) > maxQuestion {
		return 0, ErrMalformed
	}
	c.in = append(c.in, b...)
	return len(b), nil
}

// Read asks the question that was written, and gives out the answer.
func (c *askConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 {
		if err := c.ask(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.out)
	c.out = c.out[n:]
	return n, nil
}

// ask turns the question into a lookup and its result into an answer.
func (c *askConn) ask() error {
	if len(c.in) < lengthSize || len(c.in) < lengthSize+int(binary.BigEndian.Uint16(c.in)) {
		return ErrMalformed
	}
	wire := c.in[lengthSize : lengthSize+int(binary.BigEndian.Uint16(c.in))]
	var m dns.Msg
	if err := m.Unpack(wire); err != nil || len(m.Question) != 1 {
		return ErrMalformed
	}
	c.in = nil
	ctx, cancel := c.ctx, context.CancelFunc(func() {})
	if !c.deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, c.deadline)
	}
	defer cancel()
	var found *dns.Msg
	err := c.loop.Do(ctx, func(t *loop.Task) (err error) {
		found, err = c.r.message(t, m.Question[0])
		return err
	})
	if ctx.Err() != nil {
		return os.ErrDeadlineExceeded
	}
	var answer dns.Msg
	answer.SetReply(&m)
	answer.RecursionAvailable, answer.Compress = true, true // as what came was, so it fits again
	if err != nil {
		answer.Rcode = rcodeOf(err)
	} else {
		answer.Rcode, answer.Answer, answer.Ns = found.Rcode&0xf, found.Answer, found.Ns
	}
	packed, err := answer.Pack()
	if err == nil && len(packed) > dns.MaxMsgSize {
		err = ErrMalformed // nothing is cut off silently
	}
	if err != nil {
		return err
	}
	c.out = binary.BigEndian.AppendUint16(nil, uint16(len(packed)))
	c.out = append(c.out, packed...)
	return nil
}

// message asks the name servers for any type of record. It is a checkpoint.
func (r *Resolver) message(t *loop.Task, q dns.Question) (*dns.Msg, error) {
	s, err := r.settingsFor(t)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(q.Name, ".")
	switch kind := specialName(name); {
	case kind == loopback, kind == nowhere, kind == multicast && s.mdns, !isHostName(name):
		return nil, failure(NoName, name, nil)
	}
	return r.ask1(t, s, name, q.Qtype)
}

func rcodeOf(err error) int {
	switch codeOf(err) {
	case NoName:
		return dns.RcodeNameError
	case NoData:
		return dns.RcodeSuccess
	}
	return dns.RcodeServerFailure
}

// Close cancels a lookup that is on its way.
func (c *askConn) Close() error { c.cancel(); return nil }

// SetDeadline bounds the next lookup.
func (c *askConn) SetDeadline(when time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = when
	return nil
}

// SetReadDeadline is SetDeadline.
func (c *askConn) SetReadDeadline(when time.Time) error { return c.SetDeadline(when) }

// SetWriteDeadline does nothing: a write never waits.
func (c *askConn) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr returns no address of note.
func (c *askConn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr returns no address of note.
func (c *askConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }
