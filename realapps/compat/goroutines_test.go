package compat

//lint:file-ignore SA1019 HTTP/2 of x/net is what is tried here, deprecated or not

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket/stdnet"
)

// capitals answers a body in capitals, and says over which protocol.
var capitals = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Over", r.Proto)
	_, _ = io.WriteString(w, strings.ToUpper(string(body))) // the client compares
})

// post wants capitals, over a protocol.
func post(t *testing.T, client *http.Client, url, proto string) {
	t.Helper()
	text := strings.Repeat("lion", 1<<16)
	r, err := client.Post(url, "text/plain", strings.NewReader(text))
	must(t, err)
	body, err := io.ReadAll(r.Body)
	must(t, errors.Join(err, r.Body.Close(), same(string(body), strings.ToUpper(text)),
		same(r.Header.Get("Over"), proto)))
}

// A server and a client of net/http.
func TestGoroutinesHTTP(t *testing.T) {
	onLoop(t, func(_ *loop.Loop, ln net.Listener, d *stdnet.Dialer) {
		server := &http.Server{Handler: capitals}
		served := make(chan error, 1)
		go func() { served <- server.Serve(ln) }()
		client := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
		post(t, client, "http://"+ln.Addr().String(), "HTTP/1.1")
		client.CloseIdleConnections()
		must(t, server.Shutdown(t.Context()))
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// x/net/http2 serves a connection of crypto/tls over one of lion's, and a
// transport of it dials by lion.
func TestGoroutinesHTTP2(t *testing.T) {
	onLoop(t, func(_ *loop.Loop, ln net.Listener, d *stdnet.Dialer) {
		identity := httptest.NewUnstartedServer(nil) // it has a certificate
		identity.StartTLS()
		roots := identity.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		certificates := identity.TLS.Certificates
		identity.Close()
		served := make(chan error, 1)
		go func() {
			c, err := ln.Accept()
			if err != nil {
				served <- err
				return
			}
			secure := tls.Server(c, &tls.Config{Certificates: certificates,
				NextProtos: []string{http2.NextProtoTLS}})
			err = secure.HandshakeContext(context.Background())
			if err == nil {
				(&http2.Server{}).ServeConn(secure, &http2.ServeConnOpts{Handler: capitals})
			}
			served <- errors.Join(err, ignoreClosed(c.Close()))
		}()
		transport := &http2.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"},
			DialTLSContext: func(ctx context.Context, network, addr string, config *tls.Config) (net.Conn, error) {
				c, err := d.DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				secure := tls.Client(c, config)
				return secure, secure.HandshakeContext(ctx)
			},
		}
		for range 2 { // the second over the same connection: only one is accepted
			post(t, &http.Client{Transport: transport}, "https://"+ln.Addr().String(), "HTTP/2.0")
		}
		transport.CloseIdleConnections()
		must(t, <-served)
	})
}

// ignoreClosed is for what the library has closed already.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// A server and a client of net/rpc, eight calls at once.
func TestGoroutinesRPC(t *testing.T) {
	onLoop(t, func(_ *loop.Loop, ln net.Listener, d *stdnet.Dialer) {
		server := rpc.NewServer()
		must(t, server.Register(Double{}))
		served := make(chan struct{})
		go func() {
			defer close(served)
			if c, err := ln.Accept(); err == nil { // else the client fails
				server.ServeConn(c)
			}
		}()
		c, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
		must(t, err)
		client := rpc.NewClient(c)
		var calls [8]*rpc.Call
		for i := range calls {
			calls[i] = client.Go("Double.Of", i, new(int), make(chan *rpc.Call, 1))
		}
		for i, call := range calls {
			must(t, (<-call.Done).Error)
			if got := *call.Reply.(*int); got != 2*i {
				t.Errorf("twice %d is %d", i, got)
			}
		}
		must(t, client.Close())
		<-served
	})
}

// A client of net/smtp, and a server of net/textproto.
func TestGoroutinesSMTP(t *testing.T) {
	onLoop(t, func(_ *loop.Loop, ln net.Listener, d *stdnet.Dialer) {
		served := make(chan error, 1)
		go func() {
			c, err := ln.Accept()
			if err == nil {
				err = errors.Join(fakeSMTP(c), c.Close())
			}
			served <- err
		}()
		c, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
		must(t, err)
		must(t, errors.Join(sendMail(c), <-served))
	})
}
