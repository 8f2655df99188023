// Package darwin is the macOS side of the seam: thin, never blocking wrappers
// around libSystem and a poller over kqueue. Import package sys instead; it
// picks the right one of the three operating-system packages.
//
// # How the kernel is reached
//
// macOS keeps no stable system-call numbers; the contract is libSystem. The
// Go toolchain links against it without cgo, and this package uses the same
// three public hooks as x/sys does: a cgo_import_dynamic line names the C
// function, a one-instruction assembly trampoline gives it an address, and
// syscall.syscall6 or syscall.rawSyscall6 calls it on the system stack. What
// x/sys wraps without allocating is taken from x/sys; only the calls whose
// x/sys form allocates (everything with an address or a message) or does not
// fit (kevent with an integer in udata) have trampolines here.
// Variadic C functions (fcntl, ioctl, open) follow another calling convention
// on arm64 and always go through x/sys.
//
// Raw calls do not tell the Go scheduler that they are under way. They are
// used only where the call cannot wait and moves a bounded number of bytes
// (see maxRaw).
//
// # What is different from Linux
//
//   - There is no SOCK_NONBLOCK, SOCK_CLOEXEC or accept4. Descriptors are
//     marked right after birth while syscall.ForkLock is held for reading, so
//     no child of os/exec can inherit them.
//   - Writing to a closed stream raises SIGPIPE; every socket gets
//     SO_NOSIGPIPE instead of MSG_NOSIGNAL per call. Accepted sockets do not
//     inherit it (sonewconn_internal in XNU's uipc_socket2.c).
//   - Every sockaddr starts with its length. Abstract Unix addresses do not
//     exist.
//   - SO_LINGER counts clock ticks; SO_LINGER_SEC counts seconds and is what
//     the name SO_LINGER means here (sosetoptlock in XNU's uipc_socket.c).
//   - A datagram that finds the interface queue full, or a Unix datagram that
//     finds its reader full, answers ENOBUFS, not EAGAIN. It is passed on.
//   - There is no socket error queue and no MSG_MORE: those names are 0.
//
// Nothing of this package has been run on a Mac by its tests here: they check
// types, sizes, assembly and linking, and the poller's logic runs on Linux
// over an emulation of kqueue.
package darwin
