package windows

import (
	"errors"

	"golang.org/x/sys/windows"

	"github.com/lion-go/lion/sys/internal/seam"
)

// A socket is a handle of the kernel, a multiple of four that is reused soon
// after it was closed, wrapped by Winsock, which keeps state of its own about
// it. So it must be closed and duplicated by Winsock's functions and not by
// those for handles. Children inherit only handles that say so; ours never do.

// FD is a SOCKET. Windows has other handles too, but nothing in this package
// reads or writes them.
type FD = seam.FD

// Invalid is the FD that no kernel hands out (INVALID_SOCKET).
const Invalid = seam.Invalid

// WouldBlock is what every wrapper answers where the call would have had to
// wait (WSAEWOULDBLOCK). Compare with ==.
var WouldBlock = seam.WouldBlock

// Close closes a socket (closesocket). With a linger time set by [SetLinger]
// it waits for at most that time, as on Unix; otherwise it does not wait.
func Close(fd FD) error {
	err := windows.Closesocket(windows.Handle(fd))
	if err == windows.WSAEWOULDBLOCK {
		// A nonblocking socket that lingers is refused and stays open.
		if err := SetNonblock(fd, false); err != nil {
			return err
		}
		err = windows.Closesocket(windows.Handle(fd))
	}
	return err
}

// CloseNowait is Close for a descriptor whose close never suspends. Only Linux
// makes a difference.
func CloseNowait(fd FD) error { return Close(fd) }

// Dup returns a second descriptor of the same socket (WSADuplicateSocket to
// this process), not inheritable. Both share all state, nonblocking mode
// included.
func Dup(fd FD) (FD, error) {
	var info windows.WSAProtocolInfo
	err := windows.WSADuplicateSocket(windows.Handle(fd), windows.GetCurrentProcessId(), &info)
	if err != nil {
		return Invalid, err
	}
	const fromInfo = -1 // FROM_PROTOCOL_INFO
	s, err := windows.WSASocket(fromInfo, fromInfo, fromInfo, &info, 0, socketFlags)
	if err != nil {
		return Invalid, err
	}
	return FD(s), nil
}

// SetNonblock switches a socket to nonblocking mode or back (FIONBIO). Windows
// has no way to ask for the mode.
func SetNonblock(fd FD, on bool) error {
	return ioctlBool(fd, fionbio, on)
}

// Nonblocking is for Unix: Windows cannot tell. It answers
// errors.ErrUnsupported.
func Nonblocking(fd FD) (bool, error) {
	return false, errors.ErrUnsupported
}

// Pipe is for Unix: Windows pipes are no sockets and have no readiness. It
// answers errors.ErrUnsupported.
func Pipe() (r, w FD, err error) {
	return Invalid, Invalid, errors.ErrUnsupported
}

// Read is for descriptors that are not sockets, which this package does not
// have: it answers errors.ErrUnsupported. See [Recv].
func Read(fd FD, b []byte) (int, error) {
	return 0, errors.ErrUnsupported
}

// Write is for descriptors that are not sockets, which this package does not
// have: it answers errors.ErrUnsupported. See [Send].
func Write(fd FD, b []byte) (int, error) {
	return 0, errors.ErrUnsupported
}
