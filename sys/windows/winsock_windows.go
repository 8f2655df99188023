package windows

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The functions of Winsock that x/sys lacks, or whose wrappers there allocate
// or take another form. They are called through syscall.SyscallN, with each
// pointer converted in the argument list itself: only then is it kept alive
// and up to date if the stack moves.
var (
	ws2 = windows.NewLazySystemDLL("ws2_32.dll")

	procAccept      = ws2.NewProc("accept")
	procBind        = ws2.NewProc("bind")
	procConnect     = ws2.NewProc("connect")
	procGetpeername = ws2.NewProc("getpeername")
	procGetsockname = ws2.NewProc("getsockname")
	procGetsockopt  = ws2.NewProc("getsockopt")
	procIoctlsocket = ws2.NewProc("ioctlsocket")
	procListen      = ws2.NewProc("listen")
	procRecv        = ws2.NewProc("recv")
	procSend        = ws2.NewProc("send")
	procSetsockopt  = ws2.NewProc("setsockopt")
	procShutdown    = ws2.NewProc("shutdown")
	procWSAPoll     = ws2.NewProc("WSAPoll")
	procWSARecvFrom = ws2.NewProc("WSARecvFrom")
	procWSASendTo   = ws2.NewProc("WSASendTo")
)

const (
	// socketFlags: overlapped, because the poller's driver wants it; not
	// inheritable, because a child must not hold our connections open.
	socketFlags = windows.WSA_FLAG_OVERLAPPED | windows.WSA_FLAG_NO_HANDLE_INHERIT

	fionbio         = 0x8004667e // FIONBIO, winsock2.h
	sioUDPConnReset = 0x9800000c // SIO_UDP_CONNRESET, mstcpip.h
	sioUDPNetReset  = 0x9800000f // SIO_UDP_NETRESET, mswsock.h
)

// startWinsock makes Winsock usable in this process, once. Sockets and pollers
// begin with it; everything else needs one of them, or somebody else's socket.
var startWinsock = sync.OnceValue(func() error {
	var data windows.WSAData
	return windows.WSAStartup(0x0202, &data) // version 2.2
})

// failed says whether a Winsock function returned SOCKET_ERROR. The result is
// a C int: only the lower half of the register counts.
func failed(r uintptr) bool {
	return int32(r) == -1
}

// failure is the error of a function that failed with code e.
func failure(e syscall.Errno) error {
	switch e {
	case windows.WSAEWOULDBLOCK:
		return WouldBlock
	case 0:
		return EINVAL // a failure that names no reason; never seen, but not nil
	}
	return e
}

// nothing stands for the first byte of an empty buffer: Winsock refuses null
// pointers even when there is nothing to read or write.
var nothing byte

// first returns a pointer to the first byte of b that is never nil.
func first(b []byte) *byte {
	if len(b) == 0 {
		return &nothing
	}
	return unsafe.SliceData(b)
}

// ioctlBool sets a flag by ioctlsocket.
func ioctlBool(fd FD, request uint32, on bool) error {
	var arg uint32
	if on {
		arg = 1
	}
	r, _, e := syscall.SyscallN(procIoctlsocket.Addr(),
		uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(&arg)))
	if failed(r) {
		return failure(e)
	}
	return nil
}

// wsaIoctlOff sets a flag of WSAIoctl to false and ignores the answer: the
// flags concerned are improvements that not every system knows.
func wsaIoctlOff(fd FD, request uint32) {
	var off, got uint32
	_ = windows.WSAIoctl(windows.Handle(fd), request,
		(*byte)(unsafe.Pointer(&off)), 4, nil, 0, &got, nil, 0)
}
