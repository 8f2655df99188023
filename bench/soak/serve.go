package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
)

// fileSize is how much the server of files sends.
const fileSize = 300_000

// servers is where the servers are.
type servers struct {
	echo, secure, file netip.AddrPort
	client             *tls.Config
	end                func()
}

// stop ends the servers; ended tells how.
func (s servers) stop(ended <-chan error) error {
	s.end()
	select {
	case err := <-ended:
		return err
	case <-time.After(answerTime):
		return fmt.Errorf("the servers do not stop")
	}
}

// serve runs all servers on a loop, until they are stopped.
func serve(ready chan<- servers) error {
	server, client, err := authority()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "soak")
	if err != nil {
		return err
	}
	defer f.Close()
	defer os.Remove(f.Name())
	if _, err := f.Write(pattern(fileSize)); err != nil {
		return err
	}
	send := func(t *loop.Task, c stream.Stream) error {
		n, err := c.Receive(t, t.Buffer())
		if err != nil || n == 0 {
			return err
		}
		_, err = sendfile.Send(t, c, f, 0, fileSize)
		return err
	}
	return loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			at := servers{client: client}
			var running []*socket.Server
			start := func(h socket.Handler, opts ...socket.ServeOption) (netip.AddrPort, error) {
				ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
				if err != nil {
					return netip.AddrPort{}, err
				}
				s, err := socket.NewServer(ln, h, append(opts, socket.WithGrace(time.Second), tolerate)...)
				if err != nil {
					return netip.AddrPort{}, err
				}
				running = append(running, s)
				return ln.Addr().AddrPort(), n.Spawn(s.Serve)
			}
			if at.echo, err = start(echo); err != nil {
				return err
			}
			if at.secure, err = start(echo, socket.WithTLS(server)); err != nil {
				return err
			}
			if at.file, err = start(send); err != nil {
				return err
			}
			l := t.Loop()
			at.end = func() {
				_ = l.CallSoon(func() { // it may have ended: that is told elsewhere
					for _, s := range running {
						s.Stop()
					}
				})
			}
			ready <- at
			return nil
		})
	})
}

// tolerate lets a server go on whatever its handlers return: their clients notice.
var tolerate = socket.OnError(func(*socket.Conn, error) {})

// echo sends back what comes, and goes idle.
func echo(t *loop.Task, c stream.Stream) error {
	b := t.Buffer()
	n, err := c.Receive(t, b)
	if err != nil || n == 0 {
		return err
	}
	if err := c.SendAll(t, b[:n]); err != nil {
		return err
	}
	return socket.GoIdle
}

// authority is a certificate, and who trusts it.
func authority() (server, client *tls.Config, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(1000 * time.Hour),
		DNSNames: []string{"soak.test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{ServerName: "soak.test", RootCAs: roots}, nil
}

// pattern is n bytes in which every position can be told from its neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}
