package socket_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Where records end and segments do not, and the other way round. A receive
// that waits although crypto/tls has something for it stalls these tests.

// cipher is a version, and a suite if there is a choice.
type cipher struct {
	version uint16
	suites  []uint16
}

// ciphers are those with which a record has something else around its plaintext.
var ciphers = map[string]cipher{
	"1.3": {version: tls.VersionTLS13},
	"1.2 GCM": {tls.VersionTLS12,
		[]uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}},
	"1.2 ChaCha20": {tls.VersionTLS12,
		[]uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}},
	"1.2 CBC": {tls.VersionTLS12,
		[]uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
}

// scribe is a transport that writes down what TLS sends, for the test to send.
type scribe struct {
	*socket.Conn
	writes bool
	text   []byte
}

func (s *scribe) SendAll(t *loop.Task, b []byte) error {
	if !s.writes {
		return s.Conn.SendAll(t, b)
	}
	s.text = append(s.text, b...)
	return loop.Checkpoint(t)
}

// dictated connects a TLS client over a scribe with a server over a socket.
func dictated(
	task *loop.Task, t *testing.T, use cipher,
) (pen *scribe, from, to *socket.TLSConn) {
	a, b := pair(task, t)
	pen = &scribe{Conn: a}
	client, server := authority().client.Clone(), authority().server.Clone()
	for _, c := range []*tls.Config{client, server} {
		c.MinVersion, c.MaxVersion, c.CipherSuites = use.version, use.version, use.suites
	}
	from, err := socket.TLSClient(pen, client)
	must(t, err)
	to, err = socket.TLSServer(b, server)
	must(t, err)
	shake(task, t, from, to)
	pen.writes = true
	return pen, from, to
}

// receivesSlowly receives text in pieces of at most room bytes.
func receivesSlowly(task *loop.Task, t *testing.T, c *socket.TLSConn, text string, room int) {
	t.Helper()
	var got []byte
	for b := make([]byte, room); len(got) < len(text); {
		n, err := c.Receive(task, b)
		if err != nil || n == 0 {
			t.Fatalf("after %q: %d bytes, %v", got, n, err)
		}
		got = append(got, b[:n]...)
	}
	if string(got) != text {
		t.Errorf("received %q, want %q", got, text)
	}
}

// Two records, cut in two at every byte, while the receiver waits; and then
// once more, after it was cancelled between the two pieces.
func TestTLSSplitRecords(t *testing.T) {
	looptest.EachKernel(t, func(t *testing.T) {
		for name, use := range ciphers {
			t.Run(name, func(t *testing.T) {
				run(t, func(task *loop.Task) error {
					pen, from, to := dictated(task, t, use)
					defer closeAll(from, to)
					for cut := 1; ; cut++ {
						pen.text = nil
						must(t, from.SendAll(task, []byte("ab")))
						must(t, from.SendAll(task, []byte("cdefg")))
						if cut >= len(pen.text) {
							return nil
						}
						room := []int{1, 2, 5, 100}[cut%4]
						splitAt(task, t, pen, to, cut, room)
						splitByCancel(task, t, pen, from, to, cut, room)
						if t.Failed() {
							t.Fatalf("with records cut after %d bytes, into %d", cut, room)
						}
					}
				})
			})
		}
	})
}

func splitAt(
	task *loop.Task, t *testing.T, pen *scribe, to *socket.TLSConn, cut, room int,
) {
	must(t, loop.Nurse(task, func(n *loop.Nursery) error {
		must(t, n.Spawn(func(task *loop.Task) error {
			receivesSlowly(task, t, to, "abcdefg", room)
			return nil
		}))
		must(t, pen.Conn.SendAll(task, pen.text[:cut]))
		settle(task, t)
		return pen.Conn.SendAll(task, pen.text[cut:])
	}))
}

func splitByCancel(
	task *loop.Task, t *testing.T, pen *scribe, from, to *socket.TLSConn, cut, room int,
) {
	pen.text = nil
	must(t, from.SendAll(task, []byte("ab")))
	must(t, from.SendAll(task, []byte("cdefg")))
	var got []byte
	must(t, loop.Nurse(task, func(n *loop.Nursery) error {
		must(t, n.Spawn(func(task *loop.Task) error {
			for b := make([]byte, room); ; {
				n, err := to.Receive(task, b)
				got = append(got, b[:n]...)
				if err != nil {
					return err
				}
			}
		}))
		must(t, pen.Conn.SendAll(task, pen.text[:cut]))
		settle(task, t)
		return n.Cancel("test")
	}))
	must(t, pen.Conn.SendAll(task, pen.text[cut:]))
	if whole := "abcdefg"; string(got) != whole[:len(got)] {
		t.Errorf("received %q", got)
	} else {
		receivesSlowly(task, t, to, whole[len(got):], room)
	}
}

// Many records in few segments, into rooms that are just as large as a record,
// a little smaller, or a little larger; then the end.
func TestTLSRooms(t *testing.T) {
	sizes := []int{1, 2, 15, 16, 17, 18, 511, 512, 513, 1000, 4096, 16383, 16384, 16385, 40000}
	for name, use := range ciphers {
		t.Run(name, func(t *testing.T) {
			looptest.Seeds(t, 5, func(t *testing.T) {
				random := rand.New(rand.NewPCG(looptest.Seed(t), 0))
				run(t, func(task *loop.Task) error {
					pen, from, to := dictated(task, t, use)
					defer closeAll(from, to)
					for range 20 {
						pen.text = nil
						var all []byte
						for range 1 + random.IntN(5) {
							message := pattern(sizes[random.IntN(len(sizes))])
							all = append(all, message...)
							must(t, from.SendAll(task, message))
						}
						must(t, both(task, func(task *loop.Task) error {
							return inPieces(task, pen.Conn, pen.text, random)
						}, func(task *loop.Task) error {
							for rest := all; len(rest) > 0; {
								room := make([]byte, min(len(rest), sizes[random.IntN(len(sizes))]))
								n, err := to.Receive(task, room)
								if err != nil || n == 0 || !bytes.Equal(room[:n], rest[:n]) {
									t.Fatalf("%d bytes, %v, or other ones than were sent", n, err)
								}
								rest = rest[n:]
							}
							return nil
						}))
					}
					pen.text = nil
					must(t, from.SendEOF(task))
					must(t, pen.Conn.SendAll(task, pen.text))
					receives(task, t, to, "")
					receives(task, t, to, "")
					return nil
				})
			})
		})
	}
}

// Something that is no application data, behind a record that is received
// whole, is looked at although nothing comes after it.
func TestTLSBehindRecord(t *testing.T) {
	run(t, func(task *loop.Task) error {
		pen, from, to := dictated(task, t, ciphers["1.3"])
		defer closeAll(from, to)
		must(t, from.SendAll(task, []byte("hello")))
		alert := []byte{21, 3, 3, 0, 2, 2, 40} // in the clear, which is not allowed any more
		must(t, pen.Conn.SendAll(task, append(pen.text, alert...)))
		receivesSlowly(task, t, to, "hello", 5)
		for range 2 {
			_, err := to.Receive(task, make([]byte, 5))
			want(t, "receive", err, loop.ErrBroken)
		}
		return nil
	})
}

// The end of any transport is noticed once, and remembered.
func TestTLSEndOfMemory(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ma, mb := stream.NewMemory(0)
		a, b := overTLS(t, ma, mb, socket.TLSAllowTruncation())
		defer closeAll(a, b)
		shake(task, t, a, b)
		must(t, a.SendAll(task, []byte("hello")))
		must(t, ma.SendEOF(task))
		receivesSlowly(task, t, b, "hello", 5)
		receives(task, t, b, "")
		receives(task, t, b, "")
		return nil
	})
}

func inPieces(task *loop.Task, to stream.Sender, text []byte, random *rand.Rand) error {
	for len(text) > 0 {
		n := min(len(text), 1+random.IntN(50_000))
		if err := to.SendAll(task, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// Nothing is lost, and nothing stalls, wherever an exchange is cancelled: it
// can be carried on.
func TestTLSCancelledEverywhere(t *testing.T) {
	data := pattern(3000)
	moments := looptest.Config{Limit: limit}.CancelEverywhere(t, func(task *loop.Task) error {
		var a, b *socket.TLSConn
		var sent int
		var got []byte
		must(t, loop.Shield(task, func(*loop.Scope) error {
			a, b = tlsPair(task, t)
			return nil
		}))
		defer closeAll(a, b)
		send := func(task *loop.Task) error {
			for sent < len(data) {
				piece := data[sent:min(len(data), sent+1000)]
				err := a.SendAll(task, piece)
				if sent += stream.Sent(err, len(piece)); err != nil {
					return err
				}
			}
			return nil
		}
		receive := func(task *loop.Task) error {
			for room := make([]byte, 500); len(got) < len(data); {
				n, err := b.Receive(task, room)
				if got = append(got, room[:n]...); err != nil {
					return err
				}
			}
			return nil
		}
		err := both(task, send, receive)
		must(t, loop.Shield(task, func(*loop.Scope) error { return both(task, send, receive) }))
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes came, other than the %d that were sent", len(got), len(data))
		}
		return err
	})
	t.Logf("%d moments", moments)
}

// A message that goes out at once keeps its place behind what did not.
func TestTLSSendsInOrder(t *testing.T) {
	looptest.EachKernel(t, func(t *testing.T) {
		run(t, func(task *loop.Task) error {
			a, b := tlsPair(task, t)
			defer closeAll(a, b)
			data := pattern(64 << 20)
			var sent int
			send := func(task *loop.Task, most int) error {
				for most = min(len(data), most); sent < most; {
					piece := data[sent:min(most, sent+5000)]
					err := a.SendAll(task, piece)
					if sent += stream.Sent(err, len(piece)); err != nil {
						return err
					}
				}
				return nil
			}
			must(t, loop.Nurse(task, func(n *loop.Nursery) error {
				must(t, n.Spawn(func(task *loop.Task) error { return send(task, len(data)) }))
				settle(task, t)
				return n.Cancel("test")
			}))
			if a.Statistics().Unsent == 0 {
				t.Fatalf("%d bytes were taken, all at once", sent)
			}
			return both(task, func(task *loop.Task) error {
				if err := send(task, sent+200_000); err != nil {
					return err
				}
				return a.SendEOF(task)
			}, func(task *loop.Task) error {
				got, err := receiveAll(task, b, 16<<10)
				if !bytes.Equal(got, data[:sent]) {
					t.Errorf("%d bytes came, other than the %d that were sent", len(got), sent)
				}
				return err
			})
		})
	})
}

// The error of a message that would have gone at once is that of the system,
// and the next ones say the same.
func TestTLSSmallSendToNobody(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		defer closeAll(a, b)
		must(t, b.Abort())
		var err error
		for err == nil {
			err = a.SendAll(task, []byte("x"))
		}
		want(t, "send", err, loop.ErrBroken)
		if !errors.Is(err, sys.ECONNRESET) && !errors.Is(err, sys.EPIPE) &&
			!errors.Is(err, sys.ECONNABORTED) {
			t.Errorf("send: %v", err)
		}
		want(t, "send again", a.SendAll(task, []byte("x")), loop.ErrBroken)
		_, err = a.Receive(task, make([]byte, 1))
		want(t, "receive", err, loop.ErrBroken)
		return nil
	})
}

// An answer that the peer does not take, and that is left to the next send,
// does not keep the receiver busy.
func TestTLSAnswerIsLeft(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		defer closeAll(a, b)
		for full := 0; full < 10; full++ { // nothing of this is TLS, and nobody reads it
			_, err := a.Transport().(*socket.Conn).SendNowait(make([]byte, 1<<16))
			if err == nil {
				full = 0
			}
			settle(task, t)
		}
		socket.OweTLS(a, []byte("answer"))
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				receivesSlowly(task, t, a, "hello", 100)
				return nil
			}))
			settle(task, t)
			if got := a.Statistics().Unsent; got != len("answer") {
				t.Errorf("%d bytes are unsent", got)
			}
			return b.SendAll(task, []byte("hello"))
		})
	})
}

// What is received and sent allocates what crypto/tls does: once for a record,
// and never to find out that nothing has come.
func TestTLSAllocatesLittle(t *testing.T) {
	if poolsForget() {
		t.Skip("with the race detector pools forget, also those of crypto/tls")
	}
	for name, use := range ciphers {
		if name == "1.2 CBC" {
			continue // its padding hides how much is in a record
		}
		t.Run(name, func(t *testing.T) {
			runBudgeted(t, func(task *loop.Task) error {
				pen, from, to := dictated(task, t, use)
				defer closeAll(from, to)
				pen.writes = false
				data, room := make([]byte, 1000), make([]byte, 1000)
				allocates(t, "a send and a receive", 1, func() {
					must(t, to.SendAll(task, data))
					_, err := stream.ReceiveExactly(task, from, room)
					must(t, err)
				})
				allocates(t, "a receive and a send", 1, func() {
					must(t, from.SendAll(task, data))
					n, err := to.Receive(task, room)
					must(t, err)
					if n != len(data) {
						t.Errorf("received %d bytes", n)
					}
				})
				return nil
			})
		})
	}
}

func poolsForget() bool {
	var p sync.Pool
	for range 100 {
		p.Put(new(int))
		if p.Get() == nil {
			return true
		}
	}
	return false
}
