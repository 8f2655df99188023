package socket

import "net/netip"

// perIP counts the connections of each client. A nil one does not count.
type perIP struct {
	most  int
	count map[netip.Prefix]int
}

// WithMaxPerIP sets how many connections one client may have open at once; a
// further one is reset as soon as it is accepted, and counted. A client is an
// IPv4 address, or the /64 network of an IPv6 address, since a host has all of
// that. Behind a proxy it is the proxy that counts here, and all its clients
// together. The default is no limit but that of all connections together.
func WithMaxPerIP(n int) ServeOption {
	return func(s *Server) error {
		if n < 1 {
			return misuse("at most %d connections of a client", n)
		}
		s.perIP = &perIP{most: n, count: map[netip.Prefix]int{}}
		return nil
	}
}

// client is whom an address belongs to; the zero Prefix for what is no IP
// address.
func client(a Addr) netip.Prefix {
	bits := 64
	if a.ap.Addr().Is4() {
		bits = 32
	}
	p, _ := a.ap.Addr().WithZone("").Prefix(bits) // it fails for no address
	return p
}

// enter counts a connection, unless there are enough.
func (p *perIP) enter(c *Conn) bool {
	if p == nil {
		return true
	}
	who := client(c.peer)
	if who.IsValid() && p.count[who] >= p.most {
		return false
	}
	p.count[who]++
	return true
}

// leave takes back what enter counted.
func (p *perIP) leave(c *Conn) {
	if p == nil {
		return
	}
	who := client(c.peer)
	if c.proxy != nil {
		who = client(c.proxy.proxy)
	}
	if p.count[who]--; p.count[who] <= 0 {
		delete(p.count, who)
	}
}
