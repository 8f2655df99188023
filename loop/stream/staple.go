package stream

import (
	"errors"
	"fmt"

	"github.com/lion-go/lion/loop"
)

// Staple makes a Stream of two streams that go one way each, say the pipes to
// and from a child process. Receive goes to r and SendAll to w. SendEOF is
// that of w, or its Close if w has none. Close closes both, even if one fails.
func Staple(r ReceiveCloser, w SendCloser) *Stapled { return &Stapled{r: r, w: w} }

// Stapled is what Staple returns. It belongs to one loop.
type Stapled struct {
	r       ReceiveCloser
	w       SendCloser
	sending bool
	ended   bool
	closed  bool
}

var _ VectoredSender = (*Stapled)(nil)

// Receive receives from the receiving half, and is a checkpoint.
func (s *Stapled) Receive(t *loop.Task, b []byte) (int, error) { return s.r.Receive(t, b) }

// SendAll sends to the sending half, and is a checkpoint.
func (s *Stapled) SendAll(t *loop.Task, b []byte) error {
	if err := s.claim(); err != nil {
		return err
	}
	defer func() { s.sending = false }()
	return s.w.SendAll(t, b)
}

// SendAllVectored sends to the sending half as the function SendAllVectored
// does, and is a checkpoint.
func (s *Stapled) SendAllVectored(t *loop.Task, buffers [][]byte) error {
	if err := s.claim(); err != nil {
		return err
	}
	defer func() { s.sending = false }()
	return SendAllVectored(t, s.w, buffers)
}

func (s *Stapled) claim() error {
	switch {
	case s.sending:
		return fmt.Errorf("sending: %w", loop.ErrBusy)
	case s.ended, s.closed:
		return fmt.Errorf("sending: %w", loop.ErrClosed)
	}
	s.sending = true
	return nil
}

// SendEOF ends the sending half as a Stream does, and is a checkpoint.
func (s *Stapled) SendEOF(t *loop.Task) error {
	switch {
	case s.closed:
		return fmt.Errorf("sending: %w", loop.ErrClosed)
	case s.sending:
		return fmt.Errorf("sending: %w", loop.ErrBusy)
	case s.ended:
		return loop.Checkpoint(t)
	}
	if w, ok := s.w.(interface{ SendEOF(*loop.Task) error }); ok {
		err := w.SendEOF(t)
		s.ended = err == nil
		return err
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	s.ended = true
	if err := s.w.Close(); err != nil {
		return err
	}
	return loop.ShieldedCheckpoint(t)
}

// Close closes both halves and returns what went wrong with either. It is
// idempotent and never suspends.
func (s *Stapled) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(s.r.Close(), s.w.Close())
}

// String names both halves.
func (s *Stapled) String() string { return fmt.Sprintf("stapled(%v, %v)", s.r, s.w) }
