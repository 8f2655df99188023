package resolver_test

import (
	"context"
	"net"
	"testing"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
)

// serveGo answers both types from a goroutine, for whoever asks: the server is
// the same for lion and for package net, and costs both the same.
func serveGo(tb testing.TB) *net.UDPConn {
	tb.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Skipf("package net has no sockets for datagrams here: %v", err)
	}
	go func() {
		in, out := make([]byte, 1500), make([]byte, 0, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(in)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(appendReply(out[:0], in[:n]), from)
		}
	}()
	return conn
}

// appendReply answers a query without reading more of it than its type.
func appendReply(out, query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	kind := query[end+2]
	out = append(out, query[:end+5]...)
	out[2], out[3] = 0x81, 0x80
	out[7], out[9], out[11] = 1, 0, 0
	out = append(out, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60)
	if uint16(kind) == dns.TypeAAAA {
		return append(out, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
	}
	return append(out, 0, 4, 192, 0, 2, 1)
}

// BenchmarkLookup asks for both families of a name that is never cached.
func BenchmarkLookup(b *testing.B) {
	conn := serveGo(b)
	defer conn.Close()
	server := &fake{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	r := newResolver(b, resolver.Config{CacheSize: -1}, server)
	err := loop.Run(func(t *loop.Task) error {
		b.ReportAllocs()
		for b.Loop() {
			if got, err := lookup(t, r, "www.example.test"); err != nil || got != "46" {
				b.Fatal(got, err)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if st := r.Statistics(); st.Hedges > st.Queries/100 {
		b.Errorf("the server was late: %+v", st)
	}
}

// BenchmarkResolve is BenchmarkLookup as dialing does it: each family for
// itself, so that nothing has to be sorted.
func BenchmarkResolve(b *testing.B) {
	conn := serveGo(b)
	defer conn.Close()
	server := &fake{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	r := newResolver(b, resolver.Config{CacheSize: -1}, server)
	err := loop.Run(func(t *loop.Task) error {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			err := r.Resolve(t, socket.Query{Host: "www.example.test", Service: "80"},
				func(a socket.Answer) { n += len(a.Addrs) })
			if err != nil || n != 2 {
				b.Fatal(n, err)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLookupGo is BenchmarkLookup with Go's own resolver.
func BenchmarkLookupGo(b *testing.B) {
	conn := serveGo(b)
	defer conn.Close()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	b.ReportAllocs()
	for b.Loop() {
		addrs, err := r.LookupNetIP(context.Background(), "ip", "www.example.test.")
		if err != nil || len(addrs) != 2 {
			b.Fatal(addrs, err)
		}
	}
}

// BenchmarkCached asks for what is in the cache.
func BenchmarkCached(b *testing.B) {
	conn := serveGo(b)
	defer conn.Close()
	server := &fake{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	r := newResolver(b, resolver.Config{}, server)
	err := loop.Run(func(t *loop.Task) error {
		b.ReportAllocs()
		for b.Loop() {
			if got, err := lookup(t, r, "www.example.test"); err != nil || got != "46" {
				b.Fatal(got, err)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
