package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"os"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
)

// connect dials the server of a URL, with TLS if it is https, and draws the race.
func (f *fetch) connect(t *loop.Task, at *url.URL) (stream.Stream, error) {
	var trace eyeballs.Trace
	opts := []eyeballs.Option{eyeballs.WithTimeout(f.connectTimeout), eyeballs.WithTrace(&trace)}
	if f.only4 {
		opts = append(opts, eyeballs.OnlyIPv4())
	}
	if f.only6 {
		opts = append(opts, eyeballs.OnlyIPv6())
	}
	s, err := f.dial(t, at, opts)
	if drawn := f.draw(&trace); drawn != nil && err == nil {
		_ = s.Close()
		return nil, drawn
	}
	return s, err
}

func (f *fetch) dial(t *loop.Task, at *url.URL, opts []eyeballs.Option) (stream.Stream, error) {
	resolve, address := resolver.Default, addressOf(at)
	if len(f.connectTo) > 0 {
		resolve = literals(f.connectTo)
		if _, err := netip.ParseAddr(at.Hostname()); err == nil {
			address = "connect-to.invalid:0" // a literal would not be looked up
		}
	}
	if at.Scheme == "http" {
		conn, err := eyeballs.Dial(t, resolve, address, opts...)
		if err != nil {
			return nil, err // not a stream that holds nil
		}
		return conn, nil
	}
	setup, err := f.tlsConfig(at)
	if err != nil {
		return nil, err
	}
	conn, err := eyeballs.DialTLS(t, resolve, address, setup, opts...)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// tlsConfig says whom to trust, and whom to expect.
func (f *fetch) tlsConfig(at *url.URL) (*tls.Config, error) {
	setup := &tls.Config{ServerName: at.Hostname(), InsecureSkipVerify: f.insecure,
		NextProtos: []string{"http/1.1"}}
	if f.roots == "" {
		return setup, nil
	}
	pem, err := os.ReadFile(f.roots)
	if err != nil {
		return nil, err
	}
	setup.RootCAs = x509.NewCertPool()
	if !setup.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: there is no certificate", f.roots)
	}
	return setup, nil
}

// draw shows a race to those who asked for it.
func (f *fetch) draw(trace *eyeballs.Trace) error {
	if f.trace {
		fmt.Fprint(f.said, trace)
	}
	if f.traceSVG == "" {
		return nil
	}
	file, err := os.Create(f.traceSVG)
	if err != nil {
		return &outputError{err}
	}
	err = trace.SVG(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return &outputError{err}
	}
	return nil
}

// literals answers every name with these addresses.
func literals(addrs []netip.AddrPort) socket.Resolve {
	return func(t *loop.Task, _ socket.Query, deliver func(socket.Answer)) error {
		parts := map[int][]netip.AddrPort{}
		for _, addr := range addrs {
			family := socket.InetAddr(addr).Family()
			parts[family] = append(parts[family], addr)
		}
		for family, part := range parts {
			deliver(socket.Answer{Family: family, Addrs: part})
		}
		return loop.Checkpoint(t)
	}
}
