package darwin

import (
	"os"
	"syscall"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Interrupt, Terminate and Hangup are the signals that ask a server to stop or
// to read its configuration again: SIGINT, SIGTERM and SIGHUP.
var (
	Interrupt os.Signal = syscall.SIGINT
	Terminate os.Signal = syscall.SIGTERM
	Hangup    os.Signal = syscall.SIGHUP
)

// signalMax is the highest number of a signal: NSIG of <sys/signal.h>, less one.
const signalMax = 31

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
