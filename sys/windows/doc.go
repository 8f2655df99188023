// Package windows is the Windows side of package sys: the same names, the
// same signatures, the same meaning. It talks to Winsock and, for readiness,
// to an I/O completion port.
//
// # How Winsock is bent into shape
//
// Winsock looks like the BSD interface and differs in many small ways. The
// wrappers here remove those differences that callers would trip over:
//
//   - Sockets are made by WSASocket, overlapped (the poller needs that), not
//     inheritable, and nonblocking from the start. Only plain calls are made
//     on them, never overlapped ones, so no buffer of a caller is ever owned
//     by the kernel after a call returned.
//   - WSAEWOULDBLOCK is [WouldBlock], also from connect, where Unix says
//     EINPROGRESS.
//   - A datagram that is larger than the buffer is an error in Winsock; here
//     it is what it is on Unix, a short datagram (with MSG_TRUNC if the call
//     reports flags).
//   - A nonblocking send takes the whole buffer, however large, if the socket
//     is writable at all. That would defeat back-pressure, so a call passes at
//     most 128 KiB on.
//   - UDP sockets report unreachable peers of earlier datagrams as errors of
//     unrelated receives; that is switched off where the system allows it.
//   - closesocket refuses to close a nonblocking socket that has a linger
//     time; [Close] then closes it in blocking mode, as Unix would.
//
// Errors are Winsock codes under the names of Unix: ECONNRESET is
// WSAECONNRESET. Two names can have one value (EPIPE and ESHUTDOWN), so do not
// list them in one switch.
//
// # Readiness
//
// Windows has no epoll. Its completion ports report the end of operations, not
// readiness; but the driver below Winsock, AFD, has one operation that ends
// when a socket becomes ready, and select itself is built on it. The essay in
// poller_windows.go tells how [Poller] uses it.
//
// # Pointers and the kernel
//
// syscall.SyscallN keeps its arguments alive for the duration of the call and
// no longer, and does not move them to the heap. For calls that are over when
// they return this is exactly right, and costs no allocation: every call in
// this package is of that kind, but for the submission of a poll. Memory that
// the kernel writes later belongs to the poller, lives on the heap and stays
// reachable until the kernel has said that it is done with it.
package windows
