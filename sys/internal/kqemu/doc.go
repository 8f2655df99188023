// Package kqemu is an emulation of kqueue(2) on Linux, for tests only: it lets
// lion's poller for macOS run where no Mac is at hand. The tag kqemu puts it
// under the whole stack on Linux.
//
// It copies what XNU's kern_event.c and uipc_socket.c do, not how. What is
// modelled, by the numbers that its tests use:
//
//  1. Descriptor and filter are the key; one knote each; READ and WRITE of one
//     descriptor are two events, each with its own udata.
//  2. EV_ADD runs the filter at once, and so does every later touch. EV_CLEAR,
//     EV_ONESHOT and EV_DISPATCH are fixed when the knote is made; udata,
//     fflags and data are replaced by any touch. A disabled knote needs
//     EV_ENABLE; EV_ADD alone leaves it disabled.
//  3. A wake-up only marks a knote active. The filter runs again when it is
//     collected, and a knote that is not ready then is dropped silently. Level
//     knotes go to the end of the queue again; one event a knote and call.
//  4. EV_CLEAR fires at new wake-ups only and then reports all data. EV_ONESHOT
//     deletes, EV_DISPATCH disables.
//  5. Changes come first, in order. A failing one becomes an EV_ERROR entry if
//     there is room, else the call fails and later ones are not applied. After
//     any entry the call returns no events. No room for events means no wait.
//  6. READ: data is what can be read; EV_EOF comes while data is still there;
//     empty datagrams and pending errors count, the latter without EV_EOF. A
//     listener is ready while a connection waits. NOTE_OOB reports a mark.
//  7. WRITE: silent until connected; EV_EOF after the socket's own shutdown, a
//     reset or a full close, but not after the peer's end alone. A refused
//     connection is WRITE and READ, both with EV_EOF.
//  8. close(2) removes knotes; a number used again starts clean.
//  9. USER: triggers merge, from any thread; an unknown one is ENOENT.
//  10. EINTR is returned.
//
// Not modelled, so lion must not depend on it: the exact data of WRITE,
// low-water marks, the error number in fflags (it is always ECONNRESET here,
// since reading it would consume it), the absence of spurious WRITE wake-ups,
// the order between descriptors, the own shutdown of a Unix socket, regular
// files, timers, processes and signals, and error numbers, which are Linux's.
package kqemu
