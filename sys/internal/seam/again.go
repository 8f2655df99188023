package seam

import "syscall"

// A signal that a thread handles may interrupt a call of the kernel that waits:
// it answers EINTR and has done nothing (signal(7)). Go handles signals all the
// time, to preempt goroutines for one. Manual pages list EINTR for few calls, but
// file systems in user space, security modules and seccomp(2) answer it to any.
// Nobody above package sys can do anything about it but make the call again, so
// each call that may be made again is, here; there is no bound, because each
// repetition needs another signal. Two are not made again: close(2), whose
// descriptor is gone already, and connect(2), which goes on by itself.

// Again makes a call until no signal interrupts it.
func Again(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

// AgainFor is Again for a call that also answers a value.
func AgainFor[T any](call func() (T, error)) (T, error) {
	for {
		if value, err := call(); err != syscall.EINTR {
			return value, err
		}
	}
}
