package stream_test

import (
	"errors"
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// News for several subscribers, of whom one does not read. Each has a Writer, so
// that nobody waits for it: what is new takes the place of what is old.
func ExampleWriter() {
	attentive, toAttentive := stream.NewMemory(0)
	idle, toIdle := stream.NewMemory(5) // it holds one message
	err := loop.Run(func(t *loop.Task) error {
		defer func() { _, _ = attentive.Close(), idle.Close() }()
		return loop.Nurse(t, func(n *loop.Nursery) error {
			var writers []*stream.Writer
			for _, to := range []*stream.Memory{toAttentive, toIdle} {
				w, err := stream.NewWriter(n, to,
					stream.WithBound(1000, 2), stream.WithPolicy(stream.DropOldest))
				if err != nil {
					return err
				}
				writers = append(writers, w)
			}
			for i := range 6 {
				message := fmt.Appendf(nil, "new%d\n", i) // for all, and not changed any more
				for _, w := range writers {
					if err := w.Put(message); err != nil {
						return err
					}
				}
				if err := writers[0].Flush(t); err != nil { // the others do not hold it up
					return err
				}
			}
			for _, w := range writers {
				s := w.Statistics()
				fmt.Println(s.Sent, "sent,", s.Queued, "queued,", s.Dropped, "dropped")
			}
			return n.Cancel("no more news")
		})
	})
	fmt.Println(err)
	// Output:
	// 6 sent, 0 queued, 0 dropped
	// 1 sent, 2 queued, 2 dropped
	// <nil>
}

// Who must not lose a message, and can wait, sends.
func ExampleWriter_Send() {
	client, server := stream.NewMemory(4)
	err := loop.Run(func(t *loop.Task) error {
		defer client.Close()
		return loop.Nurse(t, func(n *loop.Nursery) error {
			w, err := stream.NewWriter(n, server, stream.WithBound(8, 1))
			if err != nil {
				return err
			}
			for text := []byte("tick"); err == nil; {
				err = w.Put(text) // as long as there is room
			}
			fmt.Println(errors.Is(err, loop.ErrFull))
			err = n.Spawn(func(t *loop.Task) error {
				_, err := stream.ReceiveExactly(t, client, make([]byte, 8))
				return err
			})
			if err != nil {
				return err
			}
			if err := w.Send(t, []byte("tock")); err != nil {
				return err
			}
			return w.Flush(t)
		})
	})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}
