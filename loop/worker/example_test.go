package worker_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/worker"
)

// A file is read on a worker; the loop goes on meanwhile.
func Example() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "greeting")
	os.WriteFile(name, []byte("hello"), 0o600)

	err := loop.Run(func(t *loop.Task) error {
		data, err := worker.Value(t, func(*worker.Job) ([]byte, error) {
			return os.ReadFile(name)
		})
		fmt.Printf("%s\n", data)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}

// A long computation reports to the loop, and looks whether it should stop.
func ExampleJob_Do() {
	err := loop.Run(func(t *loop.Task) error {
		progress := 0 // belongs to the loop
		return loop.Scoped(t, func(s *loop.Scope) error {
			return worker.Run(t, func(j *worker.Job) error {
				for {
					if err := j.CheckCancelled(); err != nil {
						return err
					}
					err := j.Do(func(t *loop.Task) error {
						if progress += 50; progress == 100 {
							fmt.Println("enough")
							s.Cancel("enough")
						}
						return nil
					})
					if err != nil {
						return err
					}
				}
			})
		})
	})
	fmt.Println(err)
	// Output:
	// enough
	// <nil>
}
