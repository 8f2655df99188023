package linux

import (
	"os"
	"syscall"

	"github.com/lion-go/lion/sys/internal/seam"
)

// The signals that ask a program to stop or to read its configuration again,
// see signal(7): SIGINT, SIGTERM and SIGHUP.
var (
	Interrupt os.Signal = syscall.SIGINT
	Terminate os.Signal = syscall.SIGTERM
	Hangup    os.Signal = syscall.SIGHUP
)

// signalMax is the highest number of a signal, SIGRTMAX of signal(7).
const signalMax = 64

// Catchable reports whether a program can handle s: whether it is a signal at
// all, and neither SIGKILL nor SIGSTOP.
func Catchable(s os.Signal) bool {
	n, ok := s.(syscall.Signal)
	return ok && n > 0 && n <= signalMax && n != syscall.SIGKILL && n != syscall.SIGSTOP
}

// Raise sends s to this process, see kill(2): whoever handles it now gets it,
// or else the process does what the signal means.
func Raise(s os.Signal) error {
	n, ok := s.(syscall.Signal)
	if !ok {
		return EINVAL
	}
	err := seam.Again(func() error { return syscall.Kill(syscall.Getpid(), n) })
	if err != nil {
		return os.NewSyscallError("kill", err)
	}
	return nil
}
