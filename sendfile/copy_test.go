package sendfile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// certificate is one that nobody trusts.
func certificate(tb testing.TB) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(tb, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// between makes a sender, the two sockets of a relay, and a receiver.
func between(t *loop.Task, tb testing.TB) (from, src, dst, to *socket.Conn, closeAll func()) {
	from, src = pair(t, tb)
	dst, to = pair(t, tb)
	return from, src, dst, to, func() {
		for _, c := range []*socket.Conn{from, src, dst, to} {
			must(tb, c.Close())
		}
	}
}

// Everything up to the end, in small pieces and in bulk: no byte is lost, and
// both ways are taken.
func TestCopy(t *testing.T) {
	data := pattern(20 << 20)
	run(t, func(task *loop.Task) error {
		from, src, dst, to, closeAll := between(task, t)
		defer closeAll()
		return both(task, func(task *loop.Task) error {
			for n := 0; n < 1000; n += 10 {
				must(t, from.SendAll(task, data[n:n+10]))
			}
			must(t, from.SendAll(task, data[1000:]))
			return from.SendEOF(task)
		}, func(task *loop.Task) error {
			method := sendfile.Copied
			n, err := sendfile.Copy(task, dst, src, -1, sendfile.MethodUsed(&method))
			if n != int64(len(data)) {
				t.Errorf("%d bytes moved, want %d", n, len(data))
			}
			_, unsupported := sys.Splice(sys.Invalid, sys.Invalid, 1)
			if !errors.Is(unsupported, errors.ErrUnsupported) && method != sendfile.Splice {
				t.Errorf("moved by %v only", method)
			}
			return errors.Join(err, dst.SendEOF(task))
		}, func(task *loop.Task) error { return receives(task, t, to, data) })
	})
}

// A limited copy leaves the rest to who comes after it.
func TestCopyLimited(t *testing.T) {
	data := pattern(3 << 20)
	const limit = 1<<20 + 3
	run(t, func(task *loop.Task) error {
		from, src, dst, to, closeAll := between(task, t)
		defer closeAll()
		return both(task, func(task *loop.Task) error {
			return errors.Join(from.SendAll(task, data), from.SendEOF(task))
		}, func(task *loop.Task) error {
			n, err := sendfile.Copy(task, dst, src, 0)
			if n != 0 || err != nil {
				t.Errorf("nothing: %d, %v", n, err)
			}
			n, err = sendfile.Copy(task, dst, src, limit)
			if n != limit {
				t.Errorf("%d bytes moved", n)
			}
			rest, failed := receiveAll(task, src)
			if !bytes.Equal(rest, data[limit:]) {
				t.Errorf("%d bytes were left", len(rest))
			}
			return errors.Join(err, failed, dst.SendEOF(task))
		}, func(task *loop.Task) error { return receives(task, t, to, data[:limit]) })
	})
}

// Cancelled with bytes in its hands, it gives them back: what was moved, what
// comes back, and what is still to be received are all that was sent.
func TestCopyCancelled(t *testing.T) {
	data := pattern(32 << 20)
	run(t, func(task *loop.Task) error {
		from, src, dst, to, closeAll := between(task, t)
		defer closeAll()
		var moved int64
		var unsent *sendfile.UnsentError
		sending := func(task *loop.Task) error {
			return errors.Join(from.SendAll(task, data), from.SendEOF(task))
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(sending))
			must(t, loop.Nurse(task, func(n *loop.Nursery) error {
				must(t, n.Spawn(func(task *loop.Task) (err error) {
					moved, err = sendfile.Copy(task, dst, src, -1)
					want(t, "copy", err, loop.Cancelled)
					if !errors.As(err, &unsent) {
						t.Errorf("nobody reads, and nothing is left: %v", err)
					}
					return err
				}))
				looptest.WaitAllTasksBlocked(task, t)
				_, err := src.Receive(task, make([]byte, 1))
				want(t, "a receive beside it", err, loop.ErrBusy)
				return n.Cancel("test")
			}))
			must(t, dst.SendEOF(task))
			return both(task, func(task *loop.Task) error {
				return receives(task, t, to, data[:moved])
			}, func(task *loop.Task) error {
				rest, err := receiveAll(task, src)
				if !bytes.Equal(append(bytes.Clone(unsent.Data), rest...), data[moved:]) {
					t.Errorf("%d bytes moved, %d came back, %d were left of %d",
						moved, len(unsent.Data), len(rest), len(data))
				}
				return err
			})
		})
	})
}

func TestCopyErrors(t *testing.T) {
	run(t, func(task *loop.Task) error {
		from, src, dst, to, closeAll := between(task, t)
		defer closeAll()
		must(t, to.Abort())
		err := both(task, func(task *loop.Task) error {
			_, err := sendfile.Copy(task, dst, src, -1)
			want(t, "copy to who has gone", err, loop.ErrBroken)
			return err
		}, func(task *loop.Task) error {
			for {
				if err := from.SendAll(task, make([]byte, 1000)); err != nil {
					return err
				}
			}
		})
		want(t, "both", err, loop.ErrBroken)
		must(t, src.Close())
		_, err = sendfile.Copy(task, dst, src, -1)
		want(t, "copy from a closed one", err, loop.ErrClosed)
		return nil
	})
}
