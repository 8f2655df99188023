// Package lion is a networking stack for Go: straight-line code on event loops
// that speak to the kernel themselves. This package contains no code. It is the
// tour of those that do.
//
// # The idea
//
// A task looks like a goroutine: it is called, it blocks, it returns an error. But
// the tasks of one loop take turns on one thread of control, and a task can be
// suspended only where its code says so. So tasks of one loop share data without
// locks, a schedule can be replayed from a seed, an idle connection need not hold
// a stack, and whatever waits can be cancelled. A program runs one loop, or one for
// each core with nothing shared between them. Goroutines and the standard library
// stay what they are, next door.
//
// # Colours
//
// A function may suspend its task if and only if its first parameter is a
// *loop.Task. To pass t is what a reader sees at the call:
//
//	n, err := conn.Receive(t, buf) // may suspend this task, and only this one
//	conn.Close()                   // never suspends
//
// The comment of each such function tells whether it is a checkpoint: both a place
// where a cancellation is noticed and a place where other tasks may run. Functions
// that end in Nowait are the twins that never suspend. Methods of Task never suspend
// either.
//
// # Cancellation and errors
//
// Cancellation belongs to scopes, which nest like blocks, with deadlines and
// shields ([github.com/lion-go/lion/loop.Scoped] and its relatives). Tasks are
// spawned in nurseries ([github.com/lion-go/lion/loop.Nurse]): a nursery ends when
// all its tasks have, and returns every error of theirs in one tree. An operation
// that answers Cancelled has not happened, or says how far it got, as SendAll
// does; one that succeeded has, even if a cancellation arrived meanwhile.
//
// # The packages
//
// From the kernel upwards; each imports only what stands above it in this list:
//
//   - sys is the one import for the operating system. It chooses between
//     sys/linux, sys/darwin and sys/windows, which have the same functions under
//     the same names. No call in it ever blocks: it answers WouldBlock instead. A
//     poller (epoll, kqueue, or AFD polls through a completion port) tells when to
//     try again.
//   - loop has tasks, scopes, nurseries, parking, clocks, the entry queue for
//     calls from goroutines, and waits for readiness.
//   - loop/locks and loop/queue have the usual primitives, built on loop's parking
//     lot, as a user's own would be.
//   - loop/stream has the interfaces of streams and what works on any of them.
//   - loop/worker runs blocking code on goroutines, loop/signals makes signals a
//     queue, loop/inspect shows a loop from outside.
//   - socket has sockets with the meaning that man pages give them, listeners, TLS,
//     and Serve.
//   - resolver knows names, eyeballs dials them, sendfile moves files and relays.
//   - socket/stdnet joins all that to package net: for libraries in tasks, and for
//     goroutines.
//
// loop/looptest helps tests: a virtual clock, seeds, leak checks, cancellation at
// every moment.
//
// Two modules beside this one hold programs. bench measures, and realapps are
// programs written to be used: a web server that runs on lion or on package net by
// a flag, a client that shows its races, a resolver that shows its steps.
//
// # What may be called inside a task
//
// Everything that does not block. A sync.Mutex held across a suspension, a read
// from a file on a slow disk, or a second of computing stops all tasks of the loop
// for that long; such work belongs on a goroutine, see loop/worker. The guides in
// docs have the list, and say how to find who holds a loop.
package lion
