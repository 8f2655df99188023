package loop_test

import (
	"context"
	"testing"

	"github.com/lion-go/lion/loop"
)

// beside runs body on an ordinary goroutine beside an idle loop.
func beside(b *testing.B, body func(l *loop.Loop)) {
	inLoop(b, func(task *loop.Task) {
		l := task.Loop()
		go func() {
			b.ResetTimer()
			body(l)
			b.StopTimer()
			l.CallSoon(func() { task.Unpark(nil) })
		}()
		loop.Park(task, "benchmark", nil)
	})
}

// BenchmarkDo is a call into an idle loop and back.
func BenchmarkDo(b *testing.B) {
	b.ReportAllocs()
	beside(b, func(l *loop.Loop) {
		for range b.N {
			l.Do(context.Background(), nothing)
		}
	})
}

// BenchmarkChannelRoundTrip is what BenchmarkDo is compared with: the same
// with a goroutine that serves a channel.
func BenchmarkChannelRoundTrip(b *testing.B) {
	type request struct{ done chan error }
	requests := make(chan request)
	go func() {
		for r := range requests {
			r.done <- nil
		}
	}()
	r := request{make(chan error, 1)}
	for b.Loop() {
		requests <- r
		<-r.done
	}
	close(requests)
}

// BenchmarkCallSoon is one way, from one goroutine, with calls that come
// together passed on together.
func BenchmarkCallSoon(b *testing.B) {
	b.ReportAllocs()
	fn := func() {}
	beside(b, func(l *loop.Loop) {
		for range b.N {
			for l.CallSoon(fn) != nil {
			}
		}
	})
}
