package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// behaviour is what a name server does with a question.
type behaviour int

const (
	honest      behaviour = iota
	silentAAAA            // it answers A only
	silent                // it takes questions, and says nothing
	refusing              // REFUSED
	wrongNumber           // first an answer to another question, the true one later
	garbage               // first five bytes, the answer later
	otherOwner            // its record is about another name
	nobody                // nobody listens; the system says so by ICMP
)

// later is when the true answer of servers comes that begin with something else.
const later = 30 * time.Millisecond

// address is where the server with a behaviour is, on port 53.
func (b behaviour) address(second bool) netip.Addr {
	last := byte(1)
	if second {
		last = 2
	}
	return netip.AddrFrom4([4]byte{127, 0, byte(b) + 1, last})
}

// Addresses that servers answer with. The forged one is never right.
var (
	answer4 = netip.MustParseAddr("192.0.2.1")
	answer6 = netip.MustParseAddr("2001:db8::1")
	forged4 = netip.MustParseAddr("198.51.100.66")
	forged6 = netip.MustParseAddr("2001:db8:bad::66")
)

// A nameCase is a machine with some name servers, on which names are looked up one after the
// other. Each row of the table is one of its lookups.
type nameCase struct {
	name    string
	servers []behaviour
	rows    []string // what the table calls each lookup
	warmUp  int      // lookups before; the row is then the median of as many
	stream  bool     // lion's Resolve instead, until the first address is known
}

var cases = []nameCase{
	{name: "healthy", servers: []behaviour{honest}, rows: []string{"healthy"}, warmUp: 50},
	{name: "silent AAAA", servers: []behaviour{silentAAAA}, rows: []string{"A at once, AAAA never"}},
	{name: "silent AAAA, dialing", servers: []behaviour{silentAAAA},
		rows: []string{"the same, until one can dial"}, stream: true},
	{name: "first dead", servers: []behaviour{silent, honest},
		rows: []string{"first of two servers silent", "the second lookup then"}},
	{name: "all dead", servers: []behaviour{silent, silent}, rows: []string{"both servers silent"}},
	{name: "nobody", servers: []behaviour{nobody}, rows: []string{"nobody listens"}, warmUp: 5},
	{name: "first refuses", servers: []behaviour{refusing, honest}, rows: []string{"first of two refuses"}, warmUp: 5},
	{name: "all refuse", servers: []behaviour{refusing}, rows: []string{"the only one refuses"}, warmUp: 5},
	{name: "wrong number", servers: []behaviour{wrongNumber},
		rows: []string{"a forged answer, the true one 30 ms later"}, warmUp: 5},
	{name: "garbage", servers: []behaviour{garbage},
		rows: []string{"5 bytes of garbage, the answer 30 ms later"}, warmUp: 5},
	{name: "other owner", servers: []behaviour{otherOwner},
		rows: []string{"the record is about another name"}, warmUp: 5},
}

// files are those of /etc on the machine of a case.
func (c nameCase) files() map[string]string {
	var conf strings.Builder
	for i, b := range c.servers {
		fmt.Fprintf(&conf, "nameserver %v\n", b.address(i > 0))
	}
	return map[string]string{
		"resolv.conf": conf.String(), "hosts": "127.0.0.1 localhost\n", "nsswitch.conf": "hosts: dns\n",
	}
}

// The contenders.
const (
	lion  = "lion"
	goNet = "net"
	glibc = "glibc"
)

var contenders = []string{lion, goNet, glibc}

// A lookup is how one ended.
type lookup struct {
	took  time.Duration
	addrs []netip.Addr
	err   string // in a few words
}

// String is the lookup in a table.
func (l lookup) String() string {
	switch {
	case l.has(forged4), l.has(forged6):
		return "**takes it**, " + short(l.took)
	case l.err != "":
		return fmt.Sprintf("%s: %s", short(l.took), l.err)
	case len(l.addrs) == 0:
		return short(l.took) + ": no address"
	}
	return short(l.took)
}

func (l lookup) has(addr netip.Addr) bool {
	for _, have := range l.addrs {
		if have == addr {
			return true
		}
	}
	return false
}

// short is a time with as many digits as mean something.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
