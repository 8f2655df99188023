package load

// The generator of load on Linux: one thread, edge-triggered epoll, raw system calls that
// never block. It does not use lion, the thing it measures.
//
// It must cost less than the servers, or it would measure itself: with one core each, a
// generator of goroutines saturates before the servers do.

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/lion-go/lion/bench/internal/hello"
)

const (
	// eventsPerWait is how many events one epoll_wait may return: all of a usual run.
	eventsPerWait = 128
	// connectBatch is how many connections are opened before they are used: far below the
	// backlog of any server, whose overflow would cost a second's retransmission.
	connectBatch = 128
	// lookPeriod is how long one epoll_wait may last, so that silence is noticed.
	lookPeriod = time.Second
	// timerTag is the event data of the timer; connections have their index.
	timerTag = -1
)

var request = []byte(hello.Request)

// connection is one keep-alive connection with at most one request under way.
type connection struct {
	fd    int
	start time.Duration // When the request was due (open loop) or sent (closed loop).
	busy  bool
	part  []byte // The start of an answer that came in pieces.
}

// engine loads the connections of one target.
type engine struct {
	epoll, timer int
	conns        []connection
	answers      answers
	buffer       []byte
	events       []unix.EpollEvent

	began   time.Time // What all moments of a run count from.
	latency *hdrhistogram.Histogram
	done    int64
	busy    int
	heard   time.Duration // When the last answer came.
	idle    []int         // Indices of connections without a request, in order of their last use.
}

func newEngine(c Command) (*engine, error) {
	address, err := netip.ParseAddrPort(c.Address)
	if err != nil {
		return nil, err
	}
	e := &engine{
		epoll:  -1,
		timer:  -1,
		buffer: make([]byte, maxAnswer),
		events: make([]unix.EpollEvent, eventsPerWait),
		began:  time.Now(),
	}
	if err := e.open(address, c.Conns); err != nil {
		e.close()
		return nil, fmt.Errorf("connection %d of %d to %s: %w",
			len(e.conns)+1, c.Conns, address, err)
	}
	return e, nil
}

func (e *engine) open(address netip.AddrPort, conns int) (err error) {
	if e.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	e.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return err
	}
	if err := e.register(e.timer, timerTag); err != nil {
		return err
	}
	for len(e.conns) < conns {
		first := len(e.conns)
		for len(e.conns) < min(conns, first+connectBatch) {
			if err := e.connect(address); err != nil {
				return err
			}
		}
		if err := e.useOnce(first); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) register(fd, tag int) error {
	return unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     int32(tag),
	})
}

// connect opens one connection. It blocks, as a listener on loopback accepts at once.
func (e *engine) connect(address netip.AddrPort) error {
	family := unix.AF_INET
	var name unix.Sockaddr = &unix.SockaddrInet4{Port: int(address.Port()), Addr: as4(address)}
	if address.Addr().Is6() {
		family = unix.AF_INET6
		name = &unix.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	e.conns = append(e.conns, connection{fd: fd})
	if err := unix.Connect(fd, name); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	return e.register(fd, len(e.conns)-1)
}

func as4(address netip.AddrPort) [4]byte {
	if ip := address.Addr().Unmap(); ip.Is4() {
		return ip.As4()
	}
	return [4]byte{}
}

// useOnce sends one request on every connection from first on and waits for the answers, so
// that the server has seen each of them.
func (e *engine) useOnce(first int) error {
	e.reset()
	for i := first; i < len(e.conns); i++ {
		if err := e.send(i, e.now()); err != nil {
			return err
		}
	}
	return e.drain()
}

// run obeys a Run command.
func (e *engine) run(c Command) (Outcome, error) {
	e.reset()
	var err error
	if c.Rate > 0 {
		err = e.openLoop(c)
	} else {
		err = e.closedLoop(c)
	}
	if err != nil {
		return Outcome{}, err
	}
	elapsed := e.now()
	latency, err := e.latency.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return Outcome{Requests: e.done, Elapsed: elapsed, Latency: latency}, err
}

func (e *engine) reset() {
	e.began, e.latency, e.done, e.busy = time.Now(), NewHistogram(), 0, 0
	e.heard = 0
	e.idle = e.idle[:0]
}

func (e *engine) now() time.Duration { return time.Since(e.began) }

func (e *engine) closedLoop(c Command) error {
	for i := range e.conns {
		if err := e.send(i, e.now()); err != nil {
			return err
		}
	}
	for {
		if err := e.wait(); err != nil {
			return err
		}
		now := e.now()
		if now >= c.Duration {
			return e.drain()
		}
		for _, i := range e.idle {
			if err := e.send(i, now); err != nil {
				return err
			}
			now = e.now()
		}
		e.idle = e.idle[:0]
	}
}

func (e *engine) openLoop(c Command) error {
	due := newSchedule(c)
	for i := range e.conns {
		e.idle = append(e.idle, i)
	}
	for !due.finished() {
		now := e.now()
		if now > c.Duration+lateLimit {
			return fmt.Errorf("the server cannot keep %v requests per second", c.Rate)
		}
		for !due.finished() && due.due <= now && len(e.idle) > 0 {
			if err := e.send(e.idle[0], due.due); err != nil {
				return err
			}
			e.idle = append(e.idle[:0], e.idle[1:]...)
			due.advance()
		}
		if len(e.idle) > 0 && !due.finished() {
			if err := e.setTimer(due.due - e.now()); err != nil {
				return err
			}
		}
		if err := e.wait(); err != nil {
			return err
		}
	}
	return e.drain()
}

// drain waits for the answers that are still missing.
func (e *engine) drain() error {
	for e.busy > 0 {
		if err := e.wait(); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) setTimer(after time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(after)))}
	return unix.TimerfdSettime(e.timer, 0, &spec, nil)
}

// send sends a request on connection i, whose latency counts from start.
func (e *engine) send(i int, start time.Duration) error {
	c := &e.conns[i]
	c.start, c.busy = start, true
	e.busy++
	// A request is smaller than any send buffer, which is empty here: it goes whole or fails.
	n, err := raw(unix.SYS_SENDTO, c.fd, request, unix.MSG_NOSIGNAL)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if n != len(request) {
		return fmt.Errorf("sent %d of %d bytes", n, len(request))
	}
	return nil
}

// wait takes one batch of events. Connections whose answer is complete become idle.
//
// It blocks the thread without telling the scheduler, which has nothing else to run: handing
// over to the runtime and back would cost more, at a low rate, than all the rest. The runtime
// notices after 10 ms and interrupts the call, which does no harm.
func (e *engine) wait() error {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(e.events))), uintptr(len(e.events)),
		uintptr(lookPeriod.Milliseconds()), 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return fmt.Errorf("epoll_wait: %w", errno)
	}
	if errno != 0 || n == 0 {
		if e.busy > 0 && e.now()-e.heard > silenceLimit {
			return fmt.Errorf("no answer for %v; %d requests wait", silenceLimit, e.busy)
		}
		return nil
	}
	for _, event := range e.events[:n] {
		// An edge-triggered timer needs no read: setting it again clears it.
		if event.Fd == timerTag {
			continue
		}
		if err := e.receive(int(event.Fd)); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) receive(i int) error {
	c := &e.conns[i]
	n, err := raw(unix.SYS_RECVFROM, c.fd, e.buffer, 0)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return fmt.Errorf("receive: %w", err)
	case n == 0:
		return errors.New("the server closed a connection")
	case !c.busy:
		return fmt.Errorf("the server sent %q without a request", e.buffer[:min(n, 80)])
	}
	data := e.buffer[:n]
	if len(c.part) > 0 {
		c.part = append(c.part, data...)
		data = c.part
	}
	complete, err := e.answers.complete(data)
	if err != nil {
		return err
	}
	if !complete {
		if len(c.part) == 0 {
			c.part = append(c.part, data...)
		}
		return nil
	}
	e.heard = e.now()
	record(e.latency, e.heard-c.start)
	c.part, c.busy = c.part[:0], false
	e.done++
	e.busy--
	e.idle = append(e.idle, i)
	return nil
}

// close closes everything.
func (e *engine) close() {
	for _, c := range e.conns {
		_ = unix.Close(c.fd)
	}
	if e.timer >= 0 {
		_ = unix.Close(e.timer)
	}
	if e.epoll >= 0 {
		_ = unix.Close(e.epoll)
	}
}

// raw sends or receives on a nonblocking socket without telling the scheduler.
func raw(trap uintptr, fd int, b []byte, flags int) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(trap, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags), 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}
