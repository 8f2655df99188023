package compat

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
	"github.com/lion-go/lion/sys"
)

// packets makes a socket for datagrams on the loop, and takes it out of it.
func packets(t *testing.T, l *loop.Loop) (c net.PacketConn) {
	t.Helper()
	must(t, l.Do(t.Context(), func(*loop.Task) error {
		s, err := socket.New(l, sys.AF_INET, sys.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		err = s.Bind(socket.InetAddr(netip.MustParseAddrPort("127.0.0.1:0")))
		if err == nil {
			c, err = stdnet.NetPacketConn(s)
		}
		if err != nil {
			return errors.Join(err, s.Close())
		}
		return nil
	}))
	return c
}

// quic-go echoes a stream, its sockets made by lion.
func TestGoroutinesQUIC(t *testing.T) {
	onLoop(t, func(l *loop.Loop, _ net.Listener, _ *stdnet.Dialer) {
		identity := httptest.NewUnstartedServer(nil) // it has a certificate
		identity.StartTLS()
		roots := identity.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		certificates := identity.TLS.Certificates
		identity.Close()
		at := packets(t, l)
		defer at.Close()
		server := &quic.Transport{Conn: at}
		defer server.Close()
		ln, err := server.Listen(&tls.Config{Certificates: certificates, NextProtos: []string{"echo"}}, nil)
		must(t, err)
		served := make(chan error, 1)
		go func() { served <- echoQUIC(ln) }()
		from := packets(t, l)
		defer from.Close()
		client := &quic.Transport{Conn: from}
		defer client.Close()
		c, err := client.Dial(t.Context(), at.LocalAddr(), &tls.Config{RootCAs: roots,
			ServerName: "example.com", NextProtos: []string{"echo"}}, nil)
		must(t, err)
		s, err := c.OpenStreamSync(t.Context())
		must(t, err)
		_, err = io.WriteString(s, "hello")
		must(t, errors.Join(err, s.Close()))
		text, err := io.ReadAll(s)
		must(t, errors.Join(err, same(string(text), "hello"), <-served, c.CloseWithError(0, ""), ln.Close()))
	})
}

// echoQUIC echoes the first stream of the first connection.
func echoQUIC(ln *quic.Listener) error {
	c, err := ln.Accept(context.Background())
	if err != nil {
		return err
	}
	s, err := c.AcceptStream(context.Background())
	if err != nil {
		return err
	}
	_, err = io.Copy(s, s)
	return errors.Join(err, s.Close())
}
