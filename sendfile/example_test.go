package sendfile_test

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
)

// A server that answers with a file. The descriptor is opened once, and serves
// every connection.
func ExampleSend() {
	f, err := os.Open("doc.go")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	answer := func(t *loop.Task, c *socket.Conn) error {
		header := []byte("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		_, err := sendfile.Send(t, c, f, 0, -1, sendfile.WithHeader(header))
		return err
	}
	_ = answer
	// Output:
}

// A file that is opened for one answer: its size is known, and goes into the header.
func ExampleFile_Send() {
	err := loop.Run(func(t *loop.Task) error {
		f, err := sendfile.Open("doc.go")
		if err != nil {
			return err
		}
		defer f.Close()
		server, client := stream.NewMemory(0) // or a connection, where the kernel sends
		defer client.Close()
		defer server.Close()
		return loop.Nurse(t, func(n *loop.Nursery) error {
			if err := n.Spawn(func(t *loop.Task) error {
				header := fmt.Appendf(nil, "length %d\n", f.Size())
				_, err := f.Send(t, server, 0, -1, sendfile.WithHeader(header))
				return errors.Join(err, server.SendEOF(t))
			}); err != nil {
				return err
			}
			answer, err := receiveAll(t, client)
			header, file, _ := strings.Cut(string(answer), "\n")
			fmt.Println(header == fmt.Sprint("length ", len(file)))
			return err
		})
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}

// A relay is two copies, one in each direction. Each hands the end on.
func ExampleCopy() {
	relay := func(t *loop.Task, client, server *socket.Conn) error {
		oneWay := func(dst, src *socket.Conn) func(t *loop.Task) error {
			return func(t *loop.Task) error {
				_, err := sendfile.Copy(t, dst, src, -1)
				return errors.Join(err, dst.SendEOF(t))
			}
		}
		return loop.Nurse(t, func(n *loop.Nursery) error {
			if err := n.Spawn(oneWay(server, client)); err != nil {
				return err
			}
			return n.Spawn(oneWay(client, server))
		})
	}
	_ = relay
	// Output:
}
