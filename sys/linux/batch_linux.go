package linux

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// recvmmsg(2) and sendmmsg(2) take an array of headers. As with single messages
// (msg_linux.go) the headers and the array of buffers live in the frame of the
// function that makes the call, so that nothing escapes; that bounds both.
// Measured, 8 to 32 datagrams at a time give all that there is to gain, and a
// call that is longer would hold up everybody else.
//
// What the kernel does when it meets an error behind the first message: after a
// receive it keeps the error for the next call; after a send it forgets it, and
// the message that failed is the first of the next call, which will tell.

// MaxBatch is the most messages that one call transfers.
const MaxBatch = 32

// batchBuffers are the most buffers that the messages of one call have in all;
// two each is usual. A message with more of them goes alone.
const batchBuffers = 2 * MaxBatch

// RecvMMsg receives up to MaxBatch messages, each as RecvMsg does, see
// recvmmsg(2), and returns how many came; their sizes are in the field N. Fewer
// than there is room for need not mean that no more wait. If there are none it
// is WouldBlock. No room at all is EINVAL.
func RecvMMsg(fd FD, ms []Msg, flags int) (int, error) {
	if len(ms) == 0 {
		return 0, EINVAL
	}
	if len(ms[0].Buffers) > batchBuffers {
		_, err := RecvMsg(fd, &ms[0], flags)
		return one(err), err
	}
	control := anyControl(ms)
	n, err := batch(unix.SYS_RECVMMSG, fd, ms, receiveFlags(flags, control))
	if err == EINVAL && len(control) > 0 {
		n, err = batch(unix.SYS_RECVMMSG, fd, ms, receiveFlags(flags, nil))
	}
	return n, err
}

// SendMMsg sends up to MaxBatch messages, each as SendMsg does, see
// sendmmsg(2), and returns how many were sent, the field N of each telling how
// many bytes of it. An error concerns the message after those. No message at
// all is EINVAL.
func SendMMsg(fd FD, ms []Msg, flags int) (int, error) {
	if len(ms) == 0 {
		return 0, EINVAL
	}
	if len(ms[0].Buffers) > batchBuffers {
		_, err := SendMsg(fd, &ms[0], flags)
		return one(err), err
	}
	return batch(unix.SYS_SENDMMSG, fd, ms, uintptr(flags)|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// anyControl is the room for control data of the first message that has some.
func anyControl(ms []Msg) []byte {
	for i := range ms {
		if len(ms[i].Control) > 0 {
			return ms[i].Control
		}
	}
	return nil
}

// one is how many messages a call for a single one transferred.
func one(err error) int {
	if err != nil {
		return 0
	}
	return 1
}

// batch must not be inlined: its frame is large.
//
//go:noinline
func batch(trap uintptr, fd FD, ms []Msg, flags uintptr) (int, error) {
	var headers [MaxBatch]unix.Mmsghdr
	var iov [batchBuffers]unix.Iovec
	receive := trap == unix.SYS_RECVMMSG
	count, used := 0, 0
	for ; count < min(len(ms), MaxBatch); count++ {
		m := &ms[count]
		if used+len(m.Buffers) > batchBuffers {
			break
		}
		if receive {
			headers[count].Hdr = m.recvHeader()
		} else {
			headers[count].Hdr = m.sendHeader()
		}
		if len(m.Buffers) > 0 {
			headers[count].Hdr.Iov = &iov[used]
			headers[count].Hdr.SetIovlen(len(m.Buffers))
		}
		for _, b := range m.Buffers {
			iov[used].Base = unsafe.SliceData(b)
			iov[used].SetLen(len(b))
			used++
		}
	}
	for {
		n, _, e := syscall.Syscall6(trap, uintptr(fd),
			uintptr(unsafe.Pointer(&headers)), uintptr(count), flags, 0, 0)
		switch {
		case e == eintr:
			continue
		case e != 0:
			n = 0
		}
		for i := range ms[:count] {
			h := &headers[i]
			switch {
			case i < int(n) && receive:
				ms[i].received(newOutcome(uintptr(h.Len), 0, h.Hdr.Namelen,
					int(h.Hdr.Controllen), h.Hdr.Flags))
			case i < int(n):
				ms[i].N = int(h.Len)
			case receive && ms[i].WantName:
				ms[i].Name.Reset()
			}
		}
		return int(n), answer(e)
	}
}
