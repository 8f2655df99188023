package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lion-go/lion/bench/internal/lab"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
)

// probe looks names up, and writes its findings.
func probe(j job) error {
	if err := lab.Cover("/etc", j.Etc); err != nil {
		return err
	}
	if j.Files > 0 {
		limit := &syscall.Rlimit{Cur: uint64(j.Files), Max: uint64(j.Files)}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, limit); err != nil {
			return err
		}
	}
	switch {
	case j.Contender == glibc && j.Program != "":
		args := []string{j.Program, strconv.Itoa(j.WarmUp), strconv.Itoa(j.Lookups)}
		return syscall.Exec(j.Program, args, os.Environ())
	case j.Contender == glibc:
		return report(j, getent)
	case j.Contender == goNet && j.Many:
		return manyNet(j.Lookups)
	case j.Contender == goNet:
		return report(j, lookupNet)
	}
	r, err := resolver.New(resolver.Config{CacheSize: -1})
	if err != nil {
		return err
	}
	return loop.Run(func(t *loop.Task) error {
		switch {
		case j.Many:
			return manyLion(t, r, j.Lookups)
		case j.Stream:
			return report(j, func(name string) lookup { return streamLion(t, r, name) })
		}
		return report(j, func(name string) lookup { return lookupLion(t, r, name) })
	})
}

// report looks up one name after the other, each of them new, and then writes how it went and
// what it cost.
func report(j job, look func(name string) lookup) error {
	for i := range j.WarmUp {
		look(fmt.Sprintf("w%d.example.test", i))
	}
	found := make([]lookup, 0, j.Lookups)
	names := make([]string, j.Lookups)
	for i := range names {
		names[i] = fmt.Sprintf("h%d.example.test", i)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	for _, name := range names {
		found = append(found, look(name))
	}
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	for _, l := range found {
		fmt.Println(l.line())
	}
	fmt.Println("C", cpu.Nanoseconds(), after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc)
	return nil
}

// cpuTime is the processor time of this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// stream is what all ask for: addresses for connections.
var stream = resolver.Hints{SockType: syscall.SOCK_STREAM}

func lookupLion(t *loop.Task, r *resolver.Resolver, name string) (l lookup) {
	began := time.Now()
	infos, err := r.Getaddrinfo(t, name, "", stream)
	l.took = time.Since(began)
	for _, info := range infos {
		l.addrs = append(l.addrs, info.Addr.Addr())
	}
	l.err = lionError(err)
	return l
}

// streamLion notes when the first address is known.
func streamLion(t *loop.Task, r *resolver.Resolver, name string) (l lookup) {
	began := time.Now()
	err := r.Resolve(t, socket.Query{Host: name, Service: "443"}, func(a socket.Answer) {
		if l.took == 0 && len(a.Addrs) > 0 {
			l.took = time.Since(began)
		}
		for _, addr := range a.Addrs {
			l.addrs = append(l.addrs, addr.Addr())
		}
	})
	l.err = lionError(err)
	return l
}

// lionError is an error of lion in a few words: those of glibc, and the reason.
func lionError(err error) string {
	var e *resolver.Error
	var errno syscall.Errno
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e) && errors.As(err, &errno):
		return e.Code.String() + ", " + errno.Error()
	case !errors.As(err, &e):
		return err.Error()
	case e.Err == nil:
		return e.Code.String()
	}
	text := strings.TrimPrefix(e.Err.Error(), "resolver: ")
	return e.Code.String() + ", " + strings.TrimPrefix(text, "loop: ")
}

// pure is package net's own resolver: it does not ask glibc.
var pure = &net.Resolver{PreferGo: true}

func lookupNet(name string) (l lookup) {
	began := time.Now()
	addrs, err := pure.LookupNetIP(context.Background(), "ip", name)
	l.took = time.Since(began)
	for _, addr := range addrs {
		l.addrs = append(l.addrs, addr.Unmap())
	}
	l.err = netError(err)
	return l
}

// netError is an error of package net in a few words.
func netError(err error) string {
	var e *net.DNSError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, syscall.EMFILE), strings.Contains(err.Error(), "too many open files"):
		return "too many open files"
	case errors.As(err, &e) && strings.Contains(e.Err, "refused"):
		return "connection refused"
	case errors.As(err, &e) && strings.Contains(e.Err, "timeout"):
		return "timeout"
	case errors.As(err, &e):
		return e.Err
	}
	return err.Error()
}

// getent looks up a name in a process of its own.
func getent(name string) (l lookup) {
	began := time.Now()
	out, err := exec.Command("getent", "ahosts", name).Output()
	l.took = time.Since(began)
	if err != nil {
		l.err = "getent: " + err.Error()
	}
	for line := range strings.Lines(string(out)) {
		addr, err := netip.ParseAddr(strings.Fields(line)[0])
		if err == nil && strings.Contains(line, "STREAM") {
			l.addrs = append(l.addrs, addr)
		}
	}
	return l
}

// manyLion looks up many names at a time.
func manyLion(t *loop.Task, r *resolver.Resolver, many int) error {
	good, bad, first := 0, 0, ""
	began := time.Now()
	err := loop.Nurse(t, func(n *loop.Nursery) error {
		for i := range many {
			err := n.Spawn(func(t *loop.Task) error {
				l := lookupLion(t, r, fmt.Sprintf("h%d.example.test", i))
				if len(l.addrs) == 2 {
					good++
				} else if bad++; first == "" {
					first = l.err
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println("M", time.Since(began).Nanoseconds(), good, bad, token(first))
	return err
}

// manyNet looks up many names at a time.
func manyNet(many int) error {
	var good, bad atomic.Int64
	var first atomic.Pointer[string]
	var all sync.WaitGroup
	began := time.Now()
	for i := range many {
		all.Go(func() {
			l := lookupNet(fmt.Sprintf("h%d.example.test", i))
			if len(l.addrs) == 2 {
				good.Add(1)
				return
			}
			bad.Add(1)
			if l.err != "" { // else one family was lost
				first.CompareAndSwap(nil, &l.err)
			}
		})
	}
	all.Wait()
	text := ""
	if p := first.Load(); p != nil {
		text = *p
	}
	fmt.Println("M", time.Since(began).Nanoseconds(), good.Load(), bad.Load(), token(text))
	return nil
}
