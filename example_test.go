package lion_test

import (
	"fmt"
	"net/netip"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// The server of the README, and a client of it as another task of the loop.
func Example() {
	err := loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		addr := ln.Addr().AddrPort()
		return loop.Nurse(t, func(n *loop.Nursery) error {
			if err := n.Spawn(func(t *loop.Task) error {
				return socket.Serve(t, ln, echo)
			}); err != nil {
				return err
			}
			if err := ask(t, addr, "hello"); err != nil {
				return err
			}
			return n.Cancel("the client has its answer")
		})
	})
	fmt.Println("error:", err)
	// Output:
	// answer: hello
	// error: <nil>
}

func echo(t *loop.Task, c stream.Stream) error {
	buf := t.Buffer() // borrowed from the loop until the handler returns
	for {
		n, err := c.Receive(t, buf) // t is passed: this may suspend this task
		if err != nil || n == 0 {   // 0: the peer is done sending
			return err
		}
		if err := c.SendAll(t, buf[:n]); err != nil {
			return err
		}
	}
}

// ask sends a text and prints what comes back.
func ask(t *loop.Task, addr netip.AddrPort, text string) error {
	c, err := socket.ConnectTCP(t, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SendAll(t, []byte(text)); err != nil {
		return err
	}
	answer := make([]byte, len(text))
	n, err := stream.ReceiveExactly(t, c, answer)
	fmt.Printf("answer: %s\n", answer[:n])
	return err
}
