package socket_test

import (
	"encoding/binary"
	"strconv"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Each of these hangs if a short read is taken for a sign that a descriptor is
// drained where it is none.

// registered makes s known to the kernel's poller: it is waited for once.
func registered(t *loop.Task, tb testing.TB, s, peer *socket.Socket) {
	tb.Helper()
	err := loop.Nurse(t, func(n *loop.Nursery) error {
		err := n.Spawn(func(t *loop.Task) error {
			var b [1]byte
			_, err := s.Recv(t, b[:], 0)
			return err
		})
		if err != nil {
			return err
		}
		settle(t, tb)
		_, err = peer.Send(t, []byte("."), 0)
		return err
	})
	must(tb, err)
	if _, err := s.RecvNowait(make([]byte, 1), 0); err != loop.ErrWouldBlock {
		tb.Fatalf("there is something left: %v", err)
	}
}

// recvs receives with room to spare and fails the test unless it gets text.
func recvs(t *loop.Task, tb testing.TB, s *socket.Socket, text string) {
	tb.Helper()
	b := make([]byte, 100)
	n, err := s.Recv(t, b, 0)
	if err != nil || string(b[:n]) != text {
		tb.Fatalf("received %q, %v; want %q", b[:n], err, text)
	}
}

func TestShortReadBeforeEnd(t *testing.T) {
	for _, known := range []bool{true, false} {
		t.Run("registered="+strconv.FormatBool(known), func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := pair(task, t)
				defer closeAll(a, b)
				if known {
					registered(task, t, b.Socket(), a.Socket())
				}
				_, err := a.SendNowait([]byte("data"))
				must(t, err)
				must(t, a.Socket().Shutdown(sys.SHUT_WR))
				settle(task, t)
				recvs(task, t, b.Socket(), "data")
				recvs(task, t, b.Socket(), "")
				recvs(task, t, b.Socket(), "") // the end stays
				return nil
			})
		})
	}
}

func TestShortReadAtUrgentMark(t *testing.T) {
	for _, early := range []bool{true, false} {
		t.Run("taken="+strconv.FormatBool(early), func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := pair(task, t)
				defer closeAll(a, b)
				registered(task, t, b.Socket(), a.Socket())
				_, err := a.SendNowait([]byte("before"))
				must(t, err)
				_, err = a.Socket().SendNowait([]byte("!"), sys.MSG_OOB)
				must(t, err)
				_, err = a.SendNowait([]byte("after"))
				must(t, err)
				if early { // before the loop could hear of it
					takeUrgent(t, b.Socket())
				}
				settle(task, t)
				recvs(task, t, b.Socket(), "before")
				recvs(task, t, b.Socket(), "after")
				return nil
			})
		})
	}
}

func takeUrgent(tb testing.TB, s *socket.Socket) {
	tb.Helper()
	var b [1]byte
	if n, err := s.RecvNowait(b[:], sys.MSG_OOB); err != nil || n != 1 || b[0] != '!' {
		tb.Fatalf("the urgent byte: %q, %v", b[:n], err)
	}
}

func TestShortReadAtRights(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := unixPair(task, t, sys.SOCK_STREAM)
		defer closeAll(a, b)
		if a.Family() != sys.AF_UNIX {
			t.Skip("this system has no unix pairs, and TCP stands in")
		}
		registered(task, t, b, a)
		sendRights(t, a, []byte("with"))
		_, err := a.SendNowait([]byte("without"), 0)
		must(t, err)
		settle(task, t)
		recvs(task, t, b, "with") // the kernel closes what nobody has room for
		recvs(task, t, b, "without")
		return nil
	})
}

// sendRights sends a descriptor along with data, in the form of the control
// message that the system takes: its length is a size_t on Linux and 32 bits
// long on the BSDs, see cmsg(3).
func sendRights(tb testing.TB, s *socket.Socket, data []byte) {
	tb.Helper()
	const scmRights = 1
	for _, lengthSize := range []int{strconv.IntSize / 8, 4} {
		control := make([]byte, lengthSize)
		control = binary.NativeEndian.AppendUint32(control, sys.SOL_SOCKET)
		control = binary.NativeEndian.AppendUint32(control, scmRights)
		control = binary.NativeEndian.AppendUint32(control, uint32(s.FD()))
		if lengthSize == 8 {
			binary.NativeEndian.PutUint64(control, uint64(len(control)))
		} else {
			binary.NativeEndian.PutUint32(control, uint32(len(control)))
		}
		m := &socket.Msg{Buffers: [][]byte{data}, Control: control}
		if _, err := s.SendMsgNowait(m, 0); err == nil {
			return
		}
	}
	tb.Skip("this system passes no descriptors over such a pair")
}

func TestShortReadOfDatagrams(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := datagrams(task, t)
		defer closeAll(a, b)
		registered(task, t, b, a)
		for _, text := range []string{"one", "two", "three"} {
			_, err := a.Send(task, []byte(text), 0)
			must(t, err)
		}
		settle(task, t)
		recvs(task, t, b, "one")
		recvs(task, t, b, "two")
		// In a small buffer: each receive is short of the datagram.
		var small [2]byte
		n, err := b.Recv(task, small[:], 0)
		if err != nil || string(small[:n]) != "th" {
			t.Errorf("received %q, %v", small[:n], err)
		}
		return nil
	})
}

func TestShortReadOfPeek(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		registered(task, t, b.Socket(), a.Socket())
		_, err := a.SendNowait([]byte("data"))
		must(t, err)
		settle(task, t)
		for range 2 {
			var room [100]byte
			n, err := b.Socket().Recv(task, room[:], sys.MSG_PEEK)
			if err != nil || string(room[:n]) != "data" {
				t.Errorf("looked at %q, %v", room[:n], err)
			}
		}
		recvs(task, t, b.Socket(), "data")
		return nil
	})
}

// TestShortReadSavesACall sees the rule at work: after a short read the socket
// counts as drained, after a full one it does not.
func TestShortReadSavesACall(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		_, err := a.SendNowait([]byte("12345"))
		must(t, err)
		arrived(task, t, b.Socket())
		for _, step := range []struct {
			room    int
			drained bool
		}{{2, false}, {2, false}, {2, true}} {
			_, err := b.ReceiveNowait(make([]byte, step.room))
			must(t, err)
			if got := b.Statistics().Drained; got != step.drained {
				t.Errorf("drained: %v, want %v", got, step.drained)
			}
		}
		return nil
	})
}
