package looptest

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
	"github.com/lion-go/lion/sys/faults"
)

// twoSockets is a correct body: it makes two sockets and closes them.
func twoSockets(*loop.Task) error {
	a, err := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	b, err := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
	if err != nil {
		_ = sys.Close(a)
		return fmt.Errorf("the second: %w", err)
	}
	return errors.Join(sys.Close(a), sys.Close(b))
}

// careless are bodies that are right as long as nothing goes wrong, and what
// the test says about them otherwise.
var careless = map[string]struct {
	body func(*loop.Task) error
	says []string
}{
	"leaks": {func(*loop.Task) error {
		a, err := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		b, err := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
		if err != nil {
			return err // and a?
		}
		return errors.Join(sys.Close(a), sys.Close(b))
	}, []string{"was left open", "a failure: call 3 (Socket "}},
	"hides the error": {func(*loop.Task) error {
		a, err := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
		if err != nil {
			return errors.New("no socket")
		}
		return sys.Close(a)
	}, []string{"no socket", "a failure: call 2 (Socket "}},
	"hangs": {func(t *loop.Task) error {
		a, err := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
		if err != nil {
			return loop.SleepForever(t)
		}
		return sys.Close(a)
	}, []string{"the run takes longer than", "sleeping forever"}},
	"believes that everything is sent": {func(*loop.Task) error {
		a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		_, err = sys.Send(a, []byte("hello"), 0)
		got := make([]byte, 10)
		n, failed := sys.Recv(b, got, 0)
		if err == nil && failed == nil && string(got[:n]) != "hello" {
			err = fmt.Errorf("%q: %w", got[:n], io.ErrUnexpectedEOF)
		}
		return errors.Join(err, failed, sys.Close(a), sys.Close(b))
	}, []string{"all transfers are short", "unexpected EOF"}},
}

func TestEachFault(t *testing.T) {
	report := EachFault(t, twoSockets)
	t.Log(report)
	if faults.Enabled && !testing.Short() && (report.Failures < 10 || report.Reported < 10 || report.LateStops < 4) {
		t.Errorf("only %v", report)
	}
}

// A body that deals with failures badly is caught, and the call is named.
func TestEachFaultFinds(t *testing.T) {
	if !faults.Enabled || testing.Short() {
		t.Skip("calls fail on purpose only in a build with the tag faults, without -short")
	}
	for name, c := range careless {
		t.Run(name, func(t *testing.T) {
			r := record(func(r *recorder) {
				Config{Limit: time.Second}.EachFault(r, c.body)
			})
			wantFailure(t, r, c.says...)
		})
	}
}

func TestDistinct(t *testing.T) {
	plain := errors.New("plain")
	for err, want := range map[error]bool{
		sys.ECONNRESET: true, io.EOF: true, plain: false, sys.WouldBlock: false,
		fmt.Errorf("wrapped: %w", sys.EMFILE):  true,
		fmt.Errorf("wrapped: %w", plain):       false,
		fmt.Errorf("%w and %w", io.EOF, plain): false,
		&loop.PanicError{Task: "x"}:            true,
	} {
		if distinct(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}
