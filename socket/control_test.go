package socket_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// bind makes a datagram socket bound to the loopback address of a family. The
// test is skipped where the host has none.
func bind(task *loop.Task, tb testing.TB, family int) (*socket.Socket, socket.Addr) {
	tb.Helper()
	s, err := socket.New(task.Loop(), family, sys.SOCK_DGRAM, 0)
	must(tb, err)
	at := loopback(0)
	if family == sys.AF_INET6 {
		at = netip.AddrPortFrom(netip.IPv6Loopback(), 0)
	}
	if err := s.Bind(socket.InetAddr(at)); err != nil {
		_ = s.Close()
		tb.Skipf("this host has no such address: %v", err)
	}
	own, err := s.Name()
	must(tb, err)
	return s, own
}

// message is a message with a name and control data to be sent.
func message(tb testing.TB, to socket.Addr, data string, control []byte) *socket.Msg {
	tb.Helper()
	m := &socket.Msg{Buffers: [][]byte{[]byte(data)}, Control: control}
	if to.IsValid() {
		name, err := to.Sockaddr(to.Family())
		must(tb, err)
		m.Name = name
	}
	return m
}

// room is a message to be received, with place for control data.
func room() *socket.Msg {
	return &socket.Msg{Buffers: [][]byte{make([]byte, 2000)}, Control: make([]byte, 512), WantName: true}
}

// A datagram says where it came to, from how far, with which class and when, if
// the options ask for it; it is sent with hop limit, class and source of its
// own. S288, S290.
func TestControlOfDatagrams(t *testing.T) {
	for _, family := range []int{sys.AF_INET, sys.AF_INET6} {
		run(t, func(task *loop.Task) error {
			a, from := bind(task, t, family)
			b, to := bind(task, t, family)
			defer closeAll(a, b)
			for _, o := range []socket.Option[bool]{socket.ReceivePacketInfo,
				socket.ReceiveHopLimit, socket.ReceiveTrafficClass, socket.ReceiveTimestamp,
				socket.ReceiveDropped} {
				if err := o.Set(b, true); err != nil {
					t.Logf("family %d: %v", family, err)
				}
			}
			var c socket.Control
			must(t, c.AddPacketInfo(socket.PacketInfo{Addr: from.AddrPort().Addr()}))
			hopsErr := c.AddHopLimit(to, 7)
			classErr := c.AddTrafficClass(to, 0x22)
			_, err := a.SendMsg(task, message(t, to, "data", c.Bytes()), 0)
			must(t, err)
			m := room()
			n, err := b.RecvMsg(task, m, 0)
			must(t, err)
			if n != 4 || m.N != 4 || socket.AddrFrom(&m.Name) != from {
				t.Errorf("%d bytes (%d) from %v", n, m.N, socket.AddrFrom(&m.Name))
			}
			informed := false
			for c := range socket.ControlMessages(m.Control) {
				if p, ok := c.PacketInfo(); ok {
					informed = p.Addr == to.AddrPort().Addr() && p.Interface > 0
				}
				if n, ok := c.HopLimit(); ok && hopsErr == nil && n != 7 {
					t.Errorf("hop limit %d", n)
				}
				if n, ok := c.TrafficClass(); ok && classErr == nil && n != 0x22 {
					t.Errorf("class %#x", n)
				}
				if at, ok := c.Timestamp(); ok && time.Since(at).Abs() > time.Hour {
					t.Errorf("it came at %v", at)
				}
			}
			if !informed {
				t.Errorf("family %d: no packet info", family)
			}
			return nil
		})
	}
}

// Descriptors pass over a unix socket if they are asked for, are closed if they
// are not, and credentials are those of this process. S289, reliability 60.
func TestRightsAndCredentials(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := unixPair(task, t, sys.SOCK_STREAM)
		defer closeAll(a, b)
		r, w, err := sys.Pipe()
		if err != nil {
			t.Skip("this system passes no descriptors:", err)
		}
		defer sys.Close(r)
		defer sys.Close(w)
		var c socket.Control
		must(t, c.AddRights(w, w))
		for _, wanted := range []bool{true, false} {
			before, err := sys.OpenFDs()
			must(t, err)
			_, err = a.SendMsg(task, message(t, socket.Addr{}, "x", c.Bytes()), 0)
			must(t, err)
			m := room()
			m.WantRights = wanted
			_, err = b.RecvMsg(task, m, 0)
			must(t, err)
			fds := socket.Rights(m.Control)
			if (len(fds) == 2) != wanted || !wanted && len(fds) != 0 {
				t.Errorf("wanted: %t, came: %v", wanted, fds)
			}
			for _, fd := range fds {
				must(t, sys.Close(fd))
			}
			after, err := sys.OpenFDs()
			must(t, err)
			if len(after) != len(before) {
				t.Errorf("wanted: %t, %d descriptors, and %d before", wanted, len(after), len(before))
			}
		}
		who, err := a.PeerCredentials()
		must(t, err)
		if who.PID == 0 {
			t.Errorf("the peer is %+v", who)
		}
		if socket.PassCredentials.Supported() {
			must(t, socket.PassCredentials.Set(b, true))
			_, err := a.Send(task, []byte("x"), 0)
			must(t, err)
			m := room()
			_, err = b.RecvMsg(task, m, 0)
			must(t, err)
			for c := range socket.ControlMessages(m.Control) {
				if got, ok := c.Credentials(); !ok || got != who {
					t.Errorf("credentials %+v, not %+v", got, who)
				}
			}
			if len(m.Control) == 0 {
				t.Error("no credentials came")
			}
		}
		return nil
	})
}

// A batch comes as it was sent, message by message: sizes, an empty one, one
// that is cut; partial counts are honest. Reliability 57, 58, 64.
func TestBatches(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, from := bind(task, t, sys.AF_INET)
		b, to := bind(task, t, sys.AF_INET)
		defer closeAll(a, b)
		name, err := to.Sockaddr(sys.AF_INET)
		must(t, err)
		out := make([]socket.Msg, 3)
		for i, text := range []string{"one", "", "too long"} {
			out[i] = socket.Msg{Buffers: [][]byte{[]byte(text)}, Name: name}
		}
		in := make([]socket.Msg, 4)
		for i := range in {
			in[i] = socket.Msg{Buffers: [][]byte{make([]byte, 4)}, WantName: true}
		}
		_, err = b.RecvBatchNowait(in, 0)
		want(t, "nothing there", err, loop.ErrWouldBlock)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			came := 0
			must(t, n.Spawn(func(task *loop.Task) error {
				for came < len(out) {
					n, err := b.RecvBatch(task, in[came:], 0)
					must(t, err)
					came += n
				}
				for i, size := range []int{3, 0, 4} {
					m := &in[i]
					if m.N != size || m.Flags&sys.MSG_TRUNC != 0 != (i == 2) ||
						socket.AddrFrom(&m.Name) != from {
						t.Errorf("%d: %d bytes, flags %#x", i, m.N, m.Flags)
					}
				}
				return nil
			}))
			settle(task, t) // the receiver waits
			sent, err := a.SendBatch(task, out, 0)
			if sent != 3 || err != nil || a.Statistics().Sent != 11 {
				t.Errorf("sent %d, %v, %+v", sent, err, a.Statistics())
			}
			return nil
		})
	})
}

// An ICMP error is reported once, and the socket goes on; the error queue holds
// who reported it, and a task can wait for that. Reliability 62.
func TestErrorQueue(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, _ := bind(task, t, sys.AF_INET)
		dead, nobody := bind(task, t, sys.AF_INET)
		defer closeAll(a)
		must(t, dead.Close())
		if !socket.ReceiveErrors.Supported() {
			t.Skip("this system has no error queue")
		}
		must(t, socket.ReceiveErrors.Set(a, true))
		_, err := a.RecvMsgNowait(room(), sys.MSG_ERRQUEUE)
		want(t, "an empty error queue", err, loop.ErrWouldBlock)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				m := room()
				size, err := a.RecvMsg(task, m, sys.MSG_ERRQUEUE)
				must(t, err)
				if string(m.Buffers[0][:size]) != "hello" || m.Flags&sys.MSG_ERRQUEUE == 0 ||
					socket.AddrFrom(&m.Name) != nobody {
					t.Errorf("%d bytes to %v, flags %#x", size, socket.AddrFrom(&m.Name), m.Flags)
				}
				found := false
				for c := range socket.ControlMessages(m.Control) {
					if e, ok := c.ExtendedError(); ok {
						found = e.Errno == sys.ECONNREFUSED && e.Origin == 2 &&
							e.Offender == loopback(0).Addr()
					}
				}
				if !found {
					t.Errorf("no such error in % x", m.Control)
				}
				return nil
			}))
			settle(task, t) // the task waits for the error queue
			_, err := a.SendTo(task, []byte("hello"), 0, nobody)
			must(t, err)
			return nil
		})
	})
}

// A connected socket hears of a refused datagram once, and can be used after.
func TestRefusedOnce(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, own := bind(task, t, sys.AF_INET)
		dead, nobody := bind(task, t, sys.AF_INET)
		b, _ := bind(task, t, sys.AF_INET)
		defer closeAll(a, b)
		must(t, dead.Close())
		must(t, a.Connect(task, nobody))
		_, err := a.Send(task, []byte("x"), 0)
		must(t, err)
		_, err = a.RecvNowait(make([]byte, 9), 0)
		if err == loop.ErrWouldBlock {
			t.Skip("this system does not report refused datagrams at once")
		}
		want(t, "a refused datagram", err, sys.ECONNREFUSED)
		if errors.Is(err, loop.ErrBroken) {
			t.Error("a datagram socket is called broken")
		}
		_, err = a.RecvNowait(make([]byte, 9), 0)
		want(t, "the same again", err, loop.ErrWouldBlock)
		reborn, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(t, err)
		defer reborn.Close()
		must(t, reborn.Bind(nobody))
		_, err = reborn.SendTo(task, []byte("again"), 0, own)
		must(t, err)
		n, err := a.Recv(task, make([]byte, 9), 0)
		if n != 5 || err != nil {
			t.Errorf("after the error: %d, %v", n, err)
		}
		return nil
	})
}

// Batches, and messages with control data, allocate nothing, in both families.
func TestControlAllocatesNothing(t *testing.T) {
	for _, family := range []int{sys.AF_INET, sys.AF_INET6} {
		runBudgeted(t, func(task *loop.Task) error {
			a, _ := bind(task, t, family)
			b, to := bind(task, t, family)
			defer closeAll(a, b)
			must(t, socket.ReceivePacketInfo.Set(b, true))
			name, err := to.Sockaddr(family)
			must(t, err)
			out, in := make([]socket.Msg, 4), make([]socket.Msg, 4)
			for i := range in {
				out[i].Buffers = [][]byte{make([]byte, 100)}
				in[i] = *room()
			}
			var c socket.Control
			infos := 0
			allocates(t, "a batch with control data", 0, func() {
				c.Reset()
				must(t, c.AddPacketInfo(socket.PacketInfo{Addr: to.AddrPort().Addr()}))
				for i := range out {
					out[i].Name, out[i].Control = name, c.Bytes()
				}
				_, err := a.SendBatch(task, out, 0)
				must(t, err)
				for n := 0; n < len(in); {
					more, err := b.RecvBatch(task, in[n:], 0)
					must(t, err)
					n += more
				}
				for i := range in {
					for m := range socket.ControlMessages(in[i].Control) {
						if _, ok := m.PacketInfo(); ok {
							infos++
						}
					}
					in[i].Control = in[i].Control[:cap(in[i].Control)]
				}
			})
			if infos < len(in)*allocRuns {
				t.Errorf("%d packet infos", infos)
			}
			return nil
		})
	}
}
