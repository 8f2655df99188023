package loop_test

import (
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Port reads from a descriptor that is not a socket of lion: one of a driver,
// say, or of another library.
type Port struct {
	fd         sys.FD
	registered *loop.Descriptor
}

// OpenPort takes over a nonblocking descriptor.
func OpenPort(l *loop.Loop, fd sys.FD) *Port {
	return &Port{fd: fd, registered: l.Register(fd)}
}

// Read reads what is there, and suspends t until something is. It is a
// checkpoint.
func (p *Port) Read(t *loop.Task, b []byte) (int, error) {
	return loop.Retry(t, &p.registered, sys.Readable, func() (int, error) {
		return sys.Recv(p.fd, b, 0)
	})
}

// Close wakes who waits with ErrClosed, and then closes the descriptor.
func (p *Port) Close() error {
	p.registered.Forget()
	return sys.Close(p.fd)
}

// A wait until a descriptor is ready is a call of Retry.
func ExampleRetry_port() {
	ours, theirs, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sys.Close(theirs)
	err = loop.Run(func(t *loop.Task) error {
		port := OpenPort(t.Loop(), ours)
		defer port.Close()
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(func(t *loop.Task) error {
				n, err := port.Read(t, t.Buffer())
				fmt.Printf("%s\n", t.Buffer()[:n])
				return err
			})
			if err := loop.WaitAllTasksBlocked(t, 0); err != nil {
				return err
			}
			_, err := sys.Send(theirs, []byte("ready"), 0)
			return err
		})
	})
	fmt.Println(err)
	// Output:
	// ready
	// <nil>
}
