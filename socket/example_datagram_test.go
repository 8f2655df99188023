package socket_test

import (
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Datagrams come in batches, each with its sender, its size, and what its
// control data tell.
func ExampleSocket_RecvBatch() {
	err := loop.Run(func(t *loop.Task) error {
		s, err := socket.ListenUDP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer s.Close()
		if err := socket.ReceivePacketInfo.Set(s, true); err != nil {
			return err
		}
		own, err := s.Name()
		if err != nil {
			return err
		}
		for _, text := range []string{"one", "two", ""} {
			if _, err := s.SendTo(t, []byte(text), 0, own); err != nil {
				return err
			}
		}
		ms := make([]socket.Msg, 8)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 1500)}
			ms[i].Control = make([]byte, 128)
			ms[i].WantName = true
		}
		for came := 0; came < 3; {
			n, err := s.RecvBatch(t, ms, 0)
			if err != nil {
				return err
			}
			for i := range ms[:n] {
				show(&ms[i], own)
			}
			came += n
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// "one" from myself: true, to 127.0.0.1
	// "two" from myself: true, to 127.0.0.1
	// "" from myself: true, to 127.0.0.1
	// <nil>
}

func show(m *socket.Msg, own socket.Addr) {
	fmt.Printf("%q from myself: %v", m.Buffers[0][:m.N], socket.AddrFrom(&m.Name) == own)
	for c := range socket.ControlMessages(m.Control) {
		if info, ok := c.PacketInfo(); ok {
			fmt.Printf(", to %v", info.Addr)
		}
	}
	fmt.Println()
	m.Control = m.Control[:cap(m.Control)] // room for the next one
}

// A descriptor passes from one process to another over a unix socket. Who
// receives it has to ask for it.
func ExampleControl_AddRights() {
	err := loop.Run(func(t *loop.Task) error {
		a, b, err := socket.Pair(t.Loop(), sys.AF_UNIX, sys.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		var c socket.Control
		if err := c.AddRights(a.FD()); err != nil {
			return err // errors.ErrUnsupported, on Windows
		}
		out := socket.Msg{Buffers: [][]byte{[]byte("x")}, Control: c.Bytes()}
		if _, err := a.SendMsg(t, &out, 0); err != nil {
			return err
		}
		in := socket.Msg{Buffers: [][]byte{make([]byte, 1)}, Control: make([]byte, 64), WantRights: true}
		if _, err := b.RecvMsg(t, &in, 0); err != nil {
			return err
		}
		for _, fd := range socket.Rights(in.Control) {
			s, err := socket.Adopt(t.Loop(), fd)
			if err != nil {
				return err
			}
			fmt.Println("a socket came:", s.Type() == sys.SOCK_STREAM)
			if err := s.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(err)
}
