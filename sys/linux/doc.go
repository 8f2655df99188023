// Package linux is the seam to the Linux kernel, one of three packages that
// mirror each other: see the contract in the documentation of package sys,
// through which it is used.
//
// It needs no newer kernel than Go itself does, except on 32-bit x86 and s390x,
// where socket calls have numbers of their own since Linux 4.3.
//
//   - Short calls skip the Go scheduler, bounded in bytes: raw_linux.go.
//   - Messages are scattered and gathered in the frame of the call, so that
//     nothing escapes: msg_linux.go.
//   - Names of sockets are the bytes that the kernel reads: sockaddr_linux.go.
//   - Readiness is edge-triggered epoll, and the loop parks in the poller of the
//     Go runtime, which watches the epoll descriptor: poller_linux.go tells how
//     it is woken without losing a wake-up.
//
// With the build tag kqemu the poller is the one for kqueue, on an emulation,
// for testing that on Linux.
package linux
