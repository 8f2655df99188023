package socket_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// authority is a certificate for example.org, and who trusts it.
var authority = sync.OnceValue(func() (a struct {
	server, client *tls.Config
}) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lion test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"example.org"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	a.server = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"lion"},
	}
	a.client = &tls.Config{ServerName: "example.org", RootCAs: roots, NextProtos: []string{"lion"}}
	return a
})

// overTLS puts TLS over both ends of a transport.
func overTLS(
	tb testing.TB, a, b stream.Stream, opts ...socket.TLSOption,
) (client, server *socket.TLSConn) {
	client, err := socket.TLSClient(a, authority().client, opts...)
	must(tb, err)
	server, err = socket.TLSServer(b, authority().server, opts...)
	must(tb, err)
	return client, server
}

// shake makes the handshake of both ends.
func shake(t *loop.Task, tb testing.TB, a, b *socket.TLSConn) {
	tb.Helper()
	must(tb, both(t, a.Handshake, b.Handshake))
}

func tlsPair(t *loop.Task, tb testing.TB, opts ...socket.TLSOption) (a, b *socket.TLSConn) {
	ta, tb2 := pair(t, tb)
	a, b = overTLS(tb, ta, tb2, opts...)
	shake(t, tb, a, b)
	return a, b
}

// TestTLSStreams holds TLS to the contract of streams (scenarios T). Over a
// transport that holds little a close could not announce itself at once.
func TestTLSStreams(t *testing.T) {
	looptest.EachKernel(t, func(t *testing.T) {
		looptest.Config{Limit: limit}.TestStream(t,
			func(task *loop.Task, tb testing.TB) (a, b stream.Stream) { return tlsPair(task, tb) })
	})
}

// S391: a certificate of a stranger, or for another name, breaks the
// connection, and the error has the cause.
func TestTLSVerification(t *testing.T) {
	for name, config := range map[string]*tls.Config{
		"stranger":   {ServerName: "example.org", RootCAs: x509.NewCertPool()},
		"other name": {ServerName: "example.com", RootCAs: authority().client.RootCAs},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := pair(task, t)
				client, err := socket.TLSClient(a, config)
				must(t, err)
				server, err := socket.TLSServer(b, authority().server)
				must(t, err)
				defer closeAll(client, server)
				return both(task, func(task *loop.Task) error {
					err := client.SendAll(task, []byte("x"))
					want(t, "send", err, loop.ErrBroken)
					var cause *tls.CertificateVerificationError
					if !errors.As(err, &cause) {
						t.Errorf("no *tls.CertificateVerificationError in %v", err)
					}
					_, again := client.Receive(task, make([]byte, 1))
					want(t, "receive", again, loop.ErrBroken)
					return nil
				}, func(task *loop.Task) error {
					_, err := server.Receive(task, make([]byte, 1))
					want(t, "the server's receive", err, loop.ErrBroken)
					var alert tls.AlertError
					if !errors.As(err, &alert) && !errors.As(err, new(*net.OpError)) {
						t.Errorf("the server did not learn of the alert: %v", err)
					}
					return nil
				})
			})
		})
	}
}

// S392: much in both directions at once, begun by several handshakes at once.
func TestTLSFullDuplex(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		client, server := overTLS(t, a, b)
		defer closeAll(client, server)
		data := pattern(30 * 32 << 10)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for _, c := range []*socket.TLSConn{client, server} {
				for range 2 {
					must(t, n.Spawn(c.Handshake))
				}
				must(t, n.Spawn(func(task *loop.Task) error {
					for rest := data; len(rest) > 0; rest = rest[32<<10:] {
						if err := c.SendAll(task, rest[:32<<10]); err != nil {
							return err
						}
					}
					return c.SendEOF(task)
				}))
				must(t, n.Spawn(func(task *loop.Task) error {
					got, err := receiveAll(task, c, len(data))
					if !bytes.Equal(got, data) {
						t.Errorf("%d bytes came, other than the %d that were sent", len(got), len(data))
					}
					return err
				}))
			}
			return nil
		})
	})
}

// S393: two of the same direction are one too many; opposite ones are not.
// TestStreamBusy has the plain cases.
func TestTLSBusy(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		defer closeAll(a, b)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := a.Receive(task, make([]byte, 1))
				return err
			}))
			settle(task, t)
			_, err := a.Receive(task, make([]byte, 1))
			want(t, "a second receive", err, loop.ErrBusy)
			must(t, a.SendAll(task, []byte("x")))
			receives(task, t, b, "x")
			return b.SendAll(task, []byte("y"))
		})
	})
}

// S394: what has been decrypted already is a checkpoint too, and sending
// nothing is not the end.
func TestTLSCheckpoints(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		defer closeAll(a, b)
		must(t, a.SendAll(task, nil))
		must(t, a.SendAll(task, []byte("xy")))
		one := make([]byte, 1)
		for range 2 {
			err := looptest.AssertCheckpoint(task, t, func() error {
				n, err := b.Receive(task, one)
				if n != 1 {
					t.Errorf("%d bytes", n)
				}
				return err
			})
			must(t, err)
		}
		return looptest.AssertCheckpoint(task, t, func() error { return a.SendAll(task, nil) })
	})
}

// A cancelled send can be followed by another: nothing is lost, and nothing is
// out of order.
func TestTLSCancelledSend(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		defer closeAll(a, b)
		data := pattern(32 << 20)
		var sent int
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				err := a.SendAll(task, data)
				sent = stream.Sent(err, len(data))
				return err
			}))
			settle(task, t)
			return n.Cancel("test")
		})
		must(t, err)
		if sent == 0 || sent >= len(data) {
			t.Fatalf("%d of %d bytes were sent", sent, len(data))
		}
		return both(task, func(task *loop.Task) error {
			if err := a.SendAll(task, data[sent:sent+100]); err != nil {
				return err
			}
			return a.SendEOF(task)
		}, func(task *loop.Task) error {
			got, err := receiveAll(task, b, sent+100)
			if !bytes.Equal(got, data[:sent+100]) {
				t.Errorf("%d bytes came, want %d", len(got), sent+100)
			}
			return err
		})
	})
}

// S401
func TestTLSOverTLS(t *testing.T) {
	run(t, func(task *loop.Task) error {
		outerA, outerB := tlsPair(task, t)
		a, b := overTLS(t, outerA, outerB)
		defer closeAll(a, b)
		shake(task, t, a, b)
		must(t, a.SendAll(task, []byte("hello")))
		receives(task, t, b, "hello")
		must(t, a.SendEOF(task))
		receives(task, t, b, "")
		return nil
	})
}

// Any stream will do as a transport. This one has no Nowait, so that a close
// cannot announce itself.
func TestTLSOverMemory(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ma, mb := stream.NewMemory(0)
		a, b := overTLS(t, ma, mb)
		defer closeAll(a, b)
		data := pattern(1 << 20)
		return both(task, func(task *loop.Task) error {
			if err := a.SendAll(task, data); err != nil {
				return err
			}
			return a.SendEOF(task)
		}, func(task *loop.Task) error {
			got, err := receiveAll(task, b, 1000)
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes came, want %d", len(got), len(data))
			}
			return err
		})
	})
}

// S402: what only the handshake tells is not told before.
func TestTLSState(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		client, server := overTLS(t, a, b)
		defer closeAll(client, server)
		_, err := client.ConnectionState()
		want(t, "state", err, socket.ErrHandshake)
		shake(task, t, client, server)
		state, err := client.ConnectionState()
		must(t, err)
		if state.NegotiatedProtocol != "lion" || state.Version != tls.VersionTLS13 ||
			len(state.PeerCertificates) != 1 {
			t.Errorf("state %+v", state)
		}
		return nil
	})
}

func TestTLSMisuse(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(0)
		defer closeAll(a, b)
		for name, config := range map[string]*tls.Config{
			"nil": nil, "no server name": {},
			"renegotiation": {ServerName: "a", Renegotiation: tls.RenegotiateOnceAsClient},
		} {
			_, err := socket.TLSClient(a, config)
			want(t, name, err, loop.ErrMisuse)
		}
		for name, config := range map[string]*tls.Config{"nil": nil, "no certificate": {}} {
			_, err := socket.TLSServer(a, config)
			want(t, name, err, loop.ErrMisuse)
		}
		_, err := socket.TLSClient(nil, authority().client)
		want(t, "nil stream", err, loop.ErrMisuse)
		c, err := socket.TLSClient(a, authority().client)
		must(t, err)
		_, err = c.Receive(task, nil)
		want(t, "empty buffer", err, loop.ErrMisuse)
		return nil
	})
}

// The other side is that of the standard library, on a goroutine. TLS 1.2 and
// client certificates work as well, and a session is resumed.
func TestTLSWithStandardLibrary(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			server := authority().server.Clone()
			server.MaxVersion = version
			server.ClientAuth = tls.RequireAndVerifyClientCert
			server.ClientCAs = authority().client.RootCAs
			ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
			must(t, err)
			defer ln.Close()
			served := make(chan error, 2)
			go func() {
				for range 2 {
					served <- echoOnce(ln)
				}
			}()
			client := authority().client.Clone()
			client.Certificates = server.Certificates
			client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			run(t, func(task *loop.Task) error {
				to := ln.Addr().(*net.TCPAddr).AddrPort()
				for i := range 2 {
					conn, err := socket.ConnectTCP(task, to)
					must(t, err)
					c, err := socket.TLSClient(conn, client)
					must(t, err)
					must(t, c.SendAll(task, []byte("hello")))
					receives(task, t, c, "hello")
					state, err := c.ConnectionState()
					must(t, err)
					if state.DidResume != (i == 1) || state.Version != version {
						t.Errorf("connection %d: resumed %v, version %x", i, state.DidResume, state.Version)
					}
					must(t, c.SendEOF(task))
					receives(task, t, c, "")
					must(t, c.Close())
					must(t, <-served)
				}
				return nil
			})
		})
	}
}

func echoOnce(ln net.Listener) error {
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.Copy(c, c)
	return err
}
