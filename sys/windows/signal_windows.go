package windows

import (
	"os"
	"syscall"
)

// The signals that end a program in an orderly way. The Go runtime makes
// os.Interrupt of Ctrl-C and Ctrl-Break, and SIGTERM of a closing console, a
// logoff or a shutdown. Nothing on Windows sends SIGHUP.
var (
	Interrupt os.Signal = os.Interrupt
	Terminate os.Signal = syscall.SIGTERM
	Hangup    os.Signal = syscall.SIGHUP
)
