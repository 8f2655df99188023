package darwin

import "errors"

// Transmissions that the system carries out by itself exist on Windows only, see
// package windows. Here Sendfile is nonblocking, and needs nobody to wait for it.

// Bounds of what one call is asked for.
const (
	// MaxTransmit is how many bytes of a file one call sends at most.
	MaxTransmit = 1 << 30

	// MaxTransmitEdge is how long a head or a tail may be.
	MaxTransmitEdge = 64 << 10
)

// Transmit is a transmission that is under way.
type Transmit struct{}

// Transmits reports whether this system carries out any number of transmissions at a
// time: Darwin has none, see Sendfile.
func Transmits() bool { return false }

// BeginTransmit is errors.ErrUnsupported here.
func BeginTransmit(
	socket, file FD, head []byte, offset int64, n int, tail []byte,
) (*Transmit, error) {
	return nil, errors.ErrUnsupported
}

// Wait is errors.ErrUnsupported here.
func (t *Transmit) Wait() (n int, err error) { return 0, errors.ErrUnsupported }

// Cancel is errors.ErrUnsupported here.
func (t *Transmit) Cancel() error { return errors.ErrUnsupported }
