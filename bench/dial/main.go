// Command dial measures how long it takes to connect to a host some of whose addresses are
// dead: with lion's eyeballs, with net.Dialer, and as RFC 8305 would have it at best. It runs
// in a network of its own, in which the dead addresses are real: packets to them leave, and
// nothing ever comes back.
//
//	go run ./dial            in bench; needs Linux, ip(8), and root or user namespaces
//	go run ./dial -net=false without net.Dialer, which takes half a minute
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

// options are what the flags say.
type options struct {
	rounds int
	net    bool
	limit  time.Duration
	only   string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often lion connects in each case")
	flag.BoolVar(&o.net, "net", true, "measure net.Dialer too")
	flag.DurationVar(&o.limit, "timeout", 30*time.Second,
		"the `time` that net.Dialer has, which it divides among the addresses; 30s is that of http.DefaultTransport")
	flag.StringVar(&o.only, "case", "", "measure only the case of this `name`")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "dial:", err)
		os.Exit(1)
	}
}
