package signals_test

import (
	"fmt"
	"os"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/signals"
	"github.com/lion-go/lion/sys"
)

// A server reads its configuration again at SIGHUP. The task that does it ends
// with the rest of the program, by cancellation.
func Example() {
	reload := func(os.Signal) { fmt.Println("reading the configuration again") }
	err := loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(func(t *loop.Task) error {
				return signals.Receive(t, []os.Signal{sys.Terminate}, func(q *signals.Queue) error {
					for {
						s, err := q.Next(t)
						if err != nil {
							return err
						}
						reload(s)
					}
				})
			})
			// The server itself would be here.
			n.Cancel("the server has ended")
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// <nil>
}
