package stream_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// A model of a Writer: whatever is called, cancelled or broken, and however the
// stream cuts the bytes, what arrives are whole messages that were accepted, each
// once and those of one caller in their order; and the statistics count all.
func TestWriterModel(t *testing.T) {
	for seed := range uint64(300) {
		m := &writerModel{T: t, r: rand.New(rand.NewPCG(seed, 0)), accepted: map[uint16]bool{}}
		looptest.Run(t, m.run)
		m.check()
		if t.Failed() {
			t.Fatalf("seed %d: %+v", seed, m.stats)
		}
	}
}

type writerModel struct {
	*testing.T
	r        *rand.Rand
	w        *stream.Writer
	policy   stream.Policy
	next     uint16
	accepted map[uint16]bool
	put      []uint16 // those that Put has accepted
	got      []byte
	stats    stream.WriterStatistics
}

// message is one that tells its number and its length, and is full of its number.
func (m *writerModel) message() (uint16, []byte) {
	m.next++
	size := m.r.IntN(60)
	b := append(binary.BigEndian.AppendUint16(nil, m.next), byte(size))
	return m.next, append(b, bytes.Repeat([]byte{byte(m.next)}, size)...)
}

func (m *writerModel) run(task *loop.Task) error {
	a, b := stream.NewMemory(1 + m.r.IntN(60))
	defer a.Close()
	defer b.Close()
	to := &looptest.Sabotage{Stream: a, Pieces: []int{1 + m.r.IntN(9), 1 + m.r.IntN(70)}}
	if breaks := m.r.IntN(3000); m.r.IntN(3) == 0 {
		to.BreakSend = &breaks
	}
	m.policy = stream.Policy(m.r.IntN(int(stream.CloseSlow)))
	return loop.Nurse(task, func(outer *loop.Nursery) error {
		err := outer.Spawn(func(task *loop.Task) error { return m.receive(task, b) })
		if err != nil {
			return err
		}
		err = loop.Nurse(task, func(n *loop.Nursery) (err error) {
			m.w, err = stream.NewWriter(n, []stream.Sender{a, to}[m.r.IntN(2)],
				stream.WithBound(1+m.r.IntN(200), 1+m.r.IntN(10)), stream.WithPolicy(m.policy))
			for i := 0; i < 150 && err == nil; i++ {
				err = m.step(task, n)
			}
			if m.r.IntN(2) == 0 {
				_ = m.w.Flush(task) // its error is the Writer's
			}
			_ = n.Cancel("the test is over")
			return err
		})
		m.stats = m.w.Statistics()
		_ = a.Close()
		return err
	})
}

func (m *writerModel) receive(task *loop.Task, from stream.Receiver) error {
	buf := make([]byte, 100)
	for {
		n, err := from.Receive(task, buf[:1+m.r.IntN(len(buf))])
		if err != nil || n == 0 {
			return nil
		}
		m.got = append(m.got, buf[:n]...)
	}
}

func (m *writerModel) step(task *loop.Task, n *loop.Nursery) error {
	switch k := m.r.IntN(24); {
	case k < 12:
		before := m.w.Statistics().Dropped
		i, b := m.message()
		err := m.w.Put(b)
		if err == nil && (m.policy != stream.DropNewest || m.w.Statistics().Dropped == before) {
			m.accepted[i], m.put = true, append(m.put, i)
		}
	case k < 16:
		return m.sendCancelled(n)
	case k == 16 && m.r.IntN(20) == 0:
		return m.w.Close()
	case k == 17 && m.r.IntN(5) == 0:
		_ = m.w.Flush(task) // its error is the Writer's
	default:
		for range m.r.IntN(6) {
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendCancelled spawns a Send, which may be cancelled.
func (m *writerModel) sendCancelled(n *loop.Nursery) error {
	i, b := m.message()
	s, err := loop.NewScope(n.Owner().Loop())
	if err != nil {
		return err
	}
	err = n.Spawn(func(task *loop.Task) error {
		_ = loop.Enter(task, s, func(*loop.Scope) error {
			err := m.w.Send(task, b)
			if err == nil {
				m.accepted[i] = true
			}
			return err
		})
		return nil
	})
	if err != nil || m.r.IntN(3) > 0 {
		return err
	}
	return n.Spawn(func(task *loop.Task) error {
		for range m.r.IntN(5) {
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
		return s.Cancel("test")
	})
}

func (m *writerModel) check() {
	at := map[uint16]int{}
	rest := m.got
	for len(rest) >= 3 && len(rest) >= 3+int(rest[2]) {
		i, body := binary.BigEndian.Uint16(rest), rest[3:3+int(rest[2])]
		if len(bytes.Trim(body, string([]byte{byte(i)}))) > 0 || !m.accepted[i] || at[i] > 0 {
			m.Errorf("message %d: % x, accepted: %t, arrived before: %t", i, body, m.accepted[i], at[i] > 0)
		}
		at[i], rest = len(at)+1, rest[3+len(body):]
	}
	last := 0
	for _, i := range m.put {
		if at[i] > 0 && at[i] < last {
			m.Errorf("message %d has been overtaken", i)
		}
		last = max(last, at[i])
	}
	s := m.stats
	if s.Sent != uint64(len(at)) || s.Queued+s.QueuedBytes+s.FlyingBytes != 0 {
		m.Errorf("%d messages arrived", len(at))
	}
	if torn := len(rest) > 0; torn != s.Torn {
		m.Errorf("%d bytes of a message arrived", len(rest))
	}
	known := uint64(len(m.accepted))
	if m.policy == stream.DropNewest { // which counts what it did not accept
		known = max(known, s.Sent+s.Dropped)
	}
	if s.Sent+s.Dropped != known {
		m.Errorf("%d messages were accepted", known)
	}
}
