package main

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// resolveSystem asks the resolver of package net, each family in a goroutine of its own, and
// delivers each answer as it comes.
func resolveSystem(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", q.Service)
	if err != nil {
		return err
	}
	var wake loop.ParkingLot
	var answers []socket.Answer
	waiting := 0
	for _, family := range []int{sys.AF_INET6, sys.AF_INET} {
		if q.Family != sys.AF_UNSPEC && q.Family != family {
			continue
		}
		waiting++
		go func() {
			answer := lookUp(ctx, q.Host, family, uint16(port))
			// A loop that has ended needs no answer.
			_ = t.Loop().CallSoon(func() { answers = append(answers, answer); wake.UnparkOne() })
		}()
	}
	var last error
	for found := false; waiting > 0; waiting-- {
		for len(answers) == 0 {
			if err := wake.Park(t, "name lookup"); err != nil {
				return err
			}
		}
		deliver(answers[0])
		found = found || answers[0].Err == nil
		if last = answers[0].Err; found {
			last = nil
		}
		answers = answers[1:]
	}
	return last
}

// lookUp asks for one family. It runs in a goroutine.
func lookUp(ctx context.Context, host string, family int, port uint16) socket.Answer {
	network := map[int]string{sys.AF_INET: "ip4", sys.AF_INET6: "ip6"}[family]
	answer := socket.Answer{Family: family}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil {
		answer.Err = nameError{err}
		return answer
	}
	for _, ip := range ips {
		answer.Addrs = append(answer.Addrs, netip.AddrPortFrom(ip.Unmap(), port))
	}
	return answer
}

// nameError says of an error of package net what eyeballs asks.
type nameError struct{ error }

func (e nameError) Unwrap() error { return e.error }

func (e nameError) NotFound() bool {
	var dns *net.DNSError
	return errors.As(e.error, &dns) && dns.IsNotFound
}

func (e nameError) Temporary() bool {
	var dns *net.DNSError
	return errors.As(e.error, &dns) && dns.Temporary()
}
