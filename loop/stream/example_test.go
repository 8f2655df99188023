package stream_test

import (
	"errors"
	"fmt"
	"strings"

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

// Two streams that go one way make one that goes both: those to and from a
// process, say. Memory stands for its pipes here.
func ExampleStaple() {
	err := loop.Run(func(t *loop.Task) error {
		fromChild, childOut := stream.NewMemory(0)
		childIn, toChild := stream.NewMemory(0)
		child := stream.Staple(fromChild, toChild)
		defer child.Close()
		return loop.Nurse(t, func(n *loop.Nursery) error {
			err := n.Spawn(func(t *loop.Task) error { // as if it were a process
				defer childIn.Close()
				defer childOut.Close()
				text := make([]byte, 3)
				if _, err := stream.ReceiveExactly(t, childIn, text); err != nil {
					return err
				}
				return childOut.SendAll(t, append(text, "? yes"...))
			})
			if err != nil {
				return err
			}
			if err := child.SendAll(t, []byte("cat")); err != nil {
				return err
			}
			answer := make([]byte, 8)
			_, err = stream.ReceiveExactly(t, child, answer)
			fmt.Printf("%s\n", answer)
			return err
		})
	})
	fmt.Println(err)
	// Output:
	// cat? yes
	// <nil>
}

// The head of a request, bounded twice: no line is longer than 40 bytes, and
// no head is longer than the buffer.
func ExampleReader_LineWithin() {
	client, server := stream.NewMemory(0)
	err := loop.Run(func(t *loop.Task) error {
		defer client.Close()
		defer server.Close()
		text := "GET /\r\n" + strings.Repeat("x", 50) + "\r\n"
		if err := client.SendAll(t, []byte(text)); err != nil {
			return err
		}
		r := stream.NewReader(server, t.Buffer())
		for {
			line, err := r.LineWithin(t, 40)
			if err != nil {
				return err
			}
			fmt.Printf("%s\n", line)
		}
	})
	fmt.Println(errors.Is(err, stream.ErrTooLong))
	// Output:
	// GET /
	// true
}
