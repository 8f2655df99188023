package sendfile

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/lion-go/lion/sys"
)

// TransmitMax and TransmitPart are bounds that tests reach.
const (
	TransmitMax  = transmitMax
	TransmitPart = transmitPart
)

// Transmitting is how many files are being sent by the system itself.
func Transmitting() int { return int(transmitting.Load()) }

// Transmit has files of any size sent by what the system has for that, or by a
// stand-in where it has nothing, until restore is called. A begin that is not nil is called when a
// transmission begins; its error is that of the system.
func Transmit(begin func() error) (restore func()) {
	before := transmissions
	can, _ := TransmittedBySystem()
	transmissions = standIn{can, begin}
	return func() { transmissions = before }
}

// TransmittedBySystem reports whether the system can do it, and whether it should:
// Windows for clients does two at a time, and Wine loses resets.
func TransmittedBySystem() (can, should bool) {
	_, err := sys.BeginTransmit(sys.Invalid, sys.Invalid, nil, 0, 1, nil)
	return !errors.Is(err, errors.ErrUnsupported), sys.Transmits()
}

// standIn is a transmitter for systems that have none: a goroutine with a poller of
// its own.
type standIn struct {
	system bool // the system's own is used
	hook   func() error
}

func (standIn) takes(int64) bool { return true }

func (s standIn) begin(
	socket, file sys.FD, head []byte, offset int64, n int,
) (transmission, error) {
	if s.hook != nil {
		if err := s.hook(); err != nil {
			return nil, err
		}
	}
	if s.system {
		return systemTransmitter{}.begin(socket, file, head, offset, n)
	}
	p, err := sys.NewPoller()
	if err != nil {
		return nil, err
	}
	return &patience{poller: p, socket: socket, file: file, head: head, offset: offset, left: n}, nil
}

// patience sends as its Wait is called.
type patience struct {
	poller       *sys.Poller
	socket, file sys.FD
	head         []byte
	offset       int64
	left         int
	cancelled    atomic.Bool
}

// Wait sends all of it.
func (p *patience) Wait() (sent int, err error) {
	defer p.poller.Close()
	var events [4]sys.Event
	for p.left > 0 {
		if p.cancelled.Load() {
			return sent, sys.ECONNABORTED
		}
		head := len(p.head)
		n, err := sys.Sendfile(p.socket, p.file, p.head, p.offset, p.left)
		if err == sys.WouldBlock {
			if err = p.poller.Arm(p.socket, 1, sys.Writable); err == nil {
				_, err = p.poller.Wait(events[:], time.Minute)
			}
			if err != nil {
				return sent, err
			}
			continue
		}
		if err != nil || n == 0 {
			return sent, err
		}
		sent += n
		body := max(0, n-head)
		p.head = p.head[min(n, head):]
		p.offset += int64(body)
		p.left -= body
	}
	return sent, nil
}

// Cancel wakes it.
func (p *patience) Cancel() error {
	p.cancelled.Store(true)
	p.poller.Wake()
	return nil
}
