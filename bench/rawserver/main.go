// Rawserver answers every request with the same bytes, without an HTTP library, so that only
// the transport is left to measure: -impl lion or -impl net. floor/epoll.c is its twin in C.
//
// With -debug-free, GET /debug/free returns freed memory to the system and answers the resident
// size. With -beside, ordinary goroutines beside the server measure how long they wait for
// their turn, and GET /debug/beside answers that, counted since the question before.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lion-go/lion/sys"
)

// deferSeconds is how long a connection may keep its first bytes to itself.
const deferSeconds = 10

// settings are the flags, the same for both implementations.
type settings struct {
	address  string
	free     bool
	beside   bool
	work     time.Duration
	once     bool
	deferred bool
}

func main() {
	var s settings
	impl := flag.String("impl", "lion", "the transport: lion or net")
	flag.StringVar(&s.address, "addr", "127.0.0.1:0", "the address to serve on, host:port")
	flag.BoolVar(&s.free, "debug-free", false, "GET /debug/free returns memory to the system")
	flag.BoolVar(&s.beside, "beside", false, "measure the delay of goroutines beside the server")
	flag.DurationVar(&s.work, "work", 0, "CPU time to burn per request")
	flag.BoolVar(&s.once, "once", false, "close a connection after the first answer")
	flag.BoolVar(&s.deferred, "defer", false, "accept a connection when its first bytes have come")
	flag.Parse()
	serve := map[string]func(settings) error{"lion": serveLion, "net": serveNet}[*impl]
	if serve == nil || flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "rawserver: -impl is %q, not lion or net; arguments %q\n",
			*impl, flag.Args())
		os.Exit(2)
	}
	if err := serve(s); err != nil {
		fmt.Fprintln(os.Stderr, "rawserver:", err)
		os.Exit(1)
	}
}

// announce says where the server is; bench waits for this line.
func announce(address any, impl string) {
	fmt.Fprintf(os.Stderr, "rawserver: serving on %v (impl %s)\n", address, impl)
}

// serveNet serves the usual way: a goroutine and a buffer per connection.
func serveNet(s settings) error {
	listener, err := s.listenNet()
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		listener.Close()
	}()
	d := newDesk(s)
	announce(listener.Addr(), "net")
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go serveConn(conn, d)
	}
}

// listenNet listens, with TCP_DEFER_ACCEPT if that is asked for.
func (s settings) listenNet() (net.Listener, error) {
	var c net.ListenConfig
	if s.deferred {
		c.Control = func(_, _ string, raw syscall.RawConn) (err error) {
			failed := raw.Control(func(fd uintptr) {
				err = sys.SetsockoptInt(sys.FD(fd), sys.IPPROTO_TCP, sys.TCP_DEFER_ACCEPT, deferSeconds)
			})
			return errors.Join(failed, err)
		}
	}
	return c.Listen(context.Background(), "tcp", s.address)
}

func serveConn(conn net.Conn, d *desk) {
	defer conn.Close()
	buffer := d.newBuffer()
	for {
		n, err := conn.Read(buffer.Free())
		if err != nil {
			return
		}
		for answer := range d.answers(&buffer, n) {
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
		if d.once || len(buffer.Free()) == 0 {
			return
		}
	}
}
