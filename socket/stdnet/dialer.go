package stdnet

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
)

// A Dialer dials for ordinary goroutines: its DialContext fits http.Transport,
// database drivers, and whatever else takes such a function. Names are resolved
// and addresses are raced on a loop (package eyeballs); the winner then leaves
// it, see NetConn.
type Dialer struct {
	// Loop does the dialing. It must run, and not be the one that the caller's
	// goroutine drives.
	Loop *loop.Loop

	// Resolve finds the addresses of names; nil is resolver.Default.
	Resolve socket.Resolve

	// Options are those of eyeballs.Dial.
	Options []eyeballs.Option
}

// DialContext connects to address, "example.org:443", over network: tcp, tcp4,
// tcp6; or unix, with a path for an address. It blocks until the connection
// stands or has failed, or ctx is done. Errors: those of eyeballs.Dial,
// loop.ErrLoopClosed when the loop has ended, the cause of ctx,
// net.UnknownNetworkError. Windows: errors.ErrUnsupported.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Loop == nil {
		return nil, fmt.Errorf("%w: stdnet: a Dialer without a loop", loop.ErrMisuse)
	}
	dial, err := d.dialing(network, address)
	if err != nil {
		return nil, err
	}
	var made net.Conn
	err = d.Loop.Do(ctx, func(t *loop.Task) error {
		c, err := dial(t)
		if err != nil {
			return err
		}
		if made, err = NetConn(c); err != nil {
			return errors.Join(err, c.Close())
		}
		return nil
	})
	if err != nil && made != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, err
}

// dialing chooses how to dial.
func (d *Dialer) dialing(
	network, address string,
) (func(*loop.Task) (*socket.Conn, error), error) {
	options, resolve := d.Options, d.Resolve
	if resolve == nil {
		resolve = resolver.Default
	}
	switch network {
	case "tcp":
	case "tcp4":
		options = append(options[:len(options):len(options)], eyeballs.OnlyIPv4())
	case "tcp6":
		options = append(options[:len(options):len(options)], eyeballs.OnlyIPv6())
	case "unix":
		return func(t *loop.Task) (*socket.Conn, error) {
			return socket.ConnectUnix(t, address)
		}, nil
	default:
		return nil, net.UnknownNetworkError(network)
	}
	return func(t *loop.Task) (*socket.Conn, error) {
		return eyeballs.Dial(t, resolve, address, options...)
	}, nil
}
