package socket

import (
	"net/netip"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// ListenUDP makes a socket for datagrams that come to a literal address, as
// ListenTCP takes it: ":7000" is every address of the machine, IPv4 and IPv6 if
// it has both, and port 0 lets the system choose; Name tells. Nobody else can
// take the port unless options say so. RecvFrom, RecvMsg and RecvBatch receive,
// SendTo, SendMsg and SendBatch answer. Options about connections are refused.
// Sync-coloured.
func ListenUDP(l *loop.Loop, address string, opts ...SetupOption) (*Socket, error) {
	c, err := newDatagramSetup(opts)
	if err != nil {
		return nil, err
	}
	if c.local.IsValid() {
		return nil, misuse("a local address beside %q", address)
	}
	at, everywhere, err := parseListen(address)
	if err != nil {
		return nil, err
	}
	c.dual = everywhere
	s, err := c.bound(l, at)
	if everywhere && lacksIPv6(err) {
		return c.bound(l, onIPv4(at))
	}
	return s, err
}

// ConnectUDP makes a socket for datagrams to and from one address: it sends
// there by Send, hears of nobody else, and is told by errors such as
// sys.ECONNREFUSED that nobody listens there. It is a checkpoint. Errors are
// *OpError with the address; nothing is left behind then.
func ConnectUDP(t *loop.Task, to netip.AddrPort, opts ...SetupOption) (*Socket, error) {
	c, err := newDatagramSetup(opts)
	if err != nil {
		return nil, err
	}
	if !to.Addr().IsValid() {
		return nil, misuse("connecting to no address")
	}
	s, err := c.socket(t.Loop(), InetAddr(to).Family(), sys.SOCK_DGRAM)
	if err != nil {
		return nil, err
	}
	if c.local.IsValid() {
		err = s.Bind(InetAddr(c.local))
	}
	if err == nil {
		err = s.Connect(t, InetAddr(to))
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// newDatagramSetup refuses what is about connections.
func newDatagramSetup(opts []SetupOption) (*setup, error) {
	c, err := newSetup(opts)
	if err == nil && c.backlog != 0 {
		err = misuse("a backlog for datagrams")
	}
	if err == nil {
		err = c.unix.refuse()
	}
	return c, err
}

// bound makes a socket for datagrams that is bound to an address. The options
// of the caller come after ours, so that they win.
func (c *setup) bound(l *loop.Loop, at netip.AddrPort) (*Socket, error) {
	to := InetAddr(at)
	s, err := New(l, to.Family(), sys.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if ExclusiveAddr.Supported() {
		err = ExclusiveAddr.Set(s, true)
	}
	if err == nil && to.Family() == sys.AF_INET6 {
		err = V6Only.Set(s, !c.dual)
	}
	if err == nil {
		err = c.applyTo(s)
	}
	if err == nil {
		err = s.Bind(to)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}
