package eyeballs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// identity makes a certificate for 127.0.0.1 and example.com, and who trusts it.
func identity(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"example.com"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	own := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{Certificates: []tls.Certificate{own}}, &tls.Config{RootCAs: roots}
}

// DialTLS verifies the name that was dialed, and talks; a name that the
// certificate does not have fails the race, with the certificate in the error.
func TestDialTLS(t *testing.T) {
	server, client := identity(t)
	looptest.Run(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		at := ln.Addr().AddrPort()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				return socket.Serve(task, ln, func(task *loop.Task, s stream.Stream) error {
					return s.SendAll(task, []byte("!"))
				}, socket.WithTLS(server), socket.StartAtAccept(), socket.WithGrace(0),
					socket.OnError(func(*socket.Conn, error) {}))
			})
			conn, err := eyeballs.DialTLS(task, static(at), "example.com:443", client)
			if err != nil {
				return err
			}
			defer conn.Close()
			if got, err := conn.Receive(task, make([]byte, 1)); got != 1 {
				t.Errorf("received %d bytes, %v", got, err)
			}
			_, err = eyeballs.DialTLS(task, static(at), "example.org:443", client)
			var wrong *tls.CertificateVerificationError
			var failed *eyeballs.AttemptError
			if !errors.As(err, &wrong) || !errors.As(err, &failed) ||
				failed.Attempt.Stage != eyeballs.StageHandshake {
				t.Errorf("with the wrong name: %v", err)
			}
			return n.Cancel("done")
		})
	})
}

// An address that accepts and then says nothing loses to one that speaks TLS.
func TestDialTLSPassesBySilence(t *testing.T) {
	server, client := identity(t)
	looptest.Run(t, func(task *loop.Task) error {
		silent, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer silent.Close()
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				return socket.Serve(task, ln, func(task *loop.Task, s stream.Stream) error {
					_, err := s.Receive(task, make([]byte, 1))
					return err
				}, socket.WithTLS(server), socket.StartAtAccept(), socket.WithGrace(0),
					socket.OnError(func(*socket.Conn, error) {}))
			})
			conn, err := eyeballs.DialTLS(task, both(silent.Addr().AddrPort(), ln.Addr().AddrPort()),
				"example.com:443", client, eyeballs.WithAttemptDelay(eyeballs.MinSpacing))
			if err != nil {
				return err
			}
			if conn.RemoteAddr() != ln.Addr() {
				t.Errorf("connected to %v", conn.RemoteAddr())
			}
			_ = conn.Close()
			return n.Cancel("done")
		})
	})
}

// both answers every name with these addresses in one answer.
func both(addrs ...netip.AddrPort) socket.Resolve {
	return func(t *loop.Task, _ socket.Query, deliver func(socket.Answer)) error {
		deliver(socket.Answer{Family: socket.InetAddr(addrs[0]).Family(), Addrs: addrs})
		return loop.Checkpoint(t)
	}
}

func TestDialTLSArguments(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		_, err := eyeballs.DialTLS(task, nil, "nothing", nil)
		if !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("without a port: %v", err)
		}
		_, err = eyeballs.DialTLS(task, nil, "127.0.0.1:1", nil,
			eyeballs.WithHandshake(func(*loop.Task, *socket.Conn) error { return nil }))
		if !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("with another handshake: %v", err)
		}
		return nil
	})
}
