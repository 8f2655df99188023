package stdnet_test

import (
	"crypto/tls"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
	"github.com/lion-go/lion/sys"
)

// S020: the handle of no task is that of a wrong one in all packages, and no nil
// dereference somewhere inside. (That of package loop is loop.TestS020NilTask.)
func TestS020NilTask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		must(t, err)
		defer ln.Close()
		c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		must(t, err)
		defer c.Close()
		u, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(t, err)
		defer u.Close()
		f, err := os.Open(os.Args[0])
		must(t, err)
		defer f.Close()
		late := stdnet.Bind(nil, c)
		must(t, late.SetDeadline(time.Now().Add(-time.Second)))
		secure, err := socket.TLSClient(c, &tls.Config{ServerName: "example.org"})
		must(t, err)
		m := socket.Msg{}
		b := make([]byte, 1)
		for what, err := range map[string]error{
			"ConnectTCP":      second(socket.ConnectTCP(nil, ln.Addr().AddrPort())),
			"ConnectUnix":     second(socket.ConnectUnix(nil, "path")),
			"ListenTCP":       second(socket.ListenTCP(nil, "127.0.0.1:0")),
			"socket.New":      second(socket.New(nil, sys.AF_INET, sys.SOCK_DGRAM, 0)),
			"Accept":          second(ln.Accept(nil)),
			"Serve":           socket.Serve(nil, ln, func(*loop.Task, stream.Stream) error { return nil }),
			"Receive":         second(c.Receive(nil, b)),
			"SendAll":         c.SendAll(nil, b),
			"SendAllVectored": c.SendAllVectored(nil, [][]byte{b}),
			"SendEOF":         c.SendEOF(nil),
			"Connect":         u.Connect(nil, ln.Addr()),
			"Recv":            second(u.Recv(nil, b, 0)),
			"RecvMsg":         second(u.RecvMsg(nil, &m, 0)),
			"SendTo":          second(u.SendTo(nil, b, 0, ln.Addr())),
			"TLSConn.SendAll": secure.SendAll(nil, b),
			"worker.Run":      worker.Run(nil, func(*worker.Job) error { return nil }),
			"Getaddrinfo":     second(resolver.Getaddrinfo(nil, "example.org", "80", resolver.Hints{})),
			"a literal":       second(resolver.Getaddrinfo(nil, "192.0.2.1", "80", resolver.Hints{})),
			"Dial":            second(eyeballs.Dial(nil, resolver.Default, "example.org:80")),
			"Dial, literal":   second(eyeballs.Dial(nil, resolver.Default, "192.0.2.1:80")),
			"sendfile.Send":   second(sendfile.Send(nil, c, f, 0, -1)),
			"sendfile.Copy":   second(sendfile.Copy(nil, c, c, -1)),
			"Read":            second(stdnet.Bind(nil, c).Read(b)),
			"Write":           second(stdnet.Bind(nil, c).Write(b)),
			"Write, too late": second(late.Write(b)),
			"CloseWrite":      stdnet.Bind(nil, c).CloseWrite(),
		} {
			if !errors.Is(err, loop.ErrWrongTask) {
				t.Errorf("%s: %v", what, err)
			}
		}
		return nil
	})
}

func second[T any](_ T, err error) error { return err }
