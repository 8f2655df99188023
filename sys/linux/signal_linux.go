package linux

import (
	"os"
	"syscall"
)

// The signals that ask a program to stop or to read its configuration again,
// see signal(7): SIGINT, SIGTERM and SIGHUP.
var (
	Interrupt os.Signal = syscall.SIGINT
	Terminate os.Signal = syscall.SIGTERM
	Hangup    os.Signal = syscall.SIGHUP
)
