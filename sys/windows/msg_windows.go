package windows

import (
	"encoding/binary"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Scatter-gather and control data.
//
// Winsock has two pairs of functions. WSARecvFrom and WSASendTo take vectors
// and an address and work on every socket. WSARecvMsg and WSASendMsg also take
// control data and work on datagram and raw sockets only, the first reached by
// a pointer that an ioctl hands out. Control data on streams does not exist on
// Windows, so streams always go the first way.

// MaxBuffers is how many buffers one call takes at most: the limit of Unix
// (IOV_MAX), also a limit of Winsock implementations.
const MaxBuffers = 1024

// Msg is what [RecvMsg] and [SendMsg] work on. A Msg that is used again
// allocates nothing.
type Msg struct {
	// Buffers are the caller's; more than MaxBuffers are an EMSGSIZE error.
	// No buffers at all mean an empty datagram.
	Buffers [][]byte

	// Name is the destination for SendMsg, if its family is not AF_UNSPEC.
	// RecvMsg fills it with the sender's address if WantName is set.
	Name     Sockaddr
	WantName bool

	// Control is control data for SendMsg, and room for it for RecvMsg, which
	// reslices it to what came. Windows never passes descriptors in it.
	Control []byte

	// WantRights is for systems that pass descriptors.
	WantRights bool

	// Flags are set by RecvMsg: MSG_TRUNC if the datagram was longer than the
	// buffers, MSG_CTRUNC if the control data were, and what else the system
	// reports.
	Flags int

	// N is how many bytes the last successful transfer stored or sent.
	N int

	vector  []windows.WSABuf
	control []byte // receives control data when Control is small
}

// load makes the kernel's form of m.Buffers, of at most limit bytes, and
// returns how many bytes that are. The vector has at least one element.
func (m *Msg) load(limit int) (int, error) {
	if len(m.Buffers) > MaxBuffers {
		return 0, EMSGSIZE
	}
	total := 0
	m.vector = m.vector[:0]
	for _, b := range m.Buffers {
		n := min(len(b), limit-total)
		m.vector = append(m.vector, windows.WSABuf{Len: uint32(n), Buf: first(b)})
		if total += n; total == limit {
			break
		}
	}
	if len(m.vector) == 0 {
		m.vector = append(m.vector, windows.WSABuf{Buf: &nothing})
	}
	return total, nil
}

// unload lets go of the caller's buffers.
func (m *Msg) unload() {
	clear(m.vector)
}

// RecvMsg receives into m.Buffers, one after the other, and sets m.Name (if
// asked for), m.Control and m.Flags. A datagram too long for the buffers is
// cut and flagged, not an error. A stream is at its end when it returns 0 for
// buffers that have room. After an error m is unchanged but for an unspecified
// Name.
func RecvMsg(fd FD, m *Msg, flags int) (int, error) {
	room, err := m.load(recvMax)
	if err != nil {
		return 0, err
	}
	defer m.unload()
	flags &^= MSG_WAITALL
	var n int
	if len(m.Control) > 0 && !isStream(fd) {
		n, err = m.recvControl(fd, room, flags)
	} else if n, err = m.recvPlain(fd, room, flags); err == nil {
		m.Control = m.Control[:0]
	}
	if err != nil && m.WantName {
		m.Name.Reset()
	}
	return n, err
}

func (m *Msg) recvPlain(fd FD, room, flags int) (int, error) {
	var name *byte
	var nameLength *int32
	if m.WantName {
		m.Name.length = int32(len(m.Name.raw))
		name, nameLength = &m.Name.raw[0], &m.Name.length
	}
	got, seen := uint32(0), uint32(flags)
	r, _, e := syscall.SyscallN(procWSARecvFrom.Addr(), uintptr(fd),
		uintptr(unsafe.Pointer(&m.vector[0])), uintptr(len(m.vector)),
		uintptr(unsafe.Pointer(&got)), uintptr(unsafe.Pointer(&seen)),
		uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(nameLength)), 0, 0)
	if m.WantName && m.Name.length == int32(len(m.Name.raw)) {
		m.Name.Reset() // untouched: a stream has no sender
	}
	if failed(r) {
		return m.received(e, got, seen, room)
	}
	return m.received(0, got, seen, room)
}

// controlMax is room for all control data that a datagram can come with: each
// kind once, and the largest is a packet info of 24 bytes and a header.
const controlMax = 512

// recvControl receives with room for all control data, also when the caller's
// is smaller: where control data is cut, the call fails and not every system
// tells how much data came.
func (m *Msg) recvControl(fd FD, room, flags int) (int, error) {
	recvMsg, err := wsaRecvMsg()
	if err != nil {
		return 0, err
	}
	control := m.Control
	if len(control) < controlMax {
		if m.control == nil {
			m.control = make([]byte, controlMax)
		}
		control = m.control
	}
	msg := windows.WSAMsg{
		Buffers: &m.vector[0], BufferCount: uint32(len(m.vector)), Flags: uint32(flags),
		Control: windows.WSABuf{Len: uint32(len(control)), Buf: &control[0]},
	}
	if m.WantName {
		msg.Name = (*syscall.RawSockaddrAny)(unsafe.Pointer(&m.Name.raw))
		msg.Namelen = int32(len(m.Name.raw))
	}
	var got uint32
	r, _, e := syscall.SyscallN(recvMsg, uintptr(fd), uintptr(unsafe.Pointer(&msg)),
		uintptr(unsafe.Pointer(&got)), 0, 0)
	if !failed(r) {
		e = 0
	}
	n, err := m.received(e, got, msg.Flags, room)
	if err != nil {
		return 0, err
	}
	if m.WantName {
		m.Name.length = msg.Namelen
		m.Name.clip()
	}
	m.keepControl(control[:min(int(msg.Control.Len), len(control))])
	return n, nil
}

// keepControl gives the caller the control messages that fit, whole ones only.
func (m *Msg) keepControl(came []byte) {
	n := 0
	for n < len(came) {
		size := controlSize(came[n:])
		if size == 0 || n+size > len(m.Control) {
			m.Flags |= MSG_CTRUNC
			break
		}
		n += size
	}
	copy(m.Control, came[:n])
	m.Control = m.Control[:n]
}

// controlSize returns how many bytes the first control message of b takes, or
// 0 if it is not whole. A WSACMSGHDR begins with a size_t, its own length with
// the data; the next message is aligned like a size_t (WSA_CMSG_ALIGN).
func controlSize(b []byte) int {
	const align = uint64(handleSize)
	var header [8]byte
	if copy(header[:handleSize], b) < int(handleSize) {
		return 0
	}
	size := binary.LittleEndian.Uint64(header[:])
	if size < align || size > uint64(len(b)) {
		return 0
	}
	return int(min((size+align-1)&^(align-1), uint64(len(b))))
}

// received ends a receive that failed with e, or succeeded if that is 0.
// WSAEMSGSIZE means that something was cut; if the kernel does not say what,
// it was the data, and the buffers are full.
func (m *Msg) received(e Errno, got, flags uint32, room int) (int, error) {
	switch e {
	case 0, windows.WSAESHUTDOWN: // the latter as in Recv
	case windows.WSAEMSGSIZE:
		if flags&MSG_CTRUNC == 0 {
			flags |= MSG_TRUNC
		}
		if got == 0 && flags&MSG_TRUNC == 0 && room > 0 {
			return 0, failure(e) // control data was cut, and how much else is unknown
		}
		if got == 0 {
			got = uint32(room)
		}
	default:
		return 0, failure(e)
	}
	const asked = MSG_PEEK | MSG_WAITALL // these come back as they were given
	m.Flags, m.N = int(flags&^asked), int(got)
	return m.N, nil
}

// SendMsg sends m.Buffers as one stretch of data or one datagram, to m.Name if
// that is set, with m.Control. It may send less on a stream, and at most
// 128 KiB. No buffers at all send an empty datagram.
func SendMsg(fd FD, m *Msg, flags int) (int, error) {
	if _, err := m.load(sendMax); err != nil {
		return 0, err
	}
	defer m.unload()
	name, nameLength := m.Name.pointer()
	var sent uint32
	var r uintptr
	var e Errno
	if len(m.Control) == 0 {
		r, _, e = syscall.SyscallN(procWSASendTo.Addr(), uintptr(fd),
			uintptr(unsafe.Pointer(&m.vector[0])), uintptr(len(m.vector)),
			uintptr(unsafe.Pointer(&sent)), uintptr(flags),
			uintptr(unsafe.Pointer(name)), nameLength, 0, 0)
	} else {
		msg := windows.WSAMsg{
			Name:    (*syscall.RawSockaddrAny)(unsafe.Pointer(name)),
			Namelen: int32(nameLength),
			Buffers: &m.vector[0], BufferCount: uint32(len(m.vector)),
			Control: windows.WSABuf{Len: uint32(len(m.Control)), Buf: &m.Control[0]},
		}
		r, _, e = syscall.SyscallN(procWSASendMsg.Addr(), uintptr(fd),
			uintptr(unsafe.Pointer(&msg)), uintptr(flags), uintptr(unsafe.Pointer(&sent)), 0, 0)
	}
	if failed(r) {
		return 0, failure(e)
	}
	m.N = int(sent)
	return m.N, nil
}

// isStream says whether a socket is one; Winsock answers without a system
// call.
func isStream(fd FD) bool {
	typ, err := GetsockoptInt(fd, SOL_SOCKET, SO_TYPE)
	return err == nil && typ == SOCK_STREAM
}

var procWSASendMsg = ws2.NewProc("WSASendMsg")

// wsaRecvMsg returns the address of WSARecvMsg, which is not exported by name.
var wsaRecvMsg = remembered(func() (uintptr, error) {
	fd, err := Socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)
	if err != nil {
		return 0, err
	}
	defer Close(fd)
	guid := windows.WSAID_WSARECVMSG
	var address uintptr
	var got uint32
	err = windows.WSAIoctl(windows.Handle(fd), windows.SIO_GET_EXTENSION_FUNCTION_POINTER,
		(*byte)(unsafe.Pointer(&guid)), uint32(unsafe.Sizeof(guid)),
		(*byte)(unsafe.Pointer(&address)), uint32(unsafe.Sizeof(address)), &got, nil, 0)
	return address, err
})

// remembered asks until there was an answer, and gives that from then on. A
// failure is not remembered: asking takes a socket, of which there may be none
// just now.
func remembered(ask func() (uintptr, error)) func() (uintptr, error) {
	var known atomic.Uintptr
	return func() (uintptr, error) {
		if address := known.Load(); address != 0 {
			return address, nil
		}
		address, err := ask()
		if err == nil {
			known.Store(address)
		}
		return address, err
	}
}
