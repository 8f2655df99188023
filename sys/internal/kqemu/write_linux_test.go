package kqemu

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
)

func Test7WriteAndConnect(t *testing.T) {
	k := newKqueue(t)
	fresh := socket(t, unix.AF_INET, unix.SOCK_STREAM)
	want(t, kevent(t, k, 0, ident(fresh, rd, add|clear), ident(fresh, wr, add|clear)))

	l, name := listen(t)
	shut(t, l) // Now nobody listens there.
	if err := unix.Connect(fresh, name); err != unix.EINPROGRESS && err != unix.ECONNREFUSED {
		t.Fatal(err)
	}
	got := collect(t, k, rd, wr)
	for _, ev := range got {
		if ev.Flags&eof == 0 || ev.Flags&kqueue.FlagError != 0 {
			t.Errorf("refused connect: %+v", ev)
		}
	}
}

func Test7WriteEnds(t *testing.T) {
	k := newKqueue(t)
	a, b := tcp(t)
	check(t, unix.Shutdown(b, unix.SHUT_WR))
	until(t, a, unix.POLLRDHUP)
	got := want(t, kevent(t, k, 0, ident(a, wr, add)), wr)
	if got[wr].Flags&eof != 0 || got[wr].Data <= 0 {
		t.Errorf("after the peer's end: %+v", got[wr])
	}
	got = want(t, kevent(t, k, 0, ident(b, wr, add), ident(a, wr, kqueue.FlagDelete)), wr)
	if got[wr].Ident != uint64(b) || got[wr].Flags&eof == 0 {
		t.Errorf("after the own end: %+v", got[wr])
	}
}

func Test7Reset(t *testing.T) {
	k := newKqueue(t)
	a, b := tcp(t)
	kevent(t, k, 0, ident(a, rd, add|clear), ident(a, wr, add|clear))
	check(t, unix.SetsockoptLinger(b, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	shut(t, b)
	for filter, ev := range collect(t, k, rd, wr) {
		if ev.Flags&eof == 0 || ev.Fflags == 0 {
			t.Errorf("filter %d after a reset: %+v", filter, ev)
		}
	}
}

func Test7Pipe(t *testing.T) {
	k := newKqueue(t)
	var p [2]int
	check(t, unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC))
	r, w := owned(t, p[0]), owned(t, p[1])
	want(t, kevent(t, k, 0, ident(r, rd, add|clear), ident(w, wr, add|clear)), wr)
	if _, err := unix.Write(w, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, k, rd); got[rd].Data != 3 || got[rd].Flags&eof != 0 {
		t.Errorf("pipe: %+v", got[rd])
	}
	shut(t, r)
	if got := collect(t, k, wr); got[wr].Flags&eof == 0 {
		t.Errorf("pipe without a reader: %+v", got[wr])
	}
}
