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
