// Package stream says what a byte stream is: the interface that TCP and unix
// connections, TLS, pipes and memory streams satisfy, and the small helpers
// that work on any of them: a Reader for lines and other units with a limit,
// ReceiveExactly, SendAllVectored, and Staple, which makes one stream of two
// pipes.
//
// Pipe makes a pipe of the system, and AdoptReader and AdoptWriter take over
// descriptors from elsewhere. NewMemory and NewLockstep make streams that need
// no system.
//
// A Writer is a bounded queue of messages in front of a stream, for those who
// hand one message to many: Put never waits, and what comes within a turn goes
// out in one send. Its Policy says what becomes of a message when the peer is
// slow and the queue is full: Refuse it with loop.ErrFull, DropOldest to make
// room for it, DropNewest, which is that message, or CloseSlow, which gives up
// the stream. To wait for room instead, Send.
//
// # The contract
//
// Receive returns at least one byte, or 0 and nil at the end: the peer is done
// sending. The end is not a close: the other direction goes on, and a reply
// can still be sent. After the end every Receive answers 0 and nil again.
//
// SendAll returns when everything has been handed over, or with an error. It
// has no queue of its own: if the peer does not read, the sender waits. So
// memory stays bounded, whatever the peer does. If it is cancelled or the
// stream breaks half-way, the error says how much went: see SendError. The
// buffer is the caller's again as soon as the call has returned.
//
// SendEOF says that nothing more will be sent; it is idempotent, and a later
// SendAll answers ErrClosed. Close ends both directions at once and never
// blocks; what was sent before is still delivered by the system. Closing again
// has no effect. Tasks that wait on a stream that is closed wake with
// ErrClosed.
//
// One task may receive while another one sends. Two in one direction would mix
// up their bytes: the second gets ErrBusy, and nothing happens to the first.
//
// An Abort, where there is one, is a Close that drops what is on its way: the
// peer gets an error instead of the end. Where there is none, Close serves.
//
// A ReceiveCloser and a SendCloser are streams that go one way. There Close is
// how the peer of a sender comes to the end.
//
// looptest.TestStream and looptest.TestOneWay check all this, for
// implementations of your own.
//
// Errors match loop.ErrClosed if this side closed the stream, loop.ErrBroken
// if anything else broke it, and loop.Cancelled if the scope was cancelled.
package stream
