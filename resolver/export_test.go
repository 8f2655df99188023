package resolver

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
)

// SetLocalAddrs fixes what r believes to be the addresses of this machine.
func SetLocalAddrs(r *Resolver, addrs ...netip.Addr) {
	r.local.Store(&localAddrs{when: time.Now().AddDate(100, 0, 0), global: addrs})
}

// SortWith sorts addrs by a gai.conf, with sources that a function knows.
func SortWith(t *loop.Task, gaiConf string, addrs []netip.Addr, source func(netip.Addr) netip.Addr) error {
	s := sorter{parseGaiConf(gaiConf, new(int)), func(_ *loop.Task, dst netip.Addr) (netip.Addr, error) {
		return source(dst), nil
	}}
	return s.sort(t, addrs)
}

// KernelSource is kernelSource.
var KernelSource = kernelSource

// ParseResolvConf is parseResolvConf.
func ParseResolvConf(text, hostname string) *ResolvConf { return parseResolvConf(text, hostname) }

// Candidates are the names that a search list makes of a name.
func (c *ResolvConf) Candidates(name string) []string { return c.candidates(name) }

// HostsOf is what a hosts file says about a name.
func HostsOf(text, name string) (addrs []netip.Addr, canon string) {
	if entry := parseHosts(text, new(int)).lookup(name); entry != nil {
		return entry.addrs, entry.canon
	}
	return nil, ""
}

// ParseAll gives text to every parser of a file and a name.
func ParseAll(text string) {
	parseResolvConf(text, "host.example").candidates("a.b")
	parseHosts(text, new(int))
	parseNSSwitch(text, new(int))
	parseGaiConf(text, new(int))
	parseServices(text, new(int)).kinds(text, false, 0, 0)
	_, _ = literal(text, false)
	_, _ = toASCII(text)
	_ = isHostName(text)
	_ = specialName(text)
}

// LiteralStrict reads a host as Resolve does, and reports whether it may be a
// name.
func LiteralStrict(host string) (addr netip.Addr, name bool) {
	addr, form := literal(host, true)
	return addr, form == formName
}

// LiteralLoose reads a host as Getaddrinfo does.
func LiteralLoose(host string) netip.Addr {
	addr, _ := literal(host, false)
	return addr
}

// ReadMessage reads wire as the answer to a question, and reports whether it
// was believed, and what addresses it has.
func ReadMessage(wire []byte, id uint16, name string, qtype uint16) (bool, []netip.Addr) {
	q := query{id: id, name: name, qtype: qtype}
	careful := q // with all that can be asked for: it must not believe more
	careful.edns, careful.exact, careful.cookie.n = true, true, clientCookie
	if _, v := careful.read(wire); v == genuine {
		if _, v := q.read(wire); v != genuine {
			panic("a cookie makes an answer genuine")
		}
	}
	r, v := q.read(wire)
	if v != genuine || r.body == 0 {
		return false, nil
	}
	a, _ := r.extract(name, qtype, time.Unix(0, 0))
	return true, a.addrs
}

// KnownSources is how many source addresses r remembers.
func KnownSources(r *Resolver) int {
	r.sources.mu.Lock()
	defer r.sources.mu.Unlock()
	return len(r.sources.known)
}

// SRTT is the usual time of the first name server of r.
func SRTT(r *Resolver) time.Duration {
	s := r.current.Load().stub
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers[0].srtt
}

// Reload looks at the files of r now.
func Reload(r *Resolver) {
	r.read(&reading{done: make(chan struct{})}, time.Duration(r.checked.Load()))
}

// Loops is how many loops r keeps something for.
func Loops(r *Resolver) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.loops)
}

// ParseNSSwitch writes the sources of an nsswitch.conf as text: each name with
// its actions for success, notfound, unavail and tryagain.
func ParseNSSwitch(text string) (out []string) {
	for _, s := range parseNSSwitch(text, new(int)) {
		word := s.name
		for _, a := range s.actions {
			word += string("crm"[a])
		}
		out = append(out, word)
	}
	return out
}

// Message is how Net asks for a record of any type.
func Message(t *loop.Task, r *Resolver, name string, qtype uint16) (*dns.Msg, error) {
	return r.message(t, dns.Question{Name: name + ".", Qtype: qtype, Qclass: dns.ClassINET})
}
