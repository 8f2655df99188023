package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"time"
)

// config is what the flags say, checked.
type config struct {
	transport string
	loops     int
	addr      string
	root      string
	log       bool
	debugFree bool

	// Limits. Each bounds something that a stranger could otherwise take
	// without end: time, memory or descriptors.
	headerTimeout time.Duration
	bodyTimeout   time.Duration
	idleTimeout   time.Duration
	writeTimeout  time.Duration
	grace         time.Duration
	bodyLimit     int
	maxHeader     int
	maxConns      int
}

// The transports.
const (
	transportLion = "lion"
	transportNet  = "net"
)

// The least header buffer: below it the request line of an ordinary browser
// does not fit.
const minHeader = 512

// serveFunc runs a site on one transport until the program is asked to stop.
// It calls ready once, when connections are accepted, with the address.
type serveFunc func(c *config, s *site, ready func(addr string)) error

func (c *config) serveOn() serveFunc {
	if c.transport == transportNet {
		return serveNet
	}
	return serveLion
}

// parse reads the flags. The usage goes to stderr if it is asked for.
func parse(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	f := flag.NewFlagSet("httpd", flag.ContinueOnError)
	f.StringVar(&c.transport, "transport", transportLion, "what carries the bytes: lion or net")
	f.IntVar(&c.loops, "loops", runtime.GOMAXPROCS(0),
		"event `loops` of lion, or processors that net may use at once")
	f.StringVar(&c.addr, "addr", "127.0.0.1:8080", "IP `address` and port to listen on; :8080 listens on all addresses")
	f.StringVar(&c.root, "root", "", "`directory` whose files are served; without it there are none")
	f.BoolVar(&c.log, "log", false, "write a line for each request to standard output")
	f.BoolVar(&c.debugFree, "debug-free", false,
		"let GET /debug/free collect garbage and tell the memory in use: for measurements only")
	f.DurationVar(&c.headerTimeout, "header-timeout", 10*time.Second,
		"`time` for all of a request's header")
	f.DurationVar(&c.bodyTimeout, "body-timeout", 30*time.Second, "`time` for all of a request's body")
	f.DurationVar(&c.idleTimeout, "idle-timeout", 60*time.Second, "`time` between two requests, and until the first")
	f.DurationVar(&c.writeTimeout, "write-timeout", 30*time.Second,
		"`time` for a client to take an answer, or a part of a file")
	f.DurationVar(&c.grace, "grace", 10*time.Second,
		"`time` for requests under way to end when the server stops")
	f.IntVar(&c.bodyLimit, "body-limit", 64<<10, "largest request body in `bytes`; it is read and ignored")
	f.IntVar(&c.maxHeader, "max-header", 8<<10, "largest request header in `bytes`")
	f.IntVar(&c.maxConns, "max-conns", 100_000, "most `connections` at once")

	f.SetOutput(io.Discard) // run reports the error, once
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		f.SetOutput(stderr)
		f.Usage()
	}
	if err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("there are only flags, but %q was given", f.Arg(0))
	}
	return c, c.check()
}

// checkAddr reads the address, which is that of an interface or, with nothing
// before the port, stands for all.
func (c *config) checkAddr() error {
	text := c.addr
	if strings.HasPrefix(text, ":") {
		text = "0.0.0.0" + text
	}
	_, err := netip.ParseAddrPort(text)
	return err
}

// check refuses what can not mean anything.
func (c *config) check() error {
	err := c.checkAddr()
	switch {
	case c.transport != transportLion && c.transport != transportNet:
		return fmt.Errorf("-transport is %q; it is lion or net", c.transport)
	case err != nil:
		return fmt.Errorf("-addr is %q; it takes an IP address and a port, such as 127.0.0.1:8080,"+
			" or :8080 for all addresses", c.addr)
	}
	for _, limit := range []struct {
		name            string
		value, min, max int64
	}{
		{"-loops", int64(c.loops), 1, 1 << 10},
		{"-body-limit", int64(c.bodyLimit), 1, math.MaxInt32},
		{"-max-header", int64(c.maxHeader), minHeader, 1 << 20},
		{"-max-conns", int64(c.maxConns), int64(c.loops), 1 << 24},
	} {
		if limit.value < limit.min || limit.value > limit.max {
			return fmt.Errorf("%s is %d; it is at least %d and at most %d",
				limit.name, limit.value, limit.min, limit.max)
		}
	}
	for _, limit := range []struct {
		name  string
		value time.Duration
	}{
		{"-header-timeout", c.headerTimeout},
		{"-body-timeout", c.bodyTimeout},
		{"-idle-timeout", c.idleTimeout},
		{"-write-timeout", c.writeTimeout},
		{"-grace", c.grace},
	} {
		if limit.value < time.Millisecond {
			return fmt.Errorf("%s is %v; it is at least a millisecond", limit.name, limit.value)
		}
	}
	return nil
}
