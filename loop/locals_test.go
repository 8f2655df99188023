package loop_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// ticket is a value that can travel.
type ticket struct{ number int }

func (k ticket) MarshalBinary() ([]byte, error) {
	if k.number < 0 {
		return nil, errKey
	}
	return strconv.AppendInt(nil, int64(k.number), 10), nil
}

func (k *ticket) UnmarshalBinary(data []byte) (err error) {
	k.number, err = strconv.Atoi(string(data))
	return err
}

// Values that declare that they can travel are packed and unpacked by the
// names of their variables; the others stay.
func TestLocalsTravel(t *testing.T) {
	here := loop.NewLocal("ticket", ticket{})
	plain := loop.NewLocal("plain", 0)
	var values loop.Locals
	values = plain.With(here.With(here.With(values, ticket{1}), ticket{7}), 5)
	packed, err := values.Pack()
	want(t, "Pack", err, nil)
	if len(packed) != 1 || string(packed["ticket"]) != "7" {
		t.Errorf("packed: %q", packed)
	}
	// On the other side there is another variable of that name.
	there := loop.NewLocal("ticket", ticket{3})
	arrived, err := there.Unpack(loop.Locals{}, packed)
	want(t, "Unpack", err, nil)
	if v := there.From(arrived); v.number != 7 {
		t.Errorf("arrived: %v", v)
	}
	same, err := loop.NewLocal("other", ticket{}).Unpack(arrived, packed)
	if err != nil || same != arrived {
		t.Errorf("what was not sent: %v", err)
	}
}

func TestLocalsThatCannotTravel(t *testing.T) {
	first, second := loop.NewLocal("ticket", ticket{}), loop.NewLocal("ticket", ticket{})
	_, err := second.With(first.With(loop.Locals{}, ticket{1}), ticket{2}).Pack()
	want(t, "two of one name", err, loop.ErrMisuse)
	_, err = loop.NewLocal("", ticket{}).With(loop.Locals{}, ticket{1}).Pack()
	want(t, "no name", err, loop.ErrMisuse)
	_, err = first.With(loop.Locals{}, ticket{-1}).Pack()
	want(t, "a value that fails", err, errKey)
	wantText(t, err.Error(), "ticket")
	packed := map[string][]byte{"ticket": []byte("x")}
	kept, err := first.Unpack(loop.Locals{}, packed)
	want(t, "data that fail", err, strconv.ErrSyntax)
	if kept != (loop.Locals{}) {
		t.Error("a value was made of it")
	}
	_, err = loop.NewLocal("ticket", 0).Unpack(loop.Locals{}, packed)
	want(t, "a type without a way", err, loop.ErrMisuse)
}

// A nil is a value as any other.
func TestLocalNil(t *testing.T) {
	local := loop.NewLocal("error", errKey)
	if v := local.From(local.With(loop.Locals{}, nil)); v != nil {
		t.Errorf("got %v", v)
	}
}

// A PerLoop has a value in each loop, made when it is first asked for, seen by
// all its tasks at once, and gone with the loop.
func TestS424PerLoop(t *testing.T) {
	made := 0
	v := loop.NewPerLoop("variable", func(*loop.Loop) int { made++; return 10 * made })
	for run := range 2 {
		looptest.Run(t, func(task *loop.Task) error {
			l := task.Loop()
			if got := v.In(l); got != 10*(run+1) {
				t.Errorf("run %d began with %d", run, got)
			}
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(t2 *loop.Task) error {
					v.Set(t2.Loop(), v.In(t2.Loop())+1)
					return nil
				})
				settled(task, t)
				if got := v.In(l); got != 10*(run+1)+1 {
					t.Errorf("run %d has %d now", run, got)
				}
				return nil
			})
		})
	}
	if made != 2 {
		t.Errorf("made %d times", made)
	}
	none := loop.NewPerLoop[error]("none", nil)
	looptest.Run(t, func(task *loop.Task) error {
		for range 2 {
			if got := none.In(task.Loop()); got != nil {
				t.Errorf("the zero value is %v", got)
			}
		}
		return nil
	})
	if v.Name() != "variable" || none.Name() != "none" {
		t.Error("the names are wrong")
	}
}

// requestID goes along with a request, wherever it is dealt with.
var requestID = loop.NewLocal("request", "none")

func ExampleLocal() {
	err := loop.Run(func(t *loop.Task) error {
		t.SetLocals(requestID.With(t.Locals(), "42"))
		return loop.Nurse(t, func(n *loop.Nursery) error {
			return n.Spawn(func(t *loop.Task) error {
				fmt.Println("request", requestID.From(t.Locals()))
				return nil
			})
		})
	})
	fmt.Println(err)
	// Output:
	// request 42
	// <nil>
}

// Each loop has a part of a table to itself; who needs another part asks the
// loop that has it. There is no lock.
func ExampleCall() {
	table := []map[string]int{{"apples": 1}, {"pears": 2}}
	err := loop.RunEach(2, func(t *loop.Task, i int) error {
		if i == 1 {
			return loop.SleepForever(t) // and serves the others
		}
		owner, pears := t.Loop().Team()[1], 0
		err := loop.Call(t, owner, func(*loop.Task) error {
			table[1]["pears"]++
			pears = table[1]["pears"]
			return nil
		})
		fmt.Println("pears:", pears)
		return errors.Join(err, errDone)
	})
	fmt.Println(errors.Is(err, errDone))
	// Output:
	// pears: 3
	// true
}

// errDone ends all loops.
var errDone = errors.New("done")
