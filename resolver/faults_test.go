package resolver_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Torture (reliability 93): bodies in which every call of the kernel is made to
// fail, in a build with the tag faults; without it each runs once.

// long is how many addresses are too many for a datagram.
const long = 90

// torture has everything go wrong in a lookup at so many servers, which answer
// honestly from a zone, by datagrams and by TCP. Each run has a resolver of its
// own, so that none knows what another one has found out.
func torture(
	t *testing.T, servers int, config resolver.Config, body func(*loop.Task, *resolver.Resolver) error,
) {
	t.Helper()
	z := readZones(t)
	z.add(record("x.test.", dns.TypeA))
	z.add(record("x.test.", dns.TypeAAAA))
	for i := range long {
		z.add(&dns.A{Hdr: header("long.test.", dns.TypeA), A: []byte{198, 51, 100, byte(i)}})
	}
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		return loop.FailAfter(task, time.Hour, func(*loop.Scope) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				conf, config := resolver.ResolvConf{}, config
				for range servers {
					at, err := serveZone(task, n, z)
					if err != nil {
						return err
					}
					conf.Servers = append(conf.Servers, at)
				}
				config.ResolvConf = &conf
				config.Recheck = never
				r, err := resolver.New(config)
				if err != nil {
					return err
				}
				err = body(task, r)
				return errors.Join(err, n.Cancel("the lookup is over"))
			})
		})
	}))
}

// serveZone starts a name server in n, which lives until n is cancelled. Its
// own failures are silence, as a client sees them.
func serveZone(t *loop.Task, n *loop.Nursery, z zone) (at netip.AddrPort, err error) {
	ln, err := socket.ListenTCP(t.Loop(), netip.AddrPortFrom(loopback, 0).String())
	if err != nil {
		return at, err
	}
	at = ln.Addr().AddrPort()
	udp, err := socket.New(t.Loop(), ln.Addr().Family(), sys.SOCK_DGRAM, 0)
	if err != nil {
		return at, errors.Join(err, ln.Close())
	}
	if err := udp.Bind(ln.Addr()); err != nil {
		return at, errors.Join(err, udp.Close(), ln.Close())
	}
	err = n.Spawn(func(t *loop.Task) error {
		defer udp.Close()
		for buf := make([]byte, 2048); ; {
			size, from, err := udp.RecvFrom(t, buf, 0)
			if err == nil {
				_, err = udp.SendTo(t, z.wire(buf[:size], false), 0, from)
			}
			if errors.Is(err, loop.Cancelled) {
				return err
			}
		}
	})
	if err != nil {
		return at, errors.Join(err, udp.Close(), ln.Close())
	}
	err = n.Spawn(func(t *loop.Task) error {
		defer ln.Close()
		for {
			c, err := ln.Accept(t)
			if err == nil {
				err = serveZoneTCP(t, c, z)
			}
			if errors.Is(err, loop.Cancelled) {
				return err
			}
		}
	})
	if err != nil {
		return at, errors.Join(err, ln.Close())
	}
	return at, nil
}

func serveZoneTCP(t *loop.Task, c *socket.Conn, z zone) error {
	defer c.Close()
	for {
		var size [2]byte
		if n, err := stream.ReceiveExactly(t, c, size[:]); err != nil || n == 0 {
			return err
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := stream.ReceiveExactly(t, c, query); err != nil {
			return err
		}
		wire := z.wire(query, true)
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(wire)))
		if err := c.SendAll(t, append(framed, wire...)); err != nil {
			return err
		}
	}
}

// wire is the answer to a query.
func (z zone) wire(query []byte, tcp bool) []byte {
	var m dns.Msg
	if m.Unpack(query) != nil || len(m.Question) != 1 {
		return nil
	}
	return packed(z.reply(&asking{msg: &m, kind: m.Question[0].Qtype, tcp: tcp}))
}

// resolved looks a name up, which has so many addresses. What is missing must
// have a reason, which is returned.
func resolved(task *loop.Task, t *testing.T, r *resolver.Resolver, name string, want int) error {
	t.Helper()
	var got []netip.AddrPort
	var why error
	err := r.Resolve(task, socket.Query{Host: name, Service: "80"}, func(a socket.Answer) {
		got = append(got, a.Addrs...)
		why = errors.Join(why, a.Err)
	})
	switch {
	case len(got) > want:
		t.Errorf("%s has too many addresses: %v", name, got)
	case err == nil && (len(got) == 0 || len(got) < want && why == nil):
		t.Errorf("%s has %d addresses, want %d, and no reason", name, len(got), want)
	}
	return errors.Join(err, why)
}

// Both families by datagrams, of two servers; then from the cache.
func TestFaultsLookup(t *testing.T) {
	torture(t, 2, resolver.Config{Files: resolver.Files{Dir: noFiles}},
		func(task *loop.Task, r *resolver.Resolver) error {
			if err := resolved(task, t, r, "x.test", 2); err != nil {
				return err
			}
			return resolved(task, t, r, "x.test", 2)
		})
}

// An answer that is too long for a datagram comes by TCP.
func TestFaultsLookupTCP(t *testing.T) {
	torture(t, 1, resolver.Config{Files: resolver.Files{Dir: noFiles}},
		func(task *loop.Task, r *resolver.Resolver) error {
			infos, err := r.Getaddrinfo(task, "long.test", "80",
				resolver.Hints{Family: sys.AF_INET, SockType: sys.SOCK_STREAM})
			if len(infos) > long || err == nil && len(infos) == 0 {
				t.Errorf("%d addresses, %v", len(infos), err)
			}
			return err
		})
}

// Names in files, the name of an address, and names that are not there.
func TestFaultsNames(t *testing.T) {
	dir := tempDir(t)
	writeFile(t, filepath.Join(dir, "hosts"), "192.0.2.7 here.test\n2001:db8::7 here.test\n")
	torture(t, 1, resolver.Config{Files: resolver.Files{Dir: dir}},
		func(task *loop.Task, r *resolver.Resolver) error {
			if err := resolved(task, t, r, "here.test", 2); err != nil {
				return err
			}
			host, _, err := r.Getnameinfo(task, netip.MustParseAddrPort("192.0.2.7:80"), resolver.NINameReqd)
			if err == nil && host != "here.test" {
				t.Errorf("192.0.2.7 is %q", host)
			}
			if err != nil {
				return err
			}
			_, err = r.Getaddrinfo(task, "nowhere.test", "", resolver.Hints{SockType: 1})
			switch {
			case err == nil:
				t.Error("a name that is not there has addresses")
			case errors.Is(err, resolver.NoName):
				return nil
			}
			return err
		})
}
