package socket_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// unsupported skips a test on systems that do not have its family.
func unsupported(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, sys.EAFNOSUPPORT) ||
		errors.Is(err, sys.ESOCKTNOSUPPORT) || errors.Is(err, sys.EPROTONOSUPPORT) ||
		errors.Is(err, sys.EPERM) || errors.Is(err, sys.EADDRNOTAVAIL) {
		tb.Skipf("this host does not have it: %v", err)
	}
	must(tb, err)
}

// Netlink answers a request for the interfaces through the same calls.
func TestNetlink(t *testing.T) {
	run(t, func(task *loop.Task) error {
		if sys.AF_NETLINK == 0 {
			t.Skip("only Linux has netlink")
		}
		s, err := socket.New(task.Loop(), sys.AF_NETLINK, sys.SOCK_RAW, 0)
		unsupported(t, err)
		defer s.Close()
		must(t, s.Bind(socket.NetlinkAddr(0, 0)))
		own, err := s.Name()
		must(t, err)
		if port, _, ok := own.Netlink(); !ok || port == 0 || !strings.HasPrefix(own.String(), "netlink:") {
			t.Errorf("the socket is called %v", own)
		}
		const getLink, dump = 18, 0x301 // RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP
		request := make([]byte, 32)
		binary.NativeEndian.PutUint32(request, uint32(len(request)))
		binary.NativeEndian.PutUint16(request[4:], getLink)
		binary.NativeEndian.PutUint16(request[6:], dump)
		_, err = s.SendTo(task, request, 0, socket.NetlinkAddr(0, 0))
		must(t, err)
		n, from, err := s.RecvFrom(task, make([]byte, 32<<10), 0)
		if port, _, ok := from.Netlink(); n < 16 || !ok || port != 0 || err != nil {
			t.Errorf("%d bytes from %v, %v", n, from, err)
		}
		return nil
	})
}

// Packets are seen on the loopback interface.
func TestPacket(t *testing.T) {
	run(t, func(task *loop.Task) error {
		if sys.AF_PACKET == 0 {
			t.Skip("only Linux has packet sockets")
		}
		s, err := socket.New(task.Loop(), sys.AF_PACKET, sys.SOCK_DGRAM, 0)
		unsupported(t, err)
		defer s.Close()
		const local = 0x88b5 // for local experiments, IEEE 802
		must(t, s.Bind(socket.PacketAddr(local, 1, nil)))
		_, err = s.SendTo(task, []byte("frame"), 0, socket.PacketAddr(local, 1, make([]byte, 6)))
		unsupported(t, err)
		b := make([]byte, 2000)
		n, from, err := s.RecvFrom(task, b, 0)
		protocol, index, ok := from.Packet()
		if err != nil || !bytes.HasPrefix(b[:n], []byte("frame")) || !ok || protocol != local || index != 1 {
			t.Errorf("%q from %v, %v", b[:n], from, err)
		}
		return nil
	})
}

// A virtual machine's sockets, over the loopback that Linux has for them.
func TestVsock(t *testing.T) {
	run(t, func(task *loop.Task) error {
		const anyContext, loopContext = 0xffffffff, 1
		if sys.AF_VSOCK == 0 {
			_, err := socket.VsockAddr(loopContext, 1).Sockaddr(sys.AF_INET)
			want(t, "an address of a family that is not there", err, errors.ErrUnsupported)
			t.Skip("this system has no vsock")
		}
		s, err := socket.New(task.Loop(), sys.AF_VSOCK, sys.SOCK_STREAM, 0)
		unsupported(t, err)
		defer s.Close()
		unsupported(t, s.Bind(socket.VsockAddr(anyContext, anyContext)))
		must(t, s.Listen(1))
		own, err := s.Name()
		must(t, err)
		_, port, ok := own.Vsock()
		if !ok {
			t.Errorf("the socket is called %v", own)
		}
		c, err := socket.New(task.Loop(), sys.AF_VSOCK, sys.SOCK_STREAM, 0)
		must(t, err)
		defer c.Close()
		if err := c.Bind(socket.VsockAddr(loopContext, anyContext)); err != nil {
			t.Skip("this host has no vsock loopback:", err)
		}
		must(t, c.Connect(task, socket.VsockAddr(loopContext, port)))
		d, from, err := s.Accept(task)
		must(t, err)
		defer d.Close()
		if context, _, ok := from.Vsock(); !ok || context != loopContext {
			t.Errorf("from %v", from)
		}
		return nil
	})
}

// Bad input is refused at the call with an error that says why, and changes
// nothing: the socket does the same call with good input right after.
// Reliability 61, 67, 68 and the list of issue 5.
func TestBadInput(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, own := bind(task, t, sys.AF_INET)
		defer s.Close()
		st, other := unixPair(task, t, sys.SOCK_STREAM)
		defer closeAll(st, other)
		bindTo := func(family int, a socket.Addr) error {
			s, err := socket.New(task.Loop(), family, sys.SOCK_STREAM, 0)
			must(t, err)
			defer s.Close()
			return s.Bind(a)
		}
		inet := func(text string) socket.Addr { return socket.InetAddr(netip.MustParseAddrPort(text)) }
		var c socket.Control
		c.Add(1, 1, nil)
		wide := &socket.Msg{Buffers: make([][]byte, sys.MaxBuffers+1)}
		for _, x := range []struct {
			what string
			err  error
			want error
		}{
			{"no address", bindTo(sys.AF_INET, socket.Addr{}), loop.ErrMisuse},
			{"IPv6 on an IPv4 socket", bindTo(sys.AF_INET, inet("[::1]:0")), sys.EAFNOSUPPORT},
			{"unix on an IPv4 socket", bindTo(sys.AF_INET, socket.UnixAddr("x")), sys.EAFNOSUPPORT},
			{"netlink on an IPv4 socket", bindTo(sys.AF_INET, socket.NetlinkAddr(0, 0)), nil},
			{"an unknown zone", bindTo(sys.AF_INET6, inet("[fe80::1%no-such-if]:0")), sys.EINVAL},
			{"a name with a port", second(socket.ParseAddr("localhost:80")), loop.ErrMisuse},
			{"port 65536", second(socket.ParseAddr("127.0.0.1:65536")), loop.ErrMisuse},
			{"too many buffers sent", second(s.SendMsg(task, wide, 0)), sys.EMSGSIZE},
			{"too many buffers received", second(s.RecvMsg(task, wide, 0)), sys.EMSGSIZE},
			{"control data without data", second(st.SendMsg(task,
				message(t, socket.Addr{}, "", c.Bytes()), 0)), loop.ErrMisuse},
			{"the same at once", second(st.SendMsgNowait(
				message(t, socket.Addr{}, "", c.Bytes()), 0)), loop.ErrMisuse},
			{"no message", second(s.SendBatch(task, nil, 0)), loop.ErrMisuse},
			{"no room", second(s.RecvBatch(task, nil, 0)), loop.ErrMisuse},
			{"no room at once", second(s.RecvBatchNowait(nil, 0)), loop.ErrMisuse},
			{"a name that is too long", socket.BindToDevice.Set(s, strings.Repeat("x", 99)), nil},
			{"unicast as a group", s.JoinGroup(netip.MustParseAddr("127.0.0.1"), 0), loop.ErrMisuse},
			{"a group of IPv6", s.JoinGroup(netip.MustParseAddr("ff02::1"), 0), sys.EAFNOSUPPORT},
			{"no source", s.JoinSource(netip.MustParseAddr("232.0.0.1"), netip.Addr{}, 0), loop.ErrMisuse},
			{"a negative interface", s.JoinGroup(netip.MustParseAddr("224.0.0.9"), -1), loop.ErrMisuse},
			{"a negative interface to send by", s.SetMulticastInterface(-1), loop.ErrMisuse},
			{"TCP_INFO of a datagram socket", second(s.Info()), nil},
			{"credentials over IP", second(s.PeerCredentials()), nil},
			{"a linger time that is off", socket.Linger.Set(s,
				socket.LingerTime{Time: 1}), loop.ErrMisuse},
		} {
			if x.err == nil || x.want != nil && !errors.Is(x.err, x.want) {
				t.Errorf("%s: %v, want %v", x.what, x.err, x.want)
			}
		}
		_, err := s.SendTo(task, []byte("ok"), 0, own)
		must(t, err)
		if n, err := s.Recv(task, make([]byte, 9), 0); n != 2 || err != nil {
			t.Errorf("after all that: %d, %v", n, err)
		}
		return nil
	})
}

func second[T any](_ T, err error) error { return err }

// Whatever is called on a closed socket answers ErrClosed, and closing it again
// nothing; a socket of another loop is refused. Reliability 51.
func TestUseAfterClose(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, own := bind(task, t, sys.AF_INET)
		x, err := socket.NewSegmentSender(s)
		must(t, err)
		must(t, s.Close())
		must(t, s.Close())
		group := netip.MustParseAddr("224.0.0.9")
		ms := []socket.Msg{{Buffers: [][]byte{{1}}}}
		for _, x := range []struct {
			what string
			err  error
		}{
			{"new sender", second(socket.NewSegmentSender(s))}, {"bind", s.Bind(own)}, {"listen", s.Listen(1)}, {"connect", s.Connect(task, own)},
			{"recv", second(s.Recv(task, make([]byte, 1), 0))},
			{"send", second(s.Send(task, make([]byte, 1), 0))},
			{"recvmsg", second(s.RecvMsg(task, &ms[0], 0))},
			{"sendmsg", second(s.SendMsg(task, &ms[0], 0))},
			{"recvmmsg", second(s.RecvBatch(task, ms, 0))},
			{"sendmmsg", second(s.SendBatch(task, ms, 0))},
			{"recvmmsg at once", second(s.RecvBatchNowait(ms, 0))},
			{"sendmmsg at once", second(s.SendBatchNowait(ms, 0))},
			{"the error queue", second(s.RecvMsg(task, &ms[0], sys.MSG_ERRQUEUE))},
			{"segments", second(x.Send(task, make([]byte, 10), 2, own, nil))},
			{"join", s.JoinGroup(group, 0)}, {"leave", s.LeaveGroup(group, 0)},
			{"interface", s.SetMulticastInterface(0)},
			{"info", second(s.Info())}, {"credentials", second(s.PeerCredentials())},
			{"option", socket.HopLimit.Set(s, 3)}, {"name", second(s.Name())},
			{"shutdown", s.Shutdown(sys.SHUT_WR)}, {"dup", second(s.Dup())},
			{"detach", second(s.Detach())},
		} {
			want(t, x.what, x.err, loop.ErrClosed)
		}
		return nil
	})
}

// The port that the system chose for one address is that of all. S339.
func TestListenTCPEach(t *testing.T) {
	run(t, func(task *loop.Task) error {
		addrs := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
		all, err := socket.ListenTCPEach(task.Loop(), addrs, 0)
		unsupported(t, err)
		defer closeAll(all[0], all[1])
		port := all[0].Addr().AddrPort().Port()
		if port == 0 || all[1].Addr().AddrPort().Port() != port {
			t.Errorf("listening on %v and %v", all[0].Addr(), all[1].Addr())
		}
		_, err = socket.ListenTCPEach(task.Loop(), addrs[:1], port)
		if !errors.Is(err, sys.EADDRINUSE) && !errors.Is(err, sys.EACCES) { // the latter on Windows
			t.Errorf("a port in use: %v", err)
		}
		_, err = socket.ListenTCPEach(task.Loop(), nil, 0)
		want(t, "no address", err, loop.ErrMisuse)
		_, err = socket.ListenTCPEach(task.Loop(), []netip.Addr{addrs[0], {}}, 0)
		if err == nil {
			t.Error("an invalid address was taken")
		}
		return nil
	})
}

// Connections are taken in batches while another task waits in Accept; the bound
// holds. S295.
func TestAcceptBatchNowait(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		dst := make([]*socket.Conn, 2)
		_, err := ln.AcceptBatchNowait(dst)
		want(t, "nobody there", err, loop.ErrWouldBlock)
		_, err = ln.AcceptBatchNowait(nil)
		want(t, "no room", err, loop.ErrMisuse)
		var clients []*socket.Conn
		for range 3 {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			defer c.Close()
			clients = append(clients, c)
		}
		got := 0
		for _, limit := range []int{2, 1} {
			n, err := ln.AcceptBatchNowait(dst)
			if n != limit || err != nil {
				t.Errorf("accepted %d, %v", n, err)
			}
			for _, c := range dst[:n] {
				if c.RemoteAddr() != clients[got].LocalAddr() {
					t.Errorf("connection %d is from %v", got, c.RemoteAddr())
				}
				got++
				must(t, c.Close())
			}
		}
		_, err = ln.AcceptBatchNowait(dst)
		want(t, "all taken", err, loop.ErrWouldBlock)
		return nil
	})
}

// Groups bring what is sent to them, from sources that were joined, until they
// are left.
func TestMulticast(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, own := bind(task, t, sys.AF_INET)
		defer s.Close()
		r, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(t, err)
		defer r.Close()
		must(t, r.Bind(socket.InetAddr(netip.MustParseAddrPort("0.0.0.0:0"))))
		at, err := r.Name()
		must(t, err)
		group := netip.MustParseAddr("232.9.8.7")
		to := socket.InetAddr(netip.AddrPortFrom(group, at.AddrPort().Port()))
		if err := r.JoinSource(group, own.AddrPort().Addr(), 1); err != nil {
			t.Skip("no single sources at the loopback interface here:", err)
		}
		if err := s.SetMulticastInterface(1); err != nil {
			t.Skip("no multicasts over the loopback interface here:", err)
		}
		must(t, socket.MulticastHopLimit.Set(s, 0))
		must(t, socket.MulticastLoop.Set(s, true))
		_, err = s.SendTo(task, []byte("joined"), 0, to)
		must(t, err)
		n, from, err := r.RecvFromNowait(make([]byte, 9), 0)
		if n != 6 || from != own || err != nil {
			t.Errorf("%d bytes from %v, %v", n, from, err)
		}
		must(t, r.LeaveSource(group, own.AddrPort().Addr(), 1))
		_, err = s.SendTo(task, []byte("left"), 0, to)
		must(t, err)
		_, _, err = r.RecvFromNowait(make([]byte, 9), 0)
		want(t, "after leaving", err, loop.ErrWouldBlock)
		must(t, r.JoinGroup(group, 1))
		must(t, r.BlockSource(group, own.AddrPort().Addr(), 1))
		_, err = s.SendTo(task, []byte("blocked"), 0, to)
		must(t, err)
		_, _, err = r.RecvFromNowait(make([]byte, 9), 0)
		want(t, "a blocked source", err, loop.ErrWouldBlock)
		must(t, r.UnblockSource(group, own.AddrPort().Addr(), 1))
		must(t, r.LeaveGroup(group, 1))
		return nil
	})
}

// A connection tells its state and its times.
func TestInfo(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		must(t, a.SendAll(task, pattern(1000)))
		_, err := stream.ReceiveExactly(task, b, make([]byte, 1000))
		must(t, err)
		info, err := b.Socket().Info()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system does not tell:", err)
		}
		must(t, err)
		if info.State != "ESTABLISHED" || info.BytesReceived != 1000 || info.SegmentSize == 0 ||
			info.CongestionWindow == 0 {
			t.Errorf("%+v", info)
		}
		return nil
	})
}

func TestErrorKindNames(t *testing.T) {
	for kind, name := range map[socket.ErrorKind]string{
		socket.ErrorOther: "other", socket.ErrorBroken: "broken", socket.ErrorPanic: "panic",
		socket.ErrorTimeout: "timeout", socket.ErrorCancelled: "cancelled",
		socket.ErrorClosed: "closed", 99: "ErrorKind(99)",
	} {
		if kind.String() != name {
			t.Errorf("%d is called %v", kind, kind)
		}
	}
}
