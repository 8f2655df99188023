// Command consumer uses lion as somebody else's module would: from outside of
// its tree, through a replace. .ci/run builds it for every system and runs it.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lion-go/lion/loop"
)

func main() {
	if err := loop.Run(race); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("a module from outside runs tasks")
}

// race starts a quick task and one that waits for ever, takes the answer of
// the first and cancels the other.
func race(t *loop.Task) error {
	answer := ""
	err := loop.FailAfter(t, 10*time.Second, func(*loop.Scope) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			if err := n.Spawn(loop.SleepForever); err != nil {
				return err
			}
			return n.Spawn(func(t *loop.Task) error {
				if err := loop.Sleep(t, time.Millisecond); err != nil {
					return err
				}
				answer = "done"
				return n.Cancel("the race is decided")
			})
		})
	})
	if err == nil && answer != "done" {
		err = errors.New("the quick task never ran")
	}
	return err
}
