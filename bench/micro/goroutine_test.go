package micro

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
)

// BenchmarkGoroutineEcho is the price of a round trip between two goroutines, on
// connections of package net and on those that were made by lion and have left
// their loop (stdnet.NetConn). They ought to be the same.
func BenchmarkGoroutineEcho(b *testing.B) {
	b.Run("net", func(b *testing.B) { echoBetween(b, netPair) })
	b.Run("lion", func(b *testing.B) { echoBetween(b, stdnetPair) })
}

func netPair() (one, two net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	if one, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	two, err = ln.Accept()
	return one, two, err
}

func stdnetPair() (one, two net.Conn, err error) {
	err = loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		a, err := socket.ConnectTCP(t, ln.Addr().AddrPort())
		if err != nil {
			return err
		}
		b, err := ln.Accept(t)
		if err != nil {
			return err
		}
		if one, err = stdnet.NetConn(a); err != nil {
			return err
		}
		two, err = stdnet.NetConn(b)
		return err
	})
	return one, two, err
}

func echoBetween(b *testing.B, pair func() (one, two net.Conn, err error)) {
	one, two, err := pair()
	if errors.Is(err, errors.ErrUnsupported) {
		b.Skip("package net takes in no sockets on this system")
	}
	if err != nil {
		b.Fatal(err)
	}
	const size = 64
	echoed := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{two}, struct{ io.Reader }{two}, make([]byte, size))
		echoed <- errors.Join(err, two.Close())
	}()
	message := make([]byte, size)
	for b.Loop() {
		if _, err := one.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(one, message); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(one.Close(), <-echoed); err != nil {
		b.Fatal(err)
	}
}
