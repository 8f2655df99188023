package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// TLS is that of crypto/tls, unchanged. Facts about it, and hence this code:
//
//   - A tls.Conn holds a mutex while it reads or writes its transport. A task
//     that is suspended with a mutex held freezes its loop as soon as another
//     task wants that mutex. So after the handshake its transport never waits
//     (tlsWire): reads take what has been received, or is there to be received,
//     or answer an error that says "later", and writes append, or send what goes
//     at once. Tasks are suspended outside, in await and in flush.
//   - It keeps what it decrypts and has no room for, and what it has received too
//     much, and does not tell. tlsRecords knows when that is nothing, so that
//     nobody waits while there is something, and nobody asks for nothing.
//   - A read error that is a temporary net.Error leaves a tls.Conn as it was,
//     partial records included, and the read can be tried again. Write errors
//     always break it; but tlsWire takes everything, and flush tells of errors.
//   - A handshake cannot be left and resumed. So it does suspend inside, with
//     mutexes held; and until it has ended the tls.Conn is called by nobody
//     else: they wait for it in a parking lot.
//   - A read may make output: the answer to a key update, or an alert. The
//     reader sends it unless a writer does.
//   - The end of the transport at the border of a record reads as io.EOF, the
//     same as a close_notify, although anybody on the way can cause it. So the
//     transport says errTruncated instead of io.EOF.

// tlsChunk is how much plaintext is encrypted at once, to be sent by one call
// of the transport: enough that a system call carries several records, and a
// bound on what a peer that does not read keeps in memory.
const tlsChunk = 48 << 10

// ErrHandshake says that something is asked of a TLS connection that is known
// only after its handshake.
var ErrHandshake = errors.New("socket: the TLS handshake has not been completed")

// errTruncated is the end of the transport without a close_notify.
var errTruncated = fmt.Errorf("the peer ended the connection without a TLS close_notify: %w",
	io.ErrUnexpectedEOF)

// A TLSConn is a stream.Stream that speaks TLS over another one, which it
// takes over. It belongs to the loop of that stream. The handshake is made by
// the first of Handshake, Receive, SendAll and SendEOF; who comes meanwhile
// waits for it. One task may receive and another send at the same time.
//
// What the configuration says is done as crypto/tls documents it: ALPN, SNI,
// resumption, client certificates. Its callbacks run in the task that makes
// the handshake, and must not suspend it. A handshake computes signatures on
// the loop: about 0.1 ms with ECDSA keys, and 1 ms with RSA keys of 2048 bits.
//
// An end of the transport that was not announced by the peer's close_notify is
// an error that matches loop.ErrBroken and io.ErrUnexpectedEOF, for anybody
// between the two could have caused it; see TLSAllowTruncation. Every failure
// of TLS itself breaks the connection for good: it matches loop.ErrBroken, and
// with errors.As what crypto/tls reported, *tls.CertificateVerificationError
// for one. A cancelled handshake breaks it too. A cancelled Receive takes
// nothing. What a cancelled SendAll had encrypted counts as sent, see
// stream.SendError, and goes out before what is sent next.
type TLSConn struct {
	tls       *tls.Conn
	wire      tlsWire
	transport stream.Stream
	conn      *Conn // the transport, if it is one

	shaking   loop.ParkingLot // who waits for the handshake
	flushed   loop.ParkingLot // who waits for the flush of another task
	state     tlsState
	broken    error // why nothing works any more
	receiving bool
	sending   bool
	flushing  bool
	ended     bool // the peer's close_notify has come
	sentEOF   bool
	closed    bool
	peeked    bool // next is the next byte to be received
	next      [1]byte

	received uint64
	sent     uint64
}

var _ stream.Stream = (*TLSConn)(nil)

type tlsState uint8

// The zero state is that before the handshake.
const (
	tlsShaking tlsState = iota + 1
	tlsReady
)

// A TLSOption sets up a TLSConn.
type TLSOption func(*TLSConn) error

// TLSAllowTruncation takes an end of the transport between two records for an
// end of the stream, although no close_notify announced it: for protocols that
// mark the ends of their messages themselves, as HTTP does, and peers that are
// known to be careless.
func TLSAllowTruncation() TLSOption {
	return func(c *TLSConn) error { c.wire.end = io.EOF; return nil }
}

// TLSClient makes the client's side of a TLS connection over s. It sends
// nothing yet. The configuration must name the server (ServerName), whose
// certificate is verified, or say InsecureSkipVerify; and it must not allow
// renegotiation; else ErrMisuse. It must not be changed any more.
func TLSClient(s stream.Stream, config *tls.Config, opts ...TLSOption) (*TLSConn, error) {
	switch {
	case config == nil, config.ServerName == "" && !config.InsecureSkipVerify:
		return nil, misuse("a TLS client without the name of its server")
	case config.Renegotiation != tls.RenegotiateNever:
		return nil, misuse("TLS with renegotiation")
	}
	return newTLS(s, config, tls.Client, opts)
}

// TLSServer makes the server's side of a TLS connection over s. It sends
// nothing yet. The configuration needs a certificate, or a way to get one, else
// ErrMisuse; it must not be changed any more.
func TLSServer(s stream.Stream, config *tls.Config, opts ...TLSOption) (*TLSConn, error) {
	if err := checkServerConfig(config); err != nil {
		return nil, err
	}
	return newTLS(s, config, tls.Server, opts)
}

func checkServerConfig(config *tls.Config) error {
	if config == nil || len(config.Certificates) == 0 && config.GetCertificate == nil &&
		config.GetConfigForClient == nil {
		return misuse("a TLS server without a certificate")
	}
	return nil
}

func newTLS(
	s stream.Stream, config *tls.Config, side tlsSide, opts []TLSOption,
) (*TLSConn, error) {
	if s == nil {
		return nil, misuse("TLS over a nil stream")
	}
	c := &TLSConn{transport: s}
	c.conn, _ = s.(*Conn)
	c.wire.c, c.wire.end = c, errTruncated
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	c.tls = side(&c.wire, config)
	return c, nil
}

// Handshake makes the handshake, unless it has been made, and waits for it. It
// has no time limit of its own; see loop.FailAfter. It is a checkpoint.
func (c *TLSConn) Handshake(t *loop.Task) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	if err := c.ready(t); err != nil {
		return err
	}
	return loop.ShieldedCheckpoint(t)
}

// ready makes or awaits the handshake.
func (c *TLSConn) ready(t *loop.Task) error {
	for c.state == tlsShaking && c.usable() == nil {
		if err := c.shaking.Park(t, "tls handshake"); err != nil {
			return err
		}
	}
	if err := c.usable(); err != nil || c.state == tlsReady {
		return err
	}
	return c.handshake(t)
}

// usable says why the connection can not be used, or nil.
func (c *TLSConn) usable() error {
	if c.closed {
		return c.failed("tls", loop.ErrClosed)
	}
	return c.broken
}

// handshake makes the handshake in task t. However it ends, also by a panic in
// a callback, the others learn of it.
func (c *TLSConn) handshake(t *loop.Task) error {
	c.state, c.wire.task = tlsShaking, t
	returned, err := false, error(nil)
	defer func() {
		c.wire.task = nil
		if !returned {
			c.breaks("tls handshake", errors.New("it was left by a panic"))
		}
		c.shaking.UnparkAll()
	}()
	// The context must not be one that can be cancelled: a cancellation comes
	// by the task, and would be watched for by a goroutine otherwise.
	err = c.tls.HandshakeContext(context.WithoutCancel(t.Context()))
	if err == nil {
		err = c.flush(t)
	}
	returned = true
	if err == nil {
		c.state = tlsReady
		c.wire.records.overhead = tlsOverhead(c.tls.ConnectionState())
		return c.usable()
	}
	if !c.closed {
		c.sendRest() // an alert, perhaps
	}
	c.breaks("tls handshake", err)
	if passing(err) {
		return err
	}
	return c.usable()
}

// passing reports whether err came from the loop to the task, and says nothing
// about the connection.
func passing(err error) bool {
	return errors.Is(err, loop.Cancelled) || errors.Is(err, loop.ErrInterrupt)
}

// breaks notes why the connection is of no more use. The first reason stays.
// What the transport reported is passed on as it is.
func (c *TLSConn) breaks(op string, err error) {
	if c.broken != nil {
		return
	}
	var transport *OpError
	switch {
	case passing(err):
		err = fmt.Errorf("the TLS handshake was cancelled")
	case errors.As(err, &transport) && errors.Is(err, loop.ErrBroken):
		c.broken = err
		return
	}
	e := &OpError{Op: op, Addr: c.RemoteAddr(), Err: err, kind: loop.ErrBroken}
	if c.conn != nil {
		e.from = &c.conn.s
	}
	c.broken = e
}

// failed wraps an error that says something about the call only.
func (c *TLSConn) failed(op string, err error) error {
	e := &OpError{Op: op, Addr: c.RemoteAddr(), Err: err}
	if c.conn != nil {
		e.from = &c.conn.s
	}
	return e
}

// Failure makes err an error of this connection; see Conn.Failure.
func (c *TLSConn) Failure(op string, err error) error {
	if s, ok := c.transport.(interface{ Failure(string, error) error }); ok {
		return s.Failure(op, err)
	}
	return opError(op, c.RemoteAddr(), err)
}

// pending reports whether there is something to be received, without waiting.
// The end, and errors, count as something.
func (c *TLSConn) pending() bool {
	if c.peeked || c.ended || c.broken != nil {
		return true
	}
	if c.state != tlsReady || !c.holds() {
		return false
	}
	n, err := c.decrypt(c.next[:])
	c.peeked = n == 1
	return err != errStarved
}

// ConnectionState describes the connection: version, ALPN protocol,
// certificates of the peer. ErrHandshake before the handshake has been made.
func (c *TLSConn) ConnectionState() (tls.ConnectionState, error) {
	if c.state != tlsReady {
		return tls.ConnectionState{}, c.failed("tls state", ErrHandshake)
	}
	return c.tls.ConnectionState(), nil
}

// Transport returns the stream below. It must not be used for receives and
// sends.
func (c *TLSConn) Transport() stream.Stream { return c.transport }

// Closed reports whether the connection was closed on this side.
func (c *TLSConn) Closed() bool { return c.closed }

// LocalAddr returns the address of this end, or an invalid one if the
// transport has none.
func (c *TLSConn) LocalAddr() Addr {
	if a, ok := c.transport.(interface{ LocalAddr() Addr }); ok {
		return a.LocalAddr()
	}
	return Addr{}
}

// RemoteAddr returns the address of the peer, or an invalid one if the
// transport has none.
func (c *TLSConn) RemoteAddr() Addr {
	if a, ok := c.transport.(interface{ RemoteAddr() Addr }); ok {
		return a.RemoteAddr()
	}
	return Addr{}
}

// TLSStatistics describes a TLS connection.
type TLSStatistics struct {
	Received  uint64 // bytes of plaintext
	Sent      uint64 // bytes of plaintext
	Unsent    int    // bytes of ciphertext that wait to be sent
	Handshake bool   // it has been made
	Ended     bool   // the peer's close_notify has come
	Closed    bool   // on this side
}

// Statistics returns the numbers of the connection.
func (c *TLSConn) Statistics() TLSStatistics {
	return TLSStatistics{
		Received: c.received, Sent: c.sent, Unsent: len(c.wire.out),
		Handshake: c.state == tlsReady, Ended: c.ended, Closed: c.closed,
	}
}

// String names the connection by its peer.
func (c *TLSConn) String() string { return fmt.Sprintf("tls(%v)", c.transport) }
