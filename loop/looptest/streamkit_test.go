package looptest

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// Scenarios T on memory streams. Those of the kernel are in their packages.
func TestStreamKitOnMemory(t *testing.T) {
	makers := map[string]StreamMaker{
		"memory": func(*loop.Task, testing.TB) (a, b stream.Stream) { return stream.NewMemory(0) },
		"tiny":   func(*loop.Task, testing.TB) (a, b stream.Stream) { return stream.NewMemory(1000) },
		// S413: a stream that holds nothing, so every sender is clogged.
		"lockstep": func(*loop.Task, testing.TB) (a, b stream.Stream) { return stream.NewLockstep() },
		"stapled": func(*loop.Task, testing.TB) (a, b stream.Stream) {
			x, y := stream.NewMemory(0)
			return stream.Staple(x, x), stream.Staple(y, y)
		},
	}
	for name, makePair := range makers {
		t.Run(name, func(t *testing.T) { TestStream(t, makePair) })
	}
}
