package socket

import "github.com/lion-go/lion/loop"

// ConnectUnix connects to the unix stream socket called name: a path, or
// "@name" for an abstract name on Linux. Where a listener's queue is full the
// answer is an error of the system, EAGAIN on Linux, at once: nothing tells
// when there is room. Where the system has no unix sockets it is
// errors.ErrUnsupported or EAFNOSUPPORT. It is a checkpoint.
func ConnectUnix(t *loop.Task, name string, opts ...SetupOption) (*Conn, error) {
	setup, err := newSetup(opts)
	if err != nil {
		return nil, err
	}
	return setup.connect(t, UnixAddr(name))
}

// ListenUnix listens on a unix stream socket called name, see ConnectUnix. A
// file of that name must not exist; it stays behind when the listener is
// closed, and is the caller's to remove. Sync-coloured.
func ListenUnix(l *loop.Loop, name string, opts ...SetupOption) (*Listener, error) {
	setup, err := newSetup(opts)
	if err != nil {
		return nil, err
	}
	return setup.listen(l, UnixAddr(name))
}
