package windows

import (
	"errors"
	"net"

	"github.com/lion-go/lion/sys/internal/seam"
)

// On Windows package net takes in no socket that others made.

// FileConn is for Unix: it answers errors.ErrUnsupported, and the socket stays
// as it is.
func FileConn(fd FD) (net.Conn, error) { return nil, errors.ErrUnsupported }

// FileListener is for Unix: it answers errors.ErrUnsupported, and the socket
// stays as it is.
func FileListener(fd FD) (net.Listener, error) { return nil, errors.ErrUnsupported }

// FilePacketConn is for Unix: it answers errors.ErrUnsupported, and the socket
// stays as it is.
func FilePacketConn(fd FD) (net.PacketConn, error) { return nil, errors.ErrUnsupported }

// DupConn duplicates the socket of what package net made: a *net.TCPConn, a
// *net.TCPListener and their like. The duplicate is nonblocking.
func DupConn(c any) (FD, error) {
	fd, err := seam.DupConn(c, Dup)
	if err != nil {
		return Invalid, err
	}
	if err := SetNonblock(fd, true); err != nil {
		_ = Close(fd)
		return Invalid, err
	}
	return fd, nil
}
