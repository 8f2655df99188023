package micro

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
)

// BenchmarkRelay moves bytes in bulk from one connection to another, a MiB each time:
// io.Copy between two connections of net, which is splice(2), and sendfile.Copy. The
// client is a process of its own that writes to the first and has the kernel throw away
// what comes from the second.
//
//	go run ./bench/paired -bench Relay -of net,lion -rounds 15 -count 2000x
func BenchmarkRelay(b *testing.B) {
	for name, serve := range map[string]func(b *testing.B) (string, func()){
		"net": relayOverNet, "lion": relayOverLion,
	} {
		b.Run(name, func(b *testing.B) {
			contestWith(b, b.N, "cpu-ns/MiB", serve,
				func(at string) string { return fmt.Sprintf("relay %s %d", at, b.N) })
		})
	}
}

// flood sends count MiB into the first of two connections, and takes them from the other.
func flood(work []string) error {
	to, err := netip.ParseAddrPort(work[0])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(work[1])
	if err != nil {
		return err
	}
	var fds [2]int
	for i := range fds {
		if fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
			return err
		}
		defer unix.Close(fds[i])
		if err := unix.Connect(fds[i], &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
			return err
		}
	}
	wrote := make(chan error, 1)
	go func() {
		for data, left := make([]byte, 1<<20), count<<20; left > 0; {
			n, err := unix.Write(fds[0], data[:min(left, len(data))])
			if err != nil && err != unix.EINTR {
				wrote <- err
				return
			}
			left -= max(n, 0)
		}
		wrote <- unix.Shutdown(fds[0], unix.SHUT_WR)
	}()
	room := make([]byte, 1<<20)
	for left := count << 20; left > 0; {
		n, _, err := unix.Recvfrom(fds[1], room, unix.MSG_TRUNC)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return errors.Join(io.ErrUnexpectedEOF, err)
		}
		left -= n
	}
	return <-wrote
}

func relayOverNet(b *testing.B) (string, func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		from, err := ln.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer from.Close()
		to, err := ln.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer to.Close()
		_, err = io.Copy(to, from)
		ended <- err
	}()
	return ln.Addr().String(), func() {
		ln.Close()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

func relayOverLion(b *testing.B) (string, func()) {
	at, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- loop.Run(func(t *loop.Task) error {
			ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer ln.Close()
			at <- ln.Addr().String()
			from, err := ln.Accept(t)
			if err != nil {
				return err
			}
			defer from.Close()
			to, err := ln.Accept(t)
			if err != nil {
				return err
			}
			defer to.Close()
			_, err = sendfile.Copy(t, to, from, -1)
			return err
		})
	}()
	return <-at, func() {
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}
