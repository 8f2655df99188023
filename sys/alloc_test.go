package sys_test

import (
	"testing"
	"time"

	"github.com/lion-go/lion/sys"
)

// The calls that move data or wait allocate nothing, also when they are called
// through the facade, with buffers, messages and addresses on the stack.

func allocatesNothing(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s allocates %v times", what, n)
	}
}

func TestStreamAllocations(t *testing.T) {
	a, b := ownedTCPPair(t)
	failed := 0
	check := func(ok bool) {
		if !ok {
			failed++
		}
	}
	allocatesNothing(t, "Send and Recv", func() {
		var out, in [64]byte
		n, err := sys.Send(a, out[:], 0)
		check(n == 64 && err == nil)
		for n, err = 0, nil; n == 0; n, err = sys.Recv(b, in[:], 0) {
			check(err == nil || err == sys.WouldBlock)
		}
		_, err = sys.Recv(b, in[:], 0)
		check(err == sys.WouldBlock)
	})
	allocatesNothing(t, "a long Recv", func() {
		var in [80 << 10]byte
		_, err := sys.Recv(b, in[:], 0)
		check(err == sys.WouldBlock)
	})
	if failed > 0 {
		t.Errorf("%d calls failed", failed)
	}
}

// A message that is used again allocates nothing, with few buffers or many.
func TestMsgAllocations(t *testing.T) {
	fd, name := bound(t, sys.SOCK_DGRAM)
	for _, count := range []int{1, 2, 100} {
		data := make([]byte, 3*count)
		var m sys.Msg
		for i := range count {
			m.Buffers = append(m.Buffers, data[3*i:3*i+3])
		}
		failed := 0
		allocatesNothing(t, "SendMsg and RecvMsg", func() {
			m.Name, m.WantName = *name, false
			if n, err := sys.SendMsg(fd, &m, 0); n != len(data) || err != nil {
				failed++
			}
			m.Name.Reset()
			m.WantName = true
			if n, err := sys.RecvMsg(fd, &m, 0); n != len(data) || err != nil {
				failed++
			}
			if m.Name.AddrPort() != name.AddrPort() {
				failed++
			}
			if m.Name.SetAddrPort(sys.AF_INET6, name.AddrPort()) != nil {
				failed++
			}
		})
		if failed > 0 {
			t.Errorf("%d buffers: %d calls failed", count, failed)
		}
	}
}

func TestAcceptAllocations(t *testing.T) {
	l, _ := listener(t)
	allocatesNothing(t, "Accept", func() {
		var from sys.Sockaddr
		if _, err := sys.Accept(l, &from); err != sys.WouldBlock {
			t.Error(err)
		}
		if _, err := sys.Accept(l, nil); err != sys.WouldBlock {
			t.Error(err)
		}
	})
}

func TestPollerAllocations(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, b := pair(t)
		arm(t, p, a, testKey, sys.Readable)
		failed := 0
		allocatesNothing(t, "an event", func() {
			var ev [16]sys.Event
			var in [4]byte
			if p.Arm(a, testKey, sys.Readable) != nil {
				failed++
			}
			if n, err := sys.Send(b, in[:1], 0); n != 1 || err != nil {
				failed++
			}
			for n := 0; n == 0; {
				var err error
				if n, err = p.Wait(ev[:], patience); err != nil {
					failed++
				}
			}
			for n := 0; n == 0; n, _ = sys.Recv(a, in[:], 0) {
			}
		})
		allocatesNothing(t, "a look", func() {
			var ev [16]sys.Event
			if _, err := p.Wait(ev[:], 0); err != nil {
				failed++
			}
		})
		allocatesNothing(t, "a wait that times out", func() {
			var ev [16]sys.Event
			if _, err := p.Wait(ev[:], time.Microsecond); err != nil {
				failed++
			}
		})
		allocatesNothing(t, "a wake-up", func() {
			var ev [16]sys.Event
			p.Wake()
			if _, err := p.Wait(ev[:], patience); err != nil {
				failed++
			}
		})
		if failed > 0 {
			t.Errorf("%d calls failed", failed)
		}
	})
}
