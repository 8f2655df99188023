package eyeballs

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// races runs the scenario given by its lines in one world again and again, with
// one memory, and answers with the starts and the time of each race; between
// them between is called.
func races(t *testing.T, n int, between func(task *loop.Task, h *History, i int) error,
	lines ...[2]string) (starts [][]mark, took []time.Duration) {
	t.Helper()
	s := &scenario{acts: map[netip.AddrPort]behaviour{}}
	for _, line := range lines {
		if err := s.line(line[0], line[1]); err != nil {
			t.Fatal(err)
		}
	}
	h := &History{}
	s.opts = append(s.opts, WithHistory(h))
	looptest.Run(t, func(task *loop.Task) error {
		for i := range n {
			w, began := &world{scenario: s}, since(task)
			won, err := s.play(task, w, &Trace{})
			if err != nil {
				return err
			}
			_ = won.Close()
			for j := range w.starts {
				w.starts[j].at -= began
			}
			starts, took = append(starts, w.starts), append(took, since(task)-began)
			if between == nil {
				continue
			}
			if err := between(task, h, i); err != nil {
				return err
			}
		}
		return nil
	}, loop.WithClock(looptest.NewAutojumpClock()))
	return starts, took
}

// Scenario E85 and S337: a dead address costs nothing the second time, but is
// still tried, last; in another network nothing of that holds.
func TestE85DeadAddressesGoLast(t *testing.T) {
	_, took := races(t, 3, func(_ *loop.Task, h *History, i int) error {
		if i == 1 {
			h.NetworkChanged()
		}
		return nil
	}, [2]string{"list", "4a=bh 4b=ok@20"})
	if want := []time.Duration{270 * ms, 20 * ms, 270 * ms}; !slices.Equal(took, want) {
		t.Errorf("the races took %v, want %v", took, want)
	}
	starts, _ := races(t, 2, nil, [2]string{"list", "4a=rst@5 4b=rst@5 4c=ok@20"})
	if len(starts[1]) != 1 || starts[1][0].what != "192.0.2.12" {
		t.Errorf("the second race starts %v", starts[1])
	}
}

// The same across families: IPv6 that is dead as a whole is not waited for.
func TestDeadFamilyGoesLast(t *testing.T) {
	_, took := races(t, 2, nil, [2]string{"dns", "AAAA@0=6a A@0=4a"}, [2]string{"with", "6a=bh"})
	if want := []time.Duration{270 * ms, 20 * ms}; !slices.Equal(took, want) {
		t.Errorf("the races took %v, want %v", took, want)
	}
}

// The same if the host has more of the dead family: who is known to live goes
// before who is not known at all.
func TestKnownBeforeUnknown(t *testing.T) {
	starts, took := races(t, 2, nil,
		[2]string{"dns", "AAAA@0=6a,6b,6c A@0=4a"}, [2]string{"with", "6a=bh 6b=bh 6c=bh"})
	if want := []time.Duration{270 * ms, 20 * ms}; !slices.Equal(took, want) {
		t.Errorf("the races took %v, want %v: %v", took, want, starts)
	}
}

// Scenario E86: the memory fades, and an address that failed is tried in its
// turn.
func TestE86MemoryFades(t *testing.T) {
	_, took := races(t, 4, func(task *loop.Task, _ *History, i int) error {
		return loop.Sleep(task, []time.Duration{HistoryLife - time.Second, time.Second, 0, 0}[i])
	}, [2]string{"list", "4a=bh 4b=ok@20"})
	want := []time.Duration{270 * ms, 20 * ms, 270 * ms, 20 * ms}
	if !slices.Equal(took, want) {
		t.Errorf("the races took %v, want %v", took, want)
	}
}

// Scenario E87: a faster IPv4 does not overtake an IPv6 that works.
func TestE87FamiliesKeepTheirOrder(t *testing.T) {
	starts, _ := races(t, 3, nil, [2]string{"list", "6a=ok@90 4a=ok@1"})
	for _, s := range starts {
		if s[0].what != "2001:db8::a" || len(s) != 1 {
			t.Errorf("starts %v, want IPv6 alone", s)
		}
	}
}

// The memory is bounded: what was heard of longest ago goes first.
func TestHistoryIsBounded(t *testing.T) {
	h := &History{}
	addr := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
	}
	for i := range HistoryMax + 10 {
		h.Failed(addr(i), epoch)
		h.Failed(addr(0), epoch) // stays young
	}
	if h.Len() != HistoryMax {
		t.Errorf("%d addresses are remembered, want %d", h.Len(), HistoryMax)
	}
	if h.find(addr(0), epoch) == nil || h.find(addr(1), epoch) != nil {
		t.Error("not the oldest was forgotten")
	}
	for _, o := range h.outcomes {
		h.forget(o)
	}
	if h.Len() != 0 || h.oldest != nil || h.newest != nil {
		t.Error("something is left after all was forgotten")
	}
}

// Round trips are smoothed as RFC 6298 has it.
func TestRoundTrips(t *testing.T) {
	h, a := &History{}, addrOf("4a")
	if _, ok := h.timeout(a, epoch); ok {
		t.Error("a time-out from nothing")
	}
	h.Connected(a, 40*ms, epoch)
	if rto, _ := h.timeout(a, epoch); rto != 120*ms {
		t.Errorf("after one round trip the time-out is %v, want 120ms", rto)
	}
	h.Connected(a, 80*ms, epoch)
	if rto, _ := h.timeout(a, epoch); rto != 145*ms {
		t.Errorf("after two the time-out is %v, want 145ms", rto)
	}
	if _, ok := h.timeout(a, epoch.Add(HistoryLife)); ok {
		t.Error("a time-out from a memory that has faded")
	}
}
