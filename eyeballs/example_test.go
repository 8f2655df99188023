package eyeballs_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// Connect to the first of several addresses that answers, within five seconds.
func ExampleConnect() {
	err := loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		conn, err := eyeballs.Connect(t, []netip.AddrPort{ln.Addr().AddrPort()},
			eyeballs.WithTimeout(5*time.Second))
		if err != nil {
			return err
		}
		defer conn.Close()
		fmt.Println(conn.RemoteAddr() == ln.Addr())
		return nil
	})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// Dial a name, and look at what happened. The resolver is usually that of
// package resolver; here names have one address each.
func ExampleDial() {
	err := loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		resolve := func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
			at := ln.Addr()
			deliver(socket.Answer{Family: at.Family(), Addrs: []netip.AddrPort{at.AddrPort()}})
			return loop.Checkpoint(t)
		}
		var trace eyeballs.Trace
		conn, err := eyeballs.Dial(t, resolve, "www.example.org:http", eyeballs.WithTrace(&trace))
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, a := range trace.Attempts {
			fmt.Println(a.Addr.Addr(), a.Outcome)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 127.0.0.1 won
	// <nil>
}

// A Trace prints as a timeline.
func ExampleTrace_String() {
	live, dead := netip.MustParseAddrPort("192.0.2.2:443"), netip.MustParseAddrPort("192.0.2.1:443")
	trace := eyeballs.Trace{
		Address: "example.org:443", Elapsed: 350 * time.Millisecond, Winner: 1,
		Lookups: []eyeballs.Lookup{
			{Type: "AAAA", Pending: true},
			{Type: "A", Answered: 30 * time.Millisecond, Addrs: []netip.AddrPort{dead, live}},
		},
		Attempts: []eyeballs.Attempt{
			{Addr: dead, Start: 80 * time.Millisecond, End: 350 * time.Millisecond,
				Outcome: eyeballs.Lost},
			{Addr: live, Start: 330 * time.Millisecond, End: 350 * time.Millisecond,
				Connected: 20 * time.Millisecond, Outcome: eyeballs.Won},
		},
	}
	fmt.Print(&trace)
	// Output:
	// connect example.org:443: 192.0.2.2:443 after 350ms
	// AAAA            0.0 ms  ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  no answer yet
	// A               0.0 ms  ┄┄┄┤                                      2 addresses
	// 192.0.2.1      80.0 ms          ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━○  no answer, lost after 270ms
	// 192.0.2.2     330.0 ms                                      ━━━●  won after 20ms
}
