package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// result is what one case took.
type result struct {
	lion  []time.Duration // sorted
	again time.Duration   // the second time with a History
	net   time.Duration
	err   error // of net.Dialer
}

// measure runs all cases and prints the table.
func measure(o options) error {
	port, stop, err := listen()
	if err != nil {
		return err
	}
	defer stop()
	if o.only != "" {
		cases = slices.DeleteFunc(cases, func(c dialCase) bool { return c.name != o.only })
	}
	results := make([]result, len(cases))
	var rivals sync.WaitGroup
	if o.net {
		for i := range cases {
			rivals.Go(func() { results[i].net, results[i].err = dialNet(cases[i], port, o.limit) })
		}
	}
	var silence []time.Duration
	err = loop.Run(func(t *loop.Task) error {
		for i := range cases {
			if err := dialLion(t, cases[i], port, o.rounds, &results[i]); err != nil {
				return err
			}
		}
		silence, err = dialSilent(t, port, o.rounds)
		return err
	})
	if err != nil {
		return err
	}
	rivals.Wait()
	print(o, results, silence)
	return nil
}

// listen accepts and drops connections on both live addresses.
func listen() (port uint16, stop func(), err error) {
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		return 0, nil, err
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // closed by stop
			}
			_ = conn.Close()
		}
	})
	at := ln.Addr().(*net.TCPAddr).AddrPort()
	return at.Port(), func() { _ = ln.Close(); done.Wait() }, nil
}

func dialNet(c dialCase, port uint16, limit time.Duration) (time.Duration, error) {
	began := time.Now()
	dialer := net.Dialer{Timeout: limit, Resolver: &net.Resolver{PreferGo: true}}
	address := net.JoinHostPort(c.host(), strconv.Itoa(int(port)))
	conn, err := dialer.DialContext(context.Background(), "tcp", address)
	took := time.Since(began)
	if err == nil {
		_ = conn.Close()
	}
	return took, err
}

// dialLion connects as often as asked, and then twice with a memory.
func dialLion(t *loop.Task, c dialCase, port uint16, rounds int, r *result) error {
	for range rounds {
		took, err := dialOnce(t, known(c.endpoints(port)))
		if err != nil {
			return err
		}
		r.lion = append(r.lion, took)
	}
	slices.Sort(r.lion)
	var memory eyeballs.History
	for range 2 {
		took, err := dialOnce(t, known(c.endpoints(port)), eyeballs.WithHistory(&memory))
		if err != nil {
			return err
		}
		r.again = took
	}
	return nil
}

func dialOnce(t *loop.Task, resolve socket.Resolve, opts ...eyeballs.Option) (time.Duration, error) {
	began := time.Now()
	conn, err := eyeballs.Dial(t, resolve, "host.test:1", opts...)
	if err != nil {
		return 0, err
	}
	took := time.Since(began)
	return took, conn.Close()
}

// dialSilent connects to a name whose AAAA is never answered.
func dialSilent(t *loop.Task, port uint16, rounds int) (all []time.Duration, err error) {
	live := known([]netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(live4), port)})
	silent := func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
		if err := live(t, q, deliver); err != nil {
			return err
		}
		return loop.SleepForever(t)
	}
	for range rounds {
		took, err := dialOnce(t, silent)
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all, nil
}

// known answers every name with these addresses, family by family.
func known(addrs []netip.AddrPort) socket.Resolve {
	return func(t *loop.Task, _ socket.Query, deliver func(socket.Answer)) error {
		for _, six := range []bool{true, false} {
			var part []netip.AddrPort
			for _, addr := range addrs {
				if addr.Addr().Is6() == six {
					part = append(part, addr)
				}
			}
			if len(part) > 0 {
				deliver(socket.Answer{Family: socket.InetAddr(part[0]).Family(), Addrs: part})
			}
		}
		return loop.Checkpoint(t)
	}
}

func print(o options, results []result, silence []time.Duration) {
	fmt.Printf("%-34s %9s %9s %9s %12s %12s\n",
		"case (times in ms)", "ideal", "lion", "worst", "second dial", "net.Dialer")
	for i, c := range cases {
		r := results[i]
		rival := "-"
		switch {
		case o.net && r.err != nil:
			rival = "fails " + ms(r.net)
		case o.net:
			rival = ms(r.net)
		}
		fmt.Printf("%-34s %9s %9s %9s %12s %12s\n", c.name, ms(c.ideal),
			ms(r.lion[len(r.lion)/2]), ms(r.lion[len(r.lion)-1]), ms(r.again), rival)
	}
	fmt.Printf("%-34s %9s %9s %9s %12s %12s\n", "AAAA is never answered", ms(eyeballs.ResolutionDelay),
		ms(silence[len(silence)/2]), ms(silence[len(silence)-1]), "-", "-")
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
