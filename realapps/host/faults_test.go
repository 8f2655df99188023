package main

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// TestFaults is torture: a name server and the program on one loop, in which
// every call of the kernel fails, in a build with the tag faults; without it
// this runs once. It prints the address, or why not.
func TestFaults(t *testing.T) {
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Bind(socket.InetAddr(netip.MustParseAddrPort("127.0.0.1:0"))); err != nil {
			return err
		}
		at, err := s.Name()
		if err != nil {
			return err
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			err := n.Spawn(func(task *loop.Task) error { return answering(task, s) })
			if err != nil {
				return err
			}
			return errors.Join(looked(task, t, at.String()), n.Cancel("the program has ended"))
		})
	}))
}

// answering is a server whose own failures are silence.
func answering(task *loop.Task, s *socket.Socket) error {
	for buf := make([]byte, 1500); ; {
		n, from, err := s.RecvFrom(task, buf, 0)
		if err == nil {
			_, err = s.SendTo(task, reply(buf[:n]), 0, from)
		}
		if errors.Is(err, loop.Cancelled) {
			return err
		}
	}
}

// looked runs the program with a server.
func looked(task *loop.Task, t *testing.T, server string) error {
	var out, errs bytes.Buffer
	c, err := parse([]string{"-timeout", "1h", "-servers", server, "www.example"}, &errs)
	if err != nil {
		return err
	}
	p := &printer{c: c, out: &out, errs: &errs}
	r, err := p.resolver()
	if err != nil {
		return err
	}
	err = p.all(task, r)
	switch found := out.String() == "www.example\t192.0.2.1\n"; {
	case !found && out.Len() > 0:
		t.Errorf("it printed %q", &out)
	case !found && err == nil && !(p.failed && strings.HasPrefix(errs.String(), "host: ")):
		t.Errorf("it printed nothing: %q", &errs)
	}
	return err
}
