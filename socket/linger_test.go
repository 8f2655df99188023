package socket_test

import (
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// stuck is a pair whose first end has output that nobody takes, and a linger
// time.
func stuck(t *loop.Task, tb testing.TB) (full, peer *socket.Conn) {
	tb.Helper()
	full, peer = pair(t, tb)
	must(tb, socket.Linger.Set(full.Socket(), socket.LingerTime{On: true, Time: 20 * time.Second}))
	for {
		if _, err := full.SendNowait(make([]byte, 1<<16)); err != nil {
			want(tb, "sending without end", err, loop.ErrWouldBlock)
			return full, peer
		}
	}
}

// atOnce fails the test if the close waits for output.
func atOnce(tb testing.TB, s closer) {
	tb.Helper()
	start := time.Now()
	must(tb, s.Close())
	if d := time.Since(start); d > 10*time.Second {
		tb.Errorf("close took %v", d)
	}
}

// TestLingeringAdopted closes a socket that had its linger time already when it
// was adopted: the loop is not held up either.
func TestLingeringAdopted(t *testing.T) {
	run(t, func(task *loop.Task) error {
		full, peer := stuck(task, t)
		fd, err := full.Socket().Detach()
		must(t, err)
		s, err := socket.Adopt(task.Loop(), fd)
		must(t, err)
		atOnce(t, s)
		return peer.Abort() // lets the linger end
	})
}

// TestLingeringMany closes more lingering sockets than may wait: the rest does
// not linger, and so holds neither a thread nor a descriptor.
func TestLingeringMany(t *testing.T) {
	run(t, func(task *loop.Task) error {
		var all, peers []*socket.Conn
		for range socket.LingeringMax + 3 {
			full, peer := stuck(task, t)
			all, peers = append(all, full), append(peers, peer)
		}
		for i, c := range all {
			fd := c.Socket().FD()
			atOnce(t, c)
			_, err := sys.GetsockoptInt(fd, sys.SOL_SOCKET, sys.SO_TYPE)
			if i >= socket.LingeringMax && err == nil {
				t.Errorf("socket %d still waits", i)
			}
		}
		for _, c := range peers {
			must(t, c.Abort())
		}
		return nil
	})
}
