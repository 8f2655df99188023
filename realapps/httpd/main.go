// Command httpd serves files beneath a directory, and a greeting, over
// HTTP/1.1. It is one program on two transports: the same fasthttp server, with
// the same handler and the same limits, either inside the tasks of lion or on
// package net, so that a comparison of the two compares nothing else.
//
// README.md says how to run it and what it takes care of.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// Exit codes.
const (
	exitOK    = 0 // served, and stopped in order
	exitError = 1 // could not serve, or cut connections at the end
	exitUsage = 2 // the flags make no sense
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "httpd: %v\nusage: httpd [flags]; httpd -help lists the flags\n", err)
		return exitUsage
	}
	if err := serve(c, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "httpd:", err)
		return exitError
	}
	return exitOK
}

// serve runs the server until it is asked to stop.
func serve(c *config, stdout, stderr io.Writer) (err error) {
	s, err := newSite(c)
	if err != nil {
		return err
	}
	defer s.close()
	if c.log {
		s.log = newAccessLog(stdout, stderr)
		defer func() { err = errors.Join(err, s.log.close()) }()
	}
	ready := func(addr string) {
		fmt.Fprintf(stderr, "httpd: serving on %s (transport %s)\n", addr, c.transport)
	}
	return c.serveOn()(c, s, ready)
}
