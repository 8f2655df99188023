package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// printer looks names up one after the other, and writes what it learns.
type printer struct {
	c         *config
	out, errs io.Writer
	start     time.Time
	failed    bool
}

// all looks up all hosts, within the time that there is.
func (p *printer) all(t *loop.Task, r *resolver.Resolver) error {
	err := loop.FailAfter(t, p.c.timeout, func(*loop.Scope) error {
		for _, host := range p.c.hosts {
			p.start = t.Now()
			if err := p.one(t, r, host); err != nil {
				p.failed = true
				fmt.Fprintf(p.errs, "host: %v\n", err)
				if t.Scope().CancelCalled() {
					return err
				}
			}
		}
		return nil
	})
	if p.c.verbose {
		tell(p.out, r.Statistics())
	}
	return err
}

func (p *printer) family() int {
	switch {
	case p.c.only4:
		return sys.AF_INET
	case p.c.only6:
		return sys.AF_INET6
	}
	return sys.AF_UNSPEC
}

// one looks up one host in the way that the flags ask for.
func (p *printer) one(t *loop.Task, r *resolver.Resolver, host string) error {
	switch {
	case p.c.reverse:
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return err
		}
		name, _, err := r.Getnameinfo(t, netip.AddrPortFrom(addr, 0), resolver.NINameReqd)
		if err == nil {
			p.line(host, name, "")
		}
		return err
	case p.c.lenient:
		hints := resolver.Hints{Family: p.family(), SockType: sys.SOCK_STREAM, Flags: resolver.CanonName | resolver.IDN}
		infos, err := r.Getaddrinfo(t, host, p.c.service, hints)
		for _, info := range infos {
			p.line(host, p.text(info.Addr), info.CanonName)
		}
		return err
	}
	q := socket.Query{Host: host, Service: p.c.service, Family: p.family()}
	return r.Resolve(t, q, func(a socket.Answer) {
		for _, addr := range a.Addrs {
			p.line(host, p.text(addr), "")
		}
		if p.c.verbose {
			p.note(t.Now(), "deliver", host, fmt.Sprintf("%d addresses of family %d, %v", len(a.Addrs), a.Family, a.Err))
		}
	})
}

// text is an address, with its port if one was asked for.
func (p *printer) text(addr netip.AddrPort) string {
	if p.c.service == "" {
		return addr.Addr().String()
	}
	return addr.String()
}

func (p *printer) line(host, what, canon string) {
	if canon != "" && canon != host {
		what += "\t" + canon
	}
	fmt.Fprintf(p.out, "%s\t%s\n", host, what)
}

// step writes an event of the resolver.
func (p *printer) step(e resolver.Event) {
	detail := e.Detail
	if e.Server.IsValid() {
		detail = e.Server.String() + ": " + detail
	}
	p.note(e.Time, e.Step, e.Name, detail)
}

func (p *printer) note(when time.Time, step, name, detail string) {
	ms := float64(when.Sub(p.start).Microseconds()) / 1000
	fmt.Fprintf(p.out, "# %9.3f ms  %-9s %s  %s\n", ms, step, name, detail)
}

// overNet does the same with package net.
func overNet(c *config, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	network := "ip"
	if c.only4 {
		network = "ip4"
	} else if c.only6 {
		network = "ip6"
	}
	code := exitOK
	p := &printer{c: c, out: stdout, errs: stderr}
	for _, host := range c.hosts {
		if err := p.oneOverNet(ctx, network, host); err != nil {
			fmt.Fprintf(stderr, "host: %v\n", err)
			code = exitNotFound
		}
	}
	return code
}

func (p *printer) oneOverNet(ctx context.Context, network, host string) error {
	if p.c.reverse {
		names, err := net.DefaultResolver.LookupAddr(ctx, host)
		for _, name := range names {
			p.line(host, strings.TrimSuffix(name, "."), "")
		}
		return err
	}
	port := 0
	if p.c.service != "" {
		var err error
		if port, err = net.DefaultResolver.LookupPort(ctx, "tcp", p.c.service); err != nil {
			return err
		}
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	for _, addr := range addrs {
		text := addr.Unmap().String()
		if p.c.service != "" {
			text = net.JoinHostPort(text, strconv.Itoa(port))
		}
		p.line(host, text, "")
	}
	return err
}
