package stream_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sys"
)

// Torture (reliability 93): every call of the kernel fails, in a build with the
// tag faults; without it each body runs once.

// TestFaultsPipe sends more than a pipe holds, whose ends leave the loop and come
// back.
func TestFaultsPipe(t *testing.T) {
	if _, _, err := sys.Pipe(); errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("this system has no pipes for loops: %v", err)
	}
	data := bytes.Repeat([]byte("0123456789"), 7000)
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		return loop.FailAfter(task, time.Minute, func(*loop.Scope) error {
			return throughPipe(task, t, data)
		})
	}))
}

func throughPipe(task *loop.Task, t *testing.T, data []byte) error {
	r, w, err := readopted(task.Loop())
	if err != nil {
		return err
	}
	defer r.Close()
	return loop.Nurse(task, func(n *loop.Nursery) error {
		err := n.Spawn(func(task *loop.Task) error {
			defer w.Close()
			return w.SendAll(task, data)
		})
		if err != nil {
			return err
		}
		var got []byte
		for buf := make([]byte, 30_000); ; {
			n, err := r.Receive(task, buf)
			got = append(got, buf[:n]...)
			if !bytes.HasPrefix(data, got) {
				t.Errorf("the %d bytes that came are others", len(got))
			}
			if err != nil || n == 0 {
				return err
			}
		}
	})
}

// readopted makes a pipe whose ends are adopted.
func readopted(l *loop.Loop) (*stream.PipeReader, *stream.PipeWriter, error) {
	fr, fw, err := sys.Pipe()
	if err != nil {
		return nil, nil, err
	}
	r, err := stream.AdoptReader(l, fr)
	if err != nil {
		_, _ = sys.Close(fr), sys.Close(fw)
		return nil, nil, err
	}
	w, err := stream.AdoptWriter(l, fw)
	if err != nil {
		_, _ = r.Close(), sys.Close(fw)
		return nil, nil, err
	}
	return r, w, nil
}
