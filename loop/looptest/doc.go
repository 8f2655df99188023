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
// What there is, by what it answers:
//
//   - Does it fail, hang or leak? Run, RunErr, Config; AssertError for trees of
//     errors.
//   - What does it do in an hour? Clock; WaitAllTasksBlocked, to let others
//     come to where they wait.
//   - In every order? Schedules for small programs, Seeds for others; Replays,
//     Trace. In one certain order? Sequencer.
//   - Whenever it is cancelled? CancelEverywhere; is it a checkpoint?
//     AssertCheckpoint, AssertNoCheckpoint.
//   - However bytes are cut, and wherever they stop? EachSplit, EachBreak,
//     Sabotage. Is it a Stream at all? TestStream, TestOneWay.
//   - Together with goroutines? Bubble. On every kernel? EachKernel.
//
// docs/testing.md shows them at work.
//
// A test made with Run takes nothing from other tests and leaves nothing
// behind; so it must not run in parallel with tests that open descriptors or
// start goroutines.
package looptest
