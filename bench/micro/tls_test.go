package micro

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// BenchmarkTLSEcho sends a message over TLS and waits for it to come back; both ends are in one
// loop, or are goroutines on package net.
func BenchmarkTLSEcho(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.Run("lion", func(b *testing.B) { echoTLSInTasks(b, size) })
			b.Run("net", func(b *testing.B) { echoTLSOnNet(b, size) })
		})
	}
}

func echoTLSInTasks(b *testing.B, size int) {
	inTask(b, func(t *loop.Task) error {
		server, client := tlsConfigs(b)
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		return loop.Nurse(t, func(n *loop.Nursery) error {
			err := n.Spawn(func(t *loop.Task) error {
				conn, err := ln.Accept(t)
				if err != nil {
					return err
				}
				c, err := socket.TLSServer(conn, server)
				if err != nil {
					return err
				}
				defer c.Close()
				for buf := make([]byte, size); ; {
					n, err := c.Receive(t, buf)
					if n == 0 || err != nil {
						return err
					}
					if err := c.SendAll(t, buf[:n]); err != nil {
						return err
					}
				}
			})
			if err != nil {
				return err
			}
			return clientTLSInTask(t, b, ln.Addr().AddrPort(), client, size)
		})
	})
}

func clientTLSInTask(
	t *loop.Task, b *testing.B, to netip.AddrPort, config *tls.Config, size int,
) error {
	conn, err := socket.ConnectTCP(t, to)
	if err != nil {
		return err
	}
	c, err := socket.TLSClient(conn, config)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Handshake(t); err != nil {
		return err
	}
	buf := make([]byte, size)
	b.SetBytes(int64(2 * size))
	for b.Loop() {
		if err := c.SendAll(t, buf); err != nil {
			return err
		}
		for got := 0; got < size; {
			n, err := c.Receive(t, buf)
			if err != nil {
				return err
			}
			got += n
		}
	}
	return c.SendEOF(t)
}

func echoTLSOnNet(b *testing.B, size int) {
	b.ReportAllocs()
	server, client := tlsConfigs(b)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for buf := make([]byte, size); ; {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	c := tls.Client(conn, client)
	defer c.Close()
	if err := c.Handshake(); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, size)
	b.SetBytes(int64(2 * size))
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}

// tlsConfigs makes a certificate for a server, and a client that believes it.
func tlsConfigs(b *testing.B) (server, client *tls.Config) {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	server = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
	return server, &tls.Config{ServerName: "example.org", InsecureSkipVerify: true}
}
