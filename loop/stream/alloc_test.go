package stream_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// What a server does for each request allocates nothing.
func TestAllocations(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(0)
		defer a.Close()
		defer b.Close()
		line, head, blank := []byte("line\r\n"), []byte("a: b\r\n\r\n"), []byte("\r\n\r\n")
		buf := make([]byte, 64)
		r := stream.NewReader(b, make([]byte, 64))
		for name, fn := range map[string]func() error{
			"send and receive": func() error {
				if err := a.SendAll(task, line); err != nil {
					return err
				}
				_, err := stream.ReceiveExactly(task, b, buf[:len(line)])
				return err
			},
			"a line": func() error {
				if err := a.SendAll(task, line); err != nil {
					return err
				}
				_, err := r.LineWithin(task, 10)
				return err
			},
			"a head": func() error {
				if err := a.SendAll(task, head); err != nil {
					return err
				}
				_, err := r.UntilSequence(task, blank)
				return err
			},
			"bytes": func() error {
				if err := a.SendAll(task, line); err != nil {
					return err
				}
				if _, err := r.Peek(task, 2); err != nil {
					return err
				}
				_, err := r.Next(task, len(line))
				return err
			},
		} {
			n := testing.AllocsPerRun(100, func() {
				if err := fn(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
			if n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
		return nil
	})
}
