package micro

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// UDP echo: what a packet costs the server, in processor time of its process.
// The client is a process of its own, which keeps a window of packets under way
// and is written on the system calls, the same for all servers.
//
//	go test -run '^$' -bench UDP -benchtime 300000x -count 8 ./bench/micro
//
// alternates between the contenders, so that rounds of one number are pairs.

const (
	clientVariable = "LION_MICRO_CLIENT" // "address count size burst", or "short address count", and so on
	clientCPU      = "LION_MICRO_CLIENT_CPU"

	window    = 64 // packets under way in the echo of small ones
	small     = 64
	large     = 1200
	burst     = 45              // large packets in a message: 54,000 bytes
	clientGap = 2 * time.Second // without an echo, after which the window is sent anew
)

func TestMain(m *testing.M) {
	if work := os.Getenv(clientVariable); work != "" {
		err := apart()
		if err == nil {
			err = client(strings.Fields(work))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// apart moves the client to the processor that clientCPU tells, so that it does not
// share that of a server which runs elsewhere (taskset(1)).
func apart() error {
	cpu := os.Getenv(clientCPU)
	if cpu == "" {
		return nil
	}
	n, err := strconv.Atoi(cpu)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // what the client does is done by this thread
	var set unix.CPUSet
	set.Set(n)
	return unix.SchedSetaffinity(0, &set)
}

// client sends packets until count of them have come back.
func client(work []string) error {
	switch work[0] {
	case "short":
		return visit(work[1:])
	case "fan":
		return watch(work[1:])
	case "files":
		return fetch(work[1:])
	case "relay":
		return flood(work[1:])
	case "throng":
		return throng(work[1:])
	case "tls":
		return echoTLS(work[1:])
	}
	to, err := netip.ParseAddrPort(work[0])
	if err != nil {
		return err
	}
	count, _ := strconv.Atoi(work[1])
	size, _ := strconv.Atoi(work[2])
	segments, _ := strconv.Atoi(work[3])
	underWay := window
	if len(work) > 4 {
		underWay, _ = strconv.Atoi(work[4])
	}
	if segments == 1 {
		return pound(to, count, size, underWay)
	}
	return loop.Run(func(t *loop.Task) error {
		s, err := socket.New(t.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer s.Close()
		_ = socket.ReceiveBuffer.Set(s, 4<<20) // as much as the system allows
		if err := socket.ReceiveOffload.Set(s, true); err != nil {
			return err
		}
		if err := s.Connect(t, socket.InetAddr(to)); err != nil {
			return err
		}
		return drive(t, s, count, size, segments)
	})
}

// drive keeps one burst under way.
func drive(t *loop.Task, s *socket.Socket, count, size, segments int) error {
	sender, err := socket.NewSegmentSender(s)
	if err != nil {
		return err
	}
	data, room := make([]byte, size*segments), make([]byte, 65536)
	for done := 0; done < count; {
		if _, err := sender.Send(t, data, size, socket.Addr{}, nil); err != nil {
			return err
		}
		err := loop.MoveOnAfter(t, clientGap, func(*loop.Scope) error {
			for back := 0; back < segments; {
				n, err := s.Recv(t, room, 0)
				if err != nil {
					return err
				}
				back += (n + size - 1) / size
			}
			return nil
		})
		if err != nil {
			return err
		}
		done += segments
	}
	return nil
}

// pound keeps a window of small packets under way, by blocking calls: readiness
// of the client would be work of the sender, that is, of the server.
func pound(to netip.AddrPort, count, size, underWay int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	gap := unix.NsecToTimeval(int64(clientGap))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &gap); err != nil {
		return err
	}
	at := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	if err := unix.Connect(fd, at); err != nil {
		return err
	}
	var headers [window]unix.Mmsghdr
	var iov [window]unix.Iovec
	data := make([]byte, size)
	for i := range headers {
		iov[i].Base = &data[0]
		iov[i].SetLen(size)
		headers[i].Hdr.Iov = &iov[i]
		headers[i].Hdr.SetIovlen(1)
	}
	transfer := func(trap uintptr, n int, flags uintptr) (int, error) {
		got, _, e := unix.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&headers[0])),
			uintptr(n), flags, 0, 0)
		if e != 0 && e != unix.EAGAIN && e != unix.EINTR {
			return 0, e
		}
		if e != 0 {
			return 0, nil
		}
		return int(got), nil
	}
	for done, send := 0, underWay; done < count; {
		for send > 0 {
			n, err := transfer(unix.SYS_SENDMMSG, send, 0)
			if err != nil {
				return err
			}
			send -= n
		}
		n, err := transfer(unix.SYS_RECVMMSG, underWay, unix.MSG_WAITFORONE)
		if err != nil {
			return err
		}
		if send = n; n == 0 {
			send = underWay // all lost
		}
		done += n
	}
	return nil
}

func contest(b *testing.B, size, segments int, serve func(b *testing.B) (at string, stop func())) {
	contestWith(b, b.N, "cpu-ns/packet", serve, func(at string) string {
		return fmt.Sprintf("%s %d %d %d", at, b.N, size, segments)
	})
}

// contestWith runs a client against a server, which serves until stop, and
// reports the processor time for each of count things.
func contestWith(
	b *testing.B, count int, unit string, serve func(b *testing.B) (at string, stop func()),
	work func(at string) string,
) {
	at, stop := serve(b)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), clientVariable+"="+work(at))
	cmd.Stderr = os.Stderr
	b.ResetTimer()
	before := processorTime(b)
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	used := processorTime(b) - before
	b.StopTimer()
	stop()
	b.ReportMetric(float64(used.Nanoseconds())/float64(count), unit)
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkUDPEcho(b *testing.B) {
	b.Run("net", func(b *testing.B) { contest(b, small, 1, overNet) })
	b.Run("lion", func(b *testing.B) { contest(b, small, 1, overLion(echoJoined)) })
	b.Run("lion-mmsg", func(b *testing.B) { contest(b, small, 1, overLion(echoBatches)) })
}

func BenchmarkUDPBurst(b *testing.B) {
	b.Run("net", func(b *testing.B) { contest(b, large, burst, overNet) })
	b.Run("lion", func(b *testing.B) { contest(b, large, burst, overLion(echoSegments)) })
}

func overNet(b *testing.B) (string, func()) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	_ = c.SetReadBuffer(4 << 20)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	return c.LocalAddr().String(), func() { c.Close(); <-done }
}

// overLion runs an echo in a loop.
func overLion(echo func(*loop.Task, *socket.Socket) error) func(b *testing.B) (string, func()) {
	return func(b *testing.B) (string, func()) {
		at, ended, end := make(chan string), make(chan error, 1), make(chan func(), 1)
		go func() {
			ended <- loop.Run(func(t *loop.Task) error {
				s, err := socket.New(t.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
				if err != nil {
					return err
				}
				_ = socket.ReceiveBuffer.Set(s, 4<<20) // as much as the system allows
				addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
				if err := s.Bind(socket.InetAddr(addr)); err != nil {
					return err
				}
				own, err := s.Name()
				if err != nil {
					return err
				}
				l := t.Loop()
				end <- func() { _ = l.CallSoon(func() { _ = s.Close() }) }
				at <- own.String()
				if err := echo(t, s); err != nil && s.Closed() {
					return nil
				}
				return s.Close()
			})
		}()
		return <-at, func() {
			(<-end)()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		}
	}
}

// echoJoined answers in batches in which neighbours for one peer go as one.
func echoJoined(t *loop.Task, s *socket.Socket) error {
	sender, err := socket.NewSegmentSender(s)
	if err != nil {
		return err
	}
	return echoBatch(t, s, sender.SendBatch, socket.MaxBatch)
}

// echoBatches answers one by one, in one system call.
func echoBatches(t *loop.Task, s *socket.Socket) error {
	return echoBatch(t, s, s.SendBatch, socket.MaxBatch)
}

func echoBatch(
	t *loop.Task, s *socket.Socket, send func(*loop.Task, []socket.Msg, int) (int, error), batch int,
) error {
	ms := make([]socket.Msg, batch)
	rooms := make([][]byte, len(ms))
	for i := range ms {
		rooms[i] = make([]byte, 2048)
		ms[i].Buffers, ms[i].WantName = [][]byte{rooms[i]}, true
	}
	for {
		n, err := s.RecvBatch(t, ms, 0)
		if err != nil {
			return err
		}
		for i := range ms[:n] {
			ms[i].Buffers[0] = rooms[i][:ms[i].N]
		}
		for sent := 0; sent < n; {
			more, err := send(t, ms[sent:n], 0)
			if err != nil {
				return err
			}
			sent += more
		}
		for i := range ms[:n] {
			ms[i].Buffers[0] = rooms[i]
		}
	}
}

func echoSegments(t *loop.Task, s *socket.Socket) error {
	if err := socket.ReceiveOffload.Set(s, true); err != nil {
		return err
	}
	sender, err := socket.NewSegmentSender(s)
	if err != nil {
		return err
	}
	room := make([]byte, 65536)
	m := &socket.Msg{Buffers: [][]byte{room}, Control: make([]byte, 64), WantName: true}
	for {
		m.Control = m.Control[:cap(m.Control)]
		n, err := s.RecvMsg(t, m, 0)
		if err != nil {
			return err
		}
		size := socket.SegmentSize(m.Control)
		if size == 0 {
			size = max(n, 1)
		}
		if _, err := sender.Send(t, room[:n], size, socket.AddrFrom(&m.Name), nil); err != nil {
			return err
		}
	}
}
