package linux

import (
	"net"

	"github.com/lion-go/lion/sys/internal/seam"
)

// FileConn makes a net.Conn of a connected socket, for ordinary goroutines: a
// *net.TCPConn, for one. It takes the descriptor over, and closes it if it
// fails.
func FileConn(fd FD) (net.Conn, error) { return seam.FileConn(fd) }

// FileListener makes a net.Listener of a listening socket. It takes the
// descriptor over, and closes it if it fails.
func FileListener(fd FD) (net.Listener, error) { return seam.FileListener(fd) }

// FilePacketConn makes a net.PacketConn of a datagram socket. It takes the
// descriptor over, and closes it if it fails.
func FilePacketConn(fd FD) (net.PacketConn, error) { return seam.FilePacketConn(fd) }

// DupConn duplicates the socket of what package net made: a *net.TCPConn, a
// *net.TCPListener and their like. The duplicate is nonblocking, as the original
// is.
func DupConn(c any) (FD, error) { return seam.DupConn(c, Dup) }
