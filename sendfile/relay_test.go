package sendfile_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sendfile"
)

// A Copy that is torn down by a panic of its caller's function leaves neither a
// pipe open nor a direction held.
func TestCopyPanics(t *testing.T) {
	data := pattern(8 << 20)
	run(t, func(task *loop.Task) error {
		from, src, dst, to, closeAll := between(task, t)
		defer closeAll()
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error { return from.SendAll(task, data) }))
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := receiveAll(task, to)
				return err
			}))
			_, err := sendfile.Copy(task, dst, src, -1, sendfile.WithProgress(func(sent int64) {
				if sent > 1<<20 {
					panic("oops")
				}
			}))
			return err
		})
		var p *loop.PanicError
		if !errors.As(err, &p) {
			t.Errorf("got %v", err)
		}
		_, err = sendfile.Copy(task, dst, src, 1)
		return err
	})
}

// A relay that waits for its source holds no buffer: a proxy has thousands.
func TestCopyIdleIsSmall(t *testing.T) {
	const relays, each = 20, 16 << 10
	run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			before := heapInUse()
			for range relays {
				from, src, dst, to, closeAll := between(task, t)
				defer closeAll()
				must(t, n.Spawn(func(task *loop.Task) error {
					_, err := sendfile.Copy(task, dst, src, -1)
					return err
				}))
				must(t, from.SendAll(task, []byte("hello")))
				_, err := stream.ReceiveExactly(task, to, make([]byte, 5))
				must(t, err)
			}
			looptest.WaitAllTasksBlocked(task, t)
			if grown := heapInUse() - before; grown > relays*each {
				t.Errorf("%d bytes for an idle relay", grown/relays)
			}
			return n.Cancel("test")
		})
	})
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
