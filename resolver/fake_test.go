package resolver_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
)

// loopback is where fake servers are.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// A fake is a name server made of tasks of the loop under test, so that its
// delays are virtual time too. What it answers is decided by a function.
type fake struct {
	tb      testing.TB
	n       *loop.Nursery
	udp     *socket.Socket
	tcp     *socket.Listener
	addr    netip.AddrPort
	handle  func(q *asking) []event
	log     []string // "AAAA name" in order of arrival, with "tcp " in front
	ports   map[uint16]bool
	clients int
}

// asking is a question as it came.
type asking struct {
	msg  *dns.Msg
	name string // lower case, without a dot at the end
	kind uint16
	tcp  bool
	nth  int // how many came before, of the same name, type and transport
}

// event is something that a fake sends, after a time.
type event struct {
	after time.Duration
	wire  []byte
}

// newFake starts a server in n. Without tcp nobody listens there.
func newFake(t *loop.Task, tb testing.TB, n *loop.Nursery, tcp bool, handle func(*asking) []event) *fake {
	tb.Helper()
	f := &fake{tb: tb, n: n, handle: handle, ports: map[uint16]bool{}}
	any := netip.AddrPortFrom(loopback, 0)
	ln, err := socket.ListenTCP(t.Loop(), any.String())
	if err != nil {
		tb.Fatal(err)
	}
	f.addr = ln.Addr().AddrPort()
	f.udp, err = socket.New(t.Loop(), ln.Addr().Family(), 2, 0)
	if err != nil {
		tb.Fatal(err)
	}
	_ = socket.ReceiveBuffer.Set(f.udp, 1<<20) // for bursts; the system may grant less
	if err := f.udp.Bind(socket.InetAddr(f.addr)); err != nil {
		tb.Fatal(err)
	}
	f.spawn(f.serveUDP)
	if !tcp {
		_ = ln.Close()
		return f
	}
	f.tcp = ln
	f.spawn(f.serveTCP)
	return f
}

func (f *fake) spawn(fn func(*loop.Task) error) {
	if err := f.n.Spawn(fn); err != nil {
		f.tb.Error(err)
	}
}

func (f *fake) close() {
	_ = f.udp.Close()
	if f.tcp != nil {
		_ = f.tcp.Close()
	}
}

func (f *fake) serveUDP(t *loop.Task) error {
	seen := map[string]int{}
	for {
		buf := make([]byte, 2048)
		n, from, err := f.udp.RecvFrom(t, buf, 0)
		if err != nil {
			return nil // closed
		}
		f.ports[from.AddrPort().Port()] = true
		for _, e := range f.question(buf[:n], false, seen) {
			f.later(e, func() { _, _ = f.udp.SendToNowait(e.wire, 0, from) })
		}
	}
}

// later sends an event in its time.
func (f *fake) later(e event, send func()) {
	if e.after == 0 {
		send()
		return
	}
	f.spawn(func(t *loop.Task) error {
		if loop.Sleep(t, e.after) == nil {
			send()
		}
		return nil
	})
}

func (f *fake) question(wire []byte, tcp bool, seen map[string]int) []event {
	var m dns.Msg
	if err := m.Unpack(wire); err != nil || len(m.Question) != 1 {
		f.tb.Errorf("a query that cannot be read: %x: %v", wire, err)
		return nil
	}
	q := &asking{msg: &m, kind: m.Question[0].Qtype, tcp: tcp}
	q.name = strings.ToLower(strings.TrimSuffix(m.Question[0].Name, "."))
	entry := dns.TypeToString[q.kind] + " " + q.name
	if tcp {
		entry = "tcp " + entry
	}
	f.log = append(f.log, entry)
	q.nth = seen[entry]
	seen[entry]++
	return f.handle(q)
}

func (f *fake) serveTCP(t *loop.Task) error {
	seen := map[string]int{}
	for {
		c, err := f.tcp.Accept(t)
		if err != nil {
			return nil // closed
		}
		f.clients++
		f.spawn(func(t *loop.Task) error {
			defer c.Close()
			var in []byte
			buf := make([]byte, 4096)
			for {
				n, err := c.Receive(t, buf)
				if n == 0 || err != nil {
					return nil
				}
				for in = append(in, buf[:n]...); len(in) >= 2; {
					size := int(binary.BigEndian.Uint16(in))
					if len(in) < 2+size {
						break
					}
					for _, e := range f.question(in[2:2+size], true, seen) {
						framed := binary.BigEndian.AppendUint16(nil, uint16(len(e.wire)))
						framed = append(framed, e.wire...)
						f.later(e, func() { _, _ = c.SendNowait(framed) })
					}
					in = in[2+size:]
				}
			}
		})
	}
}

// zone is what a fake that is honest knows.
type zone map[string][]dns.RR

func readZones(tb testing.TB, files ...string) zone {
	tb.Helper()
	z := zone{}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			tb.Fatal(err)
		}
		parser := dns.NewZoneParser(file, "", name)
		for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
			z.add(rr)
		}
		_ = file.Close()
		if err := parser.Err(); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range 200 {
		z.add(&dns.A{Hdr: header("big.lion.test.", dns.TypeA), A: []byte{198, 51, byte(i / 250), byte(i)}})
	}
	for i := range 40 {
		z.add(&dns.A{Hdr: header("mid.lion.test.", dns.TypeA), A: []byte{198, 51, 100, byte(i + 1)}})
	}
	return z
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 60}
}

func (z zone) add(rr dns.RR) {
	name := strings.ToLower(rr.Header().Name)
	z[name] = append(z[name], rr)
}

// records finds those of a name, or of the wildcard above it.
func (z zone) records(name string) ([]dns.RR, bool) {
	if list, ok := z[name]; ok {
		return list, true
	}
	for rest := name; ; {
		_, up, found := strings.Cut(rest, ".")
		if !found || up == "" {
			return nil, z.hasBelow(name)
		}
		if list, ok := z["*."+up]; ok {
			return list, true
		}
		if _, ok := z[up]; ok {
			return nil, z.hasBelow(name)
		}
		rest = up
	}
}

// hasBelow reports whether a name exists for the sake of one below it.
func (z zone) hasBelow(name string) bool {
	for other := range z {
		if strings.HasSuffix(other, "."+name) && name != "." {
			return true
		}
	}
	return false
}

// reply answers honestly, as a recursive server does.
func (z zone) reply(q *asking) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q.msg)
	m.RecursionAvailable = true
	m.Compress = true
	name := strings.ToLower(q.msg.Question[0].Name)
	for range 8 {
		list, ok := z.records(name)
		if !ok {
			m.Rcode = dns.RcodeNameError
		}
		next := ""
		for _, rr := range list {
			copied := dns.Copy(rr)
			copied.Header().Name = name
			if alias, ok := rr.(*dns.CNAME); ok {
				next = strings.ToLower(alias.Target)
			} else if rr.Header().Rrtype != q.kind {
				continue
			}
			m.Answer = append(m.Answer, copied)
		}
		if next == "" {
			break
		}
		name = next
	}
	m.Ns = []dns.RR{&dns.SOA{Hdr: header("lion.test.", dns.TypeSOA), Ns: "a.", Mbox: "b.", Minttl: 30}}
	if !q.tcp {
		m.Truncate(1232)
	}
	return m
}

// honest is the function of a fake that answers from a zone at once.
func (z zone) honest(q *asking) []event { return []event{{0, packed(z.reply(q))}} }

func packed(m *dns.Msg) []byte {
	wire, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return wire
}

// withServers runs fn in a virtual clock, with one server for each function.
func withServers(tb testing.TB, handles []func(*asking) []event, fn func(*loop.Task, []*fake) error) {
	tb.Helper()
	looptest.Config{Limit: time.Minute}.Run(tb, func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			var servers []*fake
			for _, handle := range handles {
				servers = append(servers, newFake(t, tb, n, true, handle))
			}
			err := fn(t, servers)
			for _, f := range servers {
				f.close()
			}
			_ = n.Cancel("the test is over")
			return err
		})
	}, loop.WithClock(jumping(tb)))
}

// jumping is a virtual clock that jumps when nothing else can happen. Where a
// datagram on loopback takes a moment to arrive, as on Windows, so does the
// jump.
func jumping(tb testing.TB) *looptest.Clock {
	tb.Helper()
	clock := looptest.NewAutojumpClock()
	if !socket.ReusePort.Supported() { // only Windows is without
		clock.SetThreshold(30 * time.Millisecond)
	}
	return clock
}

// never is a time in which files are not looked at again: virtual clocks jump
// while a worker reads.
const never = 1000 * time.Hour

// newResolver makes a resolver for servers, with files of its own.
func newResolver(tb testing.TB, config resolver.Config, servers ...*fake) *resolver.Resolver {
	tb.Helper()
	conf := resolver.ResolvConf{}
	if config.ResolvConf != nil {
		conf = *config.ResolvConf
	}
	for _, f := range servers {
		conf.Servers = append(conf.Servers, f.addr)
	}
	config.ResolvConf = &conf
	if config.Files.Dir == "" {
		config.Files.Dir = noFiles
	}
	if config.Recheck == 0 {
		config.Recheck = never
	}
	r, err := resolver.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func writeFile(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func mustRR(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil {
		panic(err)
	}
	return rr
}

// noFiles is a directory that is not there.
const noFiles = "testdata/none"

// tempDir is tb.TempDir without its error under Wine, which cannot remove what
// has just been read.
func tempDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "resolver")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A lookup is frugal: package net takes 101 for the same lookup. Half of that
// is the bar.
func TestLookupAllocations(t *testing.T) {
	conn := serveGo(t)
	server := &fake{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	r := newResolver(t, resolver.Config{CacheSize: -1}, server)
	err := loop.Run(func(task *loop.Task) error {
		if _, err := lookup(task, r, "www.example.test"); err != nil {
			return err
		}
		const runs, limit = 100, 44
		got := testing.AllocsPerRun(runs, func() {
			if got, err := lookup(task, r, "www.example.test"); err != nil || got != "46" {
				t.Error(got, err)
			}
		})
		if got > limit {
			t.Errorf("a lookup allocates %v times, and may %d times", got, limit)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	_ = conn.Close()
}
