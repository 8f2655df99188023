package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

func TestS029ThreeYieldsUnderCancel(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		before := task.Statistics()
		want(t, "not cancelled", loop.CheckpointIfCancelled(task), nil)
		if after := task.Statistics(); after.SchedulePoints != before.SchedulePoints {
			t.Error("a cancel point without a cancellation was a schedule point")
		}
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("now")
			want(t, "CheckpointIfCancelled", loop.CheckpointIfCancelled(task), loop.Cancelled)
			want(t, "Checkpoint", loop.Checkpoint(task), loop.Cancelled)
			want(t, "SleepForever", loop.SleepForever(task), loop.Cancelled)
			want(t, "ShieldedCheckpoint", loop.ShieldedCheckpoint(task), nil)
			want(t, "ShieldedCheckpoint again", loop.ShieldedCheckpoint(task), nil)
			err := loop.Checkpoint(task)
			want(t, "Checkpoint again", err, loop.Cancelled)
			return err
		})
	})
}

// A deadline that passed before a checkpoint is seen by this very checkpoint,
// with a virtual clock and with the system's.
func TestS030DeadlineSeenByThisCheckpoint(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
			want(t, "in time", loop.Checkpoint(task), nil)
			clock.Advance(time.Second)
			err := loop.Checkpoint(task)
			want(t, "at the deadline", err, loop.Cancelled)
			return err
		})
	})
	looptest.Run(t, func(task *loop.Task) error {
		return loop.MoveOnAfter(task, time.Microsecond, func(s *loop.Scope) error {
			for began := time.Now(); time.Since(began) < time.Millisecond; {
			}
			err := loop.Checkpoint(task)
			want(t, "long after the deadline", err, loop.Cancelled)
			return err
		})
	})
}

// If the clock moves during the checkpoint, that counts too: the cancel check
// comes last.
func TestCheckpointLooksLast(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
			task.Loop().CallSoon(func() { clock.Advance(time.Second) })
			err := loop.Checkpoint(task)
			want(t, "the checkpoint", err, loop.Cancelled)
			return err
		})
	})
}

// S031: whoever is answered Cancelled has let the others run. In which order
// the two take their turns is drawn by lot, so it takes two calls to be sure.
func TestS031CancelledYields(t *testing.T) {
	points := map[string]func(*loop.Task) error{
		"CheckpointIfCancelled": loop.CheckpointIfCancelled,
		"Checkpoint":            loop.Checkpoint,
		"Sleep":                 func(t *loop.Task) error { return loop.Sleep(t, time.Hour) },
		"SleepForever":          loop.SleepForever,
	}
	for name, point := range points {
		looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
			ran := false
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(*loop.Task) error { ran = true; return nil })
				return loop.Scoped(task, func(s *loop.Scope) error {
					s.Cancel("now")
					want(t, name, point(task), loop.Cancelled)
					err := point(task)
					want(t, name, err, loop.Cancelled)
					wantTrue(t, name+" let the other run", ran)
					return err
				})
			})
		})
	}
}

func TestS032SleepZero(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		err := looptest.AssertCheckpoint(task, t, func() error { return loop.Sleep(task, 0) })
		want(t, "Sleep(0)", err, nil)
		return loop.MoveOnAt(task, task.Now(), func(*loop.Scope) error {
			err := loop.Sleep(task, 0)
			want(t, "Sleep(0) at the deadline", err, loop.Cancelled)
			return err
		})
	})
}

// primitive is an async-coloured function of the package. Its state has been
// prepared so that it succeeds without waiting for another task.
type primitive struct {
	name string
	run  func(task *loop.Task) error
}

// primitives are those that a cancellation ends before they begin.
func primitives(lot *loop.ParkingLot, ready sys.FD) []primitive {
	agree := loop.AbortFunc(func(loop.Wait) bool { return true })
	soon := func(task *loop.Task, fn func()) { task.Loop().CallSoon(fn) }
	return []primitive{
		{"Checkpoint", loop.Checkpoint},
		{"Sleep 0", func(t *loop.Task) error { return loop.Sleep(t, 0) }},
		{"Sleep", func(t *loop.Task) error { return loop.Sleep(t, time.Second) }},
		{"SleepUntil past", func(t *loop.Task) error { return loop.SleepUntil(t, looptest.Epoch) }},
		{"SleepUntil", func(t *loop.Task) error { return loop.SleepUntil(t, t.Now().Add(1)) }},
		{"Park", func(t *loop.Task) error {
			soon(t, func() { t.Unpark(nil) })
			return loop.Park(t, "test", agree)
		}},
		{"ParkingLot.Park", func(t *loop.Task) error {
			soon(t, func() { lot.UnparkAll() })
			return lot.Park(t, "test")
		}},
		{"ParkingLot.ParkWith", func(t *loop.Task) error {
			soon(t, func() { lot.UnparkAll() })
			return lot.ParkWith(t, "test", agree)
		}},
		{"WaitAllTasksBlocked", func(t *loop.Task) error { return loop.WaitAllTasksBlocked(t, 0) }},
		{"WaitReadableFD", func(t *loop.Task) error { return loop.WaitReadableFD(t, ready) }},
		{"WaitWritableFD", func(t *loop.Task) error { return loop.WaitWritableFD(t, ready) }},
		{"WaitReadable", func(t *loop.Task) error {
			d := t.Loop().Register(ready)
			defer d.Forget()
			return loop.WaitReadable(t, d)
		}},
		{"WaitWritable", func(t *loop.Task) error {
			d := t.Loop().Register(ready)
			defer d.Forget()
			d.MarkDrained(sys.Writable)
			return loop.WaitWritable(t, d)
		}},
	}
}

// readyPair returns a socket that is readable and writable.
func readyPair(t *testing.T) sys.FD {
	t.Helper()
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.Close(a); sys.Close(b) })
	if _, err := sys.Send(b, []byte("ready"), 0); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestS033PrimitiveMatrixSuccess(t *testing.T) {
	ready := readyPair(t)
	var lot loop.ParkingLot
	for _, p := range primitives(&lot, ready) {
		t.Run(p.name, func(t *testing.T) {
			virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
				return looptest.AssertCheckpoint(task, t, func() error { return p.run(task) })
			})
		})
	}
}

// S034: under a cancellation each answers Cancelled, and nothing happened.
func TestS034PrimitiveMatrixCancelled(t *testing.T) {
	ready := readyPair(t)
	var lot loop.ParkingLot
	all := append(primitives(&lot, ready),
		primitive{"CheckpointIfCancelled", loop.CheckpointIfCancelled},
		primitive{"SleepForever", loop.SleepForever})
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
				err := loop.Scoped(task, func(s *loop.Scope) error {
					s.Cancel("first")
					return looptest.AssertCheckpoint(task, t, func() error {
						err := p.run(task)
						want(t, p.name, err, loop.Cancelled)
						return err
					})
				})
				if s := task.Statistics(); s.Timers+s.Readers+s.Writers+s.Descriptors+lot.Len() != 0 {
					t.Errorf("it left something behind: %+v, %d in the lot", s, lot.Len())
				}
				if clock.Elapsed() != 0 {
					t.Errorf("it took %v", clock.Elapsed())
				}
				if err := loop.Checkpoint(task); err != nil {
					t.Errorf("after the scope: %v", err)
				}
				return err
			})
		})
	}
}

// A cancellation that arrives while a primitive waits ends the wait, and
// leaves nothing behind.
func TestS034PrimitiveMatrixCancelledWaiting(t *testing.T) {
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(a)
	defer sys.Close(b)
	var lot loop.ParkingLot
	waits := []primitive{
		{"SleepForever", loop.SleepForever},
		{"Sleep", func(t *loop.Task) error { return loop.Sleep(t, time.Hour) }},
		{"Park", func(t *loop.Task) error {
			return loop.Park(t, "test", loop.AbortFunc(func(loop.Wait) bool { return true }))
		}},
		{"ParkingLot.Park", func(t *loop.Task) error { return lot.Park(t, "test") }},
		{"WaitReadableFD", func(t *loop.Task) error { return loop.WaitReadableFD(t, a) }},
	}
	for _, p := range waits {
		t.Run(p.name, func(t *testing.T) {
			looptest.Run(t, func(task *loop.Task) error {
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					n.Spawn(func(task *loop.Task) error {
						err := p.run(task)
						want(t, p.name, err, loop.Cancelled)
						return err
					})
					settled(task, t)
					return n.Cancel("now")
				})
				if s := task.Statistics(); s.Timers+s.Readers+s.Descriptors+lot.Len() != 0 {
					t.Errorf("it left something behind: %+v, %d in the lot", s, lot.Len())
				}
				return err
			})
		})
	}
}

func TestS035SyncFunctionsNeverCheckpoint(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l, lot := task.Loop(), loop.ParkingLot{}
		local := loop.NewLocal("local", 0)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { return lot.Park(task, "test") })
			settled(task, t)
			parked := lot.Tasks()[0]
			err := looptest.AssertNoCheckpoint(task, t, func() error {
				scope, err := loop.NewScope(l, loop.WithTimeout(time.Hour), loop.WithShield())
				scope.Cancel("now")
				scope.SetShield(false)
				scope.SetTimeout(time.Minute)
				scope.ClearDeadline()
				lot.UnparkOne()
				want(t, "a second wake-up", parked.Unpark(nil), loop.ErrNotParked)
				task.SetLocals(local.With(task.Locals(), 1))
				_ = local.From(task.Locals())
				n.Spawn(nothing)
				l.SpawnSystem(nothing)
				l.CallSoon(func() {})
				_, _, _ = task.Now(), task.Name(), task.Context()
				_, _ = task.Deadline()
				_ = l.Tasks()
				return err
			})
			return err
		})
	})
}

// S036: what is sync-coloured does not care about cancellation.
func TestS036SyncUnaffectedByCancel(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var lot loop.ParkingLot
		called, ran := false, false
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { return lot.Park(task, "test") })
			settled(task, t)
			return loop.Scoped(task, func(s *loop.Scope) error {
				s.Cancel("first")
				wantTrue(t, "a task is woken", lot.UnparkOne() != nil)
				want(t, "spawning", n.Spawn(func(*loop.Task) error { ran = true; return nil }), nil)
				want(t, "calling", task.Loop().CallSoon(func() { called = true }), nil)
				return nil
			})
		})
		wantTrue(t, "the call was made", called)
		wantTrue(t, "the child ran", ran)
		return err
	})
}

// Leaving a nursery is a schedule point, and never a cancel point.
func TestNurseryExitIsASchedulePoint(t *testing.T) {
	children := map[string]func(*loop.Nursery) error{
		"without children": func(*loop.Nursery) error { return nil },
		"with a child":     func(n *loop.Nursery) error { return n.Spawn(nothing) },
	}
	for name, body := range children {
		looptest.Run(t, func(task *loop.Task) error {
			before := task.Statistics()
			err := loop.Nurse(task, body)
			after := task.Statistics()
			if after.CancelPoints != before.CancelPoints || after.SchedulePoints == before.SchedulePoints {
				t.Errorf("%s: %d cancel points, %d schedule points", name,
					after.CancelPoints-before.CancelPoints, after.SchedulePoints-before.SchedulePoints)
			}
			return err
		})
		looptest.Run(t, func(task *loop.Task) error {
			return loop.Scoped(task, func(s *loop.Scope) error {
				s.Cancel("first")
				err := loop.Nurse(task, body)
				want(t, name+", cancelled", err, nil)
				return err
			})
		})
	}
}

// Waiting with a wrong argument is refused, even when cancelled, and is not a
// checkpoint.
func TestS074SleepValidation(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		inside := func(*loop.Scope) error { t.Error("the body ran"); return nil }
		refused := map[string]func() error{
			"Sleep":               func() error { return loop.Sleep(task, -1) },
			"FailAfter":           func() error { return loop.FailAfter(task, -1, inside) },
			"MoveOnAfter":         func() error { return loop.MoveOnAfter(task, -1, inside) },
			"WithTimeout":         func() error { return loop.Scoped(task, inside, loop.WithTimeout(-1)) },
			"WaitAllTasksBlocked": func() error { return loop.WaitAllTasksBlocked(task, -1) },
		}
		for name, fn := range refused {
			want(t, name, looptest.AssertNoCheckpoint(task, t, fn), loop.ErrMisuse)
		}
		want(t, "a deadline in year 1", loop.MoveOnAt(task, time.Time{}, func(s *loop.Scope) error {
			return loop.Checkpoint(task)
		}), nil)
		want(t, "SleepUntil year 1", loop.SleepUntil(task, time.Time{}), nil)
		return nil
	})
}

// Durations and times at the ends of their ranges do not wrap around.
func TestExtremeTimes(t *testing.T) {
	const longest = time.Duration(1<<63 - 1)
	looptest.Run(t, func(task *loop.Task) error {
		waits := map[string]func(*loop.Task) error{
			"Sleep":      func(t *loop.Task) error { return loop.Sleep(t, longest) },
			"SleepUntil": func(t *loop.Task) error { return loop.SleepUntil(t, time.Unix(1<<40, 0)) },
			"MoveOnAfter": func(t *loop.Task) error {
				return loop.MoveOnAfter(t, longest, func(*loop.Scope) error { return loop.SleepForever(t) })
			},
			"MoveOnAt": func(t *loop.Task) error {
				return loop.MoveOnAt(t, time.Unix(1<<40, 0), func(*loop.Scope) error {
					return loop.SleepForever(t)
				})
			},
		}
		for name, wait := range waits {
			err := loop.MoveOnAfter(task, time.Millisecond, func(s *loop.Scope) error {
				err := wait(task)
				want(t, name, err, loop.Cancelled)
				return err
			})
			if err != nil {
				return err
			}
		}
		err := loop.FailAfter(task, 1, func(*loop.Scope) error { return loop.SleepForever(task) })
		wantTrue(t, "a nanosecond ends", errors.Is(err, loop.ErrTimeout))
		return nil
	})
}

// Yield ends the turn of a task that has budget left.
func TestYield(t *testing.T) {
	looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
		before := task.Statistics().Turns
		for range 10 {
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
		if turns := task.Statistics().Turns - before; turns != 10 {
			t.Errorf("10 calls of Yield took %d turns", turns)
		}
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("test")
			err := loop.Yield(task)
			want(t, "Yield in a cancelled scope", err, loop.Cancelled)
			return err
		})
	})
}
