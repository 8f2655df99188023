package socket_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// What a slow client may cost, and what is put for it: enough to exceed that many
// times over, each message in memory of its own.
const (
	slowCost     = 1 << 20
	slowMessages = 400_000
	slowSize     = 64
)

// live is what the program holds, after all that is no longer used is gone.
func live() int64 {
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc + now.StackInuse)
}

// A client that never reads costs a Writer no more than its bound, whatever its
// policy is; and the connection is at fault with none but CloseSlow.
func TestWriterOfAClientThatNeverReads(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy stream.Policy
		err    error // of a Put without room
	}{
		{"refuse", stream.Refuse, loop.ErrFull},
		{"drop the oldest", stream.DropOldest, nil},
		{"drop the newest", stream.DropNewest, nil},
		{"close", stream.CloseSlow, stream.ErrSlow},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := pair(task, t, socket.With(socket.SendBuffer, 10_000))
				defer closeAll(a, b)
				return loop.Nurse(task, func(n *loop.Nursery) error {
					w, err := stream.NewWriter(n, a, stream.WithPolicy(c.policy))
					must(t, err)
					before := live()
					refused := 0
					for range slowMessages {
						if err := w.Put(make([]byte, slowSize)); err != nil {
							refused++
							want(t, "a put without room", err, c.err)
						}
						must(t, loop.Checkpoint(task))
					}
					if growth := live() - before; growth > slowCost {
						t.Errorf("it costs %d bytes, and may cost %d", growth, slowCost)
					}
					s := w.Statistics()
					if s.Queued > stream.DefaultQueuedMessages || (c.err != nil) != (refused > 0) ||
						s.Dropped+uint64(refused) < slowMessages/2 {
						t.Errorf("%+v, %d refused", s, refused)
					}
					if failed := w.Err(); (c.policy == stream.CloseSlow) != errors.Is(failed, stream.ErrSlow) {
						t.Errorf("it ended with %v", failed)
					}
					return n.Cancel("the test is over")
				})
			})
		})
	}
}

// Torture (reliability 93) of what a Writer sends: the beginning arrives, and
// every message is accounted for, small ones that are joined and large ones.
func TestFaultsWriter(t *testing.T) {
	messages := [][]byte{pattern(10), pattern(500), pattern(300), pattern(2000), pattern(20), pattern(30)}
	all := bytes.Join(messages, nil)
	torture(t, func(task *loop.Task) error {
		return connected(task, func(task *loop.Task, c *socket.Conn) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				w, err := stream.NewWriter(n, c)
				if err != nil {
					return err
				}
				for i, message := range messages {
					if i == len(messages)/2 { // two batches
						err = w.Flush(task)
					}
					if err == nil {
						err = w.Put(message)
					}
					if err != nil {
						return err
					}
				}
				err = w.Flush(task)
				s := w.Statistics()
				if err == nil && (s.Sent != uint64(len(messages)) || s.SentBytes != uint64(len(all)) || s.Queued != 0) ||
					s.Sent+s.Dropped+uint64(s.Queued) > uint64(len(messages)) {
					t.Errorf("%+v after %v", s, err)
				}
				return err
			})
		}, func(task *loop.Task, c *socket.Conn) error {
			got, err := receiveAll(task, c, 200)
			if !bytes.HasPrefix(all, got) {
				t.Errorf("the %d bytes that came are others", len(got))
			}
			return err
		})
	})
}
