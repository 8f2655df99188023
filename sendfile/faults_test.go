package sendfile_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
)

// Torture (reliability 93): every call of the kernel fails, in a build with the
// tag faults; without it each body runs once.

// torture has everything go wrong in main, which must end by itself; an hour
// outlasts its workers, see EachFault.
func torture(t *testing.T, main func(*loop.Task) error) {
	t.Helper()
	t.Log(looptest.Config{Limit: 30 * time.Second}.EachFault(t, func(task *loop.Task) error {
		return loop.FailAfter(task, time.Hour, func(*loop.Scope) error { return main(task) })
	}))
}

// connect makes both ends of a connection, or none.
func connect(t *loop.Task) (a, b *socket.Conn, err error) {
	ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	if a, err = socket.ConnectTCP(t, ln.Addr().AddrPort()); err != nil {
		return nil, nil, err
	}
	if b, err = ln.Accept(t); err != nil {
		_ = a.Close()
	}
	return a, b, err
}

// tortureSend sends what send does, and compares with what comes: the number of
// bytes that it tells, and no others.
func tortureSend(
	t *testing.T, whole []byte, send func(*loop.Task, *socket.Conn) (int64, error),
) {
	t.Helper()
	torture(t, func(task *loop.Task) error {
		a, b, err := connect(task)
		if err != nil {
			return err
		}
		defer b.Close()
		sent, got, received := int64(0), []byte(nil), error(nil)
		err = both(task, func(task *loop.Task) (err error) {
			defer a.Close()
			if sent, err = send(task, a); err == nil && sent != int64(len(whole)) {
				t.Errorf("%d bytes of %d were sent, without an error", sent, len(whole))
			}
			return err
		}, func(task *loop.Task) error {
			return loop.Shield(task, func(*loop.Scope) error {
				got, received = receiveAll(task, b)
				return received
			})
		})
		if !bytes.HasPrefix(whole, got) || received == nil && int64(len(got)) != sent {
			t.Errorf("%d bytes came of %d that were sent: %v, %v", len(got), sent, err, received)
		}
		return err
	})
}

// A file that is larger than what the system buffers, with what goes before and
// after it.
func TestFaultsSend(t *testing.T) {
	data, head, tail := pattern(30_000), []byte("a head, "), []byte(", a tail")
	f := file(t, data)
	defer f.Close()
	whole := bytes.Join([][]byte{head, data[100:], tail}, nil)
	tortureSend(t, whole, func(task *loop.Task, c *socket.Conn) (int64, error) {
		if err := socket.SendBuffer.Set(c.Socket(), 4096); err != nil {
			return 0, err
		}
		return sendfile.Send(task, c, f, 100, -1,
			sendfile.WithHeader(head), sendfile.WithTrailer(tail))
	})
}

// A file over a stream that is no socket.
func TestFaultsSendCopies(t *testing.T) {
	data := pattern(3000)
	f := file(t, data)
	defer f.Close()
	tortureSend(t, data[1:], func(task *loop.Task, c *socket.Conn) (int64, error) {
		return sendfile.Send(task, struct{ stream.Sender }{c}, f, 1, -1)
	})
}

// What is no file, read by a worker.
func TestFaultsSendStream(t *testing.T) {
	data := pattern(200)
	tortureSend(t, data, func(task *loop.Task, c *socket.Conn) (int64, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		defer r.Close()
		if _, err := w.Write(data); err != nil {
			return 0, err
		}
		if err := w.Close(); err != nil {
			return 0, err
		}
		return sendfile.Send(task, c, r, 0, -1)
	})
}

// Between two connections: small pieces, and enough for the kernel to help. What
// was taken from one is sent on the other, or comes back.
func TestFaultsCopy(t *testing.T) {
	data := pattern(100_000)
	torture(t, func(task *loop.Task) error {
		client, in, err := connect(task)
		if err != nil {
			return err
		}
		defer in.Close()
		out, server, err := connect(task)
		if err != nil {
			_ = client.Close()
			return err
		}
		defer server.Close()
		moved, got, received := int64(0), []byte(nil), error(nil)
		var unsent *sendfile.UnsentError
		err = loop.Nurse(task, func(n *loop.Nursery) error {
			for _, fn := range []func(*loop.Task) error{
				func(task *loop.Task) error {
					defer client.Close()
					return client.SendAll(task, data)
				},
				func(task *loop.Task) (err error) {
					defer out.Close()
					moved, err = sendfile.Copy(task, out, in, -1)
					errors.As(err, &unsent)
					return err
				},
				func(task *loop.Task) error {
					return loop.Shield(task, func(*loop.Scope) error {
						got, received = receiveAll(task, server)
						return received
					})
				},
			} {
				if err := n.Spawn(fn); err != nil {
					return err
				}
			}
			return nil
		})
		if unsent != nil {
			got = append(got[:len(got):len(got)], unsent.Data...)
			moved += int64(len(unsent.Data))
		}
		if !bytes.HasPrefix(data, got) || received == nil && int64(len(got)) != moved {
			t.Errorf("%d bytes came of %d that were moved: %v", len(got), moved, err)
		}
		if errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("the kernel does not help, and nothing took its place: %v", err)
		}
		if taken := in.Statistics().Received; taken != uint64(moved) {
			t.Errorf("%d bytes were taken, %d were moved or came back: %v", taken, moved, err)
		}
		return err
	})
}
