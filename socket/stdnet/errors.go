package stdnet

import (
	"errors"
	"net"

	"github.com/lion-go/lion/loop"
)

// translate makes an error of lion one that the standard library knows too.
func translate(err error) error {
	if err == nil || !errors.Is(err, loop.ErrClosed) || errors.Is(err, net.ErrClosed) {
		return err
	}
	return alsoClosed{err}
}
