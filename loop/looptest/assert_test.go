package looptest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lion-go/lion/loop"
)

// halves are the ways to pass no, half a or a whole checkpoint.
var halves = []struct {
	name       string
	fn         func(t *loop.Task) error
	full, none bool
}{
	{"computation", func(*loop.Task) error { return nil }, false, true},
	{"cancel point", loop.CheckpointIfCancelled, false, false},
	{"schedule point", loop.ShieldedCheckpoint, false, false},
	{"checkpoint", loop.Checkpoint, true, false},
	{"both halves", func(t *loop.Task) error {
		if err := loop.CheckpointIfCancelled(t); err != nil {
			return err
		}
		return loop.ShieldedCheckpoint(t)
	}, true, false},
}

func TestS026S027AssertCheckpoint(t *testing.T) {
	for _, half := range halves {
		r := record(func(r *recorder) {
			Run(r, func(task *loop.Task) error {
				return AssertCheckpoint(task, r, func() error { return half.fn(task) })
			})
		})
		if r.failed == half.full {
			t.Errorf("%s: failed = %v\n%s", half.name, r.failed, r.text())
		}
	}
}

func TestS028AssertNoCheckpoint(t *testing.T) {
	for _, half := range halves {
		r := record(func(r *recorder) {
			Run(r, func(task *loop.Task) error {
				return AssertNoCheckpoint(task, r, func() error { return half.fn(task) })
			})
		})
		if r.failed == half.none {
			t.Errorf("%s: failed = %v\n%s", half.name, r.failed, r.text())
		}
	}
}

// groupOf makes the group that a nursery makes of errs.
func groupOf(t *testing.T, errs ...error) error {
	return RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for _, err := range errs {
				n.Spawn(func(*loop.Task) error { return err })
			}
			return nil
		})
	})
}

func TestAssertError(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	wrapped := fmt.Errorf("wrapped: %w", a)
	ab := groupOf(t, a, b)
	cases := []struct {
		got, want error
		ok        bool
	}{
		{nil, nil, true}, {a, nil, false}, {nil, a, false}, {a, a, true},
		{wrapped, a, false}, {wrapped, Matching(a), true}, {ab, Matching(a), false},
		{ab, Group(a, b), true}, {ab, Group(b, a), true}, {ab, Group(a), false},
		{ab, Group(a, b, b), false}, {ab, Group(a, a), false}, {a, Group(a), false},
		{groupOf(t, ab, a), Group(a, Group(a, b)), true},
		{groupOf(t, ab, a), Group(a, a, b), false},
		{groupOf(t, wrapped, a), Group(Matching(a), a), true},
		{groupOf(t, a, wrapped), Group(Matching(a), a), true},
	}
	for _, c := range cases {
		r := record(func(r *recorder) { AssertError(r, c.got, c.want) })
		if r.failed == c.ok {
			t.Errorf("%s against %s: failed = %v", Describe(c.got), Describe(c.want), r.failed)
		}
	}
}

func TestAssertErrorAs(t *testing.T) {
	err := RunErr(t, func(*loop.Task) error { panic("ouch") })
	says := func(text string) error {
		return As(func(p *loop.PanicError) bool { return p.Value == text })
	}
	AssertError(t, err, As[*loop.PanicError](nil))
	AssertError(t, err, says("ouch"))
	r := record(func(r *recorder) { AssertError(r, err, says("oops")) })
	wantFailure(t, r, "panicked: ouch", "type *loop.PanicError")
}
