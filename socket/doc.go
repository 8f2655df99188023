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
// # Datagrams
//
// A datagram socket is a Socket, made by ListenUDP or ConnectUDP; RecvFrom and SendTo are all that a simple
// protocol needs, and allocate nothing. RecvMsg and SendMsg add buffers in
// pieces, flags (sys.MSG_TRUNC: a datagram was cut) and control data: where a
// datagram came to (ReceivePacketInfo), its hop limit, its class with ECN, its
// time. Control builds such data and ControlMessages reads them.
//
// When many are under way, RecvBatch and SendBatch move up to MaxBatch of them in
// one call; a batch does not wait until it is full. A burst to one peer is
// cheaper still as one message that the kernel cuts: SegmentSender does that, also
// for answers of one size within a batch, and sends one by one to destinations
// where it cannot be done. ReceiveOffload puts
// bursts together on the other side, and Segments takes them apart.
//
// A zero-length datagram is a message like any other, and no end. What ICMP
// reports is the error of one call on a connected socket, which can be used
// after; with ReceiveErrors, Linux keeps the whole story in the error queue,
// which RecvMsg with sys.MSG_ERRQUEUE waits for. On Linux a full send buffer
// makes a sender wait; on macOS a full queue of an interface is sys.ENOBUFS, to
// be answered by doing less.
//
// Groups are joined by JoinGroup and its like.
//
// docs/sockets.md in the repository tells for each call and option what each
// system does, and where that was proved.
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
