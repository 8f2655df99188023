package loop_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// Scenarios O, as far as the loop itself goes: readiness of descriptors.

// pair returns a connected pair of stream sockets, closed at the end of main.
func pair(t *testing.T) (a, b sys.FD) {
	t.Helper()
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func closeAll(t *testing.T, fds ...sys.FD) {
	t.Helper()
	for _, fd := range fds {
		if err := sys.Close(fd); err != nil {
			t.Error(err)
		}
	}
}

// drain reads until the descriptor would block.
func drain(t *testing.T, fd sys.FD) {
	t.Helper()
	var buf [4096]byte
	for {
		if _, err := sys.Recv(fd, buf[:], 0); err == sys.WouldBlock {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// clog writes until the descriptor would block.
func clog(t *testing.T, fd sys.FD) {
	t.Helper()
	var buf [4096]byte
	for {
		if _, err := sys.Send(fd, buf[:], 0); err == sys.WouldBlock {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func send(t *testing.T, fd sys.FD, data string) {
	t.Helper()
	if n, err := sys.Send(fd, []byte(data), 0); n != len(data) || err != nil {
		t.Fatalf("sent %d: %v", n, err)
	}
}

// kinds are the two ways to wait: for a registered descriptor and by number.
var kinds = map[string]struct {
	readable, writable func(t *loop.Task, d *loop.Descriptor) error
}{
	"registered": {loop.WaitReadable, loop.WaitWritable},
	"by number": {
		func(t *loop.Task, d *loop.Descriptor) error { return loop.WaitReadableFD(t, d.FD()) },
		func(t *loop.Task, d *loop.Descriptor) error { return loop.WaitWritableFD(t, d.FD()) },
	},
}

func TestS261WaitBasic(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			looptest.Run(t, func(task *loop.Task) error {
				a, b := pair(t)
				da, db := task.Loop().Register(a), task.Loop().Register(b)
				defer closeAll(t, a, b)
				defer da.Forget()
				defer db.Forget()
				looptest.AssertCheckpoint(task, t, func() error { return kind.writable(task, da) })
				for range 3 {
					da.MarkDrained(sys.Readable)
					err := loop.Nurse(task, func(n *loop.Nursery) error {
						woken := false
						n.Spawn(func(t2 *loop.Task) error {
							err := kind.readable(t2, da)
							woken = true
							return err
						})
						settle(task)
						if woken {
							t.Error("readable without data")
						}
						send(t, b, "x")
						return nil
					})
					if err != nil {
						return err
					}
					drain(t, a)
				}
				clog(t, a)
				da.MarkDrained(sys.Writable)
				return loop.Nurse(task, func(n *loop.Nursery) error {
					n.Spawn(func(t2 *loop.Task) error { return kind.writable(t2, da) })
					settle(task)
					drain(t, b)
					return nil
				})
			})
		})
	}
}

func TestS262DoubleWait(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			looptest.Run(t, func(task *loop.Task) error {
				a, b := pair(t)
				d := task.Loop().Register(a)
				defer closeAll(t, a, b)
				defer d.Forget()
				d.MarkDrained(sys.Readable)
				return loop.Nurse(task, func(n *loop.Nursery) error {
					n.Spawn(func(t2 *loop.Task) error { return kind.readable(t2, d) })
					settle(task)
					if err := kind.readable(task, d); !errors.Is(err, loop.ErrBusy) {
						t.Errorf("the second wait returned %v", err)
					}
					send(t, b, "x")
					return nil
				})
			})
		})
	}
}

func TestS263NotifyClosing(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			looptest.Run(t, func(task *loop.Task) error {
				a, b := pair(t)
				defer closeAll(t, a, b)
				clog(t, a)
				d := task.Loop().Register(a)
				d.MarkDrained(sys.Readable | sys.Writable)
				closed := 0
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					for _, wait := range []func(*loop.Task, *loop.Descriptor) error{
						kind.readable, kind.writable,
					} {
						n.Spawn(func(t2 *loop.Task) error {
							if err := wait(t2, d); errors.Is(err, loop.ErrClosed) {
								closed++
							}
							return nil
						})
					}
					settle(task)
					task.Loop().NotifyClosing(a)
					d.Forget()
					d.Forget()
					return nil
				})
				if closed != 2 {
					t.Errorf("%d of 2 waits were closed", closed)
				}
				if err := loop.WaitReadable(task, d); !errors.Is(err, loop.ErrClosed) {
					t.Errorf("a wait afterwards returned %v", err)
				}
				return err
			})
		})
	}
}

func TestS266InvalidDescriptor(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		closeAll(t, a, b)
		for _, fd := range []sys.FD{a, -1} {
			if err := loop.WaitReadableFD(task, fd); err == nil {
				t.Errorf("waiting for descriptor %d returned nothing", fd)
			}
			task.Loop().NotifyClosing(fd)
		}
		return nil
	})
}

func TestS267Statistics(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		before := task.Statistics()
		a, b := pair(t)
		defer closeAll(t, a, b)
		clog(t, a)
		drained := sys.Readable | sys.Writable
		da, db := task.Loop().Register(a), task.Loop().Register(b)
		defer da.Forget()
		defer db.Forget()
		da.MarkDrained(drained)
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error { return loop.WaitReadable(t2, da) })
			n.Spawn(func(t2 *loop.Task) error { return loop.WaitWritable(t2, da) })
			settle(task)
			s := task.Statistics()
			if s.Readers != before.Readers+1 || s.Writers != before.Writers+1 {
				t.Errorf("%d readers, %d writers", s.Readers, s.Writers)
			}
			n.Cancel("enough")
			return nil
		})
		if s := task.Statistics(); s.Readers != before.Readers || s.Writers != before.Writers {
			t.Errorf("%d readers, %d writers at the end", s.Readers, s.Writers)
		}
		return err
	})
}

// A descriptor that is closed behind the loop's back costs nobody else
// anything, and its waits stay cancellable.
func TestS268S270UnnotifiedClose(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		clog(t, a)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error { ignoreClosed(loop.WaitReadableFD(t2, a)); return nil })
			n.Spawn(func(t2 *loop.Task) error { ignoreClosed(loop.WaitWritableFD(t2, a)); return nil })
			settle(task)
			closeAll(t, a)
			settle(task)
			c, d := pair(t)
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(t2 *loop.Task) error { return loop.WaitReadableFD(t2, d) })
				settle(task)
				send(t, c, "x")
				return nil
			})
			n.Cancel("enough")
			task.Loop().NotifyClosing(a)
			closeAll(t, b, c, d)
			return err
		})
	})
}

// ignoreClosed names what may come of a wait for a descriptor that was closed
// without notice: anything.
func ignoreClosed(error) {}

func TestS271HangUpWakesBoth(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		clog(t, a)
		d := task.Loop().Register(a)
		d.MarkDrained(sys.Readable | sys.Writable)
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error { return loop.WaitReadable(t2, d) })
			n.Spawn(func(t2 *loop.Task) error { return loop.WaitWritable(t2, d) })
			settle(task)
			closeAll(t, b)
			return nil
		})
		if !d.Unusual() {
			t.Error("the hang-up was not noted")
		}
		d.Forget()
		closeAll(t, a)
		return err
	})
}

// An event of a closed descriptor whose number was used again wakes nobody.
func TestS274StaleEvent(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		old := task.Loop().Register(a)
		old.MarkDrained(sys.Readable)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				err := loop.WaitReadable(t2, old)
				if !errors.Is(err, loop.ErrClosed) {
					t.Errorf("the wait returned %v", err)
				}
				return nil
			})
			settle(task)
			send(t, b, "x") // the event is on its way
			old.Forget()
			closeAll(t, a, b)
			c, d := pair(t) // the same numbers, as a rule
			fresh := task.Loop().Register(c)
			fresh.MarkDrained(sys.Readable)
			woken := false
			n.Spawn(func(t2 *loop.Task) error {
				err := loop.WaitReadable(t2, fresh)
				woken = true
				return err
			})
			settle(task)
			if woken {
				t.Error("a stale event woke the new descriptor")
			}
			send(t, d, "y")
			for !woken { // the event may take its time
				if err := loop.Checkpoint(task); err != nil {
					return err
				}
			}
			fresh.Forget()
			closeAll(t, c, d)
			return nil
		})
	})
}

// readyFunc is a function as a callback.
type readyFunc func(error)

func (f readyFunc) Ready(err error) { f(err) }

// An event may come out of the kernel together with the one whose callback closes
// its descriptor. It does not reach whatever takes the place of that one.
func TestS274StaleEventOfTheSameBatch(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		silent, other := pair(t)
		defer closeAll(t, silent, other)
		var idle [2]*loop.Descriptor
		var fresh *loop.Descriptor
		for i := range idle {
			a, b := pair(t)
			defer closeAll(t, a, b)
			idle[i] = l.Register(a)
			idle[i].MarkDrained(sys.Readable)
			want(t, "going idle", idle[i].NotifyReadable(readyFunc(func(err error) {
				if err != nil {
					return // the other one came first
				}
				idle[1-i].Forget()
				fresh = l.Register(silent)
				fresh.MarkDrained(sys.Readable)
				want(t, "the new one", fresh.NotifyReadable(readyFunc(func(err error) {
					if !errors.Is(err, loop.ErrClosed) {
						t.Error("an event of another descriptor")
					}
				})), nil)
				idle[i].Forget()
			})), nil)
			send(t, b, "x")
		}
		for fresh == nil {
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
		defer fresh.Forget()
		return loop.Yield(task)
	})
}

func TestS275DataLeftUnread(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		defer closeAll(t, a, b)
		send(t, b, "x")
		d := task.Loop().Register(a)
		defer d.Forget()
		for range 3 {
			if err := loop.WaitReadable(task, d); err != nil {
				return err
			}
			if err := loop.WaitReadableFD(task, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// readyOnce counts its calls.
type readyOnce struct {
	calls int
	err   error
	task  *loop.Task
}

func (r *readyOnce) Ready(err error) { r.calls++; r.err = err; r.task.Unpark(nil) }

func TestNotifyReadable(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		defer closeAll(t, a, b)
		d := task.Loop().Register(a)
		r := &readyOnce{task: task}
		if err := d.NotifyReadable(r); !errors.Is(err, loop.ErrWouldBlock) {
			t.Errorf("a descriptor that may have data went idle: %v", err)
		}
		d.MarkDrained(sys.Readable)
		if err := d.NotifyReadable(r); err != nil {
			return err
		}
		if err := d.NotifyReadable(r); !errors.Is(err, loop.ErrBusy) {
			t.Errorf("a second callback was accepted: %v", err)
		}
		if err := loop.WaitReadable(task, d); !errors.Is(err, loop.ErrBusy) {
			t.Errorf("a task may wait beside a callback: %v", err)
		}
		send(t, b, "x")
		if err := loop.Park(task, "test", nil); err != nil || r.calls != 1 || r.err != nil {
			t.Errorf("%d calls with %v, Park returned %v", r.calls, r.err, err)
		}
		drain(t, a)
		d.MarkDrained(sys.Readable)
		if err := d.NotifyReadable(r); err != nil || !d.CancelNotify() || d.CancelNotify() {
			t.Errorf("taking the callback back did not work: %v", err)
		}
		if err := d.NotifyReadable(r); err != nil {
			return err
		}
		d.Forget()
		if r.calls != 2 || !errors.Is(r.err, loop.ErrClosed) {
			t.Errorf("forgotten: %d calls with %v", r.calls, r.err)
		}
		return nil
	})
}

// A wait and its event allocate nothing.
func TestWaitAllocatesNothing(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		defer closeAll(t, a, b)
		d := task.Loop().Register(a)
		defer d.Forget()
		var buf [16]byte
		byteToSend := []byte{1}
		allocs := testing.AllocsPerRun(1000, func() {
			d.MarkDrained(sys.Readable)
			sys.Send(b, byteToSend, 0)
			if err := loop.WaitReadable(task, d); err != nil {
				t.Error(err)
			}
			sys.Recv(a, buf[:], 0)
		})
		if allocs != 0 {
			t.Errorf("%v allocations for a wait", allocs)
		}
		return nil
	})
}
