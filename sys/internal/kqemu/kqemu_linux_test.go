package kqemu

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
)

// The tests are numbered as the semantics in doc.go.

func Test1FilterAndDescriptorAreTheKey(t *testing.T) {
	k := newKqueue(t)
	a, b := pair(t, unix.SOCK_STREAM)
	send(t, b, "four")
	got := want(t, kevent(t, k, 0, ident(a, rd, add|clear), ident(a, wr, add|clear)), rd, wr)
	if got[rd].Udata == got[wr].Udata || got[rd].Data != 4 || got[rd].Ident != uint64(a) {
		t.Errorf("events %+v", got)
	}
	again := ident(a, rd, add|clear)
	again.Udata = 77
	if got := want(t, kevent(t, k, 0, again), rd); got[rd].Udata != 77 {
		t.Errorf("udata %d, want that of the touch", got[rd].Udata)
	}
}

func Test2TouchRunsTheFilterAndFlagsAreFixed(t *testing.T) {
	k := newKqueue(t)
	a, b := pair(t, unix.SOCK_STREAM)
	send(t, b, "x")
	want(t, kevent(t, k, 0, ident(a, rd, add|clear)), rd)
	want(t, kevent(t, k, 0))
	want(t, kevent(t, k, 0, ident(a, rd, add|oneshot)), rd)
	want(t, kevent(t, k, 0, ident(a, rd, kqueue.FlagEnable)), rd)
	want(t, kevent(t, k, 0)) // Still EV_CLEAR.
	want(t, kevent(t, k, 0, ident(a, rd, kqueue.FlagDisable)))
	want(t, kevent(t, k, 0, ident(a, rd, kqueue.FlagAdd)))
	want(t, kevent(t, k, 0, ident(a, rd, add)), rd)
}

func Test3LevelAndSilentDrop(t *testing.T) {
	k := newKqueue(t)
	a, b := pair(t, unix.SOCK_STREAM)
	c, d := pair(t, unix.SOCK_STREAM)
	send(t, b, "x")
	send(t, d, "x")
	kevent(t, k, 0, ident(a, rd, add), ident(c, rd, add))
	for range 2 { // Level knotes take turns: each call with room for one.
		var one [1]kqueue.Kevent
		seen := map[uint64]bool{}
		for range 2 {
			n, err := k.Kevent(nil, one[:], 0)
			if n != 1 || err != nil {
				t.Fatal(n, err)
			}
			seen[one[0].Ident] = true
		}
		if len(seen) != 2 {
			t.Fatalf("only %v fired in two calls", seen)
		}
	}
	if n := len(kevent(t, k, 0)); n != 2 {
		t.Fatalf("%d events, want one for each knote", n)
	}
	var buf [8]byte
	for _, fd := range []int{a, c} {
		_, err := unix.Read(fd, buf[:])
		check(t, err)
	}
	want(t, kevent(t, k, 0)) // Marked active, but not ready any more.
}

func Test4ClearOneshotDispatch(t *testing.T) {
	k := newKqueue(t)
	a, b := pair(t, unix.SOCK_STREAM)
	send(t, b, "12")
	want(t, kevent(t, k, 0, ident(a, rd, add|clear)), rd)
	want(t, kevent(t, k, 0))
	send(t, b, "345")
	if got := want(t, kevent(t, k, 0), rd); got[rd].Data != 5 {
		t.Errorf("data %d, want all 5", got[rd].Data)
	}
	kevent(t, k, 0, ident(a, rd, kqueue.FlagDelete))

	want(t, kevent(t, k, 0, ident(a, rd, add|oneshot)), rd)
	send(t, b, "6")
	want(t, kevent(t, k, 0))
	gone := kevent(t, k, 0, ident(a, rd, kqueue.FlagDelete))
	if len(gone) != 1 || gone[0].Flags&kqueue.FlagError == 0 || gone[0].Data != int64(unix.ENOENT) {
		t.Errorf("deletion of a fired one-shot: %+v", gone)
	}

	want(t, kevent(t, k, 0, ident(a, rd, add|kqueue.FlagDispatch)), rd)
	send(t, b, "7")
	want(t, kevent(t, k, 0))
	want(t, kevent(t, k, 0, ident(a, rd, kqueue.FlagEnable)), rd)
}

func Test5ChangesAndErrors(t *testing.T) {
	k := newKqueue(t)
	a, b := pair(t, unix.SOCK_STREAM)
	send(t, b, "x")
	bad := ident(1<<20, rd, add)
	absent := ident(b, wr, kqueue.FlagDelete)
	got := kevent(t, k, 10*time.Second, bad, absent, ident(a, rd, add|clear), ident(a, -100, add))
	if len(got) != 3 {
		t.Fatalf("entries %+v", got)
	}
	for i, e := range []unix.Errno{unix.EBADF, unix.ENOENT, unix.EINVAL} {
		if got[i].Flags&kqueue.FlagError == 0 || got[i].Data != int64(e) {
			t.Errorf("entry %d: %+v, want %v", i, got[i], e)
		}
	}
	if got[0].Udata != bad.Udata {
		t.Error("an entry must keep the change's udata")
	}
	want(t, kevent(t, k, 0), rd) // The event was kept for a call without entries.

	receipt := kevent(t, k, 0, ident(a, rd, add|kqueue.FlagReceipt))
	if len(receipt) != 1 || receipt[0].Flags&kqueue.FlagError == 0 || receipt[0].Data != 0 {
		t.Errorf("receipt %+v", receipt)
	}
	want(t, kevent(t, k, 0), rd)

	if _, err := k.Kevent([]kqueue.Kevent{bad, ident(a, wr, add)}, nil, -1); !errors.Is(err, unix.EBADF) {
		t.Errorf("without room: %v, want EBADF", err)
	}
	want(t, kevent(t, k, 0)) // WRITE came after the failure and was not added.
	if n, err := k.Kevent([]kqueue.Kevent{ident(a, wr, add)}, nil, -1); n != 0 || err != nil {
		t.Errorf("without room: %d, %v", n, err)
	}
	want(t, kevent(t, k, 0), wr)
}

func Test6ReadEndAndData(t *testing.T) {
	k := newKqueue(t)
	a, b := tcp(t)
	send(t, b, "data")
	check(t, unix.Shutdown(b, unix.SHUT_WR))
	until(t, a, unix.POLLRDHUP)
	got := want(t, kevent(t, k, 10*time.Second, ident(a, rd, add|clear)), rd)
	if ev := got[rd]; ev.Flags&eof == 0 || ev.Data != 4 || ev.Fflags != 0 {
		t.Errorf("end with data: %+v", ev)
	}
}

func Test6ReadDatagrams(t *testing.T) {
	k := newKqueue(t)
	a, b := pair(t, unix.SOCK_DGRAM)
	want(t, kevent(t, k, 0, ident(a, rd, add|clear)))
	send(t, b, "")
	if got := want(t, kevent(t, k, 0), rd); got[rd].Data != 0 || got[rd].Flags&eof != 0 {
		t.Errorf("empty datagram: %+v", got[rd])
	}

	// A datagram to a port where nobody listens comes back as an error.
	l := socket(t, unix.AF_INET, unix.SOCK_DGRAM)
	check(t, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := unix.Getsockname(l)
	check(t, err)
	u := socket(t, unix.AF_INET, unix.SOCK_DGRAM)
	check(t, unix.Connect(u, name))
	shut(t, l)
	want(t, kevent(t, k, 0, ident(u, rd, add|clear)))
	send(t, u, "hello?")
	got := want(t, kevent(t, k, 10*time.Second), rd)
	if ev := got[rd]; ev.Ident != uint64(u) || ev.Flags&eof != 0 {
		t.Errorf("pending error: %+v", ev)
	}
}

func Test6Listener(t *testing.T) {
	k := newKqueue(t)
	l, name := listen(t)
	want(t, kevent(t, k, 0, ident(l, rd, add|clear), ident(l, wr, add|clear)))
	for n := range int64(2) {
		c := socket(t, unix.AF_INET, unix.SOCK_STREAM)
		if err := unix.Connect(c, name); err != nil && err != unix.EINPROGRESS {
			t.Fatal(err)
		}
		until(t, c, unix.POLLOUT)
		if got := collect(t, k, rd); got[rd].Data != n+1 {
			t.Errorf("%d connections wait, data %d", n+1, got[rd].Data)
		}
	}
}

func Test6Mark(t *testing.T) {
	k := newKqueue(t)
	a, b := tcp(t)
	mark := ident(a, rd, add|clear)
	mark.Fflags = kqueue.NoteOOB
	other := mark
	other.Filter = except
	want(t, kevent(t, k, 0, mark, other))
	check(t, unix.Send(b, []byte("!"), unix.MSG_OOB))
	until(t, a, unix.POLLPRI)
	got := collect(t, k, rd, except)
	if got[rd].Fflags != kqueue.NoteOOB || got[except].Fflags != kqueue.NoteOOB {
		t.Errorf("events %+v, want NOTE_OOB in both", got)
	}
}

func Test8CloseRemovesKnotes(t *testing.T) {
	k := newKqueue(t)
	a, b := pair(t, unix.SOCK_STREAM)
	c, d := pair(t, unix.SOCK_STREAM)
	kevent(t, k, 0, ident(a, rd, add|clear))
	send(t, b, "old")
	check(t, unix.Dup3(c, a, unix.O_CLOEXEC)) // closes a and makes it anew
	want(t, kevent(t, k, 0))
	gone := kevent(t, k, 0, ident(a, rd, kqueue.FlagEnable))
	if len(gone) != 1 || gone[0].Data != int64(unix.ENOENT) {
		t.Errorf("touch of a closed descriptor's knote: %+v", gone)
	}
	want(t, kevent(t, k, 0, ident(a, rd, add|clear)))
	send(t, d, "new!")
	if got := want(t, kevent(t, k, 0), rd); got[rd].Data != 4 {
		t.Errorf("event of the new descriptor: %+v", got[rd])
	}
}

func Test9User(t *testing.T) {
	k := newKqueue(t)
	const orTwo, trigger = ffOr | 2, kqueue.NoteTrigger
	unknown := kevent(t, k, 0, kqueue.Kevent{Ident: 1, Filter: user, Fflags: trigger})
	if len(unknown) != 1 || unknown[0].Data != int64(unix.ENOENT) {
		t.Errorf("unknown: %+v", unknown)
	}
	want(t, kevent(t, k, 0, kqueue.Kevent{Ident: 1, Filter: user, Flags: add | clear, Fflags: 1}))
	for range 3 {
		if n, err := k.Kevent([]kqueue.Kevent{{Ident: 1, Filter: user, Fflags: trigger | orTwo}}, nil, 0); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := want(t, kevent(t, k, 0), user); got[user].Fflags&ffFlags != 3 {
		t.Errorf("fflags %#x, want both bits", got[user].Fflags)
	}
	want(t, kevent(t, k, 0))

	done := make(chan error)
	go func() {
		_, err := k.Kevent([]kqueue.Kevent{{Ident: 1, Filter: user, Fflags: trigger}}, nil, 0)
		done <- err
	}()
	want(t, kevent(t, k, -1), user)
	check(t, <-done)
}

func Test10InterruptIsReturned(t *testing.T) {
	k := newKqueue(t)
	kevent(t, k, 0, kqueue.Kevent{Ident: 1, Filter: user, Flags: add | clear})
	err := whileInterrupted(t, func() error {
		var events [1]kqueue.Kevent
		_, err := k.Kevent(nil, events[:], -1)
		return err
	})
	if err != unix.EINTR {
		t.Errorf("an interrupted call answered %v, want EINTR", err)
	}
}

func TestTimeoutIsNeverEarly(t *testing.T) {
	k := newKqueue(t)
	for _, d := range []time.Duration{1, time.Microsecond, 1500 * time.Microsecond, 5 * time.Millisecond} {
		start := time.Now()
		want(t, kevent(t, k, d))
		if took := time.Since(start); took < d {
			t.Errorf("timeout %v after %v", d, took)
		}
	}
}
