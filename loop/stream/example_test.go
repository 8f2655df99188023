package stream_test

import (
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// A line-based protocol over any stream; the buffer bounds the length of a
// line.
func ExampleReader() {
	client, server := stream.NewMemory(0)
	err := loop.Run(func(t *loop.Task) error {
		defer client.Close()
		defer server.Close()
		if err := client.SendAll(t, []byte("HELO there\r\nQUIT\r\n")); err != nil {
			return err
		}
		r := stream.NewReader(server, t.Buffer())
		for {
			line, err := r.Line(t)
			if err != nil {
				return err
			}
			fmt.Printf("%s\n", line)
			if string(line) == "QUIT" {
				return nil
			}
		}
	})
	fmt.Println(err)
	// Output:
	// HELO there
	// QUIT
	// <nil>
}
