package loop_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// failures collects what a supervision reports.
type failures struct {
	errs   []error
	delays []time.Duration
	rows   []int
}

func (f *failures) add(x loop.Failure) {
	f.errs = append(f.errs, x.Err)
	f.delays = append(f.delays, x.Delay)
	f.rows = append(f.rows, x.Restart)
}

// S436: a child is run again, after pauses that double up to a bound; when it
// has failed too often in a row the last error comes out, and the others have
// been reported: none is lost.
func TestS436RestartGivesUp(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		var heard failures
		var all []error
		sibling := error(nil)
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				sibling = loop.SleepForever(task)
				return sibling
			})
			return n.Spawn(func(*loop.Task) error {
				all = append(all, fmt.Errorf("failure %d", len(all)))
				return all[len(all)-1]
			})
		}, loop.WithRestart(loop.Restart{
			Delay: time.Second, DelayMax: 5 * time.Second, Limit: 4, Report: heard.add,
		}))
		if len(all) != 5 || !slices.Equal(heard.errs, all[:4]) || !errors.Is(err, all[4]) {
			t.Errorf("failed with %v, reported %v, returned %v", all, heard.errs, err)
		}
		pauses := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second}
		if !slices.Equal(heard.delays, pauses) || clock.Elapsed() != 12*time.Second {
			t.Errorf("pauses %v, %v in all", heard.delays, clock.Elapsed())
		}
		want(t, "the sibling", sibling, loop.Cancelled)
		if errors.Is(err, loop.Cancelled) {
			t.Errorf("a Cancelled was invented: %v", err)
		}
		return nil
	})
}

// A run that has lasted long enough ends the row of restarts; a child that
// ends well is not run again, and its siblings never notice.
func TestRestartResetsAfterHealthyRun(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		var heard failures
		lasts := []time.Duration{0, 0, 9 * time.Second, 10 * time.Second, 0}
		run := 0
		var h *loop.Handle[string]
		err := loop.Nurse(task, func(n *loop.Nursery) (err error) {
			n.Spawn(func(task *loop.Task) error { return loop.Sleep(task, time.Hour) })
			h, err = loop.Go(n, func(task *loop.Task) (string, error) {
				if run == len(lasts) {
					return "well", nil
				}
				run++
				return "ill", errors.Join(loop.Sleep(task, lasts[run-1]), errKey)
			})
			return err
		}, loop.WithRestart(loop.Restart{
			Delay: time.Second, Limit: 3, Healthy: 10 * time.Second, Report: heard.add,
		}))
		want(t, "the nursery", err, nil)
		if !slices.Equal(heard.rows, []int{1, 2, 3, 1, 2}) {
			t.Errorf("restarts in a row: %v", heard.rows)
		}
		if v, err := h.Result(); v != "well" || err != nil {
			t.Errorf("the handle holds %q, %v", v, err)
		}
		return nil
	})
}

// Each run is a new task: what the earlier one owned is broken when it begins.
func TestRestartIsANewTask(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		local := loop.NewLocal("test", 0)
		set(task, local, 1)
		var lots [2]loop.ParkingLot
		var tasks []*loop.Task
		return loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(task *loop.Task) error {
				if len(tasks) == len(lots) {
					wantTrue(t, "the lots are broken", len(lots[0].BrokenBy())+len(lots[1].BrokenBy()) == 2)
					return nil
				}
				if get(task, local) != 1 || task.Name() != "service" || task.Parent().Name() != "service" {
					t.Errorf("%s below %s with %d", task.Name(), task.Parent().Name(), get(task, local))
				}
				set(task, local, 2)
				task.AddBreak(&lots[len(tasks)])
				tasks = append(tasks, task)
				return errKey
			}, loop.WithTaskName("service"))
		}, loop.WithRestart(loop.Restart{Report: func(loop.Failure) {}}))
	})
}

// Cancellation ends a run, and a pause between two, and starts nothing anew.
func TestRestartIsCancelled(t *testing.T) {
	for _, when := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond} {
		virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
			runs := 0
			err := loop.FailAfter(task, when, func(*loop.Scope) error {
				return loop.Nurse(task, func(n *loop.Nursery) error {
					return n.Spawn(func(task *loop.Task) error {
						runs++
						return errors.Join(loop.Sleep(task, time.Second), errKey)
					})
				}, loop.WithRestart(loop.Restart{Delay: time.Hour, DelayMax: time.Hour, Report: func(loop.Failure) {}}))
			})
			switch {
			case when < time.Second && !errors.Is(err, errKey):
				t.Errorf("cancelled in a run: %v", err) // its clean-up has failed
			case when > time.Second && err != loop.ErrTimeout:
				t.Errorf("cancelled in a pause: %v", err)
			}
			if runs != 1 || clock.Elapsed() != when {
				t.Errorf("%d runs, %v", runs, clock.Elapsed())
			}
			return nil
		})
	}
}

// A panic is reported and answered by a restart; a Goexit cancels all.
func TestRestartAfterPanicAndGoexit(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		var heard failures
		runs := 0
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(*loop.Task) error {
				if runs++; runs == 1 {
					panic("ouch")
				}
				runtime.Goexit()
				return nil
			})
		}, loop.WithRestart(loop.Restart{Report: heard.add}))
		var p *loop.PanicError
		if len(heard.errs) != 1 || !errors.As(heard.errs[0], &p) || p.Value != "ouch" {
			t.Errorf("reported %v", heard.errs)
		}
		if runs != 2 || !errors.As(err, &p) || !p.Goexit {
			t.Errorf("%d runs, returned %v", runs, err)
		}
		return nil
	})
}

// A task that Start has handed over is not run again.
func TestStartedTaskIsNotRestarted(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			_, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
				started(nil)
				return errKey
			})
			want(t, "Start", err, nil)
			return loop.SleepForever(task)
		}, loop.WithRestart(loop.Restart{Report: func(f loop.Failure) { t.Errorf("reported %v", f) }}))
		want(t, "the nursery", err, errKey)
		return nil
	})
}

// With keep going each failure is reported once, panics too, and the siblings
// live on.
func TestKeepGoingReports(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		var heard []error
		var names notes
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				settled(task, t)
				if s := n.Statistics(); s.Survived != 2 || s.Errors != 0 || s.Children != 2 {
					t.Errorf("statistics %+v", s)
				}
				return nil
			})
			n.Spawn(func(task *loop.Task) error { return loop.Sleep(task, time.Minute) })
			n.Spawn(failing(errKey), loop.WithTaskName("a"))
			n.Spawn(func(*loop.Task) error { panic(errValue) }, loop.WithTaskName("b"))
			return nil
		}, loop.WithKeepGoing(func(task *loop.Task, err error) {
			wantTrue(t, "the task has ended", task.Ended())
			names.add(task.Name())
			heard = append(heard, err)
		}))
		if err != nil || len(heard) != 2 || clock.Elapsed() != time.Minute {
			t.Errorf("returned %v after %v, heard %v", err, clock.Elapsed(), heard)
		}
		joined := errors.Join(heard...)
		wantTrue(t, "both were heard", errors.Is(joined, errKey) && errors.Is(joined, errValue))
		names.wantAnyOrder(t, "a", "b")
		return nil
	})
}

// Without a function to report to, errors stay in the tree, up to a bound: one
// more, or a panic, cancels all.
func TestKeepGoingCollects(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		fails := func(children int, also func(*loop.Task) error) (err, sibling error) {
			err = loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(task *loop.Task) error {
					sibling = loop.Sleep(task, time.Minute)
					return sibling
				})
				for range children {
					n.Spawn(failing(errKey))
				}
				return n.Spawn(also)
			}, loop.WithKeepGoing(nil))
			return err, sibling
		}
		size := func(err error) int { return len(err.(*loop.Group).Unwrap()) }
		if err, sibling := fails(loop.KeepGoingMax, nothing); size(err) != loop.KeepGoingMax || sibling != nil {
			t.Errorf("at the bound: %d errors, the sibling: %v", size(err), sibling)
		}
		if err, sibling := fails(loop.KeepGoingMax, failing(errValue)); size(err) != loop.KeepGoingMax+1 ||
			!errors.Is(sibling, loop.Cancelled) {
			t.Errorf("beyond the bound: %d errors, the sibling: %v", size(err), sibling)
		}
		err, sibling := fails(1, func(*loop.Task) error { panic("ouch") })
		if size(err) != 2 || !errors.Is(sibling, loop.Cancelled) {
			t.Errorf("with a panic: %v, the sibling: %v", err, sibling)
		}
		return nil
	})
}

// What cancels a nursery that keeps going: a Goexit, a report that panics, an
// error of the body; and cancellation is not reported as a failure.
func TestKeepGoingEnds(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		hears := func(task *loop.Task, err error) {
			if !errors.Is(err, errKey) {
				t.Errorf("heard %v", err)
			}
			panic("cannot report")
		}
		bodies := map[string]func(*loop.Nursery) error{
			"Goexit":           func(n *loop.Nursery) error { return n.Spawn(func(*loop.Task) error { runtime.Goexit(); return nil }) },
			"panicking report": func(n *loop.Nursery) error { return n.Spawn(failing(errKey)) },
			"body":             func(*loop.Nursery) error { return errValue },
			"cancel":           func(n *loop.Nursery) error { return n.Cancel("enough") },
		}
		for name, body := range bodies {
			var sibling error
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(task *loop.Task) error {
					sibling = loop.SleepForever(task)
					return sibling
				})
				return body(n)
			}, loop.WithKeepGoing(hears))
			if !errors.Is(sibling, loop.Cancelled) || (err == nil) != (name == "cancel") {
				t.Errorf("%s: the sibling: %v; returned %v", name, sibling, err)
			}
			if name == "panicking report" && !errors.Is(err, errKey) {
				t.Errorf("%s: the error itself is lost: %v", name, err)
			}
		}
		return nil
	})
}

func TestSupervisionMisuse(t *testing.T) {
	hear := func(loop.Failure) {}
	looptest.Run(t, func(task *loop.Task) error {
		options := map[string][]loop.NurseryOption{
			"nobody hears":     {loop.WithRestart(loop.Restart{})},
			"negative delay":   {loop.WithRestart(loop.Restart{Delay: -1, Report: hear})},
			"negative limit":   {loop.WithRestart(loop.Restart{Limit: -1, Report: hear})},
			"shrinking delays": {loop.WithRestart(loop.Restart{Delay: 2, DelayMax: 1, Report: hear})},
			"two supervisions": {loop.WithKeepGoing(nil), loop.WithRestart(loop.Restart{Report: hear})},
		}
		for name, opts := range options {
			err := loop.Nurse(task, func(*loop.Nursery) error { t.Errorf("%s: it opened", name); return nil }, opts...)
			want(t, name, err, loop.ErrMisuse)
		}
		return nil
	})
}

func ExampleWithRestart() {
	attempts := 0
	service := func(*loop.Task) error {
		if attempts++; attempts < 3 {
			return errors.New("no connection")
		}
		return nil
	}
	loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			return n.Spawn(service, loop.WithTaskName("service"))
		}, loop.WithRestart(loop.Restart{
			Delay:  time.Millisecond,
			Report: func(f loop.Failure) { fmt.Println(f.Name, f.Err, "- again in", f.Delay) },
		}))
	})
	// Output:
	// service no connection - again in 1ms
	// service no connection - again in 2ms
}

func ExampleWithKeepGoing() {
	err := loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(func(*loop.Task) error { return errors.New("bad request") })
			return n.Spawn(func(t *loop.Task) error { return loop.Sleep(t, time.Millisecond) })
		}, loop.WithKeepGoing(func(_ *loop.Task, err error) { fmt.Println("heard:", err) }))
	})
	fmt.Println(err)
	// Output:
	// heard: bad request
	// <nil>
}

// S435: services that the work relies on, and its clean-up too, live in a
// nursery around that of the work, which cancels them when the work is done.
func TestS435ServicesOutliveTheWork(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		served := 0
		service := func(task *loop.Task) error {
			for {
				if err := loop.Sleep(task, time.Second); err != nil {
					return err
				}
				served++
			}
		}
		err := loop.Nurse(task, func(services *loop.Nursery) error {
			services.Spawn(service)
			err := loop.Nurse(task, func(work *loop.Nursery) error {
				work.Spawn(func(task *loop.Task) error {
					err := loop.SleepForever(task)
					cleanup := loop.Shield(task, func(*loop.Scope) error {
						return loop.Sleep(task, 5*time.Second) // and is served meanwhile
					})
					return errors.Join(err, cleanup)
				})
				return work.Spawn(func(task *loop.Task) error {
					return errors.Join(loop.Sleep(task, 2500*time.Millisecond), errKey)
				})
			})
			services.Cancel("the work is done")
			return err
		})
		want(t, "the work", err, errKey)
		if served != 7 || clock.Elapsed() != 7500*time.Millisecond {
			t.Errorf("served %d times in %v", served, clock.Elapsed())
		}
		return nil
	})
}

// Whenever it is cancelled, a nursery with restarts ends, reports each failure
// that it answers, and returns each that it does not.
func TestSupervisionCancelledAnywhere(t *testing.T) {
	moments := looptest.CancelEverywhere(t, func(task *loop.Task) error {
		failed, reported := 0, 0
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			for range 2 {
				runs := 0
				n.Spawn(func(task *loop.Task) error {
					if runs++; runs > 3 {
						return nil
					}
					if err := loop.Sleep(task, time.Second); err != nil {
						return err
					}
					failed++
					return errKey
				})
			}
			return nil
		}, loop.WithRestart(loop.Restart{Report: func(loop.Failure) { reported++ }}))
		returned := 0
		if g, ok := err.(*loop.Group); ok {
			for _, err := range g.Unwrap() {
				if errors.Is(err, errKey) {
					returned++
				}
			}
		}
		if failed != reported+returned {
			t.Errorf("%d failures, %d reported, %d returned: %v", failed, reported, returned, err)
		}
		if errors.Is(err, errKey) {
			return loop.CheckpointIfCancelled(task)
		}
		return err
	})
	if moments < 20 {
		t.Errorf("cancelled at %d moments only", moments)
	}
}

// A Goexit further down, in a nursery of the child, counts as one of the child.
func TestGoexitBelowIsNotRestarted(t *testing.T) {
	for name, supervision := range map[string]loop.NurseryOption{
		"restart":    loop.WithRestart(loop.Restart{Report: func(f loop.Failure) { t.Errorf("reported %v", f) }}),
		"keep going": loop.WithKeepGoing(func(_ *loop.Task, err error) { t.Errorf("reported %v", err) }),
	} {
		virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				return n.Spawn(func(task *loop.Task) error {
					err := loop.Nurse(task, func(n *loop.Nursery) error {
						return n.Spawn(func(*loop.Task) error { runtime.Goexit(); return nil })
					})
					return fmt.Errorf("below: %w", err)
				})
			}, supervision)
			var p *loop.PanicError
			if !errors.As(err, &p) || !p.Goexit {
				t.Errorf("%s: returned %v", name, err)
			}
			return nil
		})
	}
}
