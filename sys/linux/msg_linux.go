package linux

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendmsg(2) and recvmsg(2) take a struct msghdr with pointers to a name, to
// control data and to an array of buffers (iovecs). The header and the array
// live in the frame of the function that makes the call: stored anywhere else,
// or even through a pointer, they would force the caller's buffers to the heap.
// That is why headers travel by value here. A frame has room for a few iovecs
// or for all that the kernel takes; the latter is 16 KiB of stack, hence two
// functions, few and many.

// MaxBuffers is the most buffers one message can have, UIO_MAXIOV in
// include/uapi/linux/uio.h. More are EMSGSIZE.
const MaxBuffers = 1024

// fewBuffers are enough for a header, a body and a batch of answers.
const fewBuffers = 16

// Msg is one message to be sent, or the room for one to be received. It may
// be reused, and neither it nor its buffers escape.
type Msg struct {
	// Buffers are the caller's. They may be empty, and there may be none: that
	// sends or takes an empty datagram.
	Buffers [][]byte
	// Name is the destination of SendMsg if it is set (its family is not
	// AF_UNSPEC). RecvMsg stores the sender here if WantName is set; a stream
	// has none to report, which makes Name unspecified.
	Name     Sockaddr
	WantName bool
	// Control is the control data to be sent, see cmsg(3), or the room for
	// some, which RecvMsg reslices to what came.
	Control []byte
	// WantRights asks for descriptors that come along in Control: those that the
	// peer passed, and the one of its process if SO_PASSPIDFD is set. Without it
	// those that come are closed.
	WantRights bool
	// Flags are MSG_TRUNC, MSG_CTRUNC, MSG_OOB and others as RecvMsg reported
	// them.
	Flags int
	// N is how many bytes the last successful transfer stored or sent.
	N int
}

// RecvMsg receives one message into m, see recvmsg(2), and returns how many
// bytes were stored. m.Flags tells whether data (MSG_TRUNC) or control data
// (MSG_CTRUNC) did not fit. Descriptors that come along are not inherited by
// children, and are the caller's to close if WantRights is set. If it is not, or
// if MSG_CTRUNC means that some were lost, RecvMsg closes those that came and
// puts -1 in their places in m.Control. More than MaxBuffers are EMSGSIZE. RecvMsg never waits. After an
// error m is unchanged but for an unspecified Name.
func RecvMsg(fd FD, m *Msg, flags int) (int, error) {
	o := transfer(unix.SYS_RECVMSG, fd, m, m.recvHeader(), receiveFlags(flags, m.Control))
	if o.e == EINVAL && len(m.Control) > 0 {
		o = transfer(unix.SYS_RECVMSG, fd, m, m.recvHeader(), receiveFlags(flags, nil))
	}
	if o.e != 0 {
		if m.WantName {
			m.Name.Reset()
		}
		return 0, answer(o.e)
	}
	m.received(o)
	return m.N, nil
}

// receiveFlags are the flags of a receive. Descriptors come with control data
// only, and are to be close-on-exec. Families that pass none may refuse that
// flag (packet_recvmsg in net/packet/af_packet.c does); then it is left out.
func receiveFlags(flags int, control []byte) uintptr {
	if len(control) == 0 {
		return uintptr(flags) | unix.MSG_DONTWAIT
	}
	return uintptr(flags) | unix.MSG_DONTWAIT | unix.MSG_CMSG_CLOEXEC
}

// received notes what a receive brought.
func (m *Msg) received(o outcome) {
	if m.WantName {
		m.Name.size = o.namelen
		m.Name.clip()
	}
	m.N = int(o.n)
	m.Control = m.Control[:o.controllen]
	m.Flags = int(o.flags) &^ unix.MSG_CMSG_CLOEXEC // the kernel repeats our own
	if o.controllen > 0 && (!m.WantRights || m.Flags&unix.MSG_CTRUNC != 0) {
		closeRights(m.Control)
	}
}

// SendMsg sends m, see sendmsg(2), to m.Name if that is set; a stream may take
// fewer bytes than there are. A closed peer is EPIPE or ECONNRESET, never a
// signal. More than MaxBuffers are EMSGSIZE. SendMsg never waits.
func SendMsg(fd FD, m *Msg, flags int) (int, error) {
	o := transfer(unix.SYS_SENDMSG, fd, m, m.sendHeader(),
		uintptr(flags)|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if o.e != 0 {
		return 0, answer(o.e)
	}
	m.N = int(o.n)
	return m.N, nil
}

func (m *Msg) recvHeader() unix.Msghdr {
	var h unix.Msghdr
	if m.WantName {
		h.Name, h.Namelen = &m.Name.raw[0], sizeofAny
	}
	h.Control = unsafe.SliceData(m.Control)
	h.SetControllen(len(m.Control))
	return h
}

func (m *Msg) sendHeader() unix.Msghdr {
	var h unix.Msghdr
	if m.Name.Family() != unix.AF_UNSPEC {
		h.Name, h.Namelen = &m.Name.raw[0], m.Name.size
	}
	h.Control = unsafe.SliceData(m.Control)
	h.SetControllen(len(m.Control))
	return h
}

// outcome is what a call left in its header, without the pointers.
type outcome struct {
	n          uintptr
	e          Errno
	namelen    uint32
	controllen int
	flags      int32
}

// transfer makes one of the two calls, by the way that fits its size. A raw
// call is bounded in buffers and bytes; control data can make one message into
// many (UDP_SEGMENT in udp(7)) or open files (SCM_RIGHTS), so it rules it out.
func transfer(trap uintptr, fd FD, m *Msg, h unix.Msghdr, flags uintptr) outcome {
	switch {
	case len(m.Buffers) <= fewBuffers:
		return few(trap, fd, m.Buffers, h, flags, len(m.Control) == 0)
	case len(m.Buffers) <= MaxBuffers:
		return many(trap, fd, m.Buffers, h, flags)
	}
	return outcome{e: EMSGSIZE}
}

func few(trap uintptr, fd FD, buffers [][]byte, h unix.Msghdr, flags uintptr, raw bool) outcome {
	var iov [fewBuffers]unix.Iovec
	total := 0
	for i, b := range buffers {
		iov[i].Base = unsafe.SliceData(b)
		iov[i].SetLen(len(b))
		total += len(b)
	}
	h.Iov = &iov[0]
	h.SetIovlen(len(buffers))
	for {
		var n uintptr
		var e Errno
		if raw && total <= maxRaw {
			//lion:opt rawsyscall
			n, _, e = syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&h)), flags)
		} else {
			n, _, e = syscall.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&h)), flags)
		}
		if e != eintr {
			return newOutcome(n, e, h.Namelen, int(h.Controllen), h.Flags)
		}
	}
}

// many must not be inlined: its frame is large.
//
//go:noinline
func many(trap uintptr, fd FD, buffers [][]byte, h unix.Msghdr, flags uintptr) outcome {
	var iov [MaxBuffers]unix.Iovec
	for i, b := range buffers {
		iov[i].Base = unsafe.SliceData(b)
		iov[i].SetLen(len(b))
	}
	h.Iov = &iov[0]
	h.SetIovlen(len(buffers))
	for {
		n, _, e := syscall.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&h)), flags)
		if e != eintr {
			return newOutcome(n, e, h.Namelen, int(h.Controllen), h.Flags)
		}
	}
}

// newOutcome forgets what the header says after a failed call: it is what the
// caller asked for.
func newOutcome(n uintptr, e Errno, namelen uint32, controllen int, flags int32) outcome {
	if e != 0 {
		return outcome{e: e}
	}
	return outcome{n: n, namelen: namelen, controllen: controllen, flags: flags}
}

// A control message is a header of its length, level and type (cmsg(3)).
const (
	word       = unix.SizeofPtr
	cmsgHeader = word + 8
)

// scmPIDFD marks a descriptor of the sending process, which comes with every
// message where SO_PASSPIDFD is set (include/linux/socket.h, since 6.5).
const scmPIDFD = 4

// closeRights closes all descriptors in control data (SCM_RIGHTS in unix(7), and
// SCM_PIDFD) and overwrites them with -1, so that nobody takes a reused number for
// one. In place of a pidfd that could not be made the kernel writes an error, which
// is no descriptor.
func closeRights(control []byte) {
	for m, rest, ok := Controls.Next(control); ok; m, rest, ok = Controls.Next(rest) {
		if m.Level != unix.SOL_SOCKET || m.Type != unix.SCM_RIGHTS && m.Type != scmPIDFD {
			continue
		}
		for data := m.Data; len(data) >= 4; data = data[4:] {
			_ = unix.Close(int(int32(binary.NativeEndian.Uint32(data)))) // nobody has seen it
			binary.NativeEndian.PutUint32(data, ^uint32(0))
		}
	}
}
