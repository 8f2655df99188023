// Package socket is the network for tasks: sockets with the whole interface of
// the kernel, streams, listeners, and a server.
//
//	ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:7000")
//	if err != nil {
//		return err
//	}
//	return socket.Serve(t, ln, func(t *loop.Task, c stream.Stream) error {
//		buf := t.Buffer()
//		for {
//			n, err := c.Receive(t, buf)
//			if err != nil || n == 0 { // 0: the peer is done sending
//				return err
//			}
//			if err := c.SendAll(t, buf[:n]); err != nil {
//				return err
//			}
//		}
//	})
//
// # Layers
//
// A Socket is a descriptor with the operations of the man pages. What would
// block takes a task and suspends it; the twins that end in Nowait answer
// ErrWouldBlock instead. A Conn is a stream.Stream over a connected Socket. A
// Listener accepts, and survives what goes wrong with single connections or
// when descriptors run out. Serve runs a handler for each connection, holds
// neither a task nor a buffer for those that are idle, and ends with grace.
//
// TLS is crypto/tls over any stream: TLSClient, TLSServer, and the option WithTLS
// of a server.
//
// Addresses are literal: names are resolved by package resolver, and dialed by
// package eyeballs; Resolve is the seam between them.
//
// # Conventions
//
// All objects belong to one loop and are used from its tasks and callbacks.
// There is no hidden queue: a sender waits for its peer. Close is
// sync-coloured and never blocks; tasks that wait on what is closed wake with
// loop.ErrClosed. Two tasks in the same direction of a connection: the second
// gets loop.ErrBusy.
//
// Errors are *OpError, wrapped once with the operation and the address. They
// match the errno, and loop.ErrClosed or loop.ErrBroken where these apply.
// What a system does not have answers errors.ErrUnsupported.
package socket
