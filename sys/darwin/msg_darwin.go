package darwin

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendmsg(2) and recvmsg(2) take a struct msghdr with pointers to a name, to
// control data and to an array of buffers. The header and the array live in
// the frame of the function that makes the call: stored anywhere else they
// would force the caller's buffers to the heap, and so headers travel by
// value. A frame has room for a few buffers or for all that the kernel takes;
// the latter is 16 KiB of stack, hence two functions, few and many.
//
// macOS has no MSG_CMSG_CLOEXEC. Descriptors that arrive with a message are
// marked right after the call, while syscall.ForkLock keeps forks away.

// MaxBuffers is the most buffers one message can have, UIO_MAXIOV in
// <sys/uio.h>. More are EMSGSIZE.
const MaxBuffers = 1024

// fewBuffers are enough for a header, a body and a batch of answers.
const fewBuffers = 16

// The layout of control data, CMSG_DATA in <sys/socket.h>: a header of three
// 32-bit words, the data, and zeros up to a multiple of four bytes, on 64-bit
// machines too.
const (
	cmsgHeader = 12
	cmsgAlign  = 4
)

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
	// Control is the control data to be sent, or the room for some, which
	// RecvMsg reslices to what came.
	Control []byte
	// WantRights asks for descriptors that come along in Control. Without it
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
// puts -1 in their places in m.Control. More than MaxBuffers are EMSGSIZE. fd must be nonblocking. After
// an error m is unchanged but for an unspecified Name.
func RecvMsg(fd FD, m *Msg, flags int) (int, error) {
	var o outcome
	switch room := len(m.Control); {
	case room == 0 || room >= controlMax:
		o = receive(fd, m, m.Control, flags)
	default:
		o = receiveRoomy(fd, m, flags)
	}
	if m.WantName {
		m.Name.came(o.namelen)
	}
	if o.e != 0 {
		return 0, answer(o.e)
	}
	m.Control = m.Control[:o.controllen]
	m.Flags, m.N = int(o.flags), o.n
	if len(m.Control) > 0 && (!m.WantRights || m.Flags&MSG_CTRUNC != 0) {
		closeRights(m.Control)
	}
	return o.n, nil
}

// controlMax is room for all the control data that a message can come with. A
// sender passes at most MCLBYTES, 2 KiB (sockargs in XNU's uipc_syscalls.c), or
// 512 descriptors (UIPC_MAX_CMSG_FD in uipc_usrreq.c); the rest is what the
// kernel adds, a time or a packet info.
const controlMax = 4096

// receiveRoomy receives with room for all control data, when the caller has
// less: XNU makes descriptors of everything that was passed before it looks how
// much of that fits, so a descriptor whose number was cut off would stay open
// for ever, and peers could fill the table of a process with them. The caller
// gets the whole messages that fit. It must not be inlined: its frame is large.
//
//go:noinline
func receiveRoomy(fd FD, m *Msg, flags int) outcome {
	var room [controlMax]byte
	o := receive(fd, m, room[:], flags)
	if o.e != 0 {
		return o
	}
	came := room[:o.controllen]
	n := Controls.Fit(came, len(m.Control))
	if n < len(came) {
		closeRights(came) // also those that fit, as RecvMsg says
		o.flags |= MSG_CTRUNC
	}
	copy(m.Control, came[:n])
	o.controllen = uint32(n)
	return o
}

// receive receives with room for control data, and marks descriptors that came.
func receive(fd FD, m *Msg, control []byte, flags int) outcome {
	if len(control) == 0 {
		return transfer(false, fd, m, m.recvHeader(nil), flags|MSG_DONTWAIT)
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	o := transfer(false, fd, m, m.recvHeader(control), flags|MSG_DONTWAIT)
	if o.e == 0 {
		closeRightsOnExec(control[:o.controllen])
	}
	return o
}

// SendMsg sends m, see sendmsg(2), to m.Name if that is set; a stream may take
// fewer bytes than there are, at most 1 GiB. A closed peer is EPIPE or
// ECONNRESET, never a signal. A full interface queue is ENOBUFS. More than
// MaxBuffers are EMSGSIZE. fd must be nonblocking.
func SendMsg(fd FD, m *Msg, flags int) (int, error) {
	for torn := 0; ; {
		o := transfer(true, fd, m, m.sendHeader(), flags)
		if o.e == 0 {
			m.N = o.n
		}
		if o.e == 0 || !sendAgain(o.e, &torn) {
			return o.n, answer(o.e)
		}
	}
}

func (m *Msg) recvHeader(control []byte) unix.Msghdr {
	var h unix.Msghdr
	if m.WantName {
		h.Name, h.Namelen = &m.Name.bytes()[0], storageSize
	}
	h.Control, h.Controllen = unsafe.SliceData(control), uint32(len(control))
	return h
}

func (m *Msg) sendHeader() unix.Msghdr {
	var h unix.Msghdr
	if m.Name.Family() != AF_UNSPEC {
		h.Name, h.Namelen = &m.Name.bytes()[0], m.Name.size
	}
	h.Control, h.Controllen = unsafe.SliceData(m.Control), uint32(len(m.Control))
	return h
}

// outcome is what a call left in its header, without the pointers; all zero
// but e after an error.
type outcome struct {
	n          int
	e          Errno
	namelen    uint32
	controllen uint32
	flags      int32
}

// transfer makes one of the two calls, by the way that fits its size. A raw
// call is bounded in buffers and bytes, and control data, which can carry open
// files, rules it out.
func transfer(send bool, fd FD, m *Msg, h unix.Msghdr, flags int) outcome {
	switch {
	case len(m.Buffers) <= fewBuffers:
		return few(send, fd, m.Buffers, h, flags, len(m.Control) == 0)
	case len(m.Buffers) <= MaxBuffers:
		return many(send, fd, m.Buffers, h, flags)
	}
	return outcome{e: EMSGSIZE}
}

func few(send bool, fd FD, buffers [][]byte, h unix.Msghdr, flags int, raw bool) outcome {
	var iov [fewBuffers]unix.Iovec
	total := 0
	for i, b := range buffers {
		iov[i].Base = unsafe.SliceData(b)
		iov[i].SetLen(min(len(b), maxTransfer-total))
		total += int(iov[i].Len)
	}
	h.Iov = &iov[0]
	h.SetIovlen(len(buffers))
	return exchange(send, raw && total <= maxRaw, fd, &h, flags)
}

// many must not be inlined: its frame is large.
//
//go:noinline
func many(send bool, fd FD, buffers [][]byte, h unix.Msghdr, flags int) outcome {
	var iov [MaxBuffers]unix.Iovec
	total := 0
	for i, b := range buffers {
		iov[i].Base = unsafe.SliceData(b)
		iov[i].SetLen(min(len(b), maxTransfer-total))
		total += int(iov[i].Len)
	}
	h.Iov = &iov[0]
	h.SetIovlen(len(buffers))
	return exchange(send, false, fd, &h, flags)
}

// exchange makes the call until it is not interrupted.
func exchange(send, raw bool, fd FD, h *unix.Msghdr, flags int) outcome {
	for {
		var n int
		var e Errno
		if send {
			n, e = sendmsg(raw, fd, h, flags)
		} else {
			n, e = recvmsg(raw, fd, h, flags)
		}
		switch e {
		case 0:
			return outcome{n: n, namelen: h.Namelen, controllen: h.Controllen, flags: h.Flags}
		case eintr:
			continue
		}
		return outcome{e: e} // The header still says what was asked for.
	}
}

// closeRightsOnExec marks every descriptor in control data.
func closeRightsOnExec(control []byte) {
	for rights, rest := nextRights(control); rights != nil; rights, rest = nextRights(rest) {
		for ; len(rights) >= 4; rights = rights[4:] {
			unix.CloseOnExec(word(rights))
		}
	}
}

// closeRights closes every descriptor in control data and overwrites it with
// -1, so that nobody takes a reused number for one.
func closeRights(control []byte) {
	for rights, rest := nextRights(control); rights != nil; rights, rest = nextRights(rest) {
		for ; len(rights) >= 4; rights = rights[4:] {
			_ = unix.Close(word(rights)) // Nobody has seen it; there is no one to tell.
			binary.NativeEndian.PutUint32(rights, ^uint32(0))
		}
	}
}

// nextRights finds the next SCM_RIGHTS message, see unix(4), and answers its
// data and what follows it, or nil if there is none. Malformed data ends the
// search; a truncated message claims its full size.
func nextRights(control []byte) (rights, rest []byte) {
	for len(control) >= cmsgHeader {
		size := word(control)
		if size < cmsgHeader {
			return nil, nil
		}
		data := control[cmsgHeader:min(size, len(control))]
		rest := control[min((size+cmsgAlign-1)&^(cmsgAlign-1), len(control)):]
		if word(control[4:]) == SOL_SOCKET && word(control[8:]) == unix.SCM_RIGHTS {
			return data, rest
		}
		control = rest
	}
	return nil, nil
}

func word(b []byte) int { return int(int32(binary.NativeEndian.Uint32(b))) }
