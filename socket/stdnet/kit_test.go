package stdnet_test

import (
	"io"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket/stdnet"
)

// through is a stream whose receives and sends go through a TaskConn each.
type through struct{ stream.Stream }

func (s through) Receive(t *loop.Task, b []byte) (int, error) {
	if len(b) == 0 { // a Read of nothing is nothing
		return s.Stream.Receive(t, b)
	}
	n, err := stdnet.Bind(t, s.Stream, stdnet.KeepOpen()).Read(b)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (s through) SendAll(t *loop.Task, b []byte) error {
	n, err := stdnet.Bind(t, s.Stream, stdnet.KeepOpen()).Write(b)
	return stream.Partial(n, err)
}

func (s through) SendEOF(t *loop.Task) error {
	return stdnet.Bind(t, s.Stream, stdnet.KeepOpen()).CloseWrite()
}

// Scenarios T for the adapter: as a net.Conn a stream keeps its promises.
func TestTaskConnPassesStreamKit(t *testing.T) {
	for name, makePair := range map[string]looptest.StreamMaker{
		"tcp":    tcpPair,
		"memory": func(*loop.Task, testing.TB) (a, b stream.Stream) { return stream.NewMemory(0) },
	} {
		t.Run(name, func(t *testing.T) {
			looptest.Config{Limit: time.Minute}.TestStream(t,
				func(task *loop.Task, tb testing.TB) (a, b stream.Stream) {
					a, b = makePair(task, tb)
					return through{a}, through{b}
				})
		})
	}
}
