// Package stdnet lets code that was written for the standard library run on
// sockets of lion.
//
// Bind gives code that runs in a task a net.Conn whose calls suspend that
// task: parsers and protocol libraries that read and write a net.Conn, or an
// io.Reader, in the goroutine of their caller work unchanged. Code that starts
// goroutines of its own does not: a task-bound connection belongs to its task.
package stdnet
