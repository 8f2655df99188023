package windows

import (
	"errors"
	"fmt"
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The one operation of the AFD driver that this package uses, and what is
// around it. None of it is documented by Microsoft; the names and layouts are
// those that wepoll (https://github.com/piscisaureus/wepoll), libuv and others
// have relied on since Windows Vista.

// ioctlAFDPoll ends when one of the sockets listed has one of the events
// wanted. The same structure carries question and answer.
const ioctlAFDPoll = 0x00012024

// afdForever is the timeout of polls.
const afdForever = math.MaxInt64

// The events of a poll. All are levels: a poll for what is already so ends at
// once. A connection refused or failed is afdConnectFail, a reset afdAbort,
// the peer's FIN afdDisconnect, and afdLocalClose says that the socket was
// closed in this process.
const (
	afdReceive          = 0x001
	afdReceiveExpedited = 0x002
	afdSend             = 0x004
	afdDisconnect       = 0x008
	afdAbort            = 0x010
	afdLocalClose       = 0x020
	afdConnect          = 0x040
	afdAccept           = 0x080
	afdConnectFail      = 0x100
)

// afdAlways are the events that every poll asks for: whatever was wanted will
// not come any more, so the waiter must look.
const afdAlways = afdAbort | afdLocalClose | afdConnectFail

// afdPollInfo is AFD_POLL_INFO with one handle.
type afdPollInfo struct {
	timeout   int64 // in 100 ns; this one never runs out
	count     uint32
	exclusive uint32 // a poll that is not leaves other polls of the socket alone
	handle    windows.Handle
	events    uint32
	status    uint32
}

// The driver reads and writes these structures by offset: a compiler that lays
// them out otherwise must not build this package. On 32-bit systems the handle
// is 4 bytes long, and C pads nothing that the driver looks at.
const (
	handleSize = unsafe.Sizeof(windows.Handle(0))
	infoSize   = 16 + handleSize + 8
	entrySize  = 4 * handleSize // its 32-bit count is padded on 64-bit systems
)

var (
	_ [0]struct{} = [unsafe.Sizeof(afdPollInfo{}) - infoSize]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(afdPollInfo{}.handle) - 16]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(afdPollInfo{}.events) - 16 - handleSize]struct{}{}
	_ [0]struct{} = [unsafe.Sizeof(packet{}) - entrySize]struct{}{}
	_ [0]struct{} = [unsafe.Sizeof(windows.IO_STATUS_BLOCK{}) - 2*handleSize]struct{}{}
)

// afdEvents translates what is wanted into events.
//
// afdConnect is not asked for: it stays up for as long as there is a
// connection, and afdSend comes with it. afdReceiveExpedited and afdDisconnect
// are asked for only by those whom they concern, since levels that nobody
// takes away would end every poll at once.
func afdEvents(want Interest) uint32 {
	events := uint32(afdAlways)
	if want&Readable != 0 {
		events |= afdReceive | afdAccept | afdDisconnect
	}
	if want&Writable != 0 {
		events |= afdSend
	}
	if want&Priority != 0 {
		events |= afdReceiveExpedited
	}
	return events
}

// readiness translates events back. An error or a hang-up is everything that
// was wanted, and both directions.
func readiness(events uint32, want Interest) Interest {
	var ready Interest
	if events&(afdReceive|afdAccept) != 0 {
		ready |= Readable
	}
	if events&(afdSend|afdConnect) != 0 {
		ready |= Writable
	}
	if events&afdReceiveExpedited != 0 {
		ready |= Priority | Unusual
	}
	if events&afdDisconnect != 0 {
		ready |= Readable | Unusual
	}
	if events&afdAlways != 0 {
		ready |= Readable | Writable | Unusual | want
	}
	return ready
}

// NT functions, winternl.h and ntifs.h, and one of ioapiset.h.
var (
	ntdll                 = windows.NewLazySystemDLL("ntdll.dll")
	procNtDeviceIoControl = ntdll.NewProc("NtDeviceIoControlFile")
	procNtCancelIoFileEx  = ntdll.NewProc("NtCancelIoFileEx")

	kernel32           = windows.NewLazySystemDLL("kernel32.dll")
	procDequeuePackets = kernel32.NewProc("GetQueuedCompletionStatusEx")
	procPostPacket     = kernel32.NewProc("PostQueuedCompletionStatus")
)

// packet is OVERLAPPED_ENTRY. The second field is what the submitter passed as
// context, a pointer by custom; here it is a number.
type packet struct {
	key      uintptr // packetAFD or packetWake
	context  uintptr // the slot of a registration
	internal uintptr
	bytes    uint32
}

// openAFD opens the driver: a helper handle through which sockets are polled.
// The name behind the device's is free; the port is told of its operations.
func openAFD(port windows.Handle) (windows.Handle, error) {
	name, err := windows.NewNTUnicodeString(`\Device\Afd\Lion`)
	if err != nil {
		return 0, err
	}
	attributes := &windows.OBJECT_ATTRIBUTES{ObjectName: name}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	var afd windows.Handle
	var iosb windows.IO_STATUS_BLOCK
	err = windows.NtCreateFile(&afd, windows.SYNCHRONIZE, attributes, &iosb, nil, 0,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, windows.FILE_OPEN, 0, 0, 0)
	if err != nil {
		return 0, fmt.Errorf("opening the AFD driver: %w", err)
	}
	if _, err = windows.CreateIoCompletionPort(afd, port, packetAFD, 0); err == nil {
		// Nobody waits for the handle itself, so it need not be signalled.
		err = windows.SetFileCompletionNotificationModes(afd, windows.FILE_SKIP_SET_EVENT_ON_HANDLE)
	}
	if err != nil {
		windows.CloseHandle(afd)
		return 0, err
	}
	return afd, nil
}

// startPoll submits the poll of r, whose info says what is wanted. Unless the
// answer is an error, a packet will come, also when it is done already.
//
// Both structures are fields of a registration: they are on the heap, and
// reachable from the poller's slots, until that packet has come.
func startPoll(afd windows.Handle, r *registration) windows.NTStatus {
	status, _, _ := syscall.SyscallN(procNtDeviceIoControl.Addr(), uintptr(afd), 0, 0,
		uintptr(r.slot), uintptr(unsafe.Pointer(&r.iosb)), ioctlAFDPoll,
		uintptr(unsafe.Pointer(&r.info)), unsafe.Sizeof(r.info),
		uintptr(unsafe.Pointer(&r.info)), unsafe.Sizeof(r.info))
	return windows.NTStatus(status)
}

// cancelPoll asks for the poll of r to end. Its packet comes in any case.
func cancelPoll(afd windows.Handle, r *registration) windows.NTStatus {
	var iosb windows.IO_STATUS_BLOCK
	status, _, _ := syscall.SyscallN(procNtCancelIoFileEx.Addr(), uintptr(afd),
		uintptr(unsafe.Pointer(&r.iosb)), uintptr(unsafe.Pointer(&iosb)))
	return windows.NTStatus(status)
}

// postPacket puts a packet of ours into a port's queue.
func postPacket(port windows.Handle, key, context uintptr) error {
	r, _, e := syscall.SyscallN(procPostPacket.Addr(), uintptr(port), 0, key, context)
	if r == 0 {
		return failure(e)
	}
	return nil
}

// dequeuePackets waits for packets, for at most the given time, and returns how
// many it took; 0 means that time ran out.
func dequeuePackets(port windows.Handle, packets []packet, milliseconds uint32) (int, error) {
	var n uint32
	r, _, e := syscall.SyscallN(procDequeuePackets.Addr(), uintptr(port),
		uintptr(unsafe.Pointer(&packets[0])), uintptr(len(packets)),
		uintptr(unsafe.Pointer(&n)), uintptr(milliseconds), 0)
	if r != 0 {
		return int(n), nil
	}
	if e == Errno(windows.WAIT_TIMEOUT) {
		return 0, nil
	}
	return 0, failure(e)
}

// scarce says whether a status means "not now": memory, quotas, or too many
// requests under way, which Winsock reports as WSAEWOULDBLOCK.
func scarce(s windows.NTStatus) bool {
	switch s {
	case windows.STATUS_INSUFFICIENT_RESOURCES, windows.STATUS_NO_MEMORY,
		windows.STATUS_QUOTA_EXCEEDED, windows.STATUS_WORKING_SET_QUOTA,
		windows.STATUS_PAGEFILE_QUOTA, windows.STATUS_COMMITMENT_LIMIT,
		windows.STATUS_DEVICE_NOT_READY, windows.STATUS_TOO_MANY_COMMANDS:
		return true
	}
	return false
}

// refused says whether a status is an error, so that no packet will come.
func refused(s windows.NTStatus) bool {
	return s>>30 == 3 // NT_ERROR, ntdef.h
}

// statusErrno is the error that a status means. The system's own translation
// (NTStatus.Errno) speaks of files.
func statusErrno(s windows.NTStatus) error {
	switch s {
	case windows.STATUS_INVALID_HANDLE, windows.STATUS_OBJECT_TYPE_MISMATCH:
		return ENOTSOCK
	case windows.STATUS_INVALID_PARAMETER:
		return EINVAL
	case windows.STATUS_ACCESS_DENIED:
		return EACCES
	case windows.STATUS_NOT_SUPPORTED, windows.STATUS_NOT_IMPLEMENTED,
		windows.STATUS_INVALID_DEVICE_REQUEST:
		return EOPNOTSUPP
	}
	return s
}

// The handles below a socket, mswsock.h.
const (
	sioBaseHandle    = 0x48000022
	sioBSPHandlePoll = 0x4800001d

	// maxLayers bounds the walk down through layered providers; there is
	// rarely one.
	maxLayers = 16
)

// errLayered tells of a broken network configuration, not of a caller's
// mistake.
var errLayered = fmt.Errorf("a layered service provider (LSP) on this machine hides "+
	"the sockets below it, so they cannot be waited for: %w", errors.ErrUnsupported)

// baseHandle returns the socket that the AFD driver knows for fd. It is fd
// itself unless a layered service provider (a firewall, a filter of some kind)
// wraps sockets. Some such providers break SIO_BASE_HANDLE but leave
// SIO_BSP_HANDLE_POLL alone, which leads one layer down.
func baseHandle(fd FD) (windows.Handle, error) {
	socket := windows.Handle(fd)
	for range maxLayers {
		base, err := handleBelow(socket, sioBaseHandle)
		if err == nil || err == ENOTSOCK {
			return base, err
		}
		next, err := handleBelow(socket, sioBSPHandlePoll)
		if err != nil || next == socket {
			return 0, errLayered
		}
		socket = next
	}
	return 0, errLayered
}

func handleBelow(socket windows.Handle, request uint32) (windows.Handle, error) {
	var below windows.Handle
	var got uint32
	err := windows.WSAIoctl(socket, request, nil, 0, (*byte)(unsafe.Pointer(&below)),
		uint32(handleSize), &got, nil, 0)
	return below, err
}

var procGetHandleInformation = kernel32.NewProc("GetHandleInformation")

// isHandle says whether fd is an open handle of any kind. Negative ones are
// pseudo handles, such as that of this process.
func isHandle(fd FD) bool {
	var flags uint32
	r, _, _ := syscall.SyscallN(procGetHandleInformation.Addr(),
		uintptr(fd), uintptr(unsafe.Pointer(&flags)))
	return r != 0 && fd >= 0
}
