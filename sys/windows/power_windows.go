package windows

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Operations that complete later: what has no readiness on Windows (files, named
// pipes, TransmitFile), through the same completion port as the poller's own.
//
// The system writes the outcome to a structure whose address it was given, and
// the data to the caller's memory, at any time until the packet of the operation
// has been taken from the port; cancelling only asks for an early end. So the
// record of an operation is an object on the heap, the poller holds it, and
// through it the memory, until then. An operation on a handle that does not
// belong to the port would never end here, so none is begun on one.

type (
	// Kevent is one event of kqueue(2), or a change.
	Kevent = seam.Kevent
	// Completion is a packet that was posted to a completion port.
	Completion = seam.Completion
)

// packetOverlapped is the key of packets of operations; keys of posted packets
// follow it.
const (
	packetOverlapped = 3
	packetPosted     = 16
)

// OverlappedPending is what a call answers that has begun an operation.
var OverlappedPending error = windows.ERROR_IO_PENDING

// Overlapped is the record of one operation that completes later. It belongs to
// the poller until its packet has come.
type Overlapped struct {
	record windows.Overlapped
	handle windows.Handle
	kept   []byte
}

// Pointer is the address of the OVERLAPPED structure, for the system call that
// begins the operation.
func (o *Overlapped) Pointer() unsafe.Pointer { return unsafe.Pointer(&o.record) }

// Keep keeps memory that the operation reads or writes alive until its end, and
// has it be on the heap, where nothing moves.
func (o *Overlapped) Keep(b []byte) { o.kept = b }

// Result is how many bytes the operation that has ended moved, and its error.
func (o *Overlapped) Result() (int, error) {
	var n uint32
	err := windows.GetOverlappedResult(o.handle, &o.record, &n, false)
	return int(n), err
}

// Aborted reports whether the operation ended because it was cancelled.
func (o *Overlapped) Aborted() bool {
	_, err := o.Result()
	return err == windows.ERROR_OPERATION_ABORTED
}

// Read begins a read of a file or pipe at an offset, see ReadFile.
func (o *Overlapped) Read(b []byte, offset int64) error {
	return o.transfer(windows.ReadFile, b, offset)
}

// Write begins a write to a file or pipe at an offset, see WriteFile.
func (o *Overlapped) Write(b []byte, offset int64) error {
	return o.transfer(windows.WriteFile, b, offset)
}

func (o *Overlapped) transfer(
	call func(windows.Handle, []byte, *uint32, *windows.Overlapped) error, b []byte, offset int64,
) error {
	if offset < 0 {
		return EINVAL
	}
	o.Keep(b)
	o.record.Offset, o.record.OffsetHigh = uint32(offset), uint32(offset>>32)
	return call(o.handle, b, nil, &o.record)
}

// RegisterHandle has the operations of a handle, which must be open for
// overlapped ones, complete at this poller. A handle belongs to one for life. A
// closed poller answers os.ErrClosed.
func (p *Poller) RegisterHandle(h FD) error {
	if p.sockets == nil {
		return os.ErrClosed
	}
	if _, known := p.handles[h]; known {
		return nil
	}
	if _, err := windows.CreateIoCompletionPort(windows.Handle(h), p.port, packetOverlapped, 0); err != nil {
		return err
	}
	if p.handles == nil {
		p.handles = map[FD]struct{}{}
		p.underwayOps = map[uintptr]*Overlapped{}
	}
	p.handles[h] = struct{}{}
	return nil
}

// ForgetHandle is to be called before a registered handle is closed.
func (p *Poller) ForgetHandle(h FD) { delete(p.handles, h) }

var errNotRegistered = errors.New("the handle was not registered with this loop")

// Begin makes the record of an operation on a registered handle. The call that
// begins it follows; if that fails, Abandon. Another handle is an error that
// matches EINVAL.
func (p *Poller) Begin(h FD) (*Overlapped, error) {
	if _, known := p.handles[h]; !known {
		return nil, errors.Join(errNotRegistered, EINVAL)
	}
	o := &Overlapped{handle: windows.Handle(h)}
	p.underwayOps[uintptr(o.Pointer())] = o
	return o, nil
}

// Abandon gives up a record whose operation was not begun.
func (p *Poller) Abandon(o *Overlapped) { delete(p.underwayOps, uintptr(o.Pointer())) }

// Cancel asks for an early end of an operation; its packet comes in any case.
func (p *Poller) Cancel(o *Overlapped) error {
	err := windows.CancelIoEx(o.handle, &o.record)
	if err == windows.ERROR_NOT_FOUND {
		return nil // it has ended, and its packet is on its way
	}
	return err
}

// Completed are the operations that have ended, and the packets that were
// posted, since the last call. They are valid until the next Wait.
func (p *Poller) Completed() ([]*Overlapped, []Completion) {
	ended, posted := p.completed, p.posted
	p.completed, p.posted = p.completed[:0], p.posted[:0]
	return ended, posted
}

// PostCompletion puts a packet in the queue of the port, from any thread.
func (p *Poller) PostCompletion(c Completion) error {
	p.wake.mu.Lock()
	defer p.wake.mu.Unlock()
	if p.wake.closed {
		return os.ErrClosed
	}
	r, _, e := syscall.SyscallN(procPostPacket.Addr(), uintptr(p.port), uintptr(c.Bytes),
		uintptr(packetPosted+c.Key), 0)
	if r == 0 {
		return failure(e)
	}
	return nil
}

// foreignPacket keeps what is neither a poll nor a wake-up.
func (p *Poller) foreignPacket(packet *packet) {
	if packet.key >= packetPosted {
		p.posted = append(p.posted, Completion{Key: uint64(packet.key - packetPosted), Bytes: packet.bytes})
		return
	}
	if o := p.underwayOps[packet.context]; o != nil {
		delete(p.underwayOps, packet.context)
		p.completed = append(p.completed, o)
	}
}

// OverlappedScarce reports whether an operation could not begin because too
// many are under way, or memory is: to be tried again later.
func OverlappedScarce(err error) bool {
	const tooManyPending = Errno(windows.ERROR_INVALID_USER_BUFFER) // WriteFile says so
	e, ok := err.(Errno)
	return ok && (e == windows.WSAEWOULDBLOCK || e == windows.WSAENOBUFS || e == tooManyPending ||
		e == windows.ERROR_NOT_ENOUGH_MEMORY || e == windows.ERROR_NO_SYSTEM_RESOURCES ||
		e == windows.ERROR_NOT_ENOUGH_QUOTA) || err == WouldBlock
}

// OpenOverlapped opens a file that exists for overlapped reads or, with write,
// writes. Close it with CloseHandle; an os.File would make it the Go runtime's.
func OpenOverlapped(name string, write bool) (FD, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return Invalid, err
	}
	access := uint32(windows.GENERIC_READ)
	if write {
		access = windows.GENERIC_WRITE
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE
	h, err := windows.CreateFile(path, access, share, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		return Invalid, err
	}
	return FD(h), nil
}

// pipes counts the pipes of this process, for their names.
var pipes atomic.Uint64

// OverlappedPipe makes a pipe whose ends take overlapped operations: a named
// one, since others do not. Close both with CloseHandle.
func OverlappedPipe() (r, w FD, err error) {
	name := fmt.Sprintf(`\\.\pipe\lion-%d-%d`, os.Getpid(), pipes.Add(1))
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return Invalid, Invalid, err
	}
	const room = 4096 // bytes that fit without a reader; a hint
	h, err := windows.CreateNamedPipe(path,
		windows.PIPE_ACCESS_INBOUND|windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		windows.PIPE_TYPE_BYTE|windows.PIPE_REJECT_REMOTE_CLIENTS, 1, room, room, 0, nil)
	if err != nil {
		return Invalid, Invalid, err
	}
	if w, err = OpenOverlapped(name, true); err != nil {
		windows.CloseHandle(h)
		return Invalid, Invalid, err
	}
	return FD(h), w, nil
}

// CloseHandle closes a handle that is not a socket.
func CloseHandle(h FD) error { return windows.CloseHandle(windows.Handle(h)) }
