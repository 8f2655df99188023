package looptest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lion-go/lion/loop"
)

// bubblePatience is how long, in the time of a bubble, a run may take before
// it counts as hanging: that passes as soon as nothing else can happen.
const bubblePatience = 10 * 365 * 24 * time.Hour

// Bubble is Run inside a bubble of testing/synctest, for code in which tasks
// and ordinary goroutines work together: time is the bubble's for both. It
// stands still while any of them can go on, and then jumps to the next
// deadline, of whichever side. A task may call synctest.Wait, which waits for
// the goroutines, and holds up its loop as long.
//
// The loop is without a kernel (loop.WithoutKernel), so there are no
// descriptors: memory streams stand for connections. Real time does not count,
// and instead of the limit there is one of ten years in the bubble's time. A
// clock of looptest may be given; then only that is the loop's time.
func Bubble(t *testing.T, main func(*loop.Task) error, opts ...loop.Option) {
	t.Helper()
	Config{}.Bubble(t, main, opts...)
}

// Bubble is the function Bubble with the configuration c, whose limit is in
// the time of the bubble.
func (c Config) Bubble(t *testing.T, main func(*loop.Task) error, opts ...loop.Option) {
	t.Helper()
	if err := warm(); err != nil { // outside, since it uses the kernel
		t.Fatalf("the first loop failed: %v", err)
	}
	if c.Limit == 0 {
		c.Limit = bubblePatience
	}
	c.bubble = true
	synctest.Test(t, func(t *testing.T) {
		c.Run(t, main, append([]loop.Option{loop.WithoutKernel()}, opts...)...)
	})
}
