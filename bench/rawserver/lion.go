package main

import (
	"errors"
	"time"

	"github.com/lion-go/lion/bench/internal/hello"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// serveLion serves on one loop. A connection has a task and a buffer while there is something
// to do, and neither while it is idle.
func serveLion(s settings) error {
	err := loop.Run(func(t *loop.Task) error {
		var opts []socket.SetupOption
		if s.deferred {
			opts = append(opts, socket.With(socket.DeferAccept, deferSeconds*time.Second))
		}
		listener, err := socket.ListenTCP(t.Loop(), s.address, opts...)
		if err != nil {
			return err
		}
		d := newDesk(s)
		announce(listener.Addr(), "lion")
		return socket.Serve(t, listener, d.handle)
	}, loop.CatchInterrupt())
	if errors.Is(err, loop.ErrInterrupt) {
		return nil
	}
	return err
}

// handle serves a connection until nothing of a request is pending.
func (d *desk) handle(t *loop.Task, c stream.Stream) error {
	buffer := hello.Buffer{Bytes: t.Buffer()[:hello.MaxRequest]}
	for {
		n, err := c.Receive(t, buffer.Free())
		if err != nil || n == 0 {
			return err
		}
		for answer := range d.answers(&buffer, n) {
			if err := c.SendAll(t, answer); err != nil {
				return err
			}
		}
		if d.once {
			return nil
		}
		if buffer.Pending() == 0 {
			return socket.GoIdle
		}
		if len(buffer.Free()) == 0 {
			return nil // A request larger than the buffer.
		}
	}
}
