package windows

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// TransmitFile (mswsock.h) sends from a file in the kernel, with bytes of memory
// before and after it. It is overlapped and has no readiness, so it is none of the
// calls that a loop makes again. Facts, and hence this code:
//
//   - What has begun belongs to the system until its event is set: it writes the
//     OVERLAPPED structure and reads the head and the tail until then. So all of
//     that is one object on the heap, which a table keeps until the event was seen.
//   - The socket may belong to a completion port, of a poller or of package net. An
//     event whose lowest bit is set keeps the packet away from it, see
//     GetQueuedCompletionStatus.
//   - The outcome is read from the OVERLAPPED structure and not asked for by the
//     number of the socket, which may be another's by then. CancelIoEx finds an
//     operation by its structure too: on a foreign socket it finds nothing.
//   - Wine 8 loses what meets the operation at work: a cancellation, though it says
//     that it was done, and a reset. So to cancel is asked for again until the event
//     is set.
//   - The tail goes even if the file ends before its part does. So the part is held
//     against the size of the file first; what shortens the file after that is met
//     by the count alone. Beyond the end of the file Windows has an error
//     (ERROR_HANDLE_EOF), and Wine sends the head and the tail.
//   - The offset is its caller's, but the position of the file moves, on some
//     versions of Windows.
//   - The call itself may read the disk, so even to begin may take long.
//   - It ends when the peer has acknowledged all, since the pages of the file are
//     what is sent. TF_WRITE_BEHIND would end it before, with a bound that nothing
//     tells of what the system then holds; so it is left out.
//   - Winsock promises of a send that is cancelled that the stream does not lose its
//     integrity: where it would, the connection is reset. Until then the count is
//     that of the bytes that the peer gets.
//   - Editions of Windows for clients carry out two at a time, in the whole system,
//     and let others wait. Two receivers that are slow would stop everybody's files,
//     and so Transmits advises against it there. Wine says that it is such an edition.

// Bounds of what one call is asked for.
const (
	// MaxTransmit is how many bytes of a file one call sends at most. The system
	// counts head, file and tail in 31 bits.
	MaxTransmit = 1 << 30

	// MaxTransmitEdge is how long a head or a tail may be: it is copied, and stays
	// in memory until the end.
	MaxTransmitEdge = 64 << 10
)

// cancelAgain is after how many milliseconds a cancellation is asked for again if
// nothing has come of it: Wine loses one that meets the operation at work.
const cancelAgain = 10

// Transmit is a transmission that is under way.
type Transmit struct {
	record     windows.Overlapped
	buffers    windows.TransmitFileBuffers
	head, tail []byte
	socket     windows.Handle
	event      windows.Handle // it has ended
	cancelled  windows.Handle // Cancel was called, also an event
	pending    bool           // the system still owned it when it began

	mu   sync.Mutex // between Cancel and the end
	over bool
}

// transmits are those that the system may still write to.
var transmits struct {
	sync.Mutex
	underway map[*Transmit]struct{}
}

// Transmits reports whether this system carries out any number of transmissions at a
// time: editions for servers do, see RtlGetVersion.
func Transmits() bool { return isServer() }

var isServer = sync.OnceValue(func() bool {
	const workstation = 1 // VER_NT_WORKSTATION
	return windows.RtlGetVersion().ProductType != workstation
})

// BeginTransmit has the system send head, n bytes of the file from the offset on,
// and tail over a stream socket, see TransmitFile. It may wait for a disk, but not
// for the peer; Wait must follow. A file that ends before has what there is sent and
// no tail, and nothing at all if there is nothing at the offset. The socket must stay
// open until Wait has returned. After an error nothing was sent: it is EINVAL for an
// n that is not in 1 to MaxTransmit, for a negative offset and for more than
// MaxTransmitEdge bytes of head or tail.
func BeginTransmit(
	socket, file FD, head []byte, offset int64, n int, tail []byte,
) (*Transmit, error) {
	if n < 1 || n > MaxTransmit || offset < 0 ||
		len(head) > MaxTransmitEdge || len(tail) > MaxTransmitEdge {
		return nil, EINVAL
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(file), &info); err != nil {
		return nil, err
	}
	left := int64(info.FileSizeHigh)<<32 + int64(info.FileSizeLow) - offset
	if left <= 0 {
		return &Transmit{}, nil
	}
	if int64(n) > left {
		n, tail = int(left), nil
	}
	t := &Transmit{socket: windows.Handle(socket)}
	t.head, t.tail = append(t.head, head...), append(t.tail, tail...)
	if err := t.begin(file, offset, n); err != nil {
		return nil, err
	}
	return t, nil
}

// begin asks the system.
func (t *Transmit) begin(file FD, offset int64, n int) (err error) {
	const manual = 1 // the events stay set
	if t.event, err = windows.CreateEvent(nil, manual, 0, nil); err != nil {
		return err
	}
	if t.cancelled, err = windows.CreateEvent(nil, manual, 0, nil); err != nil {
		_ = windows.CloseHandle(t.event)
		return err
	}
	t.record.HEvent = t.event | 1 // no packet for a completion port
	t.record.Offset, t.record.OffsetHigh = uint32(offset), uint32(offset>>32)
	t.buffers.Head, t.buffers.HeadLength = edge(t.head)
	t.buffers.Tail, t.buffers.TailLength = edge(t.tail)
	transmits.Lock()
	if transmits.underway == nil {
		transmits.underway = map[*Transmit]struct{}{}
	}
	transmits.underway[t] = struct{}{}
	transmits.Unlock()
	const defaults = 0 // blocks of the system's size; no flags
	err = windows.TransmitFile(t.socket, windows.Handle(file), uint32(n), defaults,
		&t.record, &t.buffers, defaults)
	switch err {
	case nil:
		return nil
	case windows.ERROR_IO_PENDING: // WSA_IO_PENDING
		t.pending = true
		return nil
	}
	t.end()
	if err == windows.WSAEWOULDBLOCK {
		return WouldBlock // too many requests under way
	}
	return err
}

// edge is a head or a tail as the system takes it. The caller keeps it alive.
func edge(b []byte) (uintptr, uint32) {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b))), uint32(len(b))
}

// Wait waits until the transmission has ended, blocking its thread, and returns how
// many bytes of head, file and tail went, also with an error. It must be called once;
// a second call is os.ErrClosed.
func (t *Transmit) Wait() (n int, err error) {
	t.mu.Lock()
	over := t.over
	t.mu.Unlock()
	if over {
		return 0, os.ErrClosed
	}
	if t.pending {
		if err := t.await(); err != nil {
			return 0, err // nothing may be freed: the system may still write
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return 0, os.ErrClosed
	}
	n = int(t.record.InternalHigh)
	err = transmitErrno(windows.NTStatus(t.record.Internal))
	t.end()
	return n, err
}

// await waits until the system has let go of the transmission.
func (t *Transmit) await() error {
	either := []windows.Handle{t.event, t.cancelled}
	which, err := windows.WaitForMultipleObjects(either, false, windows.INFINITE)
	if err != nil || which == windows.WAIT_OBJECT_0 {
		return err
	}
	return t.settle()
}

// transmitErrno is the error with which a transmission has ended. The end of the
// file is none: the count tells.
func transmitErrno(s windows.NTStatus) error {
	switch s {
	case windows.STATUS_SUCCESS, windows.STATUS_END_OF_FILE:
		return nil
	case windows.STATUS_CANCELLED:
		return Errno(windows.ERROR_OPERATION_ABORTED)
	case windows.STATUS_CONNECTION_RESET, windows.STATUS_REMOTE_DISCONNECT:
		return ECONNRESET
	case windows.STATUS_CONNECTION_ABORTED, windows.STATUS_LOCAL_DISCONNECT,
		windows.STATUS_CONNECTION_DISCONNECTED, windows.STATUS_HANDLES_CLOSED:
		return ECONNABORTED
	case windows.STATUS_IO_TIMEOUT, windows.STATUS_TIMEOUT:
		return ETIMEDOUT
	case windows.STATUS_GRACEFUL_DISCONNECT, windows.STATUS_PIPE_DISCONNECTED:
		return ESHUTDOWN
	case windows.STATUS_INVALID_CONNECTION:
		return ENOTCONN
	}
	if scarce(s) {
		return ENOBUFS
	}
	if err := statusErrno(s); err != error(s) {
		return err
	}
	return s.Errno() // what is left speaks of the file
}

// end frees what the system has let go of.
func (t *Transmit) end() {
	t.over = true
	if t.event == 0 {
		return
	}
	_ = windows.CloseHandle(t.event) // They were ours alone.
	_ = windows.CloseHandle(t.cancelled)
	transmits.Lock()
	delete(transmits.underway, t)
	transmits.Unlock()
}

// settle has the system give the transmission back once Cancel was called.
func (t *Transmit) settle() error {
	for {
		_ = windows.CancelIoEx(t.socket, &t.record) // it fails if it has ended
		over, err := windows.WaitForSingleObject(t.event, cancelAgain)
		if err != nil || over == windows.WAIT_OBJECT_0 {
			return err
		}
	}
}

// Cancel asks for an early end of the transmission: Wait returns soon, with an error
// and the count of what went, unless it has ended by itself. It may be called from
// any goroutine at any time, and does not wait.
func (t *Transmit) Cancel() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || !t.pending {
		return nil
	}
	return windows.SetEvent(t.cancelled)
}
