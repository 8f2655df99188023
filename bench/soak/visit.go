package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// errWrong says that bytes came which nobody has sent.
var errWrong = errors.New("wrong bytes")

// most is the largest message.
const most = 100_000

// sample is what messages are cut from.
var sample = pattern(2 * most)

// scenarios are what clients do. They return how many bytes came back.
var scenarios = []func(*loop.Task, servers, *rand.Rand) (int64, error){
	converse, converse, secure, download, breakOff, cancelled, halfClose, idle,
}

func with(t *loop.Task, to netip.AddrPort, body func(c *socket.Conn) (int64, error)) (int64, error) {
	c, err := socket.ConnectTCP(t, to)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return body(c)
}

// message is some bytes.
func message(rng *rand.Rand) []byte {
	size := 1 + rng.IntN(1<<rng.IntN(17))
	from := rng.IntN(most)
	return sample[from : from+min(size, most)]
}

// exchange sends messages and compares what comes back. Sending and receiving go
// on at once, since no side can hold it all.
func exchange(t *loop.Task, s stream.Stream, rng *rand.Rand, rounds int) (total int64, err error) {
	for range rounds {
		out := message(rng)
		back := make([]byte, len(out))
		err := loop.Nurse(t, func(n *loop.Nursery) error {
			if err := n.Spawn(func(t *loop.Task) error { return s.SendAll(t, out) }); err != nil {
				return err
			}
			got, err := stream.ReceiveExactly(t, s, back)
			total += int64(got)
			if !bytes.Equal(back[:got], out[:got]) {
				return fmt.Errorf("%w in the first %d of %d", errWrong, got, len(out))
			}
			return err
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func converse(t *loop.Task, to servers, rng *rand.Rand) (int64, error) {
	return with(t, to.echo, func(c *socket.Conn) (int64, error) {
		return exchange(t, c, rng, 1+rng.IntN(10))
	})
}

func secure(t *loop.Task, to servers, rng *rand.Rand) (int64, error) {
	return with(t, to.secure, func(c *socket.Conn) (int64, error) {
		s, err := socket.TLSClient(c, to.client)
		if err != nil {
			return 0, err
		}
		defer s.Close()
		return exchange(t, s, rng, 1+rng.IntN(3))
	})
}

func download(t *loop.Task, to servers, rng *rand.Rand) (int64, error) {
	return with(t, to.file, func(c *socket.Conn) (int64, error) {
		if err := c.SendAll(t, []byte("file")); err != nil {
			return 0, err
		}
		got := make([]byte, 1+rng.IntN(fileSize))
		n, err := stream.ReceiveExactly(t, c, got)
		if !bytes.Equal(got[:n], pattern(fileSize)[:n]) {
			err = fmt.Errorf("%w in the file", errWrong)
		}
		return int64(n), err
	})
}

func breakOff(t *loop.Task, to servers, rng *rand.Rand) (int64, error) {
	return with(t, to.echo, func(c *socket.Conn) (int64, error) {
		n, err := exchange(t, c, rng, rng.IntN(3))
		if err == nil {
			err = c.SendAll(t, message(rng))
		}
		return n, errors.Join(err, c.Abort())
	})
}

func cancelled(t *loop.Task, to servers, rng *rand.Rand) (n int64, err error) {
	after := time.Duration(rng.IntN(5000)) * time.Microsecond
	err = loop.MoveOnAfter(t, after, func(*loop.Scope) error {
		all := []func(*loop.Task, servers, *rand.Rand) (int64, error){converse, secure, download, halfClose}
		n, err = all[rng.IntN(len(all))](t, to, rng)
		return err
	})
	return n, err
}

func halfClose(t *loop.Task, to servers, rng *rand.Rand) (n int64, err error) {
	return with(t, to.echo, func(c *socket.Conn) (int64, error) {
		n, err := exchange(t, c, rng, 1)
		if err != nil {
			return n, err
		}
		if err := c.SendEOF(t); err != nil {
			return n, err
		}
		more, err := c.Receive(t, make([]byte, 10))
		if more > 0 {
			err = fmt.Errorf("%w after the end", errWrong)
		}
		return n, err
	})
}

func idle(t *loop.Task, to servers, rng *rand.Rand) (int64, error) {
	return with(t, to.echo, func(c *socket.Conn) (int64, error) {
		n, err := exchange(t, c, rng, 1)
		if err != nil {
			return n, err
		}
		if err := loop.Sleep(t, time.Duration(rng.IntN(50))*time.Millisecond); err != nil {
			return n, err
		}
		more, err := exchange(t, c, rng, 1)
		return n + more, err
	})
}
