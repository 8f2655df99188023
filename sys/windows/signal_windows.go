package windows

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// The signals that end a program in an orderly way. The Go runtime makes
// os.Interrupt of Ctrl-C and Ctrl-Break, and SIGTERM of a closing console, a
// logoff or a shutdown. Nothing on Windows sends SIGHUP.
var (
	Interrupt os.Signal = os.Interrupt
	Terminate os.Signal = syscall.SIGTERM
	Hangup    os.Signal = syscall.SIGHUP
)

// Catchable reports whether a program can handle s: whether the Go runtime
// makes it of some console event.
func Catchable(s os.Signal) bool { return s == Interrupt || s == Terminate }

// statusControlC is how a process ends by a console event that nobody handles:
// STATUS_CONTROL_C_EXIT of ntstatus.h.
const statusControlC = 0xC000013A

// Raise does what the system does with a console event that nobody handles: it
// ends the process. (GenerateConsoleCtrlEvent would reach all other processes
// of the console, too.) Anything but a Catchable signal is EINVAL.
func Raise(s os.Signal) error {
	if !Catchable(s) {
		return EINVAL
	}
	windows.ExitProcess(statusControlC)
	return nil
}
