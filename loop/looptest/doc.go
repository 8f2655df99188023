// Package looptest helps to test code that runs in tasks: loops that cannot
// hang or leak unnoticed, time that a test moves itself, schedules that are
// replayed from a seed, and comparisons of error trees.
//
//	func TestRetry(t *testing.T) {
//		clock := looptest.NewAutojumpClock()
//		looptest.Run(t, func(task *loop.Task) error {
//			return retry(task) // sleeps for minutes; takes no time
//		}, loop.WithClock(clock))
//		if clock.Elapsed() != 3*time.Minute {
//			t.Errorf("gave up after %v", clock.Elapsed())
//		}
//	}
//
// A test made with Run takes nothing from other tests and leaves nothing
// behind; so it must not run in parallel with tests that open descriptors or
// start goroutines.
package looptest
