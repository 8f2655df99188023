package loop_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// lotModel checks two parking lots against two lists of numbers.
type lotModel struct {
	t     *testing.T
	n     *loop.Nursery
	rng   *rand.Rand
	lots  [2]loop.ParkingLot
	lists [2][]int
	tasks map[int]*loop.Handle[int]
	woken []int // in the order of their turns
	want  []int // who is to wake, in that order
	next  int
}

func (m *lotModel) park() error {
	lot, number := m.rng.IntN(2), m.next
	m.next++
	h, err := loop.Go(m.n, func(task *loop.Task) (int, error) {
		err := m.lots[lot].Park(task, "model")
		if err == nil {
			m.woken = append(m.woken, number)
		}
		return number, err
	})
	if err != nil {
		return err
	}
	m.tasks[number] = h
	m.lists[lot] = append(m.lists[lot], number)
	return nil
}

func (m *lotModel) unpark() {
	lot := m.rng.IntN(2)
	count := m.rng.IntN(4)
	woken, err := m.lots[lot].Unpark(count)
	if count = min(count, len(m.lists[lot])); err != nil || len(woken) != count {
		m.t.Errorf("unparked %v, %v", woken, err)
		return
	}
	for i, task := range woken {
		if task != m.tasks[m.lists[lot][i]].Task() {
			m.t.Errorf("unparked %v, want those of %v", woken, m.lists[lot][:count])
		}
	}
	m.want = append(m.want, m.lists[lot][:count]...)
	m.lists[lot] = m.lists[lot][count:]
}

func (m *lotModel) repark() {
	from := m.rng.IntN(2)
	count := m.rng.IntN(4)
	if err := m.lots[from].Repark(&m.lots[1-from], count); err != nil {
		m.t.Error(err)
	}
	count = min(count, len(m.lists[from]))
	m.lists[1-from] = append(m.lists[1-from], m.lists[from][:count]...)
	m.lists[from] = slices.Clone(m.lists[from][count:])
}

func (m *lotModel) cancel() {
	lot := m.rng.IntN(2)
	if len(m.lists[lot]) == 0 {
		return
	}
	i := m.rng.IntN(len(m.lists[lot]))
	m.tasks[m.lists[lot][i]].Cancel("model")
	m.lists[lot] = slices.Delete(slices.Clone(m.lists[lot]), i, i+1)
}

// compare is called when everybody who was woken has had a turn.
func (m *lotModel) compare(step int) {
	slices.Sort(m.woken) // the order of turns within a pass is drawn by lot
	slices.Sort(m.want)
	if !slices.Equal(m.woken, m.want) {
		m.t.Errorf("step %d: %v have woken, want %v", step, m.woken, m.want)
	}
	m.woken, m.want = nil, nil
	for i := range m.lots {
		var parked []int
		for _, task := range m.lots[i].Tasks() {
			for number, h := range m.tasks {
				if h.Task() == task {
					parked = append(parked, number)
				}
			}
		}
		if !slices.Equal(parked, m.lists[i]) {
			m.t.Errorf("step %d: in lot %d are %v, want %v", step, i, parked, m.lists[i])
		}
	}
}

// reliability 22: parking, unparking, moving and cancelling at random keep the
// order of two lots, and lose nobody.
func TestParkingLotAgainstModel(t *testing.T) {
	const seeds, steps = 20, 300
	for seed := range uint64(seeds) {
		looptest.Run(t, func(task *loop.Task) error {
			m := &lotModel{t: t, rng: rand.New(rand.NewPCG(seed, 1)), tasks: map[int]*loop.Handle[int]{}}
			return loop.Nurse(task, func(n *loop.Nursery) error {
				m.n = n
				for step := range steps {
					switch m.rng.IntN(6) {
					case 0:
						m.unpark()
					case 1:
						m.repark()
					case 2:
						m.cancel()
					default:
						if err := m.park(); err != nil {
							return err
						}
					}
					settled(task, t)
					m.compare(step)
					if t.Failed() {
						return errors.New("it differs from the model")
					}
				}
				return n.Cancel("enough")
			})
		})
	}
}

// reliability 13, 33: more descriptors become ready at once than one poll
// takes, beside a task that is always busy: every waiter is served, once, and
// within a few polls.
func TestMoreEventsThanABatch(t *testing.T) {
	const pairs = 300
	looptest.Run(t, func(task *loop.Task) error {
		var ends [][2]sys.FD
		defer func() {
			for _, p := range ends {
				closeAll(t, p[0], p[1])
			}
		}()
		served, done := 0, false
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range pairs {
				a, b := pair(t)
				ends = append(ends, [2]sys.FD{a, b})
				d := task.Loop().Register(a)
				d.MarkDrained(sys.Readable)
				n.Spawn(func(task *loop.Task) error {
					defer d.Forget()
					if err := loop.WaitReadable(task, d); err != nil {
						return err
					}
					var buf [2]byte
					if got, err := sys.Recv(d.FD(), buf[:], 0); got != 1 || err != nil {
						t.Errorf("received %d, %v", got, err)
					}
					served++
					return nil
				})
			}
			settled(task, t)
			n.Spawn(func(task *loop.Task) error {
				for !done {
					if err := loop.Checkpoint(task); err != nil {
						return err
					}
				}
				return nil
			})
			before := task.Statistics()
			for _, p := range ends {
				send(t, p[1], "x")
			}
			for served < pairs {
				if err := loop.Checkpoint(task); err != nil {
					return err
				}
			}
			done = true
			after := task.Statistics()
			if events := after.Events - before.Events; events < pairs || after.Polls-before.Polls < 3 {
				t.Errorf("%d events in %d polls", events, after.Polls-before.Polls)
			}
			return nil
		})
	})
}
