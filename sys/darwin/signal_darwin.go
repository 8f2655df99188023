package darwin

import (
	"os"
	"syscall"
)

// Interrupt, Terminate and Hangup are the signals that ask a server to stop or
// to read its configuration again: SIGINT, SIGTERM and SIGHUP.
var (
	Interrupt os.Signal = syscall.SIGINT
	Terminate os.Signal = syscall.SIGTERM
	Hangup    os.Signal = syscall.SIGHUP
)
