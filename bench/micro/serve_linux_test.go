package micro

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// serveOnLoop serves on a loop of its own, until stop is called.
func serveOnLoop(
	b *testing.B, setup []socket.SetupOption, handler socket.Handler, opts ...socket.ServeOption,
) (at string, l *loop.Loop, stop func()) {
	b.Helper()
	address, ended := make(chan string, 1), make(chan error, 1)
	var ln *socket.Listener
	go func() {
		ended <- loop.Run(func(t *loop.Task) (err error) {
			l = t.Loop()
			if ln, err = socket.ListenTCP(l, "127.0.0.1:0", setup...); err != nil {
				return err
			}
			address <- ln.Addr().String()
			err = socket.Serve(t, ln, handler, opts...)
			if ln.Socket().Closed() {
				return nil
			}
			return err
		})
	}()
	select {
	case at = <-address:
	case err := <-ended:
		b.Fatal("the server ended before it listened: ", err)
	}
	return at, l, func() {
		_ = l.CallSoon(func() { _ = ln.Close() }) // a loop that has ended needs no closing
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
}
