package loop_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// closeError is a typed error with several causes, as users write them.
type closeError struct {
	name string
	errs []error
}

func (e closeError) Error() string   { return fmt.Sprintf("closing %s: %v", e.name, e.errs) }
func (e closeError) Unwrap() []error { return e.errs }

func (e closeError) Is(target error) bool { // says more than it should
	return target == errOther || target == loop.Cancelled
}

// S083: a wrapper around a Cancelled and something else loses the Cancelled and
// keeps the rest: its text, its type, its own idea of what it matches.
func TestS083WrappersSurvive(t *testing.T) {
	for name, wrap := range map[string]func(error) error{
		"of two": func(err error) error { return closeError{"a file", []error{errKey, err}} },
		"of three": func(err error) error {
			return &closeError{"a file", []error{errKey, err, errValue}}
		},
		"of a join":    func(err error) error { return closeError{"a file", []error{errors.Join(err, errKey)}} },
		"by two verbs": func(err error) error { return fmt.Errorf("closing a file: %w (after %w)", errKey, err) },
		"further in": func(err error) error {
			return fmt.Errorf("at the end: %w", &closeError{"a file", []error{errKey, fmt.Errorf("x: %w", err)}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := looptest.RunErr(t, func(task *loop.Task) error {
				return loop.Scoped(task, func(s *loop.Scope) error {
					s.Cancel("test")
					return wrap(loop.Checkpoint(task))
				})
			})
			want(t, "what is left", err, errKey)
			wantText(t, err.Error(), "closing a file")
			var cancelled *loop.CancelledError
			if errors.Is(err, loop.Cancelled) || errors.As(err, &cancelled) {
				t.Errorf("a Cancelled is left: %v", err)
			}
			var value closeError
			var pointer *closeError
			if typed := errors.As(err, &value) || errors.As(err, &pointer); typed != (name != "by two verbs") {
				t.Errorf("the type of the wrapper: %v", typed)
			} else if typed {
				want(t, "the wrapper's own match", err, errOther)
			}
			if errors.Is(err, errValue) != (name == "of three") || errors.Is(err, loop.ErrClosed) {
				t.Errorf("what it matches: %v", err)
			}
		})
	}
}
