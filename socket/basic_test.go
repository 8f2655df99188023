package socket_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

func TestServeEcho(t *testing.T) {
	err := loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		to := ln.Addr().AddrPort()
		s, err := socket.NewServer(ln, func(t *loop.Task, c stream.Stream) error {
			b := t.Buffer()
			n, err := c.Receive(t, b)
			if err != nil || n == 0 {
				return err
			}
			if err := c.SendAll(t, b[:n]); err != nil {
				return err
			}
			return socket.GoIdle
		})
		if err != nil {
			return err
		}
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(s.Serve)
			c, err := socket.ConnectTCP(t, to)
			if err != nil {
				return err
			}
			b := make([]byte, 10)
			for range 3 {
				if err := c.SendAll(t, []byte("hello")); err != nil {
					return err
				}
				k, err := c.Receive(t, b)
				if err != nil || string(b[:k]) != "hello" {
					return err
				}
			}
			c.Close()
			s.Stop()
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
