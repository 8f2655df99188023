package socket_test

import (
	"bytes"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// Torture: bodies in which every call of the kernel is made to fail, in a build
// with the tag faults; without it each runs once.

// echoUntilEnd serves one connection until its end.
func echoUntilEnd(task *loop.Task, ln *socket.Listener) error {
	c, err := ln.Accept(task)
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, 20)
	for {
		n, err := c.Receive(task, b)
		if err != nil || n == 0 {
			return err
		}
		if err := c.SendAll(task, b[:n]); err != nil {
			return err
		}
	}
}

// talk sends a text and wants it back, or a prefix of it and an error.
func talk(task *loop.Task, t *testing.T, s stream.Stream, text []byte) error {
	if err := s.SendAll(task, text); err != nil {
		return err
	}
	back := make([]byte, len(text))
	n, err := stream.ReceiveExactly(task, s, back)
	if !bytes.Equal(back[:n], text[:n]) {
		t.Errorf("%q came back, other than %q", back[:n], text)
	}
	if err == nil && n != len(text) {
		t.Errorf("%d bytes of %d came back, without an error", n, len(text))
	}
	return err
}

func TestFaultsEcho(t *testing.T) {
	t.Log(looptest.EachFault(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			if err := n.Spawn(func(task *loop.Task) error { return echoUntilEnd(task, ln) }); err != nil {
				return err
			}
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			if err != nil {
				return err
			}
			defer c.Close()
			return talk(task, t, c, []byte("the quick brown fox jumps over it"))
		})
	}))
}
