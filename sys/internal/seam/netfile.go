package seam

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// Package net takes in a socket that others made by duplicating it, through an
// os.File (net.FileConn). The duplicate is net's, with net's usual options; the
// original is closed here, whatever happens.

// FileConn makes a net.Conn of a connected socket.
func FileConn(fd FD) (net.Conn, error) { return fromFile(fd, net.FileConn) }

// FileListener makes a net.Listener of a listening socket.
func FileListener(fd FD) (net.Listener, error) { return fromFile(fd, net.FileListener) }

// FilePacketConn makes a net.PacketConn of a datagram socket.
func FilePacketConn(fd FD) (net.PacketConn, error) { return fromFile(fd, net.FilePacketConn) }

func fromFile[T any](fd FD, take func(*os.File) (T, error)) (none T, err error) {
	f := os.NewFile(uintptr(fd), "socket")
	if f == nil {
		return none, syscall.EBADF
	}
	defer f.Close()
	return take(f)
}

// DupConn duplicates the descriptor of what package net made, which stays
// usable, by dup.
func DupConn(c any, dup func(FD) (FD, error)) (FD, error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return Invalid, fmt.Errorf("%T has no descriptor of its own: %w", c, syscall.EINVAL)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return Invalid, err
	}
	fd, failed := Invalid, error(nil)
	if err := raw.Control(func(own uintptr) { fd, failed = dup(FD(own)) }); err != nil {
		return Invalid, err
	}
	return fd, failed
}
