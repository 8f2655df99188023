// Command host finds the addresses of names, and shows how: a getent with the
// search list of dig +search, and a line for every step that the resolver took.
//
//	host [flags] name...
//
// It is one program on two resolvers: that of lion, or that of package net.
// README.md says what its lines mean.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
)

// Exit codes.
const (
	exitOK       = 0
	exitNotFound = 1 // one of the names has no addresses
	exitUsage    = 2 // the arguments make no sense
)

// usage follows a complaint about the arguments, and comes before the list of flags.
const usage = "usage: host [flags] name...; host -help lists the flags\n"

// config is what the flags say.
type config struct {
	transport string
	service   string
	servers   string
	timeout   time.Duration
	only4     bool
	only6     bool
	lenient   bool
	reverse   bool
	system    bool
	verbose   bool
	hosts     []string
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func parse(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	flags := flag.NewFlagSet("host", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run reports the error, once
	flags.StringVar(&c.transport, "transport", "lion", "whose resolver: lion or net")
	flags.StringVar(&c.service, "service", "", "a service or a port to go with the addresses")
	flags.StringVar(&c.servers, "servers", "", "name servers to ask instead of the system's, with commas: 192.0.2.53,[::1]:5353")
	flags.DurationVar(&c.timeout, "timeout", 10*time.Second, "how long all may take")
	flags.BoolVar(&c.only4, "4", false, "IPv4 only")
	flags.BoolVar(&c.only6, "6", false, "IPv6 only")
	flags.BoolVar(&c.lenient, "getaddrinfo", false, "read names and numbers as getaddrinfo(3) does, not as strictly as dialing")
	flags.BoolVar(&c.reverse, "x", false, "find the names of addresses")
	flags.BoolVar(&c.system, "system", false, "ask the system's own resolver, through lion's throttle")
	flags.BoolVar(&c.verbose, "v", false, "show every step, and the numbers at the end")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stderr, usage)
		flags.SetOutput(stderr)
		flags.PrintDefaults()
	}
	if err != nil {
		return nil, err
	}
	c.hosts = flags.Args()
	switch {
	case len(c.hosts) == 0:
		return nil, errors.New("which name?")
	case c.only4 && c.only6:
		return nil, errors.New("-4 and -6 exclude each other")
	case c.transport != "lion" && c.transport != "net":
		return nil, fmt.Errorf("no transport %q: lion or net", c.transport)
	case c.transport == "net" && (c.servers != "" || c.system || c.lenient):
		return nil, errors.New("-servers, -system and -getaddrinfo are for lion's resolver")
	}
	return c, nil
}

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "host: %v\n%s", err, usage)
		return exitUsage
	}
	if c.transport == "net" {
		return overNet(c, stdout, stderr)
	}
	p := &printer{c: c, out: stdout, errs: stderr}
	r, err := p.resolver()
	if err != nil {
		fmt.Fprintf(stderr, "host: %v\n%s", err, usage)
		return exitUsage
	}
	err = loop.Run(func(t *loop.Task) error { return p.all(t, r) })
	if err != nil {
		fmt.Fprintln(stderr, "host:", err)
		return exitNotFound
	}
	if p.failed {
		return exitNotFound
	}
	return exitOK
}

// resolver makes the resolver that the flags ask for.
func (p *printer) resolver() (*resolver.Resolver, error) {
	var config resolver.Config
	if p.c.verbose {
		config.Trace = p.step
	}
	if p.c.system {
		config.Backend = resolver.System{}
	}
	if p.c.servers != "" {
		conf := &resolver.ResolvConf{}
		for text := range strings.SplitSeq(p.c.servers, ",") {
			server, err := parseServer(text)
			if err != nil {
				return nil, err
			}
			conf.Servers = append(conf.Servers, server)
		}
		config.ResolvConf = conf
	}
	return resolver.New(config)
}

// parseServer reads an address, with a port or without.
func parseServer(text string) (netip.AddrPort, error) {
	const port = 53
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(addr, port), nil
	}
	return netip.ParseAddrPort(text)
}
