package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lion-go/lion/sys"
)

// serveNet serves on package net, the way fasthttp is meant to be used: a
// goroutine for each connection.
func serveNet(c *config, s *site, ready func(addr string)) error {
	limitProcessors(c.loops)
	ln, err := net.Listen(network(c.addr), c.addr)
	if err != nil {
		return err
	}
	server := s.server()
	server.CloseOnShutdown = true
	signals, release := signal.NotifyContext(context.Background(), sys.Interrupt, sys.Terminate)
	defer release()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(&patientListener{Listener: ln}) }()
	ready(ln.Addr().String())

	select {
	case err := <-ended:
		return fmt.Errorf("accepting connections: %w", err)
	case <-signals.Done():
	}
	release() // a second signal ends the process at once
	s.stop()
	return shutDown(server, c.grace)
}

// limitProcessors lets Go use as many processors as lion would use loops. But
// who has set GOMAXPROCS has decided already, for both transports alike: to
// override it here would have a comparison run on different settings.
func limitProcessors(n int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(n)
	}
}

// network makes [::] mean what it means to lion: IPv6 only. Without an address it
// is all of both families.
func network(addr string) string {
	switch addr[0] {
	case ':':
		return "tcp"
	case '[':
		return "tcp6"
	}
	return "tcp4"
}

func shutDown(server *fasthttp.Server, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := server.ShutdownWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return cutError(int(server.GetCurrentConcurrency()), grace)
	}
	return err
}

// cutError is how a stop ends that did not leave everybody served.
func cutError(connections int, grace time.Duration) error {
	if connections == 1 {
		return fmt.Errorf("one connection was cut: its request did not end within %v", grace)
	}
	return fmt.Errorf("%d connections were cut: their requests did not end within %v", connections, grace)
}

// acceptPause is how long nothing is accepted after descriptors ran out: long
// enough to cost nothing, short enough for a client not to notice.
const acceptPause = 50 * time.Millisecond

// patientListener goes on when accepting fails for want of descriptors or
// memory, or for the sake of one connection. fasthttp would end the server.
type patientListener struct{ net.Listener }

func (l *patientListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		switch {
		case err == nil:
			return c, nil
		case sys.Exhausted(err):
			time.Sleep(acceptPause)
		case !sys.AcceptTransient(err):
			return nil, err
		}
	}
}
