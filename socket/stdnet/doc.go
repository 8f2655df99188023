// Package stdnet lets code that was written for the standard library run on
// sockets of lion.
//
// Bind gives code that runs in a task a net.Conn whose calls suspend that
// task: parsers and protocol libraries that read and write a net.Conn, or an
// io.Reader, in the goroutine of their caller work unchanged. Code that starts
// goroutines of its own does not: a task-bound connection belongs to its task.
//
// NetConn, NetListener and NetPacketConn give a socket to ordinary goroutines:
// it leaves its loop and becomes what package net would have made, on which
// net/http, HTTP/2 and database drivers work unchanged. Conn, Listener and
// PacketConn go the other way. A Dialer dials for goroutines, with the names
// and the races of lion. docs/which-stream.md shows it under net/http, gRPC and
// database/sql.
package stdnet
