package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"
)

// The name servers are as simple as can be: they answer any name with the same address, and
// cost little beside who asks them.

// serverPort is that of the DNS: glibc knows no other.
const serverPort = 53

// servers holds the sockets, also those that nothing is read from.
var servers []*net.UDPConn

// serve starts all servers, for as long as the process lives.
func serve() error {
	for b := range nobody {
		for _, second := range []bool{false, true} {
			at := net.UDPAddrFromAddrPort(netip.AddrPortFrom(b.address(second), serverPort))
			conn, err := net.ListenUDP("udp4", at)
			if err != nil {
				return err
			}
			servers = append(servers, conn)
			_ = conn.SetReadBuffer(1 << 20) // as much as the system grants
			if b != silent {
				go answerAll(conn, b)
			}
		}
	}
	return nil
}

func answerAll(conn *net.UDPConn, b behaviour) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		q := question(buf[:n])
		if q == nil {
			continue
		}
		send := func(wire []byte) { _, _ = conn.WriteToUDPAddrPort(wire, from) }
		switch b {
		case honest:
			send(reply(q, 0, false))
		case silentAAAA:
			if !q.isAAAA() {
				send(reply(q, 0, false))
			}
		case refusing:
			const refused = 5
			send(reply(q, refused, false))
		case otherOwner:
			send(reply(q, 0, true))
		case wrongNumber:
			forged := reply(q, 0, true)
			forged[0] ^= 0xff
			send(forged)
			time.AfterFunc(later, func() { send(reply(q, 0, false)) })
		case garbage:
			send([]byte("hello"))
			time.AfterFunc(later, func() { send(reply(q, 0, false)) })
		}
	}
}

// asked is a question: its header, and the name and type behind that.
type asked []byte

const (
	headerSize = 12
	typeAAAA   = 28
)

// question copies the question of a message, or returns nil.
func question(wire []byte) asked {
	at := headerSize
	for at < len(wire) && wire[at] != 0 {
		at += int(wire[at]) + 1
	}
	if at += 5; at > len(wire) { // the root, type and class
		return nil
	}
	return append(asked(nil), wire[:at]...)
}

func (q asked) isAAAA() bool { return binary.BigEndian.Uint16(q[len(q)-4:]) == typeAAAA }

// reply answers a question with one address; a lie has an owner that nobody asked for.
func reply(q asked, rcode byte, lie bool) []byte {
	m := append([]byte(nil), q...)
	m[2], m[3] = 0x81, 0x80|rcode // an answer, recursion as desired and available
	clear(m[4:headerSize])
	m[5] = 1
	if rcode != 0 {
		return m
	}
	m[7] = 1
	addr := map[bool]netip.Addr{false: answer4, true: answer6}[q.isAAAA()]
	if lie {
		addr = map[bool]netip.Addr{false: forged4, true: forged6}[q.isAAAA()]
		m = append(m, "\x04evil\x04test\x00"...)
	} else {
		m = append(m, 0xc0, headerSize) // the name of the question
	}
	m = append(m, m[len(q)-4:len(q)]...)                 // its type and class
	m = append(m, 0, 0, 0, 60, 0, byte(addr.BitLen()/8)) // one minute
	return append(m, addr.AsSlice()...)
}
