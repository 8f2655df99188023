package main

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/resolver"
)

// serve answers one name, from a goroutine.
func serve(t *testing.T) (addr string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if wire := reply(buf[:n]); wire != nil {
				_, _ = conn.WriteTo(wire, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// reply is the answer to a query, if it is one.
func reply(query []byte) []byte {
	var q, m dns.Msg
	if q.Unpack(query) != nil {
		return nil
	}
	m.SetReply(&q)
	m.RecursionAvailable = true
	name := q.Question[0]
	switch {
	case !strings.EqualFold(name.Name, "www.example."):
		m.Rcode = dns.RcodeNameError
	case name.Qtype == dns.TypeA:
		hdr := dns.RR_Header{Name: name.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}
		m.Answer = []dns.RR{&dns.A{Hdr: hdr, A: net.IPv4(192, 0, 2, 1)}}
	}
	wire, err := m.Pack()
	if err != nil {
		return nil
	}
	return wire
}

func TestHost(t *testing.T) {
	server := serve(t)
	for _, c := range []struct {
		args string
		code int
		out  []string
		errs string
	}{
		{"-servers " + server + " www.example", exitOK, []string{"www.example\t192.0.2.1\n"}, ""},
		{"-v -servers " + server + " www.example", exitOK,
			[]string{"source", "dns: found", "ask", "AAAA", "[192.0.2.1]", "deliver", "2 questions, 1 socket"}, ""},
		{"-servers " + server + " www.example nothere.example", exitNotFound, []string{"192.0.2.1"}, "no such name"},
		{"-6 -servers " + server + " www.example", exitNotFound, nil, "no such address"},
		{"-service https 127.0.0.1 ::1", exitOK, []string{"127.0.0.1:443", "[::1]:443"}, ""},
		{"127.1", exitNotFound, nil, "no such name"},
		{"-getaddrinfo 127.1", exitOK, []string{"127.0.0.1"}, ""},
		{"-transport net 127.0.0.1", exitOK, []string{"127.0.0.1"}, ""},
		{"-x 127.0.0.300", exitNotFound, nil, "host:"},
		{"", exitUsage, nil, "which name"},
		{"-4 -6 a", exitUsage, nil, "exclude"},
		{"-transport pigeon a", exitUsage, nil, "no transport"},
		{"-transport net -system a", exitUsage, nil, "lion's resolver"},
		{"-servers nonsense a", exitUsage, nil, "host:"},
		{"-nonsense a", exitUsage, nil, "-nonsense"},
	} {
		var out, errs bytes.Buffer
		code := run(strings.Fields(c.args), &out, &errs)
		if code != c.code || !strings.Contains(errs.String(), c.errs) {
			t.Errorf("host %s: code %d, want %d\n%s%s", c.args, code, c.code, &out, &errs)
		}
		if (code == exitUsage) != strings.HasSuffix(errs.String(), usage) {
			t.Errorf("host %s: code %d with %q", c.args, code, &errs)
		}
		for _, want := range c.out {
			if !strings.Contains(out.String(), want) {
				t.Errorf("host %s: no %q in\n%s", c.args, want, &out)
			}
		}
	}
}

// The numbers are words for people: one of a thing, several, and none of what never happened.
func TestNumbers(t *testing.T) {
	var out bytes.Buffer
	tell(&out, resolver.Statistics{Queries: 1, Forged: 2, Skipped: []string{"wins"}, FileErrs: []error{errors.New("no")}})
	const want = "# asked     1 question, 0 sockets, 0 name servers known\n" +
		"# refused   2 datagrams that answer nothing\n" +
		"# skipped   wins in nsswitch.conf\n# file      no\n"
	if out.String() != want {
		t.Errorf("got\n%s", &out)
	}
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"-h"}, &out, &errs); code != exitOK || !strings.HasPrefix(errs.String(), usage) {
		t.Errorf("code %d, %s", code, &errs)
	}
}
