package stdnet_test

// The code of docs/from-gnet.md.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// frameMax bounds a frame: larger ones would not fit into the buffer of a task.
const frameMax = 4 << 10

var errFrame = errors.New("a frame is too long")

// frames answers each frame, a length and as many bytes, with the same frame.
func frames(t *loop.Task, c stream.Stream) error {
	r := stream.NewReader(c, t.Buffer())
	for {
		head, err := r.Peek(t, 4)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(head)
		if size > frameMax {
			return errFrame
		}
		frame, err := r.Next(t, 4+int(size))
		if err != nil {
			return err
		}
		if err := c.SendAll(t, frame); err != nil {
			return err
		}
		if len(r.Buffered()) == 0 {
			return socket.GoIdle
		}
	}
}

// room is who hears what the others say.
type room map[*stream.Writer]struct{}

func (all room) serve(t *loop.Task, c stream.Stream) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		w, err := stream.NewWriter(n, c)
		if err != nil {
			return err
		}
		defer w.Close()
		all[w] = struct{}{}
		defer delete(all, w)
		r := stream.NewReader(c, t.Buffer())
		for {
			line, err := r.Until(t, '\n')
			if err == io.EOF {
				return w.Flush(t)
			}
			if err != nil {
				return err
			}
			message := bytes.Clone(line) // the buffer is used again
			for other := range all {
				_ = other.Put(message) // its own handler hears of its failure
			}
		}
	})
}

// tick reports every second, until it is cancelled.
func tick(t *loop.Task, report func()) error {
	for {
		if err := loop.Sleep(t, time.Second); err != nil {
			return err
		}
		report()
	}
}

// TestGuideGnetFrames sends two frames at once, and one that is too long.
func TestGuideGnetFrames(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		client, server := stream.NewMemory(0)
		defer client.Close()
		defer server.Close()
		two := []byte("\x00\x00\x00\x03one\x00\x00\x00\x03two")
		must(t, client.SendAll(task, two))
		want(t, "two frames", frames(task, server), socket.GoIdle)
		answer := make([]byte, len(two))
		_, err := stream.ReceiveExactly(task, client, answer)
		must(t, err)
		if !bytes.Equal(answer, two) {
			t.Errorf("answered %q", answer)
		}
		must(t, client.SendAll(task, []byte("\xff\xff\xff\xff")))
		want(t, "a long frame", frames(task, server), errFrame)
		return nil
	})
}

// TestGuideGnetRoom hears itself.
func TestGuideGnetRoom(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		client, server := stream.NewMemory(0)
		defer client.Close()
		defer server.Close()
		must(t, client.SendAll(task, []byte("hello\n")))
		must(t, client.SendEOF(task))
		all := room{}
		must(t, all.serve(task, server))
		answer := make([]byte, 6)
		_, err := stream.ReceiveExactly(task, client, answer)
		must(t, err)
		if string(answer) != "hello\n" || len(all) != 0 {
			t.Errorf("heard %q; %d are left", answer, len(all))
		}
		return nil
	})
}

// TestGuideGnetTick counts an hour.
func TestGuideGnetTick(t *testing.T) {
	ticks := 0
	looptest.Run(t, func(task *loop.Task) error {
		return loop.MoveOnAfter(task, time.Hour+time.Millisecond, func(*loop.Scope) error {
			return tick(task, func() { ticks++ })
		})
	}, loop.WithClock(looptest.NewAutojumpClock()))
	if ticks != 3600 {
		t.Errorf("%d ticks in an hour", ticks)
	}
}
